// SPDX-License-Identifier: Apache-2.0

package dissect

import "strings"

// Handshake message types, RFC 8446 appendix B.3 and RFC 5246 section 7.4.
const (
	tlsHelloRequest  = 0
	tlsClientHello   = 1
	tlsServerHello   = 2
	tlsHelloVerify   = 3 // DTLS
	tlsCertificate   = 11
	tlsServerDone    = 14
	tlsMessageHash   = 254
	tlsHandshakeHead = 4
)

// Extensions that are read (IANA registry "TLS ExtensionType Values").
const (
	tlsExtServerName   = 0
	tlsExtGroups       = 10
	tlsExtPointFormats = 11
	tlsExtSigAlgs      = 13
	tlsExtALPN         = 16
	tlsExtVersions     = 43
	tlsExtECH          = 0xfe0d
)

// tlsMaxALPN and tlsMaxName bound what is kept of the strings of a hello (RFC 7301 section 3.1: a name has at most 255 bytes;
// a host name has at most 253).
const (
	tlsMaxALPN = 32
	tlsMaxName = 255
)

// tlsParseClientHello reads the body of a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2; of DTLS with
// its cookie, RFC 6347 section 4.2.1). It gives nil if the body ends before the list of ciphers does. A damaged list of
// extensions gives those before the damage: the client did send them.
func tlsParseClientHello(body []byte, dtls bool) *TLSClientHello {
	r := tlsReader{b: body}
	h := &TLSClientHello{DTLS: dtls, Version: uint16(r.u16())}
	r.bytes(32)
	r.vec8()
	if dtls {
		r.vec8()
	}
	ciphers := r.vec16()
	if r.bad {
		return nil
	}
	h.Ciphers = tlsUint16s(ciphers)
	r.vec8()
	exts := tlsReader{b: r.vec16()}
	h.Extensions = tlsExtensionTypes(exts)
	for len(exts.b) > 0 {
		typ, data := exts.u16(), exts.vec16()
		if exts.bad {
			break
		}
		h.extension(typ, tlsReader{b: data})
	}
	return h
}

// tlsExtensionTypes lists the types of a block of extensions in wire order; it counts first to allocate once.
func tlsExtensionTypes(block tlsReader) []uint16 {
	n := 0
	for r := block; len(r.b) > 0; n++ {
		if r.u16(); r.vec16() == nil && r.bad {
			break
		}
	}
	if n == 0 {
		return nil
	}
	types := make([]uint16, n)
	for i := range types {
		types[i] = uint16(block.u16())
		block.vec16()
	}
	return types
}

// extension takes over what one extension says.
func (h *TLSClientHello) extension(typ int, r tlsReader) {
	switch typ {
	case tlsExtServerName:
		if h.SNI == "" {
			h.SNI = tlsServerName(r)
		}
	case tlsExtGroups:
		h.Groups = tlsUint16s(r.vec16())
	case tlsExtPointFormats:
		if f := r.vec8(); len(f) > 0 {
			h.PointFormats = append([]uint8(nil), f...)
		}
	case tlsExtSigAlgs:
		h.SigAlgs = tlsUint16s(r.vec16())
	case tlsExtALPN:
		h.ALPN = tlsProtocols(tlsReader{b: r.vec16()})
	case tlsExtVersions:
		h.SupportedVersions = tlsUint16s(r.vec8())
	case tlsExtECH:
		h.ECH = true
	}
}

// tlsServerName gives the first host_name of a server_name list (RFC 6066 section 3), in lower case: names are compared with those
// seen in DNS, and a client may write them as it likes.
func tlsServerName(r tlsReader) string {
	list := tlsReader{b: r.vec16()}
	for len(list.b) > 0 {
		typ, name := list.u8(), list.vec16()
		if typ == 0 && len(name) > 0 && len(name) <= tlsMaxName {
			return strings.ToLower(string(name))
		}
	}
	return ""
}

// tlsProtocols reads a ProtocolNameList (RFC 7301 section 3.1).
func tlsProtocols(list tlsReader) []string {
	var names []string
	for len(list.b) > 0 && len(names) < tlsMaxALPN {
		name := list.vec8()
		if list.bad {
			break
		}
		names = append(names, string(name))
	}
	return names
}

// tlsParseServerHello reads the body of a ServerHello (RFC 8446 section 4.1.3), which a HelloRetryRequest is in form: where one is sent it
// is the first answer, and the one that is fingerprinted. It gives nil if the body ends before the cipher. The drafts of TLS 1.3
// before 22 have neither session id nor compression.
func tlsParseServerHello(body []byte, dtls bool) *TLSServerHello {
	r := tlsReader{b: body}
	version := uint16(r.u16())
	r.bytes(32)
	oldDraft := version>>8 == 0x7f
	if !oldDraft {
		r.vec8()
	}
	h := &TLSServerHello{DTLS: dtls, Version: version, LegacyVersion: version, Cipher: uint16(r.u16())}
	if r.bad {
		return nil
	}
	if !oldDraft {
		r.u8()
	}
	exts := tlsReader{b: r.vec16()}
	h.Extensions = tlsExtensionTypes(exts)
	for len(exts.b) > 0 {
		typ, data := exts.u16(), exts.vec16()
		if exts.bad {
			break
		}
		h.extension(typ, tlsReader{b: data})
	}
	return h
}

func (h *TLSServerHello) extension(typ int, r tlsReader) {
	switch typ {
	case tlsExtVersions:
		if v := r.u16(); !r.bad {
			h.Version = uint16(v)
		}
	case tlsExtALPN:
		if names := tlsProtocols(tlsReader{b: r.vec16()}); len(names) > 0 {
			h.ALPN = names[0]
		}
	}
}

// tlsEncryptsCertificate reports whether the certificate of a session of this version is encrypted: TLS 1.3, its drafts (7f and fb), and
// DTLS 1.3.
func tlsEncryptsCertificate(version uint16) bool {
	return version == 0x0304 || version>>8 == 0x7f || version>>8 == 0xfb || version == 0xfefc
}
