// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"math"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

// The example of docs/alerts.md, worked by hand.
func TestChainArithmetic(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	add := func(id, key string, sev detect.Severity, stage detect.Stage, r float64, standing bool) {
		f := b.finding(id, d, key, sev)
		f.Stage, f.Reliability, f.Standing = stage, r, standing
		b.m.Add(f, b.c)
		b.c.Now += minute
	}
	add("D07", "22/tcp", detect.High, detect.StageScanned, 0.4, true)
	add("D08", "203.0.113.66", detect.Critical, detect.StageLogin, 0.7, false)
	if n := len(b.got); n != 2 {
		t.Fatalf("%d alerts, want no chain yet", n)
	}
	add("D01", "198.51.100.23:443/tcp", detect.High, detect.StageOutbound, 0.85, false)
	chain := b.got[len(b.got)-1]
	// 1 − (1−0.7)(1−0.85)(1−0.4) = 0.973; three stages in order halve the doubt twice: 1 − 0.027/4 = 0.99325.
	in := b.m.incidents.byDevice[d.Key]
	if p, stages := in.probability(); math.Abs(p-0.99325) > 1e-9 || stages != 3 {
		t.Errorf("P %v, stages %d", p, stages)
	}
	if chain.Rule.ID != "D42" || chain.Severity != "critical" || chain.RiskScore != 99 || len(chain.Evidence) != 3 {
		t.Errorf("%+v", chain)
	}
	for _, a := range b.got {
		if a.IncidentID != chain.IncidentID {
			t.Errorf("%s is another incident", a.Rule.ID)
		}
	}
}

// The last revision of a chain has its final probability, although a rise alone is reported late.
func TestLastChainRevisionHasFinalProbability(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	for _, id := range []string{"D08", "D09"} {
		f := b.finding(id, d, "k", detect.High)
		f.Reliability = 0.7
		b.m.Add(f, b.c)
	}
	f := b.finding("D08", d, "k", detect.High)
	f.Reliability, f.Continues = 0.8, true
	b.m.Add(f, b.c)
	n := len(b.got)
	b.m.Close(b.c.Now, b.c)
	last := b.got[len(b.got)-1]
	if len(b.got) == n || last.Rule.ID != "D42" || last.RiskScore != 94 || last.Revision != 2 { // 1 − 0.2 · 0.3
		t.Errorf("%s %d revision %d", last.Rule.ID, last.RiskScore, last.Revision)
	}
}

func TestWeakFindingsRaiseNoChain(t *testing.T) {
	in := &incident{}
	for i := range 20 {
		in.add(member{rule: fmt.Sprintf("D%02d", i), device: "d", sev: detect.High, standing: true, r: 0.9, q: 1, stage: detect.Stage(1 + i%7)})
	}
	if p, _ := in.probability(); p > 0.6+1e-9 {
		t.Errorf("standing findings alone make P %v", p)
	}
	in.add(member{rule: "D99", device: "d", sev: detect.Informational, r: 0.9, q: 1})
	if p, _ := in.probability(); p > 0.6+1e-9 {
		t.Errorf("with an informational one P %v", p)
	}
}

func TestProbability(t *testing.T) {
	high := func(r string, w float64, at int64, s detect.Stage) member {
		return member{rule: r, device: "d", sev: detect.High, r: w, q: 1, at: at, stage: s}
	}
	for _, c := range []struct {
		name   string
		ms     []member
		p      float64
		stages int
	}{
		{"one", []member{high("D01", 0.85, 1, detect.StageOutbound)}, 0.85, 1},
		{"one rule again counts once", []member{high("D01", 0.85, 1, 0), high("D01", 0.6, 2, 0)}, 0.85, 0},
		{"in order", []member{high("D08", 0.5, 1, detect.StageLogin), high("D01", 0.5, 2, detect.StageOutbound)}, 0.875, 2},
		{"out of order", []member{high("D08", 0.5, 2, detect.StageLogin), high("D01", 0.5, 1, detect.StageOutbound)}, 0.75, 1},
		{"poor capture", []member{{rule: "D01", sev: detect.High, r: 0.8, q: 0.5}}, 0.4, 0},
		{"medium counts less", []member{{rule: "D01", sev: detect.Medium, r: 0.8, q: 1}}, 0.48, 0},
	} {
		in := &incident{}
		for _, x := range c.ms {
			in.add(x)
		}
		if p, stages := in.probability(); math.Abs(p-c.p) > 1e-9 || stages != c.stages {
			t.Errorf("%s: P %v stages %d, want %v and %d", c.name, p, stages, c.p, c.stages)
		}
	}
}

