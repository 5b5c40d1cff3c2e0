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
			s.basis, s.state = BasisSYNACK, Midstream
		} else if c == sctpInit {
			s.basis = BasisSYN
			s.flags |= flagStarted
		}
	}
}

func (s *Session) orientTCP(p *packet.Packet, n uint8) {
	switch p.TCPFlags & (packet.SYN | packet.ACK | packet.RST) {
	case packet.SYN:
		s.basis = BasisSYN
		s.synSeq, s.synOptLen = p.Seq, p.TCPOptLen
		s.flags |= flagStarted
	case packet.SYN | packet.ACK:
		s.setInitiator(n ^ 1)
		s.basis, s.state = BasisSYNACK, Midstream
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
	if p.SrcPort < 1024 && ServerPort(p.SrcPort) && p.DstPort >= 1024 && !ServerPort(p.DstPort) {
		s.setInitiator(n ^ 1)
		s.basis, s.state = BasisPort, Midstream
	}
}

func (s *Session) orientByPort(p *packet.Packet, n uint8) {
	src, dst := ServerPort(p.SrcPort), ServerPort(p.DstPort)
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
			s.basis, s.state = BasisRequest, Midstream
		}
	case twoWay:
		s.basis = BasisRequest
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
		s.stateDatagrams()
	}
	if s.state != before && p.Num != s.id {
		t.h.Changed(s, now)
	}
}

// stateDatagrams is the state of a session without a handshake: who has been seen.
func (s *Session) stateDatagrams() {
	switch i := s.initiatorSide(); {
	case s.counts[i].packets == 0:
		s.state = Midstream // an answer whose question was not seen
	case s.counts[i^1].packets > 0:
		s.state = Established
	}
}

func (s *Session) stateTCP(p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	fl := p.TCPFlags
	fromInitiator := n == s.initiatorSide()
	switch {
	case fl&packet.RST != 0:
		s.rstSeen(p, n)
		return
	case fl&(packet.SYN|packet.ACK) == packet.SYN:
		s.synSeen(p, n)
	case fl&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK:
		x.saw |= sawSYNACK
		s.synAckSeen(n)
	case fl&packet.ACK != 0:
		x.saw |= sawACK
		s.ackSeen(fromInitiator, s.counts[n^1].packets == 0)
	case !fromInitiator && (s.state == Attempted || s.state == OneWay):
		s.state = Established
	}
	if s.state == Reset && x.saw&sawRST != 0 && p.PayloadLen > 0 {
		s.state = s.alive() // who goes on to send has not reset: the RST was forged
		x.saw &^= sawRST
	}
	if fl&packet.FIN != 0 {
		x.saw |= sawFIN
		if y.saw&sawFIN != 0 && s.state != Reset {
			s.state = Closed
		}
	}
}

// alive is the state of a TCP session that was not reset after all.
func (s *Session) alive() State {
	started := s.flags&flagStarted != 0
	switch both := s.counts[0].packets > 0 && s.counts[1].packets > 0; {
	case started && both:
		return Established
	case started:
		return OneWay
	}
	return Midstream
}

// rstSeen handles a RST: of an end that sends nothing else it is a refusal, and the other end has opened what it refuses. That goes
// for a SYN-ACK and for any other segment that nobody asked for as well.
func (s *Session) rstSeen(p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	if !x.believes(p, y) {
		return
	}
	x.saw |= sawRST
	silent := x.saw&(sawTCP|sawSYN) == 0 // apart from this
	switch {
	case s.state == Attempted && n != s.initiatorSide():
		s.state = Rejected
	case s.state == Midstream && silent && y.saw&sawTCP != 0 && s.flags&flagResumed == 0:
		if n == s.initiatorSide() {
			s.setInitiator(n ^ 1)
			s.basis = BasisFirstPacket
		}
		s.state = Rejected
	case s.state == Established || s.state == Midstream && s.packets() > 1 && !s.unconfirmed():
		s.state = Reset
	}
}

