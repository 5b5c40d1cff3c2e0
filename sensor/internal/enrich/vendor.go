// SPDX-License-Identifier: Apache-2.0

// Package enrich adds what is known about an address from outside the capture or from earlier in it: the vendor of a MAC address, and the
// names under which IP addresses were looked up.
package enrich

import "strings"

// VendorKind is how much the vendor of a MAC address says about the device.
type VendorKind uint8

// A brand sells devices under its own name. An ODM builds devices that others sell. The prefix of a chip vendor is found in devices of any
// kind and says nothing about them.
const (
	VendorUnknown VendorKind = iota
	VendorBrand
	VendorODM
	VendorChip
)

func (k VendorKind) String() string { return [...]string{"unknown", "brand", "odm", "chip"}[k] }

// Vendor is the vendor of a device or of its network chip.
type Vendor struct {
	Name  string // short name of a listed vendor, else Owner
	Owner string // as registered with the IEEE
	Kind  VendorKind
}

// VendorOf returns the vendor that mac is registered to, the zero Vendor if there is none. An owner that is not listed has its full name
// and VendorUnknown.
func VendorOf(mac [6]byte) Vendor {
	owner := Owner(mac)
	if owner == "" {
		return Vendor{}
	}
	s := Squeeze(owner)
	for _, v := range vendors {
		if strings.HasPrefix(s, v.prefix) {
			return Vendor{v.name, owner, v.kind}
		}
	}
	return Vendor{Name: owner, Owner: owner}
}

// Brands returns the short names of the brands, in the order of the table.
func Brands() (out []string) {
	for _, v := range vendors {
		if v.kind == VendorBrand {
			out = append(out, v.name)
		}
	}
	return out
}

// Squeeze returns the letters and digits of an ASCII name in lower case, so that spellings can be compared.
func Squeeze(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}
