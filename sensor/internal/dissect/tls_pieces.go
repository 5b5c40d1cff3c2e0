// SPDX-License-Identifier: Apache-2.0

package dissect

import "slices"

// Bounds on what is put together from pieces: the longest message, and how many holes it may have on the way. A hello with
// post-quantum keys has about 2000 bytes; a chain of certificates 3000 to 10000.
const (
	tlsMaxPieces = 1 << 14
	tlsMaxSpans  = 64
)

// tlsPieces puts together bytes that come as pieces with offsets, in any order and more than once: the CRYPTO frames of QUIC
// and the handshake fragments of DTLS. Where pieces disagree the earlier one stands.
type tlsPieces struct {
	buf   []byte
	spans []tlsSpan // what is there: sorted, apart from each other
}

type tlsSpan struct{ from, to int }

// add takes a piece; pieces that exceed the bounds are dropped.
func (p *tlsPieces) add(off int, data []byte) {
	if off < 0 || off > tlsMaxPieces || len(data) > tlsMaxPieces-off || len(data) == 0 {
		return
	}
	end := off + len(data)
	if end > len(p.buf) {
		p.buf = append(p.buf, make([]byte, end-len(p.buf))...)
	}
	at := off
	for _, s := range p.spans {
		if at < min(s.from, end) {
			copy(p.buf[at:min(s.from, end)], data[at-off:])
		}
		at = max(at, min(s.to, end))
	}
	copy(p.buf[at:end], data[at-off:])
	p.cover(off, end)
}

// cover notes that the bytes from off to end are there.
func (p *tlsPieces) cover(off, end int) {
	i := 0
	for i < len(p.spans) && p.spans[i].to < off {
		i++
	}
	j := i
	for j < len(p.spans) && p.spans[j].from <= end {
		off, end = min(off, p.spans[j].from), max(end, p.spans[j].to)
		j++
	}
	if i == j && len(p.spans) >= tlsMaxSpans {
		return
	}
	p.spans = slices.Replace(p.spans, i, j, tlsSpan{off, end})
}

// prefix gives what is there from the start without a hole.
func (p *tlsPieces) prefix() []byte {
	if len(p.spans) == 0 || p.spans[0].from != 0 {
		return nil
	}
	return p.buf[:p.spans[0].to]
}

// reset forgets everything.
func (p *tlsPieces) reset() { p.buf, p.spans = nil, nil }