// Somebody logs in to the platform, and from there reaches the cameras: one incident.
func TestIncidentFollowsTheIntruder(t *testing.T) {
	b := newBench(t, Config{}, nil)
	vms, cams := dev(1), []*device.Device{dev(11), dev(12), dev(13)}
	exposed := b.finding("D07", cams[1], "80/tcp", detect.Medium)
	exposed.Standing, exposed.Stage = true, detect.StageScanned
	b.m.Add(exposed, b.c)
	b.c.Now += minute
	login := b.finding("D08", vms, "203.0.113.140", detect.Critical)
	login.Stage = detect.StageLogin
	b.m.Add(login, b.c)
	for _, cam := range cams {
		b.c.Now += minute
		f := b.finding("D08", cam, "10.0.0.1", detect.Medium)
		f.Stage, f.Peer = detect.StageLogin, &detect.Peer{IP: "10.0.0.1", Device: vms}
		b.m.Add(f, b.c)
	}
	stranger := b.finding("D13", dev(99), "hosts", detect.High)
	b.m.Add(stranger, b.c)
	want := b.got[1].IncidentID
	for i, a := range b.got {
		joins := a.Device.Key != dev(99).Key && i > 0
		if (a.IncidentID == want) != joins {
			t.Errorf("alert %d about %s is in the wrong incident", i, a.Device.Key)
		}
	}
}

func TestIncidentEnds(t *testing.T) {
	b := newBench(t, Config{}, nil)
	d := dev(1)
	b.m.Add(b.finding("D01", d, "a", detect.High), b.c)
	b.wait(25 * hour)
	b.m.Add(b.finding("D01", d, "b", detect.High), b.c)
	f := b.finding("D07", d, "22/tcp", detect.High)
	f.Standing = true
	b.m.Add(f, b.c)
	b.wait(6 * 24 * hour)
	b.m.Add(b.finding("D01", d, "c", detect.High), b.c)
	var ids []string
	for _, a := range b.got {
		if a.Action == "create" && a.Rule.ID == "D01" {
			ids = append(ids, a.IncidentID)
		}
	}
	if ids[0] == ids[1] || ids[1] != ids[2] {
		t.Errorf("incidents %v: the second must be new, the third the same for a standing finding", ids)
	}
}

// A flood of minor findings evicts minor incidents, not the one with an intrusion.
func TestSevereIncidentsAreEvictedLast(t *testing.T) {
	b := newBench(t, Config{MaxIncidents: 10}, nil)
	taken := dev(1)
	b.m.Add(b.finding("D01", taken, "a", detect.High), b.c)
	story := b.got[0].IncidentID
	for i := range uint32(100) {
		b.c.Now += second
		b.m.Add(b.finding("D34", dev(i+2), "new", detect.Low), b.c)
	}
	if s := b.m.Stats(); s.IncidentsEvicted != 91 || b.m.incidents.len() != 10 {
		t.Errorf("%+v, %d held", s, b.m.incidents.len())
	}
	b.m.Add(b.finding("D13", taken, "b", detect.Medium), b.c)
	for _, a := range b.got {
		if a.Rule.ID == "D13" && a.IncidentID != story {
			t.Error("the story was forgotten")
		}
	}
	for i := range uint32(30) {
		b.m.Add(b.finding("D01", dev(i+200), "a", detect.Critical), b.c)
	}
	if n := b.m.incidents.len(); n != 10 {
		t.Errorf("%d incidents of 10", n)
	}
	b.wait(25 * hour)
	if n := b.m.incidents.len(); n != 0 {
		t.Errorf("%d incidents a day later", n)
	}
}
