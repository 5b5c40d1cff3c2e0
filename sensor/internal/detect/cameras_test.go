// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
)

const (
	platform = "10.20.10.30"
	oneCam   = "10.20.30.22"
	console  = "10.20.50.31"
	week     = 8 * 24 * hour
)

// cam returns the address of a camera.
func cam(n int) string { return fmt.Sprintf("10.20.30.%d", 10+n) }

// order plays a request to a camera and its result.
func (s *stage) order(from, to string, kind dissect.ActionKind, result dissect.Outcome) {
	v := s.connect(from, to+":80")
	s.event(detect.SessionFact, v, &dissect.DeviceAction{Protocol: "isapi", Action: "PUT /ISAPI/" + string(kind), Kind: kind, Result: result})
	s.end(v, 300, 300)
}

// signIn plays a login over HTTP.
func (s *stage) signIn(from, to, agent string, result dissect.Outcome) {
	v := s.connect(from, to+":80")
	s.event(detect.SessionFact, v, &dissect.HTTPExchange{Method: "GET", URI: "/", UserAgent: agent, AuthScheme: "digest", AuthUserHint: "in", AuthResult: result})
	s.end(v, 300, 300)
}

// play plays the request for a stream.
func (s *stage) play(from, to, agent string) {
	v := s.connect(from, to+":554")
	s.event(detect.SessionFact, v, &dissect.RTSPExchange{Method: "PLAY", UserAgent: agent, Status: 200, AuthResult: dissect.OutcomeSuccess})
	s.event(detect.SessionFact, v, &dissect.DeviceAction{Protocol: "rtsp", Action: "PLAY", Kind: dissect.ActionView, Result: dissect.OutcomeSuccess})
}

// site returns a stage with a platform and cameras whose roles are known.
func site(t *testing.T, cameras int) *stage {
	s := newStage(t, contract.Entry{Name: "vms", Match: contract.Match{IP: netip.MustParseAddr(platform)}, Expect: contract.Normal})
	s.with(platform, device.VMS, device.Identified)
	for i := range cameras {
		s.with(cam(i), device.Camera, device.Identified)
	}
	s.with(oneCam, device.Camera, device.Identified)
	return s
}

// takenOver has somebody outside log in to the platform.
func (s *stage) takenOver() {
	s.signIn(foreign, platform, "Mozilla/5.0", dissect.OutcomeSuccess)
	s.wait(5 * minute)
}

const accepted, refused = dissect.OutcomeSuccess, dissect.OutcomeFailure

func TestManipulationPage(t *testing.T) {
	checkPage(t, "D29", func(t *testing.T) *stage {
		s := site(t, 2)
		s.wait(week)
		s.takenOver()
		for i := range 2 {
			s.order(platform, cam(i), dissect.ActionUsers, accepted)
			s.wait(second)
		}
		return s
	})
}

