// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const (
	begin  = int64(1772409600) * second // 2026-03-02 00:00:00 UTC
	second = int64(1e9)
	minute = 60 * second
	hour   = 60 * minute
)

// stage plays a scene through the real device registry, contracts, detectors and alert manager.
type stage struct {
	c    detect.Context
	dets []detect.Detector
	m    *alert.Manager
	num  uint64
	got  []*schemas.Alert

	change func(*session.View) // changes each session that is opened; nil: nothing
}

func newStage(t *testing.T, entries ...contract.Entry) *stage {
	t.Helper()
	dets, err := detect.New(detect.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var names []device.Named
	for i := range entries {
		entries[i].HasExpect = true
		names = append(names, device.Named{Name: entries[i].Name, IP: entries[i].Match.IP})
	}
	var inv *contract.Inventory
	if len(entries) > 0 {
		inv = &contract.Inventory{Devices: entries}
	}
	s := &stage{dets: dets}
	s.m = alert.New(alert.Config{Replay: true, Sensor: schemas.AlertSensor{ID: "sensor-1", Site: "hq", Capture: "file"}}, func(a *schemas.Alert) {
		s.got = append(s.got, a)
		detect.CheckAlert(t, a.Rule.ID, a.Title, a.Message, a.Recommendation, a.Device.Role)
	})
	s.c = detect.Context{Now: begin, Devices: device.New(device.Config{Named: names}), Contracts: contract.New(inv, contract.Config{}), Names: enrich.NewNames(0)}
	s.c.Emit = func(f *detect.Finding) {
		s.c.Doubt(f)
		s.m.Add(f, &s.c)
	}
	return s
}

func (s *stage) wait(ns int64) {
	s.c.Now += ns
	s.c.Contracts.Learner().Tick(s.c.Now)
	for _, d := range s.dets {
		d.Tick(s.c.Now, &s.c)
	}
	s.m.Tick(s.c.Now, &s.c)
}

// view returns a session that is just being opened.
func (s *stage) view(proto uint8, from, to string) *session.View {
	s.num++
	dst, src := netip.MustParseAddrPort(to), netip.MustParseAddr(from)
	mac := func(a netip.Addr) packet.MAC {
		if b := a.As4(); a.IsPrivate() {
			return packet.MAC{0x90, 0x01, 0x02, b[1], b[2], b[3]} // no vendor's prefix: the pages must not depend on evidence
		}
		return packet.MAC{0, 0x1b, 0x54, 0, 0, 1}
	}
	v := &session.View{ID: s.num, Start: s.c.Now, End: s.c.Now, Proto: proto, HasPorts: true, SynSeq: 1, SynOptLen: 20, Packets: [2]uint64{1, 0},
		Initiator: session.Endpoint{Addr: packet.AddrOf(src), MAC: mac(src), Port: uint16(40000 + s.num)},
		Responder: session.Endpoint{Addr: packet.AddrOf(dst.Addr()), MAC: mac(dst.Addr()), Port: dst.Port()}}
	if proto == 17 {
		v.Basis = session.BasisFirstPacket
	}
	return v
}

var steps = map[detect.Kind]device.Step{detect.SessionOpened: device.Opened, detect.SessionState: device.StateChanged,
	detect.SessionFact: device.FactRead, detect.SessionProgress: device.Progress, detect.SessionEnded: device.Ended}

func (s *stage) event(k detect.Kind, v *session.View, f dissect.Fact) {
	var app *fingerprint.App
	e := &detect.Event{Kind: k, Time: s.c.Now, Session: v, Fact: f, FactDir: session.In}
	if f != nil {
		e.App = app.With(f)
	}
	_, e.Named = f.(*dissect.AppID)
	e.Initiator, e.Responder = s.c.Devices.Session(steps[k], v, e.App, s.c.Now)
	e.Opening = s.c.Devices.Opening(v)
	s.c.Begin()
	detect.NewWatch(s.dets).Observe(e, &s.c)
	s.c.Learn(e)
}

func (s *stage) open(proto uint8, from, to string) *session.View {
	v := s.view(proto, from, to)
	if s.change != nil {
		s.change(v)
	}
	s.event(detect.SessionOpened, v, nil)
	return v
}

func (s *stage) connect(from, to string) *session.View {
	v := *s.open(6, from, to)
	v.State, v.Packets[1] = session.Established, 1
	s.event(detect.SessionState, &v, nil)
	return &v
}

func (s *stage) attempt(from, to string) {
	v := *s.open(6, from, to)
	s.event(detect.SessionEnded, &v, nil)
}

func (s *stage) end(v *session.View, out, in uint64) {
	n := *v
	n.State, n.End, n.Packets, n.PayloadBytes = session.Closed, s.c.Now, [2]uint64{out/1400 + 3, in/1400 + 3}, [2]uint64{out, in}
	n.IPBytes = [2]uint64{out + 40*n.Packets[0], in + 40*n.Packets[1]}
	s.event(detect.SessionEnded, &n, nil)
}

// want checks the alerts of a rule by their last revision: "severity key count".
func (s *stage) want(t *testing.T, rule string, want ...string) {
	t.Helper()
	s.m.Close(s.c.Now, &s.c)
	var ids, got []string
	for _, a := range s.got {
		if a.Rule.ID != rule {
			continue
		}
		text := fmt.Sprintf("%s %s %d", a.Severity, a.Dedupe.Key, a.Dedupe.Count)
		if i := slices.Index(ids, a.ID); i >= 0 {
			got[i] = text
		} else {
			ids, got = append(ids, a.ID), append(got, text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", rule, got, want)
	}
}

const (
	silent  = "10.20.10.17"
	foreign = "203.0.113.66"
)

func legacy() contract.Entry {
	return contract.Entry{Name: "srv-legacy-07", Match: contract.Match{IP: netip.MustParseAddr(silent)}, Expect: contract.Silent,
		Owner: "infrastructure team", Criticality: "high"}
}

// No password is written into an alert: facts hold none, and the hint of a user name is not written either.
func TestAlertsHoldNoSecrets(t *testing.T) {
	s := newStage(t, legacy())
	for range 20 {
		v := s.connect(foreign, silent+":80")
		s.event(detect.SessionFact, v, &dissect.HTTPExchange{Method: "GET", URI: "/", AuthScheme: "basic", AuthUserHint: "ZQ", AuthResult: dissect.OutcomeFailure})
		s.event(detect.SessionFact, v, &dissect.HTTPExchange{Method: "GET", URI: "/", AuthScheme: "basic", AuthUserHint: "ZQ", AuthResult: dissect.OutcomeSuccess})
		s.wait(second)
	}
	for _, a := range s.got {
		line, _ := schemas.AppendAlert(nil, a)
		if strings.Contains(string(line), "ZQ") {
			t.Errorf("the hint is in %s", line)
		}
	}
	if len(s.got) == 0 {
		t.Error("no alert at all")
	}
}
