// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ipmi",
	Signs: "RMCP and the length of a session, or ping and pong of ASF",
	Login: protocol.LoginUnread,
	Datagrams: []protocol.Datagram{
		{Order: 230, First: "\x06\x06", Looks: LooksIPMI},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "l2tp",
	Signs: "flags of a control message, length of the datagram",
	Ports: "1701",
	Login: protocol.LoginUnread,
	Datagrams: []protocol.Datagram{
		{Order: 280, First: "\xc8\xc8", Ports: []uint16{1701}, Looks: LooksL2TP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ldp",
	Signs: "UDP: hello and lengths; TCP: initialization and lengths",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 450, Looks: LooksLDPStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 450, First: "\x00\x00", Looks: LooksLDP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "natpmp",
	Signs: "request or response of NAT-PMP or PCP by its length",
	Ports: "5350, 5351",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 250, First: "\x00\x02", Ports: []uint16{5350, 5351}, Looks: LooksNATPMP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rip",
	Signs: "command, version, entries to the end of the datagram",
	Ports: "520, 521",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 270, First: "\x01\x02", Ports: []uint16{520, 521}, Looks: LooksRIP},
	},
})

// LooksNATPMP recognizes requests to a gateway to open a port, and its responses: NAT-PMP (RFC 6886 section 3) and PCP (RFC 6887 section 7).
// The table binds it to the port.
func LooksNATPMP(b []byte, _ dissect.Ports) bool {
	const answer, maxResult, pcp, pcpHead, pcpLongest, pcpOps = 0x80, 5, 2, 24, 1100, 3
	switch {
	case len(b) < 2:
		return false
	case b[0] == pcp:
		return len(b) >= pcpHead && len(b) <= pcpLongest && len(b)%4 == 0 && b[1]&^answer <= pcpOps && b[2] == 0
	case b[0] != 0:
		return false
	}
	switch op := b[1]; {
	case op == 0:
		return len(b) == 2
	case op <= 2:
		return len(b) == 12 && b[2] == 0 && b[3] == 0
	case op == answer:
		return len(b) == 12 && b[2] == 0 && b[3] <= maxResult
	case op <= answer+2:
		return op > answer && len(b) == 16 && b[2] == 0 && b[3] <= maxResult
	}
	return false
}

// LooksOldSTUN recognizes STUN before the magic cookie (RFC 3489 section 11.1): a binding or a secret, length, attributes to the end. The table
// binds it to the port.
func LooksOldSTUN(b []byte, _ dissect.Ports) bool {
	const headLen, attribute = 20, 4
	if len(b) < headLen || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headLen {
		return false
	}
	switch binary.BigEndian.Uint16(b) {
	case 0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112:
	default:
		return false
	}
	for b = b[headLen:]; len(b) >= attribute; {
		size := attribute + int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}

// LooksRIP recognizes the routing protocol RIP, versions 1 and 2 (RFC 2453 section 3.6), and RIPng (RFC 2080 section 2.1): command, version,
// zeros, entries to the end. The table binds it to the ports.
func LooksRIP(b []byte, ports dissect.Ports) bool {
	const headLen, entry, response, ipv4, authentication = 4, 20, 2, 2, 0xffff
	if len(b) < headLen+entry || (len(b)-headLen)%entry != 0 || b[0] == 0 || b[0] > response || b[1] == 0 || b[1] > 2 || b[2] != 0 || b[3] != 0 {
		return false
	}
	if ports.Has(521) {
		return b[1] == 1
	}
	family := binary.BigEndian.Uint16(b[headLen:])
	return family == 0 || family == ipv4 || family == authentication
}

// LooksLDP recognizes a hello of the Label Distribution Protocol (RFC 5036 section 3.5.2): version 1, lengths that fit, type.
func LooksLDP(b []byte, _ dissect.Ports) bool {
	const headLen, messageHead, hello = 10, 8, 0x0100
	if len(b) < headLen+messageHead || b[0] != 0 || b[1] != 1 || int(binary.BigEndian.Uint16(b[2:])) != len(b)-4 {
		return false
	}
	return binary.BigEndian.Uint16(b[headLen:]) == hello && int(binary.BigEndian.Uint16(b[headLen+2:])) == len(b)-headLen-4
}

// LooksLDPStream recognizes the initialization of LDP over TCP (RFC 5036 section 3.5.3).
func LooksLDPStream(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, kindAt, initialization = 14, 10, "\x02\x00"
	switch {
	case match.Prefix(head, "\x00\x01\x00") == match.No, len(head) > kindAt && match.Prefix(head[kindAt:], initialization) == match.No:
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	return match.If(binary.BigEndian.Uint16(head[2:]) == binary.BigEndian.Uint16(head[12:])+10)
}

// LooksL2TP recognizes a control message of L2TP, version 2 (RFC 2661 section 3.1): type, length and sequence bits, length of the datagram. The
// table binds it to the port.
func LooksL2TP(b []byte, _ dissect.Ports) bool {
	const headLen = 12
	return len(b) >= headLen && b[0] == 0xc8 && b[1] == 2 && int(binary.BigEndian.Uint16(b[2:])) == len(b)
}

// LooksIPMI recognizes messages to and from the management controller of a server: RMCP without an acknowledgement, class IPMI with the length of
// a session of version 1.5 or 2.0 (IPMI 2.0, sections 13.1.3 and 13.6), or a ping or pong of ASF (ASF 2.0, section 3.2.4).
func LooksIPMI(b []byte, _ dissect.Ports) bool {
	const asf, ipmi, rmcpHead, plus = 6, 7, 4, 6
	if len(b) < 12 || b[0] != 6 || b[1] != 0 || b[2] != 0xff {
		return false
	}
	switch b[3] {
	case asf:
		return string(b[rmcpHead:rmcpHead+4]) == "\x00\x00\x11\xbe" && (b[8] == 0x80 || b[8] == 0x40)
	case ipmi:
		switch kind := b[4]; {
		case kind == plus:
			return len(b) >= 16 && 16+int(binary.LittleEndian.Uint16(b[14:])) <= len(b)
		case kind == 0:
			return len(b) >= 14 && 14+int(b[13]) <= len(b) && len(b) <= 14+int(b[13])+1
		default:
			return kind <= 5 && len(b) >= 30 && 30+int(b[29]) <= len(b)
		}
	}
	return false
}
