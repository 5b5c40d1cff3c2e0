// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

const (
	host      = "10.20.50.21"
	publicA   = "192.0.2.10" // two hosts of a public network: neither is a device
	publicB   = "198.51.100.30"
	oddServer = "198.51.100.9:4321"
)

// with sets the role of a device that is known already.
func (s *stage) with(ip string, role device.Role, level device.Level) {
	s.open(17, ip, "10.20.1.53:53")
	d := s.c.Devices.ByIP(netip.MustParseAddr(ip))
	d.Role, d.Level = role, level
}

// many returns addresses in n networks.
func many(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%d.%d.7.9", 60+i, 10+i))
	}
	return all
}

func TestFanoutPage(t *testing.T) {
	checkPage(t, "D45", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for _, to := range many(9) {
			s.connect(silent, to+":4321")
			s.wait(minute)
		}
		return s
	})
}

func TestFanout(t *testing.T) {
	each := func(hosts []string, f func(s *stage, to string)) func(*stage) {
		return func(s *stage) {
			for _, to := range hosts {
				f(s, to)
				s.wait(minute)
			}
		}
	}
	answered := func(from string) func(s *stage, to string) {
		return func(s *stage, to string) { s.connect(from, to+":4321") }
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"eight hosts, a silent device", each(many(8), answered(silent)), []string{"high many 4321/tcp 8"}},
		{"eight hosts, a device of unknown role", each(many(8), answered(host)), []string{"medium many 4321/tcp 8"}},
		{"seven hosts", each(many(7), answered(silent)), nil},
		{"sixteen hosts that do not answer", each(many(16), func(s *stage, to string) { s.attempt(silent, to+":4321") }), []string{"high many 4321/tcp 16"}},
		{"fifteen hosts that do not answer", each(many(15), func(s *stage, to string) { s.attempt(silent, to+":4321") }), nil},
		{"few networks", each([]string{"60.1.0.1", "60.1.0.2", "60.1.0.3", "60.1.0.4", "61.1.0.1", "61.1.0.2", "62.1.0.1", "63.1.0.1", "63.1.0.2"}, answered(silent)), nil},
		{"the web", each(many(12), func(s *stage, to string) { s.connect(silent, to+":443") }), nil},
		{"too slow", func(s *stage) {
			for _, to := range many(12) {
				s.end(s.connect(silent, to+":4321"), 10, 10)
				s.wait(20 * minute)
			}
		}, nil},
		{"a computer", func(s *stage) {
			s.with(host, device.Workstation, device.Probable)
			each(many(12), answered(host))(s)
		}, nil},
		{"a camera", func(s *stage) {
			s.with(host, device.Camera, device.Probable)
			each(many(8), answered(host))(s)
		}, []string{"high many 4321/tcp 8"}},
		{"names were looked up", func(s *stage) {
			for i, to := range many(12) {
				s.c.Names.Learn(netip.MustParseAddr(silent), netip.MustParseAddr(to), fmt.Sprintf("peer%d.vendor.example", i), 3600, s.c.Now)
				s.connect(silent, to+":4321")
				s.wait(minute)
			}
		}, nil},
		{"three sessions that are kept", each(append(many(3), many(3)...), func(s *stage, to string) {
			s.connect(silent, to+":4321")
			s.wait(5 * minute)
		}), []string{"high many 4321/tcp 3"}},
		{"three short sessions", each(many(3), func(s *stage, to string) {
			s.end(s.connect(silent, to+":4321"), 10, 10)
			s.wait(5 * minute)
		}), nil},
		{"a public network", each(many(8), answered(publicA)), []string{"medium many 4321/tcp 8"}},
		{"datagrams", each(many(16), func(s *stage, to string) { s.open(17, silent, to+":4321") }), []string{"high many 4321/udp 16"}},
		{"calls from outside", each(many(12), func(s *stage, from string) { s.connect(from, silent+":4321") }), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D45", c.want...)
		})
	}
}

