// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"time"

	"stillwatch/schemas"
)

// Batch is what one Apply stores.
type Batch struct {
	Alerts    []AlertRecord
	Incidents []IncidentRecord
	Devices   []DeviceRecord
	Statuses  []StatusRecord
	Evidence  []*schemas.Evidence
	Dead      []DeadLetter
}

// StatusRecord is the status of a sensor and its original JSON.
type StatusRecord struct {
	Status *schemas.Status
	JSON   []byte
}

// IncidentRecord is one revision of an incident and its original JSON.
type IncidentRecord struct {
	Incident *schemas.Incident
	JSON     []byte
}

// AlertRecord is one revision of an alert and its original JSON.
type AlertRecord struct {
	Alert *schemas.Alert
	JSON  []byte
}

// DeviceRecord is one device record and its original JSON.
type DeviceRecord struct {
	Device *schemas.Device
	JSON   []byte
}

// Applied is the result of a batch.
type Applied struct {
	Alerts     int // new revisions
	Incidents  int // revisions of incidents that were newer than the stored ones
	Duplicates int // revisions and packets that were already stored
	Devices    int // device records that were newer than the stored ones
	Statuses   int // statuses of sensors
	Evidence   int // new files with the packets of alerts
	Dead       int // new records of the dead-letter queue
}

// Order is the order of a list. Ties are broken by the order of arrival, so that paging is stable.
type Order string

// The orders. The time is event_start of an alert, that of the first alert of an incident, or last_seen of a device.
const (
	Newest   Order = ""
	Oldest   Order = "oldest"
	Riskiest Order = "risk"
)

// Page selects a page of a list. Cursor is Next of the previous page, or "" for the first. Limit is 1 to 1000; 0 means 50.
type Page struct {
	Cursor string
	Limit  int
	Order  Order
}

// AlertFilter selects alerts. Fields with the zero value do not restrict.
type AlertFilter struct {
	Severity    []string // any of them
	Rule        []string // any of them: rule id (D01) or kind (unexpected_outbound)
	Device      string   // device key
	Peer        string   // address or domain name of the peer
	IP          string   // any address of the alert
	MAC         string   // any MAC address of the alert
	CommunityID string   // of its session or of a related one
	Incident    string
	Sensor      string
	State       string       // open or closed
	Replay      *bool        // only replays, or only live
	Suppressed  *bool        // only those that a policy suppresses, or only others
	From, To    schemas.Time // event_start in [From, To)
	MinRisk     int
	Text        string // all words must occur; an address, MAC, domain or Community ID is one word; the last word may be a prefix
}

// AlertRow is an alert at one revision.
type AlertRow struct {
	Row      int64     // order of arrival
	Change   int64     // number of its last change
	State    string    // open or closed
	Stored   time.Time // when this revision was stored
	Alert    schemas.Alert
	JSON     json.RawMessage // the original record
	Revision int
}

// AlertList is a page of alerts. Next is "" on the last page.
type AlertList struct {
	Alerts []AlertRow
	Next   string
}

// IncidentFilter selects incidents.
type IncidentFilter struct {
	Severity []string // any of them is the highest severity of its alerts
	State    string   // open or closed
	Device   string   // device key of any of its alerts
	Sensor   string
	From, To schemas.Time // last event at or after From, first event before To
	Text     string       // matches any of its alerts, as AlertFilter.Text
}

// IncidentRow summarizes the alerts that share an incident id.
type IncidentRow struct {
	ID        string
	Change    int64
	State     string // open if any of its alerts is open
	Severity  string // the highest
	RiskScore int    // the highest
	Title     string // of the record of the sensor, else of the first alert with the highest risk
	First     schemas.Time
	Last      schemas.Time
	Alerts    int
	Open      int
	Devices   []string // device keys, sorted, at most 20
	Rules     []string // rule ids in the order of their first event, at most 20
	Sensors   []string // sorted, at most 20

	Record *schemas.Incident // the record of the sensor; only Records.Incident sets it, nil if there is none
	JSON   json.RawMessage   // the original record
}

// IncidentList is a page of incidents. Next is "" on the last page.
type IncidentList struct {
	Incidents []IncidentRow
	Next      string
}

