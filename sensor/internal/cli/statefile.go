// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
)

// remember opens the state file, and has the run go on from it and save to it; an empty name stands for none. It is called after
// publish, and before the files are begun.
func (o *outputs) remember(name string, cfg *pipeline.Config, log *zap.Logger, opts state.Options) error {
	if name == "" {
		return nil
	}
	if publish.IsStdout(name) {
		return errors.New("--state: a stream cannot be read again: give the name of a file")
	}
	opts.Sensor, opts.Site, opts.Version = cfg.Settings.SensorID, cfg.Site(), cfg.Version
	opts.Told = func(err error) { log.Warn(err.Error()) }
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

// kept gives what there is to measure of the state file.
func (o *outputs) kept() []prometheus.Collector {
	if o.state == nil {
		return nil
	}
	return []prometheus.Collector{o.state}
}
