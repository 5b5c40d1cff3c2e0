// SPDX-License-Identifier: Apache-2.0

package schemas

import "net/netip"

// Alert is one revision of an alert. The ID is derived from the packets, so that the same packets give the same ID; consumers
// upsert by (id, revision).
type Alert struct {
	Schema          string          `json:"schema"`
	ID              string          `json:"id"`
	Revision        int             `json:"revision"`
	Action          string          `json:"action"` // create update close
	IncidentID      string          `json:"incident_id,omitempty"`
	AbsorbedBy      string          `json:"absorbed_by,omitempty"`   // on close: the alert that tells what this one told
	SuppressedBy    string          `json:"suppressed_by,omitempty"` // id of the policy because of which nobody needs to act on it
	Time            AlertTime       `json:"time"`
	Sensor          AlertSensor     `json:"sensor"`
	Rule            AlertRule       `json:"rule"`
	Title           string          `json:"title"`
	Message         string          `json:"message"`
	Severity        string          `json:"severity"`
	RiskScore       int             `json:"risk_score"` // 0 to 100
	Confidence      int             `json:"confidence"` // 0 to 100
	Reasons         []AlertReason   `json:"reasons,omitempty"`
	Attack          []AlertAttack   `json:"attack,omitempty"`
	Device          AlertDevice     `json:"device"`
	Peer            *AlertPeer      `json:"peer,omitempty"`
	Session         *Session        `json:"session,omitempty"`
	RelatedSessions []string        `json:"related_sessions,omitempty"` // Community IDs, at most 50
	Evidence        []AlertEvidence `json:"evidence,omitempty"`
	Entities        []string        `json:"entities,omitempty"` // at most 512
	Dedupe          AlertDedupe     `json:"dedupe"`
	Recommendation  string          `json:"recommendation,omitempty"`
}

// AlertTime holds times of the capture clock. Only EmittedAt, set by the publisher, is wall-clock time.
type AlertTime struct {
	EventStart Time  `json:"event_start"`
	EventEnd   Time  `json:"event_end"`
	DetectedAt Time  `json:"detected_at"`
	EmittedAt  *Time `json:"emitted_at,omitempty"`
	Replay     bool  `json:"replay"`
}

// AlertSensor identifies the sensor, its rules and the quality of its capture. The publisher sets BootID and Seq.
type AlertSensor struct {
	ID         string  `json:"id"`
	Site       string  `json:"site,omitempty"`
	Version    string  `json:"version,omitempty"`
	Iface      string  `json:"iface,omitempty"`
	Capture    string  `json:"capture,omitempty"`     // file afpacket xdp
	CaptureWhy string  `json:"capture_why,omitempty"` // of a live capture: the mode, and why it was chosen
	RulesHash  string  `json:"rules_hash,omitempty"`
	ConfigHash string  `json:"config_hash,omitempty"`
	PolicyHash string  `json:"policy_hash,omitempty"` // of the active policies; absent if there are none
	BootID     string  `json:"boot_id,omitempty"`
	Seq        uint64  `json:"seq,omitempty"`
	OneWay     bool    `json:"one_way"`
	LossRatio  float64 `json:"loss_ratio"`
}

// AlertRule identifies the rule.
type AlertRule struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Version int    `json:"version"`
}

// AlertReason explains the risk score, or (code benign_if) what would make the alert benign.
type AlertReason struct {
	Code   string  `json:"code"`
	Text   string  `json:"text"`
	Weight float64 `json:"weight"`
}

// AlertAttack is a MITRE ATT&CK technique.
type AlertAttack struct {
	Domain    string `json:"domain"` // enterprise ics
	Tactic    string `json:"tactic,omitempty"`
	Technique string `json:"technique"`
}

// AlertDevice is the device that the alert is about, at the time of the alert.
type AlertDevice struct {
	Key         string         `json:"key"`
	IP          netip.Addr     `json:"ip,omitzero"`
	MAC         MAC            `json:"mac,omitzero"`
	VLAN        *uint16        `json:"vlan,omitempty"`
	Role        string         `json:"role,omitempty"`
	Vendor      string         `json:"vendor,omitempty"`
	Model       string         `json:"model,omitempty"`
	Owner       string         `json:"owner,omitempty"`
	Criticality string         `json:"criticality,omitempty"`
	Expect      string         `json:"expect,omitempty"`
	SilentForS  *int64         `json:"silent_for_s,omitempty"`
	Contract    string         `json:"contract,omitempty"` // the violated entry
	Evidence    []RoleEvidence `json:"evidence,omitempty"`
}

// AlertPeer is the other endpoint.
type AlertPeer struct {
	IP           netip.Addr   `json:"ip,omitzero"`
	Port         *uint16      `json:"port,omitempty"`
	Scope        string       `json:"scope"` // internal external
	Geo          *Geo         `json:"geo,omitempty"`
	ASN          *ASN         `json:"asn,omitempty"`
	Domain       *Domain      `json:"domain,omitempty"`
	ThreatIntel  *ThreatIntel `json:"threat_intel,omitempty"`
	FirstContact bool         `json:"first_contact,omitempty"` // absent if false or unknown
}

// Geo is the country of an address, according to a database of DBDate (YYYY-MM-DD).
type Geo struct {
	Country string `json:"country"` // ISO 3166-1 alpha-2
	DBDate  string `json:"db_date,omitempty"`
}

// ASN is the autonomous system of an address.
type ASN struct {
	Number uint32 `json:"number"`
	Name   string `json:"name,omitempty"`
}

// Domain is a name of the peer and its source: dns or sni.
type Domain struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

// ThreatIntel is a match in a threat intelligence list.
type ThreatIntel struct {
	Source string `json:"source"`          // name of the list
	Label  string `json:"label,omitempty"` // what the list says
	Date   string `json:"date,omitempty"`  // of the list, YYYY-MM-DD
}

// AlertEvidence is a fact for the analyst. It never contains a password, token or cookie.
type AlertEvidence struct {
	Kind    string         `json:"kind"`
	Time    *Time          `json:"time,omitempty"`
	Summary string         `json:"summary"`
	Data    map[string]any `json:"data,omitempty"`
	PCAP    *PCAP          `json:"pcap,omitempty"`
}

// PCAP refers to a file with the packets of an alert.
type PCAP struct {
	Name    string `json:"name"`
	Packets int    `json:"packets"`
	SHA256  string `json:"sha256"`
}

// AlertDedupe counts the observations that were merged into one alert.
type AlertDedupe struct {
	Key       string `json:"key"`
	WindowS   int64  `json:"window_s"`
	Count     int    `json:"count"`
	FirstSeen Time   `json:"first_seen"`
	LastSeen  Time   `json:"last_seen"`
}
