// SPDX-License-Identifier: Apache-2.0

// Package serve runs the collector: the embedded broker if configured, the consumer, the store, the console with the API, and the
// listener for health checks and metrics.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/broker"
	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/console"
	"stillwatch/collector/internal/consume"
	"stillwatch/collector/internal/queue"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/brokers"
	"stillwatch/internal/panics"
)

// Server is a running collector.
type Server struct {
	config   config.Config
	log      *zap.Logger
	registry *prometheus.Registry

	broker   *broker.Broker // nil if not embedded
	link     *queue.Link
	store    *store.SQLite
	auth     *auth.Auth
	console  *console.Console
	consumer *consume.Consumer
	lag      *consume.Lag

	web, health net.Listener // health may be nil
	limits      limits
	trimmed     atomic.Int64 // packets of alerts that were deleted because of their age or size
}

// New opens the database, the connection to Kafka and the listeners, so that errors are known before anything is served. Call Close if
// Run is never called.
func New(ctx context.Context, c config.Config, version string, log *zap.Logger) (*Server, error) {
	s := &Server{config: c, log: log, registry: prometheus.NewRegistry(), limits: limits{read: 15 * time.Second, write: time.Minute}}
	for _, step := range []func(context.Context) error{s.openStore, s.openQueue, s.openListeners} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.auth = auth.New(auth.Config{Store: s.store, Secure: c.TLS.Cert != "", Log: log})
	var err error
	s.console, err = console.New(console.Config{Store: s.store, Auth: s.auth, Version: version, Log: log,
		Public: map[string]http.Handler{"GET /healthz": http.HandlerFunc(healthz)}})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	counts := consume.NewMetrics(s.registry)
	s.registry.MustRegister(metrics(version).Of(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	dead := &consume.DeadLetterTopic{Client: s.link.Client("stillwatch-collector-deadletter"), Name: queue.DeadLetterTopic}
	s.consumer = consume.New(consume.Config{Log: log, Explain: s.link.Explain}, consume.NewReader(s.link, c.Kafka.Group, log), s.store, dead, counts)
	s.lag = &consume.Lag{Client: s.link.Client("stillwatch-collector-lag"), Group: c.Kafka.Group, Topics: consume.Topics(), Metrics: counts, Explain: s.link.Explain}
	return s, nil
}

func (s *Server) openStore(ctx context.Context) (err error) {
	s.store, err = store.Open(ctx, s.config.Database)
	return err
}

func (s *Server) openQueue(ctx context.Context) error {
	if s.config.Broker == nil {
		l, err := Link(s.config.Kafka)
		s.link = l
		return err
	}
	b, err := broker.Start(broker.Config{Dir: s.config.Broker.Dir, Port: s.config.Broker.Port, Log: s.log})
	if err != nil {
		return err
	}
	s.broker = b
	if s.link, err = queue.New(brokers.Config{Addrs: []string{b.Addr()}}); err != nil {
		return err
	}
	_, err = s.link.Init(ctx, EmbeddedPlan())
	return err
}

// EmbeddedPlan returns the plan for the topics of the embedded broker.
func EmbeddedPlan() queue.Plan { return queue.Plan{Partitions: 4, Replicas: 1} }

// Link returns the connection settings of a configuration.
func Link(k config.Kafka) (*queue.Link, error) {
	c := brokers.Config{Addrs: k.Brokers}
	if t := k.TLS; t != nil {
		c.TLS = &brokers.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
	}
	if k.SASL != nil {
		password, err := k.SASL.Password()
		if err != nil {
			return nil, err
		}
		c.SASL = &brokers.SASL{Mechanism: k.SASL.Mechanism, User: k.SASL.User, Password: password}
	}
	return queue.New(c)
}

// limits holds the timeouts for reading a request and writing its response. Event streams set their own deadlines.
type limits struct{ read, write time.Duration }

// Limits for unauthenticated clients: further connections wait, larger bodies are rejected.
const (
	maxConnections       = 1024
	maxHealthConnections = 64
	maxBody              = 64 << 10
)

// listen opens a listener with at most n concurrent connections. TLS wraps it, because the HTTP server must see TLS connections.
func listen(addr string, n int) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(l, n), nil
}

func (s *Server) openListeners(context.Context) (err error) {
	if s.web, err = listen(s.config.Listen, maxConnections); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	if s.config.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.config.TLS.Cert, s.config.TLS.Key)
		if err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		s.web = tls.NewListener(s.web, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})
	}
	if s.config.Health != "" {
		if s.health, err = listen(s.config.Health, maxHealthConnections); err != nil {
			return fmt.Errorf("health: %w", err)
		}
	}
	return nil
}

