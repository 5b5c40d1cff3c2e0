// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/internal/testneed"
)

// TestPageListsTheMetrics holds docs/metrics.md and the code to each other, both ways.
func TestPageListsTheMetrics(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[prometheus.ValueType]string{prometheus.CounterValue: "counter", prometheus.GaugeValue: "gauge"}
	var want, got []string
	for _, m := range metrics() {
		want = append(want, fmt.Sprintf("| `stillwatch_state_%s` | %s |  | %s |", m.name, kinds[m.kind], m.help))
	}
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `stillwatch_state_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%s\nthe program\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestEveryCountIsShown holds each field of Stats to being some metric.
func TestEveryCountIsShown(t *testing.T) {
	v := reflect.ValueOf(&Stats{}).Elem()
	for i := range v.NumField() {
		s := Stats{}
		f := reflect.ValueOf(&s).Elem().Field(i)
		switch f.Kind() {
		case reflect.Uint64:
			f.SetUint(3e9)
		case reflect.Int64:
			f.SetInt(3e9)
		case reflect.Float64:
			f.SetFloat(3)
		default:
			s.Fault = ErrInUse
		}
		shown := 0
		for _, m := range metrics() {
			if m.value(&s) != 0 {
				shown++
			}
		}
		if shown != 1 {
			t.Errorf("%s is shown by %d metrics", v.Type().Field(i).Name, shown)
		}
	}
}

func TestCollector(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state"), options())
	defer s.Close()
	save(t, s, 100*sec, map[string]string{"a": "1"})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	families, err := reg.Gather()
	if err != nil || len(families) != len(metrics()) {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, f := range families {
		if f.GetName() == "stillwatch_state_saves_total" && f.GetMetric()[0].GetCounter().GetValue() != 1 {
			t.Errorf("%v", f)
		}
	}
}