func TestManipulation(t *testing.T) {
	later := func(from string, kind dissect.ActionKind, result dissect.Outcome) func(*stage) {
		return func(s *stage) {
			s.wait(week)
			s.order(from, oneCam, kind, result)
			s.wait(minute)
		}
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"an unknown host moves a camera", later(console, dissect.ActionMove, accepted), []string{"medium move 1"}},
		{"an unknown host resets a camera", later(console, dissect.ActionReset, accepted), []string{"critical reset 1"}},
		{"in vain", later(console, dissect.ActionReset, refused), []string{"medium reset 1"}},
		{"the answer was not seen", later(console, dissect.ActionUsers, dissect.OutcomeUnknown), []string{"high users 1"}},
		{"reading changes nothing", later(console, dissect.ActionRead, accepted), nil},
		{"in the first week", func(s *stage) { s.order(console, oneCam, dissect.ActionReset, accepted) }, nil},
		{"from outside, in the first week", func(s *stage) { s.order(foreign, oneCam, dissect.ActionMove, accepted) }, []string{"medium move 203.0.113.66 1"}},
		{"settings from outside", func(s *stage) { s.order(foreign, oneCam, dissect.ActionNetwork, accepted) }, []string{"critical network 203.0.113.66 1"}},
		{"known since the first week", func(s *stage) {
			s.order(console, oneCam, dissect.ActionMove, accepted)
			later(console, dissect.ActionMove, accepted)(s)
		}, nil},
		{"known for something else", func(s *stage) {
			s.order(console, oneCam, dissect.ActionMove, accepted)
			later(console, dissect.ActionUsers, accepted)(s)
		}, []string{"critical users 1"}},
		{"known from another camera", func(s *stage) {
			s.order(console, cam(1), dissect.ActionMove, accepted)
			later(console, dissect.ActionMove, accepted)(s)
		}, []string{"low move 1"}},
		{"refused in the first week", func(s *stage) {
			s.order(console, oneCam, dissect.ActionMove, refused)
			later(console, dissect.ActionMove, accepted)(s)
		}, []string{"medium move 1"}},
		{"the declared platform", later(platform, dissect.ActionReboot, accepted), nil},
		{"the platform that somebody has entered", func(s *stage) {
			s.wait(week)
			s.takenOver()
			s.order(platform, oneCam, dissect.ActionReboot, accepted)
			s.order(platform, oneCam, dissect.ActionMove, accepted)
		}, []string{"critical reboot 1", "medium move 1"}},
		{"entered long ago", func(s *stage) {
			s.wait(week)
			s.takenOver()
			s.wait(2 * hour)
			s.order(platform, oneCam, dissect.ActionReboot, accepted)
		}, nil},
		{"Digest: refused, then accepted", func(s *stage) {
			s.wait(week)
			s.order(console, oneCam, dissect.ActionUsers, refused)
			s.order(console, oneCam, dissect.ActionUsers, accepted)
			s.wait(minute)
		}, []string{"critical users 1"}},
		{"refused again and again", func(s *stage) {
			s.wait(week)
			for range 4 {
				s.order(console, oneCam, dissect.ActionUsers, refused)
				s.wait(second)
			}
			s.wait(minute)
		}, []string{"medium users 4"}},
		{"many cameras", func(s *stage) {
			s.wait(week)
			for i := range 5 {
				s.order(console, cam(i), dissect.ActionMove, accepted)
				s.wait(second)
			}
		}, []string{"medium move 5"}},
		{"many cameras, from outside", func(s *stage) {
			for i := range 5 {
				s.order(foreign, cam(i), dissect.ActionMove, accepted)
				s.wait(second)
			}
		}, []string{"medium move 203.0.113.66 5"}},
		{"a new console, after three days", func(s *stage) {
			s.wait(week)
			for range 5 {
				s.order(console, oneCam, dissect.ActionMove, accepted)
				s.wait(48 * hour)
			}
		}, []string{"medium move 1", "medium move 1", "medium move 1"}},
		{"at an unusual hour", func(s *stage) {
			for range 24 {
				s.order(platform, oneCam, dissect.ActionMove, accepted)
				s.wait(24 * hour)
			}
			s.wait(12 * hour)
			s.order(console, oneCam, dissect.ActionMove, accepted)
		}, []string{"high move 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t, 5)
			c.do(s)
			s.want(t, "D29", c.want...)
		})
	}
}

func TestDiscoveryAbusePage(t *testing.T) {
	checkPage(t, "D30", func(t *testing.T) *stage {
		s := site(t, 1)
		discover(s, console, "239.255.255.250:37020", dissect.DeviceAction{Protocol: "sadp", Action: "update", Kind: dissect.ActionNetwork})
		return s
	})
}

func discover(s *stage, from, to string, a dissect.DeviceAction) {
	v := s.open(17, from, to)
	s.event(detect.SessionFact, v, &a)
	s.wait(second)
}

