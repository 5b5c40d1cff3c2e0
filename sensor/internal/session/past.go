// SPDX-License-Identifier: Apache-2.0

package session

import (
	"math/bits"
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/packet"
)

// lateSeconds is how long after the end of a session a SYN or SYN-ACK with its ISN counts as late or retransmitted: twice the maximum
// segment lifetime (RFC 9293 section 3.4.2).
const lateSeconds = 240

// past stores tombstones of ended TCP sessions: initiator and sequence numbers. A later packet (a late SYN, a keep-alive after two hours)
// then gets the right initiator. It is a ring: a new tombstone overwrites the oldest. The chains of its hash index run from newer to older,
// so that they end where the ring was overwritten.
type past struct {
	ring  []pastSession
	heads []uint32 // index of the newest of a chain, by the low bits of the tag; 0: none
	count uint32   // tombstones ever added: the index of the newest
	limit int
}

// pastSession is a tombstone; it takes half a cache line.
type pastSession struct {
	tag   uint32    // upper half of the hash of the key
	older uint32    // index of the next of its chain
	base  [2]uint32 // by side; see end
	end   [2]uint32
	at    uint32 // second of its last packet
	side  uint8  // initiator
	basis Basis
	isn   uint8 // bit per side: base is exact; pastOpen

	synOptLen uint8
}

// pastOpen marks the tombstone of a session that expired because it carried nothing, and not because it had ended.
const pastOpen = 1 << 2

// firstPast is the initial size of the ring and its smallest limit.
const firstPast = 256

func newPast(c Config) past { return past{limit: max(1<<bits.Len(uint(c.MaxPast)-1), firstPast)} }

// recordPast adds a tombstone of s, whose key has hash h. A session that nobody answered cannot continue and gets none.
func (t *Table) recordPast(s *Session, h uint64, why EndReason) {
	if s.key.proto() != protoTCP || s.state == Attempted || s.state == Rejected || s.basis == BasisFirstPacket || s.unconfirmed() {
		return
	}
	x := &t.past
	switch {
	case x.count == 1<<32-1: // start again at 1
		clear(x.heads)
		x.count = 0
	case int(x.count)+1 < len(x.ring):
	case len(x.ring) < x.limit:
		x.grow()
	default:
		t.Stats.PastDropped++
	}
	e := pastSession{tag: uint32(h >> 32), at: s.touched, side: s.initiatorSide(), basis: s.basis, synOptLen: s.synOptLen}
	for n := range s.end {
		y := &s.end[n]
		e.base[n], e.end[n] = y.base, y.maxEnd
		if y.saw&sawISN != 0 {
			e.isn |= 1 << n
		}
	}
	if why == EndExpired && s.deadline(&t.cfg) == int64(s.touched)+t.cfg.EstablishedTimeout {
		e.isn |= pastOpen
	}
	x.count++
	e.older = x.push(e.tag, x.count)
	x.ring[int(x.count)&(len(x.ring)-1)] = e
}

// push makes tombstone i the newest of its chain, and returns the one that was.
func (x *past) push(tag, i uint32) (older uint32) {
	head := &x.heads[int(tag)&(len(x.heads)-1)]
	older, *head = *head, i
	return older
}

// grow doubles the ring before it is full, so that each tombstone keeps its index.
func (x *past) grow() {
	ring := make([]pastSession, max(2*len(x.ring), firstPast))
	copy(ring, x.ring)
	x.ring, x.heads = ring, make([]uint32, len(ring))
	cacheline.Touch(x.heads)
	for i := uint32(1); i <= x.count; i++ {
		e := &ring[i]
		e.older = x.push(e.tag, i)
	}
}

// prefetch prefetches the head of the chain of hash h.
func (x *past) prefetch(h uint64) {
	if len(x.heads) > 0 {
		cacheline.Prefetch(unsafe.Pointer(&x.heads[int(h>>32)&(len(x.heads)-1)]), 1)
	}
}

// find returns the newest tombstone with that hash, nil if there is none.
func (x *past) find(h uint64) *pastSession {
	if x.count == 0 {
		return nil
	}
	for i := x.heads[int(h>>32)&(len(x.heads)-1)]; i != 0 && int(i) > int(x.count)-len(x.ring); {
		e := &x.ring[int(i)&(len(x.ring)-1)]
		if e.tag == uint32(h>>32) {
			return e
		}
		i = e.older
	}
	return nil
}

// resume makes s, whose first packet is p, the continuation of an ended session if it is one, and reports whether it is.
func (t *Table) resume(s *Session, p *packet.Packet, l *Lookup) bool {
	e := t.past.find(l.hash)
	if e == nil || !e.fits(p, l.side, t.wheel.now) {
		return false
	}
	s.setInitiator(e.side)
	s.state, s.basis, s.synOptLen = Midstream, e.basis, e.synOptLen
	s.synSeq = e.base[e.side] - 1
	s.flags |= flagResumed
	s.continues = e.isn&pastOpen != 0
	for n := range s.end {
		y := &s.end[n]
		y.base, y.maxEnd, y.saw = e.base[n], e.end[n], sawAcked
		if e.isn>>n&1 != 0 {
			y.saw |= sawISN
		}
	}
	return true
}

// foreign reports whether p, a segment without SYN from side n, does not fit the sequence numbers of s.
func (s *Session) foreign(p *packet.Packet, n uint8) bool {
	x, y := &s.end[n], &s.end[n^1]
	switch {
	case x.saw&(sawTCP|sawAcked) != 0:
		return !x.near(p.Seq) || x.saw&sawISN != 0 && int32(p.Seq+1-x.base) < 0 && int32(x.maxEnd-x.base) >= 0 // a keep-alive has the number before
	case p.TCPFlags&packet.ACK != 0 && y.saw&sawTCP != 0:
		return !y.near(p.Ack)
	}
	return false
}

// owner is the session that a foreign segment belongs to.
type owner uint8

const (
	ofThis      owner = iota // the session that has the five-tuple
	ofEnded                  // the one before, which has ended: the segment is late
	ofContinued              // the one before, which continues: the SYN that ended it was forged or ignored
)

// whose returns the owner of p, a foreign segment on the five-tuple of s.
func (t *Table) whose(s *Session, p *packet.Packet, l *Lookup) owner {
	e := t.past.find(l.hash)
	switch {
	case e == nil || s.flags&flagResumed != 0 || !e.fits(p, l.side, t.wheel.now):
		return ofThis
	case s.state == Attempted && p.PayloadLen > 0 && p.TCPFlags&packet.RST == 0 && int32(p.Seq-e.end[l.side]) >= 0:
		return ofContinued
	case t.wheel.now-int64(e.at) > lateSeconds && s.state != Attempted:
		return ofThis
	}
	return ofEnded
}

// fits reports whether p, from side n, belongs to the ended session.
func (e *pastSession) fits(p *packet.Packet, n uint8, now int64) bool {
	if p.TCPFlags&packet.SYN != 0 {
		return e.isn>>n&1 != 0 && p.Seq+1 == e.base[n] && now-int64(e.at) <= lateSeconds
	}
	y := end{maxEnd: e.end[n]}
	return y.near(p.Seq)
}
