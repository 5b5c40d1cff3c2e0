// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"stillwatch/internal/testlab/netsim"
)

func planS1() plan { return plan{cameras: []int{1, 2, 3, 4, 5, 6}} }

// storyBenign returns the background traffic of S1 without the attack.
func storyBenign(seed uint64) *story {
	s := &story{office: newOffice(seed, planS1()), title: "a quiet week",
		summary: "The ordinary life that the other stories begin with, packet for packet that of S1, and nothing after it. An alert here is a false alarm."}
	s.live()
	return s
}

// s1 is the state of story S1: one attacker, seen with two programs, and one server.
type s1 struct {
	*story
	srv, far, scanner *netsim.Host
	ssh               *netsim.SSH
	out               *netsim.Conn // the relayed session
}

func storyS1(seed uint64) *story {
	o := newOffice(seed, planS1())
	s := &s1{story: &story{office: o, title: "the server that nobody uses", summary: "srv-legacy-07 has opened nothing for eight days but DHCP, DNS and NTP. The firewall still lets the outside reach it. " +
		"203.0.113.66 finds it by scanning, guesses its SSH password, looks around inside, and then uses it as a relay against others."}}
	s.live()
	s.srv, s.far = o.legacy.host, o.External("203.0.113.66", netsim.Linux, 85*time.Millisecond)
	scanner := *s.far
	scanner.Stack = netsim.Scanner
	s.scanner = &scanner
	s.scan(day(8, 13, 0, 0))
	s.login(day(8, 13, 4, 10))
	s.discover(day(8, 13, 12, 0))
	s.relay(day(8, 13, 18, 0))
	s.spread(day(8, 13, 23, 0))
	s.leave(day(8, 13, 28, 0))
	return s.story
}

// scan is a half-open scan of the administration ports, and a full connection to the one that answered.
func (s *s1) scan(at time.Time) {
	o := s.office
	s.attack(at, "203.0.113.66 scans srv-legacy-07 on 12 administration ports; 22 answers, the others refuse or stay silent")
	s.expect("D07 (scan, informational)", "srv-legacy-07", at, "an external address tries administration ports")
	o.meet(at, s.scanner, s.srv)
	t := at
	for i, p := range []uint16{21, 22, 23, 80, 443, 445, 2323, 3389, 5555, 8000, 8080, 8291} {
		answer := netsim.Refused
		if p == 22 {
			answer = netsim.Open
		} else if i%3 == 0 {
			answer = netsim.Dropped
		}
		t = o.Probe(t.Add(o.Between(200*time.Millisecond, 900*time.Millisecond)), s.scanner, s.srv, p, answer)
	}
	grab := at.Add(40 * time.Second)
	s.attack(grab, "203.0.113.66 connects to port 22, reads the banner SSH-2.0-OpenSSH_9.6 and goes")
	s.expect("D07 (exposure)", "srv-legacy-07", grab, "a handshake from outside on port 22 is completed")
	o.Dial(grab, s.far, s.srv, 22).Reply([]byte(netsim.OpenSSHServer().Banner + "\r\n")).Wait(time.Second).Close()
}

