// SPDX-License-Identifier: Apache-2.0

// Package packet decodes the bytes of a frame into a Packet, a plain value. It does not allocate and returns no errors: a frame that cannot
// be decoded to its end has a Verdict that says why, and the fields up to that point.
package packet

import (
	"encoding/binary"
	"net/netip"
	"unsafe"
)

// Addr is an IPv4 or IPv6 address in network byte order. IPv4 addresses have the IPv4-mapped form (RFC 4291 section 2.5.5.2). Packet.V6 tells
// IPv6 packets with such an address from IPv4 packets.
type Addr [16]byte

// MAC is an IEEE 802 48-bit address.
type MAC [6]byte

// MaxVLANs and MaxTunnels bound the nesting that is recorded, MaxDepth the nesting that is parsed.
const (
	MaxVLANs   = 4
	MaxTunnels = 4
	MaxDepth   = 8
)

// TunnelType is an encapsulation. VLAN tags are not tunnels; they are in Packet.VLANs.
type TunnelType uint8

// The encapsulations that are decoded. 6in4 and IP-in-IP are both TunnelIPIP.
const (
	TunnelNone TunnelType = iota
	TunnelGRE
	TunnelERSPAN
	TunnelVXLAN
	TunnelGeneve
	TunnelMPLS
	TunnelPPPoE
	TunnelGTPU
	TunnelIPIP
	TunnelTeredo
	TunnelTZSP
	TunnelPBB
)

// Tunnel is one layer of encapsulation. ID is the identifier in its header (VNI, session id, TEID, key, label, I-SID), valid if HasID. Src and
// Dst are the outer IP addresses, valid if HasOuter. VLAN is that of the mirrored port if the header of a mirror has it, else 0. Space is
// whether ID names an address space; see Scopes.
type Tunnel struct {
	Src, Dst Addr
	ID       uint32
	VLAN     uint16
	Type     TunnelType
	HasID    bool
	Space    Space
	HasOuter bool
	V6       bool
}

// Kind is which of the protocol-specific fields of a Packet are valid.
type Kind uint8

// The kinds, by the innermost header that was decoded.
const (
	KindOther    Kind = iota // no network layer that is decoded; see EtherType
	KindARP                  // ARP fields
	KindNeighbor             // Body is an announcement to neighbors on the link
	KindIP                   // IP with a protocol that has no ports
	KindTCP
	KindUDP
	KindSCTP
	KindICMP
	KindICMP6
)

// Frag is which part of an IP datagram a packet is.
type Frag uint8

// A datagram is complete, or in fragments. The first fragment has the ports and is passed on at once. Later ones have the ports if the first
// one was seen. The fragment that completes a datagram is FragComplete, and its Payload is the reassembled transport payload; its PayloadLen
// and IPBytes cover the fragments that earlier packets did not count. So read payloads from FragNone and FragComplete, and count all four.
const (
	FragNone Frag = iota
	FragFirst
	FragLater
	FragComplete
)