// TestFanoutGrows checks that a long list of hosts is one alert with few revisions, and that the table is bounded.
func TestFanoutGrows(t *testing.T) {
	s := newStage(t, legacy())
	for i := range 200 {
		s.connect(silent, fmt.Sprintf("%d.%d.1.1:4321", 60+i%100, i))
		s.wait(20 * second)
	}
	n := 0
	for _, a := range s.got {
		if a.Rule.ID == "D45" {
			n++
		}
	}
	if n == 0 || n > 8 {
		t.Errorf("%d revisions", n)
	}
}

func chatWith(s *stage, from, to string) { s.speak(from, to, "irc") }

func TestChatPage(t *testing.T) {
	checkPage(t, "D48", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for range 2 {
			chatWith(s, silent, oddServer)
			s.wait(minute)
		}
		return s
	})
}

func TestChat(t *testing.T) {
	role := func(r device.Role, l device.Level) func(*stage) { return func(s *stage) { s.with(host, r, l) } }
	for _, c := range []struct {
		name     string
		before   func(*stage)
		from, to string
		want     []string
	}{
		{"odd port", nil, host, oddServer, []string{"high 198.51.100.9:4321/tcp 1"}},
		{"usual port", nil, host, "198.51.100.9:6667", []string{"medium 198.51.100.9:6667/tcp 1"}},
		{"usual port, silent", nil, silent, "198.51.100.9:6667", []string{"high 198.51.100.9:6667/tcp 1"}},
		{"usual port, camera", role(device.Camera, device.Probable), host, "198.51.100.9:6667", []string{"high 198.51.100.9:6667/tcp 1"}},
		{"workstation, odd port", role(device.Workstation, device.Probable), host, oddServer, []string{"low 198.51.100.9:4321/tcp 1"}},
		{"a server inside", nil, host, "10.20.1.9:4321", nil},
		{"a public network", nil, publicA, oddServer, []string{"high 198.51.100.9:4321/tcp 1"}},
		{"the device is the server", nil, foreign, host + ":6667", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			if c.before != nil {
				c.before(s)
			}
			chatWith(s, c.from, c.to)
			s.want(t, "D48", c.want...)
		})
	}
}

// fetch plays a request and its response.
func (s *stage) fetch(from, to string, x dissect.HTTPExchange) {
	v := s.connect(from, to)
	x.Method = "GET"
	s.event(detect.SessionFact, v, &x)
	x.Status = 200
	s.event(detect.SessionFact, v, &x)
}

const bareServer = "198.51.100.44"

func TestDownloadPage(t *testing.T) {
	checkPage(t, "D46", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		for _, file := range []string{"/bins/a.sh", "/bins/x.mips"} {
			s.fetch(silent, bareServer+":80", dissect.HTTPExchange{URI: file, Host: bareServer, Program: map[bool]string{true: "script", false: "elf"}[file == "/bins/a.sh"]})
			s.wait(second)
		}
		return s
	})
}

func TestDownload(t *testing.T) {
	elf := dissect.HTTPExchange{URI: "/x", Host: bareServer, Program: "elf"}
	for _, c := range []struct {
		name   string
		before func(*stage)
		from   string
		x      dissect.HTTPExchange
		want   []string
	}{
		{"by its first bytes", nil, silent, elf, []string{"high 198.51.100.44 1"}},
		{"unknown device", nil, host, elf, []string{"medium 198.51.100.44 1"}},
		{"camera", func(s *stage) { s.with(host, device.Camera, device.Hint) }, host, elf, []string{"high 198.51.100.44 1"}},
		{"computer", func(s *stage) { s.with(host, device.Workstation, device.Probable) }, host, elf, nil},
		{"by its type", nil, silent, dissect.HTTPExchange{URI: "/x", Host: bareServer + ":80", ContentType: "application/x-sh; charset=utf-8"}, []string{"high 198.51.100.44 1"}},
		{"by its name", nil, silent, dissect.HTTPExchange{URI: "/bins/jaws.arm7?x=1", Host: bareServer}, []string{"high 198.51.100.44 1"}},
		{"no host header", nil, silent, dissect.HTTPExchange{URI: "/a.sh"}, []string{"high 198.51.100.44 1"}},
		{"a name as host", nil, silent, dissect.HTTPExchange{URI: "/x", Host: "updates.vendor.example", Program: "elf"}, nil},
		{"a name was looked up", func(s *stage) {
			s.c.Names.Learn(netip.MustParseAddr(silent), netip.MustParseAddr(bareServer), "updates.vendor.example", 3600, s.c.Now)
		}, silent, elf, nil},
		{"a page", nil, silent, dissect.HTTPExchange{URI: "/index.html", Host: bareServer, ContentType: "text/html"}, nil},
		{"an image named after a processor", nil, silent, dissect.HTTPExchange{URI: "/arm.png", Host: bareServer, ContentType: "image/png"}, nil},
		{"a public network", nil, publicA, elf, []string{"medium 198.51.100.44 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			if c.before != nil {
				c.before(s)
			}
			s.fetch(c.from, bareServer+":80", c.x)
			s.want(t, "D46", c.want...)
		})
	}
}

