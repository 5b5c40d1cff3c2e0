// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// The request of CVE-2017-7921, which D32 reports, and a harmless one of the same length.
const (
	exploit = "GET /Security/users?auth=YWRtaW46MTEK HTTP/1.1\r\nHost: 10.20.30.11\r\n\r\n"
	decoy   = "GET /Security/users?page=000000000000 HTTP/1.1\r\nHost: 10.20.30.11\r\n\r\n"
)

// web returns a connection of the attacker to the web server of the camera.
func (s *site) web() *wire { return s.wire(s.start, s.attacker, 41000, s.cam, 80) }

// struck returns a case in which a request that D32 reports reaches the camera.
func struck(group, name, trick, missed string, build func(*site)) Case {
	return Case{Name: name, Group: group, Trick: trick, Rule: "D32", Device: "cam-01", Missed: missed, build: build}
}

// segments are the tricks of Ptacek and Newsham (1998) with TCP: the sensor and the target read different streams.
func segments() []Case {
	const group = "TCP segments"
	const both = "Nothing in the packets shows which of the two the target keeps; the sensor keeps the first."
	c := func(name, trick, missed string, build func(*site)) Case {
		return struck(group, name, trick, missed, build)
	}
	return []Case{
		c("tcp-one-byte", "The request comes in segments of one byte.", "", func(s *site) {
			w := s.web().open()
			for i := range len(exploit) {
				w.add(seg{from: client, flags: "PA", data: exploit[i : i+1]})
			}
			w.answer()
		}),
		c("tcp-reversed", "The segments of the request come in reverse order.", "", func(s *site) {
			w := s.web().open()
			for i := len(exploit) / 8; i >= 0; i-- {
				w.add(seg{from: client, flags: "PA", off: i * 8, data: exploit[i*8 : min(len(exploit), i*8+8)], stray: true})
			}
			w.next[client] += uint32(len(exploit))
			w.answer()
		}),
		c("tcp-overlap-second", "A segment is sent twice before the one in front of it: first as in the request, then with other data.", "", func(s *site) { s.overlap(exploit, decoy) }),
		c("tcp-overlap-first", "The same, but first with harmless data. The target keeps what comes last.", both, func(s *site) { s.overlap(decoy, exploit) }),
		c("tcp-data-checksum", "A harmless request with a wrong checksum, which the target drops, precedes the real one at the same sequence numbers.",
			"Checksums are not verified: where the sensor shares a host with what it watches, packets are captured before the network card computes them.", func(s *site) {
				s.web().open().add(seg{from: client, flags: "PA", data: decoy, stray: true, wrongSum: true}, seg{from: client, flags: "PA", data: exploit}).answer()
			}),
		c("tcp-data-ttl", "A harmless request with TTL 1, which a router in front of the target drops, precedes the real one at the same sequence numbers.",
			"The sensor does not know how many routers are behind it. If it ignored segments with a low TTL, attackers would send the real request with one.", func(s *site) {
				s.web().open().add(seg{from: client, flags: "PA", data: decoy, stray: true, ttl: 1}, seg{from: client, flags: "PA", data: exploit}).answer()
			}),
		c("tcp-data-paws", "A harmless request with an old timestamp, which the target drops, precedes the real one at the same sequence numbers.",
			"Timestamps are not compared (RFC 7323 section 5): stacks differ in when they do.", func(s *site) {
				w := s.web()
				w.stamps = true
				w.open().add(seg{from: client, flags: "PA", data: decoy, stray: true, oldStamp: true}, seg{from: client, flags: "PA", data: exploit}).answer()
			}),
		c("tcp-data-ahead", "Harmless data beyond the window, which the target drops, precedes the request.", "", func(s *site) {
			s.web().open().add(seg{from: client, flags: "PA", data: decoy, off: 1 << 20, stray: true}, seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		c("tcp-rst-checksum", "A RST with a wrong checksum, which the target drops, precedes the request.", "", func(s *site) {
			s.web().open().add(seg{from: client, flags: "R", stray: true, wrongSum: true}, seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		c("tcp-fin-checksum", "FINs of both sides with wrong checksums, which nobody accepts, precede the request.", "", func(s *site) {
			s.web().open().add(seg{from: client, flags: "FA", stray: true, wrongSum: true}, seg{from: server, flags: "FA", stray: true, wrongSum: true},
				seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		c("tcp-rst-ttl", "A RST with TTL 1, which a router in front of the target drops, precedes the request.", "", func(s *site) {
			s.web().open().add(seg{from: client, flags: "R", stray: true, ttl: 1}, seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		c("tcp-rst-far", "A RST with a sequence number outside the window, which the target ignores, precedes the request.", "", func(s *site) {
			s.web().open().add(seg{from: client, flags: "R", off: 1 << 24, stray: true}, seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		c("tcp-urgent", "A byte of urgent data stands inside the request. The target takes it out of the stream.", "", func(s *site) {
			at := len("GET /Security/us")
			s.web().open().add(seg{from: client, flags: "PA", data: exploit[:at]}, seg{from: client, flags: "PAU", data: "x", urgent: 1},
				seg{from: client, flags: "PA", data: exploit[at:]}).answer()
		}),
		c("tcp-syn-data", "The request comes with the SYN (TCP Fast Open).", "", func(s *site) {
			s.web().add(seg{from: client, flags: "S", data: exploit}, seg{from: server, flags: "SA"}, seg{from: client, flags: "A"}).answer()
		}),
		c("tcp-wrap", "The sequence numbers pass 2³² within the request.", "", func(s *site) {
			w := s.web()
			w.next[client] = 0xffffffe0
			w.open().add(seg{from: client, flags: "PA", data: exploit[:40]}, seg{from: client, flags: "PA", data: exploit[40:]}).answer()
		}),
		c("tcp-split-handshake", "The target answers the SYN with a SYN of its own, and the attacker with a SYN-ACK (split handshake).", "", func(s *site) {
			s.web().add(seg{from: client, flags: "S", stray: true}, seg{from: server, flags: "S", stray: true}, seg{from: client, flags: "SA"}, seg{from: server, flags: "SA", stray: true}).
				advanceServer().add(seg{from: client, flags: "PA", data: exploit}).answer()
		}),
	}
}

// openings are sessions whose start, or whose bytes one by one, try to hide them.
func openings() []Case {
	const group = "TCP segments"
	return []Case{
		{Name: "tcp-reused-tuple", Group: group, Rule: "D01", Device: "srv-legacy",
			Trick: "An external host opens a session to a silent server and closes it; then the server opens one back, from the same port to the same port.",
			build: func(s *site) {
				w := s.wire(s.start, s.attacker, 41000, s.legacy, 8443).open()
				w.add(seg{from: client, flags: "PA", data: "hello"}, seg{from: server, flags: "A"}, seg{from: client, flags: "FA"}, seg{from: server, flags: "FA"}, seg{from: client, flags: "A"})
				back := s.wire(w.at.Add(3*time.Second), s.legacy, 8443, s.attacker, 41000).open()
				back.add(seg{from: client, flags: "PA", data: string(s.Bytes(300))}, seg{from: server, flags: "PA", data: string(s.Bytes(300))})
			}},
		{Name: "tcp-no-syn", Group: group, Rule: "D17", Device: "srv-legacy",
			Trick: "A silent server and an external host, both with stacks of their own, exchange data without any handshake.",
			build: func(s *site) {
				w := s.wire(s.start, s.legacy, 45017, s.attacker, 8443)
				for range 200 {
					w.add(seg{from: client, flags: "PA", data: string(s.Bytes(900))}, seg{from: server, flags: "PA", data: string(s.Bytes(200))})
					w.at = w.at.Add(20 * time.Second)
				}
			}},
		{Name: "tcp-login-bytes", Group: group, Rule: "D27", Device: "cam-01",
			Trick: "A login by Telnet with a default password comes in segments of one byte.",
			build: func(s *site) {
				c := s.Dial(s.start, s.attacker, s.cam, 23)
				c.Reply([]byte{255, 251, 1, 255, 251, 3}).Reply([]byte("\r\nlogin: "))
				for _, b := range []byte("root\r\n") {
					c.Wait(100 * time.Millisecond).Send([]byte{b})
					c.Reply([]byte{b})
				}
				c.Reply([]byte("Password: "))
				for _, b := range []byte("xc3511\r\n") {
					c.Wait(100 * time.Millisecond).Send([]byte{b})
				}
				c.Reply([]byte("\r\n")).Wait(60 * time.Millisecond).Reply([]byte("\r\nBusyBox v1.19.3 built-in shell (ash)\r\n\r\n# "))
				c.Wait(time.Second).Send([]byte("id\r\n")).Reply([]byte("id\r\nuid=0(root) gid=0(root)\r\n# "))
				c.Wait(time.Second).Close()
			}},
		{Name: "tcp-probe-fin", Group: group, Rule: "D13", Device: "mac:00:1e:c9:00:00:22",
			Trick:  "A workstation looks for hosts and ports with FIN segments instead of SYNs.",
			Missed: "Segments of a device to well-known ports do not count: after a pause of the device its servers refuse what belongs to sessions that they have closed.",
			build: func(s *site) {
				for i := range 60 {
					h := s.Host("", fmt.Sprintf("10.20.10.%d", 100+i), fmt.Sprintf("ac:1f:6b:00:02:%02x", i), netsim.Linux)
					w := s.wire(s.start.Add(time.Duration(i)*time.Second), s.clerk, uint16(42000+i), h, 22)
					w.add(seg{from: client, flags: "F"}, seg{from: server, flags: "RA"})
				}
			}},
	}
}

// overlap sends the second half of a request twice, as in first and as in second, and then the first half, which is the same in both.
func (s *site) overlap(first, second string) {
	const half = 20
	w := s.web().open()
	w.add(seg{from: client, flags: "PA", data: first[half:], off: half, stray: true}, seg{from: client, flags: "PA", data: second[half:], off: half, stray: true},
		seg{from: client, flags: "PA", data: first[:half], stray: true})
	w.next[client] += uint32(len(first))
	w.answer()
}

// advanceServer moves the sequence number of the server past its SYN.
func (w *wire) advanceServer() *wire {
	w.next[server]++
	return w
}
