// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"reflect"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

func TestParseARP(t *testing.T) {
	mac, broadcast := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{255, 255, 255, 255, 255, 255}
	packet := func(op byte, sender, target string) []byte {
		b := []byte{0, 1, 8, 0, 6, 4, 0, op}
		s, d := netip.MustParseAddr(sender).As4(), netip.MustParseAddr(target).As4()
		b = append(append(b, mac[:]...), s[:]...)
		return append(append(b, make([]byte, 6)...), d[:]...)
	}
	for name, tc := range map[string]struct {
		body              []byte
		ok                bool
		gratuitous, probe bool
	}{
		"request":      {packet(1, "10.0.0.1", "10.0.0.2"), true, false, false},
		"announcement": {packet(1, "10.0.0.1", "10.0.0.1"), true, true, false},
		"reply to all": {packet(2, "10.0.0.1", "10.0.0.1"), true, true, false},
		"probe":        {packet(1, "0.0.0.0", "10.0.0.1"), true, false, true},
		"reverse ARP":  {packet(3, "10.0.0.1", "10.0.0.2"), false, false, false},
		"cut":          {packet(1, "10.0.0.1", "10.0.0.2")[:27], false, false, false},
		"empty":        {nil, false, false, false},
	} {
		m, ok := ParseARP(tc.body, mac, broadcast)
		if ok != tc.ok {
			t.Errorf("%s: ok %v", name, ok)
			continue
		}
		if ok && (m.Gratuitous != tc.gratuitous || m.Probe != tc.probe || m.SenderMAC != mac || m.EtherDst != broadcast) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestParseND(t *testing.T) {
	src, dst := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::1")
	target := netip.MustParseAddr("2001:db8::5")
	mac := [6]byte{2, 0, 0, 0, 0, 9}
	ta := target.As16()
	link := append([]byte{2, 1}, mac[:]...)
	prefix := append([]byte{3, 4, 64, 0xc0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}, ta[:]...)
	na := append(append([]byte{136, 0, 0, 0, 0x60, 0, 0, 0}, ta[:]...), link...)
	ra := append(append([]byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, append([]byte{1, 1}, mac[:]...)...), prefix...)
	for name, tc := range map[string]struct {
		body []byte
		want *dissect.NDMessage
	}{
		"advertisement": {na, &dissect.NDMessage{Type: 136, Override: true, Src: src, Dst: dst, Target: target, TargetLink: mac, EtherSrc: mac}},
		"router":        {ra, &dissect.NDMessage{Type: 134, Src: src, Dst: dst, SourceLink: mac, EtherSrc: mac, Router: true, RouterLifetimeSeconds: 0x708, Prefixes: []netip.Prefix{netip.PrefixFrom(target, 64)}}},
		"zero length":   {append(na[:24:24], 2, 0, 1, 2, 3, 4, 5, 6), &dissect.NDMessage{Type: 136, Override: true, Src: src, Dst: dst, Target: target, EtherSrc: mac}},
		"option cut":    {na[:30], &dissect.NDMessage{Type: 136, Override: true, Src: src, Dst: dst, Target: target, EtherSrc: mac}},
		"cut":           {na[:20], nil},
		"other type":    {append([]byte{128}, na[1:]...), nil},
	} {
		m, ok := ParseND(tc.body, src, dst, mac)
		if ok != (tc.want != nil) || !reflect.DeepEqual(m, tc.want) {
			t.Errorf("%s: got %+v", name, m)
		}
	}
}
