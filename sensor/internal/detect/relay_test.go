// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// carry is payload that a session carries at a time.
type carry struct {
	v     *session.View
	at    int64
	dir   session.Dir
	bytes uint32
}

// activities reports what sessions carry, each session every eight seconds, as the session table does.
func (s *stage) activities(list []carry) {
	slices.SortStableFunc(list, func(a, b carry) int { return int(min(max(a.at-b.at, -1), 1)) })
	var views []*session.View
	acts := map[*session.View][]session.Bin{}
	flush := func() {
		for _, v := range views {
			if a := acts[v]; len(a) > 0 {
				v.End = s.c.Now
				e := &detect.Event{Kind: detect.SessionActivity, Time: s.c.Now, Session: v, Activity: a}
				e.Initiator, e.Responder = s.c.Devices.Session(device.Progress, v, nil, s.c.Now)
				s.c.Begin()
				detect.NewWatch(s.dets).Observe(e, &s.c)
				acts[v] = nil
			}
		}
	}
	for _, x := range list {
		for s.c.Now+8*second < x.at {
			s.wait(8 * second)
			flush()
		}
		a, known := acts[x.v]
		if !known {
			views = append(views, x.v)
		}
		if n := len(a); n == 0 || a[n-1].Time/session.BinTime != x.at/session.BinTime {
			a = append(a, session.Bin{Time: x.at, Dir: x.dir})
		}
		a[len(a)-1].Bytes[x.dir] += x.bytes
		acts[x.v] = a
	}
	s.wait(9 * second)
	flush()
}

// relayed returns what two sessions carry if one forwards the other for some seconds. near leads to the device in direction in.
func relayed(rng *rand.Rand, near *session.View, in session.Dir, far *session.View, start int64, seconds int, delay func() int64) (list []carry) {
	for at := start; at < start+int64(seconds)*second; at += 700e6 + rng.Int64N(2e9) {
		n := uint32(300 + rng.IntN(2500))
		list = append(list, carry{near, at, in, n}, carry{far, at + delay(), session.Out, n + 30})
		back := at + 150e6
		list = append(list, carry{far, back, session.In, 2 * n}, carry{near, back + delay(), 1 - in, 2*n + 30})
	}
	return list
}

// alone returns what a session carries if nothing forwards it.
func alone(rng *rand.Rand, v *session.View, start int64, seconds int) (list []carry) {
	for at := start + rng.Int64N(2e9); at < start+int64(seconds)*second; at += 700e6 + rng.Int64N(2e9) {
		n := uint32(300 + rng.IntN(2500))
		list = append(list, carry{v, at, session.Out, n}, carry{v, at + 150e6, session.In, 2 * n})
	}
	return list
}

func quick() int64 { return 20e6 }

func (s *stage) close(v *session.View) {
	n := *v
	n.State, n.End = session.Closed, s.c.Now
	s.event(detect.SessionState, &n, nil)
	s.event(detect.SessionEnded, &n, nil)
}

const relayTarget = "198.51.100.23:443"

func TestRelayPage(t *testing.T) {
	checkPage(t, "D11", func(t *testing.T) *stage {
		s := newStage(t, legacy())
		near := s.connect(foreign, silent+":22")
		s.wait(10 * second)
		far := s.connect(silent, relayTarget)
		s.activities(relayed(rand.New(rand.NewPCG(1, 1)), near, session.Out, far, s.c.Now+second, 100, quick))
		s.close(near)
		s.wait(second / 5)
		s.close(far)
		return s
	})
}

// TestRelay has a device in several roles carry sessions that belong together or not.
func TestRelay(t *testing.T) {
	const inside, other = "10.20.50.30", "10.20.10.40:5432"
	normal, allowed := legacy(), legacy()
	normal.Expect = contract.Normal
	allowed.Allow = []contract.Rule{{Text: "backup relay", Proto: "tcp", Peer: contract.Peer{Prefix: netip.MustParsePrefix("198.51.100.23/32")}, Ports: [][2]uint16{{443, 443}}}}
	slow := rand.New(rand.NewPCG(5, 5))
	for _, c := range []struct {
		name      string
		entry     contract.Entry
		role      device.Role
		from, to  string
		delay     func() int64
		unrelated bool
		want      string
	}{
		{name: "silent server, outside to outside", entry: legacy(), from: foreign, to: relayTarget, want: "critical"},
		{name: "silent server, outside to inside", entry: legacy(), from: foreign, to: other, want: "critical"},
		{name: "silent server, inside to inside", entry: legacy(), from: inside, to: other, want: "critical"},
		{name: "delayed by up to 500 ms", entry: legacy(), from: foreign, to: relayTarget, delay: func() int64 { return slow.Int64N(500e6) }, want: "critical"},
		{name: "ordinary server, outside to outside", entry: normal, from: foreign, to: relayTarget, want: "critical"},
		{name: "ordinary server, outside to inside", entry: normal, from: foreign, to: other},
		{name: "ordinary server, inside to outside", entry: normal, from: inside, to: relayTarget},
		{name: "ordinary server, inside to inside", entry: normal, from: inside, to: other},
		{name: "sessions that have nothing to do with each other", entry: legacy(), from: foreign, to: relayTarget, unrelated: true},
		{name: "the contract allows the far session", entry: allowed, from: foreign, to: relayTarget},
		{name: "a recorder serves viewers inside", entry: legacy(), role: device.NVR, from: inside, to: other},
		{name: "a recorder, outside to outside", entry: legacy(), role: device.NVR, from: foreign, to: relayTarget, want: "critical"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, c.entry)
			near := s.connect(c.from, silent+":22")
			if d := s.c.Devices.ByIP(netip.MustParseAddr(silent)); c.role != device.Unknown {
				d.Role, d.Level = c.role, device.Identified
			}
			s.wait(10 * second)
			far := s.connect(silent, c.to)
			rng := rand.New(rand.NewPCG(2, 2))
			list := append(alone(rng, near, s.c.Now+second, 110), alone(rng, far, s.c.Now+second, 110)...)
			if c.delay == nil {
				c.delay = quick
			}
			if !c.unrelated {
				list = relayed(rng, near, session.Out, far, s.c.Now+second, 110, c.delay)
			}
			s.activities(list)
			s.wait(minute)
			checkRelay(t, s, c.want)
		})
	}
}

