// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/memo"
)

// prints are the fingerprints of a client's hello.
type prints struct{ ja3, ja4, npf string }

// Most hellos are those of a few programs and differ only in what no fingerprint covers.
var (
	clientPrints memo.Table[prints]
	serverHellos memo.Table[ServerHello]
)

// printsOf returns the fingerprints of a hello.
func printsOf(h *dissect.TLSClientHello) *prints {
	var room [768]byte
	return clientPrints.Of(appendClientKey(room[:0], h), func() *prints { return &prints{ja3: JA3(h), ja4: JA4(h), npf: NPFClient(h)} })
}

// serverHelloOf returns what is kept of a hello.
func serverHelloOf(h *dissect.TLSServerHello) *ServerHello {
	var room [96]byte
	return serverHellos.Of(appendServerKey(room[:0], h), func() *ServerHello {
		return &ServerHello{SSL2: h.SSL2, Version: h.Version, JA3S: JA3S(h), NPF: NPFServer(h)}
	})
}

// appendClientKey appends everything of h that its fingerprints depend on. All values of GREASE count as one, because a client draws new
// ones for each hello. A hello with only GREASE ciphers is still TLS.
func appendClientKey(b []byte, h *dissect.TLSClientHello) []byte {
	first, last := ja4ALPN(h)
	b = append(b, flags(h.QUIC, h.DTLS, h.SSL2, isTLS(h)), first, last)
	b = binary.BigEndian.AppendUint16(b, h.Version)
	for _, list := range [...][]uint16{h.SupportedVersions, h.Ciphers, h.Extensions, h.Groups, h.SigAlgs} {
		b = appendList(b, list)
	}
	b = append(append(b, uint8(len(h.PointFormats))), h.PointFormats...)
	return appendBodies(b, h.NPFBodies)
}

// appendBodies appends the values of extensions, except the lists that a client fills with GREASE: they are in the key already.
func appendBodies(b, bodies []byte) []byte {
	for len(bodies) >= 4 {
		size := min(4+int(binary.BigEndian.Uint16(bodies[2:])), len(bodies))
		switch t := binary.BigEndian.Uint16(bodies); t {
		case extGroups, extVersions:
			b = append(b, bodies[:4]...)
		default:
			b = append(b, bodies[:size]...)
		}
		bodies = bodies[size:]
	}
	return b
}

// appendServerKey appends everything of h that is kept or that JA3S depends on.
func appendServerKey(b []byte, h *dissect.TLSServerHello) []byte {
	b = append(b, flags(h.SSL2, h.DTLS))
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = binary.BigEndian.AppendUint16(b, h.LegacyVersion)
	b = binary.BigEndian.AppendUint16(b, h.Cipher)
	return append(appendList(b, h.Extensions), h.NPFBodies...)
}

// appendList appends the length of a list and its values.
func appendList(b []byte, list []uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
	for _, v := range list {
		b = binary.BigEndian.AppendUint16(b, degrease(v))
	}
	return b
}

func flags(set ...bool) (b byte) {
	for _, x := range set {
		b <<= 1
		if x {
			b |= 1
		}
	}
	return b
}
