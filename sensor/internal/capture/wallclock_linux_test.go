// SPDX-License-Identifier: Apache-2.0

package capture

import "testing"

const sec = int64(1e9)

// The time does not go back when the system clock is set back and forth.
func TestWallClockNeverGoesBack(t *testing.T) {
	real, mono := 1_700_000_000*sec, 500*sec
	c := newWallClock(func() (int64, int64) { return real, mono })
	pass := func(d int64) { real, mono = real+d, mono+d }
	last := c.look()
	check := func(what string, want int64) {
		t.Helper()
		if got := c.look(); got < last || got-real != want {
			t.Errorf("%s: %d after %d, %d ahead, want %d", what, got, last, got-real, want)
		}
		last = c.look()
	}
	pass(sec)
	check("nothing happened", 0)
	real -= 60 * sec
	check("set back by a minute", 60*sec)
	if got := c.ofReal(real - sec); got != real+59*sec {
		t.Errorf("a frame stamped after the step has %d, now is %d", got, real)
	}
	if got := c.ofReal(real + 60*sec - sec/2); got != real+60*sec-sec/2 {
		t.Errorf("a frame stamped before the step has %d", got-real)
	}
	if got := c.ofMono(mono); got != real+60*sec {
		t.Errorf("a frame with another stamp has %d, now is %d", got, real)
	}
	pass(100 * sec)
	check("a tenth is taken back", 50*sec)
	real += 20 * sec
	check("set forward by less", 30*sec)
	pass(300 * sec)
	check("all is taken back", 0)
	real += 3600 * sec
	check("set forward", 0)
	if n := c.steps.Load(); n != 3 {
		t.Errorf("%d steps", n)
	}
}

// Corrections of the rate are followed and are not steps.
func TestWallClockFollowsCorrections(t *testing.T) {
	real, mono := 1_700_000_000*sec, int64(0)
	c := newWallClock(func() (int64, int64) { return real, mono })
	for range 10_000 {
		real, mono = real+sec/10-50_000, mono+sec/10 // 500 ppm, the most that the kernel corrects
		if got := c.look(); got != real {
			t.Fatalf("%d ahead", got-real)
		}
	}
	if n := c.steps.Load(); n != 0 {
		t.Errorf("%d steps", n)
	}
}
