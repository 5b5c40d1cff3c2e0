// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

const (
	timeServer   = "10.20.1.123:123"
	nearResolver = "10.20.1.53:53"
	day          = 24 * hour
)

// daily lets days pass in which each host asks for a name each hour, and opens a session to each service every 8 hours.
func (s *stage) daily(days int, hosts []string, services ...string) {
	for h := range 24 * days {
		for i, host := range hosts {
			s.exchanges(host, nearResolver)
			for _, to := range services {
				if h%8 == i%8 {
					s.exchanges(host, to)
				}
			}
		}
		s.wait(hour)
	}
}

// exchanges sends a datagram and gets its answer.
func (s *stage) exchanges(from, to string) {
	v := s.open(17, from, to)
	v.State, v.Packets[1] = session.Established, 1
	s.event(detect.SessionState, v, nil)
	s.event(detect.SessionEnded, v, nil)
}

func TestHeartbeatPage(t *testing.T) {
	checkPage(t, "D47", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.daily(8, []string{silent}, timeServer)
		s.daily(1, []string{silent})
		return s
	})
}

func TestHeartbeat(t *testing.T) {
	missing := func(service string) []string { return []string{"medium heartbeat " + service + " 1"} }
	hosts := []string{silent}
	for _, c := range []struct {
		name string
		play func(s *stage)
		want []string
	}{
		{"it stops", func(s *stage) {
			s.daily(8, hosts, timeServer)
			s.daily(1, hosts)
		}, missing("123/udp to 10.20.1.123")},
		{"less than twice its longest gap", func(s *stage) {
			s.daily(8, hosts, timeServer)
			for range 7 {
				s.exchanges(silent, nearResolver)
				s.wait(hour)
			}
		}, nil},
		{"sessions to hosts outside, each time another", func(s *stage) {
			for i := range 8 * 6 {
				s.daily(0, hosts)
				s.exchanges(silent, nearResolver)
				s.exchanges(silent, fmt.Sprintf("198.51.100.%d:443", 1+i))
				s.wait(4 * hour)
			}
			s.daily(1, hosts)
		}, missing("443/udp to hosts outside")},
		{"only on 5 days", func(s *stage) {
			s.daily(2, hosts)
			s.daily(5, hosts, timeServer)
			s.daily(2, hosts)
		}, nil},
		{"on working days", func(s *stage) {
			for range 3 {
				s.daily(5, hosts, timeServer)
				s.daily(2, hosts)
			}
		}, nil},
		{"the device disappears", func(s *stage) {
			s.daily(8, hosts, timeServer)
			s.daily(3, []string{"10.20.10.18"})
		}, nil},
		{"frames are lost", func(s *stage) {
			s.daily(8, hosts, timeServer)
			s.c.Quality.LossRatio = 0.05
			s.daily(2, hosts)
		}, nil},
		{"a long session", func(s *stage) {
			s.daily(7, hosts, timeServer)
			v := s.open(17, silent, timeServer)
			s.daily(3, hosts)
			v.End = s.c.Now
			s.event(detect.SessionEnded, v, nil)
			s.daily(0, hosts)
		}, nil},
		{"a long session goes on and then ends", func(s *stage) {
			s.daily(7, hosts, timeServer)
			v := s.open(17, silent, timeServer)
			s.daily(3, hosts)
			v.End = s.c.Now
			s.event(detect.SessionEnded, v, nil)
			s.daily(2, hosts)
		}, missing("123/udp to 10.20.1.123")},
		{"among many other sessions", func(s *stage) {
			s.daily(4, hosts, timeServer)
			for port := range 100 {
				s.exchanges(silent, fmt.Sprintf("10.20.1.9:%d", 2000+port))
			}
			s.daily(4, hosts, timeServer)
			s.daily(1, hosts)
		}, missing("123/udp to 10.20.1.123")},
		{"several devices at once", func(s *stage) {
			all := []string{silent, "10.20.10.18", "10.20.10.19"}
			for range 8 * 3 {
				for _, h := range all {
					s.exchanges(h, nearResolver)
					s.exchanges(h, timeServer)
				}
				s.wait(8 * hour)
			}
			s.daily(2, all)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			silentHosts := []contract.Entry{legacy()}
			for _, ip := range []string{"10.20.10.18", "10.20.10.19"} {
				silentHosts = append(silentHosts, contract.Entry{Name: "srv " + ip, Match: contract.Match{IP: netip.MustParseAddr(ip)}, Expect: contract.Silent})
			}
			s := newStage(t, silentHosts...)
			c.play(s)
			s.want(t, "D47", c.want...)
		})
	}
}

// TestHeartbeatOfUsersIsNotKept has a workstation stop something.
func TestHeartbeatOfUsersIsNotKept(t *testing.T) {
	e := legacy()
	e.Expect = contract.Normal
	s := newStage(t, e)
	s.daily(8, []string{silent}, timeServer)
	s.daily(2, []string{silent})
	s.want(t, "D47")
}

// TestSeveralHeartbeatsAreOneAlert has a device stop three things at once.
func TestSeveralHeartbeatsAreOneAlert(t *testing.T) {
	s := newStage(t, legacy())
	s.daily(8, []string{silent}, timeServer, "10.20.1.9:514", "10.20.10.40:873")
	s.daily(2, []string{silent})
	s.m.Close(s.c.Now, &s.c)
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D47" && a.Action == "create" {
			if n++; len(a.Evidence) < 3 {
				t.Errorf("the evidence is %v", a.Evidence)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d alerts", n)
	}
}

// TestHeartbeatComesBack checks that the alert says so.
func TestHeartbeatComesBack(t *testing.T) {
	s := newStage(t, legacy())
	s.daily(8, []string{silent}, timeServer)
	s.daily(2, []string{silent})
	s.daily(1, []string{silent}, timeServer)
	s.m.Close(s.c.Now, &s.c)
	title := ""
	for _, a := range s.got {
		if a.Rule.ID == "D47" && a.Action != "close" {
			title = a.Title
		}
	}
	if want := "srv-legacy-07 opens 123/udp to 10.20.1.123 again"; title != want {
		t.Errorf("the last title is %q, want %q", title, want)
	}
}

// TestHeartbeatIsBounded has more devices and services than are kept.
func TestHeartbeatIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D47" },
		Params:  func(_ string, into any) error { into.(*detect.HeartbeatParams).MaxDevices = 10; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var entries []contract.Entry
	for i := range 100 {
		ip := netip.AddrFrom4([4]byte{10, 20, 10, byte(100 + i)})
		entries = append(entries, contract.Entry{Name: fmt.Sprint("srv", i), Match: contract.Match{IP: ip}, Expect: contract.Silent})
	}
	s := newStage(t, entries...)
	s.dets = dets
	for i := range 100 {
		for port := range 100 {
			s.exchanges(entries[i].Match.IP.String(), fmt.Sprintf("10.20.1.9:%d", 1+port))
		}
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
