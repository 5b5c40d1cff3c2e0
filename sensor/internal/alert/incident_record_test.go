// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
)

// newIncidentBench returns a bench and the list of the incident records that it emits. Each record is checked against the schema.
func newIncidentBench(t *testing.T, cfg Config) (*bench, *[]schemas.Incident) {
	t.Helper()
	got := &[]schemas.Incident{}
	cfg.Incident = func(i *schemas.Incident) {
		line, err := schemas.AppendIncident(nil, i)
		if err == nil {
			err = schemas.Validate(schemas.KindIncident, line)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		*got = append(*got, *i)
	}
	return newBench(t, cfg, nil), got
}

// addStage adds a finding about device n, and lets one second pass.
func (b *bench) addStage(rule, key string, n uint32, sev detect.Severity, stage detect.Stage, title string) {
	f := b.finding(rule, dev(n), key, sev)
	f.Stage, f.Reliability, f.Title = stage, 0.9, title
	f.Peer = &detect.Peer{IP: key, External: true}
	f.Related = nil
	b.m.Add(f, b.c)
	b.wait(second)
}

func TestIncidentRecord(t *testing.T) {
	b, got := newIncidentBench(t, Config{})
	b.addStage("D34", "new", 1, detect.Informational, detect.StageNone, "a new device")
	if len(*got) != 0 {
		t.Fatalf("an informational alert alone has the record %+v", *got)
	}
	b.addStage("D09", "203.0.113.66", 1, detect.Medium, detect.StageGuessed, "203.0.113.66 guesses")
	b.addStage("D08", "203.0.113.67", 1, detect.Critical, detect.StageLogin, "203.0.113.67 logs in")
	b.addStage("D13", "10.0.0.9", 1, detect.High, detect.StageDiscovery, "the device scans")
	b.addStage("D01", "198.51.100.9", 1, detect.High, detect.StageOutbound, "the device connects")
	last := (*got)[len(*got)-1]
	if n := len(*got); n != 4 || last.Revision != n || (*got)[0].Action != "create" || last.Action != "update" {
		t.Fatalf("%d records, the last is revision %d, %s", n, last.Revision, last.Action)
	}
	var stages, texts []string
	for _, s := range last.Stages {
		stages = append(stages, s.Stage)
	}
	for _, s := range last.Narrative {
		texts = append(texts, s.Text)
	}
	if want := []string{"guess", "login", "discovery", "outbound"}; !slices.Equal(stages, want) {
		t.Errorf("stages %v, want %v", stages, want)
	}
	if want := []string{"203.0.113.66 guesses.", "203.0.113.67 logs in.", "the device scans.", "the device connects."}; !slices.Equal(texts, want) {
		t.Errorf("narrative %q, want %q", texts, want)
	}
	if last.Severity != "critical" || last.Probability < 0.95 || last.AlertsTotal != 6 || len(last.Alerts) != 6 { // with D42 and D34
		t.Errorf("severity %s, probability %v, %d alerts, ids %v", last.Severity, last.Probability, last.AlertsTotal, last.Alerts)
	}
	if last.ID != b.got[0].IncidentID || len(last.Devices) != 1 || last.Devices[0].Part != "stepping_stone" {
		t.Errorf("id %s, devices %+v", last.ID, last.Devices)
	}
	if want := netip.MustParseAddr("203.0.113.66"); len(last.Peers) == 0 || last.Peers[0].IP != want {
		t.Errorf("peers %+v, want %s first", last.Peers, want)
	}
}

// An incident that is over, or that the table evicts, is closed, once.
func TestIncidentRecordIsClosed(t *testing.T) {
	b, got := newIncidentBench(t, Config{MaxIncidents: 2})
	b.addStage("D01", "198.51.100.9", 1, detect.High, detect.StageOutbound, "the device connects")
	b.addStage("D01", "198.51.100.9", 2, detect.High, detect.StageOutbound, "another connects")
	b.addStage("D01", "198.51.100.9", 3, detect.High, detect.StageOutbound, "a third one connects")
	if last := (*got)[len(*got)-2:]; last[0].Action != "close" || last[0].ID != (*got)[0].ID || last[1].Action != "create" {
		t.Errorf("the evicted incident ends with %s of %s, then %s", last[0].Action, last[0].ID, last[1].Action)
	}
	b.wait(incidentWindow + second)
	closed := map[string]int{}
	for _, i := range *got {
		if i.Action == "close" {
			closed[i.ID]++
		}
	}
	if len(closed) != 3 || closed[(*got)[0].ID] != 1 {
		t.Errorf("closed %v, want each of three once", closed)
	}
}

// Findings that change nothing give a revision each minute at most, however many they are.
func TestIncidentRecordOfFlood(t *testing.T) {
	b, got := newIncidentBench(t, Config{})
	for i := range 3000 {
		f := b.finding("D01", dev(1), fmt.Sprintf("198.51.%d.%d", i/250, i%250), detect.High)
		b.m.Add(f, b.c)
		if i%10 == 9 {
			b.wait(second)
		}
	}
	b.m.Close(b.c.Now, b.c)
	if n := len(*got); n > 12 { // five minutes
		t.Errorf("%d revisions in five minutes", n)
	}
	if last := (*got)[len(*got)-1]; len(last.Alerts) > maxIncidentAlerts || last.AlertsTotal < 1 || strings.Contains(last.Title, "tell one story") {
		t.Errorf("%d ids, %d alerts, title %q", len(last.Alerts), last.AlertsTotal, last.Title)
	}
}
