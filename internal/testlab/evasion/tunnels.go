// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"stillwatch/internal/testlab/netsim"
)

// tunnels hide sessions inside others.
func tunnels() []Case {
	const group = "Tunnels"
	return []Case{
		{Name: "tunnel-gre-vxlan", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "The sessions of a silent server cross the mirror inside GRE inside VXLAN.",
			build: func(s *site) {
				w := s.wire(s.start, s.legacy, 45021, s.attacker, 8443)
				for _, g := range []seg{{from: client, flags: "S"}, {from: server, flags: "SA"}, {from: client, flags: "A"},
					{from: client, flags: "PA", data: string(s.Bytes(400))}, {from: server, flags: "PA", data: string(s.Bytes(400))}} {
					s.nested(w, g)
				}
			}},
		{Name: "tunnel-gre-own", Group: group, Rule: "D12", Device: "srv-legacy",
			Trick: "A silent server sends GRE to an external host; inside are packets between other addresses.",
			build: func(s *site) {
				s.every(time.Second, 100, func(_ int, at time.Time) {
					inner := s.datagram(&layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: []byte{172, 31, 0, 2}, DstIP: []byte{172, 31, 0, 1}})
					s.frame(at, s.legacy, s.attacker, layers.IPProtocolGRE, &layers.GRE{Protocol: layers.EthernetTypeIPv4}, gopacket.Payload(inner))
				})
			}},
		{Name: "tunnel-6in4", Group: group, Rule: "D12", Device: "srv-legacy",
			Trick: "A silent server sends IPv6 in IPv4 (protocol 41) to an external host.",
			build: func(s *site) {
				s.every(time.Second, 100, func(_ int, at time.Time) {
					inner := s.datagram(&layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: addr16("2001:db8:99::2"), DstIP: addr16("2001:db8:99::1")})
					s.frame(at, s.legacy, s.attacker, layers.IPProtocolIPv6, gopacket.Payload(inner))
				})
			}},
		{Name: "tunnel-ssh-443", Group: group, Rule: "D22", Device: "mac:00:1e:c9:00:00:22",
			Trick: "A workstation opens SSH to an external host on port 443.",
			build: func(s *site) {
				s.DialSSH(s.start, s.clerk, s.attacker, 443, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Key("me").Shell().Type(30, 2000)
			}},
		{Name: "tunnel-websocket", Group: group, Rule: "D12", Device: "mac:00:1e:c9:00:00:22",
			Trick:  "A workstation carries a tunnel inside TLS on port 443, in a session of an hour.",
			Missed: "Inside TLS nothing is readable, and a workstation may keep such sessions.",
			build: func(s *site) {
				c := s.DialTLS(s.start, s.clerk, s.attacker, 443, netsim.TLSClient{SNI: "ws.example.org"}, netsim.TLSServer{Version: 0x0304})
				for range 360 {
					c.Wait(10*time.Second).Records(netsim.Client, 900).Records(netsim.Server, 1400)
				}
				c.Close()
			}},
		{Name: "tunnel-socks", Group: group, Rule: "D12", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "Without an inventory: a camera reaches others through a SOCKS proxy on port 443.",
			build: func(s *site) {
				c := s.Dial(s.start, s.cam, s.attacker, 443).Send([]byte{5, 1, 0}).Reply([]byte{5, 0})
				c.Send([]byte{5, 1, 0, 1, 198, 51, 100, 7, 0, 80}).Reply([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}).Send([]byte("GET / HTTP/1.0\r\n\r\n")).Reply([]byte("HTTP/1.0 200 OK\r\n\r\n"))
				c.Wait(time.Second).Close()
			}},
		{Name: "tunnel-doh", Group: group, Rule: "D21", Device: "cam-01",
			Trick: "A camera looks up names by DNS over HTTPS at a public resolver.",
			build: func(s *site) {
				c := s.DialTLS(s.start, s.cam, s.other, 443, netsim.TLSClient{SNI: "dns.google", ALPN: []string{"h2"}}, netsim.TLSServer{Version: 0x0304})
				for range 40 {
					c.Wait(10*time.Second).Records(netsim.Client, 130).Records(netsim.Server, 470)
				}
			}},
	}
}

// nested adds a segment inside GRE inside VXLAN, between two switches.
func (s *site) nested(w *wire, g seg) {
	w.at = w.at.Add(20 * time.Millisecond)
	eth, ip, t := w.layers(g)
	frame := serialize(eth, ip, t, gopacket.Payload(g.data))
	w.next[g.from] += uint32(len(g.data))
	if t.SYN {
		w.next[g.from]++
	}
	a, b := []byte{10, 20, 1, 2}, []byte{10, 20, 1, 3}
	link := &layers.Ethernet{SrcMAC: s.dns.MAC, DstMAC: s.router.MAC, EthernetType: layers.EthernetTypeIPv4}
	// GRE carries the packet without its Ethernet header; VXLAN carries a frame with the GRE packet.
	gre := serialize(eth, &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolGRE, SrcIP: a, DstIP: b},
		&layers.GRE{Protocol: layers.EthernetTypeTransparentEthernetBridging}, gopacket.Payload(frame))
	udp := &layers.UDP{SrcPort: 50000, DstPort: 4789}
	outer := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: a, DstIP: b}
	if err := udp.SetNetworkLayerForChecksum(outer); err != nil {
		panic(fmt.Sprintf("evasion: %v", err))
	}
	s.Raw(w.at, serialize(link, outer, udp, &layers.VXLAN{ValidIDFlag: true, VNI: 7}, gopacket.Payload(gre)))
}

// datagram returns a packet with 300 bytes in UDP.
func (s *site) datagram(ip interface {
	gopacket.NetworkLayer
	gopacket.SerializableLayer
}) []byte {
	udp := &layers.UDP{SrcPort: 5000, DstPort: 5001}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		panic(fmt.Sprintf("evasion: %v", err))
	}
	return serialize(ip, udp, gopacket.Payload(s.Bytes(300)))
}

func addr16(ip string) []byte { return netip.MustParseAddr(ip).AsSlice() }
