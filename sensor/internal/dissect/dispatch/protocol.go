// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// streamProtocol recognizes one protocol by the first bytes of one direction of a TCP session, and opens its dissector.
type streamProtocol struct {
	app   dissect.AppID // without a name if the dissector reports it later
	looks func(head []byte, final bool, ports dissect.Ports) match.Verdict
	open  func(c *Conversation) dissect.Stream // nil if the protocol is named and not read
}

// stream returns an entry of the table of protocols over TCP. If open is nil, the protocol is named and not read.
func stream(name string, looks func(head []byte, final bool, ports dissect.Ports) match.Verdict, open func() dissect.Stream) streamProtocol {
	p := streamProtocol{app: dissect.AppID{Name: name}, looks: looks}
	if open != nil {
		p.open = func(*Conversation) dissect.Stream { return open() }
	}
	return p
}

// streamOf is stream for a dissector that needs something from the conversation.
func streamOf(name string, looks func(head []byte, final bool, ports dissect.Ports) match.Verdict, open func(*Conversation) dissect.Stream) streamProtocol {
	return streamProtocol{app: dissect.AppID{Name: name}, looks: looks, open: open}
}

// datagramProtocol recognizes one protocol by a whole UDP datagram, and opens its dissector.
type datagramProtocol struct {
	app   dissect.AppID
	first string   // ranges of the first byte, as pairs; "" for any
	where []uint16 // ports of which one must be used; none for any
	looks func(data []byte, ports dissect.Ports) bool
	open  func(c *Conversation) dissect.Datagrams // nil if the protocol is named and not read
}

// datagram returns an entry of the table of protocols over UDP. If open is nil, the protocol is named and not read.
func datagram(name, first string, where []uint16, looks func(data []byte, ports dissect.Ports) bool, open func() dissect.Datagrams) datagramProtocol {
	p := datagramProtocol{app: dissect.AppID{Name: name}, first: first, where: where, looks: looks}
	if open != nil {
		p.open = func(*Conversation) dissect.Datagrams { return open() }
	}
	return p
}

// datagramOf is datagram for a dissector that needs something from the conversation.
func datagramOf(name, first string, where []uint16, looks func(data []byte, ports dissect.Ports) bool, open func(*Conversation) dissect.Datagrams) datagramProtocol {
	return datagramProtocol{app: dissect.AppID{Name: name}, first: first, where: where, looks: looks, open: open}
}

// takes reports whether a datagram of this protocol may begin with c.
func (p *datagramProtocol) takes(c byte) bool {
	for i := 0; i < len(p.first); i += 2 {
		if p.first[i] <= c && c <= p.first[i+1] {
			return true
		}
	}
	return p.first == ""
}

// fits reports whether a datagram between ports may be of this protocol.
func (p *datagramProtocol) fits(data []byte, ports dissect.Ports) bool {
	return (len(p.where) == 0 || ports.Has(p.where...)) && p.looks(data, ports)
}

// matchStream returns the first protocol that does not rule itself out.
func matchStream(table []streamProtocol, head []byte, final bool, ports dissect.Ports) (*streamProtocol, match.Verdict) {
	for i := range table {
		switch v := table[i].looks(head, final, ports); {
		case v == match.Yes, v == match.Maybe && !final:
			return &table[i], v
		}
	}
	return nil, match.No
}
