// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/selection"
)

// written is what a run has written: sessions by Community ID and start, alerts by id, keys of devices.
type written struct {
	sessions map[string]schemas.Session
	openers  map[string]string
	alerts   map[string]string
	devices  []string
	pipeline.Summary
}

// selected replays a capture with a selection.
func selected(t *testing.T, path, filter string, records *selection.Records) (w written) {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	cfg := pipeline.Config{Settings: config.Defaults(), Shards: 2, Replay: true, Records: records}
	if filter != "" {
		if cfg.Filter, err = selection.ParseFilter(filter); err != nil {
			t.Fatal(err)
		}
	}
	w.sessions, w.openers, w.alerts = map[string]schemas.Session{}, map[string]string{}, map[string]string{}
	r, err := pipeline.New(cfg, src, pipeline.Output{
		Session: func(s *schemas.Session) error {
			id := s.CommunityID + " " + s.Start.String()
			w.sessions[id] = detached(*s)
			w.openers[id] = string(schemas.AppendSession(nil, s))
			return nil
		},
		Alert: func(a *schemas.Alert) error {
			b, err := schemas.AppendAlert(nil, a)
			w.alerts[a.ID] = string(b)
			return err
		},
		Device: func(d *schemas.Device) error { w.devices = append(w.devices, d.Key); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Summary = r.Summary()
	return w
}

// detached returns a session whose ports do not refer to memory that is reused.
func detached(s schemas.Session) schemas.Session {
	for _, e := range []*schemas.Endpoint{&s.Initiator, &s.Responder} {
		if e.Port != nil {
			port := *e.Port
			e.Port = &port
		}
	}
	return s
}

// TestFilterKeepsSessionsWhole compares the sessions of filtered runs with those of the whole capture: each has the same record, also the same
// opener, and none is missing.
func TestFilterKeepsSessionsWhole(t *testing.T) {
	path := office(t, nil)
	all := selected(t, path, "", nil)
	one := all.sessions[slices.Min(slices.Collect(maps.Keys(all.sessions)))]
	for filter, want := range map[string]func(*schemas.Session) bool{
		"src host " + one.Responder.IP.String(): func(s *schemas.Session) bool {
			return s.Initiator.IP == one.Responder.IP || s.Responder.IP == one.Responder.IP
		},
		"tcp dst port 443": func(s *schemas.Session) bool {
			return s.Proto == "tcp" && (*s.Responder.Port == 443 || *s.Initiator.Port == 443)
		},
		"not tcp": func(s *schemas.Session) bool { return s.Proto != "tcp" },
		"udp port 53 or udp port 123": func(s *schemas.Session) bool {
			return s.Proto == "udp" && slices.ContainsFunc([]*uint16{s.Initiator.Port, s.Responder.Port}, func(p *uint16) bool { return *p == 53 || *p == 123 })
		},
	} {
		got := selected(t, path, filter, nil)
		n := 0
		for id, s := range all.sessions {
			switch {
			case !want(&s):
				if _, ok := got.sessions[id]; ok {
					t.Errorf("%s: %s is there", filter, id)
				}
			case got.openers[id] != all.openers[id]:
				t.Errorf("%s: session\n%s\nwant\n%s", filter, got.openers[id], all.openers[id])
			default:
				n++
			}
		}
		if n == 0 || n == len(all.sessions) || n != len(got.sessions) || got.Counters["frames_cut"] == 0 || got.Packets != all.Packets {
			t.Errorf("%s: %d of %d sessions, %d expected; %d of %d frames cut", filter, len(got.sessions), len(all.sessions), n, got.Counters["frames_cut"], all.Packets)
		}
	}
}

// TestRecordsOfAStory selects from a story by time, device and Community ID. What is written is what the whole run writes about it.
func TestRecordsOfAStory(t *testing.T) {
	path := filepath.Join(testneed.Root(t), "scripts/stories/testdata/S1/input.pcap")
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	all := selected(t, path, "", nil)
	var some schemas.Session
	for _, id := range slices.Sorted(maps.Keys(all.sessions)) {
		if s := all.sessions[id]; s.App == "ssh" && s.SSH != nil {
			some = s
		}
	}
	device := func(text string) *selection.Records {
		r := &selection.Records{}
		r.Device(text)
		return r
	}
	middle, late := (all.First+all.Last)/2, all.Last-(all.Last-all.First)/20
	for name, c := range map[string]struct {
		records *selection.Records
		session func(*schemas.Session) bool
		alert   func(text string) bool
	}{
		"address": {device(some.Responder.IP.String()), func(s *schemas.Session) bool {
			return s.Responder.IP == some.Responder.IP || s.Initiator.IP == some.Responder.IP
		},
			func(a string) bool { return strings.Contains(a, `"ip:`+some.Responder.IP.String()+`"`) }},
		"community id": {&selection.Records{CommunityID: some.CommunityID}, func(s *schemas.Session) bool { return s.CommunityID == some.CommunityID },
			func(a string) bool { return strings.Contains(a, some.CommunityID) }},
		"from": {&selection.Records{From: middle}, func(s *schemas.Session) bool { return int64(s.End) >= middle }, nil},
		"to":   {&selection.Records{To: late}, func(s *schemas.Session) bool { return int64(s.Start) <= late }, nil},
	} {
		got := selected(t, path, "", c.records)
		n := 0
		for id, s := range all.sessions {
			if !c.session(&s) {
				continue
			}
			n++
			if g, ok := got.sessions[id]; !ok || g.Initiator.IP != s.Initiator.IP || name != "to" && got.openers[id] != all.openers[id] {
				t.Errorf("%s: session %s\n%s\nwant\n%s", name, id, got.openers[id], all.openers[id])
			}
		}
		if n == 0 || n == len(all.sessions) || len(got.sessions) != n || got.Sessions != uint64(n) {
			t.Errorf("%s: %d sessions, counted %d, want %d of %d", name, len(got.sessions), got.Sessions, n, len(all.sessions))
		}
		if len(got.devices) == 0 || len(got.alerts) == 0 || int(got.Alerts) > len(got.alerts) {
			t.Errorf("%s: %d devices, %d alerts, counted %d", name, len(got.devices), len(got.alerts), got.Alerts)
		}
		for id, a := range all.alerts {
			if c.alert != nil && (got.alerts[id] != "") != c.alert(a) {
				t.Errorf("%s: alert is there: %v\n%s", name, got.alerts[id] != "", a)
			}
		}
	}
}
