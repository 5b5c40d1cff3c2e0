// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// dtlsHelloBody makes a DTLS hello out of a real TLS hello, by adding a cookie and the versions of DTLS.
func dtlsHelloBody(t testing.TB, cookie string) []byte {
	t.Helper()
	hello := dissecttest.TLSHello(t, &tls.Config{ServerName: "cam7.example", MaxVersion: tls.VersionTLS12})[RecordHeaderLen+HandshakeHeaderLen:]
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
	return dtlsRecordOf(RecordHandshake, 0, append(h, part...))
}

func dtlsRecordOf(typ byte, epoch int, body []byte) []byte {
	head := []byte{typ, 0xfe, 0xff, byte(epoch >> 8), byte(epoch), 0, 0, 0, 0, 0, 9, byte(len(body) >> 8), byte(len(body))}
	return append(head, body...)
}

func TestDTLS(t *testing.T) {
	first, second := dtlsHelloBody(t, ""), dtlsHelloBody(t, "cookie")
	half := len(first) / 2
	whole := dtlsPiece(MessageClientHello, 0, len(first), 0, first)
	verify := dtlsPiece(messageHelloVerify, 0, 9, 0, []byte("\xfe\xff\x06cookie"))
	again := dtlsPiece(MessageClientHello, 1, len(second), 0, second)
	answer := []byte("\xfe\xfd" + strings.Repeat("r", 32) + "\x00\xc0\x2b\x00\x00\x04\x00\x17\x00\x00")
	hello := dtlsPiece(MessageServerHello, 1, len(answer), 0, answer)
	der := dissecttest.Certificate(t, "").Certificate[0]
	chain := append([]byte{0, byte((len(der) + 3) >> 8), byte(len(der) + 3), 0, byte(len(der) >> 8), byte(len(der))}, der...)
	cert1, cert2 := dtlsPiece(messageCertificate, 2, len(chain), 0, chain[:100]), dtlsPiece(messageCertificate, 2, len(chain), 100, chain[100:])
	answer3 := []byte("\xfe\xfd" + strings.Repeat("r", 32) + "\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\xfe\xfc")
	hello3 := dtlsPiece(MessageServerHello, 0, len(answer3), 0, answer3)
	encrypted := dtlsRecordOf(RecordHandshake, 1, []byte("finished, encrypted"))
	for _, c := range []struct {
		name                  string
		turns                 []dissecttest.Datagram
		hellos, answers, cert int
		more                  bool
	}{
		{"hello", []dissecttest.Datagram{{Dir: 0, Data: whole}}, 1, 0, 0, true},
		{"retry with a cookie", []dissecttest.Datagram{{Dir: 0, Data: whole}, {Dir: 1, Data: verify}, {Dir: 0, Data: again}}, 1, 0, 0, true},
		{"only the retry is seen", []dissecttest.Datagram{{Dir: 1, Data: verify}, {Dir: 0, Data: again}}, 1, 0, 0, true},
		{"all", []dissecttest.Datagram{{Dir: 0, Data: whole}, {Dir: 1, Data: slices.Concat(hello, cert1, cert2)}}, 1, 1, 1, false},
		{"certificate in two datagrams, backwards", []dissecttest.Datagram{{Dir: 0, Data: whole}, {Dir: 1, Data: hello}, {Dir: 1, Data: cert2}, {Dir: 1, Data: cert2}, {Dir: 1, Data: cert1}}, 1, 1, 1, false},
		{"DTLS 1.3", []dissecttest.Datagram{{Dir: 0, Data: whole}, {Dir: 1, Data: hello3}}, 1, 1, 0, false},
		{"hello in two fragments", []dissecttest.Datagram{{Dir: 0, Data: dtlsPiece(1, 0, len(first), 0, first[:half])}, {Dir: 0, Data: dtlsPiece(1, 0, len(first), half, first[half:])}}, 1, 0, 0, true},
		{"hello backwards in one datagram", []dissecttest.Datagram{{Dir: 0, Data: append(dtlsPiece(1, 0, len(first), half, first[half:]), dtlsPiece(1, 0, len(first), 0, first[:half])...)}}, 1, 0, 0, true},
		{"half a hello", []dissecttest.Datagram{{Dir: 0, Data: dtlsPiece(1, 0, len(first), 0, first[:half])}}, 0, 0, 0, true},
		{"halves of two messages", []dissecttest.Datagram{{Dir: 0, Data: dtlsPiece(1, 0, len(first), 0, first[:half])}, {Dir: 0, Data: dtlsPiece(1, 1, len(first), half, first[half:])}}, 0, 0, 0, true},
		{"fragment beyond the message", []dissecttest.Datagram{{Dir: 0, Data: dtlsPiece(1, 0, 10, 8, first[:half])}}, 0, 0, 0, true},
		{"encrypted", []dissecttest.Datagram{{Dir: 0, Data: encrypted}, {Dir: 1, Data: encrypted}}, 0, 0, 0, true},
		{"record is cut", []dissecttest.Datagram{{Dir: 0, Data: whole[:50]}}, 0, 0, 0, true},
	} {
		var conn DTLS
		var facts []dissect.Fact
		more := true
		for _, x := range c.turns {
			more = conn.Datagram(x.Dir, bytes.Clone(x.Data), func(f dissect.Fact) { facts = append(facts, f) })
		}
		hellos, answers, certs := dissecttest.FactsOf[dissect.TLSClientHello](facts), dissecttest.FactsOf[dissect.TLSServerHello](facts), dissecttest.FactsOf[dissect.TLSCertificate](facts)
		if len(hellos) != c.hellos || len(answers) != c.answers || len(certs) != c.cert || more != c.more {
			t.Errorf("%s: more %v, %s", c.name, more, dissecttest.Dump(facts))
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

func TestDTLSRecognition(t *testing.T) {
	body := dtlsHelloBody(t, "")
	whole := dtlsPiece(MessageClientHello, 0, len(body), 0, body)
	for _, c := range []struct {
		name string
		data []byte
		want bool
	}{
		{"hello", whole, true},
		{"cut", whole[:40], false},
		{"encrypted data", dtlsRecordOf(recordApplicationData, 1, []byte("x")), true},
		{"alert", dtlsRecordOf(recordAlert, 0, []byte{2, 40}), true},
		{"change of cipher", dtlsRecordOf(recordChangeCipherSpec, 0, []byte{1}), true},
		{"data in clear text", dtlsRecordOf(recordApplicationData, 0, []byte("x")), false},
		{"empty", dtlsRecordOf(RecordHandshake, 0, nil), false},
		{"fragment beyond the message", dtlsPiece(MessageClientHello, 0, 10, 8, body[:20]), false},
		{"unknown type of record", dtlsRecordOf(30, 0, []byte("x")), false},
		{"TLS", append([]byte{22, 3, 1}, whole[3:]...), false},
		{"nothing", nil, false},
	} {
		if got := LooksDTLS(c.data, dissect.Ports{}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzDTLSDatagram(f *testing.F) {
	body := dtlsHelloBody(f, "cookie")
	f.Add(dtlsPiece(MessageClientHello, 0, len(body), 0, body), dtlsPiece(messageHelloVerify, 0, 9, 0, []byte("\xfe\xff\x06cookie")))
	f.Add(dtlsPiece(messageCertificate, 0, 10, 0, body[:4]), dtlsPiece(messageCertificate, 0, 10, 4, body[:6]))
	mutate.Fuzz(f, func(t *testing.T, first, second []byte) {
		LooksDTLS(first, dissect.Ports{})
		var c DTLS
		for i, data := range [][]byte{first, second, first, second} {
			c.Datagram(i/2, data, func(dissect.Fact) {})
		}
		for _, s := range c.slots {
			if len(s.pieces.Buf) > MaxPieces || len(s.pieces.Spans) > MaxSpans {
				t.Fatal("bounds exceeded")
			}
		}
	})
}
