// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// live adds nine days of ordinary traffic: every kind of a real week, a few of each a day.
func (s *story) live() {
	o := s.office
	for d := range days {
		s.chatter(d)
		o.streams(d)
		o.discovery(d)
		o.polls(d)
		o.nightlyBackup(d)
		if wd := day(d, 0, 0, 0).Weekday(); wd != time.Saturday && wd != time.Sunday {
			o.workingDay(d)
		}
	}
	s.rebootOne()
	o.lastNight()
	s.tellLife()
}

func (s *story) tellLife() {
	o, r := s.office, s.office.recorder.host.Name
	s.benign(day(0, 0, 12, 0), "each station renews its DHCP lease once a day, asks 10.20.1.53 for ntp.example.net, and 10.20.1.123 for the time three times a day; srv-legacy-07 does nothing else by itself")
	s.benign(day(0, 0, 30, 0), "%s opens RTSP with Digest to one of the %d cameras every 20 minutes until all are done, every day", r, len(o.cams))
	s.benign(day(0, 2, 0, 0), "srv-files sends its nightly backup to srv-backup by rsync")
	s.benign(day(0, 3, 30, 0), "monitor pings the servers, connects to port 22, reads the banner and closes, every eight hours")
	s.benign(day(0, 7, 0, 0), "%s searches for cameras (SADP, DHIP); the cameras answer to the group; Axis cameras announce themselves by mDNS", r)
	s.benign(day(0, 9, 10, 0), "on working days ws-operator looks at %s in the morning and the afternoon (HTTP Digest, then RTSP); ws-clerk reads www.example.com over TLS", r)
	s.benign(day(0, 11, 0, 0), "srv-files fetches updates from updates.example.net on working days")
	s.quiet = append(s.quiet,
		"DHCP, DNS and NTP of srv-legacy-07: pinned servers, within budget",
		fmt.Sprintf("the sessions of %s to the cameras, the backup, the monitoring, the operator in working hours", r),
		"the reboot of a camera on the third day")
}

// lastNight adds some traffic at the end, so that sessions without an end can expire.
func (o *office) lastNight() {
	for i, dev := range o.devices {
		if dev != o.router && dev != o.dns && dev != o.ntp {
			o.NTP(day(days, 0, 10, 0).Add(time.Duration(i)*7*time.Minute), dev.host, o.ntp.host)
		}
	}
}

// meet adds the ARP exchange before a session. For an external host the router sends the request.
func (o *office) meet(at time.Time, a, b *netsim.Host) {
	at = at.Add(-3 * time.Millisecond)
	switch {
	case a.External:
		o.ARP(at, o.router.host, b)
	case b.External:
		o.ARP(at, a, o.router.host)
	default:
		o.ARP(at, a, b)
	}
}

// chatter adds the periodic traffic of every station: DHCP, DNS, NTP.
func (s *story) chatter(d int) {
	o := s.office
	for i, dev := range o.devices {
		if dev == o.router || dev == o.dns || dev == o.ntp {
			continue
		}
		at := day(d, 0, 12, 0).Add(time.Duration(i)*7*time.Minute + o.Between(0, time.Minute))
		if dev.lease.Hostname != "" {
			l := dev.lease
			l.Seconds = 172800
			o.DHCPRenew(at, dev.host, o.router.host, l)
		}
		at = at.Add(o.Between(time.Minute, 2*time.Minute))
		o.meet(at, dev.host, o.dns.host)
		o.Lookup(at, dev.host, o.dns.host, "ntp.example.net", "10.20.1.123")
		for k := range 3 {
			o.NTP(at.Add(time.Duration(k)*8*time.Hour+o.Between(20*time.Millisecond, 9*time.Second)), dev.host, o.ntp.host)
		}
	}
}

// streams opens one RTSP session to each camera, 20 minutes apart, like a recorder that spreads its nightly renewals.
func (o *office) streams(d int) {
	for i, c := range o.cams {
		at := day(d, 0, 30, 0).Add(time.Duration(i)*20*time.Minute + o.Between(0, 40*time.Second))
		o.meet(at, o.recorder.host, c.host)
		o.RTSP(at, o.recorder.host, c.host, netsim.Stream{Path: c.brand.streamURI, Agent: "NVR-Recorder/4.61", Server: c.brand.rtspServer, Realm: c.brand.realm,
			User: "recorder", Password: o.password, Packets: 2, PacketBytes: 140, Every: 5 * time.Second, KeepAlive: d%4 == 0})
	}
}

func (o *office) discovery(d int) {
	at := day(d, 7, 0, 0).Add(o.Between(0, 50*time.Second))
	o.SADPProbe(at, o.recorder.host)
	o.DHIPProbe(at.Add(time.Second), o.recorder.host)
	for i, c := range o.cams {
		t := at.Add(1200*time.Millisecond + time.Duration(i)*31*time.Millisecond)
		switch {
		case c.brand.hik():
			o.SADPMatch(t, c.host, c.info)
		case c.brand.dahua():
			o.DHIPNotify(t, c.host, c.info)
		default:
			o.axisAnnounce(t, c)
		}
	}
	if o.nvr != nil {
		firmware := "V4.61.025build 250710"
		if o.oldFirmware {
			firmware = "V3.4.103build 190917"
		}
		o.SADPMatch(at.Add(2*time.Second), o.nvr.host, netsim.Camera{Model: "DS-7616NI-K2", Serial: "DS-7616NI-K21620250100417", Firmware: firmware, Channels: 16, Boot: "2026-01-11 10:02:44"})
	}
}

