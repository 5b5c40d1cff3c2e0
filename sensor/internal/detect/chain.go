// SPDX-License-Identifier: Apache-2.0

package detect

import "stillwatch/sensor/internal/device"

var _ = add(chainRule)

// chainRule registers D42. It has no detector: the alert manager applies it to what the others find.
var chainRule = &registration{
	Rule: Rule{ID: "D42", Name: "Chain", Kind: "chain", Version: 1},
	advice: map[string]steps{
		"": {
			"{contain}",
			"Read the alerts of the incident in the order of time, and find the first login or session that nobody can explain.",
			"Check the devices that were reached from it, then: {then renew}",
		},
	},
}

// RuleChain returns D42, the rule about an incident as a whole.
func RuleChain() Rule { return chainRule.Rule }

// ChainAdvice returns the first three steps for an incident about d.
func ChainAdvice(d *device.Device) string { return chainRule.advise("", d) }

// Listing joins at most n items and adds how many more there are.
func Listing(items []string, n int) string { return listing(items, n) }

// Span formats a duration: "4 min 24 s".
func Span(ns int64) string { return span(ns) }

// AfterGuesses comes before the number of guesses in the brief of a login that was guessed.
const AfterGuesses = " after "
