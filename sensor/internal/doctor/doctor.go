// SPDX-License-Identifier: Apache-2.0

// Package doctor examines the traffic of a mirror port, live or in captures, and reports what is wrong with the mirror.
package doctor

import "slices"

// Level is the severity of a finding.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Note    Level = "note"    // worth knowing; nothing is wrong
	Warning Level = "warning" // the sensor works, but misses traffic or works harder than necessary
	Problem Level = "problem" // the sensor cannot do its work
)

// Levels returns the levels from good to bad.
func Levels() []Level { return []Level{OK, Note, Warning, Problem} }

// Finding is the result of one check.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Found string `json:"found"`         // one or two sentences with figures
	Fix   string `json:"fix,omitempty"` // a command, or what to do
}

// The checks, in the order of the report.
const (
	CheckTraffic       = "traffic"
	CheckMirror        = "mirror"
	CheckDirections    = "directions"
	CheckGaps          = "gaps"
	CheckVLANs         = "vlans"
	CheckEncapsulation = "encapsulation"
	CheckDuplicates    = "duplicates"
	CheckFrames        = "frames"
	CheckOffloads      = "offloads"
	CheckDrops         = "drops"
	CheckSilence       = "silence"
	CheckMode          = "mode"
	CheckClock         = "clock"
	CheckRate          = "rate"
	CheckKafka         = "kafka"
)

// Checks returns the checks in the order of the report.
func Checks() []string {
	return []string{CheckTraffic, CheckMirror, CheckDirections, CheckGaps, CheckVLANs, CheckEncapsulation, CheckDuplicates, CheckFrames, CheckOffloads, CheckDrops,
		CheckSilence, CheckMode, CheckClock, CheckRate, CheckKafka}
}

// Report is the result of a run. docs/deploy/doctor.schema.json describes its JSON form.
type Report struct {
	Version   int       `json:"version"`
	Source    string    `json:"source"` // the interface, or the captures
	Seconds   float64   `json:"seconds"`
	Worst     Level     `json:"worst"`
	Findings  []Finding `json:"findings"`
	Traffic   *Traffic  `json:"traffic,omitempty"`   // absent if only Kafka was checked
	Port      *Port     `json:"port,omitempty"`      // only for an interface
	Capacity  *Capacity `json:"capacity,omitempty"`  // absent if there were too few frames
	Published *Brokers  `json:"published,omitempty"` // only if Kafka was checked
}

// Worst returns the worst level of the findings.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if slices.Index(Levels(), f.Level) > slices.Index(Levels(), worst) {
			worst = f.Level
		}
	}
	return worst
}

// Count is the number of frames with a property.
type Count struct {
	What   string `json:"what"`
	Frames uint64 `json:"frames"`
}

// Tunnel is an encapsulation with its outer addresses, if it has some.
type Tunnel struct {
	Type   string `json:"type"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Frames uint64 `json:"frames"`
}

// Traffic has the counts of the observed frames.
type Traffic struct {
	Frames     uint64  `json:"frames"`
	Bytes      uint64  `json:"bytes"`       // by their length on the wire
	Seconds    float64 `json:"seconds"`     // from the first frame to the last
	PeakFrames uint64  `json:"peak_frames"` // in the busiest second
	PeakBytes  uint64  `json:"peak_bytes"`

	Unicast      uint64 `json:"unicast"` // from one machine to another, neither being this one
	Own          uint64 `json:"own"`     // from or to this machine
	Group        uint64 `json:"group"`   // multicast and broadcast
	Destinations int    `json:"destinations"`
	TopHost      string `json:"top_host,omitempty"` // the address that takes part in most of the unicast frames
	TopFrames    uint64 `json:"top_frames"`

	TCPSessions uint64 `json:"tcp_sessions"` // with enough packets to tell whether both directions arrive
	OneWay      uint64 `json:"one_way"`
	AckedBytes  uint64 `json:"acked_bytes"`
	MissedBytes uint64 `json:"missed_bytes"` // acknowledged by the receiver, but never observed

	Duplicates uint64 `json:"duplicates"` // the same frame twice
	Routed     uint64 `json:"routed"`     // the same packet before and after a router

	Untagged      uint64            `json:"untagged"`
	VLANs         []Count           `json:"vlans"`
	Encapsulation []Tunnel          `json:"encapsulation"`
	Verdicts      map[string]uint64 `json:"verdicts"`  // of frames that could not be decoded completely
	Truncated     uint64            `json:"truncated"` // cut by the capture or the mirror
	Merged        uint64            `json:"merged"`    // longer than the port can receive: merged by an offload
	Largest       uint32            `json:"largest"`

	Backwards   uint64  `json:"backwards"` // time stamps before those of earlier frames, by more than the slack
	MostBack    float64 `json:"most_back"` // seconds
	ClockJumps  int     `json:"clock_jumps"`
	MostJump    float64 `json:"most_jump"` // seconds
	ClockSynced *bool   `json:"clock_synced,omitempty"`
	Unfollowed  uint64  `json:"unfollowed"` // frames of sessions, VLANs, tunnels or hosts beyond the bounds of the tables
}

// Capacity is the measured speed of the sensor with frames that were just captured.
type Capacity struct {
	Frames          uint64  `json:"frames"`
	Seconds         float64 `json:"seconds"`
	Processors      int     `json:"processors"`
	FramesPerSecond float64 `json:"frames_per_second"`
}
