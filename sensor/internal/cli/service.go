// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/privilege"
	"stillwatch/sensor/internal/service"
)

// drop gives up all privileges, now that everything is open, and says what the kernel could not do.
func (c *runCmd) drop(log *zap.Logger, cfg pipeline.Config, maps bool, to *publishTo) (privilege.Status, error) {
	held, err := privilege.Drop(c.needs(cfg, maps, to))
	if err != nil {
		return nil, err
	}
	log.Info("privileges are given up", zap.Stringer("protection", held))
	if lacks := held.Lacks(); lacks != "" {
		log.Warn("the kernel cannot protect the process as it should", zap.String("lacks", lacks))
	}
	return held, nil
}

// needs says what a run does after it has begun: it reads its configuration again, writes its spool, and connects to brokers.
func (c *runCmd) needs(cfg pipeline.Config, maps bool, to *publishTo) privilege.Config {
	p := privilege.Config{Maps: maps, Return: c.WaitIface, Read: []string{c.Config, inventoryOf(cfg.Settings, c.Config, c.Inventory)}}
	if c.State != "" {
		p.Write = append(p.Write, filepath.Dir(c.State))
	}
	if to == nil {
		return p
	}
	p.Names, p.Write = true, append(p.Write, to.SpoolDir)
	p.Read = append(p.Read, append(to.files(), c.PublishConfig)...)
	return p
}

// files are those that signing in to Kafka reads.
func (to *publishTo) files() (all []string) {
	if t := to.TLS; t != nil {
		all = append(all, t.CA, t.Cert, t.Key)
	}
	if s := to.SASL; s != nil {
		all = append(all, s.PasswordFile)
	}
	return all
}

// supervise tells a service manager that the sensor captures once it does, and feeds its watchdog while frames, or the time in which none
// came, go all the way through to the judge.
func (w *watch) supervise(ctx context.Context, m service.Manager) {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for w.run.Progress().Blocks == 0 {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
	m.Ready(w.status())
	go w.sight(ctx, m)
	m.Watch(ctx, func() []service.Beat {
		return []service.Beat{{Part: "reader and judge", Count: w.run.Progress().Blocks}}
	}, func(part string) {
		w.log.Error("a part of the sensor stands still; the watchdog is not fed", zap.String("part", part))
	})
}

// sight tells the log and the service manager when nothing can be heard at the port, and when that is over.
func (w *watch) sight(ctx context.Context, m service.Manager) {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for was := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		blind := w.run.Progress().Blind
		switch {
		case blind == was:
			continue
		case blind != "":
			w.log.Warn("the sensor is blind", zap.String("iface", w.cmd.Iface), zap.String("why", blind))
			m.Status("blind: " + blind)
		default:
			w.log.Info("the sensor hears again", zap.String("iface", w.cmd.Iface))
			m.Status(w.status())
		}
		was = blind
	}
}

// protected notes what holds the process back, for the metrics.
func (w *watch) protected(held privilege.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.port.Protection = held
}

// status is shown by systemctl status.
func (w *watch) status() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return "listening at " + w.cmd.Iface + " by " + w.src.Mode + ", inventory " + either(inventoryOf(w.cfg.Settings, w.cmd.Config, w.cmd.Inventory), "none")
}

// manager is the service manager, if there is one.
func manager(log *zap.Logger) service.Manager {
	return service.Manager{Told: func(err error) { log.Warn("the service manager cannot be told", zap.Error(err)) }}
}
