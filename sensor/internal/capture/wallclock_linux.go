// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	clockStep = 100e6 // nanoseconds: a greater change between two looks is a step of the system's clock, and no correction of its rate
	clockSlew = 10    // one in so many nanoseconds is taken back, as adjtime(3) would
)

// wallClock gives the time of live frames. The capture clock must never go back, but the clock of the system does when it is set: then the
// time goes on from where it was, ahead of the system's, and runs slower until both agree again. Forward steps are followed at once.
type wallClock struct {
	read   func() (real, mono int64) // nanoseconds: since the Unix epoch, and of a clock that is never set
	offset int64                     // real - mono at the last look
	ahead  int64                     // nanoseconds by which our time was ahead of the system's at since
	since  int64                     // mono
	real   int64                     // at the last look
	mono   int64
	steps  atomic.Uint64
}

func newWallClock(read func() (real, mono int64)) *wallClock {
	c := &wallClock{read: read}
	c.real, c.mono = read()
	c.offset = c.real - c.mono
	return c
}

// readTogether is within how many nanoseconds both clocks are to be read: what comes between them looks like a step.
const readTogether = 1e6

// systemClocks reads CLOCK_REALTIME and CLOCK_MONOTONIC at the same time: anew when the processor was taken away in between.
func systemClocks() (real, mono int64) {
	for range 100 {
		before := clockTime(unix.CLOCK_MONOTONIC)
		real = clockTime(unix.CLOCK_REALTIME)
		if mono = clockTime(unix.CLOCK_MONOTONIC); mono-before < readTogether {
			break
		}
	}
	return real, mono
}

func clockTime(id int32) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil { // fails for no clock that Linux has
		panic(fmt.Sprintf("clock_gettime: %v", err))
	}
	return t.Nano()
}

// look reads the clocks and gives our time. It is called before frames are taken, at least every 100 ms.
func (c *wallClock) look() int64 {
	c.real, c.mono = c.read()
	step := c.real - c.mono - c.offset
	c.offset += step
	if step < -clockStep || step > clockStep {
		c.ahead = max(c.lead()-step, 0)
		c.since = c.mono
		c.steps.Add(1)
	}
	return c.real + c.lead()
}

// lead gives by how much our time is ahead of the system's.
func (c *wallClock) lead() int64 { return max(c.ahead-(c.mono-c.since)/clockSlew, 0) }

// ofReal gives our time of a stamp of the system's clock. A stamp from the future is one from before the clock was set back.
func (c *wallClock) ofReal(stamp int64) int64 {
	if c.ahead == 0 || stamp > c.real+clockStep {
		return stamp
	}
	return stamp + c.lead()
}

// ofMono gives our time of a stamp of the clock that is never set.
func (c *wallClock) ofMono(stamp int64) int64 { return stamp + c.offset + c.lead() }
