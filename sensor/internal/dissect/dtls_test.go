// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

// dtlsHelloBody makes a DTLS hello out of a real TLS hello, by adding a cookie and the versions of DTLS.
func dtlsHelloBody(t testing.TB, cookie string) []byte {
	t.Helper()
	hello := tlsHelloOf(t, &tls.Config{ServerName: "cam7.example", MaxVersion: tls.VersionTLS12})[tlsRecordHead+tlsHandshakeHead:]
	const fixed = 34
	id := fixed + 1 + int(hello[fixed])
	body := append([]byte{0xfe, 0xfd}, hello[2:id]...)
	body = append(body, byte(len(cookie)))
	return append(append(body, cookie...), hello[id:]...)
}

// dtlsPiece makes a record with one fragment of a handshake message.
func dtlsPiece(typ byte, seq, total, off int, part []byte) []byte {
	n := len(part)
	h := []byte{typ, byte(total >> 16), byte(total >> 8), byte(total), byte(seq >> 8), byte(seq),
		byte(off >> 16), byte(off >> 8), byte(off), byte(n >> 16), byte(n >> 8), byte(n)}
	return dtlsRecordOf(tlsHandshake, 0, append(h, part...))
}

func dtlsRecordOf(typ byte, epoch int, body []byte) []byte {
	head := []byte{typ, 0xfe, 0xff, byte(epoch >> 8), byte(epoch), 0, 0, 0, 0, 0, 9, byte(len(body) >> 8), byte(len(body))}
	return append(head, body...)
}

// dtlsTurn is a datagram with its direction.
type dtlsTurn struct {
	dir  int
	data []byte
}

func TestDTLS(t *testing.T) {
	first, second := dtlsHelloBody(t, ""), dtlsHelloBody(t, "cookie")
	half := len(first) / 2
	whole := dtlsPiece(tlsClientHello, 0, len(first), 0, first)
	verify := dtlsPiece(tlsHelloVerify, 0, 9, 0, []byte("\xfe\xff\x06cookie"))
	again := dtlsPiece(tlsClientHello, 1, len(second), 0, second)
	answer := []byte("\xfe\xfd" + strings.Repeat("r", 32) + "\x00\xc0\x2b\x00\x00\x04\x00\x17\x00\x00")
	hello := dtlsPiece(tlsServerHello, 1, len(answer), 0, answer)
	der := tlsTestCertificate(t, "").Certificate[0]
	chain := append([]byte{0, byte((len(der) + 3) >> 8), byte(len(der) + 3), 0, byte(len(der) >> 8), byte(len(der))}, der...)
	cert1, cert2 := dtlsPiece(tlsCertificate, 2, len(chain), 0, chain[:100]), dtlsPiece(tlsCertificate, 2, len(chain), 100, chain[100:])
	answer3 := []byte("\xfe\xfd" + strings.Repeat("r", 32) + "\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\xfe\xfc")
	hello3 := dtlsPiece(tlsServerHello, 0, len(answer3), 0, answer3)
	encrypted := dtlsRecordOf(tlsHandshake, 1, []byte("finished, encrypted"))
	for _, c := range []struct {
		name                  string
		turns                 []dtlsTurn
		hellos, answers, cert int
		more                  bool
	}{
		{"hello", []dtlsTurn{{0, whole}}, 1, 0, 0, true},
		{"retry with a cookie", []dtlsTurn{{0, whole}, {1, verify}, {0, again}}, 1, 0, 0, true},
		{"only the retry is seen", []dtlsTurn{{1, verify}, {0, again}}, 1, 0, 0, true},
		{"all", []dtlsTurn{{0, whole}, {1, slices.Concat(hello, cert1, cert2)}}, 1, 1, 1, false},
		{"certificate in two datagrams, backwards", []dtlsTurn{{0, whole}, {1, hello}, {1, cert2}, {1, cert2}, {1, cert1}}, 1, 1, 1, false},
		{"DTLS 1.3", []dtlsTurn{{0, whole}, {1, hello3}}, 1, 1, 0, false},
		{"hello in two fragments", []dtlsTurn{{0, dtlsPiece(1, 0, len(first), 0, first[:half])}, {0, dtlsPiece(1, 0, len(first), half, first[half:])}}, 1, 0, 0, true},
		{"hello backwards in one datagram", []dtlsTurn{{0, append(dtlsPiece(1, 0, len(first), half, first[half:]), dtlsPiece(1, 0, len(first), 0, first[:half])...)}}, 1, 0, 0, true},
		{"half a hello", []dtlsTurn{{0, dtlsPiece(1, 0, len(first), 0, first[:half])}}, 0, 0, 0, true},
		{"halves of two messages", []dtlsTurn{{0, dtlsPiece(1, 0, len(first), 0, first[:half])}, {0, dtlsPiece(1, 1, len(first), half, first[half:])}}, 0, 0, 0, true},
		{"fragment beyond the message", []dtlsTurn{{0, dtlsPiece(1, 0, 10, 8, first[:half])}}, 0, 0, 0, true},
		{"encrypted", []dtlsTurn{{0, encrypted}, {1, encrypted}}, 0, 0, 0, true},
		{"record is cut", []dtlsTurn{{0, whole[:50]}}, 0, 0, 0, true},
	} {
		var conn dtlsConn
		var facts []Fact
		more := true
		for _, x := range c.turns {
			more = conn.datagram(x.dir, bytes.Clone(x.data), func(f Fact) { facts = append(facts, f) })
		}
		hellos, answers, certs := factsOf[TLSClientHello](facts), factsOf[TLSServerHello](facts), factsOf[TLSCertificate](facts)
		if len(hellos) != c.hellos || len(answers) != c.answers || len(certs) != c.cert || more != c.more {
			t.Errorf("%s: more %v, %s", c.name, more, dump(facts))
			continue
		}
		for _, h := range hellos {
			if !h.DTLS || h.SNI != "cam7.example" || h.Version != 0xfefd || h.RecordVersion != 0xfeff {
				t.Errorf("%s: hello %+v", c.name, h)
			}
		}
		for _, x := range certs {
			if !slices.Contains(x.DNSNames, "cam7.lan") {
				t.Errorf("%s: certificate %+v", c.name, x)
			}
		}
	}
}

