// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
)

const shellTo = "198.51.100.9:4444"

func (s *stage) shell(from, to string) { s.request(s.connect(from, to), &dissect.AppID{Name: "shell"}) }

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
