// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/watchtime"
)

// rules is the part of the configuration that can be reloaded during a run.
type rules struct {
	detect    detect.Config
	contracts *contract.Registry
	device    device.Config
	alert     alert.Config
}

// rulesOf returns the rules of a configuration. Learned contracts come from the run, if there is one.
func rulesOf(cfg *Config, learned *contract.Learner) (rules, error) {
	set, inv := cfg.Settings, cfg.Inventory
	site := siteOf(set, inv)
	r := rules{
		detect:    detect.Config{Enabled: set.Enabled, Params: set.Params, Custom: cfg.Rules},
		contracts: contract.New(inv, contract.Config{IdleDays: set.IdleDays, Silent: set.Silent, SilentMACs: set.SilentMACs, Internal: set.Internal, Learner: learned}),
		device:    registryConfig(cfg, site),
	}
	inForce, err := detect.Describe(r.detect)
	r.alert = alert.Config{
		Sensor: schemas.AlertSensor{
			ID: set.SensorID, Site: site, Version: cfg.Version, Iface: cfg.Iface, Capture: captureOf(cfg), CaptureWhy: detect.Clean(cfg.Why, 300),
			RulesHash: alert.Hash(inForce), ConfigHash: configHash(set, inv),
		},
		Replay:   cfg.Replay,
		Severity: severities(set),
		NoChain:  !set.Enabled(detect.RuleChain().ID),
	}
	return r, err
}

// newCorrelator returns the correlator for a configuration.
func newCorrelator(cfg Config, out Output) (*correlator, error) {
	r, err := rulesOf(&cfg, newLearner(cfg.Settings))
	if err != nil {
		return nil, err
	}
	ds, err := detect.New(r.detect)
	if err != nil {
		return nil, err
	}
	if cfg.Assets != nil {
		cfg.Assets.Use()
	}
	clock := watchtime.New(!cfg.Replay)
	r.device.Clock = clock
	c := &correlator{out: out, cfg: cfg, sensor: r.alert.Sensor, clock: clock, reg: device.New(r.device), contracts: r.contracts, detectors: ds, watch: detect.NewWatch(ds), counts: newRunCounts(), media: newAnnouncements()}
	if out.Incident != nil {
		r.alert.Incident = c.writeIncident
	}
	c.policies = policy.New(policy.Config{Sensor: cfg.Settings.SensorID, Site: cfg.Site(), Keys: cfg.Settings.PolicyKeys})
	r.alert.Policies = c.policies
	for _, o := range cfg.Policies {
		c.policies.Offer(o)
	}
	c.alerts = alert.New(r.alert, c.write)
	c.ctx = detect.Context{Devices: c.reg, Contracts: c.contracts, Names: enrich.NewNames(cfg.Settings.Limits.Names), Intel: cfg.Intel, Emit: c.emit, Suspect: c.suspect}
	c.startEvidence()
	if cfg.State != nil {
		return c, c.restore()
	}
	return c, nil
}

// newLearner returns the learned contracts of a run, nil if nothing is learned.
func newLearner(set *config.Config) *contract.Learner {
	if !set.Learning.Enabled {
		return nil
	}
	return contract.NewLearner(learnConfig(set))
}

func learnConfig(set *config.Config) contract.LearnConfig {
	x := set.Learning.LearnConfig
	x.MaxDevices = set.Limits.Devices
	return x
}

func captureOf(cfg *Config) string {
	if cfg.Capture == "" {
		return "file"
	}
	return cfg.Capture
}

// configHash returns a hash of what the operator configured: configuration, inventory, and the devices declared silent.
func configHash(set *config.Config, inv *contract.Inventory) string {
	var inventory []byte
	if inv != nil {
		inventory = inv.Source
	}
	return alert.Hash(set.Source, inventory, fmt.Append(nil, set.Silent, set.SilentMACs, set.Internal))
}

func registryConfig(cfg *Config, site string) device.Config {
	inv := cfg.Inventory
	c := device.Config{
		Site: site, Watch: slices.Concat(inv.Watched(), cfg.Settings.Silent), WatchMACs: cfg.Settings.SilentMACs, Named: inv.Named(),
		MaxDevices: cfg.Settings.Limits.Devices, External: cfg.External,
	}
	c.Internal = internalOf(cfg.Settings, inv)
	return c
}

// internalOf returns the watched network from the command line, else from the inventory; nil if neither sets it.
func internalOf(set *config.Config, inv *contract.Inventory) []netip.Prefix {
	if len(set.Internal) == 0 && inv != nil {
		return inv.Internal
	}
	return set.Internal
}

// internalTable returns the watched network for lookups.
func internalTable(cfg *Config) *bart.Lite {
	nets := internalOf(cfg.Settings, cfg.Inventory)
	if len(nets) == 0 {
		nets = device.DefaultInternal()
	}
	table := new(bart.Lite)
	for _, p := range nets {
		table.Insert(p.Masked())
	}
	return table
}

// siteOf returns the site from the configuration of the sensor, else from the inventory.
func siteOf(set *config.Config, inv *contract.Inventory) string {
	switch {
	case set.Site != "":
		return set.Site
	case inv != nil && inv.Site != "":
		return inv.Site
	}
	return "local"
}

// severities returns the severities that the operator set, by rule.
func severities(set *config.Config) map[string]detect.Severity {
	m := map[string]detect.Severity{}
	for rule, d := range set.Detections {
		if d.Severity == nil {
			continue
		}
		m[rule] = detect.Severity(slices.Index(config.Severities(), *d.Severity))
	}
	return m
}

// pastShare is the ratio of live sessions to ended sessions whose initiator is kept.
const pastShare = 4

// sessionConfig divides the limits of the operator among the partitions.
func sessionConfig(l config.Limits) session.Config {
	c := session.DefaultConfig()
	c.MaxSessions = max(l.Sessions/Partitions, 1)
	c.MaxPast = c.MaxSessions / pastShare
	c.MaxHeads = max(l.HeadSessions/Partitions, 1)
	c.MaxHeadBytes = max(l.HeadBytes/Partitions, 64<<10)
	c.HeadLimit = l.HeadLimit
	return c
}
