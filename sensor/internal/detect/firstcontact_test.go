// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

const (
	learned  = "10.20.40.5"
	cloudIP  = "198.51.100.20"
	cloudPtr = "198.51.100.20:443"
)

// newLesson returns a stage whose devices are learned.
func newLesson(t *testing.T, entries ...contract.Entry) *stage {
	s := newStage(t, entries...)
	var inv *contract.Inventory
	if len(entries) > 0 {
		inv = &contract.Inventory{Devices: entries}
	}
	s.c.Contracts = contract.New(inv, contract.Config{Learner: contract.NewLearner(contract.DefaultLearnConfig())})
	return s
}

// visit has a host look up a name, unless it is "", and open a TCP session that ends.
func (s *stage) visit(from, name, to string) {
	if name != "" {
		s.c.Names.Learn(netip.MustParseAddr(from), netip.MustParseAddrPort(to).Addr(), name, 300, s.c.Now)
	}
	s.end(s.connect(from, to), 600, 3000)
}

// lesson has a host call its cloud for some days, at hours that vary.
func (s *stage) lesson(days int) {
	for d := range days {
		for i := range 4 {
			s.wait(int64(4+(d+i)%3) * hour)
			s.visit(learned, "api.cloud.example", cloudPtr)
			s.visit(learned, "", "10.20.40.9:445")
		}
		s.wait(begin + int64(d+1)*24*hour - s.c.Now)
	}
}

func (s *stage) contract() *contract.Learned {
	return s.c.Contracts.Learner().Of(s.c.Devices.ByIP(netip.MustParseAddr(learned)))
}

func TestFirstContactPage(t *testing.T) {
	checkPage(t, "D03", func(t *testing.T) *stage {
		s := newLesson(t)
		s.lesson(16)
		s.wait(5 * hour)
		s.visit(learned, "files.unknown.example", "203.0.113.50:443")
		return s
	})
}

func TestFirstContact(t *testing.T) {
	for _, c := range []struct {
		name string
		days int
		act  func(s *stage)
		want []string
	}{
		{"another address of the same name", 16, func(s *stage) { s.visit(learned, "api.cloud.example", "198.51.100.99:443") }, nil},
		{"a new name", 16, func(s *stage) { s.visit(learned, "x.other.example", "203.0.113.50:443") }, []string{"medium out tcp 443 to x.other.example 1"}},
		{"another name of the domain", 16, func(s *stage) { s.visit(learned, "cdn.cloud.example", "198.51.100.21:443") }, []string{"informational out tcp 443 to cdn.cloud.example 1"}},
		{"another port of the same name", 16, func(s *stage) { s.visit(learned, "api.cloud.example", cloudIP+":8443") }, []string{"low out tcp 8443 to api.cloud.example 1"}},
		{"an address without a name", 16, func(s *stage) { s.visit(learned, "", "203.0.113.50:443") }, []string{"medium out tcp 443 to 203.0.113.0/24 1"}},
		{"a host inside", 16, func(s *stage) { s.visit(learned, "", "10.20.40.77:22") }, []string{"medium out tcp 22 to 10.20.40.77 1"}},
		{"no answer", 16, func(s *stage) { s.attempt(learned, "203.0.113.50:443") }, nil},
		{"the same again", 16, func(s *stage) {
			for range 5 {
				s.visit(learned, "x.other.example", "203.0.113.50:443")
				s.wait(hour)
			}
		}, []string{"medium out tcp 443 to x.other.example 1"}},
		{"DNS", 16, func(s *stage) { s.visit(learned, "", "10.20.40.1:53") }, nil},
		{"another device", 16, func(s *stage) { s.visit("10.20.40.6", "x.other.example", "203.0.113.50:443") }, nil},
		{"in review", 10, func(s *stage) { s.visit(learned, "x.other.example", "203.0.113.50:443") }, nil},
		{"while learning", 5, func(s *stage) { s.visit(learned, "x.other.example", "203.0.113.50:443") }, nil},
		{"at another hour", 16, func(s *stage) {
			h, _ := contract.ParseHours("sun 00-01")
			s.contract().Entries(false)[0].Hours = h
			s.visit(learned, "api.cloud.example", cloudPtr)
		}, []string{"medium out tcp 443 to api.cloud.example 1"}},
		{"stale", 16, func(s *stage) {
			s.contract().Entries(false)[0].Stale = true
			s.visit(learned, "api.cloud.example", cloudPtr)
		}, []string{"low out tcp 443 to api.cloud.example 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLesson(t)
			s.lesson(c.days)
			if s.want(t, "D03"); len(s.contract().Entries(true)) != 2 {
				t.Fatalf("%d entries", len(s.contract().Entries(true)))
			}
			s.wait(5 * hour)
			c.act(s)
			s.want(t, "D03", c.want...)
		})
	}
}

