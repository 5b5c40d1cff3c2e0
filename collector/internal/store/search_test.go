// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
)

// searched returns n alerts: "common" is in all titles, "even" in every second, "old" in the first tenth, "rare" in five.
func searched(t *testing.T, n int) []AlertRecord {
	t.Helper()
	var all []AlertRecord
	for i := range n {
		title := "common"
		for word, has := range map[string]bool{"even": i%2 == 0, "old": i < n/10, "rare": i%(n/5) == 3} {
			if has {
				title += " " + word
			}
		}
		all = append(all, record(t, i, func(a *schemas.Alert) { a.Title = title }))
	}
	return all
}

// expected returns the ids that a search should find, in order.
func expected(all []AlertRecord, words []string, order Order, severity string) (ids []string) {
	found := slices.DeleteFunc(slices.Clone(all), func(r AlertRecord) bool {
		for _, w := range words {
			if !slices.ContainsFunc(strings.Fields(r.Alert.Title), func(have string) bool { return strings.HasPrefix(have, w) }) {
				return true
			}
		}
		return severity != "" && r.Alert.Severity != severity
	})
	row := map[string]int{}
	for i, r := range all {
		row[r.Alert.ID] = i
	}
	slices.SortFunc(found, func(a, b AlertRecord) int {
		byTime := cmp.Compare(a.Alert.Time.EventStart, b.Alert.Time.EventStart)
		switch order {
		case Oldest:
			return byTime
		case Riskiest:
			return -cmp.Or(cmp.Compare(a.Alert.RiskScore, b.Alert.RiskScore), cmp.Compare(row[a.Alert.ID], row[b.Alert.ID]))
		}
		return -byTime
	})
	for _, r := range found {
		ids = append(ids, r.Alert.ID)
	}
	return ids
}

// TestSearchFindsAllInOrder pages through searches, with alerts that arrived in time order and in random order.
func TestSearchFindsAllInOrder(t *testing.T) {
	const n, first = 500, 20
	for _, shuffled := range []bool{false, true} {
		s, all := open(t), searched(t, n)
		s.searchFirst = first
		if shuffled {
			r := rand.New(rand.NewPCG(1, 2))
			r.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		apply(t, s, Batch{Alerts: all})
		for _, text := range []string{"common", "comm", "even", "old", "rare", "even old", "common elsewhere"} {
			for _, order := range []Order{Newest, Oldest, Riskiest} {
				for _, severity := range []string{"", "high"} {
					f := AlertFilter{Text: text}
					if severity != "" {
						f.Severity = []string{severity}
					}
					want := expected(all, strings.Fields(text), order, severity)
					if got := paged(t, s, f, order); !slices.Equal(got, want) {
						t.Errorf("shuffled %v, %q, %s, %q: %d alerts, want %d; the first that differs: %s", shuffled, text, order, severity, len(got), len(want), differs(got, want))
					}
					if got, err := s.CountAlerts(context.Background(), f, 0); err != nil || got != len(want) {
						t.Errorf("counted %d, want %d; %v", got, len(want), err)
					}
				}
			}
		}
	}
}

func paged(t *testing.T, s *SQLite, f AlertFilter, order Order) (ids []string) {
	t.Helper()
	for p := (Page{Limit: 15, Order: order}); ; {
		list, err := s.Alerts(context.Background(), f, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list.Alerts {
			ids = append(ids, a.Alert.ID)
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			return ids
		}
	}
}

func differs(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprint(i)
		}
	}
	return "none"
}
