// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/collector/internal/sample"
	"stillwatch/collector/internal/store"
)

func alertID(n int) string { return sample.ID(n) }

// value returns the n-th alert as a Kafka value.
func value(_ testing.TB, n int) []byte { return sample.JSON(n) }

func openStore(t testing.TB) *store.SQLite {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }
