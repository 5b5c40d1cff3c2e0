// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

const victim = "10.20.1.30"

var (
	routerMAC  = station(1)
	victimMAC  = station(30)
	intruder   = station(66)
	vrrp       = packet.MAC{0, 0, 0x5e, 0, 1, 7}
	anotherOne = packet.MAC{0, 0, 0x5e, 0, 1, 8}
)

// reply sends an ARP reply that was not asked for.
func (s *stage) reply(mac packet.MAC, ip string, to packet.MAC, target string) {
	s.arp(false, mac, ip, to, target)
}

// exchange asks for an address and answers.
func (s *stage) exchange(asker packet.MAC, from string, mac packet.MAC, ip string) {
	s.arp(true, asker, from, everybody, ip)
	s.arp(false, mac, ip, asker, from)
}

func (s *stage) announces(mac packet.MAC, ip string) { s.arp(true, mac, ip, everybody, ip) }

// network is a router that DHCP names, and a host that knows it.
func network(t *testing.T) *stage {
	s := newStage(t)
	v := s.view(17, dhcpServer, victim+":68")
	m := &dissect.DHCPMessage{Type: "ack", YourIP: netip.MustParseAddr(victim), Router: netip.MustParseAddr(gateway), SubnetBits: 24, ClientMAC: victimMAC}
	s.c.Devices.Fact(v, m, 0, nil, nil, s.c.Now)
	s.exchange(victimMAC, victim, routerMAC, gateway)
	s.exchange(intruder, rogueHost, routerMAC, gateway)
	s.wait(minute)
	return s
}

func TestSpoofingPage(t *testing.T) {
	checkPage(t, "D38", func(t *testing.T) *stage {
		s := network(t)
		for range 4 {
			s.reply(intruder, gateway, victimMAC, victim)
			s.wait(2 * second)
		}
		return s
	})
}

func TestSpoofing(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*stage)
		want []string
	}{
		{"replies to a host", func(s *stage) {
			for range 3 {
				s.reply(intruder, gateway, victimMAC, victim)
				s.wait(second)
			}
		}, []string{"high address 10.20.1.1 2"}},
		{"replies to both sides", func(s *stage) {
			s.exchange(victimMAC, victim, station(40), "10.20.1.40")
			s.wait(minute)
			for range 2 {
				s.reply(intruder, victim, station(40), "10.20.1.40")
				s.wait(second)
			}
			for range 2 {
				s.reply(intruder, "10.20.1.40", victimMAC, victim)
				s.wait(second)
			}
		}, []string{"medium address 10.20.1.30 1", "high address 10.20.1.40 1"}},
		{"one reply", func(s *stage) { s.reply(intruder, gateway, victimMAC, victim) }, nil},
		{"announcements against those of the router", func(s *stage) {
			for range 4 {
				s.announces(intruder, gateway)
				s.wait(5 * second)
				s.announces(routerMAC, gateway)
				s.wait(5 * second)
			}
		}, []string{"high address 10.20.1.1 2"}},
		{"failover of a router with its own MAC", func(s *stage) {
			for range 5 {
				s.announces(station(2), gateway)
				s.wait(second / 5)
			}
			for range 5 {
				s.exchange(victimMAC, victim, station(2), gateway)
				s.wait(minute)
			}
		}, nil},
		{"failover and back", func(s *stage) {
			s.announces(station(2), gateway)
			s.wait(20 * second)
			s.announces(routerMAC, gateway)
			s.wait(20 * second)
			s.exchange(victimMAC, victim, routerMAC, gateway)
		}, nil},
		{"virtual routers", func(s *stage) {
			for range 6 {
				s.announces(vrrp, "10.20.1.254")
				s.wait(second)
				s.reply(anotherOne, "10.20.1.254", victimMAC, victim)
				s.wait(second)
			}
		}, nil},
		{"an address that another client gets", func(s *stage) {
			s.wait(2 * hour)
			s.announces(station(31), victim)
			for range 3 {
				s.reply(station(31), victim, routerMAC, gateway)
				s.wait(second)
			}
		}, nil},
		{"probes for a free address", func(s *stage) {
			for range 6 {
				s.arp(true, station(31), "0.0.0.0", everybody, victim)
				s.wait(second)
			}
		}, nil},
		{"renewals", func(s *stage) {
			for range 20 {
				s.announces(victimMAC, victim)
				s.wait(10 * second)
			}
		}, nil},
		{"a proxy answers as well", func(s *stage) {
			for range 4 {
				s.exchange(station(40), "10.20.1.40", victimMAC, victim)
				s.arp(false, routerMAC, victim, station(40), "10.20.1.40")
				s.wait(5 * second)
			}
		}, []string{"low address 10.20.1.30 2"}},
		{"one burst of announcements", func(s *stage) {
			for i := range 400 {
				s.announces(station(2), fmt.Sprintf("10.20.4.%d", i%100))
			}
			s.wait(minute)
		}, nil},
		{"announcements without end", func(s *stage) {
			for range 400 {
				s.announces(station(2), "10.20.4.1")
				s.wait(second / 10)
			}
		}, []string{"low storm 90:01:02:00:00:02 64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := network(t)
			c.play(s)
			s.want(t, "D38", c.want...)
		})
	}
}

// TestSpoofingOfNeighbors checks the same for IPv6: an advertisement with the override flag that nobody asked for.
func TestSpoofingOfNeighbors(t *testing.T) {
	play := func(override, request bool) *stage {
		s := newStage(t)
		router, host := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::30")
		s.advertises(routerMAC, "fe80::1", 1800)
		for range 3 {
			s.wait(5 * second)
			if request {
				s.link(&dissect.NDMessage{Type: 135, Src: host, Target: router, EtherSrc: victimMAC, SourceLink: victimMAC})
			}
			s.link(&dissect.NDMessage{Type: 136, Src: router, Dst: host, Target: router, EtherSrc: intruder, TargetLink: intruder, Router: true, Override: override})
		}
		return s
	}
	play(true, false).want(t, "D38", "high address fe80::1 2")
	play(true, true).want(t, "D38")   // another router took the address, and answers
	play(false, false).want(t, "D38") // a proxy
}

func TestSpoofingSurvivesFloods(t *testing.T) {
	s := only(t, "D38", func(p *detect.SpoofingParams) { p.MaxAddresses = 100 })
	for i := range 1000 {
		s.announces(packet.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, fmt.Sprintf("10.21.%d.%d", i>>8, i&255))
	}
	if n := detect.Evictions(s.dets); n != 1800 { // claims and storms
		t.Errorf("%d evictions, want 1800", n)
	}
}
