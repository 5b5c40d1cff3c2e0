// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// talk opens a session in which the device sends data.
func (s *stage) talk(from, to string) *session.View {
	v := s.connect(from, to)
	v.PayloadBytes[0], v.Packets = 200, [2]uint64{3, 3}
	s.event(detect.SessionEnded, v, nil)
	return v
}

// live returns the rules of the alerts that stand, and those that were absorbed.
func (s *stage) live() (live, absorbed []string) {
	s.m.Close(s.c.Now, &s.c)
	last := map[string]int{}
	for i, a := range s.got {
		last[a.ID] = i
	}
	for i, a := range s.got {
		switch {
		case last[a.ID] != i:
		case a.AbsorbedBy != "":
			absorbed = append(absorbed, a.Rule.ID)
		default:
			live = append(live, a.Rule.ID)
		}
	}
	slices.Sort(live)
	return live, absorbed
}

func TestLateralPage(t *testing.T) {
	checkPage(t, "D39", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.talk(silent, "10.20.10.21:445")
		s.wait(minute)
		s.talk(silent, "10.20.10.40:445")
		return s
	})
}

func TestLateral(t *testing.T) {
	allowed, normal := legacy(), legacy()
	allowed.Allow = []contract.Rule{{Text: "backup", Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("10.20.10.40/32")}, Ports: [][2]uint16{{22, 22}}}}
	normal.Expect = contract.Normal
	for _, c := range []struct {
		name  string
		entry contract.Entry
		play  func(s *stage)
		want  []string
	}{
		{"file sharing", legacy(), func(s *stage) { s.talk(silent, "10.20.10.21:445") }, []string{"high administration 1"}},
		{"no data yet", legacy(), func(s *stage) { s.connect(silent, "10.20.10.21:3389") }, []string{"high administration 1"}},
		{"domain controller", legacy(), func(s *stage) { s.talk(silent, "10.20.1.5:389"); s.talk(silent, "10.20.1.5:88") }, []string{"high directory 2"}},
		{"database", legacy(), func(s *stage) { s.talk(silent, "10.20.1.6:5432") }, []string{"high database 1"}},
		{"several kinds", legacy(), func(s *stage) { s.talk(silent, "10.20.1.5:389"); s.talk(silent, "10.20.1.6:22") }, []string{"high directory 1", "high administration 1"}},
		{"the same service again", legacy(), func(s *stage) {
			for range 50 {
				s.talk(silent, "10.20.10.21:445")
				s.wait(hour)
			}
		}, []string{"high administration 1"}},
		{"a backup in the contract", allowed, func(s *stage) { s.talk(silent, "10.20.10.40:22") }, nil},
		{"beside the backup in the contract", allowed, func(s *stage) { s.talk(silent, "10.20.10.41:22") }, []string{"high administration 1"}},
		{"a device that may open sessions", normal, func(s *stage) { s.talk(silent, "10.20.10.40:22") }, nil},
		{"another port", legacy(), func(s *stage) { s.talk(silent, "10.20.10.40:8080") }, nil},
		{"outside", legacy(), func(s *stage) { s.talk(silent, "198.51.100.7:22") }, nil},
		{"refused and unanswered", legacy(), func(s *stage) {
			for i := range 20 {
				s.attempt(silent, fmt.Sprintf("10.20.10.%d:445", 30+i))
			}
		}, nil},
		{"the device answers", legacy(), func(s *stage) { s.talk("10.20.1.9", silent+":22") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			c.play(s)
			s.want(t, "D39", c.want...)
		})
	}
}

// TestLateralTellsOnce checks which alert stands: D39 instead of the session that D01 reports, and the scan instead of the ports that it
// found open.
func TestLateralTellsOnce(t *testing.T) {
	t.Run("data", func(t *testing.T) {
		s := newStage(t, legacy())
		s.talk(silent, "10.20.10.21:445")
		s.talk(silent, "10.20.10.22:445")
		if live, _ := s.live(); slices.Contains(live, "D01") || !slices.Contains(live, "D39") {
			t.Errorf("%v stand", live)
		}
	})
	t.Run("scan", func(t *testing.T) {
		s := newStage(t, legacy())
		for i := range 20 {
			if to := fmt.Sprintf("10.20.10.%d:445", 30+i); i%8 == 0 {
				s.end(s.connect(silent, to), 0, 0)
			} else {
				s.attempt(silent, to)
			}
			s.wait(second)
		}
		if live, absorbed := s.live(); slices.Contains(live, "D39") || !slices.Contains(live, "D13") || !slices.Contains(absorbed, "D39") {
			t.Errorf("%v stand, %v are absorbed", live, absorbed)
		}
	})
	t.Run("scan, then data", func(t *testing.T) {
		s := newStage(t, legacy())
		for i := range 20 {
			s.attempt(silent, fmt.Sprintf("10.20.10.%d:445", 30+i))
			s.wait(second)
		}
		v := s.connect(silent, "10.20.10.21:445")
		s.wait(second)
		s.end(v, 500, 500)
		if live, _ := s.live(); !slices.Contains(live, "D39") || !slices.Contains(live, "D13") {
			t.Errorf("%v stand", live)
		}
	})
}

// TestLateralIsBounded floods both tables.
func TestLateralIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D39" },
		Params:  func(_ string, into any) error { into.(*detect.LateralParams).MaxContacts = 10; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, legacy())
	s.dets = dets
	for i := range 100 {
		s.talk(silent, fmt.Sprintf("10.20.10.%d:22", 100+i))
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
