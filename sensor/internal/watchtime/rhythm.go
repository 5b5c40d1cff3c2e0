// SPDX-License-Identifier: Apache-2.0

package watchtime

import "math/bits"

const minute = 60 * second

// With fewer gaps than leastGaps the usual gap is unknown. When there are mostGaps, the counts are halved, so that older gaps weigh less.
const (
	leastGaps = 20
	mostGaps  = 1 << 12
	numSizes  = 18 // seconds in powers of two, up to LongestGap and beyond
)

// rhythm is a histogram of the gaps between the frames of a capture. Only gaps across the start of a minute count, so that a burst of frames
// counts as one.
type rhythm struct {
	sum   uint32
	sizes [numSizes]size
}

// size is one bucket, a power of two of seconds: the number of gaps and the longest.
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

// usual returns the gap that one gap in twenty reaches or exceeds, 0 if too few are known.
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
