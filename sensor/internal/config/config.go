// SPDX-License-Identifier: Apache-2.0

// Package config reads the sensor configuration and the inventory. It is strict: unknown keys and wrong values are errors with file, line and
// column, and all errors are reported at once.
//
// Detectors read their parameters from the key detections: a parameter struct with yaml tags is filled with defaults and passed to
// Config.Params. Keys that are not in the struct are errors; keys that are not in the file keep their defaults.
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
	Inventory string // path of the inventory, "" if there is none
	Intel     string // folder with lists of threat intelligence, "" if there is none
	Rules     string // file or folder with rules of the operator, "" if there is none
	Assets    string // folder with data files of the operator, "" if there is none
	IdleDays  int    // 1 to 90
	// Devices declared silent in addition to those of the inventory.
	Silent     []netip.Prefix
	SilentMACs []packet.MAC
	Internal   []netip.Prefix // from the command line; replaces that of the inventory
	Limits     Limits
	// Bytes of memory for packets that may become evidence of an alert; 0: no packets are kept.
	EvidenceMemory int
	// Bytes of the files in the folder of run --evidence: the oldest make room.
	EvidenceFiles int
	// Databases of fingerprints, relative to the folder of the configuration; "" means none.
	Fingerprints struct {
		P0f   string // file of p0f signatures
		Recog string // directory of Recog's XML files
	}
	Learning   Learning
	PolicyKeys []PolicyKey          // whose policies the sensor takes
	Detections map[string]Detection // by rule, "D01"
	Publish    *Publish             // nil: records go to files only
	Source     []byte               // the document; nil for the defaults
}

// Limits bound the tables of the sensor.
type Limits struct {
	Sessions     int // live sessions, over all shards
	Devices      int
	Names        int // (client, address) pairs with a DNS name
	HeadSessions int // sessions whose stream heads are read at once, over all shards
	HeadBytes    int // bytes buffered for stream heads, over all shards
	HeadLimit    int // bytes read of one direction of a session
}

// Learning says how contracts are learned.
type Learning struct {
	Enabled bool
	contract.LearnConfig
}

// Defaults returns the default configuration.
func Defaults() *Config {
	return &Config{
		SensorID: "sensor",
		IdleDays: contract.DefaultIdleDays,
		Limits: Limits{Sessions: 1 << 20, Devices: device.DefaultMaxDevices, Names: enrich.DefaultNames,
			HeadSessions: 1 << 14, HeadBytes: 32 << 20, HeadLimit: 16 << 10},
		EvidenceMemory: 64 << 20, EvidenceFiles: 1 << 30,
		Learning:   Learning{true, contract.DefaultLearnConfig()},
		Detections: map[string]Detection{},
	}
}

// minEvidence is the least memory for packets, in bytes.
const minEvidence = 1 << 20

// Severities returns the valid values of the key severity of a detection.
func Severities() []string { return []string{"informational", "low", "medium", "high", "critical"} }

// Load reads a sensor configuration from a file. The error is of type Errors if the content is invalid.
func Load(path string) (*Config, error) {
	src, err := readFile(path, maxConfig)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

// Parse reads a sensor configuration from src; messages use name as the file name.
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
	root.text("assets", &c.Assets)
	root.text("intel", &c.Intel)
	root.text("rules", &c.Rules)
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
	if m := root.mapping("evidence"); m != nil {
		m.number("memory", &c.EvidenceMemory, 0, 1<<31)
		if c.EvidenceMemory > 0 && c.EvidenceMemory < minEvidence {
			m.failKey("memory", "%d bytes are too few: give at least %d, or 0 to keep no packets", c.EvidenceMemory, minEvidence)
		}
		m.number("max_bytes", &c.EvidenceFiles, minEvidence, 1<<40)
		m.done()
	}
	if m := root.mapping("learning"); m != nil {
		c.Learning.read(m)
	}
	if m := root.mapping("policy"); m != nil {
		c.readPolicy(m)
	}
	if m := root.mapping("fingerprints"); m != nil {
		m.text("p0f", &c.Fingerprints.P0f)
		m.text("recog", &c.Fingerprints.Recog)
		m.done()
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

func (l *Learning) read(m *mapping) {
	on := &l.Enabled
	m.boolean("enabled", &on)
	l.Enabled = *on
	m.number("min_days", &l.MinDays, 1, 90)
	m.number("max_days", &l.MaxDays, 1, 365)
	m.number("review_days", &l.ReviewDays, 0, 365)
	m.number("entries", &l.MaxEntries, 16, contract.EntriesLimit)
	m.number("entries_total", &l.MaxTotal, 1000, contract.TotalLimit)
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

// Enabled reports whether a rule is enabled, which is the default.
func (c *Config) Enabled(rule string) bool {
	e := c.Detections[rule].Enabled
	return e == nil || *e
}

// Params sets the parameters of a rule that the configuration overrides. into points to a struct with yaml tags that holds the defaults. The
// error is of type Errors.
func (c *Config) Params(rule string, into any) error { return c.Detections[rule].Decode(into) }

// Unknown returns the configured rules that are not in known, sorted, so that a misspelled rule is not mistaken for an enabled one.
func (c *Config) Unknown(known []string) (out []string) {
	for rule := range c.Detections {
		if !slices.Contains(known, rule) {
			out = append(out, rule)
		}
	}
	slices.Sort(out)
	return out
}
