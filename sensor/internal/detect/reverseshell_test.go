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
	"stillwatch/sensor/internal/session"
)

const shellTo = "198.51.100.9:4444"

func (s *stage) shell(from, to string) { s.request(s.connect(from, to), &dissect.AppID{Name: "shell"}) }

// typed plays a session with n exchanges that one end begins. gap is how much longer than 3 s the pauses are at most.
func typed(n int, in, out uint32, first session.Dir, gap int64) func(*stage) {
	return func(s *stage) {
		v := s.connect(silent, shellTo)
		v.Packets = [2]uint64{100, 100}
		at := s.c.Now
		for i := range int64(n) {
			pause := 3 * second
			if gap > 0 {
				pause += i * i % gap * second
			}
			at += pause
			s.wait(at - s.c.Now)
			b := session.Bin{Time: at, Dir: first, Bytes: [2]uint32{out, in}}
			e := &detect.Event{Kind: detect.SessionActivity, Time: at, Session: v, Activity: []session.Bin{b}}
			e.Initiator, e.Responder = s.c.Devices.Session(device.Progress, v, nil, at)
			e.Opening = s.c.Devices.Opening(v)
			s.c.Begin()
			detect.NewWatch(s.dets).Observe(e, &s.c)
		}
	}
}

// What a capture of one direction lacks raises no severity: neither the role of a device, nor the packets that it sent.
func TestOneDirectionRaisesNothing(t *testing.T) {
	irc := func(s *stage, from string, change func(*session.View)) {
		s.change = change
		v := s.connect(from, "198.51.100.9:5555")
		s.event(detect.SessionFact, v, &dissect.AppID{Name: "irc"})
	}
	none := func(*session.View) {}
	answers := func(v *session.View) { v.Packets = [2]uint64{0, 9} }
	for _, c := range []struct {
		name   string
		from   string
		oneWay bool
		change func(*session.View)
		want   string
	}{
		{"both directions", host, false, none, "high 198.51.100.9:5555/tcp 1"},
		{"one direction, a device of unknown role", host, true, none, "medium 198.51.100.9:5555/tcp 1"},
		{"one direction, a silent device", silent, true, none, "high 198.51.100.9:5555/tcp 1"},
		{"answers only, a silent device", silent, true, answers, "medium 198.51.100.9:5555/tcp 1"},
	} {
		s := newStage(t, legacy())
		s.c.Quality.OneWay = c.oneWay
		irc(s, c.from, c.change)
		t.Run(c.name, func(t *testing.T) { s.want(t, "D48", c.want) })
	}
}

func TestReverseShellPage(t *testing.T) {
	checkPage(t, "D25", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.shell(silent, shellTo)
		return s
	})
}

func TestReverseShell(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"a silent device", func(s *stage) { s.shell(silent, shellTo) }, []string{"critical 198.51.100.9:4444/tcp 1"}},
		{"any host", func(s *stage) { s.shell(host, shellTo) }, []string{"critical 198.51.100.9:4444/tcp 1"}},
		{"to a host inside", func(s *stage) { s.shell(silent, host+":4444") }, []string{"critical 10.20.50.21:4444/tcp 1"}},
		{"many sessions", func(s *stage) {
			for range 40 {
				s.shell(silent, shellTo)
				s.wait(minute)
			}
		}, []string{"critical 198.51.100.9:4444/tcp 32"}},
		{"the device types", func(s *stage) { s.event(detect.SessionFact, s.connect(silent, shellTo), &dissect.AppID{Name: "shell"}) }, nil},
		{"a shell of a device that somebody called", func(s *stage) { s.shell(foreign, silent+":4444") }, nil},
		{"administration over ssh", func(s *stage) { s.request(s.connect(silent, "198.51.100.9:22"), &dissect.AppID{Name: "ssh"}) }, nil},
		{"telnet", func(s *stage) { s.request(s.connect(silent, "198.51.100.9:23"), &dissect.AppID{Name: "telnet"}) }, nil},
		{"commands in an encrypted session", typed(20, 60, 900, session.In, 13), []string{"high 198.51.100.9:4444/tcp 1"}},
		{"keys in an encrypted session", typed(40, 300, 600, session.In, 11), []string{"high 198.51.100.9:4444/tcp 1"}},
		{"the device asks", typed(40, 900, 60, session.Out, 7), nil},
		{"questions of a cloud at regular times", typed(40, 60, 900, session.In, 0), nil},
		{"orders that are confirmed", typed(40, 200, 210, session.In, 7), nil},
		{"data that is pushed", typed(40, 9000, 12000, session.In, 7), nil},
		{"few commands", typed(8, 60, 900, session.In, 7), nil},
		{"irc", func(s *stage) { s.request(s.connect(silent, "198.51.100.9:6667"), &dissect.AppID{Name: "irc"}) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D25", c.want...)
		})
	}
}

func TestReverseShellAllowedByInventory(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "support", Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("198.51.100.9/32")}}}
	s := newStage(t, e)
	s.shell(silent, shellTo)
	s.want(t, "D25")
}

func TestReverseShellsAreBounded(t *testing.T) {
	s := onlyRule(t, "D25", func(p *detect.ReverseShellParams) { p.MaxServers = 10 }, legacy())
	for i := range 100 {
		s.shell(silent, fmt.Sprintf("198.51.100.%d:4444", 1+i))
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
