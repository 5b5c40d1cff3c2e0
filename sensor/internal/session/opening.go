// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// opening is what a SYN or SYN-ACK means for the session that has its five-tuple.
type opening uint8

const (
	openingOwn      opening = iota // part of the session: the first, a retransmission, or delivered late by the mirror
	openingNew                     // opens another session
	openingDoubtful                // may be forged: wait for the other end to confirm it (RFC 5961 section 4)
)

const (
	// lateWindow is how far before the first captured segment of a stream its SYN may be, in sequence numbers, if the ISN is not known.
	lateWindow = 1 << 16
	// quietSeconds without a packet is when a SYN with another ISN starts a new session if only one direction was captured. With both directions the
	// answer decides, so that a forged SYN does not end a login that waits for its password.
	quietSeconds = 60
)

// opening compares the sequence numbers of p, a SYN or SYN-ACK from side n, with those of s. now is the capture clock in seconds.
func (s *Session) opening(p *packet.Packet, n uint8, now int64) opening {
	x, y := &s.end[n], &s.end[n^1]
	answer := p.TCPFlags&packet.ACK != 0
	dead := s.state == Closed || s.state == Reset || s.state == Rejected
	quiet := now - int64(s.touched)
	switch own := s.owns(p, n); {
	case own && !answer && x.saw&sawSYN != 0 && s.state != Attempted && s.state != OneWay:
		return openingDoubtful // a copy, or a stack that always uses the same ISN: the SYN-ACK decides
	case own:
		return openingOwn
	case dead:
		return openingNew
	case s.state == Attempted || s.state == OneWay:
		if answer || x.saw&sawSYN == 0 {
			return openingOwn // an answer, or a simultaneous open (RFC 9293 section 3.5)
		}
		return openingNew // another attempt
	case answer && s.flags&flagResumed != 0 && y.saw&sawSYN != 0 && p.Ack == y.base:
		s.restart(n ^ 1)
		return openingOwn
	case answer:
		return openingDoubtful
	case s.unconfirmed(), x.saw&sawFIN != 0, y.saw&sawFIN != 0 && quiet >= 1, quiet > quietSeconds && !s.bothEnds():
		return openingNew
	}
	return openingDoubtful
}

// bothEnds reports whether packets of both ends were captured.
func (s *Session) bothEnds() bool { return s.counts[0].packets > 0 && s.counts[1].packets > 0 }

// restart makes s a session of its own and not the continuation of an ended one: a SYN with the old ISN, from side n, got a new answer.
func (s *Session) restart(n uint8) {
	s.setInitiator(n)
	s.state, s.basis = Attempted, BasisSYN
	s.flags, s.continues = s.flags&^flagResumed|flagStarted, false
	s.end[n^1].saw = 0
}

// owns reports whether a SYN or SYN-ACK from side n has the sequence numbers of the session.
func (s *Session) owns(p *packet.Packet, n uint8) bool {
	x, y := &s.end[n], &s.end[n^1]
	first := p.Seq + 1
	switch {
	case x.saw&sawISN != 0: // a SYN-ACK also acknowledges data in the SYN (RFC 7413)
		return x.base == first || x.saw&sawTCP == 0 && x.base-first == p.PayloadLen
	case x.saw&(sawTCP|sawAcked) != 0:
		return x.base-first <= lateWindow
	case p.TCPFlags&packet.ACK != 0 && y.saw&sawTCP != 0:
		return p.Ack-y.base <= max(y.maxEnd-y.base, 1) || y.saw&sawISN == 0 && y.base-p.Ack <= lateWindow
	}
	return true
}

// unconfirmed reports whether the only evidence for the session is an unsolicited SYN-ACK.
func (s *Session) unconfirmed() bool {
	return s.basis == BasisSYNACK && s.flags&(flagStarted|flagResumed) == 0 && s.state == Midstream
}

// maxPending bounds the openings of one table that wait for confirmation by the other end.
const maxPending = 64

// pendingOpening is a SYN or SYN-ACK that may open another session. Until the other end confirms it, the packet counts for the session
// that has the five-tuple.
type pendingOpening struct {
	r    ref
	id   uint64 // of the session
	last int64  // of the session before this packet
	end  uint32 // highest sequence number of that side before this packet
	side uint8
	p    packet.Packet // without its bytes
}

