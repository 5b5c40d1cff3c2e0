// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
)

// remember opens the state file, and has the run go on from it and save to it; an empty name stands for none. It is called after
// publish, and before the files are begun.
func (o *outputs) remember(name string, cfg *pipeline.Config, log *zap.Logger) error {
	if name == "" {
		return nil
	}
	if publish.IsStdout(name) {
		return errors.New("--state: a stream cannot be read again: give the name of a file")
	}
	opts := state.Options{
		Sensor: cfg.Settings.SensorID, Site: cfg.Site(), Version: cfg.Version,
		Told: func(err error) { log.Warn(err.Error()) },
	}
	if o.kafka != nil {
		opts.Sync = o.kafka.Sync
	}
	s, err := state.Open(name, opts)
	if err != nil {
		return err
	}
	o.state, cfg.State, o.Flush = s, s, o.flush
	return nil
}
