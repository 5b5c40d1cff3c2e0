// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

const (
	idle    = "10.0.10.17" // a device declared silent
	host    = "10.0.50.21"
	outside = "198.51.100.23"
	web     = outside + ":443"
)

func TestUnexpectedOutbound(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want []string
	}{
		{"attempt", func(w *fixture) { w.open(protoTCP, idle, web) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"answered", func(w *fixture) { w.connect(idle, web) }, []string{"medium 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp"}},
		{"answered and ended", func(w *fixture) { w.carried(w.connect(idle, web), 10, 20) },
			[]string{"medium 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp", "high 198.51.100.23:443/tcp"}},
		{"internal peer", func(w *fixture) { w.connect(idle, "10.0.10.40:873") }, []string{"medium 10.0.10.40:873/tcp", "high 10.0.10.40:873/tcp"}},
		{"first datagram", func(w *fixture) { w.open(protoUDP, idle, "203.0.113.5:51820") }, []string{"medium 203.0.113.5:51820/udp"}},
		{"echo request", func(w *fixture) { w.open(protoICMP, idle, "203.0.113.5:0") }, []string{"medium 203.0.113.5/icmp"}},
		{"it answers", func(w *fixture) { w.carried(w.connect(outside, idle+":22"), 5, 5) }, nil},
		{"somebody else", func(w *fixture) { w.connect(host, web) }, nil},
		{"infrastructure", func(w *fixture) { w.open(protoUDP, idle, "10.0.1.53:53"); w.open(protoUDP, idle, "10.0.1.1:67") }, nil},
		{"multicast", func(w *fixture) { w.open(protoUDP, idle, "239.255.255.250:1900") }, nil},
		{"broadcast", func(w *fixture) {
			v := w.session(protoUDP, idle, "10.0.10.255:9999")
			v.Group = true
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"start not captured", func(w *fixture) {
			v := w.session(protoTCP, idle, web)
			v.Basis, v.State = session.BasisFirstPacket, session.Midstream
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"initiator known by its port only", func(w *fixture) {
			v := w.session(protoTCP, idle, web)
			v.Basis, v.State = session.BasisPort, session.Midstream
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"answer to an unseen datagram", func(w *fixture) {
			v := w.session(protoUDP, idle, "203.0.113.5:40000")
			v.Initiator.Port = 161
			w.event(SessionOpened, v, nil, nil)
		}, nil},
		{"ICMP error", func(w *fixture) {
			v := w.session(protoICMP, idle, "203.0.113.5:0")
			v.ICMPType, v.Basis = 3, session.BasisFirstPacket
			w.event(SessionOpened, v, nil, nil)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newFixture(t, nil, idle)
			w.t = t
			c.do(w)
			w.want("D01", c.want...)
		})
	}
}

func TestOutboundTexts(t *testing.T) {
	w := declared(t, entry("srv-legacy-07", idle, contract.Silent, allowOut("10.0.10.40/32", 873)))
	w.connect(idle, "10.0.10.40:873")
	w.want("D01")
	w.connect(idle, web)
	f := w.wantLast("D01", "high 198.51.100.23:443/tcp")
	for _, part := range []string{"srv-legacy-07", "opens no session other than", "443/tcp", outside, "2026-03-02 00:00:00 UTC"} {
		if !strings.Contains(f.Message, part) {
			t.Errorf("the message lacks %q: %s", part, f.Message)
		}
	}
	if f.Stage != StageOutbound || !f.Continues || !f.Peer.External || f.Broken == "" || len(f.Related) != 1 || f.Recommendation == "" {
		t.Errorf("%+v", f)
	}
	if last := f.Reasons[len(f.Reasons)-1]; last.Code != "benign_if" {
		t.Errorf("no reason says what would make it benign: %+v", f.Reasons)
	}
}

func TestWakeFromIdle(t *testing.T) {
	wake := func(t *testing.T, days int64, before func(w *fixture)) *fixture {
		w := declared(t, entry("srv-legacy-07", idle, contract.Silent))
		w.open(protoUDP, idle, "10.0.1.53:53")
		for range days {
			w.wait(day)
			w.open(protoUDP, idle, "10.0.1.53:53")
		}
		if before != nil {
			before(w)
		}
		w.connect(idle, web)
		return w
	}
	wake(t, 6, nil).want("D02")
	wake(t, 8, nil).want("D02", "high wake")
	wake(t, 8, func(w *fixture) {
		w.arpRequest(idle, idle)
		v := w.open(protoUDP, idle, "10.0.1.123:123")
		w.fact(v, &dissect.NTPMessage{Version: 4, Mode: 3})
		w.wait(20 * second)
	}).want("D02", "low wake")
	w := wake(t, 8, nil)
	w.wait(hour)
	w.connect(idle, web)
	w.want("D02", "high wake")
}

func TestInfrastructureBudget(t *testing.T) {
	w := newFixture(t, nil, idle)
	for range 301 {
		w.open(protoUDP, idle, "10.0.1.53:53")
		w.wait(second)
	}
	w.want("D02", "medium infrastructure budget")
	quiet := newFixture(t, nil, idle)
	for range 301 {
		quiet.open(protoUDP, idle, "10.0.1.53:53")
		quiet.wait(minute)
	}
	quiet.want("D02")
}

func TestFailedCallback(t *testing.T) {
	repeat := func(w *fixture, n int, gap int64, do func()) {
		for range n {
			do()
			w.wait(gap)
		}
	}
	for _, c := range []struct {
		name   string
		silent bool
		do     func(w *fixture)
		want   []string
	}{
		{"five in ten minutes, silent", true, func(w *fixture) { repeat(w, 5, minute, func() { w.attempt(idle, web) }) }, []string{"high 198.51.100.23:443/tcp"}},
		{"refused counts", false, func(w *fixture) { repeat(w, 5, minute, func() { w.refused(idle, web) }) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"four", true, func(w *fixture) { repeat(w, 4, minute, func() { w.attempt(idle, web) }) }, nil},
		{"slow, but over hours", false, func(w *fixture) { repeat(w, 3, hour, func() { w.attempt(idle, web) }) }, []string{"medium 198.51.100.23:443/tcp"}},
		{"internal, nothing expected", false, func(w *fixture) { repeat(w, 5, minute, func() { w.attempt(idle, "10.0.1.9:9100") }) }, []string{"low 10.0.1.9:9100/tcp"}},
		{"a success in between", true, func(w *fixture) {
			repeat(w, 3, minute, func() { w.attempt(idle, web) })
			w.connect(idle, web)
			repeat(w, 2, minute, func() { w.attempt(idle, web) })
		}, nil},
		{"a success takes one away only", true, func(w *fixture) {
			repeat(w, 3, minute, func() { w.attempt(idle, web) })
			w.connect(idle, web)
			repeat(w, 3, minute, func() { w.attempt(idle, web) })
		}, []string{"high 198.51.100.23:443/tcp"}},
		{"every other call succeeds, rarely", true, func(w *fixture) {
			repeat(w, 15, 3*minute, func() { w.attempt(idle, web); w.connect(idle, web) })
		}, nil},
		{"a third fails, often", true, func(w *fixture) {
			repeat(w, 20, minute, func() { w.attempt(idle, web); w.connect(idle, web); w.connect(idle, web) })
		}, []string{"high 198.51.100.23:443/tcp"}},
		{"a tenth fails, often", true, func(w *fixture) {
			repeat(w, 25, minute, func() {
				w.attempt(idle, web)
				for range 9 {
					w.connect(idle, web)
				}
			})
		}, nil},
		{"one-way mirror", true, func(w *fixture) {
			w.c.Quality.OneWay = true
			repeat(w, 9, minute, func() { w.attempt(idle, web) })
		}, nil},
		{"refused through a one-way mirror", true, func(w *fixture) {
			w.c.Quality.OneWay = true
			repeat(w, 5, minute, func() { w.refused(idle, web) })
		}, []string{"high 198.51.100.23:443/tcp"}},
		{"distinct ports are distinct", true, func(w *fixture) {
			for p := range 5 {
				w.attempt(idle, fmt.Sprintf("%s:%d", outside, 1000+p))
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var silent []string
			if c.silent {
				silent = []string{idle}
			}
			w := newFixture(t, nil, silent...)
			c.do(w)
			w.want("D06", c.want...)
		})
	}
}

func TestExposedAdminPort(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want []string
	}{
		{"declared device answers", func(w *fixture) { w.connect(outside, idle+":22") }, []string{"high 22/tcp"}},
		{"approved source", func(w *fixture) { w.connect("203.0.113.9", idle+":22") }, nil},
		{"any other device", func(w *fixture) { w.connect(outside, host+":22") }, []string{"medium 22/tcp"}},
		{"web site", func(w *fixture) { w.connect(outside, host+":443") }, []string{"low 443/tcp"}},
		{"port of no interest", func(w *fixture) { w.connect(outside, idle+":8443") }, nil},
		{"from inside", func(w *fixture) { w.connect(host, idle+":22") }, nil},
		{"probes are one thing", func(w *fixture) {
			w.arpRequest(idle, idle)
			for i := range 20 {
				w.attempt(fmt.Sprintf("203.0.113.%d", i), idle+":23")
			}
		}, []string{"informational probes", "informational probes", "informational probes", "informational probes", "informational probes"}},
		{"the next day anew", func(w *fixture) {
			w.arpRequest(idle, idle)
			w.refused(outside, idle+":23")
			w.wait(25 * hour)
			w.refused(outside, idle+":23")
		}, []string{"informational probes", "informational probes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("srv", idle, contract.Silent, allowIn("203.0.113.9/32", 22)))
			c.do(w)
			w.want("D07", c.want...)
			for _, f := range w.got {
				if f.Rule.ID == "D07" && f.Severity > Informational && !f.Standing {
					t.Error("an exposure is a standing fact")
				}
			}
		})
	}
}

func TestUpload(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *fixture)
		want []string
	}{
		{"21 MB", func(w *fixture) { w.carried(w.connect(idle, web), 21e6, 10e6) }, []string{"high " + outside}},
		{"19 MB both ways", func(w *fixture) { w.carried(w.connect(idle, web), 19e6, 10e6) }, nil},
		{"6 MB one way", func(w *fixture) { w.carried(w.connect(idle, web), 6e6, 1e5) }, []string{"high " + outside}},
		{"download", func(w *fixture) { w.carried(w.connect(idle, web), 1e5, 60e6) }, nil},
		{"pulled from outside", func(w *fixture) { w.carried(w.connect(outside, idle+":554"), 1e5, 30e6) }, []string{"high " + outside}},
		{"to an internal host", func(w *fixture) { w.carried(w.connect(idle, "10.0.10.40:873"), 60e6, 1e5) }, nil},
		{"many sessions add up", func(w *fixture) {
			for range 6 {
				w.carried(w.connect(idle, web), 4e6, 1e6)
				w.wait(hour)
			}
		}, []string{"high " + outside}},
		{"over days it does not", func(w *fixture) {
			for range 6 {
				w.carried(w.connect(idle, web), 4e6, 1e6)
				w.wait(25 * hour)
			}
		}, nil},
		{"in the contract", func(w *fixture) { w.carried(w.connect(idle, "203.0.113.9:443"), 60e6, 1e5) }, nil},
		{"nothing expected", func(w *fixture) { w.carried(w.connect(host, web), 60e6, 1e5) }, []string{"low " + outside}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := declared(t, entry("cam", idle, contract.Allowlist, allowOut("203.0.113.9/32", 443)))
			c.do(w)
			w.want("D18", c.want...)
		})
	}
}

func TestUploadCountsLiveSessionsOnce(t *testing.T) {
	w := newFixture(t, nil, idle)
	v := w.connect(idle, web)
	for mb := range uint64(22) {
		n := *v
		n.PayloadBytes = [2]uint64{mb * 1e6, 10e6}
		w.event(SessionProgress, &n, nil, nil)
		w.wait(minute)
	}
	w.want("D18", "high "+outside)
}

func TestNewDevice(t *testing.T) {
	w := newFixture(t, nil)
	w.open(protoUDP, host, "10.0.1.53:53")
	w.want("D34")
	w.wait(25 * hour)
	w.open(protoUDP, "10.0.50.99", "10.0.1.53:53")
	w.want("D34", "informational new")
	w.wait(hour)
	w.open(protoUDP, "10.0.50.99", "10.0.1.53:53")
	w.want("D34", "informational new")

	inv := declared(t, entry("cam-01", "10.0.30.11", contract.Allowlist))
	inv.open(protoUDP, "10.0.30.11", "10.0.1.53:53")
	inv.open(protoUDP, host, "10.0.1.53:53")
	inv.want("D34")
	inv.open(protoUDP, "10.0.30.66", "10.0.1.53:53")
	inv.want("D34", "medium new")
}

func TestNewDeviceFloodIsOneAlert(t *testing.T) {
	w := newFixture(t, nil)
	w.open(protoUDP, host, "10.0.1.53:53")
	w.wait(25 * hour)
	for i := range 1000 {
		w.open(protoUDP, fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), "10.0.1.53:53")
	}
	if n := len(w.reported("D34")); n > 50+11 {
		t.Errorf("a thousand made-up devices are %d findings", n)
	}
}

