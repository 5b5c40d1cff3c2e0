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

// openState opens the state file, from which the run continues and to which it saves; an empty name means none. Call it after publish and
// before begin.
func (o *outputs) openState(name string, cfg *pipeline.Config, log *zap.Logger, opts state.Options) error {
	if name == "" {
		return nil
	}
	if publish.IsStdout(name) {
		return errors.New("--state: standard output cannot be read back: give the name of a file")
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

// stateCollectors returns the collector of the state file, if there is one.
func (o *outputs) stateCollectors() []prometheus.Collector {
	if o.state == nil {
		return nil
	}
	return []prometheus.Collector{o.state}
}
