// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"testing"
)

func TestEmbeddedTable(t *testing.T) {
	x, err := ParseOUI(ouiTable)
	if err != nil {
		t.Fatal(err)
	}
	for i, min := range []int{35_000, 6_000, 6_500} {
		if n := len(x.blocks[i].prefixes); n < min {
			t.Errorf("blocks of %d bits: %d, want at least %d", blockBits[i], n, min)
		}
	}
}

func TestVendorOf(t *testing.T) {
	tests := []struct {
		mac  [6]byte
		name string
		kind VendorKind
	}{
		{[6]byte{0x00, 0x40, 0x8c, 1, 2, 3}, "Axis", VendorBrand},
		{[6]byte{0xb8, 0xa4, 0x4f, 1, 2, 3}, "Axis", VendorBrand},
		{[6]byte{0xb0, 0xc5, 0x54, 1, 2, 3}, "D-Link", VendorBrand},
		{[6]byte{0x24, 0x0a, 0xc4, 1, 2, 3}, "Espressif", VendorChip},
		{[6]byte{0x74, 0xc2, 0x46, 1, 2, 3}, "Amazon", VendorBrand},
		{[6]byte{0x00, 0x0c, 0x29, 1, 2, 3}, "VMware", VendorBrand},
		{[6]byte{0xcc, 0x2d, 0xe0, 1, 2, 3}, "MikroTik", VendorBrand},
		{[6]byte{0x02, 0x40, 0x8c, 1, 2, 3}, "", VendorUnknown},             // locally administered
		{[6]byte{0x01, 0x00, 0x5e, 1, 2, 3}, "", VendorUnknown},             // group
		{[6]byte{0x70, 0xb3, 0xd5, 0x0f, 0xff, 0xff}, "", VendorUnknown},    // parent of small blocks only
		{[6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "", VendorUnknown},    // broadcast
		{[6]byte{0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, "Xerox", VendorBrand}, // an address like any other here
	}
	for _, tt := range tests {
		v := VendorOf(tt.mac)
		if tt.mac[0] == 0x70 {
			if v.Name == "IEEE Registration Authority" {
				t.Errorf("%x: parent block named", tt.mac)
			}
			continue
		}
		if v.Name != tt.name || v.Kind != tt.kind {
			t.Errorf("%x: %q %v, want %q %v", tt.mac, v.Name, v.Kind, tt.name, tt.kind)
		}
	}
}

// A block of 36 bits is within a block of 24 bits that has no owner: the smaller block counts.
func TestSmallBlocks(t *testing.T) {
	x := Blocks.Get()
	for i := 1; i < 3; i++ {
		p, owner := x.blocks[i].prefixes[100], x.names[x.blocks[i].owners[100]]
		v := p << (48 - blockBits[i])
		mac := [6]byte{byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
		mac[5] |= 5
		if got := Owner(mac); got != owner {
			t.Errorf("%x: %q, want %q", mac, got, owner)
		}
	}
}

// A row that no registered owner matches is dead.
func TestEachVendorIsRegistered(t *testing.T) {
	used := map[string]bool{}
	for _, n := range Blocks.Get().names {
		s := Squeeze(n)
		for _, m := range Listed.Get().rows {
			if len(s) >= len(m.prefix) && s[:len(m.prefix)] == m.prefix {
				used[m.prefix] = true
				break
			}
		}
	}
	for _, m := range Listed.Get().rows {
		if !used[m.prefix] {
			t.Errorf("no owner begins with %q", m.prefix)
		}
	}
}

func TestDamagedTable(t *testing.T) {
	if _, err := ParseOUI(ouiTable[:len(ouiTable)/2]); err == nil {
		t.Error("half a table was accepted")
	}
	for _, raw := range [][]byte{nil, {0xff}, {1, 200}, {1, 1, 'a', 1, 1, 9, 0, 0}, {1, 1, 'a', 0xff, 0xff, 0xff, 0xff, 0x7f}, {0, 0, 0, 0, 7}} {
		if _, err := parseOUI(raw); err == nil {
			t.Errorf("%x was accepted", raw)
		}
	}
}
