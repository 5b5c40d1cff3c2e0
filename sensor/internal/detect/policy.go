// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(policyRule)

// policyRule registers D44.
var policyRule = register(registration{
	Rule: Rule{
		ID: "D44", Name: "Policy refused", Kind: "policy_refused", Version: 1, Reliability: 0.5,
		Attack: join(enterprise(taEvasion, "T1562"), ics(icsInhibit, "T0804")),
	},
	advice: map[string]steps{
		"": {
			"Find out who wrote the policy, and whether that person knows of it.",
			"If nobody does, check who can write to the topic of the policies, and replace the key that signed it.",
			"If it is genuine, correct the reason and sign it again with a higher version.",
		},
	},
}, DefaultPolicyParams, newPolicies)

// PolicyParams are the parameters of D44.
type PolicyParams struct {
	MaxPerHour int `yaml:"max_per_hour"` // alerts an hour about single policies; the rest share one alert
}

// DefaultPolicyParams returns the defaults of D44.
func DefaultPolicyParams() PolicyParams { return PolicyParams{MaxPerHour: 50} }

// The codes of a PolicyRefusal.
const (
	PolicyInvalid   = "invalid"       // it is no policy
	PolicyUnsigned  = "unsigned"      // it has no signature
	PolicyUntrusted = "untrusted_key" // the key that it names is not trusted
	PolicySignature = "bad_signature" // the key that it names has not signed it
	PolicyAuthority = "not_allowed"   // the key may not sign policies of this kind or for this site
	PolicyStale     = "stale_version" // the sensor has a newer version, or another policy of the same version
	PolicyExpired   = "expired"
	PolicyFull      = "table_full" // the sensor has too many policies
)

// PolicyRefusal is a policy of an analyst that the sensor did not take.
type PolicyRefusal struct {
	ID      string // of the policy; of what is none, a short hash
	Version int64  // 0: unknown
	Code    string // PolicyInvalid …
	Why     string // a clause: "its key … is not trusted"
	Signer  string // who it says has written it; "" if unknown
}

// PolicyWatcher is a detector that receives each policy that was refused.
type PolicyWatcher interface {
	PolicyRefused(r *PolicyRefusal, c *Context)
}

// policies is D44: somebody gave the sensor a policy that it did not take. Its findings are about the sensor and have no device.
type policies struct {
	p         PolicyParams
	hourStart int64
	hourCount int
}

func newPolicies(p PolicyParams) *policies { return &policies{p: p} }

func (p *policies) Rule() Rule { return policyRule.Rule }

func (p *policies) Kinds() []Kind { return nil }

func (p *policies) setParams(x PolicyParams) { p.p = x }

func (p *policies) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{snapshot.Single("D44/1", func(c *snapshot.Codec) {
		c.Time(&p.hourStart)
		c.Int(&p.hourCount)
	})}
}

func (p *policies) Observe(*Event, *Context) {}

func (p *policies) Tick(int64, *Context) {}

// PolicyRefused implements PolicyWatcher.
func (p *policies) PolicyRefused(r *PolicyRefusal, c *Context) {
	if c.Now-p.hourStart >= hour {
		p.hourStart, p.hourCount = c.Now, 0
	}
	p.hourCount++
	over := p.hourCount - p.p.MaxPerHour
	switch {
	case over <= 0:
		c.Emit(p.finding(r, c))
	case over&(over-1) == 0:
		c.Emit(p.flood(c, over))
	}
}

// refusalSeverity returns how severe a refusal is: a policy with a wrong signature or an old version is an attempt to change what the sensor reports.
func refusalSeverity(code string) Severity {
	switch code {
	case PolicyExpired:
		return Low
	case PolicyInvalid, PolicyFull:
		return Medium
	}
	return High
}

func (p *policies) finding(r *PolicyRefusal, c *Context) *Finding {
	id, why := Clean(r.ID, 64), Clean(r.Why, 200)
	what := "policy " + id
	if r.Version > 0 {
		what += fmt.Sprintf(", version %d", r.Version)
	}
	if r.Signer != "" {
		what += ", by " + Clean(r.Signer, 60)
	}
	return &Finding{
		Rule: p.Rule(), Start: c.Now, End: c.Now, Key: "policy " + id, WindowS: daySeconds, Severity: refusalSeverity(r.Code), Count: 1,
		Title:   Fit(fmt.Sprintf("Policy %s refused: %s", id, why)),
		Message: fmt.Sprintf("Expected: policies of analysts that this sensor trusts. Seen: %s was refused at %s; %s.", what, clock(c.Now), why),
		Reasons: []Reason{{Code: r.Code, Text: why, Weight: 0.5}, benign("a key was replaced, or a policy is older than the last one")},
		Evidence: []Evidence{{Kind: "policy", Summary: what + ": " + why, Data: map[string]any{
			"id": id, "version": r.Version, "code": r.Code}}},
		Recommendation: policyRule.advise("", nil),
	}
}

// flood is the one finding for all refusals beyond the hourly limit.
func (p *policies) flood(c *Context, over int) *Finding {
	return &Finding{
		Rule: p.Rule(), Start: p.hourStart, End: c.Now, Key: "many policies", WindowS: daySeconds, Severity: High, Count: max(over/2, 1), Total: over,
		Title: fmt.Sprintf("More than %s refused within an hour", Plural(p.p.MaxPerHour, "policy", "policies")),
		Message: fmt.Sprintf("Expected: policies of analysts that this sensor trusts. Seen: since %s %d refused policies more than the %d that have alerts of their own.",
			clock(p.hourStart), over, p.p.MaxPerHour),
		Reasons:        []Reason{{Code: "flood", Text: "somebody who can write to the topic of the policies fills it", Weight: 0.5}, benign("a key was replaced, and its policies were not signed again")},
		Recommendation: policyRule.advise("", nil),
	}
}