// bursts plays short SSH sessions whose login cannot be read.
func bursts(s *stage, n int, from, to string, gap int64) {
	for range n {
		v := s.connect(from, to)
		s.event(detect.SessionFact, v, &dissect.AppID{Name: "ssh"})
		s.wait(2 * second)
		s.endAs(v, "ssh", 1500, 2500)
		s.wait(gap)
	}
}

// endAs ends a session whose application is known.
func (s *stage) endAs(v *session.View, app string, out, in uint64) {
	n := *v
	n.State, n.End, n.PayloadBytes = session.Closed, s.c.Now, [2]uint64{out, in}
	var a *fingerprint.App
	e := &detect.Event{Kind: detect.SessionState, Time: s.c.Now, Session: &n, App: a.With(&dissect.AppID{Name: app})}
	e.Initiator, e.Responder = s.c.Devices.Session(device.StateChanged, &n, e.App, s.c.Now)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
}

func TestShortSSHSessions(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"from outside", func(s *stage) { bursts(s, 20, foreign, silent+":902", 10*second) }, []string{"medium sessions 203.0.113.66 20"}},
		{"nineteen", func(s *stage) { bursts(s, 19, foreign, silent+":902", 10*second) }, nil},
		{"slower than ten minutes", func(s *stage) { bursts(s, 30, foreign, silent+":902", minute) }, nil},
		{"between two hosts of a public network", func(s *stage) { bursts(s, 20, publicA, publicB+":902", 10*second) }, []string{"medium sessions 192.0.2.10 20"}},
		{"from inside", func(s *stage) { bursts(s, 20, host, "10.20.10.30:22", 10*second) }, []string{"low sessions 10.20.50.21 20"}},
		{"a login in between", func(s *stage) {
			bursts(s, 15, foreign, silent+":22", 10*second)
			s.event(detect.SessionFact, s.connect(foreign, silent+":22"), &dissect.SSHAuth{Result: dissect.OutcomeSuccess})
			bursts(s, 15, foreign, silent+":22", 10*second)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, legacy())
			c.do(s)
			s.want(t, "D09", c.want...)
		})
	}
}

// TestSlowGuessing spreads failures over days: too few an hour for the other tests.
func TestSlowGuessing(t *testing.T) {
	fail := func(s *stage, who string) {
		s.event(detect.SessionFact, s.connect(foreign, silent+":80"), &dissect.HTTPExchange{Method: "GET", AuthScheme: "basic", AuthUserHint: who, AuthResult: dissect.OutcomeFailure})
	}
	t.Run("a guesser", func(t *testing.T) {
		s := newStage(t, legacy())
		for range 40 {
			fail(s, "in")
			s.wait(5 * hour)
		}
		s.want(t, "D09", "high guessing slowly 203.0.113.66 25", "high guessing slowly 203.0.113.66 38") // an alert is open for a day
	})
	t.Run("a user who mistypes", func(t *testing.T) {
		s := newStage(t, legacy())
		for range 40 {
			fail(s, "in")
			s.event(detect.SessionFact, s.connect(foreign, silent+":80"), &dissect.HTTPExchange{Method: "GET", AuthScheme: "basic", AuthUserHint: "in", AuthResult: dissect.OutcomeSuccess})
			s.wait(5 * hour)
		}
		s.want(t, "D09")
	})
}
