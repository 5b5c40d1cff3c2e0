// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"stillwatch/internal/brokers"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
)

// signalPatience is how long a run that a signal ends waits for acknowledgements.
const signalPatience = 10 * time.Second

// publishing are the flags that send records to Kafka.
type publishing struct {
	Kafka         []string      `help:"Publish to these Kafka brokers: host:port, separated by commas." placeholder:"BROKERS"`
	PublishConfig string        `help:"Publish to Kafka with the publish section of FILE (YAML): brokers, TLS, sign-in, spool." placeholder:"FILE" type:"path"`
	Spool         string        `help:"Folder of the spool, where records wait until Kafka has acknowledged them." placeholder:"DIR" type:"path"`
	KafkaPatience time.Duration `help:"At the end, stop when Kafka has acknowledged nothing for TIME (30s). What is left stays in the spool." default:"30s" placeholder:"TIME"`
	Listen        string        `help:"Serve /metrics, /healthz and /readyz at this address during the run." placeholder:"HOST:PORT"`
}

// enabled reports whether records go to Kafka.
func (o *publishing) enabled() bool { return len(o.Kafka) > 0 || o.PublishConfig != "" }

// publishTo are the settings of flags and configuration together.
type publishTo struct {
	config.Publish
	patience time.Duration
}

// target returns the settings for publishing, nil if publishing is off.
func (o *publishing) target() (*publishTo, error) {
	if !o.enabled() {
		return nil, nil
	}
	to := &publishTo{patience: o.KafkaPatience}
	if o.PublishConfig != "" {
		set, err := config.Load(o.PublishConfig)
		if err != nil {
			return nil, err
		}
		if set.Publish == nil {
			return nil, fmt.Errorf("%s has no publish section", o.PublishConfig)
		}
		to.Publish = *set.Publish
	}
	if len(o.Kafka) > 0 {
		to.Brokers = o.Kafka
	}
	for _, b := range to.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			return nil, fmt.Errorf("--kafka %s: give host:port", b)
		}
	}
	if o.Spool != "" {
		to.SpoolDir = o.Spool
	}
	var err error
	if to.SpoolDir == "" {
		to.SpoolDir, err = defaultSpool()
	}
	return to, err
}

// defaultSpool returns a folder for the state of this user.
func defaultSpool() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "stillwatch", "spool"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no folder for the spool: give --spool DIR")
	}
	return filepath.Join(home, ".local", "state", "stillwatch", "spool"), nil
}

// start opens the spool and starts to drain it.
func (to *publishTo) start(log *zap.Logger, cfg pipeline.Config, sequencer *publish.Sequencer) (*publish.Publisher, error) {
	kafka, err := to.kafka()
	if err != nil {
		return nil, err
	}
	p, err := publish.NewPublisher(publish.PublisherConfig{
		Dir: to.SpoolDir, Spool: publish.SpoolOptions{MaxBytes: int64(to.SpoolBytes), Patience: to.patience}, Kafka: kafka,
		Sensor: schemas.AlertSensor{ID: cfg.Settings.SensorID, Site: cfg.Settings.Site, Version: cfg.Version},
		Report: func(err error) {
			if err != nil {
				log.Warn("records cannot be delivered", zap.Error(err))
				return
			}
			log.Info("records are delivered again")
		},
	}, sequencer)
	if errors.Is(err, publish.ErrInUse) {
		return nil, fmt.Errorf("%w; give --spool DIR", err)
	}
	if err != nil {
		return nil, err
	}
	if s := p.Spool(); s.Recovered+s.Damaged+s.TornBytes > 0 {
		log.Info("sending records that an earlier run left in the spool", zap.Uint64("records", s.Recovered), zap.Uint64("damaged_places", s.Damaged), zap.Uint64("torn_bytes", s.TornBytes))
	}
	return p, nil
}

func (to *publishTo) kafka() (publish.KafkaConfig, error) {
	c := publish.KafkaConfig{Brokers: to.Brokers, ClientID: to.ClientID}
	if t := to.TLS; t != nil {
		c.TLS = &brokers.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
	}
	if s := to.SASL; s != nil {
		password, err := secret(s)
		if err != nil {
			return c, err
		}
		c.SASL = &brokers.SASL{Mechanism: s.Mechanism, User: s.User, Password: password}
	}
	return c, nil
}

// secret reads the password from the environment variable or file that the configuration names.
func secret(s *config.PublishSASL) (string, error) {
	if s.PasswordEnv != "" {
		if v := os.Getenv(s.PasswordEnv); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("the environment variable %s, which must have the Kafka password, is empty", s.PasswordEnv)
	}
	b, err := os.ReadFile(s.PasswordFile)
	return strings.TrimRight(string(b), "\r\n"), err
}

// deliver waits until Kafka has acknowledged all records, or none for the time of --kafka-patience, and stops publishing.
func (o *publishing) deliver(p *publish.Publisher, signal int, log *zap.Logger) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if signal != 0 {
		ctx, cancel = context.WithTimeout(ctx, signalPatience)
		defer cancel()
	}
	err := errors.Join(p.Wait(ctx, o.KafkaPatience), p.Close())
	s, d := p.Spool(), p.Drain()
	produced := uint64(0)
	for _, n := range d.Produced {
		produced += n
	}
	log.Info("publishing finished", zap.Uint64("produced", produced), zap.Any("topics", d.Produced), zap.Uint64("left", s.Records),
		zap.Uint64("dead_letters", d.Rejected), zap.Uint64("dropped", s.DroppedTotal()))
	return err
}

// collectors returns the collectors of publishing and state file.
func (o *outputs) collectors() (all []prometheus.Collector) {
	if o.kafka != nil {
		all = append(all, o.kafka)
	}
	return append(all, o.stateCollectors()...)
}

// serve serves h at the address of --listen until the returned function is called.
func (o *publishing) serve(log *zap.Logger, h http.Handler) (func(), error) {
	if o.Listen == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ErrorLog: stdlog.New(firstLine{log}, "", 0)}
	go func() { _ = srv.Serve(l) }() // ends with ErrServerClosed
	log.Info("listening", zap.String("address", l.Addr().String()))
	return func() { _ = srv.Close() }, nil
}

// firstLine logs the first line of each message, because net/http adds the stack to that of a panic.
type firstLine struct{ log *zap.Logger }

func (f firstLine) Write(b []byte) (int, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	f.log.Warn(line)
	return len(b), nil
}

// routes returns the HTTP handler of the sensor. It changes nothing, and it shows nothing that was captured. Each function of ready returns
// the reasons why the sensor is not ready.
func routes(p *publish.Publisher, more []prometheus.Collector, ready ...func() []string) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reg.MustRegister(more...)
	if p != nil {
		reg.MustRegister(p)
		ready = append(ready, p.Ready)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var reasons []string
		for _, of := range ready {
			reasons = append(reasons, of()...)
		}
		if len(reasons) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, strings.Join(reasons, "\n"))
			return
		}
		fmt.Fprintln(w, "ready")
	})
	return mux
}

// publishText returns where a configuration publishes to, without secrets.
func publishText(p *config.Publish) string {
	parts := []string{"kafka " + strings.Join(p.Brokers, ",")}
	if p.TLS != nil {
		parts = append(parts, "TLS, CA "+either(p.TLS.CA, "of the system"))
	}
	if p.SASL != nil {
		parts = append(parts, fmt.Sprintf("%s as %s", p.SASL.Mechanism, p.SASL.User))
	}
	if p.Sessions {
		parts = append(parts, "with sessions")
	}
	return strings.Join(append(parts, "spool "+either(p.SpoolDir, "in its default folder")), "; ")
}
