// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// row is one kind of request. Its pattern is also the name of the action: an optional method, the path, after a question mark the parameters
// that must be there, with their value or without, and after a number sign the method in a body of JSON. A star stands for one part of a path or
// for the rest of a value, two stars at the end stand for the rest of the path. Case is ignored.
type row struct {
	pattern   string
	kind      dissect.ActionKind              // none if the request is no action
	describes bool                            // the response says something of the device
	setting   func([]byte) dissect.ActionKind // returns the kind by the name of the setting that is changed
}

// fits reports whether a request fits the row. path is the path without the root, which is that long.
func (r *row) fits(root int, method string, path, query, form []byte) bool {
	pattern := r.pattern
	if strings.IndexByte(pattern, '#') >= 0 {
		return false // decided by the body
	}
	if pattern[0] != '/' {
		want, rest, _ := strings.Cut(pattern, " ")
		if want != method {
			return false
		}
		pattern = rest
	}
	pattern, want, _ := strings.Cut(pattern, "?")
	if !glob(pattern[root:], path) {
		return false
	}
	for want != "" {
		var cond string
		cond, want, _ = strings.Cut(want, "&")
		if !hasParam(query, cond) && !hasParam(form, cond) {
			return false
		}
	}
	return true
}

// hasParam reports whether parameters include one that fits a condition: a name, or a name and a value.
func hasParam(params []byte, cond string) bool {
	name, value, hasValue := strings.Cut(cond, "=")
	for len(params) > 0 {
		var k, v []byte
		k, v, params = nextParam(params)
		var kb, vb [64]byte
		if glob(name, parse.UnescapePercent(kb[:0], k)) && (!hasValue || glob(value, parse.UnescapePercent(vb[:0], v))) {
			return true
		}
	}
	return false
}

func nextParam(params []byte) (name, value, rest []byte) {
	pair, rest, _ := bytes.Cut(params, []byte("&"))
	name, value, _ = bytes.Cut(pair, []byte("="))
	return name, value, rest
}

// settingKind returns the kind of the first setting among parameters that is more than a setting.
func settingKind(kind func([]byte) dissect.ActionKind, lists ...[]byte) dissect.ActionKind {
	for _, params := range lists {
		for len(params) > 0 {
			var k []byte
			var buf [64]byte
			k, _, params = nextParam(params)
			if found := kind(parse.UnescapePercent(buf[:0], k)); found != dissect.ActionConfiguration {
				return found
			}
		}
	}
	return dissect.ActionConfiguration
}

// glob reports whether b fits a pattern.
func glob(pattern string, b []byte) bool {
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i:] == "**":
			return true
		case pattern[i] == '*':
			n := bytes.IndexByte(b, '/')
			if n < 0 {
				n = len(b)
			}
			b = b[n:]
		case len(b) == 0 || parse.Lower(b[0]) != parse.Lower(pattern[i]):
			return false
		default:
			b = b[1:]
		}
	}
	return len(b) == 0
}
