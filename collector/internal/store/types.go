// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"time"

	"stillwatch/schemas"
)

// Batch is what one Apply stores.
type Batch struct {
	Alerts  []AlertRecord
	Devices []DeviceRecord
	Dead    []DeadLetter
}

// AlertRecord is one revision of an alert, and the JSON that it was read from.
type AlertRecord struct {
	Alert *schemas.Alert
	JSON  []byte
}

// DeviceRecord is one device record, and the JSON that it was read from.
type DeviceRecord struct {
	Device *schemas.Device
	JSON   []byte
}

// Applied says what became of a batch.
type Applied struct {
	Alerts     int // revisions that were new
	Duplicates int // revisions that were known
	Devices    int // device records that were newer than what was known
	Dead       int // dead letters that were new
}

// Order is how a list is sorted. Rows that are equal in it come in the order of their arrival, so that paging is stable.
type Order string

// The orders. Time is event_start of an alert, that of the first alert of an incident, and last_seen of a device.
const (
	Newest   Order = ""
	Oldest   Order = "oldest"
	Riskiest Order = "risk"
)

// Page is which part of a list is wanted. Cursor is Next of the part before, or "" for the first. Limit is 1 to 1000; 0
// means 50.
type Page struct {
	Cursor string
	Limit  int
	Order  Order
}

// AlertFilter says which alerts are wanted; what is left at its zero value does not restrict.
type AlertFilter struct {
	Severity    []string // any of them
	Rule        []string // any of them: rule id (D01) or kind (unexpected_outbound)
	Device      string   // device key
	Peer        string   // address or domain name of the peer
	IP          string   // any address that the alert names
	MAC         string   // any MAC that the alert names
	CommunityID string   // of its session or a related one
	Incident    string
	Sensor      string
	State       string       // open or closed
	Replay      *bool        // only replays, or none
	From, To    schemas.Time // event_start in [From, To)
	MinRisk     int
	Text        string // words that all must occur; an address, MAC, domain or Community ID is one word; the last may be a beginning
}

// AlertRow is an alert as it stands.
type AlertRow struct {
	Row      int64     // order of arrival
	Change   int64     // number of its last change
	State    string    // open closed
	Stored   time.Time // when this revision was stored
	Alert    schemas.Alert
	JSON     json.RawMessage // as it was received
	Revision int
}

// AlertList is a part of a list; Next is "" when it is the last.
type AlertList struct {
	Alerts []AlertRow
	Next   string
}

// IncidentFilter says which incidents are wanted.
type IncidentFilter struct {
	Severity []string // the highest severity of its alerts is any of them
	State    string   // open or closed
	Device   string   // device key of any of its alerts
	Sensor   string
	From, To schemas.Time // last event at or after From, first event before To
	Text     string       // finds the alerts of it, as AlertFilter.Text
}

// IncidentRow is the sum of the alerts that share an incident id.
type IncidentRow struct {
	ID        string
	Change    int64
	State     string // open while one of its alerts is
	Severity  string // the highest
	RiskScore int    // the highest
	Title     string // of the alert with the highest risk, the first of these
	First     schemas.Time
	Last      schemas.Time
	Alerts    int
	Open      int
	Devices   []string // device keys, sorted, at most 20
	Rules     []string // rule ids in the order of their first event, at most 20
	Sensors   []string // sorted, at most 20
}

// IncidentList is a part of a list; Next is "" when it is the last.
type IncidentList struct {
	Incidents []IncidentRow
	Next      string
}

// DeviceFilter says which devices are wanted.
type DeviceFilter struct {
	Role   []string // any of them
	Expect []string // any of them
	Text   string   // occurs in key, MAC, address, host name, vendor, model or role
	Alerts bool     // only those with an open alert
	Spoke  bool     // only those that are known to have opened something
}

// DeviceRow is a device as it was last told of.
type DeviceRow struct {
	Key       string
	Change    int64
	FromAlert bool // no device record came yet: Device holds what an alert said
	Device    schemas.Device
	JSON      json.RawMessage
	Open      int          // open alerts
	Alerts    int          // all alerts
	Severity  string       // the highest of its open alerts, "" if there is none
	RiskScore int          // the highest of its open alerts
	LastAlert schemas.Time // 0: none
}

