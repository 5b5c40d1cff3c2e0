// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"math"
	"math/bits"
)

// clock converts the time stamps of one interface into nanoseconds since the Unix epoch.
type clock struct {
	mul    uint64 // nanoseconds in a unit; 0 if not a whole number
	limit  uint64 // largest stamp for which stamp*mul is correct
	digits uint8  // units are 10^-digits seconds, or 2^-digits if binary
	binary bool
	offset int64 // seconds
}

const (
	nanosPerSec = 1_000_000_000
	// maxSec is the largest number of whole seconds whose nanoseconds fit into 64 bits with any fraction.
	maxSec = math.MaxInt64/nanosPerSec - 1
)

// newClock returns the clock for the values of if_tsresol (a negative power of 10, or of 2 if the upper bit is set) and if_tsoffset.
func newClock(resolution byte, offset int64) clock {
	c := clock{digits: resolution & 0x7f, binary: resolution&0x80 != 0, offset: offset}
	if !c.binary && c.digits <= 9 && offset == 0 {
		c.mul = pow10(9 - c.digits)
		c.limit = math.MaxInt64 / c.mul
	}
	return c
}

// nanos returns the time of a stamp; ok is false if 64 bits of nanoseconds do not hold it (1677 to 2262): it is no time
// then, and must not move the capture clock.
func (c *clock) nanos(stamp uint64) (t int64, ok bool) {
	if c.mul > 0 && stamp <= c.limit {
		return int64(stamp * c.mul), true
	}
	sec, nano := c.split(stamp)
	if sec > math.MaxInt64 || c.offset > 0 && int64(sec) > math.MaxInt64-c.offset {
		return 0, false
	}
	s := int64(sec) + c.offset
	if s > maxSec || s < -maxSec {
		return 0, false
	}
	return s*nanosPerSec + int64(nano), true
}

// split returns whole seconds and nanoseconds of a stamp.
func (c *clock) split(stamp uint64) (sec, nano uint64) {
	switch d := c.digits; {
	case c.binary && d < 64:
		hi, lo := bits.Mul64(stamp&(1<<d-1), nanosPerSec)
		return stamp >> d, hi<<(64-d) | lo>>d
	case c.binary:
		hi, _ := bits.Mul64(stamp, nanosPerSec)
		return 0, hi >> (d - 64)
	case d <= 19: // 10^19 is the largest power in 64 bits
		unit := pow10(d)
		hi, lo := bits.Mul64(stamp%unit, nanosPerSec)
		nano, _ = bits.Div64(hi, lo, unit)
		return stamp / unit, nano
	case d <= 28:
		return 0, stamp / pow10(d-9)
	}
	return 0, 0
}

func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
