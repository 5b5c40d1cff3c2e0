// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

const browserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"

// answers has the recorder open a session that the camera answers with a TTL. The camera is known as role.
func (s *stage) answers(role device.Role, ttl uint8, port string, f dissect.Fact) {
	v := *s.open(6, recorder, camera+port)
	v.State, v.Packets[1], v.Responder.TTL = session.Established, 1, ttl
	s.event(detect.SessionState, &v, nil)
	d := s.c.Devices.ByIP(netip.MustParseAddr(camera))
	if s.event(detect.SessionState, &v, nil); role != device.Unknown {
		d.Role, d.Level = role, device.Identified
		s.event(detect.SessionState, &v, nil)
	}
	if f != nil {
		s.event(detect.SessionFact, &v, f)
	}
}

// asks has the camera open a session in which it says f.
func (s *stage) asks(f dissect.Fact) {
	s.event(detect.SessionFact, s.connect(camera, "198.51.100.9:80"), f)
}

func TestDeviceOfAnotherClass(t *testing.T) {
	rdp, browser := &dissect.AppID{Name: "rdp"}, &dissect.HTTPExchange{Method: "GET", URI: "/", UserAgent: browserAgent}
	known := func(s *stage) { s.answers(device.Camera, 64, ":554", nil); s.hours(3) }
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"another TCP and RDP", func(s *stage) { known(s); s.answers(0, 128, ":3389", rdp) }, []string{"medium class 1"}},
		{"RDP and a browser", func(s *stage) { known(s); s.answers(0, 64, ":3389", rdp); s.asks(browser) }, []string{"medium class 1"}},
		{"all three", func(s *stage) {
			known(s)
			s.answers(0, 128, ":554", nil)
			s.hours(1)
			s.answers(0, 128, ":3389", rdp)
			s.asks(browser)
		}, []string{"high class 2"}},
		{"many sessions are one alert", func(s *stage) {
			known(s)
			for range 20 {
				s.answers(0, 128, ":3389", rdp)
				s.hours(1)
			}
		}, []string{"medium class 1"}},
		{"another firmware", func(s *stage) { known(s); s.answers(0, 128, ":554", nil); s.hours(30); s.answers(0, 128, ":80", nil) }, nil},
		{"RDP alone", func(s *stage) { known(s); s.answers(0, 64, ":3389", rdp) }, nil},
		{"days apart", func(s *stage) { known(s); s.answers(0, 64, ":3389", rdp); s.hours(50); s.asks(browser) }, nil},
		{"a recorder on Windows from the beginning", func(s *stage) {
			s.answers(device.NVR, 128, ":554", nil)
			s.answers(0, 128, ":3389", rdp)
			s.asks(browser)
			s.hours(3)
			s.answers(0, 128, ":3389", rdp)
			s.asks(browser)
		}, nil},
		{"a workstation", func(s *stage) {
			s.answers(device.Workstation, 64, ":80", nil)
			s.hours(3)
			s.answers(0, 128, ":3389", rdp)
		}, nil},
		{"its vendor's program", func(s *stage) {
			known(s)
			s.answers(0, 64, ":3389", rdp)
			s.asks(&dissect.HTTPExchange{Method: "GET", URI: "/", UserAgent: "curl/7.64.0"})
		}, nil},
		{"SMB of a printer", func(s *stage) {
			s.answers(device.Printer, 64, ":9100", nil)
			s.hours(3)
			s.answers(0, 255, ":445", &dissect.AppID{Name: "smb"})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t)
			c.do(s)
			s.want(t, "D36", c.want...)
		})
	}
}

// A hello counts by its shape.
func TestBrowserHello(t *testing.T) {
	for ja4, want := range map[string][]string{"t13d1516h2_8daaf6152771_02713d6af862": {"medium class 1"}, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6": nil, "t12d1516h2_8daaf6152771_02713d6af862": nil} {
		s := newStage(t)
		s.answers(device.Camera, 64, ":554", nil)
		s.hours(3)
		s.answers(0, 64, ":3389", &dissect.AppID{Name: "rdp"})
		v := s.connect(camera, "198.51.100.9:443")
		e := &detect.Event{Kind: detect.SessionFact, Time: s.c.Now, Session: v, Fact: &dissect.TLSClientHello{}, App: &fingerprint.App{Name: "tls", Hello: &fingerprint.Hello{JA4: ja4}}}
		e.Initiator = s.c.Devices.ByIP(netip.MustParseAddr(camera))
		s.c.Begin()
		detect.NewWatch(s.dets).Observe(e, &s.c)
		s.want(t, "D36", want...)
	}
}
