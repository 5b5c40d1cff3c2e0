// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// client is the content of a ClientHello.
type client struct {
	suites []uint16
	groups []uint16
	alpn   []string
	grease bool
	tls13  bool
	quic   bool     // in QUIC: transport parameters instead of a session id
	extra  []uint16 // extensions without content
}

// tlsClients returns the clients of an office: two browsers, a command line tool, an updater, a device.
func tlsClients() []client {
	browser := []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35}
	second := []uint16{0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35}
	return []client{
		{suites: browser, groups: []uint16{0x11ec, 0x1d, 0x17, 0x18}, alpn: []string{"h2", "http/1.1"}, grease: true, tls13: true, extra: []uint16{23, 0x12}},
		{suites: second, groups: []uint16{0x1d, 0x17, 0x18, 0x19, 0x100}, alpn: []string{"h2", "http/1.1"}, tls13: true, extra: []uint16{23}},
		{suites: []uint16{0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0xc02b, 0xc02f, 0xff}, groups: []uint16{0x1d, 0x17, 0x1e}, alpn: []string{"h2", "http/1.1"}, tls13: true, extra: []uint16{22, 23}},
		{suites: []uint16{0xc02c, 0xc02b, 0xc030, 0xc02f, 0x9f, 0x9e, 0xc024, 0xc023, 0x3d, 0x3c, 0x35, 0x2f}, groups: []uint16{0x1d, 0x17, 0x18}, extra: []uint16{23}},
		{suites: []uint16{0xc02f, 0xc027, 0x9c, 0x3c, 0x2f, 0xff}, groups: []uint16{0x17}},
	}
}

// block appends the content that fill appends, preceded by its length in n bytes.
func block(b []byte, n int, fill func([]byte) []byte) []byte {
	at := len(b)
	b = fill(append(b, make([]byte, n)...))
	for i, size := n-1, len(b)-at-n; i >= 0; i-- {
		b[at+i] = byte(size)
		size >>= 8
	}
	return b
}

func u16s(b []byte, values ...uint16) []byte {
	for _, v := range values {
		b = be.AppendUint16(b, v)
	}
	return b
}

func extension(b []byte, kind uint16, fill func([]byte) []byte) []byte {
	return block(u16s(b, kind), 2, fill)
}

// helloRandom is the offset of the random bytes in a hello at the start of a segment.
const helloRandom = 11

// hello builds a ClientHello in its record (RFC 8446 section 4.1.2).
func (c client) hello(name string) []byte {
	return handshake(1, func(b []byte) []byte {
		b = append(u16s(b, 0x0303), make([]byte, 32)...)
		b = c.session(b)
		b = block(b, 2, func(b []byte) []byte {
			if c.grease {
				b = u16s(b, 0x3a3a)
			}
			return u16s(b, c.suites...)
		})
		return block(append(b, 1, 0), 2, func(b []byte) []byte { return c.extensions(b, name) })
	})
}

// session appends the session id, which TLS 1.3 sends for compatibility (RFC 8446 appendix D.4).
func (c client) session(b []byte) []byte {
	if c.quic {
		return append(b, 0)
	}
	return block(b, 1, func(b []byte) []byte { return append(b, make([]byte, 32)...) })
}

