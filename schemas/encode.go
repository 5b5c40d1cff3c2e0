// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

func (m MAC) append(b []byte) []byte {
	for i, x := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, hexDigits[x>>4], hexDigits[x&15])
	}
	return b
}

// String returns the colon form.
func (m MAC) String() string { return string(m.append(nil)) }

// MarshalText returns the colon form.
func (m MAC) MarshalText() ([]byte, error) { return m.append(nil), nil }

// UnmarshalText parses the colon form.
func (m *MAC) UnmarshalText(b []byte) error {
	v, err := net.ParseMAC(string(b))
	if err != nil || len(v) != len(m) {
		return fmt.Errorf("%.40q is not a MAC address", b)
	}
	copy(m[:], v)
	return nil
}

// AppendString appends s as a JSON string that is safe to print on a terminal, because s may come from the network: invalid UTF-8
// becomes U+FFFD, and C0 and C1 control characters, U+2028 and U+2029 are escaped.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		n := 1
		b, n = appendRune(b, s[i:])
		i += n
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// appendRune appends the first rune of s, escaped if needed, and returns its length in s.
func appendRune(b []byte, s string) ([]byte, int) {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == '"' || r == '\\':
		b = append(b, '\\', byte(r))
	case r == '\n':
		b = append(b, '\\', 'n')
	case r == utf8.RuneError && n == 1:
		b = append(b, "\ufffd"...)
	case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029:
		b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	default:
		b = append(b, s[:n]...)
	}
	return b, n
}

// writer writes JSON objects, also nested ones, member by member.
type writer struct {
	b     []byte
	comma bool // the open object has a member
}

func (w *writer) begin() {
	w.b = append(w.b, '{')
	w.comma = false
}

func (w *writer) end() {
	w.b = append(w.b, '}')
	w.comma = true // of the outer object
}

func (w *writer) key(k string) {
	if w.comma {
		w.b = append(w.b, ',')
	}
	w.comma = true
	w.b = append(append(append(w.b, '"'), k...), '"', ':')
}

// object writes a member that is an object, unless it is absent.
func (w *writer) object(k string, present bool, members func()) {
	if present {
		w.key(k)
		w.begin()
		members()
		w.end()
	}
}

// text writes a string member, unless it is empty.
func (w *writer) text(k, v string) {
	if v != "" {
		w.key(k)
		w.b = AppendString(w.b, v)
	}
}

// fields writes several string members, given as keys and values in turn, unless they are empty.
func (w *writer) fields(pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		w.text(pairs[i], pairs[i+1])
	}
}

func (w *writer) uint(k string, v uint64) {
	w.key(k)
	w.b = strconv.AppendUint(w.b, v, 10)
}

// count writes a number that is left out if it is zero.
func (w *writer) count(key string, n uint64) {
	if n != 0 {
		w.uint(key, n)
	}
}

func (w *writer) time(k string, t Time) {
	w.key(k)
	w.b = append(t.append(append(w.b, '"')), '"')
}

func (w *writer) addr(k string, a netip.Addr) {
	if a.IsValid() {
		w.key(k)
		w.b = append(a.AppendTo(append(w.b, '"')), '"')
	}
}

func (w *writer) texts(k string, all []string) {
	writeList(w, k, all, func(v *string) { w.b = AppendString(w.b, *v) })
}

// writeList writes an array member, unless it is empty. one writes an element.
func writeList[T any](w *writer, k string, all []T, one func(*T)) {
	if len(all) == 0 {
		return
	}
	w.key(k)
	for i := range all {
		w.b = append(w.b, "[,"[min(i, 1)])
		one(&all[i])
	}
	w.b = append(w.b, ']')
}

// AppendDevice appends d as one JSON object without a trailing newline.
func AppendDevice(b []byte, d *Device) ([]byte, error) { return appendJSON(b, d) }

// AppendAlert appends a as one JSON object without a trailing newline. It fails only on evidence that JSON cannot express,
// such as NaN.
func AppendAlert(b []byte, a *Alert) ([]byte, error) { return appendJSON(b, a) }

// AppendIncident appends i as one JSON object without a trailing newline.
func AppendIncident(b []byte, i *Incident) ([]byte, error) { return appendJSON(b, i) }

// AppendPolicy appends p as one JSON object without a trailing newline.
func AppendPolicy(b []byte, p *Policy) ([]byte, error) { return appendJSON(b, p) }

// AppendStatus appends s as one JSON object without a trailing newline.
func AppendStatus(b []byte, s *Status) ([]byte, error) { return appendJSON(b, s) }

func appendJSON(b []byte, v any) ([]byte, error) {
	w := bytes.NewBuffer(b)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return b, fmt.Errorf("encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n")), nil
}
