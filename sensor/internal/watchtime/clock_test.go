// SPDX-License-Identifier: Apache-2.0

package watchtime

import (
	"math/rand/v2"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/snapshot"
)

const start = int64(1_772_409_600) // second

// frames has a second with a frame each step seconds in [from, to), from the start.
func frames(c *Clock, from, to, step int64) {
	for s := from; s < to; s += step {
		c.Frames(start + s)
		c.VLAN(0, start+s)
	}
}

// since returns for how many seconds VLAN 0 was watched from a mark until second s.
func since(c *Clock, m Mark, s int64) int64 { return c.Since(m, (start+s)*second) / second }

func TestPausesOfACapture(t *testing.T) {
	const hour, day = 3600, 86400
	for _, c := range []struct {
		name  string
		step  int64 // of frames in the first week
		gap   int64
		pause bool
	}{
		{"four minutes among seconds", 1, 240, false},
		{"six minutes among seconds", 1, 360, true},
		{"an hour among tens of minutes", 600, hour, false},
		{"five hours among tens of minutes", 600, 5 * hour, true},
		{"a day among hours", hour, 20 * hour, false},
		{"more than a day among hours", hour, 25 * hour, true},
		{"eight days among days", 23 * hour, 8 * day, true},
	} {
		k := New(false)
		frames(k, 0, 7*day, c.step)
		last := (7*day - 1) / c.step * c.step
		m := k.Mark(0, (start+last)*second)
		if open := since(k, m, last+c.gap); open != 0 && c.pause || open != c.gap && !c.pause {
			t.Errorf("%s: %d s are watched before the next frame comes", c.name, open)
		}
		frames(k, last+c.gap, last+c.gap+1, 1)
		if got := since(k, m, last+c.gap); got != 0 && c.pause || got != c.gap && !c.pause {
			t.Errorf("%s: %d s are watched", c.name, got)
		}
		watched, lost := k.Totals()
		if watched+lost != uint64(last+c.gap) || c.pause != (lost == uint64(c.gap)) {
			t.Errorf("%s: %d s watched and %d s not", c.name, watched, lost)
		}
	}
}

// TestPausesDoNotCountAsUsualGaps has a capture of six hours a day: the nights stay pauses.
func TestPausesDoNotCountAsUsualGaps(t *testing.T) {
	k := New(false)
	for d := range int64(60) {
		frames(k, d*86400, d*86400+6*3600, 600)
	}
	watched, _ := k.Totals()
	if hours := watched / 3600; hours < 60*5 || hours > 60*6+24 { // the first night comes before a rhythm is known
		t.Errorf("%d hours of 60 days are watched", hours)
	}
}

// TestRhythmNeedsAWatchedDay has a frame with the time of a sensor that had no clock yet: the day in which the rhythm is learned begins after it.
func TestRhythmNeedsAWatchedDay(t *testing.T) {
	k := New(false)
	k.Frames(1)
	frames(k, 0, 3600, 60)
	m := k.Mark(0, (start+3540)*second)
	frames(k, 10*3600, 10*3600+1, 1)
	if got := since(k, m, 10*3600); got != 10*3600-3540 {
		t.Errorf("%d s of the first night are watched", got)
	}
}

func TestLiveInterface(t *testing.T) {
	k := New(true)
	m := k.Mark(0, start*second)
	for s := range int64(8 * 86400) { // not one frame
		k.Idle(start + s)
	}
	if got := since(k, m, 8*86400-1); got != 8*86400-1 {
		t.Errorf("%d s of a port without frames are watched", got)
	}
	m = k.Mark(0, (start+8*86400-1)*second)
	k.SetBlind(true)
	for s := range int64(100) {
		k.Idle(start + 8*86400 + s)
	}
	k.SetBlind(false)
	if got := since(k, m, 8*86400+99); got != 0 {
		t.Errorf("%d s of a blind port are watched", got)
	}
	k.Idle(start + 8*86400 + 100)
	k.Frames(start + 8*86400 + 100) // which came in that second after all
	k.Frames(start + 9*86400)       // the machine slept
	k.Frames(start + 9*86400 + 10)
	if got := since(k, m, 9*86400+10); got != 11 {
		t.Errorf("%d s are watched, want 11", got)
	}
}

