// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const (
	begin  = int64(1772409600) * second // 2026-03-02 00:00:00 UTC
	minute = 60 * second
	hour   = 60 * minute
)

// bench runs a manager and validates every alert that it emits.
type bench struct {
	t   *testing.T
	m   *Manager
	c   *detect.Context
	got []*schemas.Alert
}

func newBench(t *testing.T, cfg Config, inv *contract.Inventory) *bench {
	t.Helper()
	b := &bench{t: t}
	b.c = &detect.Context{Now: begin, Devices: device.New(device.Config{}), Contracts: contract.New(inv, contract.Config{})}
	b.m = New(cfg, func(a *schemas.Alert) {
		line, err := schemas.AppendAlert(nil, a)
		if err == nil {
			err = schemas.Validate(schemas.KindAlert, line)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		b.got = append(b.got, a)
	})
	b.c.Emit = func(f *detect.Finding) { b.m.Add(f, b.c) }
	return b
}

func (b *bench) wait(ns int64) {
	b.c.Now += ns
	b.m.Tick(b.c.Now, b.c)
}

// lines returns each revision as "action rev severity count".
func (b *bench) lines() []string {
	var out []string
	for _, a := range b.got {
		out = append(out, fmt.Sprintf("%s %d %s %d", a.Action, a.Revision, a.Severity, a.Dedupe.Count))
	}
	return out
}

func (b *bench) want(want ...string) {
	b.t.Helper()
	if got := b.lines(); !slices.Equal(got, want) {
		b.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func rule(id string) detect.Rule {
	for _, r := range detect.Rules() {
		if r.ID == id {
			return r
		}
	}
	panic("no rule " + id)
}

func dev(n uint32) *device.Device {
	return &device.Device{ID: n, Key: fmt.Sprintf("mac:00:00:00:00:00:%02x", n), MAC: packet.MAC{2, 0, 0, 0, 0, byte(n)},
		IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})}, FirstSeen: begin}
}

func (b *bench) finding(id string, d *device.Device, key string, sev detect.Severity) *detect.Finding {
	return &detect.Finding{Rule: rule(id), Device: d, Start: b.c.Now, End: b.c.Now, Key: key, WindowS: 3600, Severity: sev,
		Title: "title", Message: "message", Count: 1}
}

func TestLifeCycle(t *testing.T) {
	d := dev(1)
	for _, c := range []struct {
		name string
		do   func(b *bench)
		want []string
	}{
		{"one", func(b *bench) { b.m.Add(b.finding("D01", d, "k", detect.Medium), b.c) }, []string{"create 1 medium 1"}},
		{"severity rises", func(b *bench) {
			b.m.Add(b.finding("D01", d, "k", detect.Medium), b.c)
			f := b.finding("D01", d, "k", detect.High)
			f.Continues = true
			b.m.Add(f, b.c)
		}, []string{"create 1 medium 1", "update 2 high 1"}},
		{"severity does not fall", func(b *bench) {
			b.m.Add(b.finding("D01", d, "k", detect.High), b.c)
			b.m.Add(b.finding("D01", d, "k", detect.Low), b.c)
			b.wait(2 * minute)
		}, []string{"create 1 high 1", "update 2 high 2"}},
		{"counts are told at 2, 5, 10 and at most once a minute", func(b *bench) {
			for range 12 {
				b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
				b.wait(second)
			}
			b.wait(minute)
		}, []string{"create 1 medium 1", "update 2 medium 12"}},
		{"slowly each step is told", func(b *bench) {
			for range 6 {
				b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
				b.wait(10 * minute)
			}
		}, []string{"create 1 medium 1", "update 2 medium 2", "update 3 medium 5"}},
		{"over when it does not recur", func(b *bench) {
			b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
			b.wait(59 * minute)
			b.wait(2 * minute)
			b.wait(hour)
		}, []string{"create 1 medium 1", "close 2 medium 1"}},
		{"recurrence moves the end", func(b *bench) {
			b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
			b.wait(50 * minute)
			b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
			b.wait(50 * minute)
			b.wait(20 * minute)
		}, []string{"create 1 medium 1", "update 2 medium 2", "close 3 medium 2"}},
		{"what recurs for ever is begun anew", func(b *bench) {
			for range 16 {
				b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
				b.wait(30 * minute)
			}
		}, []string{"create 1 medium 1", "update 2 medium 2", "update 3 medium 5", "update 4 medium 10", "close 5 medium 14", "create 1 medium 1", "update 2 medium 2"}},
		{"end of the run tells what was held back, and closes nothing", func(b *bench) {
			b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
			b.m.Add(b.finding("D06", d, "k", detect.Medium), b.c)
			b.m.Add(b.finding("D06", d, "other", detect.Medium), b.c)
			b.m.Close(b.c.Now, b.c)
		}, []string{"create 1 medium 1", "create 1 medium 1", "update 2 medium 2"}},
		{"what goes on from nothing is nothing", func(b *bench) {
			f := b.finding("D01", d, "k", detect.High)
			f.Continues = true
			b.m.Add(f, b.c)
		}, nil},
		{"keys are distinct", func(b *bench) {
			b.m.Add(b.finding("D01", d, "a", detect.Low), b.c)
			b.m.Add(b.finding("D01", d, "b", detect.Low), b.c)
			b.m.Add(b.finding("D01", dev(2), "a", detect.Low), b.c)
			b.m.Add(b.finding("D06", d, "a", detect.Low), b.c)
		}, []string{"create 1 low 1", "create 1 low 1", "create 1 low 1", "create 1 low 1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, Config{}, nil)
			c.do(b)
			b.want(c.want...)
			b.revisionsCountUp()
		})
	}
}

