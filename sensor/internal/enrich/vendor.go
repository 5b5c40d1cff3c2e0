// SPDX-License-Identifier: Apache-2.0

// Package enrich adds what is known about an address from outside the capture or from earlier in it: the vendor of a MAC address, and the
// names under which IP addresses were looked up.
package enrich

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"stillwatch/sensor/internal/datafile"
)

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

// kinds maps the kinds that the table of vendors may name.
var kinds = map[string]VendorKind{"brand": VendorBrand, "odm": VendorODM, "chip": VendorChip}

// Vendor is the vendor of a device or of its network chip.
type Vendor struct {
	Name  string // short name of a listed vendor, else Owner
	Owner string // as registered with the IEEE
	Kind  VendorKind
}

// The table of vendors. Its header describes the format.
//
//go:embed vendors.tsv
var vendorTable string

// vendorRow is one row of the table of vendors.
type vendorRow struct {
	prefix, name string
	kind         VendorKind
}

// Vendors is the table of vendors.
type Vendors struct {
	Head datafile.Head
	rows []vendorRow
}

// Rows returns the number of vendors.
func (v *Vendors) Rows() int { return len(v.rows) }

// Listed holds the table in use. The embedded one is parsed at the first use. The tests of this package find an error in it.
var Listed = datafile.NewSlot(func() *Vendors {
	v, err := ParseVendors([]byte(vendorTable))
	if err != nil {
		panic(err)
	}
	return v
})

// EmbeddedVendors returns the file of vendors that is part of the program.
func EmbeddedVendors() []byte { return []byte(vendorTable) }

// ParseVendors reads a file of vendors.
func ParseVendors(text []byte) (v *Vendors, err error) {
	v = &Vendors{}
	if v.Head, _, err = datafile.ParseHead(text); err != nil {
		return nil, err
	}
	err = datafile.Rows(text, 3, func(cells []string) error {
		r, err := parseVendor(cells)
		for _, x := range v.rows {
			if err == nil && strings.HasPrefix(r.prefix, x.prefix) {
				err = fmt.Errorf("%q is never reached: %q comes before it", r.prefix, x.prefix)
			}
		}
		if len(v.rows) == maxVendors {
			err = fmt.Errorf("more than %d vendors", maxVendors)
		}
		v.rows = append(v.rows, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// maxVendors bounds the table, all rows of which are compared with each new owner.
const maxVendors = 4000

func parseVendor(cells []string) (r vendorRow, err error) {
	r = vendorRow{cells[0], cells[1], kinds[cells[2]]}
	switch {
	case r.prefix == "" || Squeeze(r.prefix) != r.prefix:
		return r, fmt.Errorf("owner %q: want letters and digits in lower case", r.prefix)
	case r.name == "" || strings.TrimSpace(r.name) != r.name:
		return r, errors.New("the name is empty or has space around it")
	case r.kind == VendorUnknown:
		return r, fmt.Errorf("kind %q: want brand, odm or chip", cells[2])
	}
	return r, nil
}

// VendorOf returns the vendor that mac is registered to, the zero Vendor if there is none. An owner that is not listed has its full name
// and VendorUnknown.
func VendorOf(mac [6]byte) Vendor {
	owner := Owner(mac)
	if owner == "" {
		return Vendor{}
	}
	s := Squeeze(owner)
	for _, v := range Listed.Get().rows {
		if strings.HasPrefix(s, v.prefix) {
			return Vendor{v.name, owner, v.kind}
		}
	}
	return Vendor{Name: owner, Owner: owner}
}

// Canonical returns the short name of the listed vendor that a device means by a name such as "AXIS" or "Dahua Technology". Whole words at
// the beginning decide. A vendor that is not listed keeps its name; one of chips or modules has none.
func Canonical(vendor string) string {
	squeezed := Squeeze(vendor)
	for _, v := range Listed.Get().rows {
		if strings.HasPrefix(squeezed, v.prefix) && v.kind != VendorChip {
			return v.name
		}
	}
	for words := strings.Fields(vendor); len(words) > 0; words = words[:len(words)-1] {
		start := Squeeze(strings.Join(words, ""))
		for _, v := range Listed.Get().rows {
			if start == "" || start != Squeeze(v.name) {
				continue
			}
			if v.kind == VendorChip {
				return ""
			}
			return v.name
		}
	}
	return vendor
}

// Brands returns the short names of the brands, in the order of the table.
func Brands() (out []string) {
	for _, v := range Listed.Get().rows {
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
