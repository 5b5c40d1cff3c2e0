// SPDX-License-Identifier: Apache-2.0

package packet

// ERSPAN is mirrored traffic in GRE (draft-foschiano-erspan-03). The GRE below it is understood and not recorded as a
// tunnel of its own; the ID is the session id. The VLAN id in the header repeats that of the port and is not recorded.

// erspan reads types I and II: type II always has a GRE sequence number and a header of 8 bytes, type I neither.
func erspan(p *Packet, sequence bool, b []byte, n, depth int) Verdict {
	if !sequence {
		return inner(p, TunnelERSPAN, 0, false, etherBridged, b, n, depth)
	}
	if len(b) < 8 {
		return VerdictShortTunnel
	}
	switch b[0] >> 4 {
	case 1:
		return inner(p, TunnelERSPAN, uint32(be16(b[2:])&0x3ff), true, etherBridged, b[8:], n-8, depth)
	case 2:
		return erspan3(p, b, n, depth)
	}
	return VerdictBadTunnel
}

// erspan3 reads type III: 12 bytes, and 8 more with platform data if the last bit says so.
func erspan3(p *Packet, b []byte, n, depth int) Verdict {
	const (
		frameEthernet = 0
		frameIP       = 2
	)
	if len(b) < 12 {
		return VerdictShortTunnel
	}
	if b[0]>>4 != 2 {
		return VerdictBadTunnel
	}
	size := 12
	if b[11]&1 != 0 {
		size += 8
	}
	if len(b) < size {
		return VerdictShortTunnel
	}
	id := uint32(be16(b[2:]) & 0x3ff)
	et := uint16(etherBridged)
	switch b[10] >> 2 & 0x1f {
	case frameEthernet:
	case frameIP:
		et = ipEtherType(b[size:])
	default:
		return VerdictOK // a frame of another kind: the GRE packet stands
	}
	return inner(p, TunnelERSPAN, id, true, et, b[size:], n-size, depth)
}

// ipEtherType tells IPv4 from IPv6 by the version field.
func ipEtherType(b []byte) uint16 {
	if len(b) > 0 && b[0]>>4 == 6 {
		return etherIPv6
	}
	return etherIPv4
}