// TestVLANs has one VLAN be missing for two days while another goes on, and one that only pauses with the mirror.
func TestVLANs(t *testing.T) {
	k := New(false)
	at := func(s int64, vlans ...uint16) {
		k.Frames(start + s)
		for _, id := range vlans {
			k.VLAN(id, start+s)
		}
	}
	for s := int64(0); s < 86400; s += 600 {
		at(s, 10, 20)
	}
	m10, m20 := k.Mark(10, (start+86400)*second), k.Mark(20, (start+86400)*second)
	for s := int64(86400); s < 3*86400; s += 600 {
		at(s, 10)
	}
	if got := k.Since(m20, (start+3*86400)*second); got > 1200*second {
		t.Errorf("%d s of a missing VLAN are watched before it is back", got/second)
	}
	for s := int64(3 * 86400); s <= 4*86400; s += 600 {
		at(s, 10, 20)
	}
	if got := k.Since(m10, (start+4*86400)*second) / second; got != 3*86400 {
		t.Errorf("%d s of the other are watched", got)
	}
	if got := k.Since(m20, (start+4*86400)*second) / second; got < 86400 || got > 86400+1200 {
		t.Errorf("%d s of the VLAN that was missing are watched", got)
	}
	at(40*86400, 10, 20)
	if a, b := k.Since(m10, (start+40*86400)*second)/second, k.Since(m20, (start+40*86400)*second)/second; a != 3*86400 || b > 86400+1200 {
		t.Errorf("%d and %d s are watched after a pause of the mirror", a, b)
	}
}

// TestNilClock takes all time as watched.
func TestNilClock(t *testing.T) {
	var k *Clock
	if got := k.Since(k.Mark(3, 5), 12); got != 7 {
		t.Error(got)
	}
}

// TestRestartOfALiveRun adds no time between two runs at a port.
func TestRestartOfALiveRun(t *testing.T) {
	k, again := New(true), New(true)
	k.Frames(start)
	k.Idle(start + 10)
	w := snapshot.Writer(nil)
	k.walk(w)
	again.walk(snapshot.Reader(w.Bytes()))
	m := again.Mark(0, (start+10)*second)
	again.Frames(start + 30)
	again.Idle(start + 31)
	if got := since(again, m, 31); got != 1 {
		t.Errorf("%d s are watched, want 1", got)
	}
}

// TestSnapshotRestoresTheClock writes a clock, reads it, and has both go on over the same frames.
func TestSnapshotRestoresTheClock(t *testing.T) {
	x := rand.New(rand.NewPCG(1, 2))
	k, again := New(false), New(false)
	s := start
	step := func(clocks ...*Clock) {
		s += 1 + int64(x.ExpFloat64()*2000)
		id := uint16(x.IntN(5))
		for _, c := range clocks {
			c.Frames(s)
			c.VLAN(id, s)
		}
	}
	for range 9000 {
		step(k)
	}
	w := snapshot.Writer(nil)
	k.walk(w)
	r := snapshot.Reader(w.Bytes())
	if again.walk(r); r.Done() != nil || !again.resumed {
		t.Fatal(r.Done(), again.resumed)
	}
	for range 9000 {
		step(k, again)
		if a, b := k.Mark(3, s*second), again.Mark(3, s*second); a != b {
			t.Fatalf("%+v and %+v", a, b)
		}
	}
}

func FuzzRestore(f *testing.F) {
	k := New(false)
	frames(k, 0, 86400, 600)
	w := snapshot.Writer(nil)
	k.walk(w)
	f.Add(w.Bytes())
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		k := New(false)
		k.walk(snapshot.Reader(b))
		frames(k, 0, 86400, 6000)
		k.Mark(7, start*second)
		k.Totals()
	})
}
