// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/service"
	"stillwatch/sensor/internal/terminal"
)

// reloadOn has inventory and configuration read again at each SIGHUP, until ctx ends or the function that it gives is called.
func (w *watch) reloadOn(ctx context.Context, m service.Manager) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
				m.Reloading()
				w.reload(ctx)
				m.Ready(w.status())
			case <-ctx.Done():
				return
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(hup)
		close(done)
	}
}

// reload takes the files as they are now, or tells why not.
func (w *watch) reload(ctx context.Context) {
	cfg, err := w.cmd.loadLive(w.version)
	if err == nil {
		err = w.apply(ctx, cfg)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.port.Stale = err != nil; err != nil {
		w.port.Refused++
		w.log.Error("the new configuration is refused, the old one stays", zap.Strings("reasons", reasons(err)))
		return
	}
	w.port.Reloads++
	w.cfg = cfg
	w.log.Info("the configuration was read again", zap.String("inventory", either(inventoryOf(cfg.Settings, w.cmd.Config, w.cmd.Inventory), "none")))
}

// apply puts a configuration into force. What the port is asked for comes first: what the judge is to see must come to it.
func (w *watch) apply(ctx context.Context, cfg pipeline.Config) error {
	w.mu.Lock()
	old := w.cfg
	w.mu.Unlock()
	if !reflect.DeepEqual(cfg.Settings.Publish, old.Settings.Publish) {
		return errors.New("publish is read at the start: restart the sensor to change it")
	}
	cfg.Capture, cfg.Iface = old.Capture, old.Iface
	if err := w.src.SetWatch(w.cmd.live(cfg)); err != nil {
		return err
	}
	err := w.run.Reload(ctx, cfg)
	if err != nil {
		err = errors.Join(err, w.src.SetWatch(w.cmd.live(old)))
	}
	return err
}

func reasons(err error) (all []string) {
	for _, line := range lines(err) {
		all = append(all, strings.TrimSpace(terminal.Clean(line)))
	}
	return all
}
