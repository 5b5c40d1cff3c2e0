// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

func TestLongSessionPage(t *testing.T) {
	checkPage(t, "D17", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		s.connect(foreign, silent+":8081")
		s.hours(6)
		return s
	})
}

// hours lets time pass, a minute at a time.
func (s *stage) hours(n int) {
	for range 60 * n {
		s.wait(minute)
	}
}

// midstream plays a session whose start was not captured.
func (s *stage) midstream(from, to string, out, in uint64) *session.View {
	v := s.view(6, from, to)
	v.Basis, v.Unconfirmed, v.State = session.BasisPort, true, session.Midstream
	v.Packets, v.PayloadBytes = [2]uint64{9, 9}, [2]uint64{out, in}
	s.event(detect.SessionOpened, v, nil)
	s.event(detect.SessionState, v, nil)
	return v
}

func TestLongSession(t *testing.T) {
	administered := func(s *stage) {
		e := legacy()
		e.HasExpect = true
		e.Allow = []contract.Rule{{Text: "in tcp 22", Direction: session.In, Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix(foreign + "/32")}}}
		s.c.Contracts = contract.New(&contract.Inventory{Devices: []contract.Entry{e}}, contract.Config{})
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"opened from outside, idle", func(s *stage) { s.connect(foreign, silent+":8081"); s.hours(3) }, []string{"medium 203.0.113.66 on 8081/tcp 1"}},
		{"not yet an hour", func(s *stage) { s.connect(foreign, silent+":8081"); s.hours(1) }, nil},
		{"closed in time", func(s *stage) {
			v := s.connect(foreign, silent+":8081")
			s.wait(30 * minute)
			s.end(v, 10, 10)
			s.hours(3)
		}, nil},
		{"closed after two hours", func(s *stage) {
			v := s.connect(foreign, silent+":8081")
			s.wait(hour)
			s.wait(50 * minute)
			s.end(v, 10, 10)
		}, []string{"medium 203.0.113.66 on 8081/tcp 1"}},
		{"closed, then ended", func(s *stage) {
			v := s.connect(foreign, silent+":8081")
			s.hours(2)
			s.wait(10 * minute)
			s.close(v)
		}, []string{"medium 203.0.113.66 on 8081/tcp 1"}},
		{"for days", func(s *stage) { s.connect(foreign, silent+":8081"); s.hours(70) }, []string{"medium 203.0.113.66 on 8081/tcp 1"}},
		{"progress is reported earlier", func(s *stage) {
			v := *s.connect(foreign, silent+":8081")
			s.hours(1)
			v.End = s.c.Now
			s.event(detect.SessionProgress, &v, nil)
		}, []string{"medium 203.0.113.66 on 8081/tcp 1"}},
		{"an administrator", func(s *stage) { administered(s); s.connect(foreign, silent+":22"); s.hours(3) }, nil},
		{"an administrator, from the middle", func(s *stage) { administered(s); s.midstream(silent, foreign+":22", 1e6, 1e6); s.hours(3) }, nil},
		{"to another device that should be silent", func(s *stage) { s.connect("10.20.50.8", silent+":8081"); s.hours(3) }, nil},
		{"opened from outside, an ordinary device", func(s *stage) { s.connect(foreign, host+":8081"); s.hours(9) }, nil},
		{"opened from outside, a camera", func(s *stage) {
			s.with(host, device.Camera, device.Probable)
			s.connect(foreign, host+":8081")
			s.hours(9)
		}, []string{"low 203.0.113.66 on 8081/tcp 1"}},
		{"D01 reports it", func(s *stage) { s.connect(silent, "198.51.100.9:443"); s.hours(3) }, nil},
		{"an ordinary device", func(s *stage) { s.connect(host, "198.51.100.9:443"); s.hours(3) }, []string{"low 198.51.100.9:443/tcp 1"}},
		{"an ordinary device, by name", func(s *stage) {
			s.c.Names.Learn(netip.MustParseAddr(host), netip.MustParseAddr("198.51.100.9"), "push.vendor.example", 3600*24, s.c.Now)
			s.connect(host, "198.51.100.9:443")
			s.hours(3)
		}, nil},
		{"a computer", func(s *stage) {
			s.with(host, device.Workstation, device.Probable)
			s.connect(host, "198.51.100.9:443")
			s.hours(3)
		}, nil},
		{"a few bytes after each timeout", func(s *stage) {
			s.end(s.connect(foreign, silent+":8081"), 10, 10)
			for range 3 {
				s.wait(hour + minute)
				v := s.view(6, foreign, silent+":8081")
				v.State, v.Unconfirmed, v.Resumed, v.Packets = session.Midstream, true, true, [2]uint64{1, 1}
				s.event(detect.SessionOpened, v, nil)
				s.end(v, 10, 10)
			}
		}, []string{"medium 203.0.113.66 on 8081/tcp 3"}},
		{"an attempt", func(s *stage) { s.open(6, foreign, silent+":8081"); s.hours(3) }, nil},
		{"from the middle", func(s *stage) { s.midstream(silent, "198.51.100.9:443", 10, 10); s.hours(3) }, []string{"medium 198.51.100.9:443/tcp 1"}},
		{"from the middle, much", func(s *stage) { s.midstream(silent, "198.51.100.9:443", 90_000, 20_000) }, []string{"medium 198.51.100.9:443/tcp 1"}},
		{"from the middle, much one way", func(s *stage) { s.midstream(silent, "198.51.100.9:443", 200_000, 0) }, nil},
		{"from the middle, served", func(s *stage) { s.midstream(foreign, silent+":8081", 10, 300_000) }, nil},
		{"from the middle, an ordinary device", func(s *stage) { s.midstream(host, "198.51.100.9:443", 90_000, 20_000) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D17", c.want...)
		})
	}
}
