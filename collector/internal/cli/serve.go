// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"path/filepath"
	"runtime/debug"

	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/serve"
	"stillwatch/internal/buildinfo"
)

type serveCmd struct {
	Config         string   `help:"Configuration of the collector (YAML). Without it, use the flags below." placeholder:"FILE" type:"path"`
	EmbeddedBroker bool     `help:"Run the embedded broker on 127.0.0.1:9092. Its data is stored next to the database."`
	Brokers        []string `help:"Kafka bootstrap brokers." placeholder:"HOST:PORT"`
	Database       string   `help:"Database file. Default: stillwatch.db." placeholder:"FILE" type:"path"`
	Listen         string   `help:"Loopback address of the console and the API. Default: 127.0.0.1:8480. Other addresses require TLS and a configuration file." placeholder:"HOST:PORT"`
	LogLevel       string   `help:"Log level, on standard error: debug, info, warn or error." enum:",debug,info,warn,error" default:"" placeholder:"LEVEL"`
}

// Run serves until it receives a signal.
func (c *serveCmd) Run(ctx context.Context, b buildinfo.Info) error {
	settings, err := c.settings()
	if err != nil {
		return usageError{err}
	}
	log, err := newLogger(settings.LogLevel)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // the heap is small, and validating records allocates much
	s, err := serve.New(ctx, settings, b.Version, log)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func (c *serveCmd) settings() (config.Config, error) {
	s := config.Default()
	if c.Config != "" {
		if c.EmbeddedBroker || len(c.Brokers) > 0 || c.Database != "" || c.Listen != "" {
			return s, errors.New("--config cannot be combined with --embedded-broker, --brokers, --database or --listen: set them in the file")
		}
		var err error
		if s, err = config.Load(c.Config); err != nil {
			return s, err
		}
	}
	if c.Database != "" {
		s.Database = c.Database
	}
	if c.Listen != "" {
		s.Listen = c.Listen
	}
	if c.LogLevel != "" {
		s.LogLevel = c.LogLevel
	}
	s.Kafka.Brokers = append(s.Kafka.Brokers, c.Brokers...)
	if c.Config == "" && len(c.Brokers) == 0 && !c.EmbeddedBroker {
		return s, errors.New("no Kafka brokers: use --config FILE, --brokers HOST:PORT or --embedded-broker")
	}
	if c.EmbeddedBroker {
		s.Broker = &config.Broker{Dir: filepath.Join(filepath.Dir(s.Database), "broker")}
	}
	return s, s.Check()
}