// TCP flags, RFC 9293 section 3.1.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Packet is a decoded frame. It is filled in place and reused. Its slices point into the frame or, for a reassembled datagram, into a buffer of
// the Reassembler, and are valid until the batch is released.
//
// The fields that every packet of a known session needs are in the first two cache lines; those that few packets have follow.
type Packet struct {
	Time     int64  // capture time, nanoseconds since the Unix epoch
	Num      uint64 // number of the frame in the run, from 1
	Src, Dst Addr
	// IPBytes is the IP total length from the header, PayloadLen the length of the transport payload by the headers. A snap length changes
	// neither. Outside of tunnels they are at most the length of the frame on the wire.
	IPBytes          uint32
	PayloadLen       uint32
	SrcPort, DstPort uint16 // TCP, UDP, SCTP; ICMP: type and code of this message in SrcPort, DstPort
	Kind             Kind
	Proto            uint8 // IP protocol number
	TCPFlags         uint8
	V6               bool

	// Payload is the captured part of the transport payload, without padding.
	Payload        []byte
	Seq, Ack       uint32 // TCP
	Count          uint32 // frames counted here: more than 1 only when held fragments are released
	IPID           uint16
	EtherType      uint16
	SrcMAC, DstMAC MAC
	Frag           Frag
	TTL            uint8 // IPv4 TTL or IPv6 hop limit
	TCPOptLen      uint8 // bytes of TCP options
	NumVLANs       uint8
	NumTunnels     uint8
	Part           uint8 // partition of the session table that the packet belongs to, set by the pipeline
	Verdict        Verdict
	HasIP          bool // Src, Dst, Proto, IPBytes are valid
	HasMAC         bool // SrcMAC, DstMAC are those of the innermost Ethernet header; in a cooked capture DstMAC is zero or the broadcast address
	Truncated      bool // the snap length cut the frame
	hasRare        bool // one of the fields from Body to ICMPID is set
	_              [1]byte

	// Body is the ICMPv6 message from its type byte for Neighbor Discovery (types 133 to 137), the body of an ARP packet, an announcement to
	// neighbors (LLDP, SADP: after the EtherType; spanning tree: from LLC; CDP, EDP, FDP, PVST: from the OUI of SNAP), the captured part of the TCP header of a SYN or, for a
	// fragment, the captured part of its fragmentable part (RFC 8200 section 4.5).
	Body        []byte
	FragID      uint32 // of a fragment: identification
	FragOff     uint32 // of a fragment: bytes before it in the fragmentable part
	FragLen     uint32 // of a fragment: its length by the headers; Body may hold less
	FragNext    uint8  // of a fragment: protocol of the first header in the fragmentable part
	FragMore    bool   // of a fragment: more follow
	WindowScale uint8  // of a SYN: TCP option + 1, 0 if absent
	Window      uint16 // of a SYN
	MSS         uint16 // of a SYN: TCP option, 0 if absent
	ICMPID      uint16 // ICMP echo identifier
	ICMPSeq     uint16 // ICMP echo sequence number
	IPForm      IPForm // of a SYN that follows the IP header directly
	Scope       Scope  // of Src and Dst, set by Scopes

	VLANs   [MaxVLANs]uint16   // outermost first, over all layers; only the first NumVLANs are valid
	Tunnels [MaxTunnels]Tunnel // outermost first; only the first NumTunnels are valid
	_       [6]byte            // pads to whole cache lines
}

const cacheLine = 64

var _ = [1]struct{}{}[unsafe.Offsetof(Packet{}.Body)-2*cacheLine] // does not compile otherwise
var _ = [1]struct{}{}[unsafe.Sizeof(Packet{})%cacheLine]          // the same

// IPForm is what the headers of IPv4 and IPv6 tell about the TCP/IP stack of the sender, beside address, TTL and identification. The lower
// four bits are the length of the options of IPv4 in words of 4 bytes.
type IPForm uint8

// The flags of an IPForm.
const (
	IPDontFragment IPForm = 1 << (4 + iota)
	IPReserved            // the reserved flag of IPv4 (RFC 791 section 3.1) is set
	IPECN                 // ECN-capable transport (RFC 3168)
	IPFlowLabel           // the flow label of IPv6 is not zero
)

// Options returns the length of the options of IPv4 in bytes.
func (f IPForm) Options() int { return int(f&15) * 4 }

// AddrFrom4 returns the IPv4-mapped form of four bytes in network byte order.
func AddrFrom4(b []byte) (a Addr) {
	a.setWord(binary.LittleEndian.Uint32(b))
	return a
}

// Is4 reports whether a has the IPv4-mapped form, with or without a Scope.
func (a Addr) Is4() bool {
	return binary.BigEndian.Uint64(a[:8]) == 0 && binary.BigEndian.Uint32(a[8:12]) == 0xffff || !a.Scope().IsZero()
}

// Netip returns the address as a netip.Addr without its Scope, IPv4 addresses in the four-byte form.
func (a Addr) Netip() netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte(a[12:]))
	}
	return netip.AddrFrom16(a)
}

// NetipOf is Netip, but keeps the IPv4-mapped form of an address from an IPv6 packet (Packet.V6).
func (a Addr) NetipOf(v6 bool) netip.Addr {
	if v6 {
		return netip.AddrFrom16(a)
	}
	return a.Netip()
}

// AddrOf is the inverse of Netip, for an address without a Scope.
func AddrOf(n netip.Addr) Addr { return n.As16() }

// String returns the address in lower case with colons.
func (m MAC) String() string {
	const hex = "0123456789abcdef"
	var b [17]byte
	for i, x := range m {
		if i > 0 {
			b[3*i-1] = ':'
		}
		b[3*i], b[3*i+1] = hex[x>>4], hex[x&15]
	}
	return string(b[:])
}

// IsZero reports whether m is not set.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup reports whether m is a multicast or broadcast address.
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// IsLocal reports whether m is locally administered: it has no vendor and may be random.
func (m MAC) IsLocal() bool { return m[0]&2 != 0 }
