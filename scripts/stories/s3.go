// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// s3 is the state of story S3: a recorder whose Telnet port is open to the outside.
type s3 struct {
	*story
	nvr, far, control *netsim.Host
	shell             *netsim.Telnet
}

func storyS3(seed uint64) *story {
	o := newOffice(seed, plan{cameras: []int{1, 2, 3, 4, 5, 6}})
	s := &s3{story: &story{office: o, title: "Telnet on the recorder", summary: "The recorder nvr answers on Telnet, and the firewall lets the outside reach it. 198.51.100.77 tries the pairs that every " +
		"worm carries until one fits, and the recorder becomes a bot: it calls its controller and looks for further victims."}}
	s.live()
	s.nvr, s.far = o.nvr.host, o.External("198.51.100.77", netsim.Linux, 140*time.Millisecond)
	s.control = o.External("203.0.113.9", netsim.Linux, 60*time.Millisecond)
	s.guess(day(8, 20, 15, 0))
	s.enter(day(8, 20, 21, 30))
	s.callHome(day(8, 20, 24, 0))
	s.callback(day(8, 20, 26, 0))
	s.infect(day(8, 20, 31, 0))
	s.expect("D42", "nvr", day(8, 20, 31, 0), "one incident: D07, D09, D08, D01, D14 in this order, critical")
	return s.story
}

func wrongPairs() []netsim.Pair {
	return []netsim.Pair{{User: "root", Password: "vizxv"}, {User: "root", Password: "admin"}, {User: "admin", Password: "admin"}, {User: "root", Password: "888888"},
		{User: "root", Password: "xmhdipc"}, {User: "root", Password: "default"}, {User: "root", Password: "juantech"}, {User: "root", Password: "123456"},
		{User: "root", Password: "54321"}, {User: "support", Password: "support"}, {User: "root", Password: "root"}, {User: "root", Password: "12345"}}
}

// guess adds 25 failures: nine connections, eight with three attempts and one with one.
func (s *s3) guess(at time.Time) {
	o := s.office
	s.attack(at, "198.51.100.77 connects to Telnet of nvr and tries default pairs: 25 failures in nine connections within six minutes")
	s.expect("D07 (exposure)", "nvr", at, "a handshake from outside on port 23 is completed")
	s.expect("D26", "nvr", at, "user names and passwords in clear text")
	pairs, tried := wrongPairs(), 0
	for i := range 9 {
		t := at.Add(time.Duration(i)*40*time.Second + o.Between(0, 2*time.Second))
		o.meet(t, s.far, s.nvr)
		tn := o.DialTelnet(t, s.far, s.nvr, "dvrdvs")
		for k := range 3 {
			if i == 8 && k > 0 {
				break
			}
			tn.Try(pairs[tried%len(pairs)], false, "")
			if tried++; tried == 10 {
				s.expect("D09", "nvr", tn.Conn().Now(), "the tenth failure within 10 minutes")
			}
		}
		tn.Conn().Wait(300 * time.Millisecond).Close()
	}
}

// enter adds the successful login and the typed commands.
func (s *s3) enter(at time.Time) {
	s.shell = s.office.DialTelnet(at, s.far, s.nvr, "dvrdvs")
	s.shell.Try(netsim.Pair{User: "root", Password: "xc3511"}, true, "\r\n\r\nBusyBox v1.20.2 (2016-09-06 13:29:05 CST) built-in shell (ash)\r\nEnter 'help' for a list of built-in commands.\r\n\r\n# ")
	ok := s.shell.Conn().Now()
	s.attack(ok, "root with the pair of Mirai's list logs in; a BusyBox shell answers")
	s.expect("D08", "nvr", ok, "external login success, told by the shell prompt (explicit: confidence 0.97)")
	s.expect("D09 (success after failures, critical)", "nvr", ok, "success after 25 failures")
	s.expect("D27", "nvr", ok, "the pair is a default pair, and it was accepted")
	s.shell.Run("enable", "-sh: enable: not found\r\n", "# ").Run("cat /proc/mounts", "rootfs / rootfs rw 0 0\r\n/dev/mtdblock2 / squashfs ro 0 0\r\n", "# ")
	s.shell.Run("cd /tmp; ./upd &", "", "# ")
}

// callHome looks up a new name and opens a session in which the controller types.
func (s *s3) callHome(at time.Time) {
	o := s.office
	s.attack(at, "nvr asks 10.20.1.53 for update-cdn.example.com, a name it never asked for, and connects to 203.0.113.9:4444; the far side speaks first and types commands, the recorder answers with a prompt")
	s.expect("D01 (external, established: high)", "nvr", at, "a session outside its contract")
	s.expect("D05", "nvr", at, "a recorder opens nothing on such ports, if its role is known by then")
	o.meet(at, s.nvr, o.dns.host)
	t := o.Lookup(at, s.nvr, o.dns.host, "update-cdn.example.com", "203.0.113.9")
	o.meet(t.Add(50*time.Millisecond), s.nvr, s.control)
	c := o.Dial(t.Add(50*time.Millisecond), s.nvr, s.control, 4444)
	s.expect("D25", "nvr", c.Now(), "an outbound session in which the server sends short lines and the device answers `uid=0` and a prompt")
	for _, x := range [][2]string{{"id\n", "uid=0(root) gid=0(root)\n# "}, {"uname -a\n", "Linux dvrdvs 3.10.0 #1 armv7l GNU/Linux\n# "}, {"ps\n", "  PID USER     COMMAND\n    1 root     init\n  644 root     ./upd\n# "}} {
		c.Wait(o.Between(2*time.Second, 5*time.Second)).Reply([]byte(x[0])).Send([]byte(x[1]))
	}
	c.Wait(40 * time.Second).CloseBy(netsim.Server)
}

// callback adds attempts to reach a second controller that never answers.
func (s *s3) callback(at time.Time) {
	o, gone := s.office, s.office.External("198.51.100.200", netsim.Linux, 50*time.Millisecond)
	s.attack(at, "nvr tries 198.51.100.200:6667 every 50 s, six times; nobody answers")
	s.expect("D06", "nvr", at.Add(200*time.Second), "the fifth unanswered SYN to one destination within 600 s")
	for i := range 6 {
		t := at.Add(time.Duration(i) * 50 * time.Second)
		o.meet(t, s.nvr, gone)
		o.Unanswered(t, s.nvr, gone, 6667, 1)
	}
}

// infect adds the bot's scan for further victims.
func (s *s3) infect(at time.Time) {
	o := s.office
	s.attack(at, "nvr sends 240 SYNs within a minute to addresses outside on 23 and 2323; sequence number equal to the destination, no TCP options")
	s.expect("D14", "nvr", at, "one such packet is enough")
	s.expect("D13", "nvr", at.Add(2*time.Second), "more than 10 first contacts without an answer")
	for i, k := range o.Shuffle(240) {
		prefix := []string{"192.0.2", "198.51.100", "203.0.113"}[k%3]
		peer := o.External(fmt.Sprintf("%s.%d", prefix, 10+k), netsim.Linux, time.Millisecond)
		port := uint16(23)
		if k%10 == 0 {
			port = 2323
		}
		o.MiraiSYN(at.Add(time.Duration(i)*250*time.Millisecond), s.nvr, peer, port)
	}
	s.shell.Conn().WaitUntil(at.Add(90 * time.Second)).Close()
	s.attack(s.shell.Conn().Now(), "198.51.100.77 leaves the Telnet session")
}