func (b *bench) revisionsCountUp() {
	b.t.Helper()
	ids := map[string]int{}
	for _, a := range b.got {
		if a.Revision != ids[a.ID]+1 {
			b.t.Errorf("revision %d of %s follows %d", a.Revision, a.ID, ids[a.ID])
		}
		ids[a.ID] = a.Revision
	}
}

func TestIDsAreDerived(t *testing.T) {
	run := func(shift int64) []string {
		b := newBench(t, Config{}, nil)
		b.c.Now += shift
		for i := range 3 {
			b.m.Add(b.finding("D01", dev(1), fmt.Sprint(i), detect.Low), b.c)
			b.m.Add(b.finding("D06", dev(2), fmt.Sprint(i), detect.Low), b.c)
		}
		var ids []string
		for _, a := range b.got {
			ids = append(ids, a.ID+" "+a.IncidentID)
		}
		return ids
	}
	if a, b := run(0), run(0); !slices.Equal(a, b) {
		t.Errorf("the same findings gave %v and %v", a, b)
	}
	seen := map[string]bool{}
	for _, id := range append(run(0), run(second)...) {
		if seen[id[:26]] {
			t.Errorf("%s twice", id)
		}
		seen[id[:26]] = true
	}
	if a, b := derive("x", 0, "a", "bc"), derive("x", 0, "ab", "c"); a == b {
		t.Error("the border between the parts is lost")
	}
}

func TestRollUp(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	for i := range 200 {
		f := b.finding("D01", d, fmt.Sprintf("203.0.113.%d:80/tcp", i), detect.Medium)
		f.Peer = &detect.Peer{IP: fmt.Sprintf("203.0.113.%d", i), Port: 80, External: true}
		f.Entities = []string{"ip:" + f.Peer.IP}
		b.m.Add(f, b.c)
	}
	b.m.Close(b.c.Now, b.c)
	ids := map[string]*schemas.Alert{}
	for _, a := range b.got {
		ids[a.ID] = a
	}
	if len(ids) != 65 {
		t.Fatalf("200 peers are %d alerts, want 64 and one for the rest", len(ids))
	}
	last := b.got[len(b.got)-1]
	if last.Dedupe.Key != "more" || last.Dedupe.Count != 136 || last.Session != nil || last.Peer.Port != nil {
		t.Errorf("the one for the rest: %+v", last.Dedupe)
	}
	if n := len(last.Entities); n > maxEntities || !slices.Contains(last.Entities, "ip:203.0.113.100") {
		t.Errorf("%d search keys", n)
	}
	if s := b.m.Stats(); s.RolledUp != 136 || s.Alerts != 65 {
		t.Errorf("%+v", s)
	}
}

func TestFloodIsBounded(t *testing.T) {
	m := New(Config{MaxOpen: 500, MaxIncidents: 300}, func(*schemas.Alert) {})
	c := &detect.Context{Now: begin, Devices: device.New(device.Config{}), Contracts: contract.New(nil, contract.Config{})}
	for i := range 20_000 {
		d := &device.Device{ID: uint32(i), Key: fmt.Sprintf("mac:%d", i)}
		m.Add(&detect.Finding{Rule: rule("D07"), Device: d, Key: "probes", WindowS: 3600, Start: c.Now, Severity: detect.Informational,
			Standing: i%2 == 0, Title: "t", Message: "m", Count: 1}, c)
		c.Now += 1000
	}
	if len(m.open) > 500 || m.order.Len() > 500 || len(m.perRule) > 500 || len(m.incidents.byDevice) > 300 || m.standing.Len() > maxStandingDevices {
		t.Errorf("open %d, rules %d, incidents %d", len(m.open), len(m.perRule), len(m.incidents.byDevice))
	}
	if len(m.due) > 500 {
		t.Errorf("%d entries wait for an alert that is gone", len(m.due))
	}
	s := m.Stats()
	if s.Evicted != 20_000-500 || s.IncidentsEvicted != 20_000-300 {
		t.Errorf("%+v", s)
	}
}

