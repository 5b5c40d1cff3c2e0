// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Config says how the detectors are to be set up. The zero value gives all detectors with their defaults.
type Config struct {
	// Enabled tells whether a rule is wanted; nil means all are.
	Enabled func(rule string) bool
	// Params overwrites what the operator has set in the parameters of a rule, a pointer to a struct with yaml tags that
	// holds the defaults; nil leaves the defaults.
	Params func(rule string, into any) error
}

// Parameters gives the parameters of each rule with their defaults, as pointers to structs with yaml tags.
func Parameters() map[string]any {
	m := map[string]any{}
	for _, mk := range makers() {
		m[mk.id] = mk.defaults()
	}
	return m
}

// maker ties a rule to its parameters and its detector.
type maker struct {
	id       string
	defaults func() any
	build    func(params any) Detector
	tune     func(d Detector, params any)
}

// tunable is a detector that goes on with other parameters, and with what it has seen.
type tunable[P any] interface {
	Detector
	tune(P)
}

func ofRule[P any, D tunable[P]](r Rule, defaults func() P, build func(P) D) maker {
	return maker{
		id: r.ID, defaults: func() any { p := defaults(); return &p },
		build: func(p any) Detector { return build(*p.(*P)) },
		tune:  func(d Detector, p any) { d.(D).tune(*p.(*P)) },
	}
}

// makers lists the detectors in the order of their rules.
func makers() []maker {
	return []maker{
		ofRule(ruleOutbound, DefaultOutboundParams, newOutbound),
		ofRule(ruleWake, DefaultWakeParams, newWake),
		ofRule(ruleRole, DefaultRoleParams, newRole),
		ofRule(ruleCallback, DefaultCallbackParams, newCallback),
		ofRule(ruleExposure, DefaultExposureParams, newExposure),
		ofRule(ruleLogin, DefaultLoginParams, newLoginSuccess),
		ofRule(ruleBruteForce, DefaultBruteForceParams, newBruteForce),
		ofRule(ruleScan, DefaultScanParams, newScan),
		ofRule(ruleMirai, DefaultMiraiParams, newMirai),
		ofRule(ruleUpload, DefaultUploadParams, newUpload),
		ofRule(ruleNewDevice, DefaultNewDeviceParams, newNewDevice),
		ofRule(ruleBlindness, DefaultBlindnessParams, newBlindness),
	}
}

// Describe gives the rules that are in force with their parameters, one JSON object a line: what the hash of the rules in an
// alert is made from.
func Describe(cfg Config) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for i, m := range makers() {
		if cfg.Enabled != nil && !cfg.Enabled(m.id) {
			continue
		}
		p, err := m.settle(cfg)
		if err != nil {
			return nil, err
		}
		if err := enc.Encode(struct {
			Rule   Rule
			Params any
		}{Rules()[i], p}); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", m.id, err)
		}
	}
	return b.Bytes(), nil
}

// settle gives the parameters of a rule as the operator wants them.
func (m maker) settle(cfg Config) (any, error) {
	p := m.defaults()
	if cfg.Params != nil {
		if err := cfg.Params(m.id, p); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", m.id, err)
		}
	}
	return p, nil
}

// New gives the detectors in the order of their rules. The error names the rule whose parameters are wrong.
func New(cfg Config) ([]Detector, error) {
	var out []Detector
	for _, m := range makers() {
		if cfg.Enabled != nil && !cfg.Enabled(m.id) {
			continue
		}
		p, err := m.settle(cfg)
		if err != nil {
			return nil, err
		}
		out = append(out, m.build(p))
	}
	return out, nil
}

// Retune gives the detectors as another configuration wants them: those that were there go on with what they have seen, and nothing is
// changed if there is an error.
func Retune(old []Detector, cfg Config) ([]Detector, error) {
	fresh, err := New(cfg)
	if err != nil {
		return nil, err
	}
	made := map[string]maker{}
	for _, m := range makers() {
		made[m.id] = m
	}
	for i, d := range fresh {
		id := d.Rule().ID
		for _, x := range old {
			if x.Rule().ID == id {
				p, err := made[id].settle(cfg)
				if err != nil {
					return nil, err
				}
				made[id].tune(x, p)
				fresh[i] = x
			}
		}
	}
	return fresh, nil
}
