// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"

	"stillwatch/schemas"
)

func TestGapFinder(t *testing.T) {
	full := []byte{}
	bits := func(numbers ...uint64) []byte {
		b := make([]byte, blockBytes)
		for _, n := range numbers {
			if !setBit(b, n) || setBit(b, n) {
				t.Fatalf("bit %d must be new exactly once", n)
			}
		}
		return b
	}
	for _, c := range []struct {
		name   string
		blocks map[int64][]byte
		want   [][2]uint64
	}{
		{"none", nil, nil},
		{"in order", map[int64][]byte{0: bits(0, 1, 2)}, nil},
		{"the first is missing", map[int64][]byte{0: bits(1)}, [][2]uint64{{1, 1}}},
		{"a gap", map[int64][]byte{0: bits(0, 3, 4)}, [][2]uint64{{2, 3}}},
		{"over the end of a block", map[int64][]byte{0: full, 1: bits(0, 2)}, [][2]uint64{{8194, 8194}}},
		{"a block is missing", map[int64][]byte{0: full, 2: full}, [][2]uint64{{8193, 16384}}},
	} {
		g := gapFinder{next: 1, limit: 10}
		for n := range int64(3) {
			if b, ok := c.blocks[n]; ok {
				g.block(n, b)
			}
		}
		if !reflect.DeepEqual(g.gaps, c.want) {
			t.Errorf("%s: %v, want %v", c.name, g.gaps, c.want)
		}
	}
}

func TestSequenceNumbersInAnyOrder(t *testing.T) {
	const n = 9000 // more than a block
	s, r := open(t), rand.New(rand.NewPCG(1, 2))
	var b Batch
	for i, seq := range r.Perm(n) {
		b.Alerts = append(b.Alerts, record(t, i%50, func(a *schemas.Alert) { a.Sensor.Seq = uint64(seq + 1) }))
		if len(b.Alerts) == 1500 {
			apply(t, s, b)
			apply(t, s, b)
			b = Batch{}
		}
	}
	got, err := s.Sensors(context.Background())
	if err != nil || got[0].Missing != 0 || got[0].Alerts != n || got[0].Seq != n {
		t.Errorf("%+v, %v", got, err)
	}
	var full int
	if err := s.read.QueryRow(`SELECT count(*) FROM boot_blocks WHERE length(bits) = 0`).Scan(&full); err != nil || full != 1 {
		t.Errorf("%d full blocks, %v", full, err)
	}
}

func TestHostileSequenceNumbers(t *testing.T) {
	s := open(t)
	var b Batch
	for i, seq := range []uint64{1<<64 - 1, 1 << 63, 1 << 41, 7, 0} {
		b.Alerts = append(b.Alerts, record(t, i, func(a *schemas.Alert) { a.Sensor.Seq = seq }))
	}
	apply(t, s, b)
	got, err := s.Sensors(context.Background())
	if err != nil || got[0].Missing != maxSeq-2 || got[0].Seq != maxSeq {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestGapsByRun(t *testing.T) {
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
