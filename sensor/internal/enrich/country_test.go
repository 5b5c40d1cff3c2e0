// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"

	"stillwatch/internal/testlab/mutate"
)

func TestEmbeddedCountries(t *testing.T) {
	c, err := ParseCountries(EmbeddedCountries())
	if err != nil {
		t.Fatal(err)
	}
	if c.Rows() < 200_000 || len(c.codes) < 230 {
		t.Errorf("%d ranges, %d countries", c.Rows(), len(c.codes))
	}
	for text, want := range map[string]string{
		"8.8.8.8": "US", "193.0.6.139": "NL", "::ffff:8.8.8.8": "US", "2001:67c:2e8::1": "NL", "133.1.1.1": "JP",
		"10.1.2.3": "", "192.168.1.1": "", "198.51.100.7": "", "203.0.113.9": "", "2001:db8::1": "", "0.0.0.0": "", "255.255.255.255": "", "fe80::1": "", "::": "",
	} {
		if got := c.Of(addr(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if country, date := Country(addr("8.8.8.8")); country != "US" || date != c.Head.Date || date < "2026" {
		t.Errorf("%q %q", country, date)
	}
	if country, date := Country(addr("10.0.0.1")); country != "" || date != "" {
		t.Errorf("%q %q for an address without a country", country, date)
	}
}

// table is a file with two countries: AA in 1.0.0.0/8, BB from 2.0.0.0 to the end of IPv4, and AA in 2001::/16.
func table() []byte {
	out := []byte("# Date: 2026-01-02\n# License: ours\n\n\x02AABB\x03")
	for _, step := range []uint64{1 << 24, 1 << 24, 1<<32 - 2<<24} {
		out = binary.AppendUvarint(out, step)
	}
	out = append(out, 1, 2, 0, 2)
	out = binary.AppendUvarint(out, 0x2001<<48)
	out = binary.AppendUvarint(out, 1<<48)
	return append(out, 1, 0)
}

func packed(t testing.TB, raw []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(raw, nil)
}

func TestDamagedCountries(t *testing.T) {
	good := table()
	c, err := ParseCountries(packed(t, good))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"0.1.1.1": "", "1.1.1.1": "AA", "2.2.2.2": "BB", "223.255.255.255": "BB", "2001:4860::1": "AA", "2a00::1": ""} {
		if got := c.Of(addr(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	head := bytes.Index(good, []byte("\n\n")) + 2
	for n := range good {
		if c, err := ParseCountries(packed(t, good[:n])); err == nil {
			t.Errorf("%d of %d bytes (head %d) were accepted: %+v", n, len(good), head, c)
		}
	}
	for _, edit := range []func(b []byte){
		func(b []byte) { b[head] = 200 },    // more countries than there are bytes
		func(b []byte) { b[head+1] = 'a' },  // no country code
		func(b []byte) { b[head+5] = 0xff }, // more changes than there are bytes
		func(b []byte) { b[len(b)-2] = 9 },  // no such country
	} {
		b := bytes.Clone(good)
		edit(b)
		if _, err := ParseCountries(packed(t, b)); err == nil {
			t.Errorf("%x was accepted", b[head:])
		}
	}
}

func FuzzCountries(f *testing.F) {
	f.Add(table()[bytes.Index(table(), []byte("\n\n"))+2:])
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		c := &Countries{codes: []string{""}}
		if c.parse(b) != nil {
			return
		}
		for _, a := range []string{"1.2.3.4", "255.255.255.255", "2001::1", "::"} {
			c.Of(addr(a))
		}
		c.Rows()
	})
}

// A database that is none, or half of one, is refused in one line.
func TestParseMMDB(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("text"), bytes.Repeat([]byte{0xab}, 4096), []byte("\xab\xcd\xefMaxMind.com\xe1")} {
		if _, err := ParseMMDB(b); err == nil || bytes.ContainsAny([]byte(err.Error()), "\n") {
			t.Errorf("%.20q: %v", b, err)
		}
	}
	if number, name := ASN(addr("8.8.8.8")); number != 0 || name != "" {
		t.Errorf("%d %q without a database", number, name)
	}
}
