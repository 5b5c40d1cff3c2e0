// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// match returns the first rule of a source that a value matches, with the model and firmware that it names; nil if there is none.
func (t *table) match(src Source, value string) (r *rule, model, firmware string) {
	low := strings.ToLower(value)
	if src == Name {
		if r = t.domain(low); r != nil {
			model = r.model
		}
		return r, model, ""
	}
	for _, r := range t.bySource[src.rows()] {
		if model, firmware, ok := r.match(value, low); ok {
			return r, model, firmware
		}
	}
	return nil, "", ""
}

// match matches a value, which low is in lower case.
func (r *rule) match(value, low string) (model, firmware string, ok bool) {
	if r.re == nil {
		return r.model, r.firmware, contains(low, r.text)
	}
	m := r.re.FindStringSubmatch(value)
	if m == nil {
		return "", "", false
	}
	return expand(r.model, m), expand(r.firmware, m), true
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
func (t *table) domain(name string) *rule {
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
