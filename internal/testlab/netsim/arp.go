// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket/layers"
)

// ARP adds a request from who for the address of whom, and the reply. It returns the time of the reply.
func (n *Net) ARP(at time.Time, who, whom *Host) time.Time {
	n.ARPRequest(at, who, whom.IP)
	at = at.Add(n.jitter(whom.Delay))
	n.arp(at, layers.ARPReply, whom, who.MAC, who.MAC, who.IP)
	return at
}

// ARPRequest adds a request without a reply.
func (n *Net) ARPRequest(at time.Time, who *Host, target netip.Addr) {
	n.arp(at, layers.ARPRequest, who, mustMAC("ff:ff:ff:ff:ff:ff"), mustMAC("00:00:00:00:00:00"), target)
}

// ARPSweep adds a request for each address of a prefix (IPv4, /24 or longer), gap apart; the hosts in alive reply.
func (n *Net) ARPSweep(at time.Time, who *Host, prefix string, gap time.Duration, alive []*Host) time.Time {
	for _, a := range hosts(prefix) {
		if a == who.IP {
			continue
		}
		if h := find(alive, a); h != nil {
			n.ARP(at, who, h)
		} else {
			n.ARPRequest(at, who, a)
		}
		at = at.Add(n.jitter(gap))
	}
	return at
}

func (n *Net) arp(at time.Time, op uint16, from *Host, ethDst, target net.HardwareAddr, targetIP netip.Addr) {
	n.put(at, 0,
		&layers.Ethernet{SrcMAC: from.MAC, DstMAC: ethDst, EthernetType: layers.EthernetTypeARP},
		&layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation: op, SourceHwAddress: from.MAC, SourceProtAddress: from.IP.AsSlice(),
			DstHwAddress: target, DstProtAddress: targetIP.AsSlice()})
}

// hosts returns the usable addresses of an IPv4 prefix.
func hosts(prefix string) []netip.Addr {
	p := netip.MustParsePrefix(prefix).Masked()
	var out []netip.Addr
	for a := p.Addr().Next(); p.Contains(a.Next()); a = a.Next() {
		out = append(out, a)
	}
	return out
}

func find(hs []*Host, a netip.Addr) *Host {
	for _, h := range hs {
		if h.IP == a {
			return h
		}
	}
	return nil
}
