// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"strconv"
)

// number formats a number with commas.
func number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return number(uint64(n)) + " " + noun
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// size formats bytes with three significant digits.
func size(n uint64) string { return scaled(float64(n)) + "B" }

// bits formats a number of bytes in bits.
func bits(bytes float64) string { return scaled(8*bytes) + "bit" }

func scaled(x float64) string {
	for _, u := range []struct {
		by   float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if x >= u.by {
			return fmt.Sprintf("%.3g%s", x/u.by, u.name)
		}
	}
	return fmt.Sprintf("%.0f ", x)
}
