// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"stillwatch/internal/testlab/netsim"
)

func storyS5(seed uint64) *story {
	o := newOffice(seed, plan{cameras: []int{1, 2, 3, 4, 5, 6}, oldFirmware: true})
	s := &story{office: o, title: "the periodic check", summary: "Nothing attacks. A check of the equipment must still tell what is neglected: firmware of 2019, ports that the outside reaches, " +
		"passwords in clear text, and a server that has done nothing for the whole time."}
	s.live()
	s.oldSoftware()
	s.exposed()
	s.cleartext()
	s.expect("report (D43)", "srv-legacy-07", day(8, 19, 30, 0), "idle for the whole capture: owner, exposed ports (none from outside), OpenSSH 7.4, the question whether to take it away")
	s.quiet = append(s.quiet, "no device logs in from outside, none opens anything new: no D01, D02, D08, D09, D11, D13, and no incident of D42 above 0.6")
	return s
}

// oldSoftware notes what the background traffic already shows.
func (s *story) oldSoftware() {
	at := day(0, 7, 0, 0)
	s.benign(at, "cameras announce firmware of December 2019 (Hikvision by SADP, Dahua by DHIP), the recorder of September 2019")
	for _, c := range s.office.cams {
		if !c.brand.axis() {
			s.expect("D33 (medium)", c.host.Name, at, "firmware "+c.info.Firmware+" is over five years old")
		}
	}
	s.expect("D33 (medium)", "nvr", at, "firmware V3.4.103build 190917 is over five years old")
	s.expect("D33 (low)", "srv-legacy-07", day(0, 3, 30, 0), "its banner says OpenSSH 7.4, of December 2016, if the release table knows it")
}

// exposed adds a monitoring service that the owner has hired: it connects and queries, and never logs in.
func (s *story) exposed() {
	o, cam := s.office, s.office.cams[2]
	probe := o.External("192.0.2.50", netsim.Linux, 35*time.Millisecond)
	at := day(1, 8, 0, 0)
	s.benign(at, "192.0.2.50, a monitoring service outside, connects to ports 80 and 554 of %s every second day and is refused without credentials", cam.host.Name)
	s.expect("D07 (exposure)", cam.host.Name, at, "a handshake from outside on port 80, and ten seconds later on 554, is completed; one finding a port, not one a visit")
	for d := 1; d < days; d += 2 {
		t := day(d, 8, 0, 0).Add(o.Between(0, 30*time.Second))
		if d == 1 {
			t = at
		}
		o.meet(t, probe, cam.host)
		o.Dial(t, probe, cam.host, 80).HTTP(netsim.Request{Method: "GET", URI: "/", Agent: "uptime-check/1.4"},
			netsim.Unauthorized("Digest", cam.brand.realm, o.Nonce(), cam.brand.httpServer)).Close()
		c := o.Dial(t.Add(10*time.Second), probe, cam.host, 554)
		c.Send([]byte("OPTIONS rtsp://" + cam.host.IP.String() + ":554/ RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: uptime-check/1.4\r\n\r\n"))
		c.Reply([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n")).Close()
	}
}

// cleartext adds a guard who uses cleartext logins: Basic on a camera's page, FTP on the file server.
func (s *story) cleartext() {
	o, cam := s.office, s.office.cams[3]
	at := day(3, 15, 12, 0)
	s.benign(at, "ws-operator opens the page of %s with Basic over plain HTTP, and logs in to srv-files by FTP; neither pair is a default one, and the inventory allows both", cam.host.Name)
	s.expect("D26", cam.host.Name, at, "Basic over plain HTTP")
	s.expect("D26", "srv-files", at.Add(2*time.Minute), "FTP login in clear text")
	w := o.operator.host
	cam.allow = append(cam.allow, allow{"in", w.IP.String(), "tcp", 80})
	o.files.allow = append(o.files.allow, allow{"in", w.IP.String(), "tcp", 21})
	o.meet(at, w, cam.host)
	o.Dial(at, w, cam.host, 80).HTTP(netsim.Request{Method: "GET", URI: "/", Agent: browserAgent, Auth: netsim.Basic("guard", o.password)},
		netsim.Response{Status: 200, Server: cam.brand.httpServer, Body: "<html><title>WEB SERVICE</title></html>"}).Close()
	at = at.Add(2 * time.Minute)
	o.meet(at, w, o.files.host)
	c := o.FTP(at, w, o.files.host, "(vsFTPd 3.0.5)", netsim.Pair{User: "guard", Password: "Tall-Pine-3"}, true)
	c.Wait(4 * time.Second).Send([]byte("PWD\r\n")).Reply([]byte("257 \"/home/guard\" is the current directory\r\n")).Send([]byte("QUIT\r\n")).Reply([]byte("221 Goodbye.\r\n")).CloseBy(netsim.Server)
}
