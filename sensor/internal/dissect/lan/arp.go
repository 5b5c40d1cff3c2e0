// SPDX-License-Identifier: Apache-2.0

// Package lan reads what hosts send on their own network to find addresses, the time and each other's state: ARP,
// Neighbor Discovery, DHCP, NTP and SNMP.
package lan

import (
	"encoding/binary"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

// ParseARP reads an ARP packet for IPv4 over Ethernet (RFC 826). body begins at the hardware type. ok is false for
// other types of address, other operations, and packets that are cut.
func ParseARP(body []byte, etherSrc, etherDst [6]byte) (m *dissect.ARPMessage, ok bool) {
	const size, ethernet, ipv4, request, reply = 28, 1, 0x0800, 1, 2
	if len(body) < size || binary.BigEndian.Uint16(body) != ethernet || binary.BigEndian.Uint16(body[2:]) != ipv4 ||
		body[4] != 6 || body[5] != 4 {
		return nil, false
	}
	op := binary.BigEndian.Uint16(body[6:])
	if op != request && op != reply {
		return nil, false
	}
	m = &dissect.ARPMessage{
		Request: op == request, SenderMAC: [6]byte(body[8:14]), TargetMAC: [6]byte(body[18:24]),
		SenderIP: netip.AddrFrom4([4]byte(body[14:18])), TargetIP: netip.AddrFrom4([4]byte(body[24:28])),
		EtherSrc: etherSrc, EtherDst: etherDst,
	}
	// RFC 5227 section 1.1: a probe asks for an address without claiming one, an announcement names its own twice.
	m.Probe = m.Request && m.SenderIP.IsUnspecified()
	m.Gratuitous = !m.Probe && m.SenderIP == m.TargetIP
	return m, true
}