func TestSeverityByImportanceAndMaintenance(t *testing.T) {
	d := dev(1)
	for _, c := range []struct {
		criticality string
		maintenance bool
		in, want    detect.Severity
	}{
		{"", false, detect.Medium, detect.Medium},
		{"critical", false, detect.Medium, detect.High},
		{"critical", false, detect.Informational, detect.Informational},
		{"low", false, detect.High, detect.Medium},
		{"low", false, detect.Critical, detect.Critical},
		{"high", true, detect.High, detect.Low},
		{"", true, detect.Critical, detect.Critical},
	} {
		inv := &contract.Inventory{Devices: []contract.Entry{{Name: "x", Match: contract.Match{MAC: d.MAC}, Criticality: c.criticality, Owner: "somebody"}}}
		b := newBench(t, Config{}, inv)
		f := b.finding("D01", d, "k", c.in)
		f.Maintenance = c.maintenance
		b.m.Add(f, b.c)
		if got := b.got[0].Severity; got != c.want.String() {
			t.Errorf("%+v: %s", c, got)
		}
	}
	b := newBench(t, Config{Severity: map[string]detect.Severity{"D01": detect.Low}}, nil)
	b.m.Add(b.finding("D01", d, "k", detect.Critical), b.c)
	b.want("create 1 low 1")
}

func TestHostileTextIsMadeSafe(t *testing.T) {
	b := newBench(t, Config{}, nil)
	evil := "\x1b[2J\x00\xff\u202e" + strings.Repeat("A", 5000)
	d := dev(1)
	d.Key, d.Vendor, d.Model = "host"+evil, evil, evil
	d.Evidence = []device.Evidence{{Source: "dhcp_hostname", Value: "x", Says: "role=server"}}
	f := b.finding("D01", d, evil, detect.High)
	f.Title, f.Message, f.Broken, f.Recommendation = evil, evil, evil, evil
	f.Peer = &detect.Peer{IP: "198.51.100.1", Name: evil, NameSource: "dns"}
	f.Reasons = []detect.Reason{{Code: "x", Text: evil}}
	f.Evidence = []detect.Evidence{{Kind: "x", Summary: evil}}
	f.Entities = []string{"domain:" + evil}
	b.m.Add(f, b.c)
	line, err := schemas.AppendAlert(nil, b.got[0])
	if err != nil {
		t.Fatal(err)
	}
	if s := string(line); strings.ContainsAny(s, "\x1b\x00") || strings.Contains(s, "\u202e") || strings.Contains(s, `\u001b`) || len(s) > 40_000 {
		t.Errorf("%d bytes: %.200s", len(s), s)
	}
}

func TestEvidenceTime(t *testing.T) {
	b := newBench(t, Config{}, nil)
	f := b.finding("D01", dev(1), "a", detect.High)
	f.Evidence = []detect.Evidence{{Kind: "session", Summary: "s"}}
	b.m.Add(f, b.c)
	if e := b.got[0].Evidence[0]; e.Time == nil || *e.Time != schemas.Time(f.Start) {
		t.Errorf("%+v", e)
	}
}

func TestFindingAboutTheSensor(t *testing.T) {
	b := newBench(t, Config{Sensor: schemas.AlertSensor{ID: "s1"}}, nil)
	b.m.Add(b.finding("D41", nil, "gaps", detect.High), b.c)
	if k := b.got[0].Device.Key; k != "sensor:s1" {
		t.Error(k)
	}
}

func TestAlertHasCaptureQuality(t *testing.T) {
	b := newBench(t, Config{}, nil)
	b.c.Quality = detect.Quality{OneWay: true, LossRatio: 0.25}
	b.m.Add(b.finding("D01", dev(1), "k", detect.High), b.c)
	a := b.got[0]
	if !a.Sensor.OneWay || a.Sensor.LossRatio != 0.25 || a.Confidence != 47 { // 0.85 · (1 − 0.25 − 0.2)
		t.Errorf("%+v, confidence %d", a.Sensor, a.Confidence)
	}
}

func TestAlertShowsAnsweredSession(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	v := &session.View{ID: 1, Start: b.c.Now, End: b.c.Now, Proto: 6, HasPorts: true, Initiator: session.Endpoint{Addr: packet.AddrOf(d.IP()), Port: 1},
		Responder: session.Endpoint{Addr: packet.AddrOf(netip.MustParseAddr("198.51.100.1")), Port: 2}}
	f := b.finding("D01", d, "k", detect.Medium)
	f.Session = v
	b.m.Add(f, b.c)
	w := *v
	w.State, w.Packets, w.PayloadBytes = session.Closed, [2]uint64{3, 3}, [2]uint64{7, 9}
	g := b.finding("D01", d, "k", detect.High)
	g.Session, g.Continues = &w, true
	b.m.Add(g, b.c)
	last := b.got[len(b.got)-1]
	if last.Session.State != "closed" || last.Session.PayloadBytesIn != 9 || last.Dedupe.Count != 1 {
		t.Errorf("%+v", last.Session)
	}
}

func TestDeviceRecordHasStandingFacts(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	for range 3 {
		f := b.finding("D07", d, "22/tcp", detect.High)
		f.Standing = true
		b.m.Add(f, b.c)
		b.wait(hour / 2)
	}
	list := b.m.Standing(d.Key)
	if len(list) != 1 || list[0].FirstSeen != schemas.Time(begin) || list[0].LastSeen <= list[0].FirstSeen {
		t.Errorf("%+v", list)
	}
	if !reflect.DeepEqual(b.m.Standing("nobody"), []schemas.DeviceFinding(nil)) {
		t.Error("standing facts of nobody")
	}
}
