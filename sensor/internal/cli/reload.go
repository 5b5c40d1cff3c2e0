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

// reloadOnHangup reloads inventory and configuration at each SIGHUP, until ctx ends or the returned function is called.
func (mon *monitor) reloadOnHangup(ctx context.Context, m service.Manager) (stop func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
				m.Reloading()
				mon.withRecovery("reload", func() {
					mon.reload(ctx)
					mon.suggest(ctx)
				})
				m.Ready(mon.status())
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

// reload applies the current files, or logs why it cannot.
func (mon *monitor) reload(ctx context.Context) {
	cfg, err := mon.cmd.loadLive(mon.version)
	if err == nil {
		err = mon.apply(ctx, cfg)
	}
	mon.mu.Lock()
	defer mon.mu.Unlock()
	if mon.port.Stale = err != nil; err != nil {
		mon.port.Refused++
		mon.log.Error("the new configuration is not valid; the old one stays active", zap.Strings("reasons", reasons(err)))
		return
	}
	mon.port.Reloads++
	mon.cfg = cfg
	mon.log.Info("configuration reloaded", zap.String("inventory", either(inventoryOf(cfg.Settings, mon.cmd.Config, mon.cmd.Inventory), "none")))
}

// apply activates a configuration. The filter of the port comes first: the correlator can only evaluate packets that the port passes on.
func (mon *monitor) apply(ctx context.Context, cfg pipeline.Config) error {
	mon.mu.Lock()
	old := mon.cfg
	mon.mu.Unlock()
	if !reflect.DeepEqual(cfg.Settings.Publish, old.Settings.Publish) {
		return errors.New("publish is read only at the start: restart the sensor to change it")
	}
	cfg.Capture, cfg.Iface = old.Capture, old.Iface
	if err := mon.src.SetWatch(mon.cmd.live(cfg)); err != nil {
		return err
	}
	err := mon.run.Reload(ctx, cfg)
	if err != nil {
		err = errors.Join(err, mon.src.SetWatch(mon.cmd.live(old)))
	}
	return err
}

// reasons returns the lines of an error for the log.
func reasons(err error) (all []string) {
	for _, line := range lines(err) {
		all = append(all, strings.TrimSpace(terminal.Clean(line)))
	}
	return all
}
