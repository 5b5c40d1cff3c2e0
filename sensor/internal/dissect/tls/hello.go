// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"bytes"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// Handshake message types, RFC 8446 appendix B.3 and RFC 5246 section 7.4.
const (
	messageHelloRequest = 0
	MessageClientHello  = 1
	MessageServerHello  = 2
	messageHelloVerify  = 3 // DTLS
	messageCertificate  = 11
	messageServerDone   = 14
	messageHash         = 254
	HandshakeHeaderLen  = 4
)

// Extensions that are read (IANA registry "TLS ExtensionType Values").
const (
	extServerName   = 0
	extGroups       = 10
	extPointFormats = 11
	extSigAlgs      = 13
	extALPN         = 16
	extVersions     = 43
	extECH          = 0xfe0d
)

// maxALPN and MaxName bound the strings of a hello that are kept (RFC 7301 section 3.1: a name has at most 255 bytes; a
// host name has at most 253).
const (
	maxALPN = 32
	MaxName = 255
)

// ParseClientHello reads the body of a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2; of DTLS with its
// cookie, RFC 6347 section 4.2.1). It returns nil if the body ends before the list of ciphers does. If the list of
// extensions is damaged, the extensions before the damage count: the client did send them.
func ParseClientHello(body []byte, dtls bool) *dissect.TLSClientHello {
	r := parse.Reader{B: body}
	version := uint16(r.U16())
	r.Bytes(32)
	r.Vec8()
	if dtls {
		r.Vec8()
	}
	ciphers := r.Vec16()
	if r.Bad {
		return nil
	}
	room := new(clientHelloRoom)
	h := &room.hello
	h.DTLS, h.Version, h.NPFBodies = dtls, version, room.bodies[:0]
	r.Vec8() // compression
	lists, types := uint16List(room.lists[:0]), uint16List(room.types[:0])
	h.Ciphers = lists.add(ciphers)
	exts := parse.Reader{B: r.Vec16()}
	for len(exts.B) > 0 {
		typ, data := exts.U16(), exts.Vec16()
		if exts.Bad {
			break
		}
		types = append(types, uint16(typ))
		h.NPFBodies = addBody(h.NPFBodies, typ, data)
		clientExtension(h, typ, parse.Reader{B: data}, &lists)
	}
	h.Extensions = types.all()
	return h
}

// clientHelloRoom is a hello with the memory for its lists, if they are of the usual length: one allocation in all.
type clientHelloRoom struct {
	hello dissect.TLSClientHello
	types [20]uint16
	lists [44]uint16

	bodies [144]byte
}

// addBody appends an extension to bodies if it counts with its value in an NPF fingerprint.
func addBody(bodies []byte, typ int, data []byte) []byte {
	if !dissect.NPFBody(uint16(typ)) {
		return bodies
	}
	bodies = append(bodies, byte(typ>>8), byte(typ), byte(len(data)>>8), byte(len(data)))
	return append(bodies, data...)
}

// uint16List is memory for lists of 16-bit values.
type uint16List []uint16

// add appends the 16-bit values of b and returns them as a list of their own, or nil if there are none.
func (l *uint16List) add(b []byte) []uint16 {
	if len(b) < 2 {
		return nil
	}
	begin := len(*l)
	for ; len(b) >= 2; b = b[2:] {
		*l = append(*l, uint16(b[0])<<8|uint16(b[1]))
	}
	return (*l)[begin:len(*l):len(*l)]
}

// all returns everything that was added, or nil.
func (l uint16List) all() []uint16 {
	if len(l) == 0 {
		return nil
	}
	return l[:len(l):len(l)]
}

// clientExtension reads one extension into h.
func clientExtension(h *dissect.TLSClientHello, typ int, r parse.Reader, lists *uint16List) {
	switch typ {
	case extServerName:
		if h.SNI == "" {
			h.SNI = serverName(r)
		}
	case extGroups:
		h.Groups = lists.add(r.Vec16())
	case extPointFormats:
		if f := r.Vec8(); len(f) > 0 {
			h.PointFormats = pointFormats(f)
		}
	case extSigAlgs:
		h.SigAlgs = lists.add(r.Vec16())
	case extALPN:
		h.ALPN = alpnProtocols(parse.Reader{B: r.Vec16()})
	case extVersions:
		h.SupportedVersions = lists.add(r.Vec8())
	case extECH:
		h.ECH = true
	}
}

