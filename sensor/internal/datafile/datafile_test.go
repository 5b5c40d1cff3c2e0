// SPDX-License-Identifier: Apache-2.0

package datafile

import (
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

func TestParseHead(t *testing.T) {
	h, rest, err := ParseHead([]byte("# SPDX\n#\n# Date: 2026-06-17\n# License: CC0\n# Source: a: b\n# Key: 00ff\n\nrow\n"))
	if err != nil || h != (Head{"2026-06-17", "CC0", "a: b", "00ff"}) || string(rest) != "row\n" {
		t.Errorf("%+v %q %v", h, rest, err)
	}
	for text, want := range map[string]string{
		"":                                       "want a line",
		"row\n":                                  "want a line",
		"# Date: 2026-13-01\n# License: x\n":     `date "2026-13-01"`,
		"# Date: 2026-01-01\n":                   "no line",
		"#" + strings.Repeat("x", 70<<10) + "\n": "longer than",
	} {
		if _, _, err := ParseHead([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
	}
}

func TestRows(t *testing.T) {
	var got []string
	if err := Rows([]byte("# c\n\na\tb\r\nc\td"), 2, func(c []string) error { got = append(got, c...); return nil }); err != nil || strings.Join(got, " ") != "a b c d" {
		t.Errorf("%q %v", got, err)
	}
	for text, want := range map[string]string{
		"a\tb\na\n":                       "line 2: 1 columns, want 2",
		"a\tb\x1b[2J\n":                   "not plain text",
		"a\t\xff\n":                       "not plain text",
		"a\t" + strings.Repeat("b", 5000): "at most 4096",
	} {
		if err := Rows([]byte(text), 2, func([]string) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestSlot(t *testing.T) {
	one, two, reads := 1, 2, 0
	s := NewSlot(func() *int { reads++; return &one })
	a, b := s.Get(), s.Get()
	s.Set(&two)
	c := s.Get()
	s.Set(nil)
	if a != &one || b != &one || c != &two || s.Get() != &one || reads != 1 {
		t.Error("wrong table", reads)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("# Date: 2026-06-17\n# License: CC0\n\na\tb\n"))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0})
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if h, rest, err := ParseHead(b); err == nil && (h.Date == "" || len(rest) > len(b)) {
			t.Error("a head without a date")
		}
		_ = Rows(b, 2, func(cells []string) error {
			if len(cells) != 2 {
				t.Errorf("%d cells", len(cells))
			}
			return nil
		})
		_, _ = Unpack(b)
	})
}
