// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"math"

	"golang.org/x/sys/unix"
)

// jump is the smallest change between realtime and monotonic clock that counts as a step, nanoseconds. Smaller ones are adjustments.
const jump = 100e6

// clockWatch detects steps of the realtime clock.
type clockWatch struct {
	offset int64
	known  bool
}

// look compares the clocks and counts a step.
func (c *clockWatch) look(t *Traffic) {
	var day, since unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &since) != nil || unix.ClockGettime(unix.CLOCK_REALTIME, &day) != nil {
		return
	}
	offset := day.Nano() - since.Nano()
	if c.known {
		c.add(float64(offset-c.offset), t)
	}
	c.offset, c.known = offset, true
}

func (c *clockWatch) add(by float64, t *Traffic) {
	if math.Abs(by) > jump {
		t.ClockJumps++
		t.MostJump = max(t.MostJump, math.Abs(by)/1e9)
	}
}

// synced reports whether something synchronizes the clock (adjtimex(2): TIME_ERROR means that nothing does). It returns nil if the kernel does not say.
func synced() *bool {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return nil
	}
	is := state != unix.TIME_ERROR
	return &is
}
