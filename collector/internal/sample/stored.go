// SPDX-License-Identifier: Apache-2.0

package sample

import (
	"testing"

	"stillwatch/collector/internal/store"
)

// CheckStored fails the test unless the store has exactly the alerts 0 to n-1, without gaps in their sequence numbers.
func CheckStored(t *testing.T, s *store.SQLite, n int) {
	t.Helper()
	ctx, seen := t.Context(), map[string]int{}
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
		if seen[ID(i)] != 1 {
			t.Fatalf("alert %d is stored %d times", i, seen[ID(i)])
		}
	}
	sensors, err := s.Sensors(ctx)
	if err != nil || len(seen) != n || len(sensors) != 1 || sensors[0].Missing != 0 || sensors[0].Alerts != int64(n) {
		t.Fatalf("%d alerts, want %d; sensors %+v, %v", len(seen), n, sensors, err)
	}
}
