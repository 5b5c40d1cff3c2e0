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
