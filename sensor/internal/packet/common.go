// SPDX-License-Identifier: Apache-2.0

package packet

// common is Decode for what most frames are: TCP or UDP in IPv4 without options, whole, over Ethernet without tags. It writes each field
// once. It reports false, with nothing written, for a frame that is anything else, or that is odd: the other functions of this package are
// the ones that say what a frame means, and this one must not differ from them.
func (p *Packet) common(f []byte, wire int) bool {
	const ip, tp = etherHeaderSize, etherHeaderSize + ipv4HeaderSize
	if len(f) < tp+tcpHeaderSize || be16(f[12:]) != etherIPv4 || f[ip] != 4<<4|ipv4HeaderSize/4 || be16(f[ip+6:])&0x3fff != 0 {
		return false
	}
	total := int(be16(f[ip+2:]))
	if total < ipv4HeaderSize+udpHeaderSize || ip+total > len(f) {
		return false
	}
	n := total - ipv4HeaderSize
	header, kind, flags := udpHeaderSize, KindUDP, uint8(0)
	seq, ack := uint32(0), uint32(0)
	srcPort, dstPort := be16(f[tp:]), be16(f[tp+2:])
	switch f[ip+9] {
	case protoTCP:
		header, kind, flags = int(f[tp+12]>>4)*4, KindTCP, f[tp+13]
		if flags&SYN != 0 || header < tcpHeaderSize || header > n {
			return false
		}
		seq, ack = be32(f[tp+4:]), be32(f[tp+8:])
	case protoUDP:
		if int(be16(f[tp+4:])) != n || isTunnelPort(dstPort) || isTunnelPort(srcPort) {
			return false
		}
	default:
		return false
	}
	p.Src.set4(f[ip+12:])
	p.Dst.set4(f[ip+16:])
	p.IPBytes, p.PayloadLen = uint32(total), uint32(n-header)
	p.SrcPort, p.DstPort = srcPort, dstPort
	p.Kind, p.Proto, p.TCPFlags, p.V6 = kind, f[ip+9], flags, false
	p.Payload = f[tp+header : ip+total : ip+total]
	p.Seq, p.Ack, p.Count = seq, ack, 1
	p.IPID, p.EtherType = be16(f[ip+4:]), etherIPv4
	p.DstMAC, p.SrcMAC = MAC(f[0:6]), MAC(f[6:12])
	p.Frag, p.TTL, p.TCPOptLen = FragNone, f[ip+8], 0
	if kind == KindTCP {
		p.TCPOptLen = uint8(header - tcpHeaderSize)
	}
	p.NumVLANs, p.NumTunnels = 0, 0
	p.Verdict, p.HasIP, p.HasMAC, p.Truncated = VerdictOK, true, true, wire > len(f)
	if p.hasRare {
		p.resetRare()
	}
	return true
}
