// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
	"stillwatch/sensor/internal/terminal"
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
	opts.Report = func(err error) { log.Warn(err.Error()) }
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

// openSaved opens the state file of a sensor that has been stopped.
func openSaved(t *terminal.Terminal, name string) (*state.Store, error) {
	log, err := newLogger(t, "warn")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(name); err != nil {
		return nil, badUsage(err)
	}
	s, err := state.Open(name, state.Options{Any: true, Patience: time.Minute, Report: func(err error) { log.Warn(err.Error()) }})
	if errors.Is(err, state.ErrInUse) {
		err = fmt.Errorf("state %s: a sensor uses it: stop the sensor first", name)
	}
	if err != nil {
		return nil, badUsage(err)
	}
	if s.Clock() == 0 {
		return nil, badUsage(errors.Join(fmt.Errorf("state %s: nothing has been saved in it yet", name), s.Close()))
	}
	return s, nil
}

// copySaved copies a state file with its journals to a directory, while no sensor can use it, and returns the name of the copy.
func copySaved(t *terminal.Terminal, name, dir string) (string, error) {
	s, err := openSaved(t, name)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "state")
	for from, into := range state.Files(name, to) {
		if err == nil {
			err = copyFile(from, into)
		}
	}
	return to, errors.Join(err, s.Close())
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // nothing was written
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// continueFrom has a run continue from a copy of a state file, which the returned function closes and removes: the file stays as it is. An empty name
// means none.
func continueFrom(t *terminal.Terminal, file string, cfg *pipeline.Config) (done func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "stillwatch-")
	if err != nil {
		return nil, err
	}
	name, err := copySaved(t, file, dir)
	if err == nil {
		cfg.State, err = state.Open(name, state.Options{Sensor: cfg.Settings.SensorID, Site: cfg.Site(), Version: cfg.Version})
	}
	if err != nil {
		return nil, errors.Join(badUsage(err), os.RemoveAll(dir))
	}
	return func() {
		_ = cfg.State.Close() // the copy is not needed any more
		_ = os.RemoveAll(dir)
	}, nil
}

// stateCollectors returns the collector of the state file, if there is one.
func (o *outputs) stateCollectors() []prometheus.Collector {
	if o.state == nil {
		return nil
	}
	return []prometheus.Collector{o.state}
}
