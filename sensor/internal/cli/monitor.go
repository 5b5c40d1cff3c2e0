// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/terminal"
)

const (
	// askPatience is how long a look at the metrics waits for the judge, before it shows what the judge said last.
	askPatience = time.Second
	// stuckAfter is after how long without a judged batch the sensor is not ready.
	stuckAfter = 10 * time.Second
)

// watch tells others how a run goes that has no end, and has it read its configuration again.
type watch struct {
	cmd     *runCmd
	log     *zap.Logger
	run     *pipeline.Run
	src     *capture.Live
	out     *outputs
	began   time.Time
	version string

	mu     sync.Mutex
	last   metrics.Run // as the judge gave it
	at     time.Time   // when
	cfg    pipeline.Config
	port   metrics.Port
	blocks uint64 // judged when it was looked at last
	moved  time.Time
}

func newWatch(c *runCmd, log *zap.Logger, cfg pipeline.Config, r *pipeline.Run, src *capture.Live, out *outputs) *watch {
	now := time.Now()
	return &watch{cmd: c, log: log, run: r, src: src, out: out, version: cfg.Version, began: now, at: now, moved: now, cfg: cfg,
		last: metrics.Run{Alerts: metrics.NewAlertCounts()}, port: metrics.Port{Iface: c.Iface, Mode: src.Mode, Why: src.Why}}
}

// routes answers while the run goes on.
func (w *watch) routes() http.Handler {
	return routes(w.out.kafka, append(w.out.kept(), metrics.Collector(w.metrics)), w.ready)
}

// metrics asks the judge for its figures. When it is too busy to answer, those of before are shown, with their age; what the port has lost is
// always of now.
func (w *watch) metrics() metrics.Run {
	ctx, cancel := context.WithTimeout(context.Background(), askPatience)
	defer cancel()
	var now metrics.Run
	err := w.run.Ask(ctx, func() { now = metrics.Run{Summary: w.run.Summary(), Alerts: w.out.tally.Clone()} })
	source := w.src.Stats()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.last, w.at = now, time.Now()
	}
	m := w.last
	m.Version, m.Wall = w.cfg.Version, time.Since(w.began)
	port := w.port
	port.Source, port.Age = source, time.Since(w.at)
	m.Port = &port
	return m
}

// ready gives the reasons why packets do not become records at present.
func (w *watch) ready() (reasons []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.run.Progress().Blocks; n != w.blocks {
		w.blocks, w.moved = n, time.Now()
	}
	switch idle := time.Since(w.moved); {
	case w.blocks == 0:
		reasons = append(reasons, "the first look at the port is not over yet")
	case idle > stuckAfter:
		reasons = append(reasons, fmt.Sprintf("nothing was judged for %s", terminal.Duration(idle)))
	}
	if blind := cmp.Or(w.src.Stats().Blind, w.run.Progress().Blind); blind != "" {
		reasons = append(reasons, blind)
	}
	return reasons
}