// TestRefusedSessionsAreCounted has an entry refuse a session: nothing is reported, and the entry counts.
func TestRefusedSessionsAreCounted(t *testing.T) {
	s := newLesson(t)
	s.lesson(16)
	e := s.contract().Entries(false)[0]
	e.Refuse = true
	s.visit(learned, "api.cloud.example", cloudPtr)
	if s.want(t, "D03"); e.Refused != 1 {
		t.Errorf("%d sessions are counted", e.Refused)
	}
}

// TestListedPeersAreNotLearned has a device call hosts on a list of threat intelligence as often as its cloud, and such a host call it.
func TestListedPeersAreNotLearned(t *testing.T) {
	s := newLesson(t)
	s.list(t, recently(s))
	for range 9 {
		for range 3 {
			s.wait(2 * hour)
			s.visit(learned, listedName, "203.0.113.99:443")
			s.visit(learned, "", listedAddr+":445")
			s.visit(listedAddr, "", learned+":8088")
			s.visit(learned, "api.cloud.example", cloudPtr)
		}
		s.wait(18 * hour)
	}
	var got []string
	for _, e := range s.contract().Entries(true) {
		got = append(got, e.Key.String())
	}
	if want := []string{"out tcp 443 to api.cloud.example"}; !slices.Equal(got, want) {
		t.Errorf("learned %q, want %q", got, want)
	}
}

// TestEmptyContractReportsNothing has a device that only answers while it is learned.
func TestEmptyContractReportsNothing(t *testing.T) {
	s := newLesson(t)
	for range 16 {
		for range 3 {
			s.wait(3 * hour)
			s.visit("10.20.40.6", "", learned+":80")
		}
		s.wait(15 * hour)
	}
	if s.contract().State != contract.Armed {
		t.Fatal(s.contract().State)
	}
	s.visit(learned, "x.other.example", "203.0.113.50:443")
	s.want(t, "D03")
}

// TestRareHourRaisesSeverity has a device with many sessions in the day do at night what it does and what it never did.
func TestRareHourRaisesSeverity(t *testing.T) {
	s := newLesson(t)
	for d := range 16 {
		s.wait(begin + int64(d)*24*hour + 8*hour - s.c.Now)
		for i := range 80 {
			s.visit(learned, "api.cloud.example", cloudPtr)
			s.wait(int64(1+(d*31+i*i*17)%13) * minute)
		}
	}
	s.wait(begin + 17*24*hour + 3*hour - s.c.Now)
	s.visit(learned, "x.other.example", "203.0.113.50:443")
	s.visit(learned, "api.cloud.example", cloudPtr)
	s.want(t, "D03", "high out tcp 443 to x.other.example 1")
}