// DeviceFilter selects devices.
type DeviceFilter struct {
	Role   []string // any of them
	Expect []string // any of them
	Text   string   // occurs in key, MAC, address, host name, vendor, model or role
	Alerts bool     // only those with an open alert
	Spoke  bool     // only those that are known to have opened a session
}

// DeviceRow is a device at its latest record.
type DeviceRow struct {
	Key       string
	Change    int64
	FromAlert bool // there is no device record yet: Device was made from an alert
	Device    schemas.Device
	JSON      json.RawMessage
	Open      int          // open alerts
	Alerts    int          // all alerts
	Severity  string       // the highest of its open alerts, "" if none
	RiskScore int          // the highest of its open alerts
	LastAlert schemas.Time // 0: none
}

// DeviceList is a page of devices. Next is "" on the last page.
type DeviceList struct {
	Devices []DeviceRow
	Next    string
}

// DeviceHour is an hour in which a device opened sessions. Opened counts the known ones, from alerts about sessions that it opened and
// from last_origination of its records, not every session.
type DeviceHour struct {
	Hour   schemas.Time // its start
	Opened int
	Alerts int
}

// SensorRow is a sensor according to its alerts. Missing counts alerts that have a sequence number but were not received, over all runs.
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
	Alerts     int64 // records received
	Missing    int64
	Boots      int
	Stopped    bool      // its last status says that it was stopped
	Heard      time.Time // when its last status was stored; zero if it has never sent one
	Status     []byte    // the JSON of that status; nil if there is none
}

// SilentAfter is the time without a status after which a live sensor counts as not heard: four times the interval in which it sends one.
const SilentAfter = 2 * time.Minute

// State returns "running", "stopped", "unheard" if a live sensor has stopped sending its status without saying so, or "unknown" if it has never
// sent one, as in a replay.
func (s *SensorRow) State(now time.Time) string {
	switch {
	case s.Heard.IsZero():
		return "unknown"
	case s.Stopped:
		return "stopped"
	case now.Sub(s.Heard) > SilentAfter:
		return "unheard"
	}
	return "running"
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

// Overview holds the summary counts of the overview page.
type Overview struct {
	OpenBySeverity map[string]int // has all five severities
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

// Change is one entry of the live feed.
type Change struct {
	Number int64
	Kind   string     // alert or device
	ID     string     // alert id or device key
	Row    *AlertRow  // of an alert
	Device *DeviceRow // of a device
}

// DeadLetter is a rejected record in the dead-letter queue.
type DeadLetter struct {
	ID        int64
	Topic     string
	Partition int
	Offset    int64
	Reason    string
	Key       []byte
	Value     []byte // truncated to 64 KiB
	Size      int    // of the original value
	At        time.Time
}

// DeadLetterList is a page of the dead-letter queue, newest first. Next is "" on the last page.
type DeadLetterList struct {
	Records []DeadLetter
	Next    string
}

// User is a user account. Role is viewer, analyst or admin.
type User struct {
	ID           int64
	Name         string
	Role         string
	PasswordHash string // "": cannot sign in with a password
	Disabled     bool
	Created      time.Time
	LastSeen     time.Time // zero: never
}

// Session is the session of a signed-in browser. Hash is the hash of its secret, which is not stored.
type Session struct {
	Hash     []byte
	User     int64
	CSRF     string
	Remote   string
	Created  time.Time
	LastSeen time.Time
	Expires  time.Time
}

// Token is an API token. Hash is the hash of its secret, which is not stored.
type Token struct {
	ID       int64
	Name     string
	Role     string
	User     int64 // who created it; 0: the command line
	Hash     []byte
	Created  time.Time
	LastSeen time.Time // zero: never
	Expires  time.Time // zero: never
}

// Link is a one-time sign-in link.
type Link struct {
	Hash    []byte
	User    int64
	Expires time.Time
}

// AuditEntry is an entry of the audit log.
type AuditEntry struct {
	ID     int64
	At     time.Time
	User   string // user name, token:NAME or "command line"
	Action string // sign_in, sign_in_refused, user_add …
	Target string
	Detail string
	Remote string
}

// AuditList is a page of the audit log, newest first. Next is "" on the last page.
type AuditList struct {
	Entries []AuditEntry
	Next    string
}
