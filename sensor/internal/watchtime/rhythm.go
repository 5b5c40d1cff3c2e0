// SPDX-License-Identifier: Apache-2.0

package watchtime

import "math/bits"

const minute = 60 * second

// A rhythm of fewer gaps than leastGaps says nothing. Of so many that the sum is mostGaps the older ones count half.
const (
	leastGaps = 20
	mostGaps  = 1 << 12
	numSizes  = 18 // seconds in powers of two, up to LongestGap and beyond
)

// rhythm is how long the gaps between the frames of a capture are. Only gaps at which a new minute began are taken, so that a
// burst of frames counts as one.
type rhythm struct {
	sum   uint32
	sizes [numSizes]size
}

// size is the gaps of one power of two of seconds: their number, and the longest.
type size struct {
	n       uint32
	longest int64
}

func (r *rhythm) add(gap int64) {
	s := &r.sizes[min(bits.Len64(uint64(gap/second)), numSizes-1)]
	s.n++
	s.longest = max(s.longest, gap)
	if r.sum++; r.sum < mostGaps {
		return
	}
	r.sum = 0
	for i := range r.sizes {
		if r.sizes[i].n /= 2; r.sizes[i].n == 0 {
			r.sizes[i].longest = 0
		}
		r.sum += r.sizes[i].n
	}
}

// usual gives the usual longest gap: one gap in twenty is as long or longer. 0: too few are known.
func (r *rhythm) usual() int64 {
	if r.sum < leastGaps {
		return 0
	}
	longer := uint32(0)
	for i := numSizes - 1; i >= 0; i-- {
		if longer += r.sizes[i].n; longer > r.sum/20 {
			return r.sizes[i].longest
		}
	}
	return 0
}
