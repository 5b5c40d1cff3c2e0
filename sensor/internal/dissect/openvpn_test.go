// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// testServerHello is a record with a server's hello and nothing else.
var testServerHello = []byte("\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00\x00\x00")

// vpnPacket makes a control packet; auth stands between session id and acknowledgements.
func vpnPacket(op byte, auth, acks []byte, id uint32, payload []byte) []byte {
	b := append([]byte{op << 3}, "SESSION1"...)
	b = append(b, auth...)
	b = append(b, byte(len(acks)/4))
	if b = append(b, acks...); len(acks) > 0 {
		b = append(b, "SESSION2"...)
	}
	return append(binary.BigEndian.AppendUint32(b, id), payload...)
}

// vpnAuth is what tls-auth adds with a MAC of size bytes.
func vpnAuth(size int) []byte {
	if size == 0 {
		return nil
	}
	return append(bytes.Repeat([]byte{0xa5}, size), 0, 0, 0, 1, 0x65, 0, 0, 0)
}

// vpnTurns is a handshake of which the client's hello comes in pieces, in the order given.
func vpnTurns(t testing.TB, auth []byte, order []int) (turns []turn) {
	hello := tlsHelloOf(t, &tls.Config{ServerName: "vpn.example"})
	third := len(hello)/3 + 1
	pieces := slices.Collect(slices.Chunk(hello, third))
	one := []byte{0, 0, 0, 0}
	turns = []turn{{FromClient, string(vpnPacket(openVPNResetClient, auth, nil, 0, nil))}, {FromServer, string(vpnPacket(openVPNResetServer, auth, one, 0, nil))}}
	for _, i := range order {
		turns = append(turns, turn{FromClient, string(vpnPacket(openVPNControl, auth, one, uint32(i+1), pieces[i]))})
	}
	return append(turns, turn{FromServer, string(vpnPacket(openVPNControl, auth, slices.Concat(one, one, one), 1, testServerHello))},
		turn{FromClient, string([]byte{openVPNData2 << 3, 0, 0, 1}) + "data"})
}

func TestOpenVPN(t *testing.T) {
	for size, name := range map[int]string{0: "plain", 16: "MD5", 20: "SHA-1", 28: "SHA-224", 32: "SHA-256", 48: "SHA-384", 64: "SHA-512"} {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {0, 0, 2, 2, 1, 0}} {
			for _, skip := range []int{0, 2} { // with and without the packets that open the session
				turns := vpnTurns(t, vpnAuth(size), order)[skip:]
				var c Conversation
				c.Reset(Ports{Client: 40000, Server: 1194}, nil)
				if skip > 0 {
					c.datagrams, c.named = new(openVPN), true
				}
				var facts []Fact
				more := true
				for _, x := range turns {
					more = c.Datagram(x.dir, []byte(x.data), func(f Fact) { facts = append(facts, f) })
				}
				hellos := factsOf[TLSClientHello](facts)
				if order[0] == 2 && skip > 0 {
					continue // which bytes are a MAC is told by the first packet of the hello
				}
				if more || len(hellos) != 1 || hellos[0].SNI != "vpn.example" || len(factsOf[TLSServerHello](facts)) != 1 {
					t.Errorf("%s, order %v, from turn %d: more %v\n%s", name, order, skip, more, dump(facts))
				}
				if got := appOf(facts); skip == 0 && got != "openvpn" {
					t.Errorf("%s: named %q", name, got)
				}
			}
		}
	}
}

// Over TCP each packet has its length before it, however the stream is cut.
func TestOpenVPNStream(t *testing.T) {
	for _, size := range []int{0, 20} {
		var turns []turn
		for _, x := range vpnTurns(t, vpnAuth(size), []int{0, 1, 2}) {
			turns = append(turns, turn{x.dir, string(binary.BigEndian.AppendUint16(nil, uint16(len(x.data)))) + x.data})
		}
		facts := sameHoweverCut(t, Ports{1, 9000}, turns)
		if hellos := factsOf[TLSClientHello](facts); len(hellos) != 1 || hellos[0].SNI != "vpn.example" || len(factsOf[TLSServerHello](facts)) != 1 || appOf(facts) != "openvpn" {
			t.Error(dump(facts))
		}
	}
}

