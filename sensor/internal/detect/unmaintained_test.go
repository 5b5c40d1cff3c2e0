// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
)

const (
	oldCamera = "10.20.30.41"
	operator  = "10.20.40.5"
)

// tell has a device answer over a connection with what it is.
func (s *stage) tell(from, to string, f dissect.Fact) {
	v := s.connect(from, to)
	if x, ok := f.(*dissect.DeviceInfo); ok { // as the registry takes it from the fact
		d := s.c.Devices.ByIP(v.Responder.Addr.Netip())
		d.Vendor, d.Model, d.Firmware, d.FirmwareDate = x.Vendor, x.Model, x.Firmware, x.FirmwareDate
	}
	s.event(detect.SessionFact, v, f)
}

// hikvision is what a Hikvision camera says of itself.
func hikvision(model, firmware, built string) *dissect.DeviceInfo {
	return &dissect.DeviceInfo{Protocol: "isapi", Vendor: "Hikvision", Model: model, Class: "IPCamera", Firmware: firmware, FirmwareDate: built}
}

func TestUnmaintainedPage(t *testing.T) {
	checkPage(t, "D33", func(t *testing.T) *stage {
		s := newStage(t)
		s.tell(operator, oldCamera+":80", hikvision("DS-2CD2143G0-I", "V5.5.82", "2019-09-09"))
		s.wait(minute)
		s.tell(operator, oldCamera+":22", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-dropbear_2012.55"})
		return s
	})
}

func TestUnmaintained(t *testing.T) {
	const at = ":80"
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name string
		fact dissect.Fact
		want string // severity; "" for no alert, of one flaw unless it says so
		code string
	}{
		{"firmware of 6 years", hikvision("DS-7608NI-K2", "V4.1", "2019-09-09"), "medium", "firmware_age"},
		{"firmware of 4 years", hikvision("DS-7608NI-K2", "V4.1", "2022-02-01"), "medium", "firmware_age"},
		{"date in the version", hikvision("IPC-HFW2431S", "2.622.0000.18.R,2019-12-15", ""), "medium", "firmware_age"},
		{"firmware of 2 years", hikvision("DS-7608NI-K2", "V4.1", "2024-02-01"), "", ""},
		{"firmware of the future", hikvision("DS-7608NI-K2", "V4.1", "2030-02-01"), "", ""},
		{"no date", hikvision("DS-2CD2143G0-I", "V5.5.82", ""), "", ""},
		{"Apache without support", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.2.15"}, "medium", "end_of_support"},
		{"Apache of a distribution without support", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.4.18 (Ubuntu)"}, "medium", "end_of_support"},
		{"Apache of a distribution with support", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.4.52 (Ubuntu)"}, "", ""},
		{"current Apache", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.4.62"}, "", ""},
		{"exploited Apache", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.4.49"}, "medium 2", "exploited"},
		{"a later exchange", &dissect.HTTPExchange{Index: 1, Status: 200, Server: "Apache/2.2.15"}, "", ""},
		{"old OpenSSH", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_7.4"}, "low", "old_program"},
		{"newer OpenSSH", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_9.8"}, "", ""},
		{"old Dropbear", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-dropbear_2012.55"}, "medium", "old_program"},
		{"an old client", &dissect.SSHBanner{Line: "SSH-2.0-OpenSSH_5.3"}, "", ""},
		{"SSH 1", &dissect.SSHBanner{Server: true, Line: "SSH-1.5-Cisco-1.25"}, "medium", "ssh1"},
		{"SSH 1 and 2", &dissect.SSHBanner{Server: true, Line: "SSH-1.99-Cisco-1.25"}, "low", "ssh1"},
		{"expired certificate", &dissect.TLSCertificate{Subject: "CN=a", NotBefore: year(2012), NotAfter: year(2022)}, "low", "certificate"},
		{"certificate that expired yesterday", &dissect.TLSCertificate{Subject: "CN=a", NotAfter: time.Unix(0, begin-24*hour)}, "", ""},
		{"certificate without a date", &dissect.TLSCertificate{Subject: "CN=a"}, "", ""},
		{"SMB 1 only", &dissect.DeviceInfo{Protocol: "smb", Class: "SMB1_only"}, "medium", "smb1"},
		{"SMB 1 for an old client", &dissect.DeviceInfo{Protocol: "smb", Class: "SMB1"}, "low", "smb1"},
		{"SMB 3", &dissect.DeviceInfo{Protocol: "smb", Class: "SMB3"}, "", ""},
		{"long uptime", &dissect.DeviceInfo{Protocol: "dhip", Booted: year(2024)}, "low", "uptime"},
		{"boot time of a clock that was never set", &dissect.DeviceInfo{Protocol: "dhip", Booted: year(1970)}, "", ""},
		{"short uptime", &dissect.DeviceInfo{Protocol: "dhip", Booted: year(2026)}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			s.tell(operator, oldCamera+at, c.fact)
			if c.want == "" {
				s.want(t, "D33")
				return
			}
			severity, count, found := strings.Cut(c.want, " ")
			if !found {
				count = "1"
			}
			s.want(t, "D33", severity+" unmaintained "+count)
			for _, a := range s.got {
				if a.Rule.ID == "D33" && a.Reasons[0].Code != c.code {
					t.Errorf("reason %q, want %q", a.Reasons[0].Code, c.code)
				}
			}
		})
	}
}

// A device that the Internet reaches is worse off.
func TestUnmaintainedAndExposed(t *testing.T) {
	s := newStage(t)
	s.connect(foreign, oldCamera+":8000")
	s.tell(operator, oldCamera+":80", hikvision("DS-7608NI-K2", "V4.1", "2019-09-09"))
	s.want(t, "D33", "high unmaintained 1")
}

// A device on the Internet is not ours.
func TestUnmaintainedOutside(t *testing.T) {
	s := newStage(t)
	s.tell(operator, "198.51.100.7:80", &dissect.HTTPExchange{Status: 200, Server: "Apache/2.2.15"})
	s.want(t, "D33")
}

// Only a client that offers TLS 1.2 shows that a server has none.
func TestUnmaintainedTLS(t *testing.T) {
	for ja4, want := range map[string]string{"t12d1516h2_8daaf6152771_02713d6af862": "low unmaintained 1", "t10d1516h2_8daaf6152771_02713d6af862": ""} {
		s := newStage(t)
		v := s.connect(operator, oldCamera+":443")
		f := &dissect.TLSServerHello{Version: 0x0301}
		e := &detect.Event{Kind: detect.SessionFact, Time: s.c.Now, Session: v, Fact: f, FactDir: 1, App: &fingerprint.App{Name: "tls", Hello: &fingerprint.Hello{JA4: ja4}}}
		e.Initiator, e.Responder = s.c.Devices.ByIP(netip.MustParseAddr(operator)), s.c.Devices.ByIP(netip.MustParseAddr(oldCamera))
		s.c.Begin()
		detect.NewWatch(s.dets).Observe(e, &s.c)
		if want == "" {
			s.want(t, "D33")
		} else {
			s.want(t, "D33", want)
		}
	}
}

// Everything of one device is one alert a month, the worst first in its title.
func TestUnmaintainedIsOneAlertAMonth(t *testing.T) {
	s := newStage(t)
	for range 50 {
		s.tell(operator, oldCamera+":22", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_7.4"})
		s.tell(operator, oldCamera+":80", hikvision("DS-2CD2143G0-I", "V5.5.82", "2019-09-09"))
		s.wait(hour)
	}
	s.want(t, "D33", "medium unmaintained 3")
	last := s.got[0]
	for _, a := range s.got {
		if a.Rule.ID == "D33" {
			last = a
		}
	}
	if !strings.Contains(last.Title, "CVE-2021-36260 is exploited in the wild") || !strings.Contains(last.Message, "its firmware V5.5.82 was built on 2019-09-09") || !strings.Contains(last.Message, "OpenSSH 7.4") {
		t.Errorf("%q %q", last.Title, last.Message)
	}
	s.wait(31 * 24 * hour)
	s.tell(operator, oldCamera+":22", &dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_7.4"})
	s.want(t, "D33", "medium unmaintained 3", "low unmaintained 1")
}

// TestUnmaintainedIsBounded floods the table of devices, and one device with greetings.
func TestUnmaintainedIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D33" },
		Params:  func(_ string, into any) error { into.(*detect.UnmaintainedParams).MaxDevices = 10; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.dets = dets
	for i := range 100 {
		s.tell(operator, fmt.Sprintf("10.20.30.%d:22", 1+i), &dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_7.4"})
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
	s = newStage(t)
	for i := range 100 {
		s.tell(operator, oldCamera+":80", &dissect.HTTPExchange{Status: 200, Server: fmt.Sprintf("Apache/2.2.%d", i)})
	}
	s.want(t, "D33", "medium unmaintained 12")
}

// What a switch announces on the link counts as what it says in a session.
func TestUnmaintainedByAnnouncement(t *testing.T) {
	for firmware, want := range map[string]string{"17.3.4a": "medium unmaintained 1", "17.18.1": "", "12.2(25)SEE2": ""} {
		s := newStage(t)
		m := &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Protocol: "cdp", Model: "cisco C9300-48P", Firmware: firmware}, EtherSrc: [6]byte{0, 0x1b, 0x54, 0, 0, 9}}
		e := &detect.Event{Kind: detect.LinkFact, Time: s.c.Now, Fact: m}
		e.Initiator = s.c.Devices.Link(m, s.c.Now)
		e.Initiator.Vendor, e.Initiator.Model, e.Initiator.Firmware = "Cisco", "C9300-48P", firmware
		s.c.Begin()
		detect.NewWatch(s.dets).Observe(e, &s.c)
		if want == "" {
			s.want(t, "D33")
		} else {
			s.want(t, "D33", want)
		}
	}
}

// The time stamps of TCP show when a device started only if they are the same clock for all peers.
func TestUnmaintainedByTimeStamps(t *testing.T) {
	const year = 365 * 24 * 3600
	up := uint32(400 * 24 * 3600)
	for _, c := range []struct {
		name  string
		stamp func(i int, at uint32) uint32 // of session i, at seconds after the first
		peers int
		want  string
	}{
		{"100 Hz for 400 days", func(_ int, at uint32) uint32 { return (up + at) * 100 }, 2, "low unmaintained 1"},
		{"10 Hz for 400 days", func(_ int, at uint32) uint32 { return (up + at) * 10 }, 2, "low unmaintained 1"},
		{"100 Hz for 300 days", func(_ int, at uint32) uint32 { return (year - 65*24*3600 + at) * 100 }, 2, ""},
		{"1000 Hz", func(_ int, at uint32) uint32 { return 4_000_000_000 + at*1000 }, 2, ""},
		{"one peer", func(_ int, at uint32) uint32 { return (up + at) * 100 }, 1, ""},
		{"a random number for each peer", func(i int, at uint32) uint32 { return (up+at)*100 + uint32(i%2)*123_456_789 }, 2, ""},
		{"a random number for each session", func(i int, at uint32) uint32 { return (up+at)*100 + uint32(i)*123_456_789 }, 2, ""},
		{"no time stamps", func(int, uint32) uint32 { return 0 }, 2, ""},
		{"Linux right after its start", func(_ int, at uint32) uint32 { return 1<<32 - 30_000 + at/100 }, 2, ""},
		{"a restart between", func(i int, at uint32) uint32 {
			if i < 3 {
				return (up + at) * 100
			}
			return at
		}, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			from := s.c.Now
			for i := range 6 {
				v := s.view(6, oldCamera, fmt.Sprintf("10.20.40.%d:443", 5+i%c.peers))
				e := &detect.Event{Kind: detect.SessionOpened, Time: s.c.Now, Session: v, Stack: &fingerprint.Stack{}, Stamp: c.stamp(i, uint32((s.c.Now-from)/second))}
				e.Initiator, e.Responder = s.c.Devices.Session(device.Opened, v, nil, s.c.Now)
				s.c.Begin()
				detect.NewWatch(s.dets).Observe(e, &s.c)
				s.wait(11 * minute)
			}
			if c.want == "" {
				s.want(t, "D33")
			} else {
				s.want(t, "D33", c.want)
			}
		})
	}
}
