// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// AddCounts adds packets that the kernel counted and did not copy, as if they had arrived. It does not touch the stream heads: the kernel
// copies every packet of the first HeadLimit bytes of a stream, including late and repeated ones. num is the packet number in the run.
// Counts for an unknown session start one in state Midstream.
func (t *Table) AddCounts(c *packet.Counts, num uint64) {
	var l Lookup
	sides := t.of(c, &l)
	now := t.clock(c.Last)
	r, s := t.session(&l)
	opened := r == 0
	if opened {
		r, s = t.beginCounted(c, &l, num)
	}
	for i, side := range sides {
		x := &s.counts[side]
		x.packets += c.Packets[i]
		x.ipBytes += c.IPBytes[i]
		x.payload += c.PayloadBytes[i]
		if n := c.PayloadBytes[i]; n > 0 && s.flags&flagFollowed != 0 {
			t.active(s, uint32(min(n, 1<<32-1)), side, now)
		}
	}
	if s.key.proto() == protoTCP {
		t.trackCounted(s, c, sides)
	}
	s.last = max(s.last, c.Last)
	s.touched = max(s.touched, uint32(min(c.Last/1e9, t.wheel.now)))
	if opened {
		t.h.Opened(s, now)
	}
	t.countedState(s, opened, now)
	if s.kib() >= uint64(s.reportAt) {
		t.grew(r, s)
	}
}

// of sets l to the lookup of the counted session and returns the sides of its ends A and B.
func (t *Table) of(c *packet.Counts, l *Lookup) (sides [2]uint8) {
	p := c.Packet()
	p.Kind = packet.KindTCP // take the ports as they are: for ICMP they are already translated
	l.side = l.key.of(&p)
	l.hash = l.key.hash(&t.seed)
	sides[0], sides[1] = l.side, l.side^1
	if c.Packets[0] == 0 { // B sent p
		sides[0], sides[1] = sides[1], sides[0]
	}
	return sides
}

func (t *Table) beginCounted(c *packet.Counts, l *Lookup, num uint64) (ref, *Session) {
	p := c.Packet()
	p.Num = num
	r, s := t.create(&p, l)
	s.flags |= flagDone
	return r, s
}

// trackCounted is trackTCP for packets counted by the kernel.
func (t *Table) trackCounted(s *Session, c *packet.Counts, sides [2]uint8) {
	t.Stats.TCPPackets += c.Packets[0] + c.Packets[1]
	t.Stats.GapBytes += uint64(c.Gap)
	t.Stats.AckedBytes += c.PayloadBytes[0] + c.PayloadBytes[1] + uint64(c.Gap)
	for i, side := range sides {
		x := &s.end[side]
		switch {
		case c.End[i] == 0:
		case x.saw&sawTCP == 0:
			x.saw |= sawTCP
			x.maxEnd, x.base = c.End[i], c.End[i]
		case int32(c.End[i]-x.maxEnd) > 0:
			x.maxEnd = c.End[i]
		}
	}
}

// countedState updates the state after both ends have sent packets.
func (t *Table) countedState(s *Session, opened bool, now int64) {
	unconfirmed := s.unconfirmed()
	if (s.state == Attempted || s.state == OneWay || unconfirmed) && s.counts[0].packets > 0 && s.counts[1].packets > 0 {
		s.state = Established
		if unconfirmed {
			s.flags |= flagStarted
			t.notify(s, now)
		}
		if !opened {
			t.h.Changed(s, now)
		}
	}
}
