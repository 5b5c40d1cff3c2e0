// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/memo"
)

// prints are the fingerprints of a client's hello.
type prints struct{ ja3, ja4 string }

// Most hellos are those of a few programs and differ only in what no fingerprint covers.
var (
	clientPrints memo.Table[prints]
	serverHellos memo.Table[ServerHello]
)

// printsOf returns JA3 and JA4 of a hello.
func printsOf(h *dissect.TLSClientHello) *prints {
	var room [512]byte
	return clientPrints.Of(appendClientKey(room[:0], h), func() *prints { return &prints{ja3: JA3(h), ja4: JA4(h)} })
}

// serverHelloOf returns what is kept of a hello.
func serverHelloOf(h *dissect.TLSServerHello) *ServerHello {
	var room [64]byte
	return serverHellos.Of(appendServerKey(room[:0], h), func() *ServerHello {
		return &ServerHello{SSL2: h.SSL2, Version: h.Version, JA3S: JA3S(h)}
	})
}

// appendClientKey appends everything of h that JA3 and JA4 depend on. GREASE is left out: neither counts it, and a
// client draws new values for each hello. A hello with only GREASE ciphers is still TLS.
func appendClientKey(b []byte, h *dissect.TLSClientHello) []byte {
	first, last := ja4ALPN(h)
	b = append(b, flags(h.QUIC, h.DTLS, h.SSL2, isTLS(h)), first, last)
	b = binary.BigEndian.AppendUint16(b, h.Version)
	for _, list := range [...][]uint16{h.SupportedVersions, h.Ciphers, h.Extensions, h.Groups, h.SigAlgs} {
		b = appendList(b, list)
	}
	return append(b, h.PointFormats...)
}

// appendServerKey appends everything of h that is kept or that JA3S depends on.
func appendServerKey(b []byte, h *dissect.TLSServerHello) []byte {
	b = append(b, flags(h.SSL2))
	b = binary.BigEndian.AppendUint16(b, h.Version)
	b = binary.BigEndian.AppendUint16(b, h.LegacyVersion)
	b = binary.BigEndian.AppendUint16(b, h.Cipher)
	return appendList(b, h.Extensions)
}

// appendList appends a list without its GREASE and an end marker that cannot occur in it.
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
