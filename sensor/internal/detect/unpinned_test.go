// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

const (
	publicResolver = "198.51.100.53"
)

// pinnedStage returns a stage whose inventory lists one resolver and one time server.
func pinnedStage(t *testing.T, entries ...contract.Entry) *stage {
	s := newStage(t, entries...)
	inv := &contract.Inventory{Devices: entries}
	inv.Infrastructure.DNS = []contract.Host{{Prefix: netip.MustParsePrefix("10.20.1.53/32")}}
	inv.Infrastructure.NTP = []contract.Host{{Prefix: netip.MustParsePrefix("10.20.1.123/32")}}
	s.c.Contracts = contract.New(inv, contract.Config{})
	return s
}

// query opens a session of DNS and recognizes it.
func (s *stage) query(proto uint8, from, to string) {
	v := s.open(proto, from, to)
	s.event(detect.SessionFact, v, &dissect.AppID{Name: "dns"})
}

// announce plays a lease that names a resolver.
func (s *stage) announce(resolver string) {
	v := s.open(17, "10.20.9.9", dhcpServer+":67")
	s.event(detect.SessionFact, v, &dissect.DHCPMessage{Type: "ack", YourIP: netip.MustParseAddr("10.20.9.9"), ServerID: netip.MustParseAddr(dhcpServer), Resolvers: []netip.Addr{netip.MustParseAddr(resolver)}})
}

// datagrams plays a session that ends with what it has carried. app is "" if it was not recognized.
func (s *stage) datagrams(from, to, app string, packets, out, in uint64) {
	s.lasting(second, from, to, app, packets, out, in)
}

// lasting is datagrams for a session that lasts so long.
func (s *stage) lasting(lasts int64, from, to, app string, packets, out, in uint64) {
	v := *s.open(17, from, to)
	var a *fingerprint.App
	if app != "" {
		s.event(detect.SessionFact, &v, &dissect.AppID{Name: app})
		a = a.With(&dissect.AppID{Name: app})
	}
	s.c.Now += lasts
	v.End = s.c.Now
	v.State, v.Packets, v.PayloadBytes = session.Established, [2]uint64{packets, packets}, [2]uint64{out, in}
	e := &detect.Event{Kind: detect.SessionEnded, Time: s.c.Now, Session: &v, App: a}
	e.Initiator, e.Responder = s.c.Devices.Session(device.Ended, &v, a, s.c.Now)
	e.Opening = s.c.Devices.Opening(&v)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
}

func TestUnpinnedPage(t *testing.T) {
	checkPage(t, "D10", func(t *testing.T) *stage {
		s := pinnedStage(t, legacy())
		for range 4 {
			s.query(17, silent, publicResolver+":53")
			s.wait(minute)
		}
		return s
	})
}

func TestUnpinned(t *testing.T) {
	camera := func(s *stage) { s.with(host, device.Camera, device.Probable) }
	allowed := legacy()
	allowed.Allow = []contract.Rule{{Text: "out udp 53", Direction: session.Out, Proto: "udp", Ports: [][2]uint16{{53, 53}}, Peer: contract.Peer{Prefix: netip.MustParsePrefix(publicResolver + "/32")}}}
	ask := func(proto uint8, from, to string) func(*stage) { return func(s *stage) { s.query(proto, from, to) } }
	for _, c := range []struct {
		name  string
		list  bool
		entry contract.Entry
		do    func(*stage)
		want  []string
	}{
		{"a public resolver, no list", false, legacy(), ask(17, silent, publicResolver+":53"), []string{"medium dns 1"}},
		{"over TCP, no list", false, legacy(), ask(6, silent, publicResolver+":53"), []string{"medium dns 1"}},
		{"over TCP without an answer, no list", false, legacy(), func(s *stage) { s.attempt(silent, publicResolver+":53") }, []string{"medium dns 1"}},
		{"a public resolver, listed others", true, legacy(), ask(17, silent, publicResolver+":53"), []string{"medium dns 1"}},
		{"over TCP, listed others, answered", true, legacy(), func(s *stage) { s.connect(silent, publicResolver+":53") }, []string{"high dns 1"}},
		{"a server inside, listed others", true, legacy(), ask(17, silent, "10.20.1.99:53"), []string{"medium dns 1"}},
		{"a server inside, no list", false, legacy(), ask(17, silent, "10.20.1.99:53"), nil},
		{"the listed server", true, legacy(), ask(17, silent, resolver), nil},
		{"a public resolver that DHCP announces", false, legacy(), func(s *stage) {
			s.announce(publicResolver)
			s.query(17, silent, publicResolver+":53")
		}, nil},
		{"allowed by contract", true, allowed, ask(17, silent, publicResolver+":53"), nil},
		{"a public time server, no list", false, legacy(), func(s *stage) { s.datagrams(silent, "198.51.100.123:123", "ntp", 1, 48, 48) }, nil},
		{"a public time server, listed others", true, legacy(), func(s *stage) { s.datagrams(silent, "198.51.100.123:123", "ntp", 1, 48, 48) }, []string{"high ntp 1"}},
		{"a log server outside", false, legacy(), func(s *stage) { s.open(17, silent, "198.51.100.14:514") }, []string{"medium syslog 1"}},
		{"two servers are one alert", false, legacy(), func(s *stage) {
			s.query(17, silent, publicResolver+":53")
			s.query(17, silent, "198.51.100.54:53")
		}, []string{"medium dns 2"}},
		{"a camera, no list", false, legacy(), func(s *stage) {
			camera(s)
			s.query(17, host, publicResolver+":53")
		}, []string{"low dns 1"}},
		{"a resolver asks for others", true, contract.Entry{Name: "ns", Match: contract.Match{IP: netip.MustParseAddr("10.20.1.53")}, Expect: contract.ServerOnly},
			ask(17, "10.20.1.53", publicResolver+":53"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			if c.list {
				s = pinnedStage(t, c.entry)
			}
			c.do(s)
			s.want(t, "D10", c.want...)
		})
	}
}

