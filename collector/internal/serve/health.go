// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stillwatch/collector/internal/store"
)

func newRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stillwatch_collector_build_info", Help: "Always 1; the labels are the versions of the program and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()}})
	info.Set(1)
	r.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// missing returns the metric of alerts that have a sequence number but were not received.
func missing(s store.Records) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stillwatch_collector_missing_alerts",
		Help: "Alerts with a sequence number that were not received, over all sensors and runs; -1 if the database is not available."}, func() float64 {
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
	})
}

func ready(problems func() []string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stillwatch_collector_ready", Help: "1 if /readyz returns 200, else 0."}, func() float64 {
		if len(problems()) > 0 {
			return 0
		}
		return 1
	})
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
