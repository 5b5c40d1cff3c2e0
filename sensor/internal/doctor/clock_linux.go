// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"math"

	"golang.org/x/sys/unix"
)

// jump is a difference between the clock of the day and the one that only counts, from one look to the next, that is no adjustment, nanoseconds.
const jump = 100e6

// clockWatch finds out when the clock of the day is set.
type clockWatch struct {
	offset int64
	known  bool
}

// look compares the clocks, and counts a jump.
func (c *clockWatch) look(t *Traffic) {
	var day, since unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &since) != nil || unix.ClockGettime(unix.CLOCK_REALTIME, &day) != nil {
		return
	}
	offset := day.Nano() - since.Nano()
	if c.known {
		c.judge(float64(offset-c.offset), t)
	}
	c.offset, c.known = offset, true
}

func (c *clockWatch) judge(by float64, t *Traffic) {
	if math.Abs(by) > jump {
		t.ClockJumps++
		t.MostJump = max(t.MostJump, math.Abs(by)/1e9)
	}
}

// synced asks the kernel whether something keeps its clock right (adjtimex(2): TIME_ERROR is a clock that nobody sets); nil if it does not say.
func synced() *bool {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return nil
	}
	is := state != unix.TIME_ERROR
	return &is
}
