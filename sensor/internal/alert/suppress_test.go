// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// ruling is a set of policies: those that are active, and what each suppresses.
type ruling struct {
	hash string
	by   map[string]func(*detect.Finding) bool
}

func (r *ruling) Suppresses(f *detect.Finding, _ *detect.Context) string {
	for id, about := range r.by {
		if about(f) {
			return id
		}
	}
	return ""
}

func (r *ruling) Holds(id string) bool { return r.by[id] != nil }
func (r *ruling) Hash() string         { return r.hash }

func (r *ruling) set(hash string, about func(*detect.Finding) bool) {
	r.hash, r.by = hash, map[string]func(*detect.Finding) bool{}
	if about != nil {
		r.by["p-"+hash] = about
	}
}

// suppressions returns each revision as "rule action by".
func (b *bench) suppressions() (out []string) {
	for _, a := range b.got {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", a.Rule.ID, a.Action, a.SuppressedBy)))
	}
	return out
}

func (b *bench) wantSuppressions(want ...string) {
	b.t.Helper()
	if got := b.suppressions(); !slices.Equal(got, want) {
		b.t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestSuppressedAlerts(t *testing.T) {
	r := &ruling{}
	r.set("1", func(f *detect.Finding) bool { return f.Title == "known" })
	b := newBench(t, Config{Policies: r}, nil)
	add := func(title string, sev detect.Severity) {
		f := b.finding("D01", dev(1), "k", sev)
		f.Title = title
		b.m.Add(f, b.c)
	}
	add("known", detect.Low)
	add("known", detect.Medium)
	add("new", detect.Medium) // an alert to act on from now on
	add("known", detect.High) // and it stays one
	r.set("2", r.by["p-1"])   // until the analyst decides again
	add("known", detect.Critical)
	b.wait(minute)
	r.set("3", nil) // or takes the policy back
	b.wait(2 * hour)
	b.wantSuppressions("D01 create p-1", "D01 update p-1", "D01 update", "D01 update", "D01 update p-2", "D01 close")
	for _, a := range b.got {
		if a.Sensor.PolicyHash == "" {
			t.Errorf("revision %d has no hash of the policies", a.Revision)
		}
	}
	if n := b.m.Stats().Suppressed; n != 4 {
		t.Errorf("%d findings were suppressed", n)
	}
}

// TestSuppressedAlertsHideNothing checks that an alert to act on is never part of a suppressed one.
func TestSuppressedAlertsHideNothing(t *testing.T) {
	known := func(f *detect.Finding) bool { return f.Peer != nil && f.Peer.IP <= "198.51.100.5" }
	r := &ruling{}
	r.set("1", known)
	b := newBench(t, Config{Policies: r, PerDevice: 3}, nil)
	for host := 1; host <= 9; host++ {
		b.m.Add(b.tries(host, 22, session.Established), b.c)
		b.wait(second)
	}
	b.m.Close(b.c.Now, b.c)
	for _, a := range b.got {
		if a.AbsorbedBy == "" {
			continue
		}
		for _, x := range b.got {
			if x.ID == a.AbsorbedBy && (x.SuppressedBy == "") != (a.SuppressedBy == "") {
				t.Errorf("%q (by %q) is in %q (by %q)", a.Title, a.SuppressedBy, x.Title, x.SuppressedBy)
			}
		}
	}
	hosts := map[string]map[bool]bool{} // address to whether an alert with that state names it
	for _, a := range b.got {
		for _, e := range a.Entities {
			if hosts[e] == nil {
				hosts[e] = map[bool]bool{}
			}
			hosts[e][a.SuppressedBy == ""] = true
		}
	}
	for host := 1; host <= 9; host++ {
		e := fmt.Sprintf("ip:198.51.100.%d", host)
		if wantAct := host > 5; !hosts[e][wantAct] || hosts[e][!wantAct] {
			t.Errorf("%s: %v, want only alerts to act on: %v", e, hosts[e], wantAct)
		}
	}
}

// TestSuppressedFindingsInIncidents checks that an incident tells suppressed alerts, and that they are no evidence of an attack.
func TestSuppressedFindingsInIncidents(t *testing.T) {
	stages := func(b *bench) {
		b.addStage("D08", "l", 1, detect.High, detect.StageLogin, "somebody logged in to it")
		b.wait(minute)
		b.addStage("D13", "s", 1, detect.High, detect.StageDiscovery, "it scans")
		b.wait(2 * minute)
	}
	r := &ruling{}
	b, got := newIncidentBench(t, Config{Policies: r})
	stages(b)
	if last := (*got)[len(*got)-1]; !slices.ContainsFunc(b.got, func(a *schemas.Alert) bool { return a.Rule.ID == "D42" }) || last.Severity == "medium" {
		t.Fatalf("without a policy there is no chain: %+v", last)
	}
	all := last(got).Probability
	r = &ruling{}
	r.set("1", func(f *detect.Finding) bool { return f.Rule.ID == "D08" })
	b, got = newIncidentBench(t, Config{Policies: r})
	stages(b)
	x := last(got)
	told := ""
	for _, n := range x.Narrative {
		told += n.Text + "\n"
	}
	if !strings.Contains(told, "logged in to it (suppressed)") || !strings.Contains(told, "it scans.") || x.Probability >= all || x.Sensor.PolicyHash != "1" {
		t.Errorf("probability %v, without the policy %v; %s", x.Probability, all, told)
	}
	r.set("1", func(*detect.Finding) bool { return true })
	b, got = newIncidentBench(t, Config{Policies: r})
	if stages(b); len(*got) > 0 {
		t.Errorf("an incident of suppressed alerts: %+v", *got)
	}
}

func last(all *[]schemas.Incident) schemas.Incident { return (*all)[len(*all)-1] }
