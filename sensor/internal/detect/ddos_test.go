// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const floodTarget = "198.51.100.90:443"

// packets opens n sessions of one packet each, at a rate.
func packets(n int, rate int64, proto uint8, from string, to func(i int) string) func(*stage) {
	return func(s *stage) {
		for i := range n {
			s.open(proto, from, to(i))
			s.c.Now += second / rate
			if int64(i)%rate == 0 {
				s.wait(0)
			}
		}
	}
}

const silentMAC, routersMAC = "the silent device", "the router"

// forged plays a scene whose sources are many addresses outside, or n of them, with the MAC of the silent device or of the router.
func forged(scene func(*stage), mac string, n int) func(*stage) {
	return func(s *stage) {
		s.connect(host, silent+":80") // the device is known by its MAC
		station := s.view(6, silent, floodTarget).Initiator.MAC
		if mac != silentMAC {
			station = s.view(6, "203.0.113.9", silent+":80").Initiator.MAC
		}
		i := 0
		s.change = func(v *session.View) {
			if i++; n > 0 {
				i %= n
			}
			from := netip.AddrFrom4([4]byte{101 + byte(i%25), byte(i >> 3), byte(i * 7), byte(1 + i%250)})
			if i > 60 && i%100 == 0 { // by chance, an address inside
				from = netip.AddrFrom4([4]byte{10, 99, byte(i / 100), byte(1 + i%250)})
			}
			v.Initiator.Addr = packet.AddrOf(from)
			v.Initiator.MAC = station
		}
		scene(s)
		s.change = nil
	}
}

// lookups asks the resolver for n names below one domain, ten a second, and answers with a code; "": not at all.
func lookups(n int, label func(i int) string, code string) func(*stage) {
	return func(s *stage) {
		for i := range n {
			v := s.open(17, silent, "10.20.10.2:53")
			m := &dissect.DNSMessage{QName: label(i) + ".example.com", QType: "A"}
			s.event(detect.SessionFact, v, m)
			if code != "" {
				a := *m
				if a.Response, a.RCode = true, code; code == "NOERROR" {
					a.Answers = []dissect.DNSAnswer{{}}
				}
				s.event(detect.SessionFact, v, &a)
			}
			s.c.Now += second / 10
		}
	}
}

// randomName returns the i-th of many names that look random.
func randomName(i int) string {
	r := rand.New(rand.NewPCG(uint64(i), 15))
	b := make([]byte, 12)
	for j := range b {
		b[j] = "abcdefghijklmnopqrstuvwxyz0123456789"[r.IntN(36)]
	}
	return string(b)
}

func oneTarget(int) string { return floodTarget }

// stream plays a session of datagrams that is reported every 20 s.
func (s *stage) stream(from, to, app string, rate uint64, seconds int64, replies uint64) {
	v := *s.open(17, from, to)
	for range seconds / 20 {
		s.wait(20 * second)
		v.End = s.c.Now
		v.Packets[0], v.PayloadBytes[0] = v.Packets[0]+20*rate, v.PayloadBytes[0]+20*rate*1000
		if replies > 0 {
			v.State, v.Packets[1] = session.Established, v.Packets[1]+20*replies
		}
		n := v
		if app == "" {
			s.event(detect.SessionProgress, &n, nil)
		} else {
			s.event(detect.SessionProgress, &n, &dissect.AppID{Name: app})
		}
	}
}

func TestFloodPage(t *testing.T) {
	checkPage(t, "D15", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		packets(2500, 200, 6, silent, oneTarget)(s)
		return s
	})
}