func (c client) extensions(b []byte, name string) []byte {
	if c.grease {
		b = extension(b, 0x5a5a, func(b []byte) []byte { return b })
	}
	b = extension(b, 0, func(b []byte) []byte {
		return block(b, 2, func(b []byte) []byte {
			return block(append(b, 0), 2, func(b []byte) []byte { return append(b, name...) })
		})
	})
	for _, kind := range c.extra {
		b = extension(b, kind, func(b []byte) []byte { return b })
	}
	b = extension(b, 10, func(b []byte) []byte {
		return block(b, 2, func(b []byte) []byte { return u16s(b, c.groups...) })
	})
	b = extension(b, 11, func(b []byte) []byte { return append(b, 1, 0) })
	b = extension(b, 13, func(b []byte) []byte {
		return block(b, 2, func(b []byte) []byte {
			return u16s(b, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
		})
	})
	if len(c.alpn) > 0 {
		b = extension(b, 16, func(b []byte) []byte {
			return block(b, 2, func(b []byte) []byte {
				for _, p := range c.alpn {
					b = block(b, 1, func(b []byte) []byte { return append(b, p...) })
				}
				return b
			})
		})
	}
	if c.quic { // idle time-out, largest datagram, data, one stream (RFC 9000 section 18.2)
		b = extension(b, 0x39, func(b []byte) []byte {
			return append(b, 1, 4, 0x80, 0, 0x75, 0x30, 3, 2, 0x45, 0xc0, 4, 4, 0x80, 0xf0, 0, 0, 8, 2, 0x40, 0x64)
		})
	}
	if c.tls13 {
		b = extension(b, 43, func(b []byte) []byte {
			return block(b, 1, func(b []byte) []byte { return u16s(b, 0x0304, 0x0303) })
		})
		b = extension(b, 45, func(b []byte) []byte { return append(b, 1, 1) })
		b = extension(b, 51, func(b []byte) []byte {
			return block(b, 2, func(b []byte) []byte {
				return block(u16s(b, 0x1d), 2, func(b []byte) []byte { return append(b, make([]byte, 32)...) })
			})
		})
	}
	return b
}

// handshake wraps a handshake message in a record.
func handshake(kind byte, fill func([]byte) []byte) []byte {
	return block([]byte{0x16, 3, 1}, 2, func(b []byte) []byte { return block(append(b, kind), 3, fill) })
}

// answer builds the first flight of the server: in TLS 1.3 its hello and encrypted records, before that its hello, the
// certificate, a key exchange and ServerHelloDone.
func (c client) answer(cert []byte) []byte {
	b := handshake(2, func(b []byte) []byte {
		b = append(u16s(b, 0x0303), make([]byte, 32)...)
		b = append(u16s(c.session(b), c.suites[0]), 0)
		return block(b, 2, func(b []byte) []byte {
			if !c.tls13 {
				return append(u16s(b, 0xff01, 1), 0) // secure renegotiation, RFC 5746
			}
			b = extension(b, 43, func(b []byte) []byte { return u16s(b, 0x0304) })
			return extension(b, 51, func(b []byte) []byte {
				return block(u16s(b, 0x1d), 2, func(b []byte) []byte { return append(b, make([]byte, 32)...) })
			})
		})
	})
	if c.tls13 {
		b = append(b, 0x14, 3, 3, 0, 1, 1)
		return append(b, record(0x17, 900)...)
	}
	b = append(b, handshake(11, func(b []byte) []byte {
		return block(b, 3, func(b []byte) []byte {
			return block(b, 3, func(b []byte) []byte { return append(b, cert...) })
		})
	})...)
	b = append(b, handshake(12, func(b []byte) []byte { return append(append(b, 3, 0, 0x1d, 32), make([]byte, 32+68)...) })...)
	return append(b, handshake(14, func(b []byte) []byte { return b })...)
}

// record returns a record with n random bytes.
func record(kind byte, n int) []byte {
	return block([]byte{kind, 3, 3}, 2, func(b []byte) []byte {
		for i := range n {
			b = append(b, byte(mix(uint64(i)+uint64(n)<<16)))
		}
		return b
	})
}

// finished returns the client's last handshake message with its first request.
func (c client) finished() []byte {
	b := []byte{0x14, 3, 3, 0, 1, 1}
	if !c.tls13 {
		b = append(handshake(16, func(b []byte) []byte { return append(append(b, 32), make([]byte, 32)...) }), b...)
		return append(b, record(0x16, 40)...)
	}
	return append(append(b, record(0x17, 53)...), record(0x17, 380)...)
}

// certificate returns a self-signed certificate. Ed25519 signatures are deterministic, so the same name gives the same bytes.
func certificate(name string) ([]byte, error) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	key := ed25519.NewKeyFromSeed(seed)
	from := time.Unix(0, Start).UTC().Truncate(time.Hour)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name)) + 7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from.AddDate(0, -1, 0), NotAfter: from.AddDate(1, 0, 0),
	}
	return x509.CreateCertificate(nil, template, template, key.Public(), key)
}

// tlsDialogue is a connection of one client to one site.
func tlsDialogue(c client, name string, cert []byte, then bulk) *dialogue {
	return &dialogue{proto: tcp, port: 443, bulk: then, msgs: []msg{
		{up: true, data: c.hello(name), patch: helloRandom, random: 32},
		{data: c.answer(cert), patch: helloRandom, random: 32, salt: 1},
		{up: true, data: c.finished()},
		{data: append([]byte{0x14, 3, 3, 0, 1, 1}, record(0x17, 230)...)},
		{up: true, data: record(0x17, 310)},
		{data: record(0x17, 1200)},
	}}
}
