// SPDX-License-Identifier: Apache-2.0

package packet

// Verdict is how far a frame could be decoded, and why not further. The Packet has the fields up to that point. If the payload of a tunnel cannot
// be decoded, the Packet is the outer one, with the verdict of the inner one.
type Verdict uint8

// The verdicts. VerdictNoNetwork is not an error: the frame has no network layer that is decoded (spanning tree, PPP control, …); see
// EtherType and Payload.
const (
	VerdictOK            Verdict = iota
	VerdictNoNetwork             // no IP, no ARP and no announcement to neighbors inside
	VerdictLinkType              // the link type is not decoded
	VerdictShortLink             // too short for the link header
	VerdictShortVLAN             // too short for a VLAN, provider backbone or VN tag
	VerdictShortLLC              // too short for LLC or SNAP
	VerdictShortMPLS             // too short for the label stack
	VerdictShortPPP              // too short for PPP or PPPoE
	VerdictBadPPPoE              // PPPoE version, type or length
	VerdictShortARP              // too short for ARP
	VerdictShortIPv4             // too short for the IPv4 header with its options
	VerdictShortIPv6             // too short for the IPv6 header
	VerdictIPVersion             // the version field differs from what the layer below said
	VerdictIPv4IHL               // header length below 20 bytes
	VerdictIPv4Length            // total length below the header length
	VerdictIPv6Length            // jumbo payload length that does not fit the frame (RFC 2675)
	VerdictIPv6Extension         // extension header cut, or longer than the packet
	VerdictIPv6Chain             // more extension headers than are followed
	VerdictFragment              // fragment beyond 65535 bytes, empty, or of a length that is no multiple of 8
	VerdictShortTCP              // too short for the TCP header
	VerdictTCPOffset             // data offset below 20 bytes or beyond the segment
	VerdictShortUDP              // too short for the UDP header
	VerdictUDPLength             // UDP length below 8 bytes or beyond the packet
	VerdictShortSCTP             // too short for the SCTP header
	VerdictShortICMP             // too short for the ICMP or ICMPv6 header
	VerdictShortTunnel           // too short for a tunnel header
	VerdictBadTunnel             // tunnel header that contradicts itself
	VerdictNesting               // more than MaxDepth encapsulations
	// NumVerdicts is the number of verdicts.
	NumVerdicts = int(iota)
)

var verdictNames = [NumVerdicts]string{
	"ok", "no_network_layer", "link_type", "short_link", "short_vlan", "short_llc", "short_mpls", "short_ppp", "bad_pppoe",
	"short_arp", "short_ipv4", "short_ipv6", "ip_version", "ipv4_ihl", "ipv4_length", "ipv6_length", "ipv6_extension",
	"ipv6_chain", "fragment", "short_tcp", "tcp_offset", "short_udp", "udp_length", "short_sctp", "short_icmp",
	"short_tunnel", "bad_tunnel", "nesting",
}

// String returns the stable snake_case name, which is also a metric label.
func (v Verdict) String() string {
	if int(v) < NumVerdicts {
		return verdictNames[v]
	}
	return "unknown"
}
