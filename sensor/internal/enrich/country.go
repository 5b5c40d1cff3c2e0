// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sort"

	"stillwatch/sensor/internal/datafile"
)

//go:embed country.zst
var countryTable []byte

// Countries is a table of countries by address. Of IPv6 addresses the upper 64 bits count.
type Countries struct {
	Head  datafile.Head
	codes []string // ISO 3166-1 alpha-2; the first is "": none
	four  countryChanges
	six   countryChanges
}

// countryChanges are the addresses, in ascending order, from which on another country applies.
type countryChanges struct {
	at      []uint64
	country []uint8
}

// ByAddress holds the table in use. The embedded one is unpacked at the first lookup. The tests of this package find a damaged table.
var ByAddress = datafile.NewSlot(func() *Countries {
	c, err := ParseCountries(countryTable)
	if err != nil {
		return &Countries{}
	}
	return c
})

// EmbeddedCountries returns the file of countries that is part of the program.
func EmbeddedCountries() []byte { return countryTable }

// Rows returns the number of address ranges with a country.
func (c *Countries) Rows() (n int) {
	for _, list := range [][]uint8{c.four.country, c.six.country} {
		for _, country := range list {
			if country != 0 {
				n++
			}
		}
	}
	return n
}

// Of returns the country of an address, "" if it is in no range or no address of the Internet.
func (c *Countries) Of(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !public(a):
		return ""
	case a.Is4():
		b := a.As4()
		return c.code(&c.four, uint64(binary.BigEndian.Uint32(b[:])))
	case a.Is6():
		b := a.As16()
		return c.code(&c.six, binary.BigEndian.Uint64(b[:8]))
	}
	return ""
}

// special are networks that are no country's: private, shared, reserved, or for documentation (RFC 6890).
var special = func() (out []netip.Prefix) {
	for _, s := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "64:ff9b::/96", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// public reports whether an address may belong to a host on the Internet.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

func (c *Countries) code(list *countryChanges, a uint64) string {
	i := sort.Search(len(list.at), func(i int) bool { return list.at[i] > a })
	if i == 0 {
		return ""
	}
	return c.codes[list.country[i-1]]
}

// ParseCountries reads the file that scripts/assets/country writes.
func ParseCountries(packed []byte) (*Countries, error) {
	raw, err := datafile.Unpack(packed)
	if err != nil {
		return nil, err
	}
	c := &Countries{codes: []string{""}}
	if c.Head, raw, err = datafile.ParseHead(raw); err != nil {
		return nil, err
	}
	return c, c.parse(raw)
}

var errCountries = errors.New("no table of countries, or a truncated one")

func (c *Countries) parse(raw []byte) error {
	p := reader{b: raw}
	n := p.count()
	if n > 255 || n*2 > uint64(len(p.b)) {
		return errCountries
	}
	for range n {
		code := string(p.b[:2])
		if code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' || code[1] > 'Z' {
			return errCountries
		}
		c.codes, p.b = append(c.codes, code), p.b[2:]
	}
	c.four, c.six = p.changes(len(c.codes), 1<<32), p.changes(len(c.codes), 0)
	if p.bad || len(p.b) != 0 {
		return errCountries
	}
	return nil
}

// changes reads one list; limit is the number of addresses, 0 for 2^64.
func (r *reader) changes(codes int, limit uint64) (l countryChanges) {
	n := r.count()
	l.at = make([]uint64, n)
	last := uint64(0)
	for i := range l.at {
		step := r.uvarint()
		if i > 0 && (step == 0 || last+step < last) || limit > 0 && last+step > limit {
			r.bad = true
		}
		last += step
		l.at[i] = last
	}
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return countryChanges{}
	}
	l.country = slices.Clone(r.b[:n])
	r.b = r.b[n:]
	if slices.ContainsFunc(l.country, func(c uint8) bool { return int(c) >= codes }) {
		r.bad = true
		return countryChanges{}
	}
	return l
}
