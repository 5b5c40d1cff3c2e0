// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"stillwatch/internal/testlab/mutate"
)

func TestClean(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"plain", "cam-01 (lobby)", "cam-01 (lobby)"},
		{"letters of any script", "Kamera Büro 摄像头", "Kamera Büro 摄像头"},
		{"escape sequence", "a\x1b[2Jb", "a�[2Jb"},
		{"C1 control", "a\u009b31mb", "a�31mb"},
		{"right-to-left override", "gpj.\u202eexe", "gpj.�exe"},
		{"isolate", "a\u2066b\u2069", "a�b�"},
		{"zero width", "pay\u200bpal", "pay�pal"},
		{"line ends and tabs", "one\r\ntwo\tthree", "one  two three"},
		{"bell", "ding\a", "ding�"},
		{"bytes that are no UTF-8", "a\xff\xfeb", "a��b"},
		{"marks piled up", "a" + strings.Repeat("\u0301", 50), "a\u0301\u0301"},
		{"selector", "pay\ufe0fpal", "pay�pal"},
		{"selector of a supplement", "a\U000e0100b", "a�b"},
		{"selector of Mongolian", "a\u180bb", "a�b"},
		{"grapheme joiner", "a\u034fb", "a�b"},
		{"fillers", "a\u115fb\u3164c\uffa0d", "a�b�c�d"},
		{"inherent vowel", "a\u17b4b", "a�b"},
		{"blank of Braille", "a\u2800b", "a�b"},
		{"spaces of other widths", "a\u00a0b\u3000c", "a�b�c"},
		{"private use", "\ue000", "�"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Clean(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestWrap(t *testing.T) {
	cases := []struct {
		in   string
		n    int
		want []string
	}{
		{"", 10, nil},
		{"one two three", 7, []string{"one two", "three"}},
		{"exactly ten", 11, []string{"exactly ten"}},
		{"a muchtoolongword b", 6, []string{"a", "muchto", "olongw", "ord b"}},
		{"摄像头 摄像头", 6, []string{"摄像头", "摄像头"}},
		{"摄像头", 1, []string{"摄", "像", "头"}},
	}
	for _, c := range cases {
		if got := Wrap(c.in, c.n); !slices.Equal(got, c.want) {
			t.Errorf("Wrap(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	cases := []struct {
		in   string
		n    int
		want string
	}{{"short", 5, "short"}, {"longer", 5, "long…"}, {"摄像头", 5, "摄像…"}, {"", 3, ""}}
	for _, c := range cases {
		if got := Cut(c.in, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	cases := []struct{ got, want string }{
		{Grouped(0), "0"}, {Grouped(999), "999"}, {Grouped(1000), "1,000"}, {Grouped(1234567), "1,234,567"},
		{Counted(1, "alert"), "1 alert"}, {Counted(0, "alert"), "0 alerts"},
		{Bytes(512), "512 B"}, {Bytes(1500), "1.5 kB"}, {Bytes(3_010_000_000), "3.01 GB"},
		{Duration(-time.Second), "0 s"}, {Duration(420 * time.Millisecond), "0.42 s"}, {Duration(12 * time.Second), "12 s"},
		{Duration(62 * time.Second), "1 min 2 s"}, {Duration(25 * time.Hour), "1 d 1 h"}, {Duration(3*time.Hour + 5*time.Minute), "3 h 5 min"},
		{Moment(0), "1970-01-01 00:00:00"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "a\x1b[31m", "\u202e", "\xff", "e\u0301\u0301\u0301"} {
		f.Add(s, 10)
	}
	mutate.Fuzz(f, func(t *testing.T, s string, n int) {
		c := Clean(s)
		if !utf8.ValidString(c) || strings.ContainsAny(c, "\x1b\n\r\t\a\b\u009b\u202e\u2066") {
			t.Fatalf("Clean(%q) = %q", s, c)
		}
		n = 1 + abs(n)%200
		for _, line := range Wrap(c, n) {
			if Columns(line) > max(n, 2) {
				t.Fatalf("Wrap(%q, %d) has a line of %d columns: %q", c, n, Columns(line), line)
			}
		}
		if got := Cut(c, n); Columns(got) > max(n, 1) {
			t.Fatalf("Cut(%q, %d) = %q", c, n, got)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func TestInterval(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	winter := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	for want, got := range map[string]string{
		"2026-07-01 12:00:00 to 2026-12-01 12:00:00 UTC":      (&Terminal{}).Interval(summer, winter),
		"2026-07-01 14:00:00 CEST to 2026-12-01 13:00:00 CET": (&Terminal{Zone: berlin}).Interval(summer, winter),
		"2026-07-01 14:00:00 to 2026-07-01 14:00:01 CEST":     (&Terminal{Zone: berlin}).Interval(summer, summer+1e9),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
