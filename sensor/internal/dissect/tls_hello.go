// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"strings"
)

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
	version := uint16(r.u16())
	r.bytes(32)
	r.vec8()
	if dtls {
		r.vec8()
	}
	ciphers := r.vec16()
	if r.bad {
		return nil
	}
	room := new(tlsHelloRoom)
	h := &room.hello
	h.DTLS, h.Version = dtls, version
	r.vec8() // compression
	lists, types := tlsList(room.lists[:0]), tlsList(room.types[:0])
	h.Ciphers = lists.add(ciphers)
	exts := tlsReader{b: r.vec16()}
	for len(exts.b) > 0 {
		typ, data := exts.u16(), exts.vec16()
		if exts.bad {
			break
		}
		types = append(types, uint16(typ))
		h.extension(typ, tlsReader{b: data}, &lists)
	}
	h.Extensions = types.all()
	return h
}

// tlsHelloRoom is a hello with the room in which its lists stand, if they are of the usual length.
type tlsHelloRoom struct {
	hello TLSClientHello
	types [20]uint16
	lists [44]uint16
}

// tlsList is room for lists of 16-bit values.
type tlsList []uint16

// add reads b as a list and keeps it behind those before; nil if there is none.
func (l *tlsList) add(b []byte) []uint16 {
	if len(b) < 2 {
		return nil
	}
	begin := len(*l)
	for ; len(b) >= 2; b = b[2:] {
		*l = append(*l, uint16(b[0])<<8|uint16(b[1]))
	}
	return (*l)[begin:len(*l):len(*l)]
}

// all gives everything that was added, nil if nothing was.
func (l tlsList) all() []uint16 {
	if len(l) == 0 {
		return nil
	}
	return l[:len(l):len(l)]
}

// extension takes over what one extension says.
func (h *TLSClientHello) extension(typ int, r tlsReader, lists *tlsList) {
	switch typ {
	case tlsExtServerName:
		if h.SNI == "" {
			h.SNI = tlsServerName(r)
		}
	case tlsExtGroups:
		h.Groups = lists.add(r.vec16())
	case tlsExtPointFormats:
		if f := r.vec8(); len(f) > 0 {
			h.PointFormats = tlsFormats(f)
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

// The lists that most hellos have: they are kept for as long as a session lives, so that it matters that there is one of each.
var (
	tlsFormat0 = []uint8{0} // uncompressed
	tlsH2      = []string{"h2"}
	tlsH3      = []string{"h3"}
	tlsHTTP1   = []string{"http/1.1"}
	tlsH2HTTP1 = []string{"h2", "http/1.1"}
)

func tlsFormats(b []byte) []uint8 {
	if string(b) == "\x00" {
		return tlsFormat0
	}
	return bytes.Clone(b)
}

// tlsProtocols reads a ProtocolNameList (RFC 7301 section 3.1).
func tlsProtocols(list tlsReader) []string {
	switch string(list.b) {
	case "\x02h2":
		return tlsH2
	case "\x02h3":
		return tlsH3
	case "\x08http/1.1":
		return tlsHTTP1
	case "\x02h2\x08http/1.1":
		return tlsH2HTTP1
	}
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
	cipher := uint16(r.u16())
	if r.bad {
		return nil
	}
	if !oldDraft {
		r.u8()
	}
	room := new(tlsServerHelloRoom)
	h := &room.hello
	h.DTLS, h.Version, h.LegacyVersion, h.Cipher = dtls, version, version, cipher
	types := tlsList(room.types[:0])
	exts := tlsReader{b: r.vec16()}
	for len(exts.b) > 0 {
		typ, data := exts.u16(), exts.vec16()
		if exts.bad {
			break
		}
		types = append(types, uint16(typ))
		h.extension(typ, tlsReader{b: data})
	}
	h.Extensions = types.all()
	return h
}

// tlsServerHelloRoom is a hello with the room for its list, if it is of the usual length.
type tlsServerHelloRoom struct {
	hello TLSServerHello
	types [8]uint16
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
