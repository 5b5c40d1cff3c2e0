// SPDX-License-Identifier: Apache-2.0

// Package doctor looks at what arrives at a mirror port, or stands in captures of one, and tells what is wrong with the mirror.
package doctor

import "slices"

// Level says how bad a finding is.
type Level string

// The levels, from good to bad.
const (
	OK      Level = "ok"
	Note    Level = "note"    // to be known; nothing is wrong
	Warning Level = "warning" // the sensor works, and sees less or works harder than it need
	Problem Level = "problem" // the sensor cannot do its work
)

// Levels lists them from good to bad.
func Levels() []Level { return []Level{OK, Note, Warning, Problem} }

// Finding is what one check has found.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Found string `json:"found"`         // one sentence or two, with the figures
	Fix   string `json:"fix,omitempty"` // a command or what to do
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

// Checks lists them.
func Checks() []string {
	return []string{CheckTraffic, CheckMirror, CheckDirections, CheckGaps, CheckVLANs, CheckEncapsulation, CheckDuplicates, CheckFrames, CheckOffloads, CheckDrops,
		CheckSilence, CheckMode, CheckClock, CheckRate, CheckKafka}
}

// Report is what the doctor tells. docs/deploy/doctor.schema.json describes its JSON form.
type Report struct {
	Version   int       `json:"version"`
	Source    string    `json:"source"` // the interface, or the captures
	Seconds   float64   `json:"seconds"`
	Worst     Level     `json:"worst"`
	Findings  []Finding `json:"findings"`
	Traffic   *Traffic  `json:"traffic,omitempty"`   // unless Kafka alone was asked for
	Port      *Port     `json:"port,omitempty"`      // of an interface only
	Capacity  *Capacity `json:"capacity,omitempty"`  // unless there were too few frames to measure
	Published *Brokers  `json:"published,omitempty"` // if Kafka was asked for
}

// Worst gives the worst level of findings.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if slices.Index(Levels(), f.Level) > slices.Index(Levels(), worst) {
			worst = f.Level
		}
	}
	return worst
}

// Count is how many frames have something in common.
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

// Traffic is what was seen. Shares are not in it: they follow from the counts.
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

	TCPSessions uint64 `json:"tcp_sessions"` // of which enough was seen to tell whether both directions come
	OneWay      uint64 `json:"one_way"`
	AckedBytes  uint64 `json:"acked_bytes"`
	MissedBytes uint64 `json:"missed_bytes"` // acknowledged by the receiver, and never seen here

	Duplicates uint64 `json:"duplicates"` // the same frame twice
	Routed     uint64 `json:"routed"`     // the same packet before and after a router

	Untagged      uint64            `json:"untagged"`
	VLANs         []Count           `json:"vlans"`
	Encapsulation []Tunnel          `json:"encapsulation"`
	Verdicts      map[string]uint64 `json:"verdicts"`  // of frames that could not be read to their end
	Truncated     uint64            `json:"truncated"` // cut by whoever captured or mirrored them
	Merged        uint64            `json:"merged"`    // longer than the port can receive: put together by an offload
	Largest       uint32            `json:"largest"`

	Backwards   uint64  `json:"backwards"` // time stamps before those of earlier frames, by more than the slack
	MostBack    float64 `json:"most_back"` // seconds
	ClockJumps  int     `json:"clock_jumps"`
	MostJump    float64 `json:"most_jump"` // seconds
	ClockSynced *bool   `json:"clock_synced,omitempty"`
	Unfollowed  uint64  `json:"unfollowed"` // frames of sessions, VLANs, tunnels or hosts beyond the bounds of the tables
}

// Capacity is how much the sensor did with frames that had just been captured.
type Capacity struct {
	Frames          uint64  `json:"frames"`
	Seconds         float64 `json:"seconds"`
	Processors      int     `json:"processors"`
	FramesPerSecond float64 `json:"frames_per_second"`
}
