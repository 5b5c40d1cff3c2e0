// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/gopacket/layers"
)

// Answer is the reaction of a scanned port.
type Answer uint8

// The reactions: the port drops the SYN, refuses it with RST, or answers with SYN-ACK (and the scanner resets).
const (
	Dropped Answer = iota
	Refused
	Open
)

// Probe sends a SYN, and resets an open port at once like a half-open scan.
func (n *Net) Probe(at time.Time, who, target *Host, port uint16, a Answer) time.Time {
	c := n.open(at, who, n.ephemeral(who.IP), target, port)
	c.emitAt(Client, segment{flags: tcpFlags{syn: true}})
	switch a {
	case Refused:
		c.emit(Server, segment{flags: tcpFlags{rst: true, ack: true}})
	case Open:
		c.emit(Server, segment{flags: tcpFlags{syn: true, ack: true}})
		c.emit(Client, segment{flags: tcpFlags{rst: true}})
	}
	return c.now
}

// Unanswered sends a SYN without an answer, and repeats it after 1 s, 2 s, 4 s (RFC 6298).
func (n *Net) Unanswered(at time.Time, who, target *Host, port uint16, tries int) time.Time {
	c := n.open(at, who, n.ephemeral(who.IP), target, port)
	for i := range tries {
		c.now = at.Add(time.Second*(1<<i) - time.Second)
		c.emitAt(Client, segment{flags: tcpFlags{syn: true}, seq: c.ends[Client].seq})
		c.ends[Client].seq--
	}
	return c.now
}

// Scan probes the ports of each address of a prefix, gap apart. open reports whether a host in alive answers on a port; it
// refuses the others. For other addresses the capture has only an ARP request without a reply.
func (n *Net) Scan(at time.Time, who *Host, prefix string, ports []uint16, gap time.Duration, alive []*Host, open func(*Host, uint16) bool) time.Time {
	for _, a := range hosts(prefix) {
		h := find(alive, a)
		switch {
		case a == who.IP:
			continue
		case h == nil:
			n.seek(at, who, a)
			at = at.Add(n.jitter(gap))
			continue
		}
		for _, p := range ports {
			if open(h, p) {
				n.Probe(at, who, h, p, Open)
			} else {
				n.Probe(at, who, h, p, Refused)
			}
			at = at.Add(n.jitter(gap))
		}
	}
	return at
}

// ICMPSweep sends one echo request to each address of a prefix. Hosts in alive answer; for the others the capture has an ARP request.
func (n *Net) ICMPSweep(at time.Time, who *Host, prefix string, gap time.Duration, alive []*Host) time.Time {
	for _, a := range hosts(prefix) {
		if a == who.IP {
			continue
		}
		if h := find(alive, a); h != nil {
			n.Ping(at, who, h, 1, true)
		} else {
			n.seek(at, who, a)
		}
		at = at.Add(n.jitter(gap))
	}
	return at
}

// seek adds the ARP request for an address without a host: from the station itself, or from the router for an external one.
func (n *Net) seek(at time.Time, who *Host, a netip.Addr) {
	if who.External {
		who = n.router
	}
	n.ARPRequest(at, who, a)
}

// MiraiSYN sends a SYN like the scanner of the Mirai family: the sequence number is the destination address, no options.
func (n *Net) MiraiSYN(at time.Time, who, target *Host, port uint16) {
	ip := target.IP.As4()
	t := &layers.TCP{SrcPort: layers.TCPPort(1024 + n.rng.IntN(60000)), DstPort: layers.TCPPort(port),
		Seq: binary.BigEndian.Uint32(ip[:]), SYN: true, Window: uint16(n.rng.Uint32())}
	n.transport(at, 0, who, target, layers.IPProtocolTCP, t, nil)
}