// login adds four sessions with three wrong passwords each, and a fifth in which the second password is right. Each session starts with the
// request "none"; its refusal shows the length of a failure and does not count as one.
func (s *s1) login(at time.Time) {
	o := s.office
	s.attack(at, "203.0.113.66 begins to guess passwords on SSH: four sessions with three wrong passwords each")
	t := at
	for i := range 4 {
		c := o.DialSSH(t, s.far, s.srv, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("root", 3, false).Conn()
		end := c.CloseBy(netsim.Server)
		if i == 3 {
			s.expect("D09", "srv-legacy-07", end, "the failures inferred from packet sizes pass 10 within 10 minutes: 12 by now")
		}
		t = end.Add(o.Between(20*time.Second, 40*time.Second))
	}
	t = day(8, 13, 9, 20)
	s.ssh = o.DialSSH(t, s.far, s.srv, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("root", 1, true)
	ok := s.ssh.Conn().Now()
	s.attack(ok, "the fifth session: one wrong password, then the right one; a shell opens (packet of size A-16)")
	s.expect("D08", "srv-legacy-07", ok, "external login success on a silent device, inferred: confidence 0.7")
	s.expect("D09 (success after failures, critical)", "srv-legacy-07", ok, "success after 13 failures of the same source")
	s.ssh.Shell().Type(9, 700).Conn().Wait(8 * time.Second)
	s.ssh.Type(14, 2100)
}

// discover adds the attacker's discovery commands in the SSH session, and their traffic.
func (s *s1) discover(at time.Time) {
	o := s.office
	alive := o.hosts()
	open := func(h *netsim.Host, p uint16) bool {
		return p == 22 && h.IP.As4()[2] == 10 || p == 554 && h.IP.As4()[2] == 30
	}
	s.command(at.Add(-4*time.Second), 18, 300)
	s.attack(at, "srv-legacy-07 sweeps 10.20.10.0/24 by ARP, 25 requests a second")
	s.expect("D13 (ARP sweep)", "srv-legacy-07", at, "10 requests within 10 s; also beyond the ARP budget of a silent device, D38 scan")
	o.ARPSweep(at, s.srv, "10.20.10.0/24", 40*time.Millisecond, alive)

	at = at.Add(time.Minute)
	s.command(at.Add(-8*time.Second), 22, 1900)
	s.attack(at, "srv-legacy-07 goes through 10.20.30.0/27: ARP for every address, an echo request to those that answer")
	s.expect("D02", "srv-legacy-07", at, "first session of its own after more than 8 days, no boot pattern, no maintenance window")
	s.expect("D01", "srv-legacy-07", at, "ICMP echo to another device, outside its contract (internal)")
	s.expect("D13 (ICMP sweep)", "srv-legacy-07", at, "more than 5 hosts pinged")
	o.ICMPSweep(at, s.srv, "10.20.30.0/27", 120*time.Millisecond, alive)

	at = at.Add(time.Minute)
	s.command(at.Add(-9*time.Second), 25, 800)
	s.attack(at, "srv-legacy-07 scans the servers on 22, 445, 554 and 3389")
	s.expect("D13 (TRW)", "srv-legacy-07", at, "first contacts refused one after another, more than 10 targets")
	s.expect("D39", "srv-legacy-07", at, "first contact of a silent server to 22, 445, 3389 of other servers")
	at = o.Scan(at, s.srv, "10.20.10.0/24", []uint16{22, 445, 554, 3389}, 30*time.Millisecond, alive, open)
	at = at.Add(20 * time.Second)
	s.attack(at, "srv-legacy-07 scans the cameras on 22, 445 and 554")
	at = o.Scan(at, s.srv, "10.20.30.0/27", []uint16{22, 445, 554}, 60*time.Millisecond, alive, open)
	s.command(at.Add(15*time.Second), 7, 5200)
}

// command adds a line that is typed in the SSH session, and out bytes of output.
func (s *s1) command(at time.Time, keys, out int) {
	s.ssh.Conn().WaitUntil(at)
	s.ssh.Type(keys, out)
}

// relay forwards data from the SSH session to an outbound TLS session, and the answers back, for 130 s.
func (s *s1) relay(at time.Time) {
	o, victim := s.office, s.office.External("198.51.100.23", netsim.Linux, 30*time.Millisecond)
	s.ssh.Conn().WaitUntil(at)
	s.ssh.ChannelData(netsim.Client, 90)
	open := s.ssh.Conn().Now().Add(12 * time.Millisecond)
	s.attack(open, "12 ms after data on the SSH session srv-legacy-07 connects to 198.51.100.23:443 (TLS, mail.example.com) and copies both ways: 70 bursts, more than 60 s and 50 kB")
	s.expect("D01 (external, established: high)", "srv-legacy-07", open, "first session to the outside")
	s.expect("D11", "srv-legacy-07", open.Add(time.Minute), "byte curves of the two sessions follow one another; bursts after idle times begin within 80 ms")
	o.meet(open, s.srv, victim)
	out := o.DialTLS(open, s.srv, victim, 443, netsim.TLSClient{SNI: "mail.example.com"}, netsim.TLSServer{Version: 0x0304})
	s.ssh.Conn().WaitUntil(out.Now().Add(6 * time.Millisecond))
	s.ssh.ChannelData(netsim.Server, 60)
	for range 70 {
		s.burst(out)
	}
	s.attack(out.Now(), "the relayed conversation pauses; both sessions stay open")
	s.out = out
}

// burst adds a message from the attacker through the server to the victim, and the answer, after a pause of over half a second.
func (s *s1) burst(out *netsim.Conn) {
	o := s.office
	up, down := 300+o.IntN(1500), 150+o.IntN(500)
	in := s.ssh.Conn().Wait(o.Between(900*time.Millisecond, 2600*time.Millisecond))
	s.ssh.ChannelData(netsim.Client, up)
	out.WaitUntil(in.Now().Add(o.Between(4*time.Millisecond, 25*time.Millisecond)))
	out.Records(netsim.Client, up).Records(netsim.Server, down)
	in.WaitUntil(out.Now().Add(o.Between(3*time.Millisecond, 15*time.Millisecond)))
	s.ssh.ChannelData(netsim.Server, down)
}

// spread tries SSH on six external hosts, each shortly after a command from the attacker.
func (s *s1) spread(at time.Time) {
	o := s.office
	s.attack(at, "srv-legacy-07 tries SSH logins on 192.0.2.10 to 192.0.2.15, each within half a second of data from 203.0.113.66; two do not answer")
	s.expect("D11 (connect-through)", "srv-legacy-07", at, "outbound SYNs within 1 s of inbound payload, three pairs and more")
	s.expect("D05", "srv-legacy-07", at, "a server of this kind is no SSH client, if its role is known by then")
	for i := range 6 {
		in := s.ssh.Conn().WaitUntil(at.Add(time.Duration(i) * 35 * time.Second))
		s.ssh.ChannelData(netsim.Client, 60+o.IntN(80))
		peer := o.External([]string{"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15"}[i], netsim.Linux, 40*time.Millisecond)
		t := in.Now().Add(o.Between(60*time.Millisecond, 400*time.Millisecond))
		o.meet(t, s.srv, peer)
		if i == 1 || i == 4 {
			o.Unanswered(t, s.srv, peer, 22, 3)
			continue
		}
		o.DialSSH(t, s.srv, peer, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer()).Login("admin", 3, false).Conn().CloseBy(netsim.Server)
		s.ssh.ChannelData(netsim.Server, 120)
	}
}

// leave closes the relayed session shortly after the attacker's.
func (s *s1) leave(at time.Time) {
	end := s.ssh.Conn().WaitUntil(at).Close()
	s.attack(end, "203.0.113.66 closes the SSH session; srv-legacy-07 closes the relayed session 0.2 s later")
	s.expect("D11 (FIN pairing)", "srv-legacy-07", end, "both ends of the relay are closed within 0.5 s")
	s.expect("D42", "srv-legacy-07", end, "one incident: D07, D09, D08, D13, D01, D11 in this order, critical")
	s.out.WaitUntil(end.Add(200 * time.Millisecond)).Close()
}
