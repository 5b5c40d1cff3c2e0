// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// vpnPacket makes a control packet; auth comes between session id and acknowledgements.
func vpnPacket(op byte, auth, acks []byte, id uint32, payload []byte) []byte {
	b := append([]byte{op << 3}, "SESSION1"...)
	b = append(b, auth...)
	b = append(b, byte(len(acks)/4))
	if b = append(b, acks...); len(acks) > 0 {
		b = append(b, "SESSION2"...)
	}
	return append(binary.BigEndian.AppendUint32(b, id), payload...)
}

// VPNAuth is what tls-auth adds with a MAC of size bytes.
func VPNAuth(size int) []byte {
	if size == 0 {
		return nil
	}
	return append(bytes.Repeat([]byte{0xa5}, size), 0, 0, 0, 1, 0x65, 0, 0, 0)
}

// VPNTurns returns a handshake with the client's hello in pieces, in the given order.
func VPNTurns(t testing.TB, auth []byte, order []int) (turns []turn) {
	hello := dissecttest.TLSHello(t, &tls.Config{ServerName: "vpn.example"})
	third := len(hello)/3 + 1
	pieces := slices.Collect(slices.Chunk(hello, third))
	one := []byte{0, 0, 0, 0}
	turns = []turn{{Dir: dissect.FromClient, Data: string(vpnPacket(openVPNResetClient, auth, nil, 0, nil))}, {Dir: dissect.FromServer, Data: string(vpnPacket(openVPNResetServer, auth, one, 0, nil))}}
	for _, i := range order {
		turns = append(turns, turn{Dir: dissect.FromClient, Data: string(vpnPacket(openVPNControl, auth, one, uint32(i+1), pieces[i]))})
	}
	return append(turns, turn{Dir: dissect.FromServer, Data: string(vpnPacket(openVPNControl, auth, slices.Concat(one, one, one), 1, dissecttest.ServerHello))},
		turn{Dir: dissect.FromClient, Data: string([]byte{openVPNData2 << 3, 0, 0, 1}) + "data"})
}

func TestOpenVPNRecognition(t *testing.T) {
	crypt := slices.Concat([]byte{openVPNResetClient << 3}, []byte("SESSION1"), []byte{0, 0, 0, 1, 0x65, 0, 0, 0}, bytes.Repeat([]byte{0xa5}, 37))
	for _, x := range []struct {
		name string
		port uint16
		data []byte
		want bool
	}{
		{"plain", 9000, vpnPacket(openVPNResetClient, nil, nil, 0, nil), true},
		{"tls-auth", 9000, vpnPacket(openVPNResetClient, VPNAuth(32), nil, 0, nil), true},
		{"tls-crypt", 9000, crypt, true},
		{"tls-crypt of 1970", 9000, append(append([]byte(nil), crypt[:13]...), make([]byte, 41)...), false},
		{"other bytes", 9000, append([]byte{openVPNResetClient << 3}, bytes.Repeat([]byte{0xa5}, 53)...), false},
		{"other bytes at the port", 1194, append([]byte{openVPNResetClient << 3}, bytes.Repeat([]byte{0xa5}, 53)...), true},
		{"a key that is not 0", 1194, append([]byte{openVPNResetClient<<3 | 1}, make([]byte, 13)...), false},
		{"short", 1194, []byte{openVPNResetClient << 3, 1}, false},
	} {
		if got := LooksOpenVPN(x.data, dissect.Ports{Client: 40000, Server: x.port}); got != x.want {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// TestOpenVPNStopsWithoutHello checks that a session without a hello is left after a while, with bounded memory.
func TestOpenVPNStopsWithoutHello(t *testing.T) {
	var o openVPN
	for i := range openVPNMaxSeen {
		more := o.packet(dissect.FromClient, vpnPacket(openVPNControl, nil, nil, uint32(i+2), bytes.Repeat([]byte{0x16}, 1000)), func(dissect.Fact) { t.Error("a fact") })
		if more != (i < openVPNMaxSeen-1) {
			t.Errorf("packet %d: more %v", i, more)
		}
		if n := len(o.dirs[dissect.FromClient].held); n > openVPNMaxHeld {
			t.Errorf("%d packets held", n)
		}
	}
}

// FuzzOpenVPN feeds any datagrams: the dissector neither fails nor reads without end.
func FuzzOpenVPN(f *testing.F) {
	for _, x := range VPNTurns(f, VPNAuth(20), []int{1, 0, 2}) {
		f.Add(dissecttest.Chunk(x))
	}
	dissecttest.FuzzDatagrams(f, NewOpenVPN, openVPNMaxSeen)
}
