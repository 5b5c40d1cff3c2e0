// SPDX-License-Identifier: Apache-2.0

// Package session keeps the sessions of one partition: who opened, in which state they are, what went each way, and
// the head of both streams. Its only clock is the capture clock.
package session

import "stillwatch/sensor/internal/packet"

// Dir is a direction within a session.
type Dir uint8

// Out is initiator to responder, In the other way.
const (
	Out Dir = 0
	In  Dir = 1
)

// Basis tells how it is known who opened a session.
type Basis uint8

// The bases, in the order of records.md.
const (
	BasisSYN         Basis = iota // the SYN was seen
	BasisSYNACK                   // only the SYN-ACK was seen
	BasisRequest                  // ICMP echo and the like
	BasisQUICInitial              // a QUIC client Initial
	BasisFirstPacket              // nothing better than who was seen first
	BasisPort                     // caught in the middle: the port decides, a well-known one or one on which the end answered before
)

var basisNames = [...]string{"syn", "syn_ack", "request", "quic_initial", "first_packet", "port"}

func (b Basis) String() string { return basisNames[b] }

// State is the state of a session.
type State uint8

// The states, in the order of records.md.
const (
	Attempted   State = iota // no answer
	Rejected                 // refused: nothing but a RST came back
	Established              // answered
	Closed                   // FIN both ways
	Reset                    // RST after it was established
	Midstream                // the start was not seen, or nothing of the initiator
	OneWay                   // the answer side was never seen, although the initiator goes on as if answered
)

var stateNames = [...]string{"attempted", "rejected", "established", "closed", "reset", "midstream", "one_way"}

func (s State) String() string { return stateNames[s] }

// Endpoint is one end of a session. HasPort is false where the protocol has no ports.
type Endpoint struct {
	Addr packet.Addr
	MAC  packet.MAC // zero if not known
	Port uint16
	TTL  uint8 // of the first packet seen from this end, 0 if none was
}

// View is a session as it stood at one moment: a plain value. Index 0 of the pairs is Out
// (initiator to responder), index 1 is In.
type View struct {
	ID           uint64 // number of its first packet: unique within a run
	Start, End   int64  // first and last packet, nanoseconds
	Initiator    Endpoint
	Responder    Endpoint
	Packets      [2]uint64
	IPBytes      [2]uint64
	PayloadBytes [2]uint64
	SynSeq       uint32 // sequence number of the initiator's SYN, if BasisSYN
	SynOptLen    uint8  // bytes of TCP options on that SYN
	Proto        uint8
	ICMPType     uint8 // of the first packet
	ICMPCode     uint8
	V6           bool
	HasPorts     bool
	Group        bool // its first packet was sent to more than one host: see ToGroup
	Gap          bool // bytes of the stream heads were missed, so inferences over them do not hold
	Unconfirmed  bool // no packet was seen by which the initiator opens a session
	OneDirection bool // the mirror is known to carry one direction only
	Turned       bool // Turn was called: directions that were told with the session are to be turned as well
	Basis        Basis
	State        State
	NumVLANs     uint8
	VLANs        [packet.MaxVLANs]uint16
	Tunnels      []packet.Tunnel // shared, never changed
}

// Turn makes the responder the initiator.
func (v *View) Turn() {
	v.Initiator, v.Responder = v.Responder, v.Initiator
	for _, pair := range []*[2]uint64{&v.Packets, &v.IPBytes, &v.PayloadBytes} {
		pair[0], pair[1] = pair[1], pair[0]
	}
	v.Turned = !v.Turned
}

// Opened reports whether the initiator opened the session, so that it can be held against it: its SYN was seen, or how it took a SYN-ACK, the
// first datagram, or an echo request. A TCP session caught in the middle was not, nor was what somebody else can send unasked: a SYN-ACK or
// an answer to a question that was not seen. Only where the mirror is known to carry one direction a SYN-ACK is enough.
func (v *View) Opened() bool {
	if v.Unconfirmed {
		return v.OneDirection && v.Basis == BasisSYNACK && v.State == Midstream
	}
	return v.Proto != protoTCP || v.Basis == BasisSYN || v.Basis == BasisSYNACK
}

// Answered reports whether the responder took the session: a packet of it was seen, and it was no refusal.
func (v *View) Answered() bool {
	switch v.State {
	case Established, Closed, Reset, Midstream:
		return v.Packets[In] > 0
	}
	return false
}

// ToGroup reports whether the session is with more than one host: multicast, broadcast, or the reserved range 240.0.0.0/4. An address of
// the last two kinds that has answered is one host after all.
func (v *View) ToGroup() bool {
	return groupAddr(&v.Responder.Addr) || v.Group && v.Packets[In] == 0
}