// DeviceList is a part of a list; Next is "" when it is the last.
type DeviceList struct {
	Devices []DeviceRow
	Next    string
}

// DeviceHour is an hour in which a device opened something: Opened counts what is known of it, which is the alerts about
// sessions it opened and the last_origination of its records, not every session.
type DeviceHour struct {
	Hour   schemas.Time // its begin
	Opened int
	Alerts int
}

// SensorRow is a sensor by what its alerts say. Missing counts alerts that it numbered and that never came, over all runs.
type SensorRow struct {
	ID         string
	Site       string
	Version    string
	Iface      string
	Capture    string
	RulesHash  string
	ConfigHash string
	BootID     string
	Seq        uint64 // highest of BootID
	OneWay     bool
	LossRatio  float64
	MaxLoss    float64   // the highest LossRatio seen
	FirstSeen  time.Time // when its first alert was stored
	LastSeen   time.Time // when its last alert was stored
	LastEvent  schemas.Time
	Alerts     int64 // records that came
	Missing    int64
	Boots      int
}

// BootRow is one run of a sensor.
type BootRow struct {
	Sensor    string
	BootID    string
	FirstSeen time.Time
	LastSeen  time.Time
	MaxSeq    uint64
	Received  uint64
	Missing   uint64
	Gaps      [][2]uint64 // first and last number of each gap, at most 20
	Replay    bool
}

// Overview is the state of things in a few numbers.
type Overview struct {
	OpenBySeverity map[string]int // all five severities are there
	OpenAlerts     int
	Alerts         int
	Incidents      int
	OpenIncidents  int
	Devices        int
	ByExpect       map[string]int // devices
	Spoke          int            // devices expected silent that have an open alert
	Sensors        int
	Missing        int64
	DeadLetters    int
	LastChange     int64
}

// Change is one entry of the feed.
type Change struct {
	Number int64
	Kind   string     // alert device
	ID     string     // alert id or device key
	Row    *AlertRow  // of an alert
	Device *DeviceRow // of a device
}

// DeadLetter is a record that could not be accepted.
type DeadLetter struct {
	ID        int64
	Topic     string
	Partition int
	Offset    int64
	Reason    string
	Key       []byte
	Value     []byte // at most 64 KiB of it
	Size      int    // of the whole
	At        time.Time
}

// DeadLetterList is a part of a list, the newest first; Next is "" when it is the last.
type DeadLetterList struct {
	Letters []DeadLetter
	Next    string
}

// User is someone who may sign in. Role is viewer, analyst or admin.
type User struct {
	ID           int64
	Name         string
	Role         string
	PasswordHash string // "" : cannot sign in with a password
	Disabled     bool
	Created      time.Time
	LastSeen     time.Time // zero: never
}

// Session is a signed-in browser. Hash is of its secret, which is not stored.
type Session struct {
	Hash     []byte
	User     int64
	CSRF     string
	Remote   string
	Created  time.Time
	LastSeen time.Time
	Expires  time.Time
}

// Token lets a program in. Hash is of its secret, which is not stored.
type Token struct {
	ID       int64
	Name     string
	Role     string
	User     int64 // who made it, 0: the command line
	Hash     []byte
	Created  time.Time
	LastSeen time.Time // zero: never
	Expires  time.Time // zero: never
}

// Link signs a user in once.
type Link struct {
	Hash    []byte
	User    int64
	Expires time.Time
}

// AuditEntry is something that somebody did.
type AuditEntry struct {
	ID     int64
	At     time.Time
	User   string // name, or what stands for it (token:NAME, command line)
	Action string // sign_in, sign_in_refused, user_add …
	Target string
	Detail string
	Remote string
}

// AuditList is a part of a list, the newest first; Next is "" when it is the last.
type AuditList struct {
	Entries []AuditEntry
	Next    string
}
