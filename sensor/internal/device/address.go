// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"
	"net/netip"

	"stillwatch/sensor/internal/packet"
)

// DefaultInternal returns the internal ranges if none are configured: private use (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291)
// and carrier-grade NAT (RFC 6598). A network that uses public addresses internally must be configured.
func DefaultInternal() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
	}
}

func isUnspecified(a packet.Addr) bool {
	return a == packet.Addr{} || a.Is4() && a[12]|a[13]|a[14]|a[15] == 0
}

// isHost reports whether one host can have the address: it is not multicast, broadcast, loopback, unspecified or reserved.
func isHost(a packet.Addr) bool {
	if a.Is4() {
		return a[12] != 0 && a[12] != 127 && a[12] < 224
	}
	if a[0] == 0xff || isUnspecified(a) {
		return false
	}
	return binary.BigEndian.Uint64(a[:8]) != 0 || binary.BigEndian.Uint64(a[8:]) != 1
}

// VirtualRouter reports whether a MAC belongs to a router redundancy protocol: VRRP and CARP (RFC 9568 section 7.3),
// HSRP versions 1 and 2, HSRP for IPv6, GLBP.
func VirtualRouter(m packet.MAC) bool {
	switch [3]byte(m[:3]) {
	case [3]byte{0x00, 0x00, 0x5e}:
		return m[3] == 0 && (m[4] == 1 || m[4] == 2)
	case [3]byte{0x00, 0x00, 0x0c}:
		return m[3] == 0x07 && m[4] == 0xac || m[3] == 0x9f && m[4]&0xf0 == 0xf0
	case [3]byte{0x00, 0x05, 0x73}:
		return m[3] == 0xa0 && m[4]&0xf0 == 0
	case [3]byte{0x00, 0x07, 0xb4}:
		return m[3] == 0
	}
	return false
}

// fromMAC reports whether the interface identifier of an IPv6 address is the modified EUI-64 of m (RFC 4291 appendix A).
func fromMAC(a packet.Addr, m packet.MAC) bool {
	return !a.Is4() && a[8] == m[0]^2 && a[9] == m[1] && a[10] == m[2] && a[11] == 0xff && a[12] == 0xfe &&
		a[13] == m[3] && a[14] == m[4] && a[15] == m[5]
}

// embeddedMAC returns the MAC that the interface identifier of an IPv6 address was made from (modified EUI-64, RFC 4291 appendix A), zero if
// it was not made from a globally unique one. Random identifiers (RFC 7217, RFC 8981) look like that once in 2^16 times.
func embeddedMAC(a packet.Addr) packet.MAC {
	if a.Is4() || a[11] != 0xff || a[12] != 0xfe || a[8]&3 != 2 {
		return packet.MAC{}
	}
	return packet.MAC{a[8] ^ 2, a[9], a[10], a[13], a[14], a[15]}
}

// routedTTL reports whether a TTL is one to three below a usual initial value (64, 128, 255): the packet was forwarded.
func routedTTL(ttl uint8) bool {
	return ttl >= 61 && ttl <= 63 || ttl >= 125 && ttl <= 127 || ttl >= 252 && ttl <= 254
}

// directTTL reports whether a TTL is a usual initial value: no router has forwarded the packet.
func directTTL(ttl uint8) bool { return ttl == 32 || ttl == 64 || ttl == 128 || ttl == 255 }

// DirectTTL reports whether a TTL is a usual initial value: no router has forwarded the packet.
func DirectTTL(ttl uint8) bool { return directTTL(ttl) }

// isLinkLocal reports whether an address is link-local, which no router forwards (RFC 3927 section 2.7, RFC 4291 section 2.5.6).
func isLinkLocal(a packet.Addr) bool {
	if a.Is4() {
		return a[12] == 169 && a[13] == 254
	}
	return a[0] == 0xfe && a[1]&0xc0 == 0x80
}
