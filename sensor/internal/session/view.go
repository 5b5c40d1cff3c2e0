// SPDX-License-Identifier: Apache-2.0

// Package session is the session table of one partition: initiator, state, counts in both directions, and the first bytes of both
// streams. Its only clock is the capture clock.
package session

import "stillwatch/sensor/internal/packet"

// Dir is a direction within a session.
type Dir uint8

// Out is initiator to responder, In the other way.
const (
	Out Dir = 0
	In  Dir = 1
)

// Basis is the evidence for who opened a session.
type Basis uint8

// The bases, in the order of records.md.
const (
	BasisSYN         Basis = iota // the SYN was seen
	BasisSYNACK                   // only the SYN-ACK was seen
	BasisRequest                  // ICMP echo and the like
	BasisQUICInitial              // a QUIC client Initial
	BasisFirstPacket              // the sender of the first packet; nothing better is known
	BasisPort                     // captured midstream: decided by the port, well known or one that this end answered on before
)

var basisNames = [...]string{"syn", "syn_ack", "request", "quic_initial", "first_packet", "port"}

func (b Basis) String() string { return basisNames[b] }

// State is the state of a session.
type State uint8

// The states, in the order of records.md.
const (
	Attempted   State = iota // no answer
	Rejected                 // refused: the only answer was a RST
	Established              // answered
	Closed                   // FIN both ways
	Reset                    // RST after it was established
	Midstream                // the start was not captured, or no packet of the initiator
	OneWay                   // no packet of the responder was captured, but the initiator continues as if answered
)

var stateNames = [...]string{"attempted", "rejected", "established", "closed", "reset", "midstream", "one_way"}

func (s State) String() string { return stateNames[s] }

// Endpoint is one end of a session. HasPort is false where the protocol has no ports.
type Endpoint struct {
	Addr packet.Addr
	MAC  packet.MAC // zero if not known
	Port uint16
	TTL  uint8 // of the first packet from this end; 0 if there was none
}

// View is a session at one moment, as a plain value. Index 0 of the pairs is Out (initiator to responder), index 1 is In.
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
	Gap          bool // bytes of the stream heads are missing, so conclusions from them are not reliable
	Unconfirmed  bool // no packet was captured by which the initiator opens a session
	Resumed      bool // it continues a session that expired because it carried nothing for the timeout
	OneDirection bool // the mirror is known to carry one direction only
	Turned       bool // Turn was called: directions reported with the session must be swapped too
	Basis        Basis
	State        State
	NumVLANs     uint8
	VLANs        [packet.MaxVLANs]uint16
	Tunnels      []packet.Tunnel // shared, never changed
	Copies       *Copies         `snapshot:"-"` // what the mirror sent more than once, only for the record; nil: nothing
	Aborted      [2]bool         `snapshot:"-"` // which ends sent a RST that counts, only for the record
}

// Turn makes the responder the initiator.
func (v *View) Turn() {
	v.Initiator, v.Responder = v.Responder, v.Initiator
	for _, pair := range []*[2]uint64{&v.Packets, &v.IPBytes, &v.PayloadBytes} {
		pair[0], pair[1] = pair[1], pair[0]
	}
	v.Aborted[0], v.Aborted[1] = v.Aborted[1], v.Aborted[0]
	if v.Copies != nil {
		x := *v.Copies
		x.turn()
		v.Copies = &x
	}
	v.Turned = !v.Turned
}

func (x *Copies) turn() {
	for _, pair := range []*[2]uint64{&x.Packets, &x.IPBytes, &x.PayloadBytes} {
		pair[0], pair[1] = pair[1], pair[0]
	}
}

// Opened reports whether a packet proves that the initiator opened the session: its SYN, its ACK of a SYN-ACK, the first datagram, or an
// echo request. A TCP session captured midstream has no proof, nor has one known only from packets that anybody can send unsolicited: a
// SYN-ACK, or an answer without a question. On a mirror known to carry one direction a SYN-ACK is enough.
func (v *View) Opened() bool {
	if v.Unconfirmed {
		return v.OneDirection && v.Basis == BasisSYNACK && v.State == Midstream
	}
	return v.Proto != protoTCP || v.Basis == BasisSYN || v.Basis == BasisSYNACK
}

// Answered reports whether the responder accepted the session: a packet of it was captured, and it was no refusal.
func (v *View) Answered() bool {
	switch v.State {
	case Established, Closed, Reset, Midstream:
		return v.Packets[In] > 0
	}
	return false
}

// ToGroup reports whether the session goes to more than one host: multicast, broadcast, or the reserved range 240.0.0.0/4. A broadcast
// or reserved address that answered is one host.
func (v *View) ToGroup() bool {
	return groupAddr(&v.Responder.Addr) || v.Group && v.Packets[In] == 0
}