func TestFlood(t *testing.T) {
	const recorder = "10.20.30.5"
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"SYNs, a session each", packets(1300, 100, 6, silent, oneTarget), []string{"critical flood 198.51.100.90:443/tcp 1"}},
		{"datagrams, a port each", packets(1300, 100, 17, silent, func(i int) string { return fmt.Sprintf("198.51.100.90:%d", 1024+i) }), []string{"critical flood 198.51.100.90/udp 1"}},
		{"datagrams in one session", func(s *stage) { s.stream(silent, "198.51.100.90:9999", "", 400, 60, 0) }, []string{"critical flood 198.51.100.90/udp 2"}},
		{"datagrams that are answered", func(s *stage) { s.stream(silent, "198.51.100.90:9999", "", 400, 60, 200) }, nil},
		{"slow SYNs", packets(600, 20, 6, silent, oneTarget), nil},
		{"a short burst", packets(400, 100, 6, silent, oneTarget), nil},
		{"a scan of ports", packets(1300, 100, 6, silent, func(i int) string { return fmt.Sprintf("10.20.30.9:%d", 1+i) }), nil},
		{"a scan of hosts", packets(1300, 100, 6, silent, func(i int) string { return fmt.Sprintf("10.20.%d.%d:23", i/250, 1+i%250) }), nil},
		{"SYNs that are refused", func(s *stage) {
			for range 1300 {
				v := *s.open(6, silent, floodTarget)
				v.State, v.Packets[1] = session.Rejected, 1
				s.event(detect.SessionState, &v, nil)
				s.c.Now += second / 100
			}
		}, nil},
		{"video in RTP", func(s *stage) { s.stream(host, recorder+":6000", "rtp", 800, 600, 0) }, nil},
		{"video to a recorder that asked for it", func(s *stage) {
			s.connect(recorder, host+":554")
			s.stream(host, recorder+":6000", "", 800, 600, 0)
		}, nil},
		{"video to a group", func(s *stage) { s.stream(host, "239.1.2.3:6000", "", 800, 600, 0) }, nil},
		{"syslog", func(s *stage) { s.stream(host, "10.20.1.60:514", "syslog", 300, 600, 0) }, nil},
		{"an unknown stream inside", func(s *stage) { s.stream(host, recorder+":6000", "", 800, 20, 0) }, []string{"medium flood 10.20.30.5/udp 1"}},
		{"a device that streams fast anyway", func(s *stage) {
			s.connect(recorder, host+":554")
			s.stream(host, recorder+":6000", "", 300, 60, 0)
			s.stream(host, "198.51.100.91:6000", "", 400, 60, 0)
		}, nil},
		{"upload of firmware", func(s *stage) {
			v := s.connect(host, recorder+":80")
			s.wait(20 * second)
			s.end(v, 60_000_000, 10_000)
		}, nil},
		{"pings that are answered", func(s *stage) {
			v := *s.open(1, silent, floodTarget)
			v.Basis = session.BasisRequest
			s.wait(20 * second)
			v.End, v.Packets, v.State = s.c.Now, [2]uint64{4000, 4000}, session.Established
			s.event(detect.SessionEnded, &v, nil)
		}, nil},
		{"SYNs from forged addresses, by the MAC of a device", forged(packets(1300, 100, 6, silent, oneTarget), silentMAC, 0), []string{"critical flood 198.51.100.90:443/tcp 1"}},
		{"datagrams from forged addresses", forged(packets(1300, 100, 17, silent, oneTarget), silentMAC, 0), []string{"critical flood 198.51.100.90/udp 1"}},
		{"SYNs from forged addresses behind a router", forged(packets(1300, 100, 6, silent, oneTarget), routersMAC, 0), []string{"medium forged flood 198.51.100.90:443/tcp 1"}},
		{"few hosts behind a router that call a service that is down", forged(packets(1300, 100, 6, silent, oneTarget), routersMAC, 8), nil},
		{"datagrams through a router", forged(packets(1300, 100, 17, silent, oneTarget), routersMAC, 0), nil},
		{"random names below one domain", lookups(400, randomName, "NXDOMAIN"), []string{"high names example.com 2"}},
		{"random names, and no answers", lookups(400, randomName, ""), []string{"high names example.com 2"}},
		{"random names that exist", lookups(400, randomName, "NOERROR"), nil},
		{"words that do not exist", lookups(400, func(i int) string { return fmt.Sprint("printer-room-", i) }, "NXDOMAIN"), nil},
		{"one random name again and again", lookups(400, func(int) string { return randomName(7) }, "NXDOMAIN"), nil},
		{"a few random names", lookups(100, randomName, "NXDOMAIN"), nil},
		{"an hour", packets(40_000, 100, 6, silent, oneTarget), []string{"critical flood 198.51.100.90:443/tcp 32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D15", c.want...)
		})
	}
}

func TestFloodAllowedByInventory(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "stream", Proto: "udp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("198.51.100.90/32")}}}
	s := newStage(t, e)
	s.stream(silent, "198.51.100.90:9999", "", 400, 60, 0)
	s.want(t, "D15")
}

func TestFloodsOfTargetsAreBounded(t *testing.T) {
	s := onlyRule(t, "D15", func(p *detect.FloodParams) { p.MaxTargets, p.MaxContacts, p.MaxSessions = 10, 10, 10 }, legacy())
	for i := range 100 {
		for range 60 { // fewer need no entry
			s.open(17, silent, fmt.Sprintf("198.51.%d.9:53", i))
		}
		s.connect(silent, fmt.Sprintf("198.52.%d.9:80", i))
	}
	if n := detect.Evictions(s.dets); n < 90+90 || n > 300 {
		t.Errorf("%d evictions", n)
	}
}
