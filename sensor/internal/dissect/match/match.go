// SPDX-License-Identifier: Apache-2.0

// Package match has the words of protocol recognition: whether the first bytes of a stream are of a protocol, cannot be, or may be.
package match

// Verdict is what an identifier says of the first bytes of a stream. It is monotone: more bytes may turn maybe into yes or
// no, nothing else, so how a stream was cut into packets cannot change what it is taken for.
type Verdict uint8

const (
	No Verdict = iota
	Maybe
	Yes
)

// Prefix says whether head begins with prefix, as far as it goes.
func Prefix(head []byte, prefix string) Verdict {
	n := min(len(head), len(prefix))
	switch {
	case string(head[:n]) != prefix[:n]:
		return No
	case n < len(prefix):
		return Maybe
	}
	return Yes
}

// AnyPrefix is the best verdict over prefixes, none of which is the beginning of another.
func AnyPrefix(head []byte, prefixes ...string) Verdict {
	best := No
	for _, p := range prefixes {
		best = max(best, Prefix(head, p))
	}
	return best
}

func If(b bool) Verdict {
	if b {
		return Yes
	}
	return No
}
