// SPDX-License-Identifier: Apache-2.0

// Package lifecycle knows when products were released and until when they are supported, and which vulnerabilities of devices are known to
// be exploited. Its tables are data files that an operator can replace.
package lifecycle

import (
	"cmp"
	"strings"
)

// maxParts is how many numbers of a version are compared.
const maxParts = 8

// parts returns the numbers of a version up to the first space: "V5.5.800 build 210628" has 5, 5 and 800. ok is false if there is none.
func parts(version string) (out [maxParts]uint64, n int, ok bool) {
	version = strings.TrimSpace(version)
	if i := strings.IndexByte(version, ' '); i >= 0 {
		version = version[:i]
	}
	in := false
	for i := range len(version) {
		c := version[i]
		if c < '0' || c > '9' {
			in = false
			continue
		}
		if !in {
			if n == maxParts {
				break
			}
			in, n = true, n+1
		}
		if out[n-1] < 1<<59 {
			out[n-1] = out[n-1]*10 + uint64(c-'0')
		}
	}
	return out, n, n > 0
}

// Compare compares two versions by their numbers; missing ones are 0.
func Compare(a, b string) int {
	x, _, _ := parts(a)
	y, _, _ := parts(b)
	for i := range x {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	return 0
}

// within reports whether a version begins with the numbers of a pattern: 1.10.3 is within 1.10, and 1.100 is not.
func within(version, pattern string) bool {
	x, n, ok := parts(version)
	y, m, known := parts(pattern)
	return ok && known && n >= m && [maxParts]uint64(x) == merge(y, x, m)
}

// merge returns the first m numbers of y and the rest of x.
func merge(y, x [maxParts]uint64, m int) [maxParts]uint64 {
	copy(x[:m], y[:m])
	return x
}

// Glob reports whether a text matches a pattern in which a star stands for any text, without regard to ASCII case.
func Glob(pattern, text string) bool {
	pattern, text = strings.ToLower(pattern), strings.ToLower(text)
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(text, part)
		}
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text, rest = text[i+len(part):], after
	}
}
