// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const manager = "10.20.1.9"

var strangeMAC = packet.MAC{0xde, 0xad, 0xbe, 0, 0, 0x66}

// administered returns a stage on which the inventory names the address of an administrator.
func administered(t *testing.T) *stage {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "in tcp 22", Direction: session.In, Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix(manager + "/32")}}}
	return newStage(t, e)
}

// from opens a session with another MAC at the initiator.
func (s *stage) from(mac packet.MAC, ttl uint8, from, to string) *session.View {
	v := s.view(6, from, to)
	v.Initiator.MAC, v.Initiator.TTL = mac, ttl
	s.event(detect.SessionOpened, v, nil)
	return v
}

func TestIdentityPage(t *testing.T) {
	checkPage(t, "D36", func(t *testing.T) *stage {
		s := administered(t)
		s.from(packet.MAC{0x90, 1, 2, 20, 1, 9}, 64, manager, silent+":22")
		s.wait(hour)
		s.from(strangeMAC, 128, manager, silent+":22")
		return s
	})
}

func TestIdentity(t *testing.T) {
	ssh := silent + ":22"
	usual := func(s *stage) { s.open(6, manager, ssh) }
	strange := func(s *stage) { s.from(strangeMAC, 64, manager, ssh) }
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"an administrator", func(s *stage) { usual(s); s.hours(1); strange(s) }, []string{"medium address 10.20.1.9 de:ad:be:00:00:66 1"}},
		{"after days", func(s *stage) { usual(s); s.hours(80); strange(s) }, []string{"medium address 10.20.1.9 de:ad:be:00:00:66 1"}},
		{"in turns", func(s *stage) {
			for range 3 {
				usual(s)
				s.wait(minute)
				strange(s)
				s.wait(minute)
			}
		}, []string{"high address 10.20.1.9 de:ad:be:00:00:66 2"}},
		{"known from ARP", func(s *stage) {
			src := netip.MustParseAddr(manager)
			m := &dissect.ARPMessage{Request: true, SenderMAC: packet.MAC{0x90, 1, 2, 20, 1, 9}, SenderIP: src, TargetIP: netip.MustParseAddr("10.20.1.1")}
			e := &detect.Event{Kind: detect.LinkFact, Time: s.c.Now, Fact: m}
			e.Initiator = s.c.Devices.Link(m, s.c.Now)
			detect.NewWatch(s.dets).Observe(e, &s.c)
			s.wait(minute)
			strange(s)
		}, []string{"medium address 10.20.1.9 de:ad:be:00:00:66 1"}},
		{"the device itself", func(s *stage) {
			s.connect(foreign, ssh)
			s.hours(1)
			s.from(strangeMAC, 64, silent, "10.20.1.53:53")
		}, []string{"medium address 10.20.10.17 de:ad:be:00:00:66 1"}},
		{"the server that answers", func(s *stage) {
			s.connect(manager, ssh)
			s.wait(hour)
			v := *s.open(6, manager, ssh)
			v.Responder.MAC, v.State, v.Packets[1] = strangeMAC, session.Established, 1
			s.event(detect.SessionState, &v, nil)
		}, []string{"medium address 10.20.10.17 de:ad:be:00:00:66 1"}},
		{"somebody has logged in from it", func(s *stage) {
			s.event(detect.SessionFact, s.connect(host, ssh), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
			s.wait(minute)
			s.from(strangeMAC, 64, host, ssh)
		}, []string{"medium address 10.20.50.21 de:ad:be:00:00:66 1"}},
		{"an ordinary host is replaced", func(s *stage) { s.open(6, host, ssh); s.hours(2); s.from(strangeMAC, 64, host, ssh) }, nil},
		{"an ordinary host gets an address that was used", func(s *stage) { s.open(6, host, ssh); s.wait(minute); s.from(strangeMAC, 64, host, ssh) }, nil},
		{"an ordinary host, in turns", func(s *stage) {
			for range 3 {
				s.open(6, host, ssh)
				s.wait(minute)
				s.from(strangeMAC, 64, host, ssh)
				s.wait(minute)
			}
		}, []string{"low address 10.20.50.21 de:ad:be:00:00:66 2"}},
		{"another port of the same server", func(s *stage) { usual(s); s.wait(minute); s.from(packet.MAC{0x90, 1, 2, 20, 1, 10}, 64, manager, ssh) }, nil},
		{"a virtual router", func(s *stage) { usual(s); s.wait(minute); s.from(packet.MAC{0, 0, 0x5e, 0, 1, 9}, 64, manager, ssh) }, nil},
		{"a Windows cluster", func(s *stage) { usual(s); s.wait(minute); s.from(packet.MAC{2, 0xbf, 10, 20, 1, 9}, 64, manager, ssh) }, nil},
		{"behind a router", func(s *stage) { usual(s); s.wait(minute); s.from(strangeMAC, 63, manager, ssh) }, nil},
		{"an extender", func(s *stage) {
			usual(s)
			for _, a := range []string{"10.20.1.20", "10.20.1.21", "10.20.1.22"} {
				s.from(strangeMAC, 64, a, ssh)
			}
			s.wait(minute)
			strange(s)
		}, nil},
		{"the same as before", func(s *stage) { usual(s); s.hours(30); usual(s) }, nil},
		{"hardware was replaced: one alert", func(s *stage) {
			usual(s)
			for range 60 {
				s.hours(1)
				strange(s)
			}
		}, []string{"medium address 10.20.1.9 de:ad:be:00:00:66 16"}},
		{"DHCP gave it the address", func(s *stage) {
			usual(s)
			s.wait(minute)
			m := &dissect.DHCPMessage{Type: "ack", ClientMAC: strangeMAC, YourIP: netip.MustParseAddr(manager), ServerID: netip.MustParseAddr("10.20.1.1")}
			s.c.Devices.Fact(s.open(17, "10.20.1.1", "10.20.1.30:68"), m, session.Out, nil, nil, s.c.Now)
			strange(s)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := administered(t)
			c.do(s)
			s.want(t, "D36", c.want...)
		})
	}
}
