// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"stillwatch/sensor/internal/enrich"
)

// found is the rule that a value matches, and what it names.
type found struct {
	rule                    *rule
	vendor, model, firmware string // vendor only if the value names it
}

// match returns the first rule of a source that a value matches; its rule is nil if there is none.
func (t *Table) match(src Source, value string) (f found) {
	low := strings.ToLower(value)
	if src == Name {
		if f.rule = t.domain(low); f.rule != nil {
			f.model = f.rule.model
		}
		return f
	}
	for _, r := range t.bySource[src.rows()] {
		if f, ok := r.match(value, low); ok {
			return f
		}
	}
	return f
}

// match matches a value, which low is in lower case.
func (r *rule) match(value, low string) (f found, ok bool) {
	if r.re == nil {
		return found{rule: r, model: r.model, firmware: r.firmware}, contains(low, r.text)
	}
	m := r.re.FindStringSubmatch(value)
	if m == nil {
		return f, false
	}
	f = found{rule: r, model: expand(r.model, m), firmware: expand(r.firmware, m)}
	if r.namesVendor() {
		f.vendor = enrich.Canonical(expand(r.vendor, m))
	}
	return f, true
}

func contains(low, text string) bool {
	switch text[0] {
	case '^':
		return strings.HasPrefix(low, text[1:])
	case '=':
		return low == text[1:]
	}
	return strings.Contains(low, text)
}

// expand replaces $1, $2 … by the groups of a match.
func expand(template string, m []string) string {
	for i, x := range m {
		if ref := "$" + string(rune('0'+i)); i > 0 && strings.Contains(template, ref) {
			template = strings.ReplaceAll(template, ref, strings.TrimSpace(x))
		}
	}
	return template
}

// maxLabels is how many suffixes of a name are looked up.
const maxLabels = 8

// domain returns the rule of the longest suffix of whole labels that the table has.
func (t *Table) domain(name string) *rule {
	for range maxLabels {
		if r := t.byDomain[name]; r != nil {
			return r
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		name = rest
	}
	return nil
}

// MaxValue is the longest value of an observation in bytes.
const MaxValue = 96

// Clean returns a text from the network that is safe to show: valid UTF-8 without control characters, at most MaxValue bytes.
func Clean(s string) string {
	if len(s) > 4*MaxValue {
		s = s[:4*MaxValue]
	}
	ok := len(s) <= MaxValue
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] >= ' ' && s[i] < 0x7f
	}
	if ok {
		return strings.TrimSpace(s)
	}
	s = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return '.'
		}
		return c
	}, s)
	for len(s) > MaxValue {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}
