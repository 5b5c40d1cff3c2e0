// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/internal/metrictable"
	"stillwatch/internal/metrictable/metrictest"
	"stillwatch/internal/testneed"
)

func TestMetricsPageIsCurrent(t *testing.T) {
	rows := append(table().Markdown(), metrictable.Markdown(secondsName, "histogram", nil, secondsHelp))
	metrictest.CheckPage(t, filepath.Join(testneed.Root(t), "docs", "metrics.md"), rows)
}

// TestMetricValues changes every metric and reads all.
func TestMetricValues(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	m.read([]kafka.Message{{Topic: "a"}, {Topic: "b"}, {Topic: "a"}})
	m.stored(store.Applied{Alerts: 1, Duplicates: 2, Devices: 3})
	m.stored(store.Applied{Alerts: 4})
	m.storeSeconds.Observe(0.5)
	m.setLag("a", 0, 7)
	m.setLag("a", 1, 0)
	m.setLag("a", 0, 9)
	m.retries.Add(1)
	m.fetchErrors.Add(2)
	m.commitErrors.Add(3)
	m.deadSent.Add(4)
	m.deadUndelivered.Add(5)
	m.lagErrors.Add(6)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			name := f.GetType().String() + " " + f.GetName()[len(prefix):]
			for _, l := range x.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = x.GetCounter().GetValue() + x.GetGauge().GetValue() + x.GetHistogram().GetSampleSum()
		}
	}
	want := map[string]float64{
		"COUNTER records_read_total topic=a": 2, "COUNTER records_read_total topic=b": 1,
		"COUNTER records_stored_total result=alert": 5, "COUNTER records_stored_total result=incident": 0, "COUNTER records_stored_total result=duplicate": 2,
		"COUNTER records_stored_total result=device": 3, "COUNTER records_stored_total result=dead": 0, "COUNTER records_stored_total result=status": 0, "COUNTER records_stored_total result=evidence": 0,
		"HISTOGRAM store_seconds": 0.5, "GAUGE lag_records partition=0 topic=a": 9, "GAUGE lag_records partition=1 topic=a": 0,
		"COUNTER store_retries_total": 1, "COUNTER fetch_errors_total": 2, "COUNTER commit_errors_total": 3,
		"COUNTER dead_letters_sent_total": 4, "COUNTER dead_letters_undelivered_total": 5, "COUNTER lag_errors_total": 6,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s\nwant %s", fmt.Sprint(got), fmt.Sprint(want))
	}
}
