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
	Config         string   `help:"Configuration of the collector (YAML). Without it, the flags below say everything." placeholder:"FILE" type:"path"`
	EmbeddedBroker bool     `help:"Run the embedded broker on 127.0.0.1:9092, with its records beside the database."`
	Brokers        []string `help:"Brokers of Kafka: those that are named suffice to find the others." placeholder:"HOST:PORT"`
	Database       string   `help:"Database file (stillwatch.db)." placeholder:"FILE" type:"path"`
	Listen         string   `help:"Address of console and API on the loopback interface (127.0.0.1:8480); another one needs TLS and so a configuration." placeholder:"HOST:PORT"`
	LogLevel       string   `help:"Least level of the log on standard error: debug, info, warn or error." enum:",debug,info,warn,error" default:"" placeholder:"LEVEL"`
}

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, b buildinfo.Info) error {
	settings, err := c.settings()
	if err != nil {
		return usageError{err}
	}
	log, err := newLogger(settings.LogLevel)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // little is kept in memory, and validating records makes much garbage
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
			return s, errors.New("--config says everything: write brokers, database and listen there")
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
		return s, errors.New("where is Kafka? Give --config FILE, --brokers HOST:PORT, or --embedded-broker")
	}
	if c.EmbeddedBroker {
		s.Broker = &config.Broker{Dir: filepath.Join(filepath.Dir(s.Database), "broker")}
	}
	return s, s.Check()
}