// synSeen handles a SYN: the opening one, a simultaneous open, or one that comes after later packets of its session.
func (s *Session) synSeen(p *packet.Packet, n uint8) {
	x := &s.end[n]
	switch {
	case s.flags&flagResumed != 0:
	case s.basis != BasisSYN:
		s.setInitiator(n)
		s.basis = BasisSYN
		s.synSeq, s.synOptLen = p.Seq, p.TCPOptLen
		s.flags |= flagStarted
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

// synAckSeen handles a SYN-ACK from side n.
func (s *Session) synAckSeen(n uint8) {
	switch {
	case s.state == Attempted || s.state == OneWay:
		// Of a simultaneous open both ends send one.
		s.ackSeen(n == s.initiatorSide(), s.counts[n^1].packets == 0)
	case s.state == Rejected && s.basis == BasisSYN && n != s.initiatorSide():
		s.state = Established // the RST was forged, or a refusal of an earlier try
		s.flags &^= flagDone
	case s.state == Midstream && s.flags&(flagResumed|flagStarted) == 0 && s.basis != BasisSYNACK:
		s.setInitiator(n ^ 1)
		s.basis = BasisSYNACK
		if s.end[n^1].saw&sawTCP != 0 {
			s.state = Established
			s.flags |= flagStarted
		}
	}
}

// ackSeen handles an ACK without SYN: it answers a SYN-ACK, completes a simultaneous open, or shows that the answer went another way.
func (s *Session) ackSeen(fromInitiator, otherUnseen bool) {
	switch {
	case fromInitiator && s.unconfirmed():
		s.state = Established
		s.flags |= flagStarted
	case s.state != Attempted && s.state != OneWay:
	case !fromInitiator || s.flags&flagSimultaneous != 0:
		s.state = Established
	case otherUnseen:
		s.state = OneWay
	}
}

// unasked turns a session around that nothing but SYN-ACKs speaks for, unless they look like the answers of a server: nobody has taken
// them, and so they were sent to find out who does.
func (s *Session) unasked() {
	if i, r := s.Ports(); s.key.proto() == protoTCP && s.bare() && !AnswerPorts(r, i) {
		s.setInitiator(s.initiatorSide() ^ 1)
		s.basis, s.state = BasisFirstPacket, Attempted
	}
}

// bare reports whether nothing but SYN-ACKs was seen.
func (s *Session) bare() bool {
	n := s.initiatorSide() ^ 1
	return s.unconfirmed() && s.counts[n^1].packets == 0 && s.counts[n].payload == 0 && s.end[n].saw&(sawACK|sawFIN) == 0
}

// AnswerPorts reports whether a packet looks like that of a server to a client: from a port of servers to one that is none.
func AnswerPorts(src, dst uint16) bool {
	return (src < 1024 || ServerPort(src)) && dst >= 1024 && !ServerPort(dst)
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
	return s.end[n].saw&sawACK != 0 && s.counts[n].packets >= 2
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
		s.firstOf(x, p, end)
	} else if int32(end-x.maxEnd) > 0 {
		x.maxEnd = end
	}
	if p.TCPFlags&packet.ACK != 0 && y.saw&sawTCP == 0 {
		if y.saw&sawAcked == 0 {
			y.saw |= sawAcked
			y.base = p.Ack
			if p.TCPFlags&packet.SYN != 0 {
				y.saw |= sawISN
			}
		}
		y.maxEnd = p.Ack
	} else if p.TCPFlags&packet.ACK != 0 {
		if gap := int32(p.Ack - y.maxEnd); gap > 0 && gap < 1<<24 {
			t.Stats.GapBytes += uint64(gap)
			t.Stats.AckedBytes += uint64(gap)
			y.maxEnd = p.Ack
		}
	}
	t.Stats.AckedBytes += uint64(p.PayloadLen)
}

// firstOf takes the sequence numbers of the first segment of an end, which ends at end.
func (s *Session) firstOf(x *end, p *packet.Packet, last uint32) {
	first := p.Seq
	if p.TCPFlags&packet.SYN != 0 {
		first++
		x.saw |= sawISN
	} else if x.base != first {
		x.saw &^= sawISN
	}
	x.saw |= sawTCP
	x.maxEnd, x.base = last, first
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
	case fromInitiator && s.unconfirmed():
		s.state = Established
		s.flags |= flagStarted
	}
}

// SetQUIC says that a QUIC Initial was read in direction d, which tells who opened. It gives the direction as it is now.
func (s *Session) SetQUIC(fromClient bool, d Dir) Dir {
	if (d == Out) != fromClient {
		s.setInitiator(s.initiatorSide() ^ 1)
		d ^= 1
	}
	s.basis = BasisQUICInitial
	s.stateDatagrams()
	return d
}
