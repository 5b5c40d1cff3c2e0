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

// drop drops all privileges once everything is open, and logs what the kernel does not support.
func (c *runCmd) drop(log *zap.Logger, cfg pipeline.Config, maps bool, to *publishTo) (privilege.Status, error) {
	held, err := privilege.Drop(c.needs(cfg, maps, to))
	if err != nil {
		return nil, err
	}
	log.Info("privileges dropped", zap.Stringer("protection", held))
	if lacks := held.Lacks(); lacks != "" {
		log.Warn("the kernel does not support all protections", zap.String("lacks", lacks))
	}
	return held, nil
}

// needs returns what a run needs after the drop: it reloads its configuration, writes state and spool, and connects to brokers.
func (c *runCmd) needs(cfg pipeline.Config, maps bool, to *publishTo) privilege.Config {
	p := privilege.Config{Maps: maps, Return: c.WaitIface, Read: []string{c.Config, inventoryOf(cfg.Settings, c.Config, c.Inventory)}}
	if dir := beside(c.Config, cfg.Settings.Assets); dir != "" {
		p.Read = append(p.Read, filepath.Join(dir, "any")) // the folder of a file stays readable
	}
	if dir := beside(c.Config, cfg.Settings.Intel); dir != "" {
		p.Read = append(p.Read, filepath.Join(dir, "any"))
	}
	if path := beside(c.Config, cfg.Settings.Rules); path != "" {
		p.Read = append(p.Read, path, filepath.Join(path, "any")) // a file, whose folder stays readable, or a folder
	}
	if f := cfg.Settings.Fingerprints; f.P0f != "" || f.Recog != "" {
		p.Read = append(p.Read, beside(c.Config, f.P0f), beside(c.Config, filepath.Join(f.Recog, "*.xml")))
	}
	p.Write = append(p.Write, stackDir()...)
	p.Read = append(p.Read, c.Policy...)
	if c.State != "" {
		p.Write = append(p.Write, filepath.Dir(c.State))
	}
	if c.Evidence != "" {
		p.Write = append(p.Write, c.Evidence)
	}
	if c.Suggest != "" {
		p.Write = append(p.Write, filepath.Dir(c.Suggest))
	}
	if to == nil {
		return p
	}
	p.Names, p.Write = true, append(p.Write, to.SpoolDir)
	p.Read = append(p.Read, append(to.files(), c.PublishConfig)...)
	return p
}

// files returns the files that signing in to Kafka reads.
func (to *publishTo) files() (all []string) {
	if t := to.TLS; t != nil {
		all = append(all, t.CA, t.Cert, t.Key)
	}
	if s := to.SASL; s != nil {
		all = append(all, s.PasswordFile)
	}
	return all
}

// supervise reports to the service manager that the sensor is ready, once it captures. Then it feeds the watchdog as long as batches, which
// come even without packets, reach the correlator.
func (mon *monitor) supervise(ctx context.Context, m service.Manager) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for mon.run.Progress().Blocks == 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	m.Ready(mon.status())
	go mon.withRecovery("watch over the port", func() { mon.reportLink(ctx, m) })
	go mon.withRecovery("watch over obstacles", func() { mon.reportObstacles(ctx) })
	go mon.withRecovery("reporter of the status", func() { mon.sendStatus(ctx) })
	m.Watch(ctx, func() []service.Beat {
		return []service.Beat{{Part: "reader and correlator", Count: mon.run.Progress().Blocks}}
	}, func(part string) {
		mon.log.Error("a part of the sensor is stuck; the watchdog is not fed", zap.String("part", part))
	})
}

// reportLink reports to the log and the service manager when nothing can be captured at the port, and when capturing resumes.
func (mon *monitor) reportLink(ctx context.Context, m service.Manager) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for was := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		blind := mon.run.Progress().Blind
		switch {
		case blind == was:
			continue
		case blind != "":
			mon.log.Warn("the sensor is blind", zap.String("iface", mon.cmd.Iface), zap.String("why", blind))
			m.Status("blind: " + blind)
		default:
			mon.log.Info("the sensor captures again", zap.String("iface", mon.cmd.Iface))
			m.Status(mon.status())
		}
		was = blind
	}
}

// obstaclePeriod is how often a live run checks whether it could have found anything, and how long it may take to begin.
const obstaclePeriod = time.Minute

// reportObstacles logs why the sensor could not have found anything, whenever that changes.
func (mon *monitor) reportObstacles(ctx context.Context) {
	tick := time.NewTicker(obstaclePeriod)
	defer tick.Stop()
	for known := map[string]bool{}; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := map[string]bool{}
		for _, o := range mon.metrics().Summary.Obstacles {
			if now[o.Reason] = true; !known[o.Reason] {
				logObstacle(mon.log, o)
			}
		}
		if len(now) == 0 && len(known) > 0 {
			mon.log.Info("the sensor can detect now")
		}
		known = now
	}
}

// protected records the protections of the process, for the metrics.
func (mon *monitor) protected(held privilege.Status) {
	mon.mu.Lock()
	defer mon.mu.Unlock()
	mon.port.Protection = held
}

// status returns the line that systemctl status shows.
func (mon *monitor) status() string {
	mon.mu.Lock()
	defer mon.mu.Unlock()
	return "capturing at " + mon.cmd.Iface + " with " + mon.src.Mode + ", inventory " + either(inventoryOf(mon.cfg.Settings, mon.cmd.Config, mon.cmd.Inventory), "none")
}

// serviceManager returns the service manager that started the program, if any.
func serviceManager(log *zap.Logger) service.Manager {
	return service.Manager{Report: func(err error) { log.Warn("cannot notify the service manager", zap.Error(err)) }}
}
