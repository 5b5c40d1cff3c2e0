// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"

	"stillwatch/sensor/internal/detect"
)

// Reload applies another configuration and inventory between two packets: no packet, session or observation is lost. After an error nothing
// has changed. The identity of the sensor and the sizes of its tables cannot change.
func (r *Run) Reload(ctx context.Context, cfg Config) error {
	err := error(nil)
	if e := r.Ask(ctx, func() {
		if err = r.correlator.reload(cfg); err == nil {
			r.internal.Store(internalTable(&cfg))
		}
	}); e != nil {
		return e
	}
	return err
}

var (
	errIdentity = errors.New("sensor.id and the site are read at the start: restart the sensor to change them")
	errEvidence = errors.New("evidence is read at the start: restart the sensor to change it")
	errLearning = errors.New("learning.enabled is read at the start: restart the sensor to change it")
	errLimits   = errors.New("limits are read at the start: restart the sensor to change them")
)

func (c *correlator) reload(cfg Config) error {
	switch old := &c.cfg; {
	case cfg.Settings.SensorID != old.Settings.SensorID, siteOf(cfg.Settings, cfg.Inventory) != siteOf(old.Settings, old.Inventory):
		return errIdentity
	case cfg.Settings.Limits != old.Settings.Limits:
		return errLimits
	case cfg.Settings.EvidenceMemory != old.Settings.EvidenceMemory, cfg.Settings.EvidenceFiles != old.Settings.EvidenceFiles:
		return errEvidence
	}
	learned := c.contracts.Learner()
	if cfg.Settings.Learning.Enabled != (learned != nil) {
		return errLearning
	}
	r, err := rulesOf(&cfg, learned)
	if err != nil {
		return err
	}
	ds, err := detect.Reconfigure(c.detectors, r.detect)
	if err != nil {
		return err
	}
	if cfg.Assets != nil {
		cfg.Assets.Use()
	}
	cfg.State = c.cfg.State
	c.ctx.Intel = cfg.Intel
	c.cfg, c.detectors, c.watch, c.contracts, c.ctx.Contracts = cfg, ds, detect.NewWatch(ds), r.contracts, r.contracts
	c.policies.Reconfigure(cfg.Settings.PolicyKeys)
	for _, o := range cfg.Policies {
		c.policies.Offer(o)
	}
	c.contracts.SetPolicies(c.policies.Contracts())
	c.saved.retune(c)
	if learned != nil {
		learned.Reconfigure(learnConfig(cfg.Settings))
	}
	c.reg.Reconfigure(r.device)
	c.move()
	c.alerts.Reconfigure(r.alert)
	c.sensor = r.alert.Sensor
	return nil
}
