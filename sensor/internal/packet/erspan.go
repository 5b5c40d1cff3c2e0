// SPDX-License-Identifier: Apache-2.0

package packet

// ERSPAN is mirrored traffic in GRE (draft-foschiano-erspan-03). The GRE below it is not recorded as a tunnel of its own. The ID is the
// session id, and the VLAN that of the mirrored port, even if the frame has no tag.

const (
	erspan2Size = 8
	erspan3Size = 12
)

// erspan reads types I and II. Type II should have a GRE sequence number and a header of 8 bytes, type I neither. Some senders omit the number,
// or number type I too; the reading that looks like Ethernet is then used.
func erspan(p *Packet, sequence bool, b []byte, n, depth int) Verdict {
	kind := uint8(0)
	if len(b) > 0 {
		kind = b[0] >> 4
	}
	switch {
	case !sequence && !(kind == 1 && len(b) > erspan2Size && typedEthernet(b[erspan2Size:]) && !typedEthernet(b)):
		return inner(p, TunnelERSPAN, 0, false, etherBridged, b, n, depth)
	case len(b) < erspan2Size:
		return VerdictShortTunnel
	case kind == 1:
		return erspanInner(p, etherBridged, b, erspan2Size, n, depth)
	case kind == 2:
		return erspan3(p, b, n, depth)
	case typedEthernet(b):
		return inner(p, TunnelERSPAN, 0, false, etherBridged, b, n, depth)
	}
	return VerdictBadTunnel
}

// erspan3 reads type III: 12 bytes, and 8 more with platform data if the last bit says so.
func erspan3(p *Packet, b []byte, n, depth int) Verdict {
	const (
		frameEthernet = 0
		frameIP       = 2
	)
	if len(b) < erspan3Size {
		return VerdictShortTunnel
	}
	if b[0]>>4 != 2 {
		return VerdictBadTunnel
	}
	size := erspan3Size
	if b[11]&1 != 0 {
		size += 8
	}
	if len(b) < size {
		return VerdictShortTunnel
	}
	et := uint16(etherBridged)
	switch b[10] >> 2 & 0x1f {
	case frameEthernet:
	case frameIP:
		et = ipEtherType(b[size:])
	default:
		return VerdictOK // not Ethernet: p stays the GRE packet
	}
	return erspanInner(p, et, b, size, n, depth)
}

// erspanInner reads the frame after a header of type II or III. Both start with version, VLAN, …, session id.
func erspanInner(p *Packet, et uint16, b []byte, size, n, depth int) Verdict {
	vlan, id := be16(b)&0xfff, uint32(be16(b[2:])&0x3ff)
	return innerVLAN(p, TunnelERSPAN, id, true, vlan, et, b[size:], n-size, depth)
}

// ipEtherType returns the EtherType of an IP packet, as its version field says.
func ipEtherType(b []byte) uint16 {
	if len(b) > 0 && b[0]>>4 == 6 {
		return etherIPv6
	}
	return etherIPv4
}
