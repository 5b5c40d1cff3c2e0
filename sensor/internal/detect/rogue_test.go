// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

const (
	dhcpServer = "10.20.1.53"
	rogueHost  = "10.20.1.66"
	gateway    = "10.20.1.1"
)

// offers has a server give out an address of 10.20.1.0/24.
func (s *stage) offers(server, router, client string) {
	v := s.view(17, server, client+":68")
	v.Initiator.Port = 67
	s.event(detect.SessionOpened, v, nil)
	m := &dissect.DHCPMessage{Type: "offer", YourIP: netip.MustParseAddr(client), ServerID: netip.MustParseAddr(server), SubnetBits: 24, EtherSrc: v.Initiator.MAC}
	if router != "" {
		m.Router = netip.MustParseAddr(router)
	}
	s.fromInitiator(m, func(e *detect.Event) { e.Session = v })
}

// fromInitiator plays a fact that the initiator of a session has sent.
func (s *stage) fromInitiator(f dissect.Fact, with func(*detect.Event)) {
	e := &detect.Event{Kind: detect.SessionFact, Time: s.c.Now, Fact: f}
	with(e)
	e.Initiator, e.Responder = s.c.Devices.Session(steps[detect.SessionFact], e.Session, nil, s.c.Now)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
}

// advertises has a router announce itself.
func (s *stage) advertises(mac packet.MAC, src string, lifetime uint16) {
	s.link(&dissect.NDMessage{Type: 134, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("ff02::1"), EtherSrc: mac, SourceLink: mac, Router: true,
		RouterLifetimeSeconds: lifetime, Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}})
}

func TestRoguePage(t *testing.T) {
	checkPage(t, "D37", func(t *testing.T) *stage {
		s := newStage(t)
		s.offers(dhcpServer, gateway, "10.20.1.100")
		s.wait(25 * hour)
		s.offers(rogueHost, rogueHost, "10.20.1.101")
		return s
	})
}

func TestRogueDHCP(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*stage)
		want []string
	}{
		{"new server, other router", func(s *stage) { s.offers(rogueHost, rogueHost, "10.20.1.101") }, []string{"high dhcp 10.20.1.66 1"}},
		{"new server, same router", func(s *stage) { s.offers(rogueHost, gateway, "10.20.1.101") }, []string{"medium dhcp 10.20.1.66 1"}},
		{"new server, no router", func(s *stage) { s.offers(rogueHost, "", "10.20.1.101") }, []string{"medium dhcp 10.20.1.66 1"}},
		{"the known server", func(s *stage) { s.offers(dhcpServer, gateway, "10.20.1.101") }, nil},
		{"the known server, through a relay", func(s *stage) {
			v := s.view(17, "10.20.2.1", "10.20.2.40:68")
			v.Initiator.Port = 67
			s.fromInitiator(&dissect.DHCPMessage{Type: "ack", YourIP: netip.MustParseAddr("10.20.2.40"), ServerID: netip.MustParseAddr(dhcpServer),
				Router: netip.MustParseAddr("10.20.2.1"), SubnetBits: 24}, func(e *detect.Event) { e.Session = v })
		}, nil},
		{"a client asks", func(s *stage) {
			v := s.view(17, rogueHost, "10.20.1.53:67")
			s.fromInitiator(&dissect.DHCPMessage{Type: "request", RequestedIP: netip.MustParseAddr(rogueHost)}, func(e *detect.Event) { e.Session = v })
		}, nil},
		{"a boot server gives out no address", func(s *stage) {
			v := s.view(17, rogueHost, "10.20.1.101:68")
			s.fromInitiator(&dissect.DHCPMessage{Type: "offer", ServerID: netip.MustParseAddr(rogueHost)}, func(e *detect.Event) { e.Session = v })
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.offers(dhcpServer, gateway, "10.20.1.100")
			s.wait(25 * hour)
			c.play(s)
			s.want(t, "D37", c.want...)
		})
	}
}

// TestRogueDHCPWhileLearning checks that a second server becomes known, unless it names another router than the first.
func TestRogueDHCPWhileLearning(t *testing.T) {
	s := newStage(t)
	s.offers(dhcpServer, gateway, "10.20.1.100")
	s.offers("10.20.1.54", gateway, "10.20.1.100")
	s.offers("10.30.1.54", "10.30.1.1", "10.30.1.100")
	s.want(t, "D37")
	s.offers(rogueHost, rogueHost, "10.20.1.101")
	s.want(t, "D37", "medium dhcp 10.20.1.66 1")
}

