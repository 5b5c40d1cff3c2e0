// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/inventory"
)

// draftFile is the file of a live run to which drafts of an inventory are written. Nil writes none.
type draftFile struct {
	name    string
	learner *inventory.Learner
}

// openDraft prepares the file of --suggest and lets the outputs learn from the traffic; an empty name means no drafts.
func (o *outputs) openDraft(name string) (*draftFile, error) {
	if name == "" {
		return nil, nil
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("--suggest: %s is no regular file: the draft replaces the whole file", name)
	}
	f, err := tempDraft(name)
	if err != nil {
		return nil, fmt.Errorf("--suggest: %w", err)
	}
	d := &draftFile{name, inventory.NewLearner()}
	o.Event, o.Alert = d.learner.Event, both(d.learner.Alert, o.Alert)
	return d, errors.Join(f.Close(), os.Remove(f.Name()))
}

// tempDraft creates a temporary file in the directory of name.
func tempDraft(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
}

// replace writes a draft to a temporary file in the same directory, and renames it.
func (d *draftFile) replace(text []byte) error {
	f, err := tempDraft(d.name)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err is more important
	}
	return err
}

// suggest writes a draft of an inventory from the traffic up to now, if --suggest is given. A failure is logged: it does not end the run.
func (mon *monitor) suggest(ctx context.Context) {
	if mon.draft == nil {
		return
	}
	var text []byte
	var err error
	mon.mu.Lock()
	internal := mon.cfg.Settings.Internal
	mon.mu.Unlock()
	if e := mon.run.Ask(ctx, func() { text, err = mon.draft.learner.Draft(mon.cmd.Iface, internal) }); e != nil {
		return // the run ends, and writes its draft then
	}
	if err == nil {
		err = mon.draft.replace(text)
	}
	if err != nil {
		mon.log.Error("no draft of an inventory was written", zap.String("file", mon.draft.name), zap.Error(err))
		return
	}
	mon.log.Info("draft of an inventory written", zap.String("file", mon.draft.name))
}
