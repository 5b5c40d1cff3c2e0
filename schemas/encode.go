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

// String gives the colon form.
func (m MAC) String() string { return string(m.append(nil)) }

// MarshalText gives the colon form.
func (m MAC) MarshalText() ([]byte, error) { return m.append(nil), nil }

// UnmarshalText reads the colon form.
func (m *MAC) UnmarshalText(b []byte) error {
	v, err := net.ParseMAC(string(b))
	if err != nil || len(v) != len(m) {
		return fmt.Errorf("%.40q is not a MAC address", b)
	}
	copy(m[:], v)
	return nil
}

// AppendString appends s as a JSON string. What may come from the wire is made safe for a reader's terminal: bytes
// that are no UTF-8 become U+FFFD, C0 and C1 control characters, and the two line separators are escaped.
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

// appendRune appends the first rune of s, escaped where needed, and gives its length in s.
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

// object writes the members of one JSON object in order.
type object struct {
	b    []byte
	some bool
}

func open(b []byte) object { return object{b: append(b, '{')} }

func (o *object) key(k string) {
	if o.some {
		o.b = append(o.b, ',')
	}
	o.some = true
	o.b = append(append(append(o.b, '"'), k...), '"', ':')
}

// text writes a string member; an empty one is left out.
func (o *object) text(k, v string) {
	if v != "" {
		o.key(k)
		o.b = AppendString(o.b, v)
	}
}

func (o *object) uint(k string, v uint64) {
	o.key(k)
	o.b = strconv.AppendUint(o.b, v, 10)
}

func (o *object) time(k string, t Time) {
	o.key(k)
	o.b = append(t.append(append(o.b, '"')), '"')
}

func (o *object) addr(k string, a netip.Addr) {
	if a.IsValid() {
		o.key(k)
		o.b = append(a.AppendTo(append(o.b, '"')), '"')
	}
}

func (o *object) texts(k string, vs []string) {
	if len(vs) == 0 {
		return
	}
	o.key(k)
	for i, v := range vs {
		o.b = AppendString(append(o.b, sep(i)), v)
	}
	o.b = append(o.b, ']')
}

func sep(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

func (o *object) close() []byte { return append(o.b, '}') }

// AppendDevice appends d as one JSON object without a line end.
func AppendDevice(b []byte, d *Device) ([]byte, error) { return appendJSON(b, d) }

// AppendAlert appends a as one JSON object without a line end. It fails only on evidence that JSON cannot express,
// such as a number that is not finite.
func AppendAlert(b []byte, a *Alert) ([]byte, error) { return appendJSON(b, a) }

func appendJSON(b []byte, v any) ([]byte, error) {
	w := bytes.NewBuffer(b)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return b, fmt.Errorf("encode %T: %w", v, err)
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n")), nil
}
