// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"net/netip"
	"testing"
)

func TestAddr(t *testing.T) {
	for _, c := range []struct {
		text string
		is4  bool
	}{{"192.0.2.1", true}, {"0.0.0.0", true}, {"2001:db8::1", false}, {"::", false}, {"::192.0.2.1", false}} {
		n := netip.MustParseAddr(c.text)
		a := AddrOf(n)
		if a.Is4() != c.is4 || a.Netip() != n || a.NetipOf(!c.is4) != n {
			t.Errorf("%s: is4 %v, back %v", c.text, a.Is4(), a.Netip())
		}
	}
	mapped := AddrFrom4([]byte{192, 0, 2, 1})
	if mapped.NetipOf(true).String() != "::ffff:192.0.2.1" || mapped.NetipOf(false).String() != "192.0.2.1" {
		t.Errorf("%v, %v", mapped.NetipOf(true), mapped.NetipOf(false))
	}
}

func TestMAC(t *testing.T) {
	for _, c := range []struct {
		mac                MAC
		text               string
		zero, group, local bool
	}{
		{MAC{}, "00:00:00:00:00:00", true, false, false},
		{MAC{0xac, 0xcc, 0x8e, 0x12, 0x3a, 0x0f}, "ac:cc:8e:12:3a:0f", false, false, false},
		{MAC{0x01, 0x00, 0x5e, 0, 0, 1}, "01:00:5e:00:00:01", false, true, false},
		{MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "ff:ff:ff:ff:ff:ff", false, true, true},
		{macA, "02:00:00:00:00:0a", false, false, true},
	} {
		m := c.mac
		if m.String() != c.text || m.IsZero() != c.zero || m.IsGroup() != c.group || m.IsLocal() != c.local {
			t.Errorf("%s: %v zero %v group %v local %v", c.text, m, m.IsZero(), m.IsGroup(), m.IsLocal())
		}
	}
}

func TestTunnelNames(t *testing.T) {
	seen := map[string]bool{}
	for typ := TunnelNone; typ <= TunnelPBB; typ++ {
		if name := typ.String(); name == "unknown" || seen[name] {
			t.Errorf("tunnel %d is named %q", typ, name)
		}
		seen[typ.String()] = true
	}
	if TunnelType(200).String() != "unknown" {
		t.Error("a type out of range has a name")
	}
}
