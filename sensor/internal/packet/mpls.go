// SPDX-License-Identifier: Apache-2.0

package packet

// maxLabels bounds a label stack; hardware handles about a dozen.
const maxLabels = 16

// mpls reads a label stack (RFC 3032 section 2.1). The stack is one Tunnel, with the top label as its ID. No field names the payload; its
// first nibble shows it (RFC 4928 section 3).
func mpls(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 4 {
		return VerdictShortMPLS
	}
	top := be32(b) >> 12
	for n := 0; ; n++ {
		if len(b) < 4 {
			return VerdictShortMPLS
		}
		if n == maxLabels {
			return VerdictNesting
		}
		last := b[2]&1 != 0
		b, wire = b[4:], wire-4
		if last {
			break
		}
	}
	et, skip := mplsPayload(b, wire)
	if et == 0 {
		return VerdictNoNetwork
	}
	return inner(p, TunnelMPLS, top, true, et, b[skip:], wire-skip, depth)
}

// mplsPayload guesses the payload of a label stack, and the length of a control word before it. et is 0 for payloads that are not read. A
// pseudowire without a control word starts with a MAC, whose first nibble may look like an IP version.
func mplsPayload(b []byte, wire int) (et uint16, skip int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch b[0] >> 4 {
	case 4:
		if plausibleIPv4(b, wire) || !plausibleEthernet(b) {
			return etherIPv4, 0
		}
	case 6:
		if plausibleIPv6(b, wire) || !plausibleEthernet(b) {
			return etherIPv6, 0
		}
	case 0: // RFC 4385 section 3: control word, 4 bits of zero
		if len(b) > 4 && plausibleEthernet(b[4:]) {
			return etherBridged, 4
		}
	}
	if plausibleEthernet(b) {
		return etherBridged, 0
	}
	return 0, 0
}

func plausibleIPv4(b []byte, wire int) bool {
	return len(b) >= 20 && b[0] >= 0x45 && b[0] <= 0x4f && int(be16(b[2:])) <= wire
}

func plausibleIPv6(b []byte, wire int) bool {
	return len(b) >= 40 && b[0]>>4 == 6 && ipv6HeaderSize+int(be16(b[4:])) <= wire
}

// plausibleEthernet reports whether b starts with an Ethernet header with an EtherType that is read.
func plausibleEthernet(b []byte) bool {
	if len(b) < etherHeaderSize || b[6]&1 != 0 { // a source address is never a group address
		return false
	}
	switch et := be16(b[12:]); et {
	case etherIPv4, etherIPv6, etherARP, etherMPLS, etherMPLSMulti, etherPPPoE, etherPBB:
		return true
	default:
		return tagSize(et) != 0 || et <= maxLengthField && int(et) <= len(b)-etherHeaderSize && et >= 3
	}
}

// typedEthernet is plausibleEthernet without LLC, which random bytes often look like.
func typedEthernet(b []byte) bool { return plausibleEthernet(b) && be16(b[12:]) > maxLengthField }
