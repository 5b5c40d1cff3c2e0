// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// maxMarks bounds the combining marks on one character: more would paint over other lines.
const maxMarks = 2

// Clean makes text that may come from the network safe to print on a terminal. Control characters could move the cursor or change colors;
// bidirectional marks and invisible characters could make one text look like another (Unicode TR 36, UAX 44
// Default_Ignorable_Code_Point). Each becomes U+FFFD. Tabs and line ends become spaces.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	marks := 0
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			r, marks = ' ', 0
		case invisible(r):
			r, marks = utf8.RuneError, 0
		case unicode.Is(unicode.M, r):
			if marks++; marks > maxMarks {
				continue
			}
		case !unicode.IsPrint(r):
			r, marks = utf8.RuneError, 0
		default:
			marks = 0
		}
		b.WriteRune(r)
	}
	return b.String()
}

// invisible reports whether a character that is not a control character shows nothing: selectors, fillers, and the Braille blank.
func invisible(r rune) bool {
	const blankBraille = 0x2800
	return r == blankBraille || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// Columns returns the number of columns that clean text takes on a terminal.
func Columns(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.Is(unicode.M, r):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

// Cut shortens clean text to n columns and marks the cut with an ellipsis.
func Cut(s string, n int) string {
	if Columns(s) <= n {
		return s
	}
	var b strings.Builder
	used := 0
	for _, r := range s {
		w := Columns(string(r))
		if used+w > n-1 {
			break
		}
		used += w
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// Pad appends spaces to clean text, up to n columns.
func Pad(s string, n int) string { return s + strings.Repeat(" ", max(n-Columns(s), 0)) }

// Wrap breaks clean text into lines of at most n columns. It breaks words that are longer.
func Wrap(s string, n int) (all []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		for Columns(word) > n {
			if line != "" {
				all, line = append(all, line), ""
			}
			head := firstColumns(word, n)
			all, word = append(all, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case Columns(line)+1+Columns(word) <= n:
			line += " " + word
		default:
			all, line = append(all, line), word
		}
	}
	if line != "" {
		all = append(all, line)
	}
	return all
}

// firstColumns returns the first n columns of s, but at least one character.
func firstColumns(s string, n int) string {
	used := 0
	for i, r := range s {
		w := Columns(string(r))
		if used+w > n && i > 0 {
			return s[:i]
		}
		used += w
	}
	return s
}

// Grouped returns a number with commas.
func Grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Counted returns a number with its noun: "1 alert", "1,200 alerts".
func Counted(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Grouped(n) + " " + noun
}

// Scaled returns a number with three digits and a decimal prefix: "1.23 M".
func Scaled(n float64) string {
	for _, u := range []struct {
		by   float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if n >= u.by {
			return fmt.Sprintf("%.3g%s", n/u.by, u.name)
		}
	}
	return fmt.Sprintf("%.0f ", n)
}

// Bytes returns a number of bytes: "512 B", "3.01 GB".
func Bytes(n uint64) string { return Scaled(float64(n)) + "B" }

// Duration returns a duration in its two greatest units: "7 d 3 h", "12 s", "0.4 s".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.2g s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// Moment returns a time of the capture clock, in nanoseconds since 1970, to the second in UTC.
func Moment(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }
