// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/memo"
)

// prints are the fingerprints of a client's hello.
type prints struct{ ja3, ja4 string }

// Most hellos are those of a few programs, and differ in what no fingerprint looks at.
var (
	clientPrints memo.Table[prints]
	serverHellos memo.Table[ServerHello]
)

// printsOf gives JA3 and JA4 of a hello.
func printsOf(h *dissect.TLSClientHello) *prints {
	var room [512]byte
	return clientPrints.Of(appendClientKey(room[:0], h), func() *prints { return &prints{ja3: JA3(h), ja4: JA4(h)} })
}

// serverHelloOf gives what is kept of a hello.
func serverHelloOf(h *dissect.TLSServerHello) *ServerHello {
	var room [64]byte
	return serverHellos.Of(appendServerKey(room[:0], h), func() *ServerHello {
		return &ServerHello{SSL2: h.SSL2, Version: h.Version, JA3S: JA3S(h)}
	})
}

// appendClientKey adds all of h that JA3 and JA4 are made of. GREASE is left out: neither counts it, and a client draws it anew for each
// hello. A hello of nothing but GREASE ciphers is TLS all the same.
func appendClientKey(b []byte, h *dissect.TLSClientHello) []byte {
	first, last := ja4ALPN(h)
	b = append(b, flags(h.QUIC, h.DTLS, h.SSL2, isTLS(h)), first, last)
	b = binary.BigEndian.AppendUint16(b, h.Version)
	for _, list := range [...][]uint16{h.SupportedVersions, h.Ciphers, h.Extensions, h.Groups, h.SigAlgs} {
		b = appendList(b, list)
	}
	return append(b, h.PointFormats...)
}

// appendServerKey adds all of h that is kept, or that JA3S is made of.
func appendServerKey(b []byte, h *dissect.TLSServerHello) []byte {
	b = append(b, flags(h.SSL2))
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = binary.BigEndian.AppendUint16(b, h.LegacyVersion)
	b = binary.BigEndian.AppendUint16(b, h.Cipher)
	return appendList(b, h.Extensions)
}

// appendList adds a list without its GREASE and an end that is not in it.
func appendList(b []byte, list []uint16) []byte {
	const end = 0x0a0a // of GREASE
	for _, v := range list {
		if !grease(v) {
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	return binary.BigEndian.AppendUint16(b, end)
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
