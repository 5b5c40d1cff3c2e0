// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"

	"stillwatch/collector/internal/config"
	"stillwatch/collector/internal/demo"
	"stillwatch/internal/buildinfo"
)

type demoCmd struct {
	Sensor   string `help:"Path of stillwatch-sensor, which replays the stories." default:"bin/stillwatch-sensor" placeholder:"FILE"`
	Stories  string `help:"Folder with one folder per story, each with input.pcap and inventory.yaml." default:"scripts/stories/testdata" placeholder:"DIR"`
	Listen   string `help:"Loopback address of the console. Default: any free port." placeholder:"HOST:PORT"`
	Once     bool   `help:"Exit when the API returns every alert; exit status 1 if one is missing."`
	LogLevel string `help:"Log level, on standard error: ${enum}." enum:"debug,info,warn,error" default:"warn" placeholder:"LEVEL"`
}

// Run runs the demo.
func (c *demoCmd) Run(ctx context.Context, b buildinfo.Info) error {
	if c.Listen != "" && !config.Loopback(c.Listen) {
		return usageError{errors.New("--listen must be a loopback address: the demo has no TLS")}
	}
	log, err := newLogger(c.LogLevel)
	if err != nil {
		return err
	}
	err = demo.Run(ctx, demo.Options{Sensor: c.Sensor, Stories: c.Stories, Listen: c.Listen, Once: c.Once, Out: os.Stdout, Version: b.Version, Log: log})
	if err != nil && ctx.Err() != nil && !c.Once {
		return nil // interrupted with Ctrl-C
	}
	return err
}
