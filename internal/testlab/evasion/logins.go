// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// logins guess passwords without being noticed.
func logins() []Case {
	const group = "Logins"
	return []Case{
		{Name: "guess-slow", Group: group, Rule: "D09", Device: "srv-legacy",
			Trick: "An external host tries one password by SSH every 30 minutes for a day and a half.",
			build: func(s *site) { s.every(30*time.Minute, 70, func(_ int, at time.Time) { s.guess(at, s.attacker) }) }},
		{Name: "guess-very-slow", Group: group, Rule: "D09", Device: "srv-legacy",
			Trick: "An external host tries one password by SSH every 8 hours for twelve days.",
			build: func(s *site) { s.every(8*time.Hour, 36, func(_ int, at time.Time) { s.guess(at, s.attacker) }) }},
		{Name: "guess-spread", Group: group, Rule: "D09", Device: "srv-legacy",
			Trick: "60 external hosts try one password each by SSH within an hour.",
			build: func(s *site) {
				s.every(time.Minute, 60, func(i int, at time.Time) {
					s.guess(at, s.External(fmt.Sprintf("203.0.113.%d", 10+i), netsim.Linux, 50*time.Millisecond))
				})
			}},
		{Name: "guess-spread-slow", Group: group, Rule: "D09", Device: "srv-legacy",
			Trick:  "40 external hosts try one password each by SSH, one every 6 hours.",
			Missed: "4 failures a day, none from a host that failed before, are what mistypes and Internet noise look like.",
			build: func(s *site) {
				s.every(6*time.Hour, 40, func(i int, at time.Time) {
					s.guess(at, s.External(fmt.Sprintf("203.0.113.%d", 10+i), netsim.Linux, 50*time.Millisecond))
				})
			}},
		{Name: "guess-fleet", Group: group, Rule: "D09", Device: "mac:00:1e:c9:00:00:22",
			Trick: "A workstation tries one password on each of twelve cameras, every 40 s.",
			build: func(s *site) {
				s.every(40*time.Second, 12, func(i int, at time.Time) {
					cam := s.Host("", fmt.Sprintf("10.20.30.%d", 21+i), fmt.Sprintf("44:19:b6:00:02:%02x", i), netsim.Embedded)
					s.Dial(at, s.clerk, cam, 80).HTTP(netsim.Request{Method: "GET", URI: "/ISAPI/System/status", Auth: netsim.Basic("admin", "Winter2026")},
						netsim.Unauthorized("Basic", "IP Camera", "", "App-webs/")).Close()
				})
			}},
		{Name: "login-odd-port", Group: group, Rule: "D08", Device: "srv-legacy",
			Trick: "An external host logs in by SSH on port 443.",
			build: func(s *site) {
				s.DialSSH(s.start, s.attacker, s.legacy, 443, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("root", 0, true).Shell().Type(20, 500)
			}},
		{Name: "login-kept", Group: group, Rule: "D17", Device: "srv-gate",
			Trick:  "A session from outside to an allowed port is kept for three days, with a few bytes every hour.",
			Missed: "The contract lets every host in on this port, and says nothing about how long.",
			build: func(s *site) {
				c := s.Dial(s.start, s.attacker, s.gate, 443).Send(s.Bytes(200)).Reply(s.Bytes(300))
				for range 72 {
					c.Wait(time.Hour).Send(s.Bytes(60)).Reply(s.Bytes(90))
				}
			}},
		{Name: "login-kept-odd", Group: group, Rule: "D17", Device: "srv-legacy",
			Trick: "A session from outside to port 8081 of a silent server is kept for three days, with a few bytes every two hours.",
			build: func(s *site) {
				c := s.Dial(s.start, s.attacker, s.legacy, 8081).Send(s.Bytes(200)).Reply(s.Bytes(300))
				for range 36 {
					c.Wait(2 * time.Hour).Send(s.Bytes(60)).Reply(s.Bytes(90))
				}
			}},
	}
}

// guess adds an SSH session to the silent server with one wrong password.
func (s *site) guess(at time.Time, from *netsim.Host) {
	s.DialSSH(at, from, s.legacy, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("root", 1, false).Conn().Close()
}
