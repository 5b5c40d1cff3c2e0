// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"
)

// BenchmarkIngest stores new alerts in batches of 1000, each on disk before the next, and reports alerts/s.
func BenchmarkIngest(b *testing.B) {
	const size = 1000
	s := open(b)
	n := 0
	for b.Loop() {
		b.StopTimer()
		batch := records(b, n, n+size)
		b.StartTimer()
		if _, err := s.Apply(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		n += size
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "alerts/s")
}
