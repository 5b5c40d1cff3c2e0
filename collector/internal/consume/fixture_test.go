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

// checkStored fails the test unless the store has exactly the alerts 0 to n-1, without gaps in their sequence numbers.
func checkStored(t *testing.T, s *store.SQLite, n int) {
	t.Helper()
	ctx := context.Background()
	seen := map[string]int{}
	for p := (store.Page{Limit: 1000}); ; {
		list, err := s.Alerts(ctx, store.AlertFilter{}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list.Alerts {
			seen[a.Alert.ID]++
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	for i := range n {
		if seen[alertID(i)] != 1 {
			t.Fatalf("alert %d is there %d times", i, seen[alertID(i)])
		}
	}
	sensors, err := s.Sensors(ctx)
	if err != nil || len(seen) != n || len(sensors) != 1 || sensors[0].Missing != 0 || sensors[0].Alerts != int64(n) {
		t.Fatalf("%d alerts, want %d; sensors %+v, %v", len(seen), n, sensors, err)
	}
}
