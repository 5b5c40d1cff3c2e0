// SPDX-License-Identifier: Apache-2.0

package state

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/internal/metrictable/metrictest"
	"stillwatch/internal/testneed"
)

func TestMetricsPageIsCurrent(t *testing.T) {
	metrictest.CheckPage(t, filepath.Join(testneed.Root(t), "docs", "metrics.md"), metrics().Markdown())
}

// TestEveryStatHasOneMetric checks that each field of Stats is read by exactly one metric.
func TestEveryStatHasOneMetric(t *testing.T) {
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
		if n := nonzero(t, &s); n != 1 {
			t.Errorf("%d metrics read %s", n, v.Type().Field(i).Name)
		}
	}
}

// nonzero returns how many metrics of s are not zero.
func nonzero(t *testing.T, s *Stats) (n int) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(metrics().Of(s))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if m := f.GetMetric()[0]; m.GetCounter().GetValue()+m.GetGauge().GetValue() != 0 {
			n++
		}
	}
	return n
}

func TestCollector(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "state"), options())
	defer s.Close()
	save(t, s, 100*sec, map[string]string{"a": "1"})
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(s)
	families, err := reg.Gather()
	if err != nil || len(families) != len(metrics().Rows) {
		t.Fatalf("%d families, %v", len(families), err)
	}
	for _, f := range families {
		if f.GetName() == "stillwatch_state_saves_total" && f.GetMetric()[0].GetCounter().GetValue() != 1 {
			t.Errorf("%v", f)
		}
	}
}
