// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/watchtime"
)

const (
	camera   = "10.20.30.11"
	recorder = "10.20.30.5"
)

// presence plays a network minute by minute, in watched time.
type presence struct {
	*stage
	clock   *watchtime.Clock
	streams []*session.View
}

func newPresence(t *testing.T) *presence {
	p := &presence{stage: newStage(t), clock: watchtime.New(false)}
	p.clock.Frames(begin / second)
	p.c.Devices = device.New(device.Config{Clock: p.clock})
	return p
}

// stream has a recorder take the stream of a camera, which is identified as one.
func (p *presence) stream(t *testing.T, from string) {
	v := p.connect(recorder, from+":554")
	d := p.c.Devices.ByIP(netip.MustParseAddr(from))
	if d == nil {
		t.Fatal("the camera is no device")
	}
	d.Role, d.Level = device.Camera, device.Identified
	p.streams = append(p.streams, v)
}

// minutes lets time pass. quiet lists the cameras that are away; others of the network are seen each minute.
func (p *presence) minutes(n int, quiet ...string) {
	for range n {
		p.wait(minute)
		p.clock.Frames(p.c.Now / second)
		for _, v := range p.streams {
			away := false
			for _, q := range quiet {
				away = away || v.Responder.Addr.Netip() == netip.MustParseAddr(q)
			}
			if !away {
				v.End = p.c.Now
				v.Packets[1]++
				p.event(detect.SessionProgress, v, nil)
			}
		}
		p.open(17, "10.20.30.9", "10.20.1.53:53")
	}
}

func (p *presence) days(n int, hosts ...string) { p.hours(24*n, hosts...) }

// hours lets time pass in which the given hosts are seen each hour.
func (p *presence) hours(n int, hosts ...string) {
	for range n {
		for range 4 {
			p.wait(15 * minute)
			p.clock.Frames(p.c.Now / second)
		}
		for _, h := range hosts {
			p.announces(station(netip.MustParseAddr(h).As4()[3]), h)
		}
	}
}

func TestAbsencePage(t *testing.T) {
	checkPage(t, "D35", func(t *testing.T) *stage {
		p := newPresence(t)
		p.stream(t, camera)
		p.minutes(90)
		p.minutes(40, camera)
		p.minutes(1)
		return p.stage
	})
}

// absences is what devices do, and the alerts of D35 about it.
var absences = []struct {
	name string
	play func(t *testing.T, p *presence)
	want []string
}{
	{"a camera that streamed", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
		p.minutes(20, camera)
	}, []string{"medium disappeared 1"}},
	{"a camera that streamed for a short time", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(30)
		p.minutes(40, camera)
	}, nil},
	{"a camera that restarts", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
		p.minutes(10, camera)
		p.minutes(30)
	}, nil},
	{"the capture ends", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
	}, nil},
	{"all cameras of a switch at once", func(t *testing.T, p *presence) {
		for i := range 4 {
			p.stream(t, fmt.Sprintf("10.20.30.%d", 11+i))
		}
		p.minutes(90)
		p.minutes(40, "10.20.30.11", "10.20.30.12", "10.20.30.13", "10.20.30.14")
	}, []string{"medium disappeared in VLAN 0 1"}},
	{"all cameras at once, with other gaps before", func(t *testing.T, p *presence) {
		for i := range 6 {
			p.stream(t, fmt.Sprintf("10.20.30.%d", 11+i))
		}
		p.minutes(90)
		p.minutes(9, "10.20.30.11", "10.20.30.12") // so they are missing later than the others
		p.minutes(90)
		p.minutes(60, "10.20.30.11", "10.20.30.12", "10.20.30.13", "10.20.30.14", "10.20.30.15", "10.20.30.16")
	}, []string{"medium disappeared in VLAN 0 1"}},
	{"everything is quiet", func(t *testing.T, p *presence) {
		for i := range 4 {
			p.stream(t, fmt.Sprintf("10.20.30.%d", 11+i))
		}
		p.minutes(90)
		for range 40 {
			p.wait(minute)
			p.clock.Frames(p.c.Now / second)
		}
	}, nil},
	{"the mirror stops", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
		for range 40 {
			p.wait(minute)
		}
	}, nil},
	{"its recorder repeats what it no longer acknowledges", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
		v := p.streams[0]
		for range 20 {
			p.minutes(1, camera)
			v.End = p.c.Now
			v.Packets[0]++
			p.event(detect.SessionProgress, v, nil)
		}
		p.end(v, 1, 1)
	}, []string{"medium disappeared 1"}},
	{"frames are lost", func(t *testing.T, p *presence) {
		p.stream(t, camera)
		p.minutes(90)
		p.c.Quality.LossRatio = 0.05
		p.minutes(40, camera)
	}, nil},
	{"a regular device", func(t *testing.T, p *presence) {
		p.days(8, "10.20.30.40", "10.20.30.41")
		p.days(2, "10.20.30.41")
	}, []string{"low disappeared 1"}},
	{"not long enough", func(t *testing.T, p *presence) {
		p.days(8, "10.20.30.40", "10.20.30.41")
		p.hours(20, "10.20.30.41")
	}, nil},
	{"a device that has been there for a short time", func(t *testing.T, p *presence) {
		p.days(3, "10.20.30.40", "10.20.30.41")
		p.days(3, "10.20.30.41")
	}, nil},
	{"a laptop that goes home", func(t *testing.T, p *presence) {
		for range 5 {
			p.days(1, "10.20.30.40", "10.20.30.41")
			p.days(1, "10.20.30.41")
		}
		p.days(3, "10.20.30.41")
	}, nil},
	{"a device that gets another address", func(t *testing.T, p *presence) {
		p.days(8, "10.20.30.40", "10.20.30.41")
		p.days(3, "10.20.31.40", "10.20.30.41") // the same MAC
	}, nil},
	{"the capture is stopped for days", func(t *testing.T, p *presence) {
		p.days(8, "10.20.30.40", "10.20.30.41")
		p.wait(3 * 24 * hour)
		p.days(1, "10.20.30.41")
	}, nil},
}

func TestAbsence(t *testing.T) {
	for _, c := range absences {
		t.Run(c.name, func(t *testing.T) {
			p := newPresence(t)
			c.play(t, p)
			p.want(t, "D35", c.want...)
		})
	}
}

// TestAbsenceEnds checks that the alert says that the device is back.
func TestAbsenceEnds(t *testing.T) {
	p := newPresence(t)
	p.stream(t, camera)
	p.minutes(90)
	p.minutes(40, camera)
	p.minutes(1)
	p.want(t, "D35", "medium disappeared 1")
	last := p.got[len(p.got)-1]
	if want := camera + " (camera) is back after it had disappeared"; last.Rule.ID != "D35" || last.Title != want {
		t.Errorf("%s: %q, want %q", last.Rule.ID, last.Title, want)
	}
}

// TestAbsenceRecurs checks that the next absence counts in the same alert.
func TestAbsenceRecurs(t *testing.T) {
	p := newPresence(t)
	p.stream(t, camera)
	for range 2 {
		p.minutes(90)
		p.minutes(60, camera)
	}
	p.want(t, "D35", "medium disappeared 2")
}

func TestAbsenceIsBounded(t *testing.T) {
	s := only(t, "D35", func(p *detect.AbsenceParams) { p.MaxDevices = 10 })
	for i := range 50 {
		s.announces(station(byte(i)), fmt.Sprintf("10.20.7.%d", i+1))
	}
	if n := detect.Evictions(s.dets); n != 40 {
		t.Errorf("%d evictions, want 40", n)
	}
}
