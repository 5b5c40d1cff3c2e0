// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/tls"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The connection id of RFC 9001 appendix A and RFC 9369 appendix A.
const quicTestID = "8394c8f03e515708"

// quicVectors are the packets of the server that the two appendices print (A.3), and the beginnings and ends of those of the client (A.2).
var quicVectors = []struct {
	name                         string
	version                      uint32
	clientHead, clientPacketHead string
	server                       string
}{
	{"RFC 9001", quicVersion1, "c300000001088394c8f03e5157080000449e00000002", "c000000001088394c8f03e5157080000449e7b9aec34",
		`cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9
		c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee`},
	{"RFC 9369", quicVersion2, "d36b3343cf088394c8f03e5157080000449e00000002", "d76b3343cf088394c8f03e5157080000449ea0c95e82",
		`dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4c
		fa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140`},
}

// quicVectorHello is the CRYPTO frame of the client's packets (appendix A.2 of both).
const quicVectorHello = `060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868 04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578 616d706c652e636f6dff01000100000a
	00080006001d00170018001000070005 04616c706e00050005010000000000330026 0024001d00209370b2c9caa47fbabaf455 9fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010 000e0403050306030203
	080408050806 002d00020101001c00024001003900320408ffffffffffffffff 05048000ffff07048000ffff0801100104 800075300901100f088394c8f03e5157 08 06048000ffff`

// quicInitialKeys makes the keys of direction dir from the connection id of the client's first packet.
func quicInitialKeys(version uint32, dcid []byte, dir int) *quicKeys {
	room := newQUICRoom()
	secrets := room.secrets(version, dcid)
	k := room.keys(&secrets, dir)
	return &k
}

// quicSeal protects the frames of an Initial packet; head ends with the packet number, of number bytes.
func quicSeal(k *quicKeys, head []byte, number int, frames []byte) []byte {
	nonce := k.iv
	for i := range number {
		nonce[len(nonce)-number+i] ^= head[len(head)-number+i]
	}
	out := k.aead.Seal(bytes.Clone(head), nonce[:], frames, head)
	var mask [16]byte
	at := len(head) - number
	k.header.Encrypt(mask[:], out[at+4:at+20])
	out[0] ^= mask[0] & 0x0f
	for i := range number {
		out[at+i] ^= mask[1+i]
	}
	return out
}

func TestQUICVectors(t *testing.T) {
	for _, v := range quicVectors {
		t.Run(v.name, func(t *testing.T) {
			frames := make([]byte, 1162)
			copy(frames, unhex(t, quicVectorHello))
			sealed := quicSeal(quicInitialKeys(v.version, unhex(t, quicTestID), FromClient), unhex(t, v.clientHead), 4, frames)
			if len(sealed) != 1200 || !bytes.HasPrefix(sealed, unhex(t, v.clientPacketHead)) {
				t.Errorf("client's packet %x", sealed[:40])
			}
			var q quicConn
			var facts []Fact
			sink := func(f Fact) { facts = append(facts, f) }
			if !q.datagram(FromClient, sealed, sink) {
				t.Error("ends before the server answers")
			}
			if q.datagram(FromServer, unhex(t, v.server), sink) {
				t.Error("goes on after both hellos")
			}
			want := []Fact{&QUICInitial{Version: v.version, FromClient: true},
				&TLSClientHello{QUIC: true, Version: 0x0303, SupportedVersions: []uint16{0x0304}, Ciphers: []uint16{0x1301, 0x1302},
					Extensions: []uint16{0, 0xff01, 10, 16, 5, 51, 43, 13, 45, 28, 57}, Groups: []uint16{29, 23, 24},
					SigAlgs: []uint16{0x0403, 0x0503, 0x0603, 0x0203, 0x0804, 0x0805, 0x0806}, ALPN: []string{"alpn"}, SNI: "example.com"},
				&TLSServerHello{Version: 0x0304, LegacyVersion: 0x0303, Cipher: 0x1301, Extensions: []uint16{51, 43}}}
			if !reflect.DeepEqual(facts, want) {
				t.Errorf("facts\n%s\nwant\n%s", dump(facts), dump(want))
			}
		})
	}
}

