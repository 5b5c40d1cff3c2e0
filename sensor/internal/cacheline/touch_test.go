// SPDX-License-Identifier: Apache-2.0

package cacheline

import "testing"

func TestTouchChangesNothing(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1 << 16} {
		s := make([]uint32, n)
		Touch(s)
		for i, x := range s {
			if x != 0 {
				t.Fatalf("element %d of %d is %d", i, n, x)
			}
		}
	}
	Touch(make([]struct{}, 3))
	Touch(make([][8192]byte, 2))
}
