// SPDX-License-Identifier: Apache-2.0

package session

import (
	"cmp"
	"slices"
	"unsafe"

	"stillwatch/sensor/internal/packet"
)

type sessionFlags uint16

const (
	flagSwap         sessionFlags = 1 << iota // the initiator is the side hi
	flagDead                                  // ended, waits for its timer-wheel slot
	flagDone0                                 // side lo is read no further
	flagDone1                                 // side hi is read no further
	flagGap                                   // the head of a stream has a gap
	flagSimultaneous                          // both sides sent a SYN
	flagGroup                                 // the first packet was sent to more than one host
	flagStarted                               // a packet proves that the initiator opened it: its SYN, or its ACK of the SYN-ACK (TCP, SCTP)
	flagReported                              // reported to the handler as opened
	flagResumed                               // continues a session that has expired or ended: the initiator is known from there
	flagPending                               // an opening of another session waits for confirmation
	flagGrown                                 // in the list of sessions whose progress may have to be reported
	flagPlaced                                // flagInside0 and flagInside1 are known
	flagInside0                               // side lo is inside the watched network
	flagInside1                               // side hi is
	flagFollowed                              // its activity is collected
	flagDone         = flagDone0 | flagDone1
)

// TCP flags of interest seen from one side.
const (
	sawSYN uint8 = 1 << iota
	sawSYNACK
	sawACK
	sawFIN
	sawRST
	sawTCP   // any TCP packet: base and maxEnd are valid
	sawISN   // base is the number after the SYN
	sawAcked // without sawTCP: base and maxEnd are what the other end acknowledged
)

// counts is what one end has sent.
type counts struct{ packets, ipBytes, payload uint64 }

// end is what is known of one endpoint and its stream.
type end struct {
	base   uint32 // sequence number of the first byte of the stream
	maxEnd uint32 // highest sequence number seen, plus length
	ttl    uint8
	saw    uint8
	mac    packet.MAC
}

// Session is one live session. It has no pointers and is stored outside the Go heap. It takes three cache lines: five-tuple and state,
// counts, endpoints. Pairs are by side.
type Session struct {
	key      key
	last     int64
	touched  uint32 // second of the last packet, by the clock of the table
	reportAt uint32 // KiB of payload from which on progress may have to be reported
	head     headRef
	flags    sessionFlags
	state    State
	basis    Basis

	counts [2]counts
	first  int64
	id     uint64

	end       [2]end
	next      ref
	extra     uint32 // index of its extra; 0: none
	synSeq    uint32
	vlans     uint16 // index of its VLAN stack; 0: none
	synOptLen uint8
	icmpType  uint8
	icmpCode  uint8
	Label     uint8 // set by the handler
	continues bool  // see View.Resumed

	reportedSec uint16 // second of the last report of progress, modulo 2^16
	reportedOut uint32 // payload that had left the network by then, KiB
}

// sessionLines is the size of a session in cache lines.
const sessionLines = 3

const _ = uint(sessionLines*64 - unsafe.Sizeof(Session{}))

// Ports returns the ports of initiator and responder; 0 if the protocol has none.
func (s *Session) Ports() (initiator, responder uint16) {
	lo, hi := s.key.ports()
	if s.flags&flagSwap != 0 {
		return hi, lo
	}
	return lo, hi
}

// ID returns the number of the first packet of the session, unique within a run.
func (s *Session) ID() uint64 { return s.id }

// dir returns the direction in which a side sends.
func (s *Session) dir(side uint8) Dir {
	if s.flags&flagSwap != 0 {
		side ^= 1
	}
	return Dir(side)
}

func (s *Session) initiatorSide() uint8 {
	if s.flags&flagSwap != 0 {
		return 1
	}
	return 0
}

// InitiatorSide returns the side that opened the session, as a Dir: 0 for lo, 1 for hi.
func (s *Session) InitiatorSide() Dir { return Dir(s.initiatorSide()) }

func (s *Session) setInitiator(side uint8) {
	if s.initiatorSide() != side {
		s.flags ^= flagSwap
		s.flags &^= flagReported
	}
}

// started reports whether the initiator sent a packet that only the opener of a session sends. Packets to it prove nothing: anybody can
// send an unsolicited SYN-ACK, datagram or echo reply.
func (s *Session) started() bool {
	switch s.key.proto() {
	case protoTCP, protoSCTP:
		return s.flags&flagStarted != 0
	case protoICMP, protoICMP6:
		return s.basis == BasisRequest && s.counts[s.initiatorSide()].packets > 0
	}
	return s.basis != BasisPort && s.counts[s.initiatorSide()].packets > 0
}

// first initializes a session from its first packet.
func (t *Table) first(s *Session, p *packet.Packet, l *Lookup) {
	side := l.side
	s.id, s.first = p.Num, p.Time
	s.touched = uint32(t.wheel.now)
	s.reportAt = t.cfg.firstReport()
	s.vlans = t.stacks.number(p, &t.Stats)
	s.setInitiator(side)
	s.basis = BasisFirstPacket
	if p.NumTunnels > 0 {
		t.extraOf(s).tunnels = t.tunnels(p)
	}
	if toGroup(p) {
		s.flags |= flagGroup
	}
	if p.Kind != packet.KindTCP || !t.resume(s, p, l) {
		s.orient(p, side)
	}
}

