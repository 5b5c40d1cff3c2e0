// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/device"
)

// registry has the registration of each detector in the order of the ids. The file of a detector adds it (var _ = add). Everything that must
// know all rules (configuration, metrics, documentation, saved state) reads registrations.
var registry []*registration

// registrations returns all rules in the order of their ids.
func registrations() []*registration { return registry }

// add adds a rule to the registry before main starts; what it returns has no meaning. It panics if two rules have the same id, because one
// would hide the other.
func add(r *registration) struct{} {
	i, found := slices.BinarySearchFunc(registry, r.Rule.ID, func(r *registration, id string) int { return strings.Compare(r.Rule.ID, id) })
	if found {
		panic(fmt.Sprintf("detect: %q and %q are both %s", registry[i].Rule.Name, r.Rule.Name, r.Rule.ID))
	}
	registry = slices.Insert(registry, i, r)
	return struct{}{}
}

// registration is all that the rest of the sensor knows of a rule. Each detector has one, at the top of its file.
type registration struct {
	Rule       Rule
	titleOrder int              // place of Finding.Brief in the title of a chain: 1 comes first and stays when room is short
	advice     map[string]steps // by what was found; "" is the usual case

	// Set by register; nil for D42, which the alert manager applies.
	defaults  func() any // pointer to a struct with yaml tags
	construct func(params any) Detector
	setParams func(d Detector, params any)
}

// configurable is a detector whose parameters can change while it runs. It keeps what it has seen.
type configurable[P any] interface {
	Detector
	setParams(P)
}

// register completes the registration of a rule with a detector: its constructor, and the defaults of its parameters.
func register[P any, D configurable[P]](r registration, defaults func() P, construct func(P) D) *registration {
	r.defaults = func() any { p := defaults(); return &p }
	r.construct = func(p any) Detector { return construct(*p.(*P)) }
	r.setParams = func(d Detector, p any) { d.(D).setParams(*p.(*P)) }
	return &r
}

// Rule describes a detector to the reader of an alert and of the documentation.
type Rule struct {
	ID          string // "D01"
	Name        string // "Unexpected outbound"
	Kind        string // "unexpected_outbound"
	Version     int
	Attack      []Technique
	Reliability float64 // r of the chaining formula: how often a finding of high severity is right
}

// Rules returns all rules in the order of their ids.
func Rules() []Rule {
	var out []Rule
	for _, r := range registrations() {
		out = append(out, r.Rule)
	}
	return out
}

// TitleOrder returns the place that the Brief of a rule's findings has in the title of a chain, 1 first; 0 if there is no such rule.
func TitleOrder(rule string) int {
	for _, r := range registrations() {
		if r.Rule.ID == rule {
			return r.titleOrder
		}
	}
	return 0
}

// advise returns the three steps for what was found on d; see registration.advice.
func (r *registration) advise(found string, d *device.Device) string {
	return r.advice[found].forDevice(d)
}

// Config selects and parameterizes the detectors. The zero value enables all with their defaults.
type Config struct {
	// Enabled reports whether a rule is enabled; nil enables all.
	Enabled func(rule string) bool
	// Params overwrites the parameters of a rule that the operator has set. into is a pointer to a struct with yaml tags that
	// holds the defaults. If Params is nil the defaults apply.
	Params func(rule string, into any) error
	// Custom are the rules of the operator.
	Custom []*customrule.Rule
}

// Parameters returns the parameters of each rule that has any, with their defaults, as pointers to structs with yaml tags.
func Parameters() map[string]any {
	m := map[string]any{}
	for _, r := range registrations() {
		if r.defaults != nil {
			m[r.Rule.ID] = r.defaults()
		}
	}
	return m
}

// enabled returns the registrations of the detectors that cfg enables.
func (cfg *Config) enabled() (out []*registration) {
	for _, r := range registrations() {
		if r.construct != nil && (cfg.Enabled == nil || cfg.Enabled(r.Rule.ID)) {
			out = append(out, r)
		}
	}
	for _, r := range cfg.Custom {
		out = append(out, customRegistration(r))
	}
	return out
}

// params returns the parameters of a rule under a configuration.
func (r *registration) params(cfg Config) (any, error) {
	p := r.defaults()
	if cfg.Params != nil && !IsCustom(r.Rule.ID) {
		if err := cfg.Params(r.Rule.ID, p); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", r.Rule.ID, err)
		}
	}
	return p, nil
}

// Describe returns the enabled rules with their parameters, one JSON object a line. The hash of the rules in an alert is made from it.
func Describe(cfg Config) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, r := range cfg.enabled() {
		p, err := r.params(cfg)
		if err != nil {
			return nil, err
		}
		line := struct {
			Rule   Rule
			Params any
		}{r.Rule, p}
		if err := enc.Encode(line); err != nil {
			return nil, fmt.Errorf("parameters of %s: %w", r.Rule.ID, err)
		}
	}
	return b.Bytes(), nil
}

// New returns the detectors in the order of their rules. An error names the rule whose parameters are wrong.
func New(cfg Config) ([]Detector, error) { return Reconfigure(nil, cfg) }

// Reconfigure returns the detectors under another configuration. Those in old that stay enabled get their new parameters and keep
// what they have seen. On error nothing has changed.
func Reconfigure(old []Detector, cfg Config) ([]Detector, error) {
	enabled := cfg.enabled()
	params := make([]any, len(enabled))
	for i, r := range enabled {
		p, err := r.params(cfg)
		if err != nil {
			return nil, err
		}
		params[i] = p
	}
	running := map[string]Detector{}
	for _, d := range old {
		running[d.Rule().ID] = d
	}
	out := make([]Detector, len(enabled))
	for i, r := range enabled {
		if out[i] = running[r.Rule.ID]; out[i] != nil {
			r.setParams(out[i], params[i])
		} else {
			out[i] = r.construct(params[i])
		}
	}
	return out, nil
}
