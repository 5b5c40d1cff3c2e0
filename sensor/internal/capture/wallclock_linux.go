// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	clockStep = 100e6 // nanoseconds: a greater change between two readings is a step of the system clock, not a correction of its rate
	clockSlew = 10    // one in clockSlew nanoseconds is taken back, as adjtime(3) would
)

// wallClock is the time of live frames. The capture clock must never go back, but the system clock does when it is set back. The time then
// continues from where it was, ahead of the system clock, and runs slower until both agree. It follows forward steps at once.
type wallClock struct {
	read   func() (real, mono int64) // nanoseconds since the Unix epoch, and of a monotonic clock
	offset int64                     // real - mono at the last reading
	ahead  int64                     // nanoseconds by which our time was ahead of the system clock at since
	since  int64                     // mono
	real   int64                     // at the last reading
	mono   int64
	steps  atomic.Uint64
}

func newWallClock(read func() (real, mono int64)) *wallClock {
	c := &wallClock{read: read}
	c.real, c.mono = read()
	c.offset = c.real - c.mono
	return c
}

// readTogether is the most nanoseconds between the readings of both clocks. A longer pause would look like a step.
const readTogether = 1e6

// systemClocks reads CLOCK_REALTIME and CLOCK_MONOTONIC at the same time. It repeats the reading if it was preempted in between.
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
	if err := unix.ClockGettime(id, &t); err != nil { // does not fail for these clocks
		panic(fmt.Sprintf("clock_gettime: %v", err))
	}
	return t.Nano()
}

// look reads the clocks and returns our time. It must be called before frames are read, at least every 100 ms.
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

// lead returns by how much our time is ahead of the system clock.
func (c *wallClock) lead() int64 { return max(c.ahead-(c.mono-c.since)/clockSlew, 0) }

// ofReal converts a time stamp of the system clock to our time. A stamp from the future is from before the clock was set back.
func (c *wallClock) ofReal(stamp int64) int64 {
	if c.ahead == 0 || stamp > c.real+clockStep {
		return stamp
	}
	return stamp + c.lead()
}

// ofMono converts a time stamp of the monotonic clock to our time.
func (c *wallClock) ofMono(stamp int64) int64 { return stamp + c.offset + c.lead() }
