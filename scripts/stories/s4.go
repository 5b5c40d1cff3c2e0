// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// s4 is the state of story S4: a camera that still has its default password.
type s4 struct {
	*story
	cam *camera
	far *netsim.Host
}

func storyS4(seed uint64) *story {
	o := newOffice(seed, plan{cameras: []int{1, 2, 12}})
	cam := o.cams[2]
	s := &s4{cam: cam, story: &story{office: o, title: "the camera with the default password", summary: "cam-12 was put up with admin:admin and forgotten. At ten past three in the night somebody outside logs in, " +
		"turns it, watches, and then the camera itself sends video abroad."}}
	s.live()
	s.far = o.External("198.51.100.201", netsim.Windows, 160*time.Millisecond)
	s.login(day(8, 3, 10, 0))
	s.move(day(8, 3, 12, 0))
	s.watch(day(8, 3, 15, 0))
	s.upload(day(8, 3, 20, 0))
	s.expect("D42", "cam-12", day(8, 3, 20, 0), "one incident: D07, D08, D27, D29, D31, D01, D18 in this order, critical")
	return s.story
}

const browserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

func (s *s4) get(uri string) netsim.Request {
	return netsim.Request{Method: "GET", URI: uri, Agent: browserAgent, Auth: netsim.Basic("admin", "admin")}
}

func (s *s4) login(at time.Time) {
	o := s.office
	s.attack(at, "198.51.100.201 opens the web page of cam-12 on port 80 and logs in as admin:admin with Basic")
	s.expect("D07 (exposure)", "cam-12", at, "a handshake from outside on the administration port 80 is completed")
	o.meet(at, s.far, s.cam.host)
	c := o.Dial(at, s.far, s.cam.host, 80)
	open := s.get("/")
	open.Auth = nil
	c.HTTP(open, netsim.Unauthorized("Basic", s.cam.brand.realm, "", s.cam.brand.httpServer)).Wait(3 * time.Second)
	c.HTTP(s.get("/"), netsim.Response{Status: 200, Server: s.cam.brand.httpServer, Body: "<html><title>WEB SERVICE</title></html>"})
	s.expect("D08", "cam-12", c.Now(), "external login success (explicit: confidence 0.97)")
	s.expect("D27", "cam-12", c.Now(), "admin:admin is a default pair, and it was accepted")
	s.expect("D26", "cam-12", c.Now(), "Basic over plain HTTP")
	c.Wait(5*time.Second).HTTP(s.get("/ISAPI/Streaming/channels/101/picture"), netsim.Response{Status: 200, Server: s.cam.brand.httpServer, ContentType: "application/octet-stream", Body: string(o.Bytes(9000))})
	c.Close()
}

func (s *s4) move(at time.Time) {
	o := s.office
	s.attack(at, "198.51.100.201 turns cam-12 six times (ISAPI PTZCtrl, then ONVIF ContinuousMove)")
	s.expect("D29 (PTZ, medium)", "cam-12", at, "movement at 03:12, from outside, without an operator's session")
	for i := range 6 {
		q := netsim.ISAPIMove(40-20*(i%3), 10, netsim.Basic("admin", "admin"))
		if i >= 3 {
			q = netsim.PTZMove(fmt.Sprintf("-0.%d", i), "0.1", netsim.Basic("admin", "admin"))
		}
		q.Agent = browserAgent
		o.Dial(at.Add(time.Duration(i)*25*time.Second), s.far, s.cam.host, 80).
			HTTP(q, netsim.Response{Status: 200, Server: s.cam.brand.httpServer, ContentType: "application/xml", Body: "<ResponseStatus><statusCode>1</statusCode></ResponseStatus>"}).Close()
	}
}

func (s *s4) watch(at time.Time) {
	s.attack(at, "198.51.100.201 plays the stream of cam-12 over RTSP with the same pair, Basic")
	s.expect("D31 (external, high)", "cam-12", at, "a viewer from outside")
	s.office.RTSP(at, s.far, s.cam.host, netsim.Stream{Path: s.cam.brand.streamURI, Agent: "LibVLC/3.0.18", Server: s.cam.brand.rtspServer, Realm: s.cam.brand.realm,
		User: "admin", Password: "admin", Basic: true, Packets: 30, PacketBytes: 500, Every: 500 * time.Millisecond})
}

// upload adds 21.5 MB from the camera over TLS 1.2. The capture has only the headers, so that it stays small; the
// lengths in the headers are complete.
func (s *s4) upload(at time.Time) {
	o, cam := s.office, s.cam.host
	sink := o.External("203.0.113.45", netsim.Linux, 150*time.Millisecond)
	s.attack(at, "cam-12 asks for cam-upload.example.com, connects to 203.0.113.45:443 (TLS 1.2, self-signed certificate) and sends 21.5 MB in six minutes (the capture keeps only the headers of these frames)")
	s.expect("D01 (external, established: high)", "cam-12", at, "the first session of its own to the outside")
	s.expect("D02", "cam-12", at, "no session of its own for more than eight days before")
	s.expect("D18", "cam-12", at.Add(330*time.Second), "more than 20 MB out to one external peer; out/in over 5 with 5 MB comes at a quarter of it already")
	o.meet(at, cam, o.dns.host)
	t := o.Lookup(at, cam, o.dns.host, "cam-upload.example.com", "203.0.113.45")
	o.meet(t.Add(8*time.Millisecond), cam, sink)
	cert := o.Certificate("cam-upload.example.com", day(-20, 9, 0, 0), 365*24*time.Hour)
	c := o.DialTLS(t.Add(8*time.Millisecond), cam, sink, 443, netsim.TLSClient{SNI: "cam-upload.example.com", Ciphers: []uint16{0xc02b, 0xc02f, 0xc013, 0x009c, 0x002f}},
		netsim.TLSServer{Version: 0x0303, Cert: cert})
	c.Records(netsim.Client, 600).Records(netsim.Server, 90)
	c.Snap(54).Bulk(netsim.Client, 21_500_000, 6*time.Minute, 16).Snap(0).Records(netsim.Server, 90).Close()
}
