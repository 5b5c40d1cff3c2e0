// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/tls"
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
const testID = "8394c8f03e515708"

// vectors are the packets of the server that the two appendices print (A.3), and the beginnings and ends of those of the client (A.2).
var vectors = []struct {
	name                         string
	version                      uint32
	clientHead, clientPacketHead string
	server                       string
}{
	{"RFC 9001", version1, "c300000001088394c8f03e5157080000449e00000002", "c000000001088394c8f03e5157080000449e7b9aec34",
		`cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9
		c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee`},
	{"RFC 9369", version2, "d36b3343cf088394c8f03e5157080000449e00000002", "d76b3343cf088394c8f03e5157080000449ea0c95e82",
		`dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4c
		fa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140`},
}

// vectorHello is the CRYPTO frame of the client's packets (appendix A.2 of both).
const vectorHello = `060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868 04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578 616d706c652e636f6dff01000100000a
	00080006001d00170018001000070005 04616c706e00050005010000000000330026 0024001d00209370b2c9caa47fbabaf455 9fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010 000e0403050306030203
	080408050806 002d00020101001c00024001003900320408ffffffffffffffff 05048000ffff07048000ffff0801100104 800075300901100f088394c8f03e5157 08 06048000ffff`

// initialKeys makes the keys of direction dir from the connection id of the client's first packet.
func initialKeys(version uint32, dcid []byte, dir int) *keySet {
	room := newQUICRoom()
	secrets := room.secrets(version, dcid)
	k := room.keys(&secrets, dir)
	return &k
}

