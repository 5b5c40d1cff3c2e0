// SPDX-License-Identifier: Apache-2.0

// Package customrule compiles and evaluates the rules of an operator: expressions over a session, its two ends and what was read of it. What
// an expression may contain is a short list, none of which can fail or loop, so that its cost is known when it is loaded.
package customrule

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/expr-lang/expr/vm"
)

// Limits of the rules of one configuration.
const (
	MaxRules    = 1000
	MaxCount    = 1000               // of a rule: matches before an alert
	MaxWithin   = 7 * 24 * time.Hour // of a rule
	MaxCost     = 1000               // of one rule
	MaxSetCost  = 10_000             // of all rules that are checked at one event
	MaxPairs    = 20_000             // devices, or devices with a peer, that a rule keeps
	DefaultSpan = 24 * time.Hour     // of Within
	maxNodes    = 5000               // of an expression, with literals
)

// Rule is a rule of the operator.
type Rule struct {
	ID       string // "C001"
	Name     string
	On       On
	About    string // client or server: which end the alert is about; "": the client if it is a device, else the server
	When     string // the expression
	Severity string // informational, low, medium, high, critical
	Count    int    // matches within Within that make an alert
	Within   time.Duration
	PerPair  bool     // matches are counted for each pair of device and peer, otherwise for each device
	Title    string   // "": who did what to whom; {device} and {peer} stand for their names
	Message  string   // "": the rule and what was seen; as Title
	Steps    []string // recommendation: three, or none
	Attack   []string // techniques of MITRE ATT&CK: T1071, T1071.001, T0869, or with the tactic TA0011/T1071
	Source   string   // where the rule comes from, "" if it was written for the sensor

	program *vm.Program
	needs   Need
	step    Step
	cost    int
	fields  []Field
}

// Compile checks and compiles When. An error is an *Error if it has a position in the expression.
func (r *Rule) Compile() error {
	c, err := compile(r.When, r.On)
	if err != nil {
		return err
	}
	r.program, r.needs, r.step, r.cost, r.fields = c.program, c.needs, c.step, c.cost, c.fields
	return nil
}

// Needs returns the parts of an Env that the rule reads.
func (r *Rule) Needs() Need { return r.needs }

// Step returns the step of an exchange at which the rule is checked.
func (r *Rule) Step() Step { return r.step }

// Field is a field that an expression reads.
type Field struct {
	Name string // session.port
	path []int
}

// Fields returns the fields that the rule reads, in the order of the expression.
func (r *Rule) Fields() []Field { return r.fields }

// Value returns the value of a field: a text, a number, a list of texts, or whether something is so.
func (e *Env) Value(f Field) any { return reflect.ValueOf(e).Elem().FieldByIndex(f.path).Interface() }

// Cost returns the cost of one check: operators, and instructions of regular expressions.
func (r *Rule) Cost() int { return r.cost }

// Machine evaluates rules. It is reused, because it keeps its stack.
type Machine struct{ vm vm.VM }

// Match reports whether the rule matches. A rule that was not compiled matches nothing.
func (r *Rule) Match(m *Machine, e *Env) bool {
	if r.program == nil {
		return false
	}
	v, err := m.vm.Run(r.program, e)
	yes, _ := v.(bool)
	return err == nil && yes // nothing that compile lets through can fail
}

// Check returns an error if the rules together are too many or cost too much, or if two have the same id.
func Check(rules []*Rule) error {
	if len(rules) > MaxRules {
		return fmt.Errorf("%d rules, at most %d are allowed", len(rules), MaxRules)
	}
	var errs []error
	cost := map[On]int{}
	for i, r := range rules {
		cost[r.On] += r.cost
		if slices.ContainsFunc(rules[:i], func(x *Rule) bool { return x.ID == r.ID }) {
			errs = append(errs, fmt.Errorf("two rules have the id %s: give one of them another id", r.ID))
		}
	}
	for _, k := range kinds {
		if cost[k.on] > MaxSetCost {
			errs = append(errs, fmt.Errorf("the rules on %s cost %d together, at most %d is allowed for one event: shorten their regular expressions, or remove rules", k.on, cost[k.on], MaxSetCost))
		}
	}
	return errors.Join(errs...)
}
