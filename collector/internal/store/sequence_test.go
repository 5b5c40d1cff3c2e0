// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	"stillwatch/schemas"
)

func TestReceivedNumbers(t *testing.T) {
	for _, c := range []struct {
		name    string
		in      []uint64
		runs    [][2]uint64
		missing uint64
	}{
		{"none", nil, nil, 0},
		{"in order", []uint64{1, 2, 3}, [][2]uint64{{1, 3}}, 0},
		{"turned", []uint64{3, 2, 1}, [][2]uint64{{1, 3}}, 0},
		{"the first is missing", []uint64{2}, [][2]uint64{{2, 2}}, 1},
		{"a gap", []uint64{1, 5, 4}, [][2]uint64{{1, 1}, {4, 5}}, 2},
		{"a gap that fills", []uint64{1, 4, 2, 3}, [][2]uint64{{1, 4}}, 0},
		{"twice", []uint64{1, 1, 2, 2}, [][2]uint64{{1, 2}}, 0},
	} {
		var r received
		for _, n := range c.in {
			r.add(n)
		}
		if !reflect.DeepEqual(r.Runs, c.runs) || r.missing() != c.missing {
			t.Errorf("%s: %v missing %d, want %v missing %d", c.name, r.Runs, r.missing(), c.runs, c.missing)
		}
	}
}

func TestReceivedInAnyOrderIsWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var got received
	for _, n := range r.Perm(400) {
		if !got.add(uint64(n + 1)) {
			t.Fatal("not new")
		}
	}
	if !reflect.DeepEqual(got.Runs, [][2]uint64{{1, 400}}) {
		t.Errorf("%v", got.Runs)
	}
}

func TestOddNumbersDoNotGrowWithoutBound(t *testing.T) {
	var r received
	for n := uint64(1); n < 20_000; n += 2 {
		r.add(n)
	}
	if len(r.Runs) > maxRuns || r.missing() != 9999 {
		t.Errorf("%d runs, missing %d", len(r.Runs), r.missing())
	}
}

func TestGapsAreSeenByRun(t *testing.T) {
	s, ctx := open(t), context.Background()
	b := records(t, 0, 3)
	b.Alerts = append(b.Alerts, records(t, 5, 7).Alerts...)
	b.Alerts = append(b.Alerts, records(t, 10, 12, func(a *schemas.Alert) { a.Sensor.BootID, a.Sensor.Seq = "later", a.Sensor.Seq-10 }).Alerts...)
	apply(t, s, b)
	boots, err := s.Boots(ctx, "sensor-1")
	if err != nil || len(boots) != 2 {
		t.Fatalf("%+v, %v", boots, err)
	}
	first := boots[1]
	if first.BootID != "boot" || first.Missing != 2 || first.MaxSeq != 7 || first.Received != 5 || !reflect.DeepEqual(first.Gaps, [][2]uint64{{4, 5}}) {
		t.Errorf("%+v", first)
	}
	sensors, err := s.Sensors(ctx)
	if err != nil || len(sensors) != 1 || sensors[0].Missing != 2 || sensors[0].Alerts != 7 || sensors[0].Boots != 2 || sensors[0].BootID != "later" {
		t.Errorf("%+v, %v", sensors, err)
	}
	apply(t, s, records(t, 3, 5))
	if sensors, _ := s.Sensors(ctx); sensors[0].Missing != 0 {
		t.Errorf("after the gap was filled: %d missing", sensors[0].Missing)
	}
}
