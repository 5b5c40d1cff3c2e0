// SPDX-License-Identifier: Apache-2.0

// Package sanitize makes text from the network safe to display, on pages and on terminals.
package sanitize

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"stillwatch/schemas"
)

// Verbatim is a string that Value does not change, for example a form field, a cursor or a URL of this program.
type Verbatim string

// Long is a string that Value truncates later than others.
type Long string

// Limits of the text that is displayed.
const (
	maxShort = 300  // characters of a string
	maxLong  = 4100 // characters of a Long
	MaxMarks = 4    // consecutive combining marks; more would cover the neighboring lines
	maxDepth = 40   // levels of nesting
)

// Value returns a deep copy of v with all strings sanitized: control characters, bidirectional formatting characters (which can display
// a name backwards) and other invisible characters are replaced by their code points, and long strings are truncated. It does not
// escape HTML; html/template does.
func Value[T any](v T) T {
	in := reflect.ValueOf(&v).Elem()
	out, ok := value(in, 0).Interface().(T)
	if !ok {
		var zero T // a nil interface
		return zero
	}
	return out
}

func value(v reflect.Value, depth int) reflect.Value {
	if depth > maxDepth {
		return reflect.Zero(v.Type())
	}
	switch v.Kind() {
	case reflect.String:
		return str(v)
	case reflect.Struct:
		return structure(v, depth)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		if v.Kind() == reflect.Interface {
			out.Set(value(v.Elem(), depth+1))
			return out
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(value(v.Elem(), depth+1))
		return out
	case reflect.Slice, reflect.Array:
		return list(v, depth)
	case reflect.Map:
		return mapping(v, depth)
	}
	return v
}

func str(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Interface().(type) {
	case Verbatim:
		return v
	case Long:
		out.SetString(Text(v.String(), maxLong, false))
	default:
		out.SetString(Text(v.String(), maxShort, false))
	}
	return out
}

// plain are types whose text comes from this program and not from the network.
var plain = map[reflect.Type]bool{
	reflect.TypeFor[netip.Addr](): true, reflect.TypeFor[time.Time](): true, reflect.TypeFor[schemas.MAC](): true,
}

func structure(v reflect.Value, depth int) reflect.Value {
	if plain[v.Type()] {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	fields(out, depth)
	return out
}

// fields sanitizes the fields of a struct in place. The exported fields of an unexported embedded struct can be set and are accessible
// to templates, so they are sanitized too.
func fields(s reflect.Value, depth int) {
	for i := range s.NumField() {
		f, is := s.Field(i), s.Type().Field(i)
		switch {
		case is.IsExported():
			f.Set(value(f, depth+1))
		case is.Anonymous && f.Kind() == reflect.Struct:
			fields(f, depth+1)
		}
	}
}

func list(v reflect.Value, depth int) reflect.Value {
	if k := v.Type().Elem().Kind(); k != reflect.String && k < reflect.Array || v.Kind() == reflect.Slice && v.IsNil() {
		return v // numbers
	}
	out := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	for i := range v.Len() {
		out.Index(i).Set(value(v.Index(i), depth+1))
	}
	return out
}

func mapping(v reflect.Value, depth int) reflect.Value {
	if v.IsNil() {
		return v
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(value(it.Key(), depth+1), value(it.Value(), depth+1))
	}
	return out
}

// Text sanitizes one string and truncates it after limit characters. With lines, it keeps line breaks and tabs.
func Text(s string, limit int, lines bool) string {
	if printable(s) && len(s) <= limit {
		return s
	}
	var b strings.Builder
	n, marks := 0, 0
	for i, r := range s {
		if n++; n > limit {
			fmt.Fprintf(&b, "… (and %d more)", utf8.RuneCountInString(s[i:]))
			break
		}
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "⟨0x%02X⟩", s[i])
		case lines && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case Hidden(r), marks > MaxMarks:
			n += 7 // the length of the replacement
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// printable reports whether s has only printable ASCII characters, as nearly all strings have.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// Hidden reports whether a character is invisible or changes how others are displayed: control, format (direction marks, zero-width
// joiners, tags), private-use and unassigned characters, line separators, spaces other than U+0020, and fillers, which Unicode
// classifies as letters but which are blank.
func Hidden(r rune) bool {
	switch r {
	case ' ':
		return false
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800:
		return true
	}
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Zs, unicode.Variation_Selector)
}
