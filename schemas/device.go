// SPDX-License-Identifier: Apache-2.0

package schemas

import "net/netip"

// Device is the state of one device.
type Device struct {
	Schema          string          `json:"schema"`
	Key             string          `json:"key"`
	MAC             MAC             `json:"mac,omitzero"`
	IPs             []netip.Addr    `json:"ips,omitempty"`
	Hostnames       []string        `json:"hostnames,omitempty"`
	VLANs           []uint16        `json:"vlans,omitempty"`
	Vendor          string          `json:"vendor,omitempty"`
	Board           string          `json:"board,omitempty"` // who built its board or network chip, by the MAC, if that is not the vendor
	Model           string          `json:"model,omitempty"`
	Firmware        string          `json:"firmware,omitempty"`
	FirmwareDate    string          `json:"firmware_date,omitempty"` // YYYY-MM-DD
	MUDURL          string          `json:"mud_url,omitempty"`       // the last that it gave (RFC 8520); never fetched
	Contract        *DeviceContract `json:"contract,omitempty"`      // nil: nothing is learned
	Role            string          `json:"role"`
	RoleLevel       string          `json:"role_level"`
	RoleProbability float64         `json:"role_probability"` // 0 to 1
	Evidence        []RoleEvidence  `json:"evidence,omitempty"`
	Sums            []EvidenceSum   `json:"sums,omitempty"`
	Fingerprints    []string        `json:"fingerprints,omitempty"` // NPF: tcp, tcp_server, dhcp
	Expect          string          `json:"expect"`
	ExpectSource    string          `json:"expect_source,omitempty"`
	FirstSeen       Time            `json:"first_seen"`
	LastSeen        Time            `json:"last_seen"`
	LastOrigination *Time           `json:"last_origination,omitempty"`
	Silence         *Silence        `json:"silence,omitempty"` // only of devices that are not expected to open any session
	Serves          []Service       `json:"serves,omitempty"`
	Findings        []DeviceFinding `json:"findings,omitempty"`
}

// DeviceContract is the state of the learned contract of a device.
type DeviceContract struct {
	State     string            `json:"state"` // observing: nothing was learned of it yet
	Since     *Time             `json:"since,omitempty"`
	ByAnalyst bool              `json:"by_analyst,omitempty"` // an analyst armed it
	Entries   map[string]int    `json:"entries,omitempty"`    // by provenance: learned, approved, mud …
	Proposed  int               `json:"proposed,omitempty"`   // entries that wait for an analyst
	Stale     int               `json:"stale,omitempty"`      // entries that were not used for 90 days
	Outside   uint64            `json:"outside,omitempty"`    // sessions outside it since it is in its state
	Refused   []RefusedSessions `json:"refused,omitempty"`
	Unseen    *float64          `json:"unseen,omitempty"` // share of unseen behavior, 0 to 1
	LastUse   *Time             `json:"last_use,omitempty"`
}

// RefusedSessions is an entry of a contract whose sessions are counted without an alert.
type RefusedSessions struct {
	Entry    string `json:"entry"`
	Sessions uint64 `json:"sessions"`
}

// RoleEvidence is one term of the sum, in decibans, that determines role, vendor and model.
type RoleEvidence struct {
	Source   string  `json:"source"`
	Value    string  `json:"value"`
	Says     string  `json:"says"`
	PointsDB float64 `json:"points_db"`
}

// EvidenceSum is how the evidence for one role or vendor adds up. The highest sum of each kind comes first.
type EvidenceSum struct {
	Kind     string    `json:"kind"` // role, vendor
	Value    string    `json:"value"`
	PointsDB float64   `json:"points_db"`
	Terms    []SumTerm `json:"terms"`
}

// SumTerm is the base rate of a role, what one group of evidence says, or what a limit takes away.
type SumTerm struct {
	Name     string  `json:"name"`
	PointsDB float64 `json:"points_db"`
}

// Service is a port on which the device has answered.
type Service struct {
	Port     uint16 `json:"port"`
	Proto    string `json:"proto"`
	App      string `json:"app,omitempty"`
	External bool   `json:"external"` // it answered an external peer
}

// Silence is what shows that a device was silent: for how long somebody could have heard it, and what it did in that time. It covers 90 days at most.
type Silence struct {
	Since            Time         `json:"since"`
	Until            Time         `json:"until"`
	WatchedSeconds   int64        `json:"watched_seconds"` // the capture was good: both directions, loss below 0.1 %, other traffic
	SilentSeconds    int64        `json:"silent_seconds"`  // of these, the hours in which it opened no session, except to infrastructure
	LossRatio        float64      `json:"loss_ratio"`      // share of packets that were not captured, 0 to 1
	CountedSince     Time         `json:"counted_since"`   // since when the following numbers are complete
	SessionsOpened   uint64       `json:"sessions_opened"`
	SessionsAnswered uint64       `json:"sessions_answered"`
	BytesOut         uint64       `json:"bytes_out"`
	BytesIn          uint64       `json:"bytes_in"`
	Alerts           uint64       `json:"alerts"`
	OpenedHours      []OpenedHour `json:"opened_hours,omitempty"` // the last hours in which it opened sessions
	LastFrame        string       `json:"last_frame,omitempty"`   // the kind of its last frame, at last_seen: ARP reply, TCP …
}

// OpenedHour is an hour in which a device opened sessions.
type OpenedHour struct {
	Hour     Time   `json:"hour"` // its begin
	Sessions uint64 `json:"sessions"`
}

// DeviceFinding is a lasting fact about a device, for periodic review.
type DeviceFinding struct {
	Kind      string `json:"kind"` // exposed_port, default_credentials, cleartext_credentials, firmware_age …
	Text      string `json:"text"`
	FirstSeen Time   `json:"first_seen"`
	LastSeen  Time   `json:"last_seen"`
}
