// SPDX-License-Identifier: Apache-2.0

// Package config reads the two documents of the operator, the sensor configuration and the inventory, strictly:
// unknown keys and wrong values are refused with file, line and column, and all errors are listed at once.
//
// Detectors take their parameters from detections: a package that has a parameter struct with yaml tags fills it with its
// defaults and calls Config.Params on it: keys that are not in the struct are refused with line and column, keys that
// are not in the file leave the defaults as they are.
//
//	detections:
//	  D06:
//	    enabled: true
//	    severity: high
//	    params: {attempts: 5}
package config

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
)

// Config is the sensor configuration (sensor.yaml).
type Config struct {
	SensorID  string // default "sensor"
	Site      string // default: the inventory's, else "local"
	Inventory string // path of the inventory, "" if none is named
	IdleDays  int    // 1 to 90
	// Devices declared silent, beside those of the inventory.
	Silent     []netip.Prefix
	SilentMACs []packet.MAC
	Internal   []netip.Prefix // of the command line, in place of those of the inventory
	Limits     Limits
	Detections map[string]Detection // by rule, "D01"
	Publish    *Publish             // nil: records go to files only
	Source     []byte               // the document; nil for the defaults
}

// Limits bound the tables of the sensor.
type Limits struct {
	Sessions     int // sessions kept at once, over all shards
	Devices      int
	Names        int // (client, address) pairs whose name is remembered
	HeadSessions int // sessions whose stream heads are read at once, over all shards
	HeadBytes    int // bytes buffered for them, over all shards
	HeadLimit    int // bytes of one direction of a session that are read at most
}

// Defaults gives the configuration of a sensor that was told nothing.
func Defaults() *Config {
	return &Config{
		SensorID: "sensor",
		IdleDays: contract.DefaultIdleDays,
		Limits: Limits{Sessions: 1 << 20, Devices: device.DefaultMaxDevices, Names: enrich.DefaultNames,
			HeadSessions: 1 << 14, HeadBytes: 32 << 20, HeadLimit: 16 << 10},
		Detections: map[string]Detection{},
	}
}

// Severities lists the values that detections.severity takes.
func Severities() []string { return []string{"informational", "low", "medium", "high", "critical"} }

// Load reads a sensor configuration. A file that cannot be opened gives the error of the system, a file with mistakes
// gives Errors.
func Load(path string) (*Config, error) {
	src, err := readFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

// Parse is Load of bytes; name stands in the messages.
func Parse(name string, src []byte) (*Config, error) {
	c := Defaults()
	c.Source = src
	d := newDocument(name, src, maxConfig)
	if root := d.root(); root != nil {
		c.read(root)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) read(root *mapping) {
	root.version()
	if s := root.mapping("sensor"); s != nil {
		s.text("id", &c.SensorID)
		s.text("site", &c.Site)
		s.done()
	}
	root.text("inventory", &c.Inventory)
	root.number("idle_days", &c.IdleDays, 1, 90)
	root.each("silent", func(v *value) {
		p, m, err := parseSilent(v.string())
		switch {
		case err != nil:
			v.fail("%s", err)
		case p.IsValid():
			c.Silent = append(c.Silent, p)
		default:
			c.SilentMACs = append(c.SilentMACs, m)
		}
	})
	if l := root.mapping("limits"); l != nil {
		c.Limits.read(l)
	}
	if m := root.mapping("detections"); m != nil {
		for _, rule := range m.keys() {
			c.detection(m, rule)
		}
		m.done()
	}
	if m := root.mapping("publish"); m != nil {
		c.readPublish(m)
	}
	root.done()
}

func (l *Limits) read(m *mapping) {
	m.number("sessions", &l.Sessions, 1000, 100_000_000)
	m.number("devices", &l.Devices, 100, 10_000_000)
	m.number("names", &l.Names, 100, 10_000_000)
	m.number("head_sessions", &l.HeadSessions, 100, 10_000_000)
	m.number("head_bytes", &l.HeadBytes, 1<<20, 1<<36)
	m.number("head_limit", &l.HeadLimit, 1024, 1<<20)
	m.done()
}

func (c *Config) detection(m *mapping, rule string) {
	if !ruleName(rule) {
		m.failKey(rule, "%q is no rule: rules are named D01 to D99", rule)
	}
	dm := m.mapping(rule)
	if dm == nil {
		return
	}
	var d Detection
	dm.boolean("enabled", &d.Enabled)
	var s string
	if dm.choice("severity", &s, Severities()); s != "" {
		d.Severity = &s
	}
	d.params, d.doc = dm.raw("params"), dm.doc
	dm.done()
	c.Detections[rule] = d
}

func ruleName(s string) bool {
	return len(s) == 3 && s[0] == 'D' && s[1] >= '0' && s[1] <= '9' && s[2] >= '0' && s[2] <= '9'
}

// Enabled reports whether a rule is wanted; all are unless the configuration says otherwise.
func (c *Config) Enabled(rule string) bool {
	e := c.Detections[rule].Enabled
	return e == nil || *e
}

// Params overwrites in the parameters of a rule what the configuration sets. into points to a struct with yaml tags that
// holds the defaults. The error is of type Errors.
func (c *Config) Params(rule string, into any) error { return c.Detections[rule].Decode(into) }

// Unknown gives the rules that the configuration sets and that are not in known, sorted: a detector that does not exist
// must not be taken for one that was switched on.
func (c *Config) Unknown(known []string) (out []string) {
	for rule := range c.Detections {
		if !slices.Contains(known, rule) {
			out = append(out, rule)
		}
	}
	slices.Sort(out)
	return out
}
