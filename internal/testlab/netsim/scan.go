// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/gopacket/layers"
)

// Answer is what a scanned port does.
type Answer uint8

// A port drops the SYN, refuses it with RST, or answers with SYN-ACK (the scanner then resets).
const (
	Dropped Answer = iota
	Refused
	Open
)

// Probe sends one SYN; an open port is reset at once, as a half-open scan does.
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

// Unanswered sends a SYN that nobody answers, and tries more of the same after 1 s, 2 s, 4 s (RFC 6298).
func (n *Net) Unanswered(at time.Time, who, target *Host, port uint16, tries int) time.Time {
	c := n.open(at, who, n.ephemeral(who.IP), target, port)
	for i := range tries {
		c.now = at.Add(time.Second*(1<<i) - time.Second)
		c.emitAt(Client, segment{flags: tcpFlags{syn: true}, seq: c.ends[Client].seq})
		c.ends[Client].seq--
	}
	return c.now
}

// Scan probes the ports of each address of a prefix, gap apart. open tells which of alive answer on which ports; a live host
// refuses the other ports. For a dead address there is no more to see than an ARP request that nobody answers.
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

// ICMPSweep sends one echo request to each address of a prefix. Those in alive answer; for the others there is an ARP request.
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

// seek asks for an address at which no machine is: the station itself does, or the router for one outside.
func (n *Net) seek(at time.Time, who *Host, a netip.Addr) {
	if who.External {
		who = n.router
	}
	n.ARPRequest(at, who, a)
}

// MiraiSYN sends a SYN as the Mirai family's scanner writes it: sequence number equal to the destination address, no options.
func (n *Net) MiraiSYN(at time.Time, who, target *Host, port uint16) {
	ip := target.IP.As4()
	t := &layers.TCP{SrcPort: layers.TCPPort(1024 + n.rng.IntN(60000)), DstPort: layers.TCPPort(port),
		Seq: binary.BigEndian.Uint32(ip[:]), SYN: true, Window: uint16(n.rng.Uint32())}
	n.transport(at, 0, who, target, layers.IPProtocolTCP, t, nil)
}
