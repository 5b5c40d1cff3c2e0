// SPDX-License-Identifier: Apache-2.0

package dissect

// berHead reads tag and length of an element of BER (X.690 section 8.1) with a tag of one byte and a definite length below
// 16 MiB. It says maybe if more bytes are needed.
func berHead(b []byte) (headLen, size int, v verdict) {
	const long, maxSize = 0x80, 1 << 24
	if len(b) < 2 {
		return 0, 0, maybe
	}
	if b[1]&long == 0 {
		return 2, int(b[1]), yes
	}
	n := int(b[1] &^ long)
	if n == 0 || n > 4 {
		return 0, 0, no
	}
	if len(b) < 2+n {
		return 0, 0, maybe
	}
	for _, c := range b[2 : 2+n] {
		size = size<<8 | int(c)
	}
	if size >= maxSize {
		return 0, 0, no
	}
	return 2 + n, size, yes
}

// berNext splits the first element off b; ok is false if it is not there as a whole.
func berNext(b []byte) (tag byte, body, rest []byte, ok bool) {
	head, size, v := berHead(b)
	if v != yes || size > len(b)-head {
		return 0, nil, nil, false
	}
	return b[0], b[head : head+size], b[head+size:], true
}

// berTagged is berNext for an element that must have this tag.
func berTagged(b []byte, tag byte) (body, rest []byte, ok bool) {
	got, body, rest, ok := berNext(b)
	return body, rest, ok && got == tag
}

// berInteger reads an unsigned number of at most 4 bytes.
func berInteger(b []byte, tag byte) (n uint32, rest []byte, ok bool) {
	body, rest, ok := berTagged(b, tag)
	if !ok || len(body) == 0 || len(body) > 4 {
		return 0, nil, false
	}
	for _, c := range body {
		n = n<<8 | uint32(c)
	}
	return n, rest, true
}

// berBody is what follows tag and length, as far as it is there; ok is false if the length is not there or not of a
// usual form.
func berBody(b []byte) (body []byte, ok bool) {
	head, _, v := berHead(b)
	return b[head:], v == yes
}

// berExact is berBody for a length that is the rest of b.
func berExact(b []byte) (body []byte, ok bool) {
	head, size, v := berHead(b)
	return b[head:], v == yes && size == len(b)-head
}
