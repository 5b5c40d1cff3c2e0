// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The JSON Schema library decodes a line into maps and compares numbers as fractions, which costs more than the rest of the
// processing of a record. The fast path is built from the compiled schema and checks the bytes of a line directly. It accepts only
// lines that are valid and leaves the rest to the library, so it can be strict where that keeps it simple: no white space between
// tokens, no escapes in keys, no duplicate keys, no exponents.

// check is one node of a schema.
type check struct {
	is       byte // '{', '[', 's' string, 'i' integer, 'n' number, 'b' boolean; 0 accepts nothing
	members  map[string]member
	required uint64 // bits of the required members
	any      bool   // an object with any members
	items    *check
	from, to int // items or characters; to < 0: unlimited
	pattern  jsonschema.Regexp
	words    map[string]bool // the values of an enum
	address  bool
	min, max *int64
}

type member struct {
	bit  uint64
	node *check
}

// unsupported accepts nothing. It stands for schemas with keywords that the fast path does not support.
var unsupported = &check{}

// checks builds and caches the checks of schemas.
type checks map[*jsonschema.Schema]*check

func (m checks) of(s *jsonschema.Schema) *check {
	if s == nil {
		return unsupported
	}
	if c := m[s]; c != nil {
		return c
	}
	m[s] = unsupported // breaks the recursion of a schema that refers to itself
	m[s] = m.build(s)
	return m[s]
}

func (m checks) build(s *jsonschema.Schema) *check {
	if s.Ref != nil {
		if !only(s, "Ref") {
			return unsupported
		}
		return m.of(s.Ref)
	}
	if s.Const != nil && only(s, "Const") {
		return words([]any{*s.Const})
	}
	if s.Types == nil || len(s.Types.ToStrings()) != 1 {
		return unsupported
	}
	switch s.Types.ToStrings()[0] {
	case "object":
		return m.object(s)
	case "array":
		if s.Items2020 == nil || !only(s, "Types", "Items2020", "MinItems", "MaxItems") {
			return unsupported
		}
		return &check{is: '[', items: m.of(s.Items2020), from: number(s.MinItems, 0), to: number(s.MaxItems, -1)}
	case "string":
		return text(s)
	case "integer":
		return bounded(s, 'i')
	case "number":
		return bounded(s, 'n')
	case "boolean":
		if only(s, "Types") {
			return &check{is: 'b'}
		}
	}
	return unsupported
}

// only reports whether s has no keywords other than known and annotations.
func only(s *jsonschema.Schema, known ...string) bool {
	rest := *s
	v := reflect.ValueOf(&rest).Elem()
	for _, name := range append(known, "DraftVersion", "Location", "ID", "Title", "Description", "Comment") {
		v.FieldByName(name).SetZero()
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() && !v.Field(i).IsZero() && !(v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0) {
			return false
		}
	}
	return true
}

func number(n *int, without int) int {
	if n == nil {
		return without
	}
	return *n
}

func (m checks) object(s *jsonschema.Schema) *check {
	c := &check{is: '{', members: map[string]member{}}
	if only(s, "Types") {
		c.any = true
		return c
	}
	if s.AdditionalProperties != false || len(s.Properties) > 64 || !only(s, "Types", "Properties", "Required", "AdditionalProperties") {
		return unsupported
	}
	for name, p := range s.Properties {
		c.members[name] = member{1 << len(c.members), m.of(p)}
	}
	for _, name := range s.Required {
		if _, there := c.members[name]; !there {
			return unsupported
		}
		c.required |= c.members[name].bit
	}
	return c
}

func text(s *jsonschema.Schema) *check {
	c := &check{is: 's', from: number(s.MinLength, 0), to: number(s.MaxLength, -1), pattern: s.Pattern}
	switch {
	case s.Enum != nil && only(s, "Types", "Enum"):
		return words(s.Enum.Values)
	case only(s, "Types", "AnyOf") && len(s.AnyOf) == 2 && format(s.AnyOf[0], "ipv4") && format(s.AnyOf[1], "ipv6"):
		c.address = true
	case !only(s, "Types", "MinLength", "MaxLength", "Pattern"):
		return unsupported
	}
	return c
}

func format(s *jsonschema.Schema, name string) bool {
	return s.Format != nil && s.Format.Name == name && only(s, "Format")
}

func words(all []any) *check {
	c := &check{is: 's', to: -1, words: map[string]bool{}}
	for _, v := range all {
		w, ok := v.(string)
		if !ok {
			return unsupported
		}
		c.words[w] = true
	}
	return c
}

func bounded(s *jsonschema.Schema, is byte) *check {
	c := &check{is: is}
	if !only(s, "Types", "Minimum", "Maximum") {
		return unsupported
	}
	if r := s.Minimum; r != nil {
		if !r.IsInt() || !r.Num().IsInt64() {
			return unsupported
		}
		n := r.Num().Int64()
		c.min = &n
	}
	if r := s.Maximum; r != nil {
		if !r.IsInt() || !r.Num().IsInt64() {
			return unsupported
		}
		n := r.Num().Int64()
		c.max = &n
	}
	return c
}

// line reports whether s is one valid value.
func (c *check) line(s string) bool {
	n := c.value(s)
	return n > 0 && n == len(s)
}

