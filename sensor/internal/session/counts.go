// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// AddCounts accounts for packets that were counted elsewhere and are not there: the session has them as if they had come, but its streams
// cannot be read beyond them, and from now on its sequence numbers prove nothing. num is their number in the run. Counts of a session that
// is not known begin one, caught in the middle: its packets were captured by the same right as those of any other.
func (t *Table) AddCounts(c *packet.Counts, num uint64) {
	n := [2]uint8{0, 1} // side of A, of B
	k, a := keyOfCounts(c)
	if a == 1 {
		n = [2]uint8{1, 0}
	}
	h := k.hash(&t.seed)
	now := t.clock(c.Last)
	_, r := t.find(&k, h)
	opened := r == 0
	if opened {
		r = t.beginCounted(c, k, h, n, num)
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

// keyOfCounts gives the key of c and the side of A.
func keyOfCounts(c *packet.Counts) (k key, side uint8) {
	a, b := words(&c.A), words(&c.B)
	tail := uint64(c.Proto) << 16
	if !c.A.Is4() || !c.B.Is4() {
		tail++
	}
	if a[0] < b[0] || a[0] == b[0] && (a[1] < b[1] || a[1] == b[1] && c.PortA <= c.PortB) {
		return key{a, b, uint64(c.PortA)<<48 | uint64(c.PortB)<<32 | tail}, 0
	}
	return key{b, a, uint64(c.PortB)<<48 | uint64(c.PortA)<<32 | tail}, 1
}

func (t *Table) beginCounted(c *packet.Counts, k key, h uint64, n [2]uint8, num uint64) ref {
	p := c.Packet()
	p.Num = num
	sender := n[0]
	if c.Packets[0] == 0 {
		sender = n[1]
	}
	r, s := t.create(&p, k, h, sender)
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
