// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// orient decides from the first packet who opened the session.
func (s *Session) orient(p *packet.Packet, n uint8) {
	switch p.Kind {
	case packet.KindTCP:
		s.orientTCP(p, n)
	case packet.KindUDP:
		s.orientUDP(p, n)
	case packet.KindICMP, packet.KindICMP6:
		s.orientICMP(p, n)
	case packet.KindSCTP:
		if c := sctpChunk(p); c == sctpInitAck {
			s.setInitiator(n ^ 1)
			s.basis = BasisSYNACK
		} else if c == sctpInit {
			s.basis = BasisSYN
		}
	}
}

func (s *Session) orientTCP(p *packet.Packet, n uint8) {
	switch p.TCPFlags & (packet.SYN | packet.ACK) {
	case packet.SYN:
		s.basis = BasisSYN
		s.synSeq, s.synOptLen = p.Seq, p.TCPOptLen
	case packet.SYN | packet.ACK:
		s.setInitiator(n ^ 1)
		s.basis = BasisSYNACK
	default:
		s.state = Midstream
		s.orientByPort(p, n)
	}
}

// orientUDP holds who spoke first to be the initiator, but for an answer whose question was not seen: from a well-known port to one
// that is not.
func (s *Session) orientUDP(p *packet.Packet, n uint8) {
	if s.flags&flagGroup != 0 {
		return // a group asks nothing
	}
	if p.SrcPort < 1024 && serverPort(p.SrcPort) && p.DstPort >= 1024 && !serverPort(p.DstPort) {
		s.setInitiator(n ^ 1)
		s.basis = BasisPort
	}
}

func (s *Session) orientByPort(p *packet.Packet, n uint8) {
	src, dst := serverPort(p.SrcPort), serverPort(p.DstPort)
	if !src && !dst {
		src, dst = p.SrcPort < 1024, p.DstPort < 1024
	}
	if src == dst {
		return
	}
	s.basis = BasisPort
	if src {
		s.setInitiator(n ^ 1)
	}
}

func (s *Session) orientICMP(p *packet.Packet, n uint8) {
	s.icmpType, s.icmpCode = uint8(p.SrcPort), uint8(p.DstPort)
	pairs := icmp4Pairs[:]
	if p.Kind == packet.KindICMP6 {
		pairs = icmp6Pairs[:]
	}
	answer, twoWay := icmpAnswers(pairs, p.SrcPort)
	switch {
	case answer:
		// An unsolicited advertisement is opened by who sends it; an echo reply is not.
		if s.flags&flagGroup == 0 {
			s.setInitiator(n ^ 1)
			s.basis = BasisRequest
		}
	case twoWay:
		s.basis = BasisRequest
	default:
		s.flags |= flagNoAnswerNeeded
	}
}

// isReuse reports whether p opens another session over the addresses and ports of s.
func (s *Session) isReuse(p *packet.Packet, n uint8, now int64) bool {
	if p.Kind != packet.KindTCP || p.TCPFlags&(packet.SYN|packet.ACK|packet.RST) != packet.SYN {
		return false
	}
	x := &s.end[n]
	if x.saw&sawSYN != 0 && x.base == p.Seq+1 {
		return false // retransmitted
	}
	switch s.state {
	case Closed, Reset, Rejected:
		return true
	case Attempted, OneWay:
		// Another sequence number from the same side is another attempt; from the other side it is a simultaneous open.
		return x.saw&sawSYN != 0
	case Midstream:
		return s.packets() > 3
	default:
		// A SYN inside a live session may be forged (RFC 9293, section 3.10.7.4): only silence makes it believable.
		return now-int64(s.touched) > 60 || x.saw&sawFIN != 0
	}
}

// advanceState moves the state on and tells the handler when it changed.
func (t *Table) advanceState(s *Session, p *packet.Packet, n uint8, now int64) {
	before := s.state
	switch p.Kind {
	case packet.KindTCP:
		t.trackTCP(s, p, n)
		s.stateTCP(p, n)
	case packet.KindSCTP:
		s.stateSCTP(p, n)
	default:
		if s.state == Attempted && s.counts[0].packets > 0 && s.counts[1].packets > 0 {
			s.state = Established
		}
	}
	if s.state != before && p.Num != s.id {
		t.h.Changed(s, now)
	}
}

func (s *Session) stateTCP(p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	fl := p.TCPFlags
	fromInitiator := n == s.initiatorSide()
	switch {
	case fl&packet.RST != 0:
		if !x.believes(p, y) {
			return
		}
		x.saw |= sawRST
		switch {
		case s.state == Attempted && !fromInitiator:
			s.state = Rejected
		case s.state == Established || s.state == Midstream && s.packets() > 1:
			s.state = Reset
		}
		return
	case fl&(packet.SYN|packet.ACK) == packet.SYN:
		s.synSeen(p, n)
	case fl&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		x.saw |= sawSYNACK
		if s.state == Attempted || s.state == OneWay {
			s.state = Established
		}
	case fl&packet.ACK != 0:
		x.saw |= sawACK
		s.ackSeen(fromInitiator, s.counts[n^1].packets == 0)
	}
	if s.state == Reset && x.saw&sawRST != 0 && p.PayloadLen > 0 {
		s.state = Established // who goes on to send has not reset: the RST was forged
		x.saw &^= sawRST
	}
	if fl&packet.FIN != 0 {
		x.saw |= sawFIN
		if y.saw&sawFIN != 0 && s.state != Reset {
			s.state = Closed
		}
	}
}

