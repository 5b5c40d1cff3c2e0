// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

func savedFixture(t *testing.T) (*fixture, []snapshot.Part) {
	w := newFixture(t, nil, "10.0.0.1", "10.0.0.2")
	return w, append(append(w.reg.Parts(), w.c.Names.Part()), Parts(w.dets, w.reg)...)
}

// randomEvent plays one random event to its end.
func (w *fixture) randomEvent(x *rand.Rand) {
	inside := fmt.Sprintf("10.0.0.%d", 1+x.IntN(5))
	outside := fmt.Sprintf("198.51.100.%d", 1+x.IntN(6))
	port := []int{22, 23, 80, 443, 5555, 3389}[x.IntN(6)]
	switch x.IntN(9) {
	case 0: // a login
		v := w.connect(outside, fmt.Sprint(inside, ":", port))
		w.fact(v, &dissect.Login{Protocol: "telnet", UserHint: "in", Result: dissect.Outcome(1 + x.IntN(2))})
		w.event(SessionEnded, in(v, session.Closed), nil, nil)
	case 1: // a row of failures
		for range 4 {
			v := w.connect(inside, fmt.Sprintf("10.0.0.%d:%d", 1+x.IntN(5), port))
			w.fact(v, &dissect.Login{Protocol: "ftp", UserHint: "ot", Result: dissect.OutcomeFailure})
			w.event(SessionEnded, in(v, session.Closed), nil, nil)
		}
	case 2: // an upload
		v := w.connect(inside, outside+":443")
		v.PayloadBytes = [2]uint64{uint64(x.IntN(12_000_000)), 1000}
		w.event(SessionEnded, in(v, session.Closed), nil, nil)
	case 3, 4: // unanswered
		for range 1 + x.IntN(3) {
			w.attempt(inside, fmt.Sprint(outside, ":", port))
		}
	case 5:
		w.attempt(outside, fmt.Sprint(inside, ":", port))
	case 6:
		for range 1 + x.IntN(6) {
			w.refused(inside, fmt.Sprintf("10.0.0.%d:%d", 100+x.IntN(100), port))
		}
	case 7:
		w.arpRequest(inside, fmt.Sprintf("10.0.0.%d", 100+x.IntN(100)))
	default:
		v := w.open(protoICMP, inside, fmt.Sprintf("10.0.1.%d:0", x.IntN(20)))
		w.event(SessionEnded, in(v, session.Established), nil, nil)
	}
	w.wait([]int64{second, second, 10 * second, 10 * second, minute, minute, hour, day}[x.IntN(8)] / int64(1+x.IntN(3)))
	if x.IntN(50) == 0 { // long enough for D02
		w.wait(8 * day)
	}
}

// TestRestoredDetectorsContinue saves and restores detectors at random, and checks that the restored ones find the same afterwards.
func TestRestoredDetectorsContinue(t *testing.T) {
	rules := map[string]bool{}
	for seed := range uint64(60) {
		x := rand.New(rand.NewPCG(seed, 11))
		w, parts := savedFixture(t)
		d := snapshottest.Disk{}
		for range 20 + x.IntN(120) {
			w.randomEvent(x)
			if x.IntN(10) == 0 {
				d.Drain(t, parts, 1+x.IntN(5))
			}
		}
		d.Drain(t, parts, 3)
		again, parts2 := savedFixture(t)
		d.Restore(t, parts2)
		again.reg.Restored()
		again.c.Now, again.num, again.port, w.got = w.c.Now, w.num, w.port, nil
		y, z := rand.New(rand.NewPCG(seed, 12)), rand.New(rand.NewPCG(seed, 12))
		for range 40 {
			w.randomEvent(y)
			again.randomEvent(z)
		}
		got, want := findings(again), findings(w)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d findings, want %d", seed, len(got), len(want))
		}
		for _, f := range w.got {
			rules[f.Rule.ID] = true
		}
	}
	for _, id := range []string{"D01", "D02", "D06", "D07", "D08", "D09", "D13", "D18"} {
		if !rules[id] {
			t.Errorf("%s found nothing in all of it", id)
		}
	}
}

func findings(w *fixture) (all []string) {
	for _, f := range w.got {
		all = append(all, fmt.Sprint(f.Rule.ID, f.Key, f.Severity, f.Start, f.End, f.Count, f.Title, f.Message, f.Entities, f.Evidence))
	}
	return all
}

// tablesOf returns the tables of a detector by the name of their field or its tag, without those whose entries end with their sessions.
func tablesOf(d Detector) map[string]anyTable {
	out := map[string]anyTable{}
	v := reflect.ValueOf(d).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Tag.Get("snapshot") == "-" || f.Type.Kind() != reflect.Pointer {
			continue
		}
		if t, ok := reflect.NewAt(f.Type, v.Field(i).Addr().UnsafePointer()).Elem().Interface().(anyTable); ok {
			out[cmp.Or(f.Tag.Get("snapshot"), f.Name)] = t
		}
	}
	return out
}

// anyTable is a table of any type; entry puts an empty one into it and returns it.
type anyTable interface{ entry() any }

func (t *table[K, V]) entry() any {
	var k K
	return t.put(k, 1)
}

// TestEveryTableIsSaved checks that a detector saves each table whose entries outlive their sessions, with every field of their values.
func TestEveryTableIsSaved(t *testing.T) {
	w := newFixture(t, nil)
	for _, d := range w.dets {
		saved := map[string]snapshot.Part{}
		if s, ok := d.(stateful); ok {
			for _, p := range s.parts(w.reg) {
				name, _, _ := strings.Cut(p.Name, "/")
				saved[name] = p
			}
		}
		for field, tab := range tablesOf(d) {
			part, ok := saved[d.Rule().ID+"."+field]
			if !ok {
				t.Errorf(`%T.%s is not saved: add it to parts as %s.%s/1, or tag it snapshot:"-" if its entries end with their sessions`, d, field, d.Rule().ID, field)
				continue
			}
			for _, lost := range unsavedFields(t, tab, part) {
				t.Errorf("%T.%s: %s is not saved", d, field, lost)
			}
		}
	}
}

// unsavedFields returns the fields of the values of a table that its part does not save.
func unsavedFields(t *testing.T, tab anyTable, part snapshot.Part) []string {
	how := snapshottest.Instead{reflect.TypeFor[*device.Device](): func(v reflect.Value) { v.Set(reflect.ValueOf(&device.Device{ID: 77})) }}
	return snapshottest.Forgotten(tab.entry(), func() (record []byte) {
		d := snapshottest.Disk{}
		tab.entry()
		d.Drain(t, []snapshot.Part{part}, 10)
		for _, v := range d.Records(part.Name) {
			record = v[8:] // after the number of its turn
		}
		return record
	}, how)
}

func FuzzRestore(f *testing.F) {
	x := rand.New(rand.NewPCG(5, 5))
	known := snapshottest.Disk{}
	w, parts := savedFixture(&testing.T{})
	for range 100 {
		w.randomEvent(x)
	}
	w.c.Names.Learn(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.1"), "c2.example.net", 60, w.c.Now)
	known.Drain(f, parts, 1000)
	var again *fixture
	snapshottest.Fuzz(f, func() (p []snapshot.Part) {
		again, p = savedFixture(&testing.T{})
		return p
	}, known, func(t *testing.T) {
		again.reg.Restored()
		again.c.Now = w.c.Now
		for range 12 {
			again.randomEvent(x)
		}
	})
}