func TestRogueDHCPByInventory(t *testing.T) {
	s := newStage(t, legacy())
	host := contract.Host{Prefix: netip.MustParsePrefix(dhcpServer + "/32")}
	s.c.Contracts = contract.New(&contract.Inventory{Infrastructure: contract.Infrastructure{DHCP: []contract.Host{host}}}, contract.Config{})
	s.offers(dhcpServer, gateway, "10.20.1.100")
	s.offers("10.20.1.54", gateway, "10.20.1.101") // also while learning
	s.want(t, "D37", "high dhcp 10.20.1.54 1")
}

func TestRogueDHCPv6(t *testing.T) {
	const known, other = "fe80::53", "fe80::66"
	s := newStage(t)
	replies := func(from string, mac packet.MAC, port uint16) {
		v := s.view(17, dhcpServer, "10.20.1.100:546")
		v.V6, v.Initiator.Addr, v.Initiator.MAC, v.Initiator.Port = true, packet.AddrOf(netip.MustParseAddr(from)), mac, port
		v.Responder.Addr = packet.AddrOf(netip.MustParseAddr("fe80::100"))
		s.fromInitiator(&dissect.DHCPv6Message{Type: "reply", Addrs: []netip.Addr{netip.MustParseAddr("2001:db8:1::100")}}, func(e *detect.Event) { e.Session = v })
	}
	replies(known, station(53), 547)
	s.wait(25 * hour)
	replies(known, station(53), 547)
	replies("fe80::67", station(67), 1547) // not from the port of a server
	s.want(t, "D37")
	replies(other, station(66), 547)
	s.want(t, "D37", "high dhcpv6 fe80::66 1")
}

func TestRogueRouter(t *testing.T) {
	for _, c := range []struct {
		name string
		play func(*stage)
		want []string
	}{
		{"new router", func(s *stage) { s.advertises(station(66), "fe80::66", 1800) }, []string{"high router fe80::66 1"}},
		{"the known router", func(s *stage) { s.advertises(station(1), "fe80::1", 1800) }, nil},
		{"border router of a mesh", func(s *stage) { s.advertises(station(7), "fe80::7", 0) }, nil},
		{"the known router is withdrawn by another MAC", func(s *stage) { s.advertises(station(66), "fe80::1", 0) }, []string{"high router fe80::1 1"}},
		{"router solicitation", func(s *stage) {
			s.link(&dissect.NDMessage{Type: 133, Src: netip.MustParseAddr("fe80::66"), EtherSrc: station(66), SourceLink: station(66)})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.advertises(station(1), "fe80::1", 1800)
			s.advertises(station(2), "fe80::2", 1800)
			s.wait(25 * hour)
			c.play(s)
			s.want(t, "D37", c.want...)
		})
	}
}

// TestRogueRouterFlood checks that invented routers are one alert, also while routers are learned.
func TestRogueRouterFlood(t *testing.T) {
	s := newStage(t)
	for i := range 100 {
		s.advertises(station(byte(i)), fmt.Sprintf("fe80::%x", 0x100+i), 1800)
	}
	s.want(t, "D37", "high router flood 0 64")
}

func TestRogueCountsMessages(t *testing.T) {
	s := newStage(t)
	s.offers(dhcpServer, gateway, "10.20.1.100")
	s.wait(25 * hour)
	for range 20 {
		s.offers(rogueHost, rogueHost, "10.20.1.101")
		s.wait(minute)
	}
	s.want(t, "D37", "high dhcp 10.20.1.66 16")
}

// TestRogueIsBounded floods the tables.
func TestRogueIsBounded(t *testing.T) {
	s := only(t, "D37", func(p *detect.RogueParams) { p.MaxServers = 10 })
	for i := range 50 {
		s.offers(fmt.Sprintf("10.20.7.%d", i+1), "", "10.20.1.101")
	}
	if n := detect.Evictions(s.dets); n != 40 {
		t.Errorf("%d evictions, want 40", n)
	}
}
