// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// opening says what a SYN or a SYN-ACK means for the session that holds its five-tuple.
type opening uint8

const (
	openingOwn      opening = iota // it belongs to the session: its first, a retransmission, or one that the mirror delivered late
	openingNew                     // it opens another session
	openingDoubtful                // the other end has to agree first: it may be forged (RFC 5961 section 4)
)

const (
	// lateWindow is how far before the first segment seen of a stream its SYN may lie if the sequence number of the SYN is not known.
	lateWindow = 1 << 16
	// quietSeconds without a packet make a SYN with another sequence number believable on a session that is established.
	quietSeconds = 60
)

// opening compares the sequence numbers of p, a SYN or SYN-ACK from side n, with those of s. now is the second of the table.
func (s *Session) opening(p *packet.Packet, n uint8, now int64) opening {
	x, y := &s.end[n], &s.end[n^1]
	answer := p.TCPFlags&packet.ACK != 0
	dead := s.state == Closed || s.state == Reset || s.state == Rejected
	quiet := now - int64(s.touched)
	switch own := s.owns(p, n); {
	case own && !answer && x.saw&sawSYN != 0 && s.state != Attempted && s.state != OneWay:
		return openingDoubtful // a copy, or a stack that always begins at the same number: the SYN-ACK will tell
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
	case s.unconfirmed(), x.saw&sawFIN != 0, y.saw&sawFIN != 0 && quiet >= 1, quiet > quietSeconds:
		return openingNew
	}
	return openingDoubtful
}

// restart says that s does not go on with a session that has ended: a SYN with the number of then, from side n, got a new answer.
func (s *Session) restart(n uint8) {
	s.setInitiator(n)
	s.state, s.basis = Attempted, BasisSYN
	s.flags = s.flags&^flagResumed | flagStarted
	s.end[n^1].saw = 0
}

// owns reports whether the sequence numbers of a SYN or SYN-ACK from side n are those of the session.
func (s *Session) owns(p *packet.Packet, n uint8) bool {
	x, y := &s.end[n], &s.end[n^1]
	first := p.Seq + 1
	switch {
	case x.saw&sawISN != 0: // a SYN-ACK acknowledges the data of its SYN as well (RFC 7413)
		return x.base == first || x.saw&sawTCP == 0 && x.base-first == p.PayloadLen
	case x.saw&(sawTCP|sawAcked) != 0:
		return x.base-first <= lateWindow
	case p.TCPFlags&packet.ACK != 0 && y.saw&sawTCP != 0:
		return p.Ack-y.base <= max(y.maxEnd-y.base, 1) || y.saw&sawISN == 0 && y.base-p.Ack <= lateWindow
	}
	return true
}

// unconfirmed reports whether all that speaks for the session is a SYN-ACK that nobody was seen to have asked for.
func (s *Session) unconfirmed() bool {
	return s.basis == BasisSYNACK && s.flags&(flagStarted|flagResumed) == 0 && s.state == Midstream
}

// maxPending bounds the openings of one table that wait for the other end.
const maxPending = 64

// pendingOpening is a SYN or SYN-ACK that may open another session. Until the other end agrees, its packet counts for the session that
// holds the five-tuple.
type pendingOpening struct {
	r    ref
	id   uint64 // of the session
	last int64  // of the session, before it
	side uint8
	p    packet.Packet // without its bytes
}

// open handles a SYN or SYN-ACK on the five-tuple of a session. It gives the session to which p belongs, 0 for one that does not exist yet;
// done says that p has been counted.
func (t *Table) open(r ref, p *packet.Packet, l *Lookup, now int64) (_ ref, done bool) {
	s, n := t.at(r), l.side
	o := s.opening(p, n, t.wheel.now)
	if o == openingOwn {
		return r, false
	}
	if q := t.agreed(r, s, p, n); q != nil {
		return t.split(l, s, q, now), false
	}
	if o == openingNew {
		t.Stats.Reused++
		t.retire(l, s, now)
		return 0, false
	}
	t.doubt(r, s, p, n)
	return r, true
}

// doubt keeps an opening until the other end agrees. The oldest gives way: its packet stays with the session that has counted it.
func (t *Table) doubt(r ref, s *Session, p *packet.Packet, n uint8) {
	q := pendingOpening{r: r, id: s.id, last: s.last, side: n, p: *p}
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

// agreed gives the opening of the other end that p answers: SYN and SYN-ACK come in either order.
func (t *Table) agreed(r ref, s *Session, p *packet.Packet, n uint8) *pendingOpening {
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

// split ends s and begins the session that q opened.
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
	q.r = 0
	side := l.side
	l.side = q.side
	r, s := t.begin(&q.p, l, now)
	l.side = side
	t.advanceState(s, &q.p, q.side, now)
	return r
}
