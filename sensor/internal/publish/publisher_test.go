// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/internal/metrictable"
	"stillwatch/internal/metrictable/metrictest"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// nowhere is a publisher whose broker does not exist.
func nowhere(t *testing.T, o SpoolOptions) *Publisher {
	t.Helper()
	p, err := NewPublisher(PublisherConfig{Dir: t.TempDir(), Spool: o, Kafka: KafkaConfig{Brokers: []string{closedPort}},
		Sensor: schemas.AlertSensor{ID: "hq-span-1", Site: "hq"}}, NewSequencer(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestFullSpoolRaisesAnAlert fills a small spool while no broker is there, and reads it.
func TestFullSpoolRaisesAnAlert(t *testing.T) {
	p := nowhere(t, SpoolOptions{MaxBytes: 256 << 10})
	p.cancel() // the test reads the spool itself
	<-p.done
	for i := range 600 {
		a := numberedAlert(i)
		a.Severity = "low"
		p.sequencer.Stamp(a)
		if err := p.Alert(a); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := p.spool.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s := openSpool(t, p.spool.dir, SpoolOptions{})
	found := 0
	for _, v := range drain(t, s) {
		if err := schemas.Validate(schemas.KindAlert, []byte(v)); err != nil {
			t.Error(err)
		}
		if strings.Contains(v, numberedID(1)[:20]) || !strings.Contains(v, `"S01"`) {
			continue
		}
		found++
		if !strings.Contains(v, `"severity":"critical"`) || !strings.Contains(v, "were dropped") {
			t.Error(v)
		}
	}
	if found != 1 {
		t.Errorf("%d alerts about the full spool, want 1", found)
	}
}

func TestFullAlertIsRevisedEachMinute(t *testing.T) {
	f := fullAlert{sensor: schemas.AlertSensor{ID: "s"}}
	start := time.Unix(1_700_000_000, 0)
	id := ""
	for _, c := range []struct {
		dropped  uint64
		after    time.Duration
		revision int // 0: none
	}{{0, 0, 0}, {5, time.Second, 1}, {6, 2 * time.Second, 0}, {9, 62 * time.Second, 2}, {9, time.Hour, 0}, {10, time.Hour, 3}} {
		a := f.next(c.dropped, start.Add(c.after))
		if (a == nil) != (c.revision == 0) || a != nil && (a.Revision != c.revision || id != "" && a.ID != id) {
			t.Errorf("%d dropped after %s: %+v, want revision %d", c.dropped, c.after, a, c.revision)
		}
		if a != nil {
			id = a.ID
		}
	}
}

func TestWaitTimesOutWithTheFault(t *testing.T) {
	p := nowhere(t, SpoolOptions{})
	send(t, p, 0, 3)
	err := p.Wait(t.Context(), 300*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "3 records are not delivered and stay in the spool") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("gave %v", err)
	}
	if r := p.Ready(); len(r) != 1 {
		t.Errorf("ready says %q", r)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Device(&schemas.Device{Schema: schemas.DeviceSchema, Key: "k"}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOversizedRecordGoesToTheDeadLetterFile(t *testing.T) {
	p := nowhere(t, SpoolOptions{})
	a := numberedAlert(1)
	a.Device.Key = strings.Repeat("k", 1<<17)
	if err := p.Alert(a); err != nil {
		t.Fatal(err)
	}
	if n := p.Drain().Rejected; n != 1 || p.Spool().Records != 0 {
		t.Errorf("%d rejected, %d in the spool", n, p.Spool().Records)
	}
	if side := string(slurp(t, filepath.Join(p.spool.dir, "dead-letter.jsonl"))); !strings.Contains(side, "does not fit the spool") {
		t.Errorf("%.200s", side)
	}
}

func TestMetricsPageIsCurrent(t *testing.T) {
	page := filepath.Join(testneed.Root(t), "docs", "metrics.md")
	metrictest.CheckPage(t, page, append(metrics().Markdown(), metrictable.Markdown(fsyncName, "histogram", nil, fsyncHelp)))
	var causes []string
	for _, c := range Causes() {
		causes = append(causes, "`"+string(c)+"`")
	}
	if row := "| `cause` | " + strings.Join(causes, " ") + " |"; !strings.Contains(string(slurp(t, page)), row) {
		t.Errorf("missing in the page: %s", row)
	}
}

// TestEveryMetricHasAValue checks that every declared metric is collected.
func TestEveryMetricHasAValue(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	p := nowhere(t, SpoolOptions{})
	send(t, p, 0, 10)
	if err := p.spool.Sync(); err != nil {
		t.Fatal(err)
	}
	reg.MustRegister(p)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		values[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	for _, name := range metrics().Names() {
		if _, ok := values[name]; !ok {
			t.Errorf("%s has no value", name)
		}
	}
	if values[metricPrefix+"spool_records"] != 10 || values[metricPrefix+"spool_raised_total"] != 10 || values[metricPrefix+"spool_bytes"] == 0 ||
		values[metricPrefix+"spool_fsync_seconds"] == 0 || len(values) != len(metrics().Rows)+1 {
		t.Errorf("%v", values)
	}
}

// TestFullSpoolIsReportedWithoutAnotherAlert drops sessions while no alert is raised.
func TestFullSpoolIsReportedWithoutAnotherAlert(t *testing.T) {
	p := nowhere(t, SpoolOptions{MaxBytes: 64 << 10})
	for range 300 {
		if err := p.append(Record{Rank: RankSession, Topic: "t", Value: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the alert", func() bool {
		p.fullMu.Lock()
		defer p.fullMu.Unlock()
		return p.full.revised == 1
	})
}

func TestFullDeadLetterFileBlocksNothing(t *testing.T) {
	p := nowhere(t, SpoolOptions{})
	p.drain.deadLetters.most = 10
	if err := p.drain.reject(&Record{Rank: RankHigh, Value: []byte("too large for the topic")}, CauseTooLarge, "too large"); err != nil {
		t.Fatal(err)
	}
	if n := p.Spool().Dropped[RankHigh]; n != 1 || p.Drain().Rejected != 0 {
		t.Errorf("%d records are counted as dropped, %d as rejected", n, p.Drain().Rejected)
	}
}