// checkRelay compares the severity of the alert of D11, "" for none.
func checkRelay(t *testing.T, s *stage, want string) {
	t.Helper()
	got := ""
	for _, a := range s.got {
		if a.Rule.ID == "D11" {
			got = a.Severity
		}
	}
	if got != want {
		t.Errorf("severity %q, want %q", got, want)
	}
}

// TestRelayReverse has a server open a tunnel to the outside, through which sessions to a server inside are opened.
func TestRelayReverse(t *testing.T) {
	s := newStage(t, legacy())
	near := s.connect(silent, foreign+":7000")
	s.wait(10 * second)
	far := s.connect(silent, "10.20.10.40:445")
	s.activities(relayed(rand.New(rand.NewPCG(3, 3)), near, session.In, far, s.c.Now+second, 110, quick))
	checkRelay(t, s, "critical")
}

// TestRelayCloudService has a device keep a session with its cloud, which wakes it: it calls other services at once, and other ones at other
// times. When it starts again, all sessions that are left close together. The same calls are a relay if a stranger opened the near session.
func TestRelayCloudService(t *testing.T) {
	for name, c := range map[string]struct {
		from, to, want string
		dir            session.Dir
	}{
		"the device opened the near session": {silent, foreign + ":443", "", session.In},
		"a stranger opened it":               {foreign, silent + ":443", "critical", session.Out},
	} {
		s := newStage(t, legacy())
		cloud := s.connect(c.from, c.to)
		var last *session.View
		for i := range 20 {
			s.wait(50 * second)
			if i%5 == 0 {
				s.activities([]carry{{cloud, s.c.Now + 200e6, c.dir, 900}})
				s.wait(second)
			}
			last = s.view(6, silent, fmt.Sprintf("198.51.100.%d:443", 30+i%3))
			if i%5 == 0 {
				last.Start = s.c.Now - 9600e6 // 200 ms after the cloud spoke
			}
			s.event(detect.SessionOpened, last, nil)
			last.State = session.Established
			s.event(detect.SessionState, last, nil)
			if i < 19 {
				s.close(last)
			}
		}
		s.wait(20 * second)
		s.close(last)
		s.close(cloud)
		t.Run(name, func(t *testing.T) { checkRelay(t, s, c.want) })
	}
}

// TestRelayShortSessions forwards each request in a session of its own: they begin and end together. Without the far sessions, or if they begin
// at other times, there is nothing to report.
func TestRelayShortSessions(t *testing.T) {
	for name, c := range map[string]struct {
		after int64
		want  string
	}{"forwarded": {30e6, "critical"}, "at other times": {11 * second, ""}} {
		s := newStage(t, legacy())
		for i := range 8 {
			near := s.connect(foreign, silent+":1080")
			s.wait(c.after)
			far := s.connect(silent, fmt.Sprintf("10.20.10.%d:80", 40+i))
			s.wait(2 * second)
			s.close(far)
			s.wait(c.after)
			s.close(near)
			s.wait(20 * second)
		}
		t.Run(name, func(t *testing.T) { checkRelay(t, s, c.want) })
	}
}

// TestRelayIsBounded floods the table of devices, and one device with sessions.
func TestRelayIsBounded(t *testing.T) {
	dets, err := detect.New(detect.Config{
		Enabled: func(rule string) bool { return rule == "D11" },
		Params: func(_ string, into any) error {
			p := into.(*detect.RelayParams)
			p.MaxDevices, p.MaxSessions = 10, 4
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, legacy())
	s.dets = dets
	for i := range 100 {
		s.connect(foreign, fmt.Sprintf("10.20.11.%d:22", 1+i))
		s.wait(second)
	}
	if n := detect.Evictions(s.dets); n != 90 {
		t.Errorf("%d evictions, want 90", n)
	}
	near := s.connect(foreign, silent+":22")
	far := s.connect(silent, relayTarget)
	for i := range 3 {
		s.close(s.connect(silent, fmt.Sprintf("198.51.100.%d:80", 30+i)))
	}
	s.activities(relayed(rand.New(rand.NewPCG(4, 4)), near, session.Out, far, s.c.Now+second, 110, quick))
	checkRelay(t, s, "critical")
}
