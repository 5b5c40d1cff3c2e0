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
	Sensor   string `help:"Program that replays the stories." default:"bin/stillwatch-sensor" placeholder:"FILE"`
	Stories  string `help:"Folder with a folder for each story: input.pcap and inventory.yaml." default:"scripts/stories/testdata" placeholder:"DIR"`
	Listen   string `help:"Address of the console on the loopback interface; a free port if it is not given." placeholder:"HOST:PORT"`
	Once     bool   `help:"End when the API shows every alert; exit status 1 if one is missing."`
	LogLevel string `help:"Least level of the log on standard error: ${enum}." enum:"debug,info,warn,error" default:"warn" placeholder:"LEVEL"`
}

// Run shows the demonstration.
func (c *demoCmd) Run(ctx context.Context, b buildinfo.Info) error {
	if c.Listen != "" && !config.Loopback(c.Listen) {
		return usageError{errors.New("--listen must be on the loopback interface: the demonstration has no TLS")}
	}
	log, err := newLogger(c.LogLevel)
	if err != nil {
		return err
	}
	err = demo.Run(ctx, demo.Options{Sensor: c.Sensor, Stories: c.Stories, Listen: c.Listen, Once: c.Once, Out: os.Stdout, Version: b.Version, Log: log})
	if err != nil && ctx.Err() != nil && !c.Once {
		return nil // Ctrl-C while it was still going on
	}
	return err
}
