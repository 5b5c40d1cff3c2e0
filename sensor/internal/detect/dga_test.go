// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
)

// lookUp plays a question and an answer that the name does not exist.
func (s *stage) lookUp(from, name string) {
	v := s.open(17, from, resolver)
	s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: name, QType: "A"})
	s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: name, QType: "A", Response: true, RCode: "NXDOMAIN"})
}

// random returns a label of n letters, the same for the same i.
func random(i, n int) string {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	b := make([]byte, n)
	for k := range b {
		b[k] = byte('a' + r.IntN(26))
	}
	return string(b)
}

func lookUps(n int, gap int64, from string, name func(i int) string) func(*stage) {
	return func(s *stage) {
		for i := range n {
			s.lookUp(from, name(i))
			s.wait(gap)
		}
	}
}

func TestDGAPage(t *testing.T) {
	checkPage(t, "D20", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		lookUps(4, 20*second, silent, func(i int) string { return random(i, 12) + ".com" })(s)
		return s
	})
}

// chosen are names of the kind that people choose.
var chosen = strings.Fields("northwind-traders contoso fabrikam woodgrove adventureworks tailspin litware proseware lucernepublishing wingtiptoys southridge trikora cohovineyard alpineskihouse")

func TestDGA(t *testing.T) {
	generated := func(suffix string) func(int) string { return func(i int) string { return random(i, 12) + suffix } }
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"ten random names", lookUps(10, second, host, generated(".com")), []string{"medium nxdomain 1"}},
		{"nine", lookUps(9, second, host, generated(".com")), nil},
		{"three, a silent device", lookUps(3, minute, silent, generated(".net")), []string{"high nxdomain 1"}},
		{"two, a silent device", lookUps(2, minute, silent, generated(".net")), nil},
		{"a camera", func(s *stage) {
			s.with(host, device.Camera, device.Probable)
			lookUps(10, second, host, generated(".info"))(s)
		}, []string{"high nxdomain 1"}},
		{"below a free suffix", lookUps(10, second, host, generated(".duckdns.org")), []string{"medium nxdomain 1"}},
		{"hexadecimal digits", lookUps(10, second, host, func(i int) string { return fmt.Sprintf("%x%x.biz", 0x9e3779b9*(i+3), 0x1b873593*(i+7)) }), []string{"medium nxdomain 1"}},
		{"too slow", lookUps(40, 2*minute, host, generated(".com")), nil},
		{"the same name, again and again", lookUps(90, second, silent, func(int) string { return random(1, 12) + ".com" }), nil},
		{"a dead domain of the vendor, many hosts", lookUps(90, second, silent, func(i int) string { return random(i, 12) + ".vendor-cloud.com" }), nil},
		{"a search suffix", lookUps(90, second, silent, func(i int) string { return random(i, 12) + ".corp.example.com" }), nil},
		{"names that people choose", lookUps(len(chosen), second, silent, func(i int) string { return chosen[i] + ".com" }), nil},
		{"a local network", lookUps(90, second, silent, func(i int) string { return random(i, 12) + ".lan" }), nil},
		{"single labels", lookUps(90, second, silent, func(i int) string { return random(i, 10) }), nil},
		{"reverse lookups", lookUps(90, second, silent, func(i int) string { return fmt.Sprintf("%d.1.20.10.in-addr.arpa", i) }), nil},
		{"short names", lookUps(90, second, silent, func(i int) string { return random(i, 5) + ".com" }), nil},
		{"names that exist", asks(90, second, silent, "A", generated(".com")), nil},
		{"mDNS", func(s *stage) {
			for i := range 20 {
				v := s.open(17, silent, "224.0.0.251:5353")
				s.event(detect.SessionFact, v, &dissect.DNSMessage{QName: random(i, 12) + ".com", MDNS: true, Response: true, RCode: "NXDOMAIN"})
			}
		}, nil},
		{"a resolver asks for others", func(s *stage) {
			v := s.open(17, host, silent+":53")
			n := *v
			n.State, n.Packets = 2, [2]uint64{1, 1}
			s.event(detect.SessionState, &n, &dissect.DNSMessage{QName: "a.b.example", QType: "A", Response: true, RCode: "NOERROR"})
			lookUps(90, second, silent, generated(".com"))(s)
		}, nil},
		{"names of dots", lookUps(30, second, silent, func(i int) string { return strings.Repeat(".", i+4) + "com" }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D20", c.want...)
		})
	}
}

// TestDGAFlood checks that a flood of names causes few revisions.
func TestDGAFlood(t *testing.T) {
	s := newStage(t, contract.Entry{Name: "cam", Match: legacy().Match, Expect: contract.Silent})
	for i := range 5000 {
		s.lookUp(silent, random(i, 12)+".com")
	}
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D20" {
			n++
		}
	}
	if n == 0 || n > 20 {
		t.Errorf("%d revisions", n)
	}
}