func TestDiscoveryAbuse(t *testing.T) {
	const group = "239.255.255.250:37020"
	for _, c := range []struct {
		name     string
		from, to string
		a        dissect.DeviceAction
		want     []string
	}{
		{"a new address by SADP", console, group, dissect.DeviceAction{Protocol: "sadp", Action: "update", Kind: dissect.ActionNetwork}, []string{"critical discovery 1"}},
		{"a new password by DHIP", console, oneCam + ":37810", dissect.DeviceAction{Protocol: "dhip", Action: "DevInit.account", Kind: dissect.ActionUsers}, []string{"critical discovery 1"}},
		{"routed", foreign, oneCam + ":34569", dissect.DeviceAction{Protocol: "xmeye", Action: "NetWork.NetCommon", Kind: dissect.ActionNetwork}, []string{"critical discovery 203.0.113.66 1"}},
		{"reading", console, oneCam + ":37810", dissect.DeviceAction{Protocol: "dhip", Action: "DHDiscover.search", Kind: dissect.ActionRead}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t, 1)
			discover(s, c.from, c.to, c.a)
			s.want(t, "D30", c.want...)
			s.want(t, "D29")
		})
	}
	t.Run("SADP over Ethernet", func(t *testing.T) {
		s := site(t, 1)
		s.arp(true, station(7), console, everybody, oneCam)
		for _, kind := range []dissect.ActionKind{dissect.ActionRead, dissect.ActionNetwork, dissect.ActionReset} {
			s.link(&dissect.LinkAction{DeviceAction: dissect.DeviceAction{Protocol: "sadp", Action: string(kind), Kind: kind}, EtherSrc: station(7), EtherDst: station(8),
				Src: netip.MustParseAddr("0.0.0.0"), Dst: netip.MustParseAddr(oneCam)})
			s.wait(second)
		}
		s.want(t, "D30", "critical discovery 2")
	})
	t.Run("an admin host", func(t *testing.T) {
		s := site(t, 1)
		s.admin(console)
		s.arp(true, station(7), console, everybody, oneCam)
		s.link(&dissect.LinkAction{DeviceAction: dissect.DeviceAction{Protocol: "sadp", Action: "update", Kind: dissect.ActionNetwork}, EtherSrc: station(7), EtherDst: station(8),
			Src: netip.MustParseAddr("0.0.0.0"), Dst: netip.MustParseAddr(oneCam)})
		discover(s, console, group, dissect.DeviceAction{Protocol: "sadp", Action: "update", Kind: dissect.ActionNetwork})
		s.want(t, "D30")
	})
}

// admin declares an admin host.
func (s *stage) admin(ip string) {
	a := netip.MustParseAddr(ip)
	s.c.Contracts = contract.New(&contract.Inventory{Infrastructure: contract.Infrastructure{Admin: []contract.Host{{Prefix: netip.PrefixFrom(a, 32)}}}}, contract.Config{})
}

func TestViewerPage(t *testing.T) {
	checkPage(t, "D31", func(t *testing.T) *stage {
		s := site(t, 1)
		s.play(foreign, oneCam, "LibVLC/3.0.18")
		return s
	})
}

func TestViewer(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"from outside", func(s *stage) { s.play(foreign, oneCam, "LibVLC/3.0.18") }, []string{"high viewer 203.0.113.66 1"}},
		{"a new host", func(s *stage) { s.wait(week); s.play(console, oneCam, "VLC") }, []string{"low viewer 1"}},
		{"a new host watches several", func(s *stage) {
			s.wait(week)
			for i := range 3 {
				s.play(console, cam(i), "VLC")
				s.wait(second)
			}
		}, []string{"medium viewer 3"}},
		{"in the first week", func(s *stage) { s.play(console, oneCam, "VLC") }, nil},
		{"known, with an update", func(s *stage) {
			s.play(console, oneCam, "LibVLC/3.0.18")
			s.wait(week)
			s.play(console, oneCam, "LibVLC/3.0.20")
		}, nil},
		{"known, with another program", func(s *stage) {
			s.play(console, oneCam, "LibVLC/3.0.18")
			s.wait(week)
			s.play(console, oneCam, "Lavf58")
		}, []string{"low viewer 1"}},
		{"the recorder gets a new camera", func(s *stage) { s.wait(week); s.play(platform, oneCam, "VMS") }, nil},
		{"the recorder after it was entered", func(s *stage) {
			s.play(platform, oneCam, "VMS")
			s.wait(week)
			s.takenOver()
			s.play(platform, oneCam, "VMS")
			s.play(platform, oneCam, "Lavf58")
		}, []string{"high viewer 1"}},
		{"a third viewer at the same time", func(s *stage) {
			s.play(platform, oneCam, "VMS")
			s.play("10.20.50.40", oneCam, "VLC")
			s.wait(week)
			s.play(console, oneCam, "VLC")
		}, []string{"medium viewer 1"}},
		{"refused", func(s *stage) {
			s.event(detect.SessionFact, s.connect(foreign, oneCam+":554"), &dissect.RTSPExchange{Method: "PLAY", Status: 401})
		}, nil},
		{"pictures over HTTP", func(s *stage) { s.order(foreign, oneCam, dissect.ActionView, accepted) }, []string{"high viewer 203.0.113.66 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t, 5)
			c.do(s)
			s.want(t, "D31", c.want...)
		})
	}
}