func TestBlindness(t *testing.T) {
	for _, c := range []struct {
		q    Quality
		want []string
	}{
		{Quality{}, nil},
		{Quality{OneWayShare: 0.5, OneWay: true}, []string{"medium one_way"}},
		{Quality{OneWayShare: 0.6, OneWay: true}, []string{"high one_way"}},
		{Quality{GapShare: 0.02}, []string{"low gaps"}},
		{Quality{GapShare: 0.2, DupShare: 0.5, LossRatio: 0.2}, []string{"high gaps", "low duplicates", "high loss"}},
	} {
		w := newFixture(t, nil)
		w.c.Quality = c.q
		w.wait(second)
		w.want("D41")
		w.wait(6 * minute)
		w.want("D41", c.want...)
		for _, f := range w.got {
			if f.Device != nil {
				t.Error("blindness is about the sensor")
			}
		}
	}
}

// A capture that is shorter than a window is checked when it ends, and no window is checked twice.
func TestBlindnessOfAShortCapture(t *testing.T) {
	w := newFixture(t, nil)
	finish := func() {
		for _, d := range w.dets {
			if f, ok := d.(Finisher); ok {
				f.Finish(w.c.Now, &w.c)
			}
		}
	}
	finish()
	w.c.Quality = Quality{OneWayShare: 0.9, OneWay: true}
	w.connect(host, web)
	w.wait(second / 2)
	w.want("D41")
	finish()
	w.want("D41", "high one_way")
	w.wait(6 * minute)
	finish()
	w.want("D41", "high one_way", "high one_way")
}
