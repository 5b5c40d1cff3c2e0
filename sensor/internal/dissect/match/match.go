// SPDX-License-Identifier: Apache-2.0

// Package match is the vocabulary of protocol recognition: whether the first bytes of a stream belong to a protocol,
// cannot belong to it, or may belong to it.
package match

// Verdict is the result of matching the first bytes of a stream. It is monotone: more bytes may turn Maybe into Yes or
// No and change nothing else, so the result does not depend on how a stream was cut into packets.
type Verdict uint8

// The verdicts, in ascending order.
const (
	No    Verdict = iota // the bytes cannot belong to the protocol
	Maybe                // more bytes are needed; counts as No at the end of a stream
	Yes
)

// Prefix reports whether head begins with prefix, as far as head goes.
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

// AnyPrefix returns the best verdict over prefixes, none of which is the beginning of another.
func AnyPrefix(head []byte, prefixes ...string) Verdict {
	best := No
	for _, p := range prefixes {
		best = max(best, Prefix(head, p))
	}
	return best
}

// If returns Yes if b is set, otherwise No.
func If(b bool) Verdict {
	if b {
		return Yes
	}
	return No
}
