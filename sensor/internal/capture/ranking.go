// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"cmp"
	"math"
	"os"
)

// ranking sorts captures by the time of the first packet, files before pipes, and then by contents, packet by packet: time, length on the wire,
// link type, bytes. The path decides only between captures with the same packets, without packets, and between pipes. So the order of the
// command line, compression and format do not matter.
type ranking struct {
	same map[[2]string]bool // paths of files that hold the same packets
}

func (r ranking) compare(a, b entry) int {
	if a.first != b.first {
		return cmp.Compare(a.first, b.first)
	}
	if pipe := a.size < 0; pipe != (b.size < 0) {
		if pipe {
			return 1
		}
		return -1
	} else if !pipe && a.first != math.MaxInt64 {
		if c := compareFiles(a.source, b.source); c != 0 {
			return c
		}
		r.same[[2]string{a.String(), b.String()}], r.same[[2]string{b.String(), a.String()}] = true, true
	}
	return cmp.Compare(a.String(), b.String())
}

// compareFiles compares the packets of two files up to the first difference. It returns 0 if there is none. A file that cannot be opened is
// reported later, when it is read.
func compareFiles(a, b source) int {
	if x, err := os.Stat(a.path); err == nil {
		if y, err := os.Stat(b.path); err == nil && os.SameFile(x, y) && sameMember(a.member, b.member) {
			return 0
		}
	}
	x, err := openStream(a)
	if err != nil {
		return cmp.Compare(a.String(), b.String())
	}
	defer x.close()
	y, err := openStream(b)
	if err != nil {
		return cmp.Compare(a.String(), b.String())
	}
	defer y.close()
	p, q := cursor{s: x}, cursor{s: y}
	for {
		f, g := p.next(), q.next()
		switch {
		case f == nil && g == nil:
			return 0
		case f == nil:
			return -1
		case g == nil:
			return 1
		}
		c := cmp.Or(cmp.Compare(f.Time, g.Time), cmp.Compare(f.OrigLen, g.OrigLen), cmp.Compare(f.Link, g.Link),
			bytes.Compare(p.data(f), q.data(g)))
		if c != 0 {
			return c
		}
	}
}

// sameMember reports whether two members of the same archive are the same.
func sameMember(a, b *member) bool { return a == b || a != nil && b != nil && *a == *b }

// cursor iterates over the frames of a capture, up to its end or damage.
type cursor struct {
	s    *stream
	b    Batch
	at   int
	last int64
}

func (c *cursor) next() *Frame {
	if c.at == len(c.b.Frames) {
		c.b.Frames, c.at = c.b.Frames[:0], 0
		if c.s.next(&c.b, batchSize, c.last) != nil {
			return nil
		}
	}
	f := &c.b.Frames[c.at]
	c.at++
	c.last = f.Time
	return f
}

func (c *cursor) data(f *Frame) []byte { return c.b.Data[f.Off : f.Off+f.Len] }
