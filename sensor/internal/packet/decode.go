// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// Decode reads frame, captured from a link of the given type with origLen bytes on the wire, into p. It sets every field except Time, Num and
// Part; elements of VLANs and Tunnels beyond their counts may be stale. It does not allocate.
//
// In this package a layer is a function of (captured bytes, length on the wire, depth). The length on the wire comes from the headers and is
// what is counted. The captured bytes may be fewer.
func Decode(p *Packet, link LinkType, frame []byte, origLen uint32) {
	wire := max(len(frame), min(int(origLen), maxFrame))
	p.reset()
	p.Truncated = wire > len(frame)
	if link == LinkEthernet {
		p.Verdict = ethernet(p, frame, wire, 0)
		return
	}
	p.Verdict = decodeLink(p, link, frame, wire)
}

// maxFrame bounds the length on the wire: segments of a sender with offloading (BIG TCP) reach 512 KiB, a forged capture file claims
// gigabytes.
const maxFrame = 1 << 20

// decodeLink is Decode for every link type but Ethernet.
func decodeLink(p *Packet, link LinkType, b []byte, wire int) Verdict {
	switch link {
	case LinkRaw, LinkRawBSD12, LinkRawBSD14:
		return rawIP(p, b, wire, 0)
	case LinkIPv4:
		return etherPayload(p, etherIPv4, b, wire, 0)
	case LinkIPv6:
		return etherPayload(p, etherIPv6, b, wire, 0)
	case LinkNull, LinkLoop:
		return null(p, b, wire)
	case LinkLinuxSLL:
		return sll(p, b, wire)
	case LinkSLL2:
		return sll2(p, b, wire)
	case LinkNFLOG:
		return nflog(p, b, wire)
	case LinkPPP:
		return ppp(p, b, wire, 0)
	case LinkPPPHDLC:
		return pppHDLC(p, b, wire)
	case LinkPPPoE:
		return etherPayload(p, etherPPPoE, b, wire, 0)
	case LinkCiscoHDLC:
		return ciscoHDLC(p, b, wire)
	}
	return decodeRareLink(p, link, b, wire)
}

// decodeRareLink is Decode for wireless captures, ports of switch chips, and macOS.
func decodeRareLink(p *Packet, link LinkType, b []byte, wire int) Verdict {
	switch link {
	case LinkIEEE80211:
		return ieee80211(p, b, wire, false)
	case LinkRadiotap:
		return radiotap(p, b, wire)
	case LinkPrism:
		return prism(p, b, wire)
	case LinkAVS:
		return avs(p, b, wire)
	case LinkPPI:
		return ppi(p, b, wire)
	case LinkPKTAP:
		return pktap(p, b, wire)
	case LinkBroadcom:
		return broadcom(p, b, wire)
	case LinkBroadcomPrepended:
		return broadcomPrepended(p, b, wire)
	case LinkDSA:
		return dsa(p, b, wire)
	case LinkEDSA:
		return ethernet(p, b, wire, 0)
	}
	return VerdictLinkType
}

// reset clears the fields that Decode sets. The arrays keep their contents, because their counts say what is valid.
func (p *Packet) reset() {
	p.NumVLANs, p.NumTunnels = 0, 0
	p.HasMAC = false
	p.SrcMAC, p.DstMAC = MAC{}, MAC{}
	p.EtherType = 0
	p.Count = 1
	p.resetNetwork()
}

// resetNetwork clears the network layer and what is above it.
func (p *Packet) resetNetwork() {
	p.Payload = nil
	p.Src, p.Dst = Addr{}, Addr{}
	p.IPBytes, p.PayloadLen = 0, 0
	p.Seq, p.Ack = 0, 0
	p.SrcPort, p.DstPort = 0, 0
	p.IPID = 0
	p.TCPFlags, p.TCPOptLen = 0, 0
	p.TTL, p.Proto = 0, 0
	p.Kind, p.Frag = KindOther, FragNone
	p.V6, p.HasIP = false, false
	if p.hasRare {
		p.resetRare()
	}
}

func (p *Packet) resetRare() {
	p.Body, p.hasRare = nil, false
	p.FragID, p.FragOff, p.FragLen, p.FragNext, p.FragMore = 0, 0, 0, 0, false
	p.Window, p.MSS, p.WindowScale, p.ICMPID, p.ICMPSeq, p.IPForm = 0, 0, 0, 0, 0, 0
	p.Scope = Scope{}
}

// rest sets the payload after the last header that was read, cut to its length on the wire.
func (p *Packet) rest(b []byte, wire int) {
	wire = max(wire, 0)
	p.PayloadLen = uint32(wire)
	p.Payload = cut(b, wire)
}

// cut shortens b to at most n bytes, in capacity too, so that callers cannot read or append beyond.
func cut(b []byte, n int) []byte {
	n = min(n, len(b))
	return b[:n:n]
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
