// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Stack is the visible behavior of a host's TCP/IP stack.
type Stack uint8

// The stacks. Linux: TTL 64, all options. Windows: TTL 128, no timestamps. Embedded: an old Linux, TTL 64, no timestamps.
// Scanner: a tool that builds its own SYNs, with the maximum segment size as the only option.
const (
	Linux Stack = iota
	Windows
	Embedded
	Scanner
)

type stackTraits struct {
	ttl       uint8
	window    uint16
	scale     int // -1 for none
	sack, tsv bool
}

func (s Stack) traits() stackTraits {
	switch s {
	case Windows:
		return stackTraits{ttl: 128, window: 64240, scale: 8, sack: true}
	case Embedded:
		return stackTraits{ttl: 64, window: 14600, scale: 2, sack: true}
	case Scanner:
		return stackTraits{ttl: 64, window: 1024, scale: -1}
	default:
		return stackTraits{ttl: 64, window: 64240, scale: 7, sack: true, tsv: true}
	}
}

// Host is a station. Delay is the round trip from the sensor to the host, including its processing time.
type Host struct {
	Name     string
	MAC      net.HardwareAddr // not used if External
	IP       netip.Addr
	Stack    Stack
	Delay    time.Duration
	External bool
	Hops     uint8 // routers between the host and the sensor

	ipid   uint16
	uptime uint32 // milliseconds on its TCP timestamp clock at the Unix epoch of the capture
}

func (h *Host) ttl() uint8 { return h.Stack.traits().ttl - h.Hops }

// Router sets the router of the segment. Frames of external hosts have its MAC.
func (n *Net) Router(ip, mac string) *Host {
	n.router = n.Host("router", ip, mac, Linux)
	return n.router
}

// Host returns a station on the segment. The address is IPv4 or IPv6.
func (n *Net) Host(name, ip, mac string, s Stack) *Host {
	return &Host{Name: name, IP: netip.MustParseAddr(ip), MAC: mustMAC(mac), Stack: s, Delay: 300 * time.Microsecond,
		ipid: uint16(n.rng.Uint32()), uptime: n.rng.Uint32()}
}

// External returns a host behind the router with a round-trip time of rtt.
func (n *Net) External(ip string, s Stack, rtt time.Duration) *Host {
	return &Host{Name: ip, IP: netip.MustParseAddr(ip), Stack: s, Delay: rtt, External: true, Hops: uint8(9 + n.rng.IntN(8)),
		ipid: uint16(n.rng.Uint32()), uptime: n.rng.Uint32()}
}

// group returns a host with a broadcast or multicast address.
func group(ip string) *Host {
	a := netip.MustParseAddr(ip)
	if ip == "255.255.255.255" {
		return &Host{Name: ip, IP: a, MAC: mustMAC("ff:ff:ff:ff:ff:ff")}
	}
	b := a.As4() // RFC 1112 section 6.4: the low 23 bits
	return &Host{Name: ip, IP: a, MAC: net.HardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}}
}

func mustMAC(s string) net.HardwareAddr {
	m, err := net.ParseMAC(s)
	if err != nil {
		panic(fmt.Sprintf("netsim: %v", err))
	}
	return m
}
