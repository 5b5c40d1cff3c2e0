// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/policy"
)

// Offer passes policies to a run, which decides about them at its next tick. The error is that of ctx.
func (r *Run) Offer(ctx context.Context, all []policy.Offer) error {
	return r.Ask(ctx, func() {
		for _, o := range all {
			r.correlator.policies.Offer(o)
		}
	})
}

// Policies returns the active policies. Call it through Ask, or after the run.
func (r *Run) Policies() []*policy.Policy { return r.correlator.policies.Active() }

// applyPolicies decides about the policies that were offered since the last tick, and applies those that are active.
func (c *correlator) applyPolicies() {
	now := c.ctx.Now
	outcomes, changed := c.policies.Tick(now)
	if changed {
		c.contracts.SetPolicies(c.policies.Contracts())
	}
	if changed || c.policies.Due(now) {
		c.policies.Act(c.contracts.Learner(), c.reg.ByKey, now)
	}
	for i := range outcomes {
		c.policyOutcome(&outcomes[i])
	}
}

func (c *correlator) policyOutcome(o *policy.Outcome) {
	if c.out.Policy != nil {
		c.out.Policy(o)
	}
	if o.Result != policy.Refused {
		return
	}
	for _, d := range c.detectors {
		if w, ok := d.(detect.PolicyWatcher); ok {
			w.PolicyRefused(&o.PolicyRefusal, &c.ctx)
		}
	}
}