// serverName returns the first host_name of a server_name list (RFC 6066 section 3) in lower case: names are compared
// with those in DNS, and a client may write them in any case.
func serverName(r parse.Reader) string {
	list := parse.Reader{B: r.Vec16()}
	for len(list.B) > 0 {
		typ, name := list.U8(), list.Vec16()
		if typ == 0 && len(name) > 0 && len(name) <= MaxName {
			return strings.ToLower(string(name))
		}
	}
	return ""
}

// The lists of most hellos. They are shared, because they are kept as long as a session lives.
var (
	uncompressed = []uint8{0} // uncompressed
	alpnH2       = []string{"h2"}
	alpnH3       = []string{"h3"}
	alpnHTTP1    = []string{"http/1.1"}
	alpnH2HTTP1  = []string{"h2", "http/1.1"}
)

func pointFormats(b []byte) []uint8 {
	if string(b) == "\x00" {
		return uncompressed
	}
	return bytes.Clone(b)
}

// alpnProtocols reads a ProtocolNameList (RFC 7301 section 3.1).
func alpnProtocols(list parse.Reader) []string {
	switch string(list.B) {
	case "\x02h2":
		return alpnH2
	case "\x02h3":
		return alpnH3
	case "\x08http/1.1":
		return alpnHTTP1
	case "\x02h2\x08http/1.1":
		return alpnH2HTTP1
	}
	var names []string
	for len(list.B) > 0 && len(names) < maxALPN {
		name := list.Vec8()
		if list.Bad {
			break
		}
		names = append(names, alpnProtocol(name))
	}
	return names
}

// alpnProtocol returns the name of a protocol without copying the usual ones.
func alpnProtocol(name []byte) string {
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

// ParseServerHello reads the body of a ServerHello (RFC 8446 section 4.1.3). A HelloRetryRequest has the same form: it
// is the first answer if there is one, and it is the one that is fingerprinted. It returns nil if the body ends before
// the cipher. The drafts of TLS 1.3 before 22 have neither session id nor compression.
func ParseServerHello(body []byte, dtls bool) *dissect.TLSServerHello {
	r := parse.Reader{B: body}
	version := uint16(r.U16())
	r.Bytes(32)
	oldDraft := version>>8 == 0x7f
	if !oldDraft {
		r.Vec8()
	}
	cipher := uint16(r.U16())
	if r.Bad {
		return nil
	}
	if !oldDraft {
		r.U8()
	}
	room := new(serverHelloRoom)
	h := &room.hello
	h.DTLS, h.Version, h.LegacyVersion, h.Cipher, h.NPFBodies = dtls, version, version, cipher, room.bodies[:0]
	types := uint16List(room.types[:0])
	exts := parse.Reader{B: r.Vec16()}
	for len(exts.B) > 0 {
		typ, data := exts.U16(), exts.Vec16()
		if exts.Bad {
			break
		}
		types = append(types, uint16(typ))
		h.NPFBodies = addBody(h.NPFBodies, typ, data)
		serverExtension(h, typ, parse.Reader{B: data})
	}
	h.Extensions = types.all()
	return h
}

// serverHelloRoom is a hello with the memory for its list, if it is of the usual length.
type serverHelloRoom struct {
	hello dissect.TLSServerHello
	types [8]uint16

	bodies [40]byte
}

func serverExtension(h *dissect.TLSServerHello, typ int, r parse.Reader) {
	switch typ {
	case extVersions:
		if v := r.U16(); !r.Bad {
			h.Version = uint16(v)
		}
	case extALPN:
		if names := alpnProtocols(parse.Reader{B: r.Vec16()}); len(names) > 0 {
			h.ALPN = names[0]
		}
	}
}

// encryptsCertificate reports whether a session of this version encrypts the certificate: TLS 1.3, its drafts (7f and
// fb), and DTLS 1.3.
func encryptsCertificate(version uint16) bool {
	return version == 0x0304 || version>>8 == 0x7f || version>>8 == 0xfb || version == 0xfefc
}
