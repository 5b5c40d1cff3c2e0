// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"stillwatch/sensor/internal/dissect/match"
)

// BERHead reads the tag and the length of a BER element (X.690 section 8.1) with a tag of one byte and a definite
// length below 16 MiB. It returns Maybe if it needs more bytes.
func BERHead(b []byte) (headLen, size int, v match.Verdict) {
	const long, maxSize = 0x80, 1 << 24
	if len(b) < 2 {
		return 0, 0, match.Maybe
	}
	if b[1]&long == 0 {
		return 2, int(b[1]), match.Yes
	}
	n := int(b[1] &^ long)
	if n == 0 || n > 4 {
		return 0, 0, match.No
	}
	if len(b) < 2+n {
		return 0, 0, match.Maybe
	}
	for _, c := range b[2 : 2+n] {
		size = size<<8 | int(c)
	}
	if size >= maxSize {
		return 0, 0, match.No
	}
	return 2 + n, size, match.Yes
}

// BERNext splits the first element off b. ok is false if b does not hold all of it.
func BERNext(b []byte) (tag byte, body, rest []byte, ok bool) {
	head, size, v := BERHead(b)
	if v != match.Yes || size > len(b)-head {
		return 0, nil, nil, false
	}
	return b[0], b[head : head+size], b[head+size:], true
}

// BERTagged is BERNext for an element that must have the given tag.
func BERTagged(b []byte, tag byte) (body, rest []byte, ok bool) {
	got, body, rest, ok := BERNext(b)
	return body, rest, ok && got == tag
}

// BERInteger reads an unsigned number of at most 4 bytes.
func BERInteger(b []byte, tag byte) (n uint32, rest []byte, ok bool) {
	body, rest, ok := BERTagged(b, tag)
	if !ok || len(body) == 0 || len(body) > 4 {
		return 0, nil, false
	}
	for _, c := range body {
		n = n<<8 | uint32(c)
	}
	return n, rest, true
}

// BERBody returns what follows the tag and the length, as far as b goes. ok is false if the length is cut or has an
// unusual form.
func BERBody(b []byte) (body []byte, ok bool) {
	head, _, v := BERHead(b)
	return b[head:], v == match.Yes
}

// BERExact is BERBody for an element that must fill b.
func BERExact(b []byte) (body []byte, ok bool) {
	head, size, v := BERHead(b)
	return b[head:], v == match.Yes && size == len(b)-head
}