// seal protects the frames of an Initial packet; head ends with the packet number, of number bytes.
func seal(k *keySet, head []byte, number int, frames []byte) []byte {
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
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			frames := make([]byte, 1162)
			copy(frames, unhex(t, vectorHello))
			sealed := seal(initialKeys(v.version, unhex(t, testID), dissect.FromClient), unhex(t, v.clientHead), 4, frames)
			if len(sealed) != 1200 || !bytes.HasPrefix(sealed, unhex(t, v.clientPacketHead)) {
				t.Errorf("client's packet %x", sealed[:40])
			}
			var q Conn
			var facts []dissect.Fact
			sink := func(f dissect.Fact) { facts = append(facts, f) }
			if !q.Datagram(dissect.FromClient, sealed, sink) {
				t.Error("ends before the server answers")
			}
			if q.Datagram(dissect.FromServer, unhex(t, v.server), sink) {
				t.Error("goes on after both hellos")
			}
			want := []dissect.Fact{&dissect.QUICInitial{Version: v.version, FromClient: true},
				&dissect.TLSClientHello{QUIC: true, Version: 0x0303, SupportedVersions: []uint16{0x0304}, Ciphers: []uint16{0x1301, 0x1302},
					Extensions: []uint16{0, 0xff01, 10, 16, 5, 51, 43, 13, 45, 28, 57}, Groups: []uint16{29, 23, 24},
					SigAlgs: []uint16{0x0403, 0x0503, 0x0603, 0x0203, 0x0804, 0x0805, 0x0806}, ALPN: []string{"alpn"}, SNI: "example.com"},
				&dissect.TLSServerHello{Version: 0x0304, LegacyVersion: 0x0303, Cipher: 0x1301, Extensions: []uint16{51, 43}}}
			if !reflect.DeepEqual(facts, want) {
				t.Errorf("facts\n%s\nwant\n%s", dissecttest.Dump(facts), dissecttest.Dump(want))
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
		{version1, dissect.FromClient, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"},
		{version1, dissect.FromServer, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"},
		{version2, dissect.FromClient, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"},
		{version2, dissect.FromServer, "82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a"},
	} {
		aead, ok := aead(unhex(t, v.key))
		header, err := aes.NewCipher(unhex(t, v.hp))
		if !ok || err != nil {
			t.Fatal(err)
		}
		known := &keySet{aead: aead, header: header, iv: [12]byte(unhex(t, v.iv))}
		data := testPacket(known, packetShape{version: v.version, dcid: "d", number: 7}, []byte("frames"))
		p, _, ok := parsePacket(data)
		if !ok {
			t.Fatal("not parsed")
		}
		if got := initialKeys(v.version, unhex(t, testID), v.dir).open(&p, newQUICRoom()); string(got) != "frames" {
			t.Errorf("version %#x direction %d: %q", v.version, v.dir, got)
		}
	}
}

// packetShape is the header of a test packet.
type packetShape struct {
	version     uint32
	dcid, token string
	number      byte
}

// testPacket makes an Initial packet with a packet number of one byte.
func testPacket(k *keySet, s packetShape, frames []byte) []byte {
	if pad := 20 - len(frames); pad > 0 && frames[0] == frameCrypto {
		frames = append(bytes.Clone(frames), make([]byte, pad)...)
	}
	first := byte(0xc0)
	if s.version == version2 || s.version == version2Old {
		first = 0xd0
	}
	head := []byte{first, byte(s.version >> 24), byte(s.version >> 16), byte(s.version >> 8), byte(s.version), byte(len(s.dcid))}
	head = append(head, s.dcid...)
	head = append(head, 4, 's', 'c', 'i', 'd', byte(len(s.token)))
	head = append(head, s.token...)
	n := 1 + len(frames) + 16
	head = append(head, 0x40|byte(n>>8), byte(n), s.number)
	return seal(k, head, 1, frames)
}

// cryptoFrame makes a CRYPTO frame.
func cryptoFrame(off int, data []byte) []byte {
	return append([]byte{frameCrypto, 0x40 | byte(off>>8), byte(off), 0x40 | byte(len(data)>>8), byte(len(data))}, data...)
}

// TestQUICPieces checks hellos in pieces: over several packets and datagrams, in any order, twice, with other frames between.
func TestQUICPieces(t *testing.T) {
	hello := dissecttest.QUICHello(t)
	id := "client-id"
	keys := initialKeys(version1, []byte(id), dissect.FromClient)
	third := len(hello) / 3
	a, b, c := cryptoFrame(0, hello[:third]), cryptoFrame(third, hello[third:2*third]), cryptoFrame(2*third, hello[2*third:])
	between := []byte{framePing, framePadding, frameAck, 5, 0, 1, 0, 0, 0, frameAckECN, 5, 0, 0, 0, 1, 1, 1}
	packet := func(number byte, dcid string, frames ...[]byte) []byte {
		return testPacket(keys, packetShape{version1, dcid, "", number}, slices.Concat(frames...))
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
		{"overlap", [][]byte{packet(0, id, cryptoFrame(0, hello[:2*third]), cryptoFrame(third/2, hello[third/2:]))}, 1},
		{"connection id of the server later", [][]byte{packet(0, id, a, b), packet(1, "server-id", c)}, 1},
		{"padding after the packet", [][]byte{append(packet(0, id, a, b, c), make([]byte, 300)...)}, 1},
		{"a piece is missing", [][]byte{packet(0, id, a), packet(1, id, c)}, 0},
		{"frame that does not belong", [][]byte{packet(0, id, []byte{0x1e}, a, b, c)}, 0},
		{"of another connection", [][]byte{packet(0, "unknown id", a, b, c)}, 0},
		{"damaged", [][]byte{append(packet(0, id, a, b, c)[:400], make([]byte, 2000)...)}, 0},
	} {
		if !Looks(x.datagrams[0], dissect.Ports{}) {
			t.Errorf("%s: not recognized", x.name)
		}
		var q Conn
		var facts []dissect.Fact
		for _, d := range x.datagrams {
			own := bytes.Clone(d)
			if !q.Datagram(dissect.FromClient, own, func(f dissect.Fact) { facts = append(facts, f) }) {
				break
			}
			clear(own)
		}
		hellos := dissecttest.FactsOf[dissect.TLSClientHello](facts)
		if len(hellos) != x.want || x.want == 1 && (hellos[0].SNI != "cam7.example" || !hellos[0].QUIC) {
			t.Errorf("%s: %+v", x.name, hellos)
		}
		if len(dissecttest.FactsOf[dissect.QUICInitial](facts)) > 1 {
			t.Errorf("%s: %s", x.name, dissecttest.Dump(facts))
		}
	}
}

// TestQUICServerHelloAfterRetry: even if the first hello was read already, a Retry or version negotiation still changes the keys of the server's hello, and the
// second hello is not reported again.
func TestQUICServerHelloAfterRetry(t *testing.T) {
	hello := cryptoFrame(0, dissecttest.QUICHello(t))
	answer := cryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	packet := func(version uint32, keyID, id string, dir int, frames []byte) []byte {
		return testPacket(initialKeys(version, []byte(keyID), dir), packetShape{version, id, "", 1}, frames)
	}
	// A packet whose version forces negotiation has the keys of a version that the client knows.
	forced := testPacket(initialKeys(draft29, []byte("first"), dissect.FromClient), packetShape{0x1a2a3a4a, "first", "", 1}, hello)
	for _, x := range []struct {
		name  string
		turns []dissecttest.Datagram
	}{
		{"retry", []dissecttest.Datagram{{Dir: 0, Data: packet(version1, "first", "first", dissect.FromClient, hello)}, {Dir: 1, Data: testRetry}, {Dir: 0, Data: packet(version1, "other", "other", dissect.FromClient, hello)},
			{Dir: 1, Data: packet(version1, "other", "c", dissect.FromServer, answer)}}},
		{"version negotiation", []dissecttest.Datagram{{Dir: 0, Data: forced}, {Dir: 1, Data: testNegotiation}, {Dir: 0, Data: packet(version2, "first", "first", dissect.FromClient, hello)},
			{Dir: 1, Data: packet(version2, "first", "c", dissect.FromServer, answer)}}},
	} {
		var q Conn
		var facts []dissect.Fact
		more := true
		for _, turn := range x.turns {
			more = q.Datagram(turn.Dir, turn.Data, func(f dissect.Fact) { facts = append(facts, f) })
		}
		if more || len(dissecttest.FactsOf[dissect.TLSClientHello](facts)) != 1 || len(dissecttest.FactsOf[dissect.TLSServerHello](facts)) != 1 || len(dissecttest.FactsOf[dissect.QUICInitial](facts)) != 1 {
			t.Errorf("%s: more %v\n%s", x.name, more, dissecttest.Dump(facts))
		}
	}
}

// What a server sends to make a client start over.
var (
	testRetry       = append([]byte{0xf0, 0, 0, 0, 1, 4, 's', 'c', 'i', 'd', 5}, "otherand a token and an integrity tag"...)
	testNegotiation = append([]byte{0x80, 0, 0, 0, 0, 4, 's', 'c', 'i', 'd', 5}, "first\x6b\x33\x43\xcf"...)
)

// A Retry makes the client start over with a connection id that the server chose; version negotiation, with another version.
func TestQUICRetryAndVersionNegotiation(t *testing.T) {
	hello := cryptoFrame(0, dissecttest.QUICHello(t))
	initial := func(version uint32, id string, number byte, frames []byte) []byte {
		return testPacket(initialKeys(version, []byte(id), dissect.FromClient), packetShape{version, id, "token", number}, frames)
	}
	for _, x := range []struct {
		name           string
		server, second []byte
	}{
		{"retry", testRetry, initial(version1, "other", 1, hello)},
		{"version negotiation", testNegotiation, initial(version2, "first", 0, hello)},
	} {
		var q Conn
		var facts []dissect.Fact
		sink := func(f dissect.Fact) { facts = append(facts, f) }
		q.Datagram(dissect.FromClient, initial(version1, "first", 0, cryptoFrame(0, []byte("\x01\x00\x01\x00another hello"))), sink)
		q.Datagram(dissect.FromServer, x.server, sink)
		q.Datagram(dissect.FromClient, x.second, sink)
		if got := dissecttest.FactsOf[dissect.TLSClientHello](facts); len(got) != 1 || got[0].SNI != "cam7.example" {
			t.Errorf("%s: %s", x.name, dissecttest.Dump(facts))
		}
	}
}

func TestQUICRecognition(t *testing.T) {
	packet := testPacket(initialKeys(version1, []byte("id"), dissect.FromClient), packetShape{version1, "id", "", 0}, make([]byte, 200))
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
		if got := Looks(x.data, dissect.Ports{}); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// GoogleHello makes a client hello of Google QUIC.
func GoogleHello(name string) string {
	n := byte(len(name))
	return "CHLO\x03\x00\x00\x00" + "PAD\x00\x04\x00\x00\x00" + "SNI\x00" + string([]byte{4 + n, 0, 0, 0}) + "VER\x00" + string([]byte{8 + n, 0, 0, 0}) + "----" + name + "Q043"
}

// TestQUICStopsWithoutHello checks that a connection that cannot be read is left after a while, with bounded memory.
func TestQUICStopsWithoutHello(t *testing.T) {
	var q Conn
	n := 0
	for q.Datagram(n%2, testPacket(initialKeys(version2, []byte("x"), dissect.FromServer), packetShape{version1, string(rune('a' + n)), "", 0}, make([]byte, 100)), func(f dissect.Fact) { t.Error(dissecttest.Dump([]dissect.Fact{f})) }) {
		if n++; n > maxDatagrams {
			t.Fatal("does not give up")
		}
	}
	if q.tries > maxKeys {
		t.Errorf("%d keys were tried", q.tries)
	}
	var p tls.Pieces
	for i := range 1000 {
		p.Add(2*i, []byte{1})
		p.Add(1<<40, []byte{1})
	}
	if len(p.Spans) > tls.MaxSpans || len(p.Buf) > tls.MaxPieces {
		t.Errorf("%d spans, %d bytes", len(p.Spans), len(p.Buf))
	}
}

func FuzzQUICDatagram(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.server))
	}
	f.Add([]byte("\x0dIDIDIDIDQ043\x01hhhhhhhhhhhh\xa0\x01\x04\x00" + GoogleHello("x")))
	f.Add(testPacket(initialKeys(version1, []byte("id"), dissect.FromClient), packetShape{version1, "id", "", 0}, cryptoFrame(0, []byte("\x01\x00\x00\x01x"))))
	mutate.Fuzz(f, func(t *testing.T, data []byte) {
		Looks(data, dissect.Ports{})
		var q Conn
		for dir := range 2 {
			q.Datagram(dir, data, func(dissect.Fact) {})
		}
	})
}

// The frames behind the protection, which the fuzzer cannot get through.
func FuzzQUICFrames(f *testing.F) {
	f.Add(unhex(f, vectorHello), unhex(f, vectorHello)[4:])
	f.Add([]byte{frameAckECN, 5, 0, 1, 0, 0, 0, 1, 1, 1, frameCrypto, 0, 1, 'x'}, []byte("\x02\x00\x00\x01x"))
	mutate.Fuzz(f, func(t *testing.T, first, second []byte) {
		var q Conn
		for _, frames := range [][]byte{first, second, cryptoFrame(0, second[:min(len(second), 1000)])} {
			q.hello(0, readCrypto(frames, version1, &q.crypto[0]), func(dissect.Fact) {})
		}
		if len(q.crypto[0].Buf) > tls.MaxPieces || len(q.crypto[0].Spans) > tls.MaxSpans {
			t.Fatal("bounds exceeded")
		}
	})
}

// BenchmarkQUICInitial measures a connection: the hello of the client, and the answer.
func BenchmarkQUICInitial(b *testing.B) {
	const id = "connection"
	frames := append(cryptoFrame(0, dissecttest.QUICHello(b)), make([]byte, 100)...)
	client := testPacket(initialKeys(version1, []byte(id), dissect.FromClient), packetShape{version1, id, "", 0}, frames)
	answer := cryptoFrame(0, []byte("\x02\x00\x00\x28\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x00"))
	server := testPacket(initialKeys(version1, []byte(id), dissect.FromServer), packetShape{version1, "c", "", 0}, answer)
	b.ReportAllocs()
	for b.Loop() {
		var q Conn
		q.Datagram(dissect.FromClient, client, func(dissect.Fact) {})
		if q.Datagram(dissect.FromServer, server, func(dissect.Fact) {}) {
			b.Fatal("no answer was read")
		}
	}
}
