// SPDX-License-Identifier: Apache-2.0

package gctune

import (
	"runtime/metrics"
	"testing"
)

func TestGCPercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live, outside int64 // MB
		want          int
	}{{0, 0, 400}, {20, 30, 400}, {80, 0, 200}, {80, 80, 130}, {80, 300, 60}, {100, 0, 160}, {1000, 0, 25}, {1 << 20, 1 << 20, 25}} {
		if got := gcPercent(c.live*mb, c.outside*mb); got != c.want {
			t.Errorf("%d MB live, %d MB outside: %d %%, want %d %%", c.live, c.outside, got, c.want)
		}
	}
	for _, name := range []string{liveHeap, totalMemory, releasedHeap} {
		s := []metrics.Sample{{Name: name}}
		if metrics.Read(s); s[0].Value.Kind() != metrics.KindUint64 {
			t.Errorf("this version of Go has no metric %s", name)
		}
	}
	if resident() < mb {
		t.Errorf("%d bytes resident", resident())
	}
}