// TestArmedByAnalyst has D01 report what is outside a contract that an analyst armed, and D03 nothing more.
func TestArmedByAnalyst(t *testing.T) {
	s := newLesson(t)
	s.lesson(16)
	s.contract().ByAnalyst = true
	s.visit(learned, "api.cloud.example", "198.51.100.99:443")
	s.want(t, "D01")
	s.visit(learned, "x.other.example", "203.0.113.50:443")
	s.want(t, "D01", "high 203.0.113.50:443/tcp 1")
	s.want(t, "D03")
	for _, a := range s.got {
		if a.Rule.ID == "D01" && !strings.Contains(a.Device.Contract, "nearest: out tcp 443 to api.cloud.example (learned)") {
			t.Errorf("%s", a.Device.Contract)
		}
	}
}

func TestFirstContactFlood(t *testing.T) {
	s := newLesson(t)
	s.lesson(16)
	for i := range 3000 {
		s.visit(learned, fmt.Sprintf("h%d.flood%d.example", i, i), "203.0.113.50:443")
	}
	n := 0
	s.m.Close(s.c.Now, &s.c)
	for _, a := range s.got {
		if a.Rule.ID == "D03" && a.Action == "create" {
			n++
		}
	}
	if n > 65 { // the last one counts the rest
		t.Errorf("%d alerts", n)
	}
}

func TestCountryPage(t *testing.T) {
	checkPage(t, "D04", func(t *testing.T) *stage {
		s := newLesson(t)
		s.lesson(16)
		s.wait(5 * hour)
		s.visit(learned, "x.other.example", "80.64.16.9:443")
		return s
	})
}

func TestNewCountry(t *testing.T) {
	const abroad = "80.64.16.9"
	for _, c := range []struct {
		name string
		act  func(s *stage)
		want []string
	}{
		{"a new country", func(s *stage) { s.visit(learned, "x.other.example", abroad+":443") }, []string{"low"}},
		{"the same again", func(s *stage) {
			s.visit(learned, "x.other.example", abroad+":443")
			s.visit(learned, "y.other.example", abroad+":8443")
		}, []string{"low"}},
		{"a known name that moved", func(s *stage) { s.visit(learned, "api.cloud.example", abroad+":443") }, nil},
		{"an address without a country", func(s *stage) { s.visit(learned, "x.other.example", "203.0.113.50:443") }, nil},
		{"a session that D01 reports", func(s *stage) {
			s.contract().ByAnalyst = true
			s.visit(learned, "x.other.example", abroad+":443")
		}, []string{"medium"}},
		{"a login", func(s *stage) {
			v := s.connect(abroad, learned+":23")
			s.event(detect.SessionFact, v, &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeSuccess})
		}, []string{"medium"}},
		{"a failed login", func(s *stage) {
			v := s.connect(abroad, learned+":23")
			s.event(detect.SessionFact, v, &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeFailure})
		}, nil},
		{"a country where the role is at home", func(s *stage) {
			d := s.c.Devices.ByIP(netip.MustParseAddr(learned))
			s.contract().Role = device.Camera
			for n := range 3 {
				l, camera := s.c.Contracts.Learner(), &device.Device{Key: fmt.Sprint("camera-", n)}
				if err := l.Import(contract.Document{Contracts: []contract.DeviceDocument{{Device: camera.Key, State: "armed",
					Entries: []contract.EntryDocument{{Entry: "out tcp 443 to x.example.com", From: "approved"}}}}}, s.c.Now); err != nil {
					t.Fatal(err)
				}
				k := l.Of(camera)
				k.Role, k.Entries(false)[0].Addr = device.Camera, packet.AddrOf(netip.MustParseAddr(abroad))
			}
			s.wait(24 * hour)
			d.Role, d.Level = device.Camera, device.Identified
			s.visit(learned, "x.other.example", abroad+":443")
		}, []string{"informational"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newLesson(t)
			s.lesson(16)
			s.wait(5 * hour)
			c.act(s)
			s.m.Close(s.c.Now, &s.c)
			var got []string
			for _, a := range s.got {
				if a.Rule.ID == "D04" && a.Action == "create" {
					got = append(got, a.Severity)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