// URL returns the address of the console.
func (s *Server) URL() string {
	scheme := "http"
	if s.config.TLS.Cert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.web.Addr().String()
}

// HealthURL returns the address of health checks and metrics, "" if there is none.
func (s *Server) HealthURL() string {
	if s.health == nil {
		return ""
	}
	return "http://" + s.health.Addr().String()
}

// Brokers returns the addresses of the brokers.
func (s *Server) Brokers() []string { return s.link.Brokers() }

// Store returns the database.
func (s *Server) Store() store.Store { return s.store }

// Auth returns the authenticator.
func (s *Server) Auth() *auth.Auth { return s.auth }

// Problems returns why the collector is not ready, none if it is.
func (s *Server) Problems() []string {
	var all []string
	if t := s.consumer.Problem(); t != "" {
		all = append(all, t)
	}
	if _, t := s.lag.Now(); t != "" {
		all = append(all, t)
	}
	return all
}

// shutdownTime is how long open requests may take during shutdown. Together with the time for the current batch of the consumer, the
// collector stops within 20 s.
const shutdownTime = 5 * time.Second

// Run serves until ctx is done or a component fails. It then finishes open requests, stores and commits the current batch, and closes
// everything.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	start := func(part string, f func() error) { g.Go(func() error { return panics.ToError(part, f) }) }
	start("consumer", func() error { return s.consumer.Run(ctx) })
	start("measurement of the lag", func() error { return s.lag.Run(ctx) })
	start("expiry", func() error { return s.expire(ctx) })
	start("evidence", func() error { s.trimEvidence(ctx, time.Minute); return nil })
	start("watch of the sensors", func() error { watchSensors(ctx, s.store, s.log, watchEvery); return nil })
	start("web server", func() error { return s.serve(ctx, s.web, s.console, s.console.Close) })
	if s.health != nil {
		start("health server", func() error { return s.serve(ctx, s.health, s.healthHandler(), func() {}) })
	}
	s.log.Info("collector started", zap.String("console", s.URL()), zap.String("health", s.HealthURL()), zap.Strings("brokers", s.Brokers()),
		zap.String("group", s.config.Kafka.Group), zap.String("database", s.config.Database))
	err := g.Wait()
	s.log.Info("collector stopped", zap.Error(err))
	return errors.Join(err, s.Close())
}

// serve answers requests until ctx is done, then calls before to end event streams, and shuts down.
func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler, before func()) error {
	quiet, err := zap.NewStdLogAt(s.log, zap.DebugLevel) // at debug level: one line per bad connection would let any client fill the log
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.MaxBytesHandler(h, maxBody), ReadHeaderTimeout: min(10*time.Second, s.limits.read), ReadTimeout: s.limits.read,
		WriteTimeout: s.limits.write, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: quiet}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		before()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(grace), server.Close())
	})
	err = server.Serve(l)
	if stop() { // Serve failed
		return err
	}
	if err := <-stopped; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// expire deletes expired sessions and old audit entries every ten minutes, and writes grouped rejected sign-ins every minute.
func (s *Server) expire(ctx context.Context) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for minute := 0; ; minute++ {
		err := s.auth.Flush(ctx)
		if minute%10 == 0 {
			err = errors.Join(err, s.store.DeleteExpired(ctx, time.Now()), s.store.TrimAudit(ctx))
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("cannot clean up accounts", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// trimEvidence deletes the oldest packets of alerts beyond the limits of the configuration, at the start and then regularly.
func (s *Server) trimEvidence(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	keep := s.config.Evidence
	for {
		n, err := s.store.TrimEvidence(ctx, keep.MaxBytes, time.Now().AddDate(0, 0, -keep.MaxDays))
		s.trimmed.Add(n)
		if err != nil && ctx.Err() == nil {
			s.log.Warn("cannot delete old packets of alerts", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Close releases everything that New opened.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []net.Listener{s.web, s.health} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.consumer != nil {
		errs = append(errs, s.consumer.Close())
	}
	if s.broker != nil {
		s.broker.Close()
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
