// SPDX-License-Identifier: Apache-2.0

package metrictable

import (
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

type source struct {
	n      uint64
	ratio  float64
	byName map[string]uint64
}

func example() Table[source] {
	return Table[source]{"test_", []Row[source]{
		Counter("things_total", "Things.", func(s source) uint64 { return s.n }),
		Gauge("ratio", "A ratio.", func(s source) float64 { return s.ratio }),
		CounterVec("named_total", "Things by name.", []string{"name"}, func(s source, emit Emit) {
			for name, n := range s.byName {
				emit(float64(n), name)
			}
		}),
	}}
}

func TestTableCollectsEveryRow(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(example().Of(source{7, 0.5, map[string]uint64{"x": 3}}))
	families, err := reg.Gather()
	if err != nil || len(families) != 3 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	named, ratio, things := families[0], families[1], families[2] // sorted by name
	if m := named.GetMetric()[0]; m.GetCounter().GetValue() != 3 || m.GetLabel()[0].GetValue() != "x" {
		t.Errorf("%v", named)
	}
	if ratio.GetMetric()[0].GetGauge().GetValue() != 0.5 || things.GetMetric()[0].GetCounter().GetValue() != 7 {
		t.Errorf("%v, %v", ratio, things)
	}
}

func TestMarkdown(t *testing.T) {
	want := []string{
		"| `test_things_total` | counter |  | Things. |",
		"| `test_ratio` | gauge |  | A ratio. |",
		"| `test_named_total` | counter | `name` | Things by name. |",
	}
	if got := example().Markdown(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
