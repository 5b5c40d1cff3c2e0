// SPDX-License-Identifier: Apache-2.0

package console

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

// verbatim is a string that Clean leaves alone: the value of a form field, a cursor, a URL that was made here.
type verbatim string

// long is a string of which Clean leaves more.
type long string

// How much of a string is shown, in characters.
const (
	shortText = 300
	longText  = 4100
	maxMarks  = 4  // combining marks in a row; more pile up over the neighbouring lines
	maxDepth  = 40 // of what Clean walks through
)

// Clean gives a copy of v in which every string, at any depth, is harmless to look at: control characters, marks that turn
// the direction of writing (an attack that shows a name backwards) and other characters that cannot be seen stand there by
// number, and long strings are cut. It does not escape HTML; html/template does.
func Clean[T any](v T) T {
	in := reflect.ValueOf(&v).Elem()
	out, ok := cleanValue(in, 0).Interface().(T)
	if !ok {
		var zero T // a nil interface
		return zero
	}
	return out
}

func cleanValue(v reflect.Value, depth int) reflect.Value {
	if depth > maxDepth {
		return reflect.Zero(v.Type())
	}
	switch v.Kind() {
	case reflect.String:
		return cleanString(v)
	case reflect.Struct:
		return cleanStruct(v, depth)
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type()).Elem()
		if v.Kind() == reflect.Interface {
			out.Set(cleanValue(v.Elem(), depth+1))
			return out
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(cleanValue(v.Elem(), depth+1))
		return out
	case reflect.Slice, reflect.Array:
		return cleanList(v, depth)
	case reflect.Map:
		return cleanMap(v, depth)
	}
	return v
}

func cleanString(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Interface().(type) {
	case verbatim:
		return v
	case long:
		out.SetString(text(v.String(), longText, false))
	default:
		out.SetString(text(v.String(), shortText, false))
	}
	return out
}

// plain are types whose text is made by this program, not by the wire.
var plain = map[reflect.Type]bool{
	reflect.TypeFor[netip.Addr](): true, reflect.TypeFor[time.Time](): true, reflect.TypeFor[schemas.MAC](): true,
}

func cleanStruct(v reflect.Value, depth int) reflect.Value {
	if plain[v.Type()] {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	cleanFields(out, depth)
	return out
}

// cleanFields cleans the fields of a struct in place. The exported fields of an embedded struct can be set although the
// embedding is not exported itself; templates reach them, so they must be.
func cleanFields(s reflect.Value, depth int) {
	for i := range s.NumField() {
		f, is := s.Field(i), s.Type().Field(i)
		switch {
		case is.IsExported():
			f.Set(cleanValue(f, depth+1))
		case is.Anonymous && f.Kind() == reflect.Struct:
			cleanFields(f, depth+1)
		}
	}
}

func cleanList(v reflect.Value, depth int) reflect.Value {
	if k := v.Type().Elem().Kind(); k != reflect.String && k < reflect.Array || v.Kind() == reflect.Slice && v.IsNil() {
		return v // numbers
	}
	out := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	for i := range v.Len() {
		out.Index(i).Set(cleanValue(v.Index(i), depth+1))
	}
	return out
}

func cleanMap(v reflect.Value, depth int) reflect.Value {
	if v.IsNil() {
		return v
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(cleanValue(it.Key(), depth+1), cleanValue(it.Value(), depth+1))
	}
	return out
}

// text makes one string harmless and cuts it after limit characters; lines keeps line breaks and tabs.
func text(s string, limit int, lines bool) string {
	if harmless(s) && len(s) <= limit {
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
		case hidden(r), marks > maxMarks:
			n += 7 // of the limit, as long as it is shown
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// harmless is the quick answer for nearly all strings.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// hidden tells whether a character cannot be seen or changes how others are seen: Unicode's control, format (direction
// marks, zero-width joiners, tags), private and unassigned characters, line separators, spaces other than the plain one,
// and the fillers that are letters by class and blank by look.
func hidden(r rune) bool {
	switch r {
	case ' ':
		return false
	case 0x115f, 0x1160, 0x3164, 0xffa0, 0x2800:
		return true
	}
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Zs, unicode.Variation_Selector)
}
