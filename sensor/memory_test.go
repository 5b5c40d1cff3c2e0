// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime/metrics"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 400}, {1 << 20, 400}, {10 << 20, 400}, {20 << 20, 200}, {40 << 20, 100}, {80 << 20, 50}, {1 << 30, 25}, {1 << 40, 25}} {
		if got := gcPercent(c.live); got != c.want {
			t.Errorf("%d MB live: %d %%, want %d %%", c.live>>20, got, c.want)
		}
	}
	sample := []metrics.Sample{{Name: liveHeap}}
	if metrics.Read(sample); sample[0].Value.Kind() != metrics.KindUint64 {
		t.Errorf("this Go does not tell %s", liveHeap)
	}
}
