// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// AddCounts accounts for packets that were counted elsewhere and are not there: the session has them as if they had come, but its streams
// cannot be read beyond them, and from now on its sequence numbers prove nothing. num is their number in the run. Counts of a session that
// is not known begin one, caught in the middle: its packets were captured by the same right as those of any other.
func (t *Table) AddCounts(c *packet.Counts, num uint64) {
	var l Lookup
	side := l.key.set(&c.A, &c.B, c.PortA, c.PortB, c.Proto, !c.A.Is4() || !c.B.Is4())
	l.hash = l.key.hash(&t.seed)
	n := [2]uint8{side, side ^ 1} // of A, of B
	now := t.clock(c.Last)
	r, _ := t.session(&l)
	opened := r == 0
	if opened {
		r = t.beginCounted(c, &l, n, num)
	}
	s := t.at(r)
	s.flags |= flagShunted
	for i, side := range n {
		x := &s.counts[side]
		x.packets += c.Packets[i]
		x.ipBytes += c.IPBytes[i]
		x.payload += c.PayloadBytes[i]
	}
	s.last = max(s.last, c.Last)
	s.touched = max(s.touched, uint32(min(c.Last/1e9, t.wheel.now)))
	if opened {
		t.h.Opened(s, now)
	}
	t.countedState(s, opened, now)
	for i, side := range n {
		if c.PayloadBytes[i] > 0 && s.head != 0 && s.key.proto() == protoTCP {
			t.finishSide(s, side, now)
		}
	}
	t.progress(s, now)
}

func (t *Table) beginCounted(c *packet.Counts, l *Lookup, n [2]uint8, num uint64) ref {
	p := c.Packet()
	p.Num = num
	l.side = n[0]
	if c.Packets[0] == 0 {
		l.side = n[1]
	}
	r, s := t.create(&p, l)
	s.flags |= flagDone
	return r
}

// countedState moves the state on: both ends have spoken.
func (t *Table) countedState(s *Session, opened bool, now int64) {
	if (s.state == Attempted || s.state == OneWay) && s.counts[0].packets > 0 && s.counts[1].packets > 0 {
		s.state = Established
		if !opened {
			t.h.Changed(s, now)
		}
	}
}