// value returns the length of the value at the start of s, or 0 if the fast path does not accept it.
func (c *check) value(s string) int {
	if s == "" {
		return 0
	}
	switch {
	case c.is == '{' && s[0] == '{':
		if c.any {
			return objectLen(s)
		}
		return c.object(s)
	case c.is == '[' && s[0] == '[':
		return c.array(s)
	case c.is == 's' && s[0] == '"':
		return c.text(s)
	case c.is == 'i' || c.is == 'n':
		return c.number(s)
	case c.is == 'b' && strings.HasPrefix(s, "true"):
		return 4
	case c.is == 'b' && strings.HasPrefix(s, "false"):
		return 5
	}
	return 0
}

func (c *check) object(s string) int {
	seen := uint64(0)
	if strings.HasPrefix(s, "{}") && c.required == 0 {
		return 2
	}
	for at := 1; at < len(s) && s[at] == '"'; {
		end := strings.IndexByte(s[at+1:], '"')
		if end < 0 {
			return 0
		}
		m, known := c.members[s[at+1:at+1+end]]
		at += end + 2
		if !known || seen&m.bit != 0 || at >= len(s) || s[at] != ':' {
			return 0
		}
		seen |= m.bit
		n := m.node.value(s[at+1:])
		if at += 1 + n; n == 0 || at >= len(s) {
			return 0
		}
		if s[at] == '}' && seen&c.required == c.required {
			return at + 1
		}
		if s[at] != ',' {
			return 0
		}
		at++
	}
	return 0
}

func (c *check) array(s string) int {
	for at, count := 1, 1; at < len(s); count++ {
		n := c.items.value(s[at:])
		if at += n; n == 0 || at >= len(s) {
			return 0
		}
		if s[at] == ']' && count >= c.from && (c.to < 0 || count <= c.to) {
			return at + 1
		}
		if s[at] != ',' {
			return 0
		}
		at++
	}
	return 0
}

// quoted returns the length of the string at the start of s (0 if it is not terminated), and whether it has escapes and non-ASCII bytes.
func quoted(s string) (n int, escaped, wide bool) {
	for i := 1; i < len(s); i++ {
		switch b := s[i]; {
		case b == '"':
			return i + 1, escaped, wide
		case b == '\\':
			escaped = true
			i++
		case b < 0x20:
			return 0, false, false
		case b >= utf8.RuneSelf:
			wide = true
		}
	}
	return 0, false, false
}

func (c *check) text(s string) int {
	n, escaped, wide := quoted(s)
	if n == 0 || wide && !utf8.ValidString(s[:n]) {
		return 0
	}
	v, ok := s[1:n-1], true
	if escaped {
		v, ok = unescape(s[:n])
	}
	if ok && c.accepts(v) {
		return n
	}
	return 0
}

func unescape(s string) (v string, ok bool) {
	err := json.Unmarshal([]byte(s), &v)
	return v, err == nil
}

func (c *check) accepts(v string) bool {
	if c.words != nil {
		return c.words[v]
	}
	if c.address {
		a, err := netip.ParseAddr(v)
		return err == nil && a.Zone() == ""
	}
	if c.from > 1 || c.to >= 0 && len(v) > c.to {
		if n := utf8.RuneCountInString(v); n < c.from || c.to >= 0 && n > c.to {
			return false
		}
	} else if len(v) < c.from {
		return false
	}
	return c.pattern == nil || c.pattern.MatchString(v)
}

// number accepts an integer of at most 18 digits or a fraction without exponent.
func (c *check) number(s string) int {
	at := 0
	if s[0] == '-' {
		at++
	}
	first := at
	for at < len(s) && s[at] >= '0' && s[at] <= '9' {
		at++
	}
	if at == first || at-first > 18 || s[first] == '0' && at-first > 1 {
		return 0
	}
	n, err := strconv.ParseInt(s[:at], 10, 64)
	if err != nil || at < len(s) && (s[at] == 'e' || s[at] == 'E') {
		return 0
	}
	if at == len(s) || s[at] != '.' {
		if c.min != nil && n < *c.min || c.max != nil && n > *c.max {
			return 0
		}
		return at
	}
	if c.is == 'i' {
		return 0
	}
	return c.fraction(s, at+1)
}

// fraction accepts numbers that lie strictly between the bounds after rounding to float64. Rounding may move a number onto a bound,
// which is an integer, but never past it.
func (c *check) fraction(s string, at int) int {
	first := at
	for at < len(s) && s[at] >= '0' && s[at] <= '9' {
		at++
	}
	if at == first || at > 64 || at < len(s) && (s[at] == 'e' || s[at] == 'E') {
		return 0
	}
	f, err := strconv.ParseFloat(s[:at], 64)
	if err != nil || c.min != nil && f <= float64(*c.min) || c.max != nil && f >= float64(*c.max) {
		return 0
	}
	return at
}

// objectLen returns the length of the JSON object at the start of s, or 0 if it is not valid JSON.
func objectLen(s string) int {
	for at, depth := 0, 0; at < len(s); at++ {
		switch s[at] {
		case '"':
			n, _, _ := quoted(s[at:])
			if n == 0 {
				return 0
			}
			at += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth > 0 {
				continue
			}
			if json.Valid([]byte(s[:at+1])) {
				return at + 1
			}
			return 0
		}
	}
	return 0
}
