// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/policy"
)

// policyFiles is the flag for policies in files.
type policyFiles struct {
	Policy []string `help:"Apply the policies in FILE: one JWS in each line, signed with a key of the configuration. Can be repeated." placeholder:"FILE" type:"path" sep:"none"`
}

// read returns the policies of all files, for the first tick. A live sensor takes signed ones only.
func (p *policyFiles) read(live bool) (all []policy.Offer, err error) {
	for _, name := range p.Policy {
		list, err := readPolicies(name)
		if err != nil {
			return nil, err
		}
		if live && len(list) > 0 && list[0].Unsigned {
			return nil, fmt.Errorf("--policy %s: the policies are not signed: sign them with 'stillwatch-sensor policy sign'", name)
		}
		all = append(all, list...)
	}
	return all, nil
}

func (p *policyFiles) policyInputs() (all []input) {
	for _, name := range p.Policy {
		all = appendInput(all, "the policies", name)
	}
	return all
}

// readPolicies reads a file of policies; - is standard input.
func readPolicies(name string) ([]policy.Offer, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // nothing was written
	}
	all, err := policy.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// logPolicies returns a function that logs what became of policies.
func logPolicies(log *zap.Logger) func(*policy.Outcome) {
	return func(o *policy.Outcome) {
		at := []zap.Field{zap.String("id", o.ID), zap.Int64("version", o.Version)}
		switch o.Result {
		case policy.Taken:
			log.Info("policy taken", append(at, zap.String("kind", o.Kind), zap.String("author", o.Signer))...)
		case policy.Ended:
			log.Info("policy expired", append(at, zap.String("kind", o.Kind))...)
		case policy.Dropped:
			log.Warn("policy dropped", zap.String("id", o.ID), zap.String("reason", o.Why))
		case policy.Ignored:
			log.Debug("policy is for other sensors")
		default:
			log.Warn("policy refused", append(at, zap.String("code", o.Code), zap.String("reason", o.Why))...)
		}
	}
}
