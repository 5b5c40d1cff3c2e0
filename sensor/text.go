// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// maxMarks bounds the combining marks on one character: more are only good for painting over other lines.
const maxMarks = 2

// clean makes text that may come from the wire safe for a terminal. Control characters could move the cursor or change
// colours, bidirectional marks and invisible characters could show something else than what is there (Unicode TR 36, UAX 44
// Default_Ignorable_Code_Point): each becomes U+FFFD. Tabs and line ends become spaces.
func clean(s string) string {
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

// invisible reports whether a character that is no control shows nothing: selectors, fillers, and the blank of Braille.
func invisible(r rune) bool {
	const blankBraille = 0x2800
	return r == blankBraille || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// columns gives the number of columns that clean text takes on a terminal.
func columns(s string) (n int) {
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

// cut shortens clean text to n columns; what was cut is shown by an ellipsis.
func cut(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	var b strings.Builder
	used := 0
	for _, r := range s {
		w := columns(string(r))
		if used+w > n-1 {
			break
		}
		used += w
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// pad fills clean text up with spaces to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(n-columns(s), 0)) }

// wrap breaks clean text into lines of at most n columns. A word that is longer is broken.
func wrap(s string, n int) (all []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		for columns(word) > n {
			if line != "" {
				all, line = append(all, line), ""
			}
			head := firstColumns(word, n)
			all, word = append(all, head), word[len(head):]
		}
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) <= n:
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

func firstColumns(s string, n int) string {
	used := 0
	for i, r := range s {
		w := columns(string(r))
		if used+w > n && i > 0 {
			return s[:i]
		}
		used += w
	}
	return s
}

// grouped writes a number with commas.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted writes a number with its noun: "1 alert", "1,200 alerts".
func counted(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// scaled writes a number with three digits and a decimal prefix: "1.23 M".
func scaled(n float64) string {
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

// bytesText writes a number of bytes: "512 B", "3.01 GB".
func bytesText(n uint64) string { return scaled(float64(n)) + "B" }

// span writes how long something takes or took in its two greatest units: "7 d 3 h", "12 s", "0.4 s".
func span(d time.Duration) string {
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

// moment writes a time of the capture clock to the second.
func moment(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }
