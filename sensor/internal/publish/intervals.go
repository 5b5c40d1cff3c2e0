// SPDX-License-Identifier: Apache-2.0

package publish

import "slices"

// interval is the numbers from first to last.
type interval struct{ first, last uint64 }

// intervals is an ordered set of numbers that are mostly consecutive, stored as one interval between two gaps.
type intervals []interval

// at returns the index of the first interval that does not end before i.
func (s intervals) at(i uint64) int {
	k, _ := slices.BinarySearchFunc(s, i, func(x interval, i uint64) int {
		if x.last < i {
			return -1
		}
		return 1
	})
	return k
}

func (s intervals) has(i uint64) bool {
	k := s.at(i)
	return k < len(s) && s[k].first <= i
}

func (s *intervals) add(i uint64) {
	if s.has(i) {
		return
	}
	k := s.at(i)
	before, behind := k > 0 && (*s)[k-1].last+1 == i, k < len(*s) && (*s)[k].first == i+1
	switch {
	case before && behind:
		(*s)[k-1].last = (*s)[k].last
		*s = slices.Delete(*s, k, k+1)
	case before:
		(*s)[k-1].last = i
	case behind:
		(*s)[k].first = i
	default:
		*s = slices.Insert(*s, k, interval{i, i})
	}
}

// drop removes the numbers below i.
func (s *intervals) drop(i uint64) {
	k := s.at(i)
	*s = slices.Delete(*s, 0, k)
	if len(*s) > 0 {
		(*s)[0].first = max((*s)[0].first, i)
	}
}
