// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"cmp"
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/database"
	"stillwatch/sensor/internal/dissect/directory"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/industrial"
	"stillwatch/sensor/internal/dissect/lan"
	"stillwatch/sensor/internal/dissect/lines"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/messaging"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/quic"
	"stillwatch/sensor/internal/dissect/recognize"
	"stillwatch/sensor/internal/dissect/remote"
	"stillwatch/sensor/internal/dissect/ssh"
	"stillwatch/sensor/internal/dissect/tls"
	"stillwatch/sensor/internal/dissect/tunnel"
)

// protocols has the registrations of all families in the order of their names.
var protocols = sortedByName(camera.Protocols, database.Protocols, directory.Protocols, dns.Protocols, http.Protocols, industrial.Protocols,
	lan.Protocols, lines.Protocols, messaging.Protocols, quic.Protocols, recognize.Protocols, remote.Protocols, ssh.Protocols, tls.Protocols,
	tunnel.Protocols)

func sortedByName(families ...protocol.List) protocol.List {
	return slices.SortedFunc(slices.Values(slices.Concat(families...)), func(a, b *protocol.Protocol) int { return strings.Compare(a.Name, b.Name) })
}

// streamProtocol is an entry of the table of protocols over TCP. looks is that of the registration, copied because a session without a known
// protocol calls all of them.
type streamProtocol struct {
	*protocol.Stream
	looks func(head []byte, final bool, ports dissect.Ports) match.Verdict
	app   dissect.AppID                        // without a name if the dissector reports it later
	open  func(c *Conversation) dissect.Stream // nil if the protocol is named and not read
}

// datagramProtocol is an entry of the table of protocols over UDP.
type datagramProtocol struct {
	protocol.Datagram
	app  dissect.AppID
	open func(c *Conversation) dissect.Datagrams // nil if the protocol is named and not read
}

// streamProtocols lists the protocols over TCP in their order: index 0 by what a client sends first, index 1 by what a server sends first. The
// first entry that does not answer No decides.
var streamProtocols = [2][]streamProtocol{dissect.FromClient: streamsOf(protocol.Client), dissect.FromServer: streamsOf(protocol.Server)}

func streamsOf(side protocol.Side) (table []streamProtocol) {
	for _, p := range protocols {
		for i := range p.Streams {
			if s := &p.Streams[i]; s.From == side || s.From == protocol.Either {
				table = append(table, newStreamProtocol(p.Name, s))
			}
		}
	}
	slices.SortFunc(table, func(a, b streamProtocol) int { return cmp.Compare(a.Order, b.Order) })
	return table
}

func newStreamProtocol(name string, s *protocol.Stream) streamProtocol {
	p := streamProtocol{Stream: s, looks: s.Looks}
	if s.Names == nil {
		p.app.Name = name
	}
	switch {
	case s.NewFor != nil:
		p.open = func(c *Conversation) dissect.Stream { return s.NewFor(c.ports) }
	case s.New == nil: // the protocol is named and not read
	case name == "tls":
		p.open = (*Conversation).newTLS
	case name == "http":
		p.open = (*Conversation).newHTTP
	default:
		p.open = func(*Conversation) dissect.Stream { return s.New() }
	}
	return p
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

// datagramProtocols lists the protocols over UDP in their order. The first one that fits decides.
var datagramProtocols = datagramsOf()

func datagramsOf() (table []datagramProtocol) {
	for _, p := range protocols {
		for i := range p.Datagrams {
			table = append(table, newDatagramProtocol(p.Name, p.Datagrams[i]))
		}
	}
	slices.SortFunc(table, func(a, b datagramProtocol) int { return cmp.Compare(a.Order, b.Order) })
	return table
}

func newDatagramProtocol(name string, d protocol.Datagram) datagramProtocol {
	p := datagramProtocol{Datagram: d, app: dissect.AppID{Name: name}}
	switch {
	case name == "dns":
		p.open = (*Conversation).newDNS
	case name == "mdns":
		p.open = (*Conversation).newMDNS
	case name == "llmnr":
		p.open = (*Conversation).newLLMNR
	case d.New != nil:
		p.open = func(*Conversation) dissect.Datagrams { return d.New() }
	}
	return p
}

// datagramOrder holds, for each first byte, the entries that such a datagram may fit, in order: index 0 those that fit
// any ports, index 1 also those that are bound to ports.
var datagramOrder = [2][256][]*datagramProtocol{orderDatagrams(false), orderDatagrams(true)}

func orderDatagrams(bound bool) (order [256][]*datagramProtocol) {
	for i := range datagramProtocols {
		p := &datagramProtocols[i]
		for c := range order {
			if p.Takes(byte(c)) && (bound || len(p.Ports) == 0) {
				order[c] = append(order[c], p)
			}
		}
	}
	return order
}

// boundPorts is a bit set of the ports to which some entry is bound.
var boundPorts = bindPorts()

func bindPorts() (bits [1 << 16 / 64]uint64) {
	for i := range datagramProtocols {
		for _, port := range datagramProtocols[i].Ports {
			bits[port/64] |= 1 << (port % 64)
		}
	}
	return bits
}

// candidates returns the entries that data may fit. data must not be empty.
func candidates(data []byte, ports dissect.Ports) []*datagramProtocol {
	bound := boundPorts[ports.Client/64]>>(ports.Client%64) | boundPorts[ports.Server/64]>>(ports.Server%64)
	return datagramOrder[bound&1][data[0]]
}
