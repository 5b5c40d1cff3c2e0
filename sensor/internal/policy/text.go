// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"stillwatch/schemas"
)

// Peek returns the policy in a JWS or a record without looking at the signature, to show it to a person.
func Peek(raw []byte) (*Policy, error) {
	if raw = bytes.TrimSpace(raw); bytes.HasPrefix(raw, []byte("{")) {
		return Parse(raw)
	}
	j, err := parseJWS(string(raw))
	if err != nil {
		return nil, err
	}
	return Parse(j.unverified())
}

// Record returns the record in one line of JSON.
func (p *Policy) Record() []byte {
	b, _ := schemas.AppendPolicy(nil, &p.Policy) // no field can fail
	return b
}

// ScopeText describes which sensors take the policy.
func (p *Policy) ScopeText() string {
	if p.Scope == nil {
		return "all sensors"
	}
	return strings.TrimSpace(p.Scope.Site + " " + strings.Join(p.Scope.Sensors, ","))
}

// DeviceText describes which devices the policy is about.
func (p *Policy) DeviceText() string {
	d := p.Device
	switch {
	case d == nil && p.Kind == schemas.PolicyRetire:
		return ""
	case d == nil:
		return "all"
	case d.Role != "":
		return "role " + d.Role
	case d.Vendor != "":
		return "vendor " + d.Vendor
	}
	return cmp.Or(d.Key, d.MAC, d.IP, d.Prefix)
}

// What describes what the policy allows, suppresses or expects: "D18: out tcp 443 to *.backup.example, mon-fri 00-06".
func (p *Policy) What() string {
	if p.Expect != "" {
		return p.Expect
	}
	if p.Kind != schemas.PolicyAllow && p.Kind != schemas.PolicySuppress {
		return p.sessions()
	}
	var parts []string
	if len(p.Rules) > 0 {
		parts = append(parts, strings.Join(p.Rules, ",")+":")
	}
	return strings.Join(append(parts, cmp.Or(p.sessions(), "all sessions")), " ")
}

// sessions describes which sessions the policy selects, "" if all.
func (p *Policy) sessions() string {
	var words []string
	if m := p.Match; m != nil {
		prep := "to"
		words = append(words, cmp.Or(m.Direction, map[bool]string{true: "out"}[p.Kind == schemas.PolicyAllow]))
		if m.Direction == "in" {
			prep = "from"
		} else if words[0] == "" {
			prep = "with"
		}
		words = append(words, m.Proto)
		if m.Port != 0 {
			words = append(words, fmt.Sprint(m.Port))
		}
		words = append(words, m.App)
		if m.Peer != "" {
			words = append(words, prep, m.Peer)
		}
	}
	if p.Hours != "" {
		words = append(words, "only", p.Hours)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// entry describes the entry of a contract: "out tcp 443 tls to *.example.com (policy backup-job)".
func (p *Policy) entry() string { return p.sessions() + " (policy " + p.ID + ")" }
