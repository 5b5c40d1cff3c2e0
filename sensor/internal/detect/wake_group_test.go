// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// multicasts plays sessions to a group: n of them a minute apart, each of so many bytes.
func (s *stage) multicasts(from, to string, n int, bytes uint64) {
	for range n {
		v := *s.open(17, from, to)
		v.Group = true
		v.Packets[0], v.IPBytes[session.Out], v.PayloadBytes[session.Out] = bytes/500+1, bytes, bytes
		s.event(detect.SessionEnded, &v, nil)
		s.wait(minute)
	}
}

// TestGroupBudget sends to groups on ports of discovery and on others, within the budget of an hour and beyond it.
func TestGroupBudget(t *testing.T) {
	answers := legacy()
	answers.Expect = contract.ServerOnly
	often := legacy()
	often.Expect = contract.Normal
	const mdns, other = "224.0.0.251:5353", "239.1.2.3:6001"
	over := []string{"medium group budget 1"}
	for _, c := range []struct {
		name  string
		entry contract.Entry
		do    func(s *stage)
		want  []string
	}{
		{"much to mDNS", legacy(), func(s *stage) { s.multicasts(silent, mdns, 20, 5000) }, over},
		{"much to another port, in small sessions", legacy(), func(s *stage) { s.multicasts(silent, other, 20, 5000) }, over},
		{"much to several ports together", legacy(), func(s *stage) {
			s.multicasts(silent, mdns, 10, 4000)
			s.multicasts(silent, other, 10, 4000)
		}, over},
		{"a server", answers, func(s *stage) { s.multicasts(silent, mdns, 20, 5000) }, over},
		{"within the budget", legacy(), func(s *stage) { s.multicasts(silent, mdns, 13, 5000) }, nil},
		{"within the budget of each hour", legacy(), func(s *stage) {
			for range 5 {
				s.multicasts(silent, mdns, 10, 5000)
				s.wait(hour)
			}
		}, nil},
		{"a device that may open anything", often, func(s *stage) { s.multicasts(silent, mdns, 200, 5000) }, nil},
		{"a stream that D01 reports", legacy(), func(s *stage) { s.multicasts(silent, other, 1, 500_000) }, nil},
		{"in one session that grows", legacy(), func(s *stage) {
			v := *s.open(17, silent, mdns)
			v.Group = true
			for range 10 {
				s.wait(minute)
				v.End, v.Packets[0], v.IPBytes[session.Out] = s.c.Now, v.Packets[0]+20, v.IPBytes[session.Out]+10_000
				n := v
				s.event(detect.SessionProgress, &n, nil)
			}
			s.event(detect.SessionEnded, &v, nil)
		}, over},
		{"in one session of a day", legacy(), func(s *stage) {
			v := *s.open(17, silent, mdns)
			v.Group = true
			s.wait(24 * hour)
			v.End, v.Packets[0], v.IPBytes[session.Out] = s.c.Now, 2000, 1_000_000
			s.event(detect.SessionEnded, &v, nil)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			c.do(s)
			s.want(t, "D02", c.want...)
		})
	}
}
