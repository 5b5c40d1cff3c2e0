// SPDX-License-Identifier: Apache-2.0

package schemas

import "slices"

// Policy is what an analyst has decided about devices or alerts. It is signed as a JWS (RFC 7515) with Ed25519 (RFC 8037). A higher version
// of the same ID replaces it.
type Policy struct {
	Schema    string        `json:"schema"`
	ID        string        `json:"id"`
	Version   int64         `json:"version"`
	Kind      string        `json:"kind"`
	Scope     *PolicyScope  `json:"scope,omitempty"`  // nil: every sensor
	Device    *PolicyDevice `json:"device,omitempty"` // nil: every device, which only suppress allows
	Rules     []string      `json:"rules,omitempty"`  // suppress: the rules, none means all; allow: rules that protect a critical device and that it overrides
	Match     *PolicyMatch  `json:"match,omitempty"`  // allow and suppress: the sessions; nil: all
	Expect    string        `json:"expect,omitempty"` // expect: silent server_only allowlist normal
	Hours     string        `json:"hours,omitempty"`  // allow and suppress: hours of the week in UTC, "mon-fri 08-18"; "" means always
	Reason    string        `json:"reason"`
	Author    string        `json:"author"`
	Created   Time          `json:"created"`
	Expires   *Time         `json:"expires,omitempty"` // capture clock
	FromAlert string        `json:"from_alert,omitempty"`
}

// The kinds of policies.
const (
	PolicyAllow    = "allow"    // sessions of a device are an entry of its contract
	PolicySuppress = "suppress" // alerts are decided and stored, but are none to act on
	PolicyExpect   = "expect"   // what is expected of a device
	PolicyArm      = "arm"      // the learned contract of a device is armed
	PolicyFreeze   = "freeze"   // the same, and its entries do not age
	PolicyForget   = "forget"   // the contract of a device is learned again
	PolicyRetire   = "retire"   // takes back the policy of the same id
)

var policyKinds = []string{PolicyAllow, PolicySuppress, PolicyExpect, PolicyArm, PolicyFreeze, PolicyForget, PolicyRetire}

// PolicyKinds returns all kinds of policies.
func PolicyKinds() []string { return slices.Clone(policyKinds) }

// PolicyScope names the sensors that take a policy. An empty field means all.
type PolicyScope struct {
	Site    string   `json:"site,omitempty"`
	Sensors []string `json:"sensors,omitempty"`
}

// PolicyDevice selects devices: exactly one field is set.
type PolicyDevice struct {
	Key    string `json:"key,omitempty"`
	MAC    string `json:"mac,omitempty"`
	IP     string `json:"ip,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Role   string `json:"role,omitempty"`
	Vendor string `json:"vendor,omitempty"`
}

// PolicyMatch selects sessions. An empty field means any.
type PolicyMatch struct {
	Direction string `json:"direction,omitempty"` // out: the device opens the session; in: it answers
	Proto     string `json:"proto,omitempty"`
	App       string `json:"app,omitempty"`
	Port      uint16 `json:"port,omitempty"` // of the server
	Peer      string `json:"peer,omitempty"` // as alerts write it: a name, "*.example.com", an address, a network, "device NAME", "zone NAME", "AS64500 NL", inside or outside
}
