// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"slices"
)

// Bounds on reassembly: the longest message, and how many gaps it may have on the way. A hello with post-quantum keys
// has about 2000 bytes; a chain of certificates 3000 to 10000.
const (
	MaxPieces = 1 << 14
	MaxSpans  = 64
)

// Pieces reassembles bytes that arrive as pieces with offsets, in any order and more than once: the CRYPTO frames of
// QUIC and the handshake fragments of DTLS. If pieces disagree, the earlier one counts.
type Pieces struct {
	Buf   []byte
	Spans []span // what has arrived: sorted and disjoint
}

type span struct{ from, to int }

// Add adds a piece. Pieces that exceed the bounds are dropped.
func (p *Pieces) Add(off int, data []byte) {
	if off < 0 || off > MaxPieces || len(data) > MaxPieces-off || len(data) == 0 {
		return
	}
	end := off + len(data)
	if end > len(p.Buf) {
		p.Buf = append(p.Buf, make([]byte, end-len(p.Buf))...)
	}
	at := off
	for _, s := range p.Spans {
		if at < min(s.from, end) {
			copy(p.Buf[at:min(s.from, end)], data[at-off:])
		}
		at = max(at, min(s.to, end))
	}
	copy(p.Buf[at:end], data[at-off:])
	p.cover(off, end)
}

// cover notes that the bytes from off to end have arrived.
func (p *Pieces) cover(off, end int) {
	i := 0
	for i < len(p.Spans) && p.Spans[i].to < off {
		i++
	}
	j := i
	for j < len(p.Spans) && p.Spans[j].from <= end {
		off, end = min(off, p.Spans[j].from), max(end, p.Spans[j].to)
		j++
	}
	if i == j && len(p.Spans) >= MaxSpans {
		return
	}
	p.Spans = slices.Replace(p.Spans, i, j, span{off, end})
}

// Prefix returns what has arrived from the start without a gap.
func (p *Pieces) Prefix() []byte {
	if len(p.Spans) == 0 || p.Spans[0].from != 0 {
		return nil
	}
	return p.Buf[:p.Spans[0].to]
}

// Reset discards everything.
func (p *Pieces) Reset() { p.Buf, p.Spans = nil, nil }