func TestOpenVPNLooks(t *testing.T) {
	crypt := slices.Concat([]byte{openVPNResetClient << 3}, []byte("SESSION1"), []byte{0, 0, 0, 1, 0x65, 0, 0, 0}, bytes.Repeat([]byte{0xa5}, 37))
	for _, x := range []struct {
		name string
		port uint16
		data []byte
		want bool
	}{
		{"plain", 9000, vpnPacket(openVPNResetClient, nil, nil, 0, nil), true},
		{"tls-auth", 9000, vpnPacket(openVPNResetClient, vpnAuth(32), nil, 0, nil), true},
		{"tls-crypt", 9000, crypt, true},
		{"tls-crypt of 1970", 9000, append(append([]byte(nil), crypt[:13]...), make([]byte, 41)...), false},
		{"other bytes", 9000, append([]byte{openVPNResetClient << 3}, bytes.Repeat([]byte{0xa5}, 53)...), false},
		{"other bytes at the port", 1194, append([]byte{openVPNResetClient << 3}, bytes.Repeat([]byte{0xa5}, 53)...), true},
		{"a key that is not 0", 1194, append([]byte{openVPNResetClient<<3 | 1}, make([]byte, 13)...), false},
		{"short", 1194, []byte{openVPNResetClient << 3, 1}, false},
	} {
		if got := looksOpenVPN(x.data, Ports{Client: 40000, Server: x.port}); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// A session that goes on without a hello is left alone, and what is kept of one is bounded.
func TestOpenVPNGivesUp(t *testing.T) {
	var o openVPN
	for i := range openVPNMaxSeen {
		more := o.packet(FromClient, vpnPacket(openVPNControl, nil, nil, uint32(i+2), bytes.Repeat([]byte{0x16}, 1000)), func(Fact) { t.Error("a fact") })
		if more != (i < openVPNMaxSeen-1) {
			t.Errorf("packet %d: more %v", i, more)
		}
		if n := len(o.dirs[FromClient].held); n > openVPNMaxHeld {
			t.Errorf("%d packets held", n)
		}
	}
}

func rdpSYN(flags uint16) []byte {
	b := make([]byte, 1232)
	copy(b, "\xff\xff\xff\xff\x00\x40")
	binary.BigEndian.PutUint16(b[6:], flags)
	copy(b[8:], "\x11\x22\x33\x44\x04\xd0\x04\xd0")
	return b
}

// TLS in Remote Desktop over UDP, behind the headers of versions 1 and 3, and DTLS.
func TestRDPUDP(t *testing.T) {
	hello := tlsHelloOf(t, &tls.Config{ServerName: "rdp.example"})
	swap := func(b []byte) []byte {
		b[0], b[7] = b[7], b[0]
		return b
	}
	v1 := func(record []byte) []byte {
		return slices.Concat([]byte("\x11\x22\x33\x44\x00\x40\x00\x0c\x00\x01\x16\x00\x00\x00\x00\x01\x00\x00\x00\x01"), record)
	}
	for name, head := range map[string]func([]byte) []byte{
		"version 1": v1,
		"version 3": func(r []byte) []byte { return swap(slices.Concat([]byte("\x00\x0c\x40\x00\x01\x00\x01"), r)) },
		"version 3 with an acknowledgement": func(r []byte) []byte {
			return swap(slices.Concat([]byte("\x00\x0d\x40\x00\x01\x00\x01\x16\x01\x02"), r))
		},
	} {
		var c Conversation
		c.Reset(Ports{Client: 50000, Server: 9000}, nil)
		var facts []Fact
		sink := func(f Fact) { facts = append(facts, f) }
		c.Datagram(FromClient, rdpSYN(0x1001), sink)
		c.Datagram(FromServer, rdpSYN(0x1005), sink)
		c.Datagram(FromClient, head(hello), sink)
		if c.Datagram(FromServer, head(testServerHello), sink) {
			t.Errorf("%s: goes on", name)
		}
		hellos := factsOf[TLSClientHello](facts)
		if appOf(facts) != "rdp" || len(hellos) != 1 || hellos[0].SNI != "rdp.example" || len(factsOf[TLSServerHello](facts)) != 1 {
			t.Errorf("%s: %s", name, dump(facts))
		}
	}
}

func TestRDPUDPLooks(t *testing.T) {
	if !looksRDPUDP(rdpSYN(1), Ports{}) || looksRDPUDP(rdpSYN(4), Ports{}) || looksRDPUDP(rdpSYN(1)[:1000], Ports{}) || looksRDPUDP(bytes.Repeat([]byte{0xff}, 1232), Ports{}) {
		t.Error("the SYN is told wrongly")
	}
}

// FuzzDatagramTunnels hands any datagrams to what reads TLS within others: it neither fails nor keeps them.
func FuzzDatagramTunnels(f *testing.F) {
	for _, x := range vpnTurns(f, vpnAuth(20), []int{1, 0, 2}) {
		f.Add(chunk(x))
	}
	f.Add(append(chunk(turn{0, string(rdpSYN(1))}), chunk(turn{1, "\x11\x22\x33\x44\x00\x40\x00\x0c" + string(testServerHello)})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range []datagramDissector{new(openVPN), new(rdpUDP)} {
			n := 0
			for _, x := range chunks(b) {
				n++
				if !d.datagram(x.dir, []byte(x.data), func(Fact) {}) {
					break
				}
			}
			if n > openVPNMaxSeen {
				t.Errorf("%d datagrams", n)
			}
		}
	})
}
