// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/packet"
)

// TestPortWatchesInventoryAndFlags checks that the port gets every network, address and MAC of the inventory and of --silent, and everything
// if there is no inventory.
func TestPortWatchesInventoryAndFlags(t *testing.T) {
	a, b := packet.MAC{2, 0, 0, 0, 0, 1}, packet.MAC{2, 0, 0, 0, 0, 2}
	set := &config.Config{Silent: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/25")}, SilentMACs: []packet.MAC{a}}
	if p, m := watched(nil, set); len(p)+len(m) != 0 {
		t.Errorf("without an inventory %v and %v", p, m)
	}
	inv := &contract.Inventory{Internal: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16")}, Devices: []contract.Entry{
		{Name: "one", Match: contract.Match{MAC: b}}, {Name: "two", Match: contract.Match{IP: netip.MustParseAddr("203.0.113.7")}},
		{Name: "three", Match: contract.Match{Prefix: netip.MustParsePrefix("198.51.100.0/24")}},
	}}
	p, m := watched(inv, set)
	for _, want := range []string{"10.20.0.0/16", "192.0.2.0/25", "198.51.100.0/24", "203.0.113.7/32", "::/0"} {
		if !slices.Contains(p, netip.MustParsePrefix(want)) {
			t.Errorf("%s is not watched: %v", want, p)
		}
	}
	if !slices.Equal(m, []packet.MAC{a, b}) {
		t.Errorf("MAC addresses %v", m)
	}
	if len(set.SilentMACs) != 1 {
		t.Error("the settings were changed")
	}
	inv.Internal = append(inv.Internal, netip.MustParsePrefix("2001:db8::/32"))
	if p, _ := watched(inv, set); slices.Contains(p, netip.MustParsePrefix("::/0")) {
		t.Errorf("all of IPv6 is watched though the inventory has IPv6 networks: %v", p)
	}
	inv.Internal = nil
	if p, _ := watched(inv, set); !slices.Contains(p, netip.MustParsePrefix("10.0.0.0/8")) {
		t.Errorf("private addresses are not watched: %v", p)
	}
}
