// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"
	"net/netip"

	"stillwatch/sensor/internal/dissect"
)

// Neighbor Discovery messages, RFC 4861 section 4.
const (
	ndRouterSolicitation    = 133
	ndRouterAdvertisement   = 134
	ndNeighborSolicitation  = 135
	ndNeighborAdvertisement = 136
	ndRedirect              = 137
)

const maxPrefixes = 16

// ndOptionsAt is the offset of the options of each message.
var ndOptionsAt = [...]int{
	0: 8, ndRouterAdvertisement - ndRouterSolicitation: 16,
	ndNeighborSolicitation - ndRouterSolicitation: 24, ndNeighborAdvertisement - ndRouterSolicitation: 24,
	ndRedirect - ndRouterSolicitation: 40,
}

// ParseND reads a Neighbor Discovery message. body begins at the ICMPv6 type. ok is false for other types and for
// messages that are cut within their fixed part.
func ParseND(body []byte, src, dst netip.Addr, etherSrc [6]byte) (m *dissect.NDMessage, ok bool) {
	if len(body) < 8 || body[0] < ndRouterSolicitation || body[0] > ndRedirect || body[1] != 0 {
		return nil, false
	}
	at := ndOptionsAt[body[0]-ndRouterSolicitation]
	if len(body) < at {
		return nil, false
	}
	m = &dissect.NDMessage{Type: body[0], Src: src, Dst: dst, EtherSrc: etherSrc}
	switch body[0] {
	case ndRouterAdvertisement:
		m.Router, m.RouterLifetimeSeconds = true, binary.BigEndian.Uint16(body[6:])
	case ndNeighborAdvertisement:
		m.Router, m.Override = body[4]&0x80 != 0, body[4]&0x20 != 0
		m.Target = netip.AddrFrom16([16]byte(body[8:24]))
	case ndNeighborSolicitation, ndRedirect:
		m.Target = netip.AddrFrom16([16]byte(body[8:24]))
	}
	ndOptions(m, body[at:])
	return m, true
}

// ndOptions reads type, length in units of 8 bytes, value. A length of zero ends them (RFC 4861 section 4.6).
func ndOptions(m *dissect.NDMessage, b []byte) {
	const sourceLink, targetLink, prefix = 1, 2, 3
	for len(b) >= 8 && b[1] != 0 && len(b) >= int(b[1])*8 {
		size := int(b[1]) * 8
		switch {
		case b[0] == sourceLink:
			m.SourceLink = [6]byte(b[2:8])
		case b[0] == targetLink:
			m.TargetLink = [6]byte(b[2:8])
		case b[0] == prefix && size == 32 && b[2] <= 128 && len(m.Prefixes) < maxPrefixes:
			m.Prefixes = append(m.Prefixes, netip.PrefixFrom(netip.AddrFrom16([16]byte(b[16:32])), int(b[2])))
		}
		b = b[size:]
	}
}