// open handles a SYN or SYN-ACK on the five-tuple of a live session. It returns the session that p belongs to, or 0 if p opens a new one;
// done reports that p has been counted.
func (t *Table) open(r ref, p *packet.Packet, l *Lookup, now int64) (_ ref, done bool) {
	s, n := t.at(r), l.side
	o := s.opening(p, n, t.wheel.now)
	if o == openingOwn {
		return r, false
	}
	if q := t.confirmedBy(r, s, p, n); q != nil {
		return t.split(l, s, q, now), false
	}
	if o == openingNew {
		t.Stats.Reused++
		t.retire(l, s, now)
		t.recordPast(s, l.hash, EndReused)
		return 0, false
	}
	t.deferOpening(r, s, p, n)
	return r, true
}

// deferOpening stores an opening until the other end confirms it. If there are too many, the oldest is dropped: its packet stays with the session
// that counted it.
func (t *Table) deferOpening(r ref, s *Session, p *packet.Packet, n uint8) {
	q := pendingOpening{r: r, id: s.id, last: s.last, end: s.end[n].maxEnd, side: n, p: *p}
	q.p.Payload, q.p.Body = nil, nil
	t.update(s, p, n)
	t.Stats.TCPPackets++
	s.flags |= flagPending
	if len(t.pending) < maxPending {
		t.pending = append(t.pending, q)
		return
	}
	t.Stats.OpeningsDropped++
	t.pending[t.oldestPending] = q
	t.oldestPending = (t.oldestPending + 1) % maxPending
}

// confirmedBy returns the stored opening of the other end that p matches: the mirror may deliver SYN and SYN-ACK in either order.
func (t *Table) confirmedBy(r ref, s *Session, p *packet.Packet, n uint8) *pendingOpening {
	if s.flags&flagPending == 0 {
		return nil
	}
	for i := range t.pending {
		q := &t.pending[i]
		if q.r != r || q.id != s.id || q.side == n {
			continue
		}
		syn, ack := &q.p, p
		if p.TCPFlags&packet.ACK == 0 {
			syn, ack = p, &q.p
		}
		if syn.TCPFlags&packet.ACK == 0 && ack.TCPFlags&packet.ACK != 0 && ack.Ack-(syn.Seq+1) <= syn.PayloadLen {
			return q
		}
	}
	return nil
}

const (
	// answerTime is the longest time between a SYN and a segment that acknowledges it without being a SYN-ACK.
	answerTime = 3e9
	// farAway is how far the ISN must be from the stream of the session, in either direction: the sender of a forged SYN could choose one that its
	// stream reaches soon.
	farAway = 1 << 28
)

// acknowledgedOpening returns the stored SYN of the other end that p acknowledges, although p is no SYN-ACK: it is a reset, or the mirror lost
// the SYN-ACK.
func (t *Table) acknowledgedOpening(r ref, s *Session, p *packet.Packet, n uint8) *pendingOpening {
	if s.flags&flagPending == 0 {
		return nil
	}
	return t.acknowledgedBy(r, s.id, p, n)
}

func (t *Table) acknowledgedBy(r ref, id uint64, p *packet.Packet, n uint8) *pendingOpening {
	for i := range t.pending {
		q := &t.pending[i]
		first := q.p.Seq + 1
		if q.r == r && q.id == id && q.side != n && q.p.TCPFlags&packet.ACK == 0 && p.TCPFlags&packet.ACK != 0 && p.Ack-first <= lateWindow &&
			p.Time-q.p.Time <= answerTime && first-q.end >= farAway && q.end-first >= farAway {
			return q
		}
	}
	return nil
}

// split ends s and starts the session that q opened.
func (t *Table) split(l *Lookup, s *Session, q *pendingOpening, now int64) ref {
	x := &s.counts[q.side]
	x.packets -= uint64(max(q.p.Count, 1))
	x.ipBytes -= uint64(q.p.IPBytes)
	x.payload -= uint64(q.p.PayloadLen)
	if x.packets == 0 {
		s.end[q.side].mac, s.end[q.side].ttl = packet.MAC{}, 0
	}
	if s.last == q.p.Time {
		s.last = q.last
	}
	t.Stats.Reused++
	t.retire(l, s, now)
	old := *s
	q.r = 0
	side := l.side
	l.side = q.side
	r, s := t.begin(&q.p, l, now)
	l.side = side
	t.recordPast(&old, l.hash, EndReused) // now, because it may have the ISN of the new session
	t.advanceState(s, &q.p, q.side, now)
	return r
}