// synSeen handles a SYN: the opening one, a simultaneous open, or one that comes after later packets of its session.
func (s *Session) synSeen(p *packet.Packet, n uint8) {
	x := &s.end[n]
	switch {
	case s.state == Midstream && s.packets() <= 4 || s.basis == BasisSYNACK && n == s.initiatorSide():
		s.setInitiator(n)
		s.basis = BasisSYN
		s.synSeq, s.synOptLen = p.Seq, p.TCPOptLen
		if s.state == Midstream {
			s.state = Attempted
			if s.counts[n^1].packets > 0 {
				s.state = Established
			}
		}
	case n != s.initiatorSide() && s.state == Attempted:
		s.flags |= flagSimultaneous
	}
	x.saw |= sawSYN
}

// ackSeen handles an ACK without SYN: it completes a simultaneous open, or shows that the answer went another way.
func (s *Session) ackSeen(fromInitiator, otherUnseen bool) {
	if s.state != Attempted && s.state != OneWay {
		return
	}
	switch {
	case !fromInitiator || s.flags&flagSimultaneous != 0:
		s.state = Established
	case otherUnseen:
		s.state = OneWay
	}
}

// State gives the state as a reader of the record would see it.
func (s *Session) State() State {
	if s.state == Attempted && s.flags&flagNoAnswerNeeded != 0 && s.key.proto() != protoTCP {
		return Established // nothing answers an error message: it was delivered
	}
	return s.state
}

// oneWay reports whether one direction of a TCP session was never seen although it must exist: the other acknowledges it.
func (s *Session) oneWay() bool {
	n := 0
	switch {
	case s.counts[0].packets > 0 && s.counts[1].packets > 0:
		return false
	case s.counts[0].packets == 0:
		n = 1
	}
	return s.end[n].saw&(sawACK|sawSYNACK) != 0 && s.counts[n].packets >= 2
}

// endedAlone reports that the only side which was ever seen has ended its stream. The end of the other will not be seen either: without
// this, a mirror of one direction would be noticed when its sessions time out, after an hour.
func (s *Session) endedAlone() bool {
	return s.oneWay() && (s.end[0].saw|s.end[1].saw)&(sawFIN|sawRST) != 0
}

func (s *Session) packets() uint64 { return s.counts[0].packets + s.counts[1].packets }

// over reports whether nothing more is to come in the streams. After a RST that is not sure: the receiver may not have believed it.
func (s *Session) over() bool { return s.state == Closed || s.state == Rejected }

// rstWindow is how far the sequence number of a RST may lie from what was seen last: the capture may lack some segments, but a number
// far off ends no session (RFC 5961, section 3.2) and is sent to make us believe that it does.
const rstWindow = 1 << 16

// believes reports whether a RST from this end can be meant for its session.
func (x *end) believes(p *packet.Packet, other *end) bool {
	if x.saw&sawTCP == 0 { // the refusal of a SYN acknowledges it and may have any sequence number
		return p.TCPFlags&packet.ACK == 0 || other.saw&sawTCP == 0 || other.near(p.Ack)
	}
	return x.near(p.Seq)
}

func (x *end) near(seq uint32) bool {
	d := int32(seq - x.maxEnd)
	return d <= rstWindow && d >= -rstWindow
}

// trackTCP counts duplicated frames and bytes that were acknowledged but never seen.
func (t *Table) trackTCP(s *Session, p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	t.Stats.TCPPackets++
	// The same IP identification, sequence number, length and flags twice in a row is a frame that was captured twice: a retransmission has
	// another identification.
	mark := (p.Seq*0x9e3779b1 ^ uint32(p.IPID)<<16 ^ p.PayloadLen ^ uint32(p.TCPFlags)<<24) | 1
	if p.IPID != 0 && mark == x.mark {
		t.Stats.Duplicates++
	}
	x.mark = mark
	if p.TCPFlags&packet.RST != 0 {
		return
	}
	length := p.PayloadLen
	if p.TCPFlags&(packet.SYN|packet.FIN) != 0 {
		length++
	}
	end := p.Seq + length
	if x.saw&sawTCP == 0 {
		x.saw |= sawTCP
		x.maxEnd, x.base = end, p.Seq
		if p.TCPFlags&packet.SYN != 0 {
			x.base++
		}
	} else if int32(end-x.maxEnd) > 0 {
		x.maxEnd = end
	}
	if p.TCPFlags&packet.ACK != 0 && y.saw&sawTCP != 0 {
		if gap := int32(p.Ack - y.maxEnd); gap > 0 && gap < 1<<24 {
			t.Stats.GapBytes += uint64(gap)
			t.Stats.AckedBytes += uint64(gap)
			y.maxEnd = p.Ack
		}
	}
	t.Stats.AckedBytes += uint64(p.PayloadLen)
}

// SCTP chunk types, RFC 9260 section 3.2.
const (
	sctpInit             = 1
	sctpInitAck          = 2
	sctpAbort            = 6
	sctpShutdownComplete = 14
	sctpNone             = -1
)

// sctpChunk gives the type of the first chunk.
func sctpChunk(p *packet.Packet) int {
	if len(p.Payload) == 0 {
		return sctpNone
	}
	return int(p.Payload[0])
}

func (s *Session) stateSCTP(p *packet.Packet, n uint8) {
	fromInitiator := n == s.initiatorSide()
	switch c := sctpChunk(p); {
	case c == sctpAbort && s.state == Attempted && !fromInitiator:
		s.state = Rejected
	case c == sctpAbort:
		s.state = Reset
	case c == sctpShutdownComplete:
		s.state = Closed
	case s.state == Attempted && !fromInitiator:
		s.state = Established
	}
}

// SetQUIC says that a QUIC Initial was read in direction d, which tells who opened. It gives the direction as it is now.
func (s *Session) SetQUIC(fromClient bool, d Dir) Dir {
	if (d == Out) != fromClient {
		s.flags ^= flagSwap
		d ^= 1
	}
	s.basis = BasisQUICInitial
	return d
}
