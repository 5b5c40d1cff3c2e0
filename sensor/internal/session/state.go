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

// orientUDP takes the sender of the first datagram as the initiator, except for an answer whose question was not captured: from a
// well-known port to one that is not.
func (s *Session) orientUDP(p *packet.Packet, n uint8) {
	if s.flags&flagGroup != 0 {
		return // a group address is never the initiator
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
		// The sender of an unsolicited advertisement opens the session; the sender of an echo reply does not.
		if s.flags&flagGroup == 0 {
			s.setInitiator(n ^ 1)
			s.basis, s.state = BasisRequest, Midstream
		}
	case twoWay:
		s.basis = BasisRequest
	}
}

// advanceState updates the state and notifies the handler of a change.
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

// stateDatagrams sets the state of a session without a handshake from who has sent.
func (s *Session) stateDatagrams() {
	switch i := s.initiatorSide(); {
	case s.counts[i].packets == 0:
		s.state = Midstream // an answer whose question was not captured
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
		s.state = s.alive() // an end that continues to send has not reset the session: the RST was forged
		x.saw &^= sawRST
	}
	if fl&packet.FIN != 0 {
		x.saw |= sawFIN
		if y.saw&sawFIN != 0 && s.state != Reset {
			s.state = Closed
		}
	}
}

// alive returns the state of a TCP session whose RST was forged.
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

// rstSeen handles a RST. From an end that sends nothing else it is a refusal, and the other end opened what it refuses. This includes the
// refusal of an unsolicited SYN-ACK or segment.
func (s *Session) rstSeen(p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	if !x.believes(p, y) {
		return
	}
	x.saw |= sawRST
	silent := x.saw&(sawTCP|sawSYN) == 0 // except this RST
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

// synSeen handles a SYN: the first, a simultaneous open, or one that arrives after later packets of its session.
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
		// Both ends send one in a simultaneous open.
		s.ackSeen(n == s.initiatorSide(), s.counts[n^1].packets == 0)
	case s.state == Rejected && s.basis == BasisSYN && n != s.initiatorSide():
		s.state = Established // the RST was forged, or refused an earlier attempt
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

// ackSeen handles an ACK without SYN: it answers a SYN-ACK, completes a simultaneous open, or shows that the answer took another path.
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

// turnUnsolicited makes the sender the initiator of a session that has only SYN-ACKs, unless they look like the answers of a server: nobody
// accepted them, so they are a scan.
func (s *Session) turnUnsolicited() {
	if i, r := s.Ports(); s.key.proto() == protoTCP && s.bare() && !AnswerPorts(r, i) {
		s.setInitiator(s.initiatorSide() ^ 1)
		s.basis, s.state = BasisFirstPacket, Attempted
	}
}

// bare reports whether only SYN-ACKs were captured.
func (s *Session) bare() bool {
	n := s.initiatorSide() ^ 1
	return s.unconfirmed() && s.counts[n^1].packets == 0 && s.counts[n].payload == 0 && s.end[n].saw&(sawACK|sawFIN) == 0
}

// AnswerPorts reports whether a packet looks like one from a server to a client: from a server port to a port that is not.
func AnswerPorts(src, dst uint16) bool {
	return (src < 1024 || ServerPort(src)) && dst >= 1024 && !ServerPort(dst)
}

// oneWay reports whether one direction of a TCP session was not captured although it must exist, because the other acknowledges it.
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

// endedAlone reports whether the only captured side has ended its stream. The end of the other will not be captured either: without this
// check a one-way mirror would be noticed only when its sessions time out, after an hour.
func (s *Session) endedAlone() bool {
	return s.oneWay() && (s.end[0].saw|s.end[1].saw)&(sawFIN|sawRST) != 0
}

func (s *Session) packets() uint64 { return s.counts[0].packets + s.counts[1].packets }

// over reports whether the streams are complete. After a RST that is not certain: the receiver may have ignored it.
func (s *Session) over() bool { return s.state == Closed || s.state == Rejected }

// rstWindow is how far the sequence number of a RST may be from the last segment: the capture may lack some segments, but a receiver
// ignores a number far off (RFC 5961 section 3.2), and an attacker may send one to mislead the sensor.
const rstWindow = 1 << 16

// believes reports whether the receiver would accept a RST from this end.
func (x *end) believes(p *packet.Packet, other *end) bool {
	if x.saw&sawTCP == 0 { // a RST that refuses a SYN may have any sequence number
		return p.TCPFlags&packet.ACK == 0 || other.saw&sawTCP == 0 || other.near(p.Ack)
	}
	return x.near(p.Seq)
}

func (x *end) near(seq uint32) bool {
	d := int32(seq - x.maxEnd)
	return d <= rstWindow && d >= -rstWindow
}

// trackTCP counts bytes that were acknowledged but not captured.
func (t *Table) trackTCP(s *Session, p *packet.Packet, n uint8) {
	x, y := &s.end[n], &s.end[n^1]
	t.Stats.TCPPackets++
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

// firstOf sets the sequence numbers from the first segment of an end.
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

// sctpChunk returns the type of the first chunk.
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

// SetQUIC records that a client's QUIC Initial was read in direction d, so that its sender is the initiator. It returns the direction after
// that change.
func (s *Session) SetQUIC(fromClient bool, d Dir) Dir {
	if (d == Out) != fromClient {
		s.setInitiator(s.initiatorSide() ^ 1)
		d ^= 1
	}
	s.basis = BasisQUICInitial
	s.stateDatagrams()
	return d
}
