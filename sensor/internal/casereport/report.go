// SPDX-License-Identifier: Apache-2.0

// Package casereport writes the report of a case: what a replay found in captures, with the hashes of everything that it read, as one HTML page
// and as JSON. It also checks captures against a report. A report holds no time of its own, so that the same captures and the same command
// line give the same bytes.
package casereport

import "stillwatch/schemas"

// Schema is the value of the field "schema" of a report.
const Schema = "stillwatch.case/1"

// Report is the content of a case report. Its HTML and its JSON are made of it alone.
type Report struct {
	Schema    string              `json:"schema"`
	Case      Case                `json:"case"`
	Program   Program             `json:"program"`
	Captures  []Capture           `json:"captures"`
	Settings  []File              `json:"settings,omitempty"`
	Active    Active              `json:"active"`
	Totals    Totals              `json:"totals"`
	Quality   Quality             `json:"quality"`
	Incidents []*schemas.Incident `json:"incidents,omitempty"` // last revisions: at most maxIncidents, those with the highest risk
	Alerts    []*schemas.Alert    `json:"alerts,omitempty"`    // last revisions: at most maxAlerts, the most severe
	Devices   []*schemas.Device   `json:"devices,omitempty"`   // those of the alerts and incidents, and at most maxDevices others
}

// Case is what the examiner said of the case.
type Case struct {
	Number   string `json:"number,omitempty"`
	Examiner string `json:"examiner,omitempty"`
	Zone     string `json:"zone"` // of the times on the page, such as Europe/Berlin; the JSON has all times in UTC
}

// Program is the program that wrote the report, and how it was called.
type Program struct {
	Name    string   `json:"name"`
	Version string   `json:"version"` // with commit, Go version and platform
	SHA256  string   `json:"sha256,omitempty"`
	Command []string `json:"command"` // arguments as given
}

// File is a file that was read, with its hash.
type File struct {
	What   string `json:"what"`
	File   string `json:"file"` // path as given
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Note   string `json:"note,omitempty"` // why it has no hash, or why it was not read
}

// Capture is a capture that the command line names, or that a folder or archive on it has.
type Capture struct {
	File
	Member  string        `json:"member,omitempty"` // its name in the zip archive File; size and hash are those of the archive
	Packets uint64        `json:"packets"`
	First   *schemas.Time `json:"first,omitempty"` // time of its first packet
	Last    *schemas.Time `json:"last,omitempty"`  // time of its last packet
}

// Active has the short hashes of what was active, as alerts have them; "" for what there was not.
type Active struct {
	Rules     string `json:"rules_hash,omitempty"`
	Config    string `json:"config_hash,omitempty"`
	Inventory string `json:"inventory_hash,omitempty"`
	Policy    string `json:"policy_hash,omitempty"`
}

// Totals counts everything, also what the report leaves out.
type Totals struct {
	Packets    uint64            `json:"packets"`
	Bytes      uint64            `json:"bytes"`
	First      *schemas.Time     `json:"first,omitempty"` // capture clock
	Last       *schemas.Time     `json:"last,omitempty"`
	Sessions   uint64            `json:"sessions"`
	Devices    uint64            `json:"devices"`
	Incidents  uint64            `json:"incidents"`
	Alerts     uint64            `json:"alerts"`
	BySeverity map[string]uint64 `json:"alerts_by_severity,omitempty"` // "suppressed": by policies
}

// Quality is what could not be seen.
type Quality struct {
	OneWayShare    float64           `json:"one_way_share"`
	GapShare       float64           `json:"gap_share"`
	DuplicateShare float64           `json:"duplicate_share"`
	Undecoded      map[string]uint64 `json:"undecoded,omitempty"` // frames, by verdict of the decoder
	Selection      []string          `json:"selection,omitempty"` // what the examiner selected
	FramesCut      uint64            `json:"frames_cut"`          // not read because of the selection
	Unwatched      uint64            `json:"unwatched_seconds"`   // of the time that the captures span
	Pauses         []Pause           `json:"pauses,omitempty"`    // between captures, at most maxPauses, the first ones
	PausesTotal    int               `json:"pauses_total"`
	Damage         []string          `json:"damage,omitempty"`
	Obstacles      []string          `json:"obstacles,omitempty"` // why nothing could have been found
	Evicted        map[string]uint64 `json:"evicted,omitempty"`   // from full tables, by counter
	Ended          string            `json:"ended,omitempty"`     // why the replay ended before the end of the captures
}

// Pause is a time between two captures that no capture covers.
type Pause struct {
	From schemas.Time `json:"from"`
	To   schemas.Time `json:"to"`
}

const (
	maxPauses = 1000
	minPause  = 60e9 // nanoseconds; captures that a tool rotates follow each other more closely
)

// FindPauses adds the pauses between captures, which must be in the order of reading.
func (q *Quality) FindPauses(all []Capture) {
	var last schemas.Time
	for _, c := range all {
		if c.First == nil || c.Last == nil {
			continue
		}
		if last != 0 && *c.First-last >= minPause {
			if q.PausesTotal++; len(q.Pauses) < maxPauses {
				q.Pauses = append(q.Pauses, Pause{last, *c.First})
			}
		}
		last = max(last, *c.Last)
	}
}
