// SPDX-License-Identifier: Apache-2.0

package pcapfile

import (
	"math"
	"testing"
)

// The times of stamps of every resolution, and stamps that do not fit.
func TestClock(t *testing.T) {
	const s = 1_700_000_000
	const none = math.MinInt64 // no time
	for _, c := range []struct {
		name       string
		resolution byte
		offset     int64
		stamp      uint64
		want       int64
	}{
		{"seconds", 0, 0, s, s * 1e9},
		{"microseconds", 6, 0, s*1e6 + 1, s*1e9 + 1000},
		{"nanoseconds", 9, 0, s*1e9 + 1, s*1e9 + 1},
		{"picoseconds", 12, 0, 5e12 + 7999, 5e9 + 7},
		{"10^-19", 19, 0, 12e18, 1.2e9},
		{"10^-20", 20, 0, 1e19, 1e8},
		{"10^-28", 28, 0, 18e18, 1},
		{"10^-127", 127, 0, math.MaxUint64, 0},
		{"2^0", 0x80, 0, s, s * 1e9},
		{"2^-10", 0x8a, 0, s<<10 | 512, s*1e9 + 5e8},
		{"2^-32", 0xa0, 0, s<<32 | 1<<31, s*1e9 + 5e8},
		{"2^-63", 0x80 | 63, 0, 1<<63 | 1<<62, 15e8},
		{"2^-64", 0xc0, 0, 1 << 63, 5e8},
		{"2^-127", 0xff, 0, math.MaxUint64, 0},
		{"offset", 6, 100, 5e6, 105e9},
		{"offset of zero time", 6, 100, 0, 100e9},
		{"negative", 6, -100, 5e6 + 1, -95e9 + 1000},
		{"seconds too large", 0, 0, math.MaxUint64, none},
		{"microseconds too large", 6, 0, math.MaxUint64, none},
		{"nanoseconds too large", 9, 0, math.MaxUint64, none},
		{"largest", 9, 0, math.MaxInt64, math.MaxInt64},
		{"offset too large", 6, math.MaxInt64, 5e6, none},
		{"both too large", 0, math.MaxInt64, math.MaxUint64, none},
		{"offset too small", 6, math.MinInt64, 5e6, none},
		{"too large and too small", 0, math.MinInt64, math.MaxUint64, none},
	} {
		clk := newClock(c.resolution, c.offset)
		if got, ok := clk.nanos(c.stamp); ok != (c.want != none) || ok && got != c.want {
			t.Errorf("%s: %d, %v, not %d", c.name, got, ok, c.want)
		}
	}
}