func TestDTLSLooks(t *testing.T) {
	body := dtlsHelloBody(t, "")
	whole := dtlsPiece(tlsClientHello, 0, len(body), 0, body)
	for _, c := range []struct {
		name string
		data []byte
		want bool
	}{
		{"hello", whole, true},
		{"cut", whole[:40], false},
		{"encrypted data", dtlsRecordOf(tlsApplicationData, 1, []byte("x")), true},
		{"alert", dtlsRecordOf(tlsAlert, 0, []byte{2, 40}), true},
		{"change of cipher", dtlsRecordOf(tlsChangeCipherSpec, 0, []byte{1}), true},
		{"data in clear", dtlsRecordOf(tlsApplicationData, 0, []byte("x")), false},
		{"empty", dtlsRecordOf(tlsHandshake, 0, nil), false},
		{"fragment beyond the message", dtlsPiece(tlsClientHello, 0, 10, 8, body[:20]), false},
		{"unknown type of record", dtlsRecordOf(30, 0, []byte("x")), false},
		{"TLS", append([]byte{22, 3, 1}, whole[3:]...), false},
		{"nothing", nil, false},
	} {
		if got := dtlsLooks(c.data); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzDTLSDatagram(f *testing.F) {
	body := dtlsHelloBody(f, "cookie")
	f.Add(dtlsPiece(tlsClientHello, 0, len(body), 0, body), dtlsPiece(tlsHelloVerify, 0, 9, 0, []byte("\xfe\xff\x06cookie")))
	f.Add(dtlsPiece(tlsCertificate, 0, 10, 0, body[:4]), dtlsPiece(tlsCertificate, 0, 10, 4, body[:6]))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		dtlsLooks(first)
		var c dtlsConn
		for i, data := range [][]byte{first, second, first, second} {
			c.datagram(i/2, data, func(Fact) {})
		}
		for _, s := range c.slots {
			if len(s.pieces.buf) > tlsMaxPieces || len(s.pieces.spans) > tlsMaxSpans {
				t.Fatal("bounds exceeded")
			}
		}
	})
}