// toGroup reports whether a packet is sent to more than one host. A broadcast frame is, whatever its IP address and netmask. A multicast
// frame to a unicast address is not: clusters and virtual routers receive on such a MAC. If the MAC is unknown, a datagram to the last
// address of a /24 counts as broadcast.
func toGroup(p *packet.Packet) bool {
	switch a := &p.Dst; {
	case p.DstMAC == broadcastMAC, groupAddr(a):
		return true
	case a.Is4():
		return a[12] >= 240 || p.DstMAC.IsZero() && p.Kind == packet.KindUDP && a[15] == 255
	}
	return false
}

var broadcastMAC = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// groupAddr reports whether an address is multicast (RFC 5771, RFC 4291 section 2.7) or the limited broadcast.
func groupAddr(a *packet.Addr) bool {
	if a.Is4() {
		return a[12]>>4 == 0xe || a[12]&a[13]&a[14]&a[15] == 0xff
	}
	return a[0] == 0xff
}

// update counts a packet.
func (t *Table) update(s *Session, p *packet.Packet, n uint8) {
	x := &s.counts[n]
	if x.packets == 0 {
		s.end[n].ttl, s.end[n].mac = p.TTL, p.SrcMAC
		if p.NumTunnels > 0 && s.extra != 0 {
			t.mirrorVLAN(s, p)
		}
	}
	x.packets += uint64(max(p.Count, 1))
	x.ipBytes += uint64(p.IPBytes)
	x.payload += uint64(p.PayloadLen)
	s.last = max(s.last, p.Time)
	s.first = min(s.first, p.Time)
	s.touched = uint32(t.wheel.now) // valid until 2106
}

// deadline returns the second at which the session expires without another packet.
func (s *Session) deadline(c *Config) int64 {
	d := c.ShortTimeout
	switch s.key.proto() {
	case protoTCP:
		switch s.state {
		case Attempted:
			d = c.AttemptedTimeout
		case Closed, Reset, Rejected:
			d = c.ClosedTimeout
		default:
			d = c.EstablishedTimeout
			switch {
			case s.endedAlone():
				d = c.ClosedTimeout
			case s.bare():
				d = c.AttemptedTimeout
			}
		}
	case protoUDP, protoSCTP:
		if s.state == Established {
			d = c.DatagramTimeout
		}
	}
	return int64(s.touched) + d
}

// View fills v with the current state of a session.
func (t *Table) View(s *Session, v *View) {
	a, b := s.initiatorSide(), s.initiatorSide()^1
	lo, hi := s.key.ports()
	addrs, port := [2][2]uint64{s.key.lo, s.key.hi}, [2]uint16{lo, hi}
	x, y := &s.counts[a], &s.counts[b]
	*v = View{
		ID: s.id, Start: s.first, End: s.last, Proto: s.key.proto(), V6: s.key.v6(),
		Packets:      [2]uint64{x.packets, y.packets},
		IPBytes:      [2]uint64{x.ipBytes, y.ipBytes},
		PayloadBytes: [2]uint64{x.payload, y.payload},
		Initiator:    Endpoint{Addr: addr(addrs[a]), MAC: s.end[a].mac, TTL: s.end[a].ttl},
		Responder:    Endpoint{Addr: addr(addrs[b]), MAC: s.end[b].mac, TTL: s.end[b].ttl},
		SynSeq:       s.synSeq, SynOptLen: s.synOptLen, ICMPType: s.icmpType, ICMPCode: s.icmpCode,
		Gap: s.flags&flagGap != 0, Group: s.flags&flagGroup != 0, Unconfirmed: !s.started(), Resumed: s.continues, Basis: s.basis, State: s.state,
		Aborted: [2]bool{s.end[a].saw&sawRST != 0, s.end[b].saw&sawRST != 0},
	}
	if hasPorts(s.key.proto()) {
		v.HasPorts, v.Initiator.Port, v.Responder.Port = true, port[a], port[b]
	}
	v.VLANs, v.NumVLANs = t.stacks.at(s.vlans)
	v.Tunnels = t.extras.at(s).tunnels
	if len(t.copies.of) > 0 {
		if x, ok := t.copies.of[s.id]; ok {
			if a != 0 {
				x.turn()
			}
			v.Copies = &x
		}
	}
}

// liveRefs returns the live sessions in the order of their first packet.
func (t *Table) liveRefs() []ref {
	var rs []ref
	for _, x := range t.slots {
		if x.r != 0 {
			rs = append(rs, x.r)
		}
	}
	slices.SortFunc(rs, func(a, b ref) int { return cmp.Compare(t.at(a).id, t.at(b).id) })
	return rs
}

func hasPorts(proto uint8) bool { return proto == protoTCP || proto == protoUDP || proto == protoSCTP }
