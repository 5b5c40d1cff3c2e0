// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// Messages of SSL 2.0 (draft-hickman-netscape-ssl-00 section 5) and of the ClientHello that later versions accept in its
// form (RFC 5246 appendix E.2).
const (
	ssl2ClientHello = 1
	ssl2ServerHello = 4
	ssl2Version     = 0x0002
	ssl2Head        = 2
	ssl2Enough      = 13 // bytes that looksSSL2 needs to check all lengths
)

// looksSSL2 reports whether head begins with an SSL 2.0 hello. The lengths in it must add up, because the format has no
// other mark. It needs ssl2Enough bytes.
func looksSSL2(head []byte) bool {
	if len(head) < ssl2Enough || head[0]&0x80 == 0 {
		return false
	}
	n := int(head[0]&0x7f)<<8 | int(head[1])
	r := parse.Reader{B: head[3:]}
	switch head[2] {
	case ssl2ClientHello:
		version, ciphers, id, challenge := r.U16(), r.U16(), r.U16(), r.U16()
		known := version == ssl2Version || version >= 0x0300 && version <= 0x0304
		return known && ciphers > 0 && ciphers%3 == 0 && (id == 0 || id == 16) &&
			challenge >= 16 && challenge <= 32 && n == 9+ciphers+id+challenge
	case ssl2ServerHello:
		hit, kind, version, cert, ciphers := r.U8(), r.U8(), r.U16(), r.U16(), r.U16()
		// An identification of the connection of 16 to 32 bytes makes up the rest.
		id := n - 11 - cert - ciphers
		return hit <= 1 && kind <= 1 && version == ssl2Version && ciphers%3 == 0 && id >= 16 && id <= 32
	}
	return false
}

// feedSSL2 reads the one message of SSL 2.0 that is in clear text. A client that offers more than SSL 2.0 is answered in TLS
// records, which the other direction reads as such.
func (t *Stream) feedSSL2(dir int, head []byte, sink dissect.Sink) (want int) {
	end := ssl2Head + (int(head[0]&0x7f)<<8 | int(head[1]))
	if t.dirs[dir].done || len(head) < end {
		return end
	}
	t.dirs[dir].done = true
	if head[2] == ssl2ClientHello {
		sink(ssl2ParseClient(head[3:end]))
	} else {
		ssl2EmitServer(head[3:end], sink)
	}
	return 0
}

// ssl2ParseClient keeps the cipher specs whose first byte is zero, which are those of SSL 3.0 and later. The others are
// of SSL 2.0 and have three bytes.
func ssl2ParseClient(body []byte) *dissect.TLSClientHello {
	r := parse.Reader{B: body}
	h := &dissect.TLSClientHello{SSL2: true, RecordVersion: ssl2Version, Version: uint16(r.U16())}
	specs := parse.Reader{}
	n := r.U16()
	r.U16()
	r.U16()
	specs.B = r.Bytes(n)
	h.Ciphers = make([]uint16, 0, n/3)
	for len(specs.B) >= 3 {
		if spec := specs.U24(); spec < 1<<16 {
			h.Ciphers = append(h.Ciphers, uint16(spec))
		}
	}
	return h
}

func ssl2EmitServer(body []byte, sink dissect.Sink) {
	r := parse.Reader{B: body}
	r.U16()
	h := &dissect.TLSServerHello{SSL2: true, Version: uint16(r.U16())}
	h.LegacyVersion = h.Version
	cert := r.U16()
	r.U16()
	r.U16()
	der := r.Bytes(cert)
	sink(h)
	if len(der) > 0 {
		sink(parseCertificate(der))
	}
}
