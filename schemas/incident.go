// SPDX-License-Identifier: Apache-2.0

package schemas

import "net/netip"

// Incident is one revision of an incident: the alerts of one attack or cause. The ID is the incident_id of its alerts; consumers upsert by
// (id, revision).
type Incident struct {
	Schema         string             `json:"schema"`
	ID             string             `json:"id"`
	Revision       int                `json:"revision"`
	Action         string             `json:"action"` // create update close
	Time           IncidentTime       `json:"time"`
	Sensor         AlertSensor        `json:"sensor"` // without seq
	Title          string             `json:"title"`  // who did what and how far
	Narrative      []IncidentSentence `json:"narrative"`
	Stages         []IncidentStage    `json:"stages,omitempty"`
	Devices        []IncidentDevice   `json:"devices,omitempty"`
	Peers          []IncidentPeer     `json:"peers,omitempty"`
	Severity       string             `json:"severity"`
	RiskScore      int                `json:"risk_score"`  // 0 to 100
	Probability    float64            `json:"probability"` // 0 to 1: that it is an attack
	Terms          []IncidentTerm     `json:"terms,omitempty"`
	Alerts         []string           `json:"alerts,omitempty"` // ids, the first ones
	AlertsTotal    int                `json:"alerts_total"`     // without those that another alert has absorbed
	Recommendation string             `json:"recommendation,omitempty"`
}

// IncidentTime holds times of the capture clock. Only EmittedAt, set by the publisher, is wall-clock time.
type IncidentTime struct {
	First      Time  `json:"first"`
	Last       Time  `json:"last"`
	DetectedAt Time  `json:"detected_at"`
	EmittedAt  *Time `json:"emitted_at,omitempty"`
	Replay     bool  `json:"replay"`
}

// IncidentSentence is one sentence of the narrative, in the order of time.
type IncidentSentence struct {
	Time   Time     `json:"time"`
	Text   string   `json:"text"`
	Alerts []string `json:"alerts,omitempty"` // that it tells
}

// IncidentStage is one stage of an attack.
type IncidentStage struct {
	Stage  string   `json:"stage"` // exposure scan guess login discovery outbound control fanout manipulation upload
	First  Time     `json:"first"`
	Last   Time     `json:"last"`
	Rule   string   `json:"rule"` // of the strongest alert
	Alerts []string `json:"alerts,omitempty"`
}

// IncidentDevice is a device and its part: victim, stepping_stone or target.
type IncidentDevice struct {
	Key    string     `json:"key"`
	Part   string     `json:"part"`
	Role   string     `json:"role,omitempty"`
	Vendor string     `json:"vendor,omitempty"`
	IP     netip.Addr `json:"ip,omitzero"`
}

// IncidentPeer is a peer outside the watched networks.
type IncidentPeer struct {
	IP   netip.Addr `json:"ip,omitzero"`
	Name string     `json:"name,omitempty"`
	Geo  *Geo       `json:"geo,omitempty"`
	ASN  *ASN       `json:"asn,omitempty"`
}

// IncidentTerm is one factor of the probability: P = 1 − Π(1 − weight), raised by stages in order.
type IncidentTerm struct {
	Rule   string  `json:"rule"`
	Weight float64 `json:"weight"`
}
