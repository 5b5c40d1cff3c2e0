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

// reflect plays one request and its answers in a session of its own.
func (s *stage) reflect(from, to string, answers, size uint64) {
	v := *s.open(17, from, to)
	v.State, v.Packets, v.IPBytes = session.Established, [2]uint64{1, answers}, [2]uint64{60, answers * size}
	s.event(detect.SessionState, &v, nil)
}

func reflections(n int, gap int64, from func(i int) string, to string, size uint64) func(*stage) {
	return func(s *stage) {
		for i := range n {
			s.reflect(from(i), to, 1, size)
			s.wait(gap)
		}
	}
}

func oneVictim(int) string { return foreign }

func TestReflectionPage(t *testing.T) {
	checkPage(t, "D40", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		reflections(700, second/20, oneVictim, silent+":37810", 700)(s)
		return s
	})
}

func TestReflection(t *testing.T) {
	whole := func(packets, bytes uint64, lasted int64) func(*stage) {
		return func(s *stage) {
			v := *s.open(17, foreign, silent+":3702")
			s.wait(lasted)
			v.End, v.State, v.Packets, v.IPBytes = s.c.Now, session.Established, [2]uint64{packets, packets}, [2]uint64{packets * 60, bytes}
			s.event(detect.SessionEnded, &v, nil)
		}
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"many requests", reflections(600, second/20, oneVictim, silent+":1900", 700), []string{"high 1900/udp to 203.0.113.0/24 1"}},
		{"of a whole network", reflections(600, second/20, func(i int) string { return fmt.Sprintf("203.0.113.%d", 1+i%200) }, silent+":161", 700), []string{"high 161/udp to 203.0.113.0/24 1"}},
		{"large answers", reflections(30, second, oneVictim, silent+":11211", 60_000), []string{"high 11211/udp to 203.0.113.0/24 1"}},
		{"small answers", reflections(600, second/20, oneVictim, silent+":123", 90), nil},
		{"few requests", reflections(300, second, oneVictim, silent+":161", 700), nil},
		{"many who ask", reflections(900, second/20, func(i int) string { return fmt.Sprintf("203.0.%d.9", i%250) }, silent+":53", 700), nil},
		{"another port", reflections(600, second/20, oneVictim, silent+":5000", 700), nil},
		{"inside", reflections(600, second/20, func(int) string { return host }, silent+":161", 700), nil},
		{"one long session", whole(30_000, 30_000*700, 20*minute), []string{"high 3702/udp to 203.0.113.0/24 1"}},
		{"one long session, slow", whole(300, 300*700, 20*minute), nil},
		{"two days of it", func(s *stage) {
			for range 20 {
				reflections(700, second/20, oneVictim, silent+":1900", 700)(s)
				s.wait(hour)
			}
		}, []string{"high 1900/udp to 203.0.113.0/24 16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D40", c.want...)
		})
	}
}

func TestReflectionToDeclaredManager(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "in udp 161", Direction: session.In, Proto: "udp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("203.0.113.66/32")}, Ports: [][2]uint16{{161, 161}}}}
	s := newStage(t, e)
	reflections(700, second/20, oneVictim, silent+":161", 700)(s)
	s.want(t, "D40")
}

func TestReflectionIsBounded(t *testing.T) {
	s := onlyRule(t, "D40", func(p *detect.ReflectionParams) { p.MaxTargets, p.MaxSessions = 10, 20 }, legacy())
	reflections(100, 0, func(i int) string { return fmt.Sprintf("203.0.%d.9", i) }, silent+":161", 700)(s)
	if n := detect.Evictions(s.dets); n != 90+80 {
		t.Errorf("%d evictions, want 170", n)
	}
}
