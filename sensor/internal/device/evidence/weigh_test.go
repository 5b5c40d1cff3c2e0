// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"math"
	"testing"

	"stillwatch/sensor/internal/enrich"
)

func near(a, b float64) bool { return math.Abs(a-b) < 0.005 }

// The example of docs/devices.md in decibans.
func TestTotalsOfTheExample(t *testing.T) {
	c := NewCache()
	axis := enrich.VendorOf([6]byte{0, 0x40, 0x8c, 0, 0, 1})
	var cs Claims
	for _, step := range []struct {
		name string
		add  *Statement
		want float64
	}{
		{"MAC of Axis", c.Vendor(axis), -7 + 15},
		{"option 60, capped", c.Lookup(VendorClass, "AXIS,Network Camera,P3225-LV,9.80.1"), -7 + 20},
		{"realm, which lifts the cap", c.Lookup(HTTPRealm, "AXIS_00408C000001"), -7 + 35 + 0.3*15 + 24},
	} {
		if got := cs.Add(Claim{step.add, 0}); got != New {
			t.Fatalf("%s: not added: %v", step.name, got)
		}
		if got := cs.totals(0)[Camera]; !near(got, step.want) {
			t.Errorf("%s: %v dB, want %v", step.name, got, step.want)
		}
	}
}

func TestPullingStreamsIsNoCamera(t *testing.T) {
	cs := Claims{{NewCache().Lookup(PullsRTSP, "streams of at least 3 servers"), 0}}
	if total := cs.totals(0); total[VMS] >= total[NVR] || total[Camera] > -10 {
		t.Errorf("%v", total)
	}
}

func TestScore(t *testing.T) {
	tests := []struct {
		points []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{10}, 10},
		{[]float64{10, 4}, 11.2},
		{[]float64{10, 10, 10}, 12.5}, // 16 without the limit
		{[]float64{-10}, -10},
		{[]float64{-10, -10, -10}, -12.5},
		{[]float64{10, -4}, 6},
	}
	for _, tt := range tests {
		var s score
		for _, p := range tt.points {
			s.add(p)
		}
		if got := s.total(); !near(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.points, got, tt.want)
		}
	}
}

func TestLevelOf(t *testing.T) {
	tests := []struct {
		p, ahead float64
		want     Level
	}{
		{0.995, 25, Identified}, {0.995, 15, Probable}, {0.95, 25, Probable}, {0.95, 5, Hint}, {0.7, 30, Hint}, {0.59, 30, LevelUnknown},
	}
	for _, tt := range tests {
		if got := levelOf(tt.p, tt.ahead); got != tt.want {
			t.Errorf("%v, %v dB: %v, want %v", tt.p, tt.ahead, got, tt.want)
		}
	}
}

func TestDecay(t *testing.T) {
	c := Claim{&Statement{source: HTTPServer}, 0}
	if f := c.share(30 * dayNs); !near(f, 0.5) {
		t.Errorf("banner after 30 days: %v", f)
	}
	c.source = Certificate
	if f := c.share(180 * dayNs); !near(f, 0.5) {
		t.Errorf("certificate after 180 days: %v", f)
	}
	if f := c.share(-5); f != 1 {
		t.Errorf("a clock that goes back: %v", f)
	}
}
