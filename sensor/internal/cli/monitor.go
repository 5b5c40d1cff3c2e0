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

	"stillwatch/internal/panics"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/terminal"
)

const (
	// askTimeout is how long a request for the metrics waits for the correlator before it returns the previous values.
	askTimeout = time.Second
	// stuckAfter is the time without a processed batch after which the sensor is not ready.
	stuckAfter = 10 * time.Second
)

// monitor reports on a live run to metrics, health checks and the service manager, and reloads its configuration.
type monitor struct {
	cmd     *runCmd
	log     *zap.Logger
	run     *pipeline.Run
	src     *capture.Live
	out     *outputs
	began   time.Time
	version string
	draft   *draftFile // nil: no drafts of an inventory

	mu       sync.Mutex
	last     metrics.Run // from the correlator
	at       time.Time   // of last
	cfg      pipeline.Config
	port     metrics.Port
	blocks   uint64    // processed when last checked
	moved    time.Time // when blocks last changed
	previous counters  // of the last status

	telling sync.Mutex // held while a status is sent
	stopped bool       // the last status is sent
}

func newMonitor(c *runCmd, log *zap.Logger, cfg pipeline.Config, r *pipeline.Run, src *capture.Live, out *outputs) *monitor {
	now := time.Now()
	return &monitor{cmd: c, log: log, run: r, src: src, out: out, version: cfg.Version, began: now, at: now, moved: now, cfg: cfg,
		last: metrics.Run{Alerts: metrics.NewAlertCounts()}, port: metrics.Port{Iface: c.Iface, Mode: src.Mode, Why: src.Why}}
}

// withRecovery calls f, a part of the monitor. After a panic that part has ended, with one line in the log, and the run continues.
func (mon *monitor) withRecovery(part string, f func()) {
	err := panics.ToError(part, func() error {
		f()
		return nil
	})
	if err != nil {
		mon.log.Error("a part of the sensor has ended", zap.Error(err))
	}
}

// routes returns the HTTP handler of the run.
func (mon *monitor) routes() http.Handler {
	return routes(mon.out.kafka, append(mon.out.stateCollectors(), metrics.Collector(mon.metrics)), mon.ready)
}

// metrics asks the correlator for its counters. If it is too busy to answer, metrics returns the previous counters with their age. The
// losses at the port are always current.
func (mon *monitor) metrics() metrics.Run {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var now metrics.Run
	err := mon.run.Ask(ctx, func() { now = metrics.Run{Summary: mon.run.Summary(), Alerts: mon.out.alertCounts.Clone()} })
	source := mon.src.Stats()
	mon.mu.Lock()
	defer mon.mu.Unlock()
	if err == nil {
		mon.last, mon.at = now, time.Now()
	}
	m := mon.last
	m.Version, m.Wall = mon.cfg.Version, time.Since(mon.began)
	port := mon.port
	port.Source, port.Age = source, time.Since(mon.at)
	m.Port = &port
	return m
}

// ready returns the reasons why packets are not processed at present.
func (mon *monitor) ready() (reasons []string) {
	mon.mu.Lock()
	defer mon.mu.Unlock()
	if n := mon.run.Progress().Blocks; n != mon.blocks {
		mon.blocks, mon.moved = n, time.Now()
	}
	switch idle := time.Since(mon.moved); {
	case mon.blocks == 0:
		reasons = append(reasons, "no batch was processed yet")
	case idle > stuckAfter:
		reasons = append(reasons, fmt.Sprintf("no batch was processed for %s", terminal.Duration(idle)))
	}
	if blind := cmp.Or(mon.src.Stats().Blind, mon.run.Progress().Blind); blind != "" {
		reasons = append(reasons, blind)
	}
	return reasons
}