func (o *office) axisAnnounce(at time.Time, c *camera) {
	serial := fmt.Sprintf("ACCC8E0001%02X", c.host.MAC[5])
	o.MDNSAnnounce(at, c.host, "_axis-video._tcp.local", "AXIS "+c.brand.model+" - "+serial, "axis-"+serial+".local", 80, "macaddress="+serial)
}

// polls adds the monitoring of the servers.
func (o *office) polls(d int) {
	for _, h := range []int{3, 11, 19} {
		for i, dev := range []*device{o.legacy, o.files, o.backup} {
			at := day(d, h, 30, 20*i).Add(o.Between(0, 4*time.Second))
			o.meet(at, o.monitor.host, dev.host)
			o.Ping(at, o.monitor.host, dev.host, 1, true)
			banner := netsim.OpenSSHServer().Banner
			if dev == o.legacy && o.oldFirmware {
				banner = netsim.OldOpenSSHServer().Banner
			}
			o.Dial(at.Add(time.Second), o.monitor.host, dev.host, 22).Reply([]byte(banner + "\r\n")).Close()
		}
	}
}

func (o *office) nightlyBackup(d int) {
	at := day(d, 2, 0, 0).Add(o.Between(0, 30*time.Second))
	o.meet(at, o.files.host, o.backup.host)
	c := o.Dial(at, o.files.host, o.backup.host, 873)
	c.Reply([]byte("@RSYNCD: 31.0\n")).Send([]byte("@RSYNCD: 31.0\nfiles\n")).Reply([]byte("@RSYNCD: OK\n"))
	c.Snap(66).Bulk(netsim.Client, 50_000, time.Second, 8).Snap(0).Close()
}

func (o *office) workingDay(d int) {
	for _, h := range []int{9, 14} {
		o.view(day(d, h, 10, 0).Add(o.Between(0, 20*time.Minute)))
	}
	at := day(d, 10, 20, 0).Add(o.Between(0, 3*time.Hour))
	o.browse(at, o.clerk.host, o.web, "www.example.com", true)
	o.browse(day(d, 11, 0, 0).Add(o.Between(0, 2*time.Minute)), o.files.host, o.updates, "updates.example.net", false)
}

// view adds the guard's sessions to the recorder.
func (o *office) view(at time.Time) {
	w, r := o.operator.host, o.recorder.host
	o.meet(at, w, r)
	c := o.Dial(at, w, r, 80)
	uri, realm, server := "/ISAPI/System/status", "DS-7616NI-K2", "App-webs/"
	if o.recorder == o.vms {
		uri, realm, server = "/vms/api/status", "VMS Server", "VMS-Web/2.9"
	}
	c.HTTPDigest(netsim.Request{Method: "GET", URI: uri, Agent: "StationView/3.2"}, realm, "guard", o.password,
		netsim.Response{Status: 200, Server: server, ContentType: "application/xml", Body: "<DeviceStatus><deviceUpTime>88121</deviceUpTime></DeviceStatus>"})
	end := c.Close()
	o.RTSP(end.Add(time.Second), w, r, netsim.Stream{Path: "/Streaming/channels/102", Agent: "StationView/3.2", Realm: realm,
		User: "guard", Password: o.password, Packets: 2, Every: 3 * time.Second})
}

// browse adds a DNS lookup and a TLS session.
func (o *office) browse(at time.Time, who, site *netsim.Host, name string, browser bool) {
	o.meet(at, who, o.dns.host)
	end := o.Lookup(at, who, o.dns.host, name, site.IP.String())
	end = end.Add(5 * time.Millisecond)
	tc := netsim.TLSClient{SNI: name, Grease: browser}
	if browser {
		tc.ALPN = []string{"h2", "http/1.1"}
	}
	c := o.DialTLS(end, who, site, 443, tc, netsim.TLSServer{Version: 0x0304})
	c.Records(netsim.Client, 400)
	if o.IntN(4) == 0 {
		c.Resend() // a frame that was lost after the sensor
	}
	c.Wait(30*time.Millisecond).Records(netsim.Server, 2600).Close()
}

// rebootOne lets a camera boot on the third day: a burst of DHCP, ARP, DNS and NTP that must not raise an alert.
func (s *story) rebootOne() {
	o := s.office
	c := o.cams[1]
	at := day(2, 16, 5, 12)
	s.benign(at, "%s loses power and boots: DHCP discover, ARP, DNS, NTP, announcement", c.host.Name)
	end := o.DHCPBoot(at, c.host, o.router.host, c.lease)
	o.ARPRequest(end.Add(200*time.Millisecond), c.host, c.host.IP)
	o.meet(end.Add(time.Second), c.host, o.dns.host)
	end = o.Lookup(end.Add(time.Second), c.host, o.dns.host, "ntp.example.net", "10.20.1.123")
	o.NTP(end.Add(time.Second), c.host, o.ntp.host)
	if c.brand.axis() {
		o.axisAnnounce(end.Add(3*time.Second), c)
	}
}
