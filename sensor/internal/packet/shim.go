// SPDX-License-Identifier: Apache-2.0

package packet

// Shims are headers between Ethernet and the network layer without an identifier of interest. They are skipped.

// macsec reads IEEE 802.1AE (section 9.3): flags, short length, packet number, and the channel id if flagged. Frames that are only authenticated
// are readable; encrypted ones are not. The IP length cuts off the check value at the end.
func macsec(p *Packet, b []byte, wire, depth int) Verdict {
	const (
		version   = 0x80
		channel   = 0x20
		encrypted = 0x0c // E and C: the user data was changed
	)
	if len(b) < 6 {
		return VerdictShortLink
	}
	if b[0]&(version|encrypted) != 0 {
		return VerdictNoNetwork
	}
	size := 6
	if b[0]&channel != 0 {
		size += 8
	}
	if len(b) < size+2 {
		return VerdictShortLink
	}
	if depth >= MaxDepth {
		return VerdictNesting
	}
	return etherPayload(p, be16(b[size:]), b[size+2:], wire-size-2, depth+1)
}

// nsh reads the network service header (RFC 8300 section 2.2): length in words of 4 bytes, next protocol.
func nsh(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 8 {
		return VerdictShortLink
	}
	size := int(b[1]&0x3f) * 4
	if b[0]>>6 != 0 || size < 8 {
		return VerdictNoNetwork
	}
	if size > len(b) {
		return VerdictShortLink
	}
	if depth >= MaxDepth {
		return VerdictNesting
	}
	next := b[3]
	b, wire = b[size:], wire-size
	p.SrcMAC, p.DstMAC, p.HasMAC = MAC{}, MAC{}, false // they are those of service functions
	switch next {
	case 1:
		return etherPayload(p, etherIPv4, b, wire, depth+1)
	case 2:
		return etherPayload(p, etherIPv6, b, wire, depth+1)
	case 3:
		return ethernet(p, b, wire, depth+1)
	case 5:
		return etherPayload(p, etherMPLS, b, wire, depth+1)
	}
	return VerdictNoNetwork
}

// fabricPath reads the tag of Cisco FabricPath (2 bytes: forwarding tag, TTL) between an outer Ethernet header, with addresses of switches, and
// the frame of the host.
func fabricPath(p *Packet, b []byte, wire, depth int) Verdict {
	return frameWithin(p, 2, b, wire, depth)
}

// trill reads the header of RFC 6325 section 3: flags with the length of the options in words of 4 bytes, two nicknames;
// then the frame of the host.
func trill(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 6 {
		return VerdictShortLink
	}
	flags := be16(b)
	if flags>>14 != 0 { // version
		return VerdictNoNetwork
	}
	return frameWithin(p, 6+int(flags>>6&0x1f)*4, b, wire, depth)
}

// frameWithin reads the Ethernet frame after a shim of size bytes.
func frameWithin(p *Packet, size int, b []byte, wire, depth int) Verdict {
	switch {
	case len(b) < size:
		return VerdictShortLink
	case depth >= MaxDepth:
		return VerdictNesting
	}
	return ethernet(p, b[size:], wire-size, depth+1)
}

// typeWithin continues at the EtherType after a shim of size bytes.
func typeWithin(p *Packet, size int, b []byte, wire, depth int) Verdict {
	switch {
	case len(b) < size+2:
		return VerdictShortVLAN
	case depth >= MaxDepth:
		return VerdictNesting
	}
	return etherPayload(p, be16(b[size:]), b[size+2:], wire-size-2, depth+1)
}

// arista reads the timestamp header of Arista: subtype, version, and a time of 8 or 6 bytes, depending on the version.
func arista(p *Packet, b []byte, wire, depth int) Verdict {
	const timestamp = 1
	if len(b) < 4 {
		return VerdictShortVLAN
	}
	size := 4
	switch version := be16(b[2:]); {
	case be16(b) != timestamp:
		return VerdictNoNetwork
	case version&0xf0 == 0x10:
		size += 8
	case version&0xf0 == 0x20:
		size += 6
	default:
		return VerdictNoNetwork
	}
	return typeWithin(p, size, b, wire, depth)
}
