// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

const (
	farProxy  = "198.51.100.7:1080"
	nearProxy = "10.20.1.80:9050"
)

// speak opens a session and recognizes its application.
func (s *stage) speak(from, to, app string) {
	s.event(detect.SessionFact, s.connect(from, to), &dissect.AppID{Name: app})
}

func TestTunnelPage(t *testing.T) {
	checkPage(t, "D12", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			s.speak(silent, farProxy, "socks")
			s.wait(minute)
		}
		return s
	})
}

func TestTunnel(t *testing.T) {
	const host = "10.20.50.21"
	as := func(role device.Role, level device.Level) func(*stage) {
		return func(s *stage) {
			s.open(17, host, "10.20.1.53:53")
			d := s.c.Devices.ByIP(netip.MustParseAddr(host))
			d.Role, d.Level = role, level
		}
	}
	camera := as(device.Camera, device.Identified)
	for _, c := range []struct {
		name     string
		before   func(*stage)
		from, to string
		app      string
		want     []string
	}{
		{"silent device, external proxy", nil, silent, farProxy, "socks", []string{"critical 198.51.100.7:1080/tcp 1"}},
		{"silent device, internal proxy", nil, silent, nearProxy, "socks", []string{"high 10.20.1.80:9050/tcp 1"}},
		{"camera, external proxy", camera, host, farProxy, "socks", []string{"high 198.51.100.7:1080/tcp 1"}},
		{"camera, internal proxy", camera, host, nearProxy, "socks", []string{"medium 10.20.1.80:9050/tcp 1"}},
		{"probable camera", as(device.Camera, device.Probable), host, farProxy, "socks", []string{"medium 198.51.100.7:1080/tcp 1"}},
		{"any host, external proxy", nil, host, farProxy, "socks", []string{"medium 198.51.100.7:1080/tcp 1"}},
		{"any host, internal proxy", nil, host, nearProxy, "socks", []string{"low 10.20.1.80:9050/tcp 1"}},
		{"the device is the proxy", nil, foreign, silent + ":1080", "socks", nil},
		{"another protocol on the port", nil, silent, farProxy, "http", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			if c.before != nil {
				c.before(s)
			}
			s.speak(c.from, c.to, c.app)
			s.want(t, "D12", c.want...)
		})
	}
}

// TestTunnelSeverityByContract has a device with each expectation use an external proxy.
func TestTunnelSeverityByContract(t *testing.T) {
	for x, want := range map[contract.Expect]string{contract.Normal: "medium", contract.Allowlist: "critical", contract.ServerOnly: "critical", contract.Silent: "critical"} {
		e := legacy()
		e.Expect, e.HasExpect = x, true
		s := newStage(t, e)
		s.speak(silent, farProxy, "socks")
		s.want(t, "D12", want+" 198.51.100.7:1080/tcp 1")
	}
}

// TestTorRelay has a device talk TLS to a relay, and to servers that resemble one.
func TestTorRelay(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(0, begin).AddDate(0, 0, n) }
	relay := dissect.TLSCertificate{Subject: "CN=www.b3tzq7nhvw5m.net", Issuer: "CN=www.kc6sy2prdh.com", NotBefore: day(-10), NotAfter: day(100)}
	camera, own := relay, relay
	camera.Subject, camera.Issuer = "CN=www.ipcamera.com,O=IPC", "CN=www.ipcamera.com,O=IPC"
	own.Issuer, own.SelfSigned = own.Subject, true
	for _, c := range []struct {
		name, sni string
		cert      dissect.TLSCertificate
		want      []string
	}{
		{"a relay", "www.7gkq2mv4xzt.com", relay, []string{"critical 198.51.100.7:443/tcp 1"}},
		{"a name with meaning", "relay-7.example.com", relay, nil},
		{"a camera", "www.7gkq2mv4xzt.com", camera, nil},
		{"certified by itself", "www.7gkq2mv4xzt.com", own, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			v := s.connect(silent, "198.51.100.7:443")
			var app *fingerprint.App
			e := &detect.Event{Kind: detect.SessionFact, Time: s.c.Now, Session: v, Fact: &c.cert, FactDir: session.In, App: app.With(&dissect.TLSClientHello{SNI: c.sni}).With(&c.cert)}
			e.Initiator, e.Responder = s.c.Devices.Session(device.FactRead, v, e.App, s.c.Now)
			e.Opening = s.c.Devices.Opening(v)
			s.c.Begin()
			detect.NewWatch(s.dets).Observe(e, &s.c)
			s.want(t, "D12", c.want...)
		})
	}
}

func TestTunnelAllowedByInventory(t *testing.T) {
	e := legacy()
	e.Allow = []contract.Rule{{Text: "proxy", Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("198.51.100.7/32")}, Ports: [][2]uint16{{1080, 1080}}}}
	s := newStage(t, e)
	s.speak(silent, farProxy, "socks")
	s.want(t, "D12")
}

// TestTunnelCountsSessions checks that many sessions with one proxy are one alert, revised a few times.
func TestTunnelCountsSessions(t *testing.T) {
	s := newStage(t, legacy())
	for range 100 {
		s.speak(silent, farProxy, "socks")
		s.wait(minute)
	}
	s.want(t, "D12", "critical 198.51.100.7:1080/tcp 64")
	revisions := 0
	for _, a := range s.got {
		if a.Rule.ID == "D12" {
			revisions++
		}
	}
	if revisions > 8 {
		t.Errorf("%d revisions of one alert", revisions)
	}
}

// withTunnelParams returns a stage with D12 alone.
func withTunnelParams(t *testing.T, p detect.TunnelParams) *stage {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D12" },
		Params:  func(_ string, into any) error { *into.(*detect.TunnelParams) = p; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, legacy())
	s.dets = dets
	return s
}

func TestTunnelExternalOnly(t *testing.T) {
	s := withTunnelParams(t, detect.TunnelParams{ExternalOnly: true, MaxProxies: 10})
	s.speak(silent, nearProxy, "socks")
	s.speak(silent, farProxy, "socks")
	s.want(t, "D12", "critical 198.51.100.7:1080/tcp 1")
}

// TestTunnelIsBounded floods the table of proxies.
func TestTunnelIsBounded(t *testing.T) {
	s := withTunnelParams(t, detect.TunnelParams{MaxProxies: 10})
	for i := range 100 {
		s.speak(silent, fmt.Sprintf("198.51.100.%d:1080", 1+i), "socks")
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
}