// The keys as printed in appendix A.1 of both RFCs: what they protect with a known key is opened with the derived one.
func TestQUICKeys(t *testing.T) {
	for _, v := range []struct {
		version     uint32
		dir         int
		key, iv, hp string
	}{
		{quicVersion1, FromClient, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"},
		{quicVersion1, FromServer, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"},
		{quicVersion2, FromClient, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"},
		{quicVersion2, FromServer, "82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a"},
	} {
		aead, ok := quicAEAD(unhex(t, v.key))
		header, err := aes.NewCipher(unhex(t, v.hp))
		if !ok || err != nil {
			t.Fatal(err)
		}
		known := &quicKeys{aead: aead, header: header, iv: [12]byte(unhex(t, v.iv))}
		data := quicTestPacket(known, quicPacketShape{version: v.version, dcid: "d", number: 7}, []byte("frames"))
		p, _, ok := quicParse(data)
		if !ok {
			t.Fatal("not parsed")
		}
		if got := quicInitialKeys(v.version, unhex(t, quicTestID), v.dir).open(&p, newQUICRoom()); string(got) != "frames" {
			t.Errorf("version %#x direction %d: %q", v.version, v.dir, got)
		}
	}
}

// quicPacketShape is what a test packet's header says.
type quicPacketShape struct {
	version     uint32
	dcid, token string
	number      byte
}

// quicTestPacket makes an Initial packet with a packet number of one byte.
func quicTestPacket(k *quicKeys, s quicPacketShape, frames []byte) []byte {
	if pad := 20 - len(frames); pad > 0 && frames[0] == quicFrameCrypto {
		frames = append(bytes.Clone(frames), make([]byte, pad)...)
	}
	first := byte(0xc0)
	if s.version == quicVersion2 || s.version == quicVersion2Old {
		first = 0xd0
	}
	head := []byte{first, byte(s.version >> 24), byte(s.version >> 16), byte(s.version >> 8), byte(s.version), byte(len(s.dcid))}
	head = append(head, s.dcid...)
	head = append(head, 4, 's', 'c', 'i', 'd', byte(len(s.token)))
	head = append(head, s.token...)
	n := 1 + len(frames) + 16
	head = append(head, 0x40|byte(n>>8), byte(n), s.number)
	return quicSeal(k, head, 1, frames)
}

// quicCryptoFrame makes a CRYPTO frame.
func quicCryptoFrame(off int, data []byte) []byte {
	return append([]byte{quicFrameCrypto, 0x40 | byte(off>>8), byte(off), 0x40 | byte(len(data)>>8), byte(len(data))}, data...)
}

// quicRealHello gives the hello of a real QUIC client.
func quicRealHello(t testing.TB) []byte {
	t.Helper()
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{ServerName: "cam7.example", NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}})
	c.SetTransportParameters([]byte{1, 1, 0})
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return bytes.Clone(c.NextEvent().Data)
}

// A hello in pieces: over several packets and datagrams, in any order, twice, with other frames between.
func TestQUICPieces(t *testing.T) {
	hello := quicRealHello(t)
	id := "client-id"
	keys := quicInitialKeys(quicVersion1, []byte(id), FromClient)
	third := len(hello) / 3
	a, b, c := quicCryptoFrame(0, hello[:third]), quicCryptoFrame(third, hello[third:2*third]), quicCryptoFrame(2*third, hello[2*third:])
	between := []byte{quicFramePing, quicFramePadding, quicFrameAck, 5, 0, 1, 0, 0, 0, quicFrameAckECN, 5, 0, 0, 0, 1, 1, 1}
	packet := func(number byte, dcid string, frames ...[]byte) []byte {
		return quicTestPacket(keys, quicPacketShape{quicVersion1, dcid, "", number}, slices.Concat(frames...))
	}
	for _, x := range []struct {
		name      string
		datagrams [][]byte
		want      int
	}{
		{"one packet", [][]byte{packet(0, id, a, b, c)}, 1},
		{"out of order in one packet", [][]byte{packet(0, id, c, between, a, b)}, 1},
		{"coalesced", [][]byte{append(packet(0, id, b, a), packet(1, id, c)...)}, 1},
		{"three datagrams, backwards, one twice", [][]byte{packet(2, id, c), packet(1, id, between, b), packet(2, id, c), packet(0, id, a)}, 1},
		{"overlap", [][]byte{packet(0, id, quicCryptoFrame(0, hello[:2*third]), quicCryptoFrame(third/2, hello[third/2:]))}, 1},
		{"connection id of the server later", [][]byte{packet(0, id, a, b), packet(1, "server-id", c)}, 1},
		{"padding after the packet", [][]byte{append(packet(0, id, a, b, c), make([]byte, 300)...)}, 1},
		{"a piece is missing", [][]byte{packet(0, id, a), packet(1, id, c)}, 0},
		{"frame that does not belong", [][]byte{packet(0, id, []byte{0x1e}, a, b, c)}, 0},
		{"of another connection", [][]byte{packet(0, "unknown id", a, b, c)}, 0},
		{"damaged", [][]byte{append(packet(0, id, a, b, c)[:400], make([]byte, 2000)...)}, 0},
	} {
		facts := datagrams(Ports{Client: 40000, Server: 443}, x.datagrams...)
		hellos := factsOf[TLSClientHello](facts)
		if len(hellos) != x.want || x.want == 1 && (hellos[0].SNI != "cam7.example" || !hellos[0].QUIC) {
			t.Errorf("%s: %+v", x.name, hellos)
		}
		if appOf(facts) != "quic" || len(factsOf[QUICInitial](facts)) > 1 {
			t.Errorf("%s: %s", x.name, dump(facts))
		}
	}
}

// Where the first hello was read already, a Retry or version negotiation still changes the keys of the server's hello, and the
// second hello is not given again.
func TestQUICServerAfterBeginningAgain(t *testing.T) {
	hello := quicCryptoFrame(0, quicRealHello(t))
	answer := quicCryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	packet := func(version uint32, keyID, id string, dir int, frames []byte) []byte {
		return quicTestPacket(quicInitialKeys(version, []byte(keyID), dir), quicPacketShape{version, id, "", 1}, frames)
	}
	// A packet whose version forces negotiation has the keys of a version that the client knows.
	forced := quicTestPacket(quicInitialKeys(quicDraft29, []byte("first"), FromClient), quicPacketShape{0x1a2a3a4a, "first", "", 1}, hello)
	for _, x := range []struct {
		name  string
		turns []dtlsTurn
	}{
		{"retry", []dtlsTurn{{0, packet(quicVersion1, "first", "first", FromClient, hello)}, {1, quicTestRetry}, {0, packet(quicVersion1, "other", "other", FromClient, hello)},
			{1, packet(quicVersion1, "other", "c", FromServer, answer)}}},
		{"version negotiation", []dtlsTurn{{0, forced}, {1, quicTestNegotiation}, {0, packet(quicVersion2, "first", "first", FromClient, hello)},
			{1, packet(quicVersion2, "first", "c", FromServer, answer)}}},
	} {
		var q quicConn
		var facts []Fact
		more := true
		for _, turn := range x.turns {
			more = q.datagram(turn.dir, turn.data, func(f Fact) { facts = append(facts, f) })
		}
		if more || len(factsOf[TLSClientHello](facts)) != 1 || len(factsOf[TLSServerHello](facts)) != 1 || len(factsOf[QUICInitial](facts)) != 1 {
			t.Errorf("%s: more %v\n%s", x.name, more, dump(facts))
		}
	}
}

// What a server sends to make a client begin again.
var (
	quicTestRetry       = append([]byte{0xf0, 0, 0, 0, 1, 4, 's', 'c', 'i', 'd', 5}, "otherand a token and an integrity tag"...)
	quicTestNegotiation = append([]byte{0x80, 0, 0, 0, 0, 4, 's', 'c', 'i', 'd', 5}, "first\x6b\x33\x43\xcf"...)
)

// A Retry makes the client begin again with a connection id that the server chose; version negotiation, with another version.
func TestQUICBeginsAgain(t *testing.T) {
	hello := quicCryptoFrame(0, quicRealHello(t))
	initial := func(version uint32, id string, number byte, frames []byte) []byte {
		return quicTestPacket(quicInitialKeys(version, []byte(id), FromClient), quicPacketShape{version, id, "token", number}, frames)
	}
	for _, x := range []struct {
		name           string
		server, second []byte
	}{
		{"retry", quicTestRetry, initial(quicVersion1, "other", 1, hello)},
		{"version negotiation", quicTestNegotiation, initial(quicVersion2, "first", 0, hello)},
	} {
		var q quicConn
		var facts []Fact
		sink := func(f Fact) { facts = append(facts, f) }
		q.datagram(FromClient, initial(quicVersion1, "first", 0, quicCryptoFrame(0, []byte("\x01\x00\x01\x00another hello"))), sink)
		q.datagram(FromServer, x.server, sink)
		q.datagram(FromClient, x.second, sink)
		if got := factsOf[TLSClientHello](facts); len(got) != 1 || got[0].SNI != "cam7.example" {
			t.Errorf("%s: %s", x.name, dump(facts))
		}
	}
}

func TestQUICLooks(t *testing.T) {
	packet := quicTestPacket(quicInitialKeys(quicVersion1, []byte("id"), FromClient), quicPacketShape{quicVersion1, "id", "", 0}, make([]byte, 200))
	for _, x := range []struct {
		name string
		data []byte
		want bool
	}{
		{"initial", packet, true},
		{"cut", packet[:100], false},
		{"no connection ids", append([]byte{0xc0, 0, 0, 0, 1, 0, 0, 0, 0x14}, make([]byte, 20)...), false},
		{"unknown version", append([]byte{0xc0, 9, 9, 9, 9, 1, 1, 0, 0, 0x14}, make([]byte, 20)...), false},
		{"version that forces negotiation", append([]byte{0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 1, 1, 0, 0, 0x14}, make([]byte, 20)...), true},
		{"version negotiation", []byte("\x80\x00\x00\x00\x00\x00\x01x\x00\x00\x00\x01"), true},
		{"version negotiation with an odd list", []byte("\x80\x00\x00\x00\x00\x00\x01x\x00\x00\x00\x01\x00"), false},
		{"connection id too long", append([]byte{0xc0, 0, 0, 0, 1, 21}, make([]byte, 100)...), false},
		{"short header", append([]byte{0x40}, make([]byte, 100)...), false},
		{"Google Q043", []byte("\x0dIDIDIDIDQ043\x01" + strings.Repeat("h", 12)), true},
		{"Google Q046", []byte("\xc3Q046\x50IDIDIDID\x00\x00\x00\x01" + strings.Repeat("h", 12)), true},
		{"public header without version", []byte("\x0cIDIDIDIDQ043\x01" + strings.Repeat("h", 12)), false},
		{"nothing", nil, false},
	} {
		if got := quicLooks(x.data); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// gquicHelloOf makes a client hello of Google QUIC.
func gquicHelloOf(name string) string {
	n := byte(len(name))
	return "CHLO\x03\x00\x00\x00" + "PAD\x00\x04\x00\x00\x00" + "SNI\x00" + string([]byte{4 + n, 0, 0, 0}) + "VER\x00" + string([]byte{8 + n, 0, 0, 0}) + "----" + name + "Q043"
}

func TestGoogleQUIC(t *testing.T) {
	head := "\x0dIDIDIDIDQ043\x01" + strings.Repeat("h", 12) + "\xa0\x01\x04\x00"
	for _, x := range []struct{ name, hello, want string }{
		{"hello", gquicHelloOf("cam7.example"), "cam7.example"},
		{"no hello", "REJ\x00", ""},
		{"table is cut", gquicHelloOf("x")[:20], ""},
		{"value is cut", gquicHelloOf("cam7.example")[:40], ""},
		{"too many tags", "CHLO\xff\xff\x00\x00" + strings.Repeat("x", 100), ""},
		{"ends run backwards", strings.Replace(gquicHelloOf("x"), "PAD\x00\x04", "PAD\x00\x09", 1), ""},
	} {
		facts := datagrams(Ports{Client: 40000, Server: 443}, []byte(head+x.hello))
		got := ""
		if h := factsOf[TLSClientHello](facts); len(h) == 1 {
			got = h[0].SNI
		}
		if got != x.want || appOf(facts) != "quic" {
			t.Errorf("%s: %s", x.name, dump(facts))
		}
	}
}

// A connection that cannot be read is given up.
func TestQUICGivesUp(t *testing.T) {
	var q quicConn
	n := 0
	for q.datagram(n%2, quicTestPacket(quicInitialKeys(quicVersion2, []byte("x"), FromServer), quicPacketShape{quicVersion1, string(rune('a' + n)), "", 0}, make([]byte, 100)), func(f Fact) { t.Error(dump([]Fact{f})) }) {
		if n++; n > quicMaxDatagrams {
			t.Fatal("does not give up")
		}
	}
	if q.tries > quicMaxKeys {
		t.Errorf("%d keys were tried", q.tries)
	}
	var p tlsPieces
	for i := range 1000 {
		p.add(2*i, []byte{1})
		p.add(1<<40, []byte{1})
	}
	if len(p.spans) > tlsMaxSpans || len(p.buf) > tlsMaxPieces {
		t.Errorf("%d spans, %d bytes", len(p.spans), len(p.buf))
	}
}

func FuzzQUICDatagram(f *testing.F) {
	for _, v := range quicVectors {
		f.Add(unhex(f, v.server))
	}
	f.Add([]byte("\x0dIDIDIDIDQ043\x01hhhhhhhhhhhh\xa0\x01\x04\x00" + gquicHelloOf("x")))
	f.Add(quicTestPacket(quicInitialKeys(quicVersion1, []byte("id"), FromClient), quicPacketShape{quicVersion1, "id", "", 0}, quicCryptoFrame(0, []byte("\x01\x00\x00\x01x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		quicLooks(data)
		var q quicConn
		for dir := range 2 {
			q.datagram(dir, data, func(Fact) {})
		}
	})
}

// The frames behind the protection, which the fuzzer cannot get through.
func FuzzQUICFrames(f *testing.F) {
	f.Add(unhex(f, quicVectorHello), unhex(f, quicVectorHello)[4:])
	f.Add([]byte{quicFrameAckECN, 5, 0, 1, 0, 0, 0, 1, 1, 1, quicFrameCrypto, 0, 1, 'x'}, []byte("\x02\x00\x00\x01x"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var q quicConn
		for _, frames := range [][]byte{first, second, quicCryptoFrame(0, second[:min(len(second), 1000)])} {
			q.hello(0, quicCrypto(frames, quicVersion1, &q.crypto[0]), func(Fact) {})
		}
		if len(q.crypto[0].buf) > tlsMaxPieces || len(q.crypto[0].spans) > tlsMaxSpans {
			t.Fatal("bounds exceeded")
		}
	})
}

// BenchmarkQUICInitial measures a connection: the hello of the client, and the answer.
func BenchmarkQUICInitial(b *testing.B) {
	const id = "connection"
	frames := append(quicCryptoFrame(0, quicRealHello(b)), make([]byte, 100)...)
	client := quicTestPacket(quicInitialKeys(quicVersion1, []byte(id), FromClient), quicPacketShape{quicVersion1, id, "", 0}, frames)
	answer := quicCryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	server := quicTestPacket(quicInitialKeys(quicVersion1, []byte(id), FromServer), quicPacketShape{quicVersion1, "c", "", 0}, answer)
	b.ReportAllocs()
	for b.Loop() {
		var q quicConn
		q.datagram(FromClient, client, func(Fact) {})
		if q.datagram(FromServer, server, func(Fact) {}) {
			b.Fatal("no answer was read")
		}
	}
}