// TestBypass checks that laptops that ask a public resolver are one informational alert, and none if the network has no resolver of its
// own.
func TestBypass(t *testing.T) {
	laptops := func(s *stage) {
		for i := range 40 {
			s.query(17, fmt.Sprintf("10.20.60.%d", 10+i), publicResolver+":53")
			s.wait(second)
		}
	}
	s := newStage(t)
	laptops(s)
	s.want(t, "D10")
	s = newStage(t)
	s.announce("10.20.1.53")
	laptops(s)
	s.want(t, "D10", "informational hosts dns 198.51.100.53 32")
	s = pinnedStage(t)
	laptops(s)
	s.want(t, "D10", "informational hosts dns 198.51.100.53 32")
}

// TestAbsorbedByUnpinned checks that one alert reports a session: D10 if it is DNS, D01 if something else hides behind the port.
func TestAbsorbedByUnpinned(t *testing.T) {
	for _, c := range []struct{ app, kept, gone string }{{"dns", "D10", "D01"}, {"ssh", "D01", "D10"}} {
		s := pinnedStage(t, legacy())
		s.datagrams(silent, publicResolver+":53", c.app, 3, 300, 500)
		s.wait(minute)
		s.m.Close(s.c.Now, &s.c)
		into := map[string]string{}
		for _, a := range s.got {
			into[a.Rule.ID] = a.AbsorbedBy
		}
		if _, ok := into[c.kept]; !ok || into[c.kept] != "" {
			t.Errorf("%s: %s is absorbed or missing: %v", c.app, c.kept, into)
		}
		if by, ok := into[c.gone]; ok && by == "" {
			t.Errorf("%s: %s stands beside %s", c.app, c.gone, c.kept)
		}
	}
}

func TestBudgetOfServers(t *testing.T) {
	const clock = "10.20.1.123:123"
	beacon := func(n int, gap int64, from, to, app string, packets, out, in uint64) func(*stage) {
		return func(s *stage) {
			for range n {
				s.datagrams(from, to, app, packets, out, in)
				s.wait(gap)
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"a client", beacon(500, minute, silent, clock, "ntp", 1, 48, 48), nil},
		{"a client with one session", func(s *stage) { s.lasting(12*hour, silent, clock, "ntp", 675, 32_400, 32_400) }, nil},
		{"too much in one session", func(s *stage) { s.lasting(12*hour, silent, clock, "ntp", 4000, 192_000, 192_000) }, []string{"medium budget ntp 10.20.1.123 1"}},
		{"a client that starts", beacon(40, 2*second, silent, clock, "ntp", 1, 48, 48), nil},
		{"a packet every second", beacon(301, second, silent, clock, "ntp", 1, 48, 48), []string{"medium budget ntp 10.20.1.123 1"}},
		{"large packets", beacon(50, minute, silent, clock, "ntp", 2, 2000, 500), []string{"medium budget ntp 10.20.1.123 1"}},
		{"a file", beacon(1, minute, silent, clock, "ntp", 900, 1_200_000, 48), []string{"high budget ntp 10.20.1.123 1"}},
		{"no message of the protocol", func(s *stage) {
			s.datagrams(silent, clock, "ntp", 1, 48, 48)
			beacon(3, minute, silent, clock, "", 1, 64, 64)(s)
		}, []string{"medium budget ntp 10.20.1.123 1"}},
		{"a capture that is cut", beacon(9, minute, silent, clock, "", 1, 48, 48), nil},
		{"rarely something else", func(s *stage) {
			s.datagrams(silent, clock, "ntp", 1, 48, 48)
			beacon(9, 35*minute, silent, clock, "", 1, 64, 64)(s)
		}, nil},
		{"a day of names", beacon(600, 2*minute, silent, resolver, "dns", 1, 40, 120), nil},
		{"a megabyte by DNS", beacon(101, 10*second, silent, resolver, "dns", 40, 4000, 6000), []string{"medium budget dns 10.20.1.53 1"}},
		{"a workstation", func(s *stage) {
			s.with(host, device.Workstation, device.Probable)
			beacon(101, 10*second, host, resolver, "dns", 40, 4000, 6000)(s)
		}, nil},
		{"a camera", func(s *stage) {
			s.with(host, device.Camera, device.Probable)
			beacon(301, second, host, clock, "ntp", 1, 48, 48)(s)
		}, []string{"low budget ntp 10.20.1.123 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := pinnedStage(t, legacy())
			c.do(s)
			s.want(t, "D10", c.want...)
		})
	}
}

// TestUnpinnedFlood checks that many servers and hosts cause few revisions.
func TestUnpinnedFlood(t *testing.T) {
	s := pinnedStage(t, legacy())
	for i := range 2000 {
		s.query(17, silent, fmt.Sprintf("%d.%d.7.53:53", 60+i%100, i/100))
		s.query(17, fmt.Sprintf("10.20.%d.%d", 60+i/200, 1+i%200), publicResolver+":53")
	}
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D10" {
			n++
		}
	}
	if n == 0 || n > 90 {
		t.Errorf("%d revisions", n)
	}
}