// rounds has a host log in to n cameras, at intervals.
func (s *stage) rounds(from, agent string, n int, every int64) {
	for i := range n {
		s.signIn(from, cam(i), agent, accepted)
		s.wait(every)
	}
}

func TestCameraFanoutPage(t *testing.T) {
	checkPage(t, "D28", func(t *testing.T) *stage {
		s := site(t, 12)
		s.takenOver()
		s.rounds(platform, "python-requests/2.31.0", 12, 20*second)
		return s
	})
}

func TestCameraFanout(t *testing.T) {
	daily := func(days int) func(*stage) {
		return func(s *stage) {
			for range days {
				s.rounds(platform, "VMS/2.9", 12, 20*minute)
				s.wait(20 * hour)
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(*stage)
		want []string
	}{
		{"entered from outside", func(s *stage) { s.takenOver(); s.rounds(platform, "VMS", 12, 20*second) }, []string{"critical cameras 12"}},
		{"two cameras", func(s *stage) { s.takenOver(); s.rounds(platform, "VMS", 2, 20*second) }, nil},
		{"entered, but slowly", func(s *stage) { s.takenOver(); s.rounds(platform, "VMS", 12, 9*minute) }, nil},
		{"the platform starts for the first time", func(s *stage) { s.rounds(platform, "VMS", 12, second) }, nil},
		{"from outside", func(s *stage) { s.rounds(foreign, "x", 4, second) }, []string{"high cameras 203.0.113.66 4"}},
		{"every day the same", func(s *stage) { daily(10)(s); s.rounds(platform, "VMS/3.0", 3, 2*minute) }, nil},
		{"another program", func(s *stage) { daily(10)(s); s.rounds(platform, "curl/8", 3, 2*minute) }, []string{"high cameras 3"}},
		{"all cameras at another hour", func(s *stage) {
			daily(10)(s)
			s.wait(12 * hour)
			s.rounds(platform, "VMS/2.9", 12, 10*second)
		}, []string{"medium cameras 12"}},
		{"a power cut at another hour", func(s *stage) {
			daily(10)(s)
			s.wait(12 * hour)
			for i := range 12 {
				s.boot(cam(i))
			}
			s.wait(2 * minute)
			s.rounds(platform, "VMS/2.9", 12, 10*second)
		}, nil},
		{"a host that is no recorder", func(s *stage) { s.wait(week); s.rounds(console, "curl/8", 4, second) }, []string{"medium cameras 4"}},
		{"a printer visited by many programs", func(s *stage) {
			s.wait(week)
			for i := range 5 {
				s.signIn(console, fmt.Sprintf("10.20.60.%d", i+1), "curl", accepted)
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := site(t, 12)
			c.do(s)
			s.want(t, "D28", c.want...)
		})
	}
}

// boot plays the ARP probe of a host that has just started.
func (s *stage) boot(ip string) {
	a := netip.MustParseAddr(ip)
	m := &dissect.ARPMessage{Request: true, Probe: true, TargetIP: a}
	e := &detect.Event{Kind: detect.LinkFact, Time: s.c.Now, Fact: m, Initiator: s.c.Devices.ByIP(a)}
	detect.NewWatch(s.dets).Observe(e, &s.c)
}
