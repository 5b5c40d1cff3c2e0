// SPDX-License-Identifier: Apache-2.0

package packet

type fragState uint8

const (
	collecting fragState = iota
	finished             // complete; kept for a while to detect duplicates
	broken               // cannot be completed; kept for its ports
)

// datagram is the state of the reassembly of one datagram.
type datagram struct {
	key              fragKey
	began, ended     int64 // capture time of the first arrival and of completion
	newer, older     int32 // list by age
	blocks           [blocksPerDatagram]int32
	total            int32 // length; -1 while the last fragment is missing
	top              int32 // end of the furthest fragment
	units            int32 // units of 8 bytes that have arrived
	fragments        int32
	held, heldIP     uint32 // frames that were held, and their IP bytes
	heldPayload      uint32
	srcPort, dstPort uint16
	icmpID, icmpSeq  uint16
	kind             Kind
	proto, next      uint8
	state            fragState
	first            bool // the first fragment was seen: kind, proto and ports are valid
	hold             bool // hold all fragments until it is complete, because it may be a tunnel
}

// learn stores what later fragments need from the first one.
func (d *datagram) learn(p *Packet) {
	d.first = true
	d.kind, d.proto, d.next = p.Kind, p.Proto, p.FragNext
	d.srcPort, d.dstPort, d.icmpID = p.SrcPort, p.DstPort, p.ICMPID
	d.icmpSeq = p.ICMPSeq
	d.hold = d.state == collecting && mayBeTunnel(p)
}

func mayBeTunnel(p *Packet) bool {
	switch p.Proto {
	case protoIPv4, protoIPv6, protoGRE, protoMPLS, protoAH:
		return true
	case protoUDP:
		return isTunnelPort(p.SrcPort) || isTunnelPort(p.DstPort)
	}
	return false
}

// keep holds a packet.
func (d *datagram) keep(p *Packet) {
	d.held += p.Count
	d.heldIP += p.IPBytes
	d.heldPayload += p.PayloadLen
}

// pass sets the ports of p and adds the held fragments to its counts.
func (d *datagram) pass(p *Packet) {
	p.Kind, p.Proto = d.kind, d.proto
	p.SrcPort, p.DstPort, p.ICMPID = d.srcPort, d.dstPort, d.icmpID
	p.ICMPSeq = d.icmpSeq
	p.hasRare = true
	p.Count += d.held
	p.IPBytes += d.heldIP
	p.PayloadLen += d.heldPayload
	d.held, d.heldIP, d.heldPayload = 0, 0, 0
}

// contradicts records where the datagram ends, and reports whether that contradicts earlier fragments.
func (d *datagram) contradicts(start, end int, more bool) bool {
	if !more {
		if d.total >= 0 && int(d.total) != end {
			return true
		}
		d.total = int32(end)
	}
	d.top = max(d.top, int32(end))
	return d.total >= 0 && d.top > d.total
}
