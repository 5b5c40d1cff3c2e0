// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// calls are control channels, uploads, scans and relays that stay below thresholds or hide among allowed sessions.
func calls() []Case {
	const group = "Calls, uploads, scans and relays"
	return []Case{
		{Name: "calls-port-hopping", Group: group, Rule: "D01", Device: "cam-01",
			Trick: "A camera calls its control server every ten minutes on another port.",
			build: func(s *site) { s.hop(s.cam) }},
		{Name: "calls-port-hopping-bare", Group: group, Rule: "D16", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "The same without an inventory.",
			build: func(s *site) { s.hop(s.cam) }},
		{Name: "calls-dead-ports-bare", Group: group, Rule: "D16", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "Without an inventory: a camera calls a server that is off every ten minutes, on another port each time.",
			build: func(s *site) {
				s.every(10*time.Minute, 60, func(i int, at time.Time) { s.Unanswered(at, s.cam, s.attacker, uint16(20000+37*i), 3) })
			}},
		{Name: "calls-families", Group: group, Rule: "D01", Device: "cam-01",
			Trick: "A camera calls its control server by IPv4 and IPv6 in turns.",
			build: func(s *site) { s.families(s.cam) }},
		{Name: "calls-families-bare", Group: group, Rule: "D16", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "The same without an inventory, regularly every five minutes.",
			build: func(s *site) { s.families(s.cam) }},
		{Name: "calls-irc", Group: group, Rule: "D48", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "Without an inventory: a camera speaks IRC on port 8443.",
			build: func(s *site) {
				c := s.Dial(s.start, s.cam, s.attacker, 8443).Send([]byte("NICK cam[x86]1731\r\nUSER x 8 * :x\r\n"))
				c.Reply([]byte(":irc.example.org 001 cam[x86]1731 :Welcome\r\n")).Send([]byte("JOIN #scan key\r\n")).Reply([]byte(":h!h@h PRIVMSG #scan :!* SCANNER ON\r\n"))
				c.Wait(time.Minute).Close()
			}},
		{Name: "calls-jitter", Group: group, Rule: "D16", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick:  "Without an inventory: a camera calls an external server on 443, at random times, 20 minutes apart on average.",
			Missed: "Random gaps are what the rule takes as harmless; one session of TLS to one server is ordinary for a camera with a cloud service.",
			build: func(s *site) {
				at := s.start
				for range 60 {
					at = at.Add(s.Between(0, 40*time.Minute))
					s.talk(at, s.cam, s.other, 443, 400, 300)
				}
			}},
		{Name: "upload-slices", Group: group, Rule: "D18", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick: "Without an inventory: a camera uploads 24 MB to one server, in 60 sessions of 400 kB.",
			build: func(s *site) { s.slices(60, 1, func(int) *netsim.Host { return s.other }) }},
		{Name: "upload-spread", Group: group, Rule: "D18", Device: "mac:44:19:b6:00:01:01", Bare: true,
			Trick:  "Without an inventory: a camera uploads 24 MB, 400 kB to each of 60 servers.",
			Missed: "Uploads are counted per peer, and each peer gets little.",
			build: func(s *site) {
				s.slices(60, 60, func(i int) *netsim.Host {
					return s.External(fmt.Sprintf("198.51.%d.9", 100+i), netsim.Linux, 40*time.Millisecond)
				})
			}},
		{Name: "scan-slow", Group: group, Rule: "D13", Device: "mac:00:1e:c9:00:00:22",
			Trick:  "A workstation tries one address on port 445 every ten minutes; none answers.",
			Missed: "20 hosts an hour make a workstation a scanner. Computers meet six dead addresses an hour without scanning: laptops that lost their printers and servers do.",
			build:  func(s *site) { s.probes(s.clerk, 10*time.Minute, 100) }},
		{Name: "scan-slow-silent", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "A silent server does so.",
			build: func(s *site) { s.probes(s.legacy, 10*time.Minute, 100) }},
		{Name: "relay-allowed-port", Group: group, Rule: "D11", Device: "srv-gate",
			Trick: "A server relays from the port that its contract opens to an address on another network.",
			build: func(s *site) { s.relay(s.other, 443) }},
		{Name: "relay-allowed-both", Group: group, Rule: "D11", Device: "srv-gate",
			Trick:  "The same to a host that its contract allows: both sessions are allowed.",
			Missed: "A session that the `allow` list allows is not taken as the far one: proxies are allowed in this way.",
			build:  func(s *site) { s.relay(s.External("203.0.113.9", netsim.Linux, 30*time.Millisecond), 443) }},
	}
}

func (s *site) hop(from *netsim.Host) {
	s.every(10*time.Minute, 60, func(i int, at time.Time) { s.talk(at, from, s.attacker, uint16(20000+37*i), 600, 400) })
}

func (s *site) families(from *netsim.Host) {
	a, b := s.Host("", "2001:db8:20:30::11", from.MAC.String(), netsim.Embedded), s.External("2001:db8:66::1", netsim.Linux, 40*time.Millisecond)
	for i := range 80 {
		at := s.start.Add(time.Duration(i) * 5 * time.Minute)
		if i%2 == 0 {
			s.talk(at, from, s.attacker, 8443, 600, 400)
		} else {
			s.talk(at, a, b, 8443, 600, 400)
		}
	}
}

// slices uploads 400 kB at a time, of which the capture has the headers.
func (s *site) slices(n, names int, to func(int) *netsim.Host) {
	s.every(12*time.Minute, n, func(i int, at time.Time) {
		c := s.DialTLS(at, s.cam, to(i), 443, netsim.TLSClient{SNI: fmt.Sprintf("host%d.example", i%names)}, netsim.TLSServer{Version: 0x0304}).Snap(96)
		c.Bulk(netsim.Client, 400_000, 20*time.Second, 8).Close()
	})
}

func (s *site) probes(from *netsim.Host, gap time.Duration, n int) {
	s.every(gap, n, func(i int, at time.Time) {
		h := s.Host("", fmt.Sprintf("10.20.60.%d", 10+i), fmt.Sprintf("ac:1f:6b:00:06:%02x", i), netsim.Linux)
		s.Unanswered(at, from, h, 445, 3)
	})
}

// relay has the gate forward bursts between a session of the attacker and one that it opens itself.
func (s *site) relay(to *netsim.Host, port uint16) {
	near := s.DialTLS(s.start, s.attacker, s.gate, 443, netsim.TLSClient{SNI: "gate.example.com"}, netsim.TLSServer{Version: 0x0304})
	far := s.DialTLS(near.Now().Add(30*time.Millisecond), s.gate, to, port, netsim.TLSClient{SNI: "mail.example.com"}, netsim.TLSServer{Version: 0x0304})
	for at := far.Now().Add(time.Second); at.Before(s.start.Add(3 * time.Minute)); at = at.Add(s.Between(700*time.Millisecond, 2500*time.Millisecond)) {
		k := 300 + s.IntN(1500)
		near.WaitUntil(at).Records(netsim.Client, k)
		far.WaitUntil(near.Now().Add(8*time.Millisecond)).Records(netsim.Client, k).Records(netsim.Server, 2*k)
		near.WaitUntil(far.Now().Add(8*time.Millisecond)).Records(netsim.Server, 2*k)
	}
	near.Close()
	far.WaitUntil(near.Now().Add(100 * time.Millisecond)).Close()
}
