// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"stillwatch/collector/internal/store"
	"stillwatch/internal/metrictable"
)

// metrics declares the metrics of the server, in the order of docs/metrics.md.
func metrics(version string) metrictable.Table[*Server] {
	return metrictable.Table[*Server]{Prefix: "stillwatch_collector_", Rows: []metrictable.Row[*Server]{
		metrictable.GaugeVec("build_info", "Always 1; the labels are the versions of the program and of Go.", []string{"version", "go_version"},
			func(_ *Server, emit metrictable.Emit) { emit(1, version, runtime.Version()) }),
		metrictable.Gauge("ready", "1 if /readyz returns 200, else 0.", func(s *Server) float64 { return metrictable.Bool(len(s.Problems()) == 0) }),
		metrictable.Gauge("missing_alerts", "Alerts with a sequence number that were not received, over all sensors and runs; -1 if the database is not available.",
			func(s *Server) float64 { return missing(s.store) }),
		metrictable.Gauge("evidence_files", "Files with the packets of alerts in the database; -1 if it is not available.", func(s *Server) float64 { n, _ := evidenceSize(s.store); return n }),
		metrictable.Gauge("evidence_bytes", "Their bytes; -1 if the database is not available.", func(s *Server) float64 { _, n := evidenceSize(s.store); return n }),
		metrictable.Counter("evidence_deleted_total", "Files with the packets of alerts that were deleted because of their age or size.", func(s *Server) uint64 { return uint64(s.trimmed.Load()) }),
		metrictable.GaugeVec("sensor_heard", "1 if the sensor has sent its status in the last two minutes, or a last one when it stopped; else 0. No series for a sensor that never sent one.", []string{"sensor"},
			func(s *Server, emit metrictable.Emit) {
				for id, state := range states(s.store) {
					emit(metrictable.Bool(state != "unheard"), id)
				}
			}),
	}}
}

// missing returns the number of alerts that have a sequence number but were not received, -1 if the store does not answer in 2 s.
func missing(s store.Records) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	sensors, err := s.Sensors(ctx)
	if err != nil {
		return -1
	}
	n := int64(0)
	for _, x := range sensors {
		n += x.Missing
	}
	return float64(n)
}

// evidenceSize returns the number and the bytes of the files with packets, -1 if the store does not answer in 2 s.
func evidenceSize(s store.Records) (files, bytes float64) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	n, size, err := s.EvidenceSize(ctx)
	if err != nil {
		return -1, -1
	}
	return float64(n), float64(size)
}

// states returns the states of the sensors that have sent a status, by id; nil if the store does not answer in 2 s.
func states(s store.Records) map[string]string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	sensors, err := s.Sensors(ctx)
	if err != nil {
		return nil
	}
	m := map[string]string{}
	for i := range sensors {
		if state := sensors[i].State(time.Now()); state != "unknown" {
			m[sensors[i].ID] = state
		}
	}
	return m
}

// watchEvery is how often the collector checks whether the sensors are heard.
const watchEvery = 30 * time.Second

// watchSensors logs when a sensor is no longer heard, and when it is heard again.
func watchSensors(ctx context.Context, s store.Records, log *zap.Logger, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	unheard := map[string]bool{}
	for {
		for id, state := range states(s) {
			switch was := unheard[id]; {
			case state == "unheard" && !was:
				log.Warn("a sensor is not heard", zap.String("sensor", id), zap.Duration("for_more_than", store.SilentAfter))
			case state != "unheard" && was:
				log.Info("the sensor is heard again", zap.String("sensor", id), zap.String("state", state))
			}
			unheard[id] = state == "unheard"
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// healthHandler serves metrics and health checks. It has no authentication, so it should listen on a local address.
func (s *Server) healthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if t := s.Problems(); len(t) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, strings.Join(t, "\n"))
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// healthz always answers 200: the process is alive.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}
