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
	r.vec8()
	exts := tlsReader{b: r.vec16()}
	n, values := tlsCountExtensions(exts)
	lists := tlsLists(make([]uint16, 0, len(ciphers)/2+n+values))
	h.Ciphers = lists.add(ciphers)
	h.Extensions = lists.types(exts, n)
	for len(exts.b) > 0 {
		typ, data := exts.u16(), exts.vec16()
		if exts.bad {
			break
		}
		h.extension(typ, tlsReader{b: data}, &lists)
	}
	return h
}

// tlsCountExtensions gives the number of extensions of a block, and of the 16-bit values that those may hold which are
// read as lists.
func tlsCountExtensions(block tlsReader) (n, values int) {
	for ; len(block.b) > 0; n++ {
		typ, data := block.u16(), block.vec16()
		if block.bad {
			break
		}
		switch typ {
		case tlsExtGroups, tlsExtSigAlgs, tlsExtVersions:
			values += len(data) / 2
		}
	}
	return n, values
}

// tlsLists is the room in which all lists of a hello are kept.
type tlsLists []uint16

// add reads b as a list of 16-bit values; nil if there is none.
func (l *tlsLists) add(b []byte) []uint16 {
	if len(b) < 2 {
		return nil
	}
	begin := len(*l)
	for ; len(b) >= 2; b = b[2:] {
		*l = append(*l, uint16(b[0])<<8|uint16(b[1]))
	}
	return (*l)[begin:len(*l):len(*l)]
}

// types lists the types of the first n extensions of a block.
func (l *tlsLists) types(block tlsReader, n int) []uint16 {
	if n == 0 {
		return nil
	}
	begin := len(*l)
	for ; n > 0; n-- {
		*l = append(*l, uint16(block.u16()))
		block.vec16()
	}
	return (*l)[begin:len(*l):len(*l)]
}

// extension takes over what one extension says.
func (h *TLSClientHello) extension(typ int, r tlsReader, lists *tlsLists) {
	switch typ {
	case tlsExtServerName:
		if h.SNI == "" {
			h.SNI = tlsServerName(r)
		}
	case tlsExtGroups:
		h.Groups = lists.add(r.vec16())
	case tlsExtPointFormats:
		if f := r.vec8(); len(f) > 0 {
			h.PointFormats = append([]uint8(nil), f...)
		}
	case tlsExtSigAlgs:
		h.SigAlgs = lists.add(r.vec16())
	case tlsExtALPN:
		h.ALPN = tlsProtocols(tlsReader{b: r.vec16()})
	case tlsExtVersions:
		h.SupportedVersions = lists.add(r.vec8())
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
		names = append(names, tlsProtocol(name))
	}
	return names
}

// tlsProtocol gives the name of a protocol, without a copy of the usual ones.
func tlsProtocol(name []byte) string {
	switch string(name) {
	case "h2":
		return "h2"
	case "http/1.1":
		return "http/1.1"
	case "h3":
		return "h3"
	}
	return string(name)
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
	n, _ := tlsCountExtensions(exts)
	lists := tlsLists(make([]uint16, 0, n))
	h.Extensions = lists.types(exts, n)
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
