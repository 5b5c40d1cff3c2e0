// SPDX-License-Identifier: Apache-2.0

// Package pipeline wires the shards to the judge and the judge to what is written: it owns the capture clock and counts
// every exit from the packet path.
package pipeline

import (
	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	store "stillwatch/sensor/internal/state"
)

// Config says how a run is to be done.
type Config struct {
	Shards    int // goroutines that keep sessions; 0: chosen from the number of processors
	Settings  *config.Config
	Inventory *contract.Inventory // nil: none
	Version   string
	Replay    bool
	State     *store.Store // what is known over a restart; nil: nothing is kept. The caller closes it after the run
}

// Output takes the records of a run, called from one goroutine in an order that depends on the packets alone. A nil
// function means that the record is not wanted, and then it is not made.
type Output struct {
	Alert   func(*schemas.Alert) error
	Session func(*schemas.Session) error
	Device  func(*schemas.Device) error // at the end of the run, in the order of the keys
	Flush   func() error                // passes on what is held back, so that a kill of the program does not lose it
}

// Progress is how far a run has come. It is safe to ask from another goroutine.
type Progress struct {
	Packets, Bytes        uint64
	BytesRead, BytesTotal uint64 // of the files as stored; BytesTotal 0: not known
	First, Last           int64  // capture clock, nanoseconds
	Alerts                uint64
}

// Summary is what a run has seen, for a person and for the metrics.
type Summary struct {
	Progress
	Files          uint64
	Sessions       uint64
	SessionsLive   uint64 // greatest number at once
	Devices        uint64
	DevicesEvicted uint64
	Silent         []DeviceLine      // devices of which silence is expected, in the order of the keys
	Spoke          []DeviceLine      // those of them that opened a session outside their contract
	Severities     map[string]uint64 // alerts (not revisions) by their last severity
	Verdicts       map[string]uint64 // frames by decoder verdict
	Counters       map[string]uint64 // every other exit: fragments, evictions, head limits …, by metric name
	Damage         []string          // one line each
	OneWayShare    float64
	GapShare       float64
	DupShare       float64
}

// DeviceLine names a device to a person.
type DeviceLine struct{ Key, Name, IP, Role, Vendor, Expect string }
