// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"
)

// TLSClient is the content of a ClientHello. Grease adds GREASE values (RFC 8701) like browsers.
type TLSClient struct {
	SNI     string // no extension if empty
	ALPN    []string
	Grease  bool
	Ciphers []uint16 // a browser's list if nil
}

// TLSServer is the server side of a handshake: version 0x0303 with the certificate in cleartext, or 0x0304.
type TLSServer struct {
	Version  uint16
	Cert     []byte // DER; needed for 0x0303
	Cipher   uint16 // 0: chosen by the version
	ALPNName string // 0x0303 only: in cleartext
}

// DialTLS opens a connection and runs the handshake (RFC 5246 or RFC 8446). Records then adds application data.
func (n *Net) DialTLS(at time.Time, client, server *Host, port uint16, tc TLSClient, ts TLSServer) *Conn {
	c := n.Dial(at, client, server, port)
	sid := n.Bytes(32)
	c.Send(record(22, 0x0301, clientHello(n, tc, sid)))
	c.now = c.now.Add(2 * time.Millisecond)
	hello := record(22, 0x0303, serverHello(n, ts, sid))
	ccs := record(20, 0x0303, []byte{1})
	if ts.Version == 0x0304 {
		c.Reply(cat(hello, ccs, record(23, 0x0303, n.Bytes(900+n.IntN(200))), record(23, 0x0303, n.Bytes(69))))
		c.Send(cat(ccs, record(23, 0x0303, n.Bytes(69))))
		return c
	}
	c.Reply(cat(hello, record(22, 0x0303, certificate(ts.Cert)), record(22, 0x0303, keyExchange(n)), record(22, 0x0303, []byte{14, 0, 0, 0})))
	c.Send(cat(record(22, 0x0303, message(16, append([]byte{32}, n.Bytes(32)...))), ccs, record(22, 0x0303, n.Bytes(40))))
	c.Reply(cat(ccs, record(22, 0x0303, n.Bytes(40))))
	return c
}

// Records sends k bytes of application data from one side, in records of at most 16 KiB.
func (c *Conn) Records(from Side, k int) *Conn {
	for ; k > 0; k -= 16384 {
		c.Data(from, record(23, 0x0303, c.net.Bytes(min(k, 16384)+24)))
	}
	return c
}

// Certificate returns a self-signed DER certificate for a name, valid from notBefore for the duration; its key is derived from the seed.
func (n *Net) Certificate(name string, notBefore time.Time, valid time.Duration) []byte {
	key := ed25519.NewKeyFromSeed(n.Bytes(32))
	t := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(append([]byte{1}, n.Bytes(8)...)), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotBefore: notBefore, NotAfter: notBefore.Add(valid)}
	der, err := x509.CreateCertificate(nil, t, t, key.Public(), key)
	if err != nil {
		panic(fmt.Sprintf("netsim: certificate: %v", err))
	}
	return der
}

func clientHello(n *Net, tc TLSClient, sid []byte) []byte {
	ciphers := tc.Ciphers
	if ciphers == nil {
		ciphers = []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035}
	}
	groups, versions := []uint16{29, 23, 24}, []uint16{0x0304, 0x0303}
	if tc.Grease {
		g := grease(n)
		ciphers, groups, versions = prepend(g, ciphers), prepend(g, groups), prepend(g, versions)
	}
	b := cat([]byte{3, 3}, n.Bytes(32), []byte{byte(len(sid))}, sid, list16(ciphers), []byte{1, 0})
	var x []byte
	if tc.Grease {
		x = append(x, extension(grease(n), nil)...)
	}
	if tc.SNI != "" {
		x = append(x, extension(0, vec16(cat([]byte{0}, vec16([]byte(tc.SNI)))))...)
	}
	x = cat(x, extension(23, nil), extension(65281, []byte{0}), extension(10, list16(groups)), extension(11, []byte{1, 0}), extension(35, nil))
	if len(tc.ALPN) > 0 {
		x = append(x, extension(16, alpn(tc.ALPN...))...)
	}
	x = cat(x, extension(5, []byte{1, 0, 0, 0, 0}), extension(13, list16([]uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601})),
		extension(51, vec16(cat([]byte{0, 29}, vec16(n.Bytes(32))))), extension(45, []byte{1, 1}))
	v := list16(versions)
	x = append(x, extension(43, v[1:])...) // one length byte, not two
	return message(1, cat(b, vec16(x)))
}

func serverHello(n *Net, ts TLSServer, sid []byte) []byte {
	cipher := ts.Cipher
	if cipher == 0 {
		cipher = map[uint16]uint16{0x0304: 0x1301, 0x0303: 0xc02b}[ts.Version]
	}
	b := cat([]byte{3, 3}, n.Bytes(32), []byte{32}, sid, be16(cipher), []byte{0})
	x := extension(51, cat([]byte{0, 29}, vec16(n.Bytes(32))))
	x = append(x, extension(43, []byte{3, 4})...)
	if ts.Version != 0x0304 {
		x = cat(extension(65281, []byte{0}), extension(11, []byte{1, 0}))
		if ts.ALPNName != "" {
			x = append(x, extension(16, alpn(ts.ALPNName))...)
		}
	}
	return message(2, cat(b, vec16(x)))
}

func certificate(der []byte) []byte { return message(11, vec24(vec24(der))) }

// keyExchange is an ECDHE key over X25519 with an ed25519 signature (RFC 8422 section 5.4).
func keyExchange(n *Net) []byte {
	return message(12, cat([]byte{3, 0, 29, 32}, n.Bytes(32), []byte{8, 7}, vec16(n.Bytes(64))))
}

func alpn(names ...string) []byte {
	var b []byte
	for _, s := range names {
		b = append(append(b, byte(len(s))), s...)
	}
	return vec16(b)
}

func grease(n *Net) uint16 { return 0x0a0a + 0x1010*uint16(n.IntN(16)) }

func prepend(v uint16, l []uint16) []uint16 { return append([]uint16{v}, l...) }

func record(typ byte, version uint16, b []byte) []byte {
	return cat([]byte{typ}, be16(version), vec16(b))
}

func message(typ byte, b []byte) []byte { return cat([]byte{typ}, vec24(b)) }

func extension(typ uint16, b []byte) []byte { return cat(be16(typ), vec16(b)) }

func list16(l []uint16) []byte {
	var b []byte
	for _, v := range l {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return vec16(b)
}

func be16(v uint16) []byte  { return binary.BigEndian.AppendUint16(nil, v) }
func vec16(b []byte) []byte { return append(be16(uint16(len(b))), b...) }
func vec24(b []byte) []byte {
	return append([]byte{byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
