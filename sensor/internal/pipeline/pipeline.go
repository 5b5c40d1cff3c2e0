// SPDX-License-Identifier: Apache-2.0

// Package pipeline wires the shards to the judge and the judge to what is written: it owns the capture clock and counts
// every exit from the packet path.
package pipeline

import (
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
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
	Capture   string       // how the packets come: "file" if it is empty, or the mode of a live capture
	Iface     string       // of a live capture
	Why       string       // it was chosen; of a live capture
}

// Output takes the records of a run, called from one goroutine in an order that depends on the packets alone. A nil
// function means that the record is not wanted, and then it is not made.
type Output struct {
	Alert   func(*schemas.Alert) error
	Session func(*schemas.Session) error
	// Device is called at the end of the run for each device, in the order of the keys; in a live run also each minute for those that have
	// changed.
	Device func(*schemas.Device) error
	// Flush is called when nothing more follows from what has come so far: what was held back is to be written. Nil: nothing is.
	Flush func() error
}

// Progress is how far a run has come. It is safe to ask from another goroutine.
type Progress struct {
	Packets, Bytes        uint64
	BytesRead, BytesTotal uint64 // of the files as stored; BytesTotal 0: not known
	First, Last           int64  // capture clock, nanoseconds
	Alerts                uint64
	Blind                 string // why nothing can be heard at the port, one line; "" if something can
	Blocks                uint64 // batches that were judged; at a port they come even when no packet does
}

// Summary is what a run has seen, for a person and for the metrics.
type Summary struct {
	Progress
	Files            uint64
	Sessions         uint64
	SessionsLive     uint64 // greatest number at once
	SessionsNow      uint64 // at the last tick
	Devices          uint64
	DevicesEvicted   uint64
	Quiet, Loud      uint64            // devices of which silence is expected, and those that opened a session outside their contract
	Silent           []DeviceLine      // the former, in the order of the keys; of a run that is over
	TryInternal      []netip.Prefix    // no address was internal: networks to declare
	Spoke            []DeviceLine      // the latter
	Verdicts         map[string]uint64 // frames by decoder verdict
	Counters         map[string]uint64 // by Counter.Name
	DatagramsDropped map[string]uint64 // fragmented datagrams that could not be reassembled, by reason
	Damage           []string          // one line each
	OneWayShare      float64
	GapShare         float64
	DupShare         float64
	LossRatio        float64 // frames that were dropped before they were read, of all
	Source           capture.Stats
}

// DeviceLine names a device to a person.
type DeviceLine struct{ Key, Name, IP, Role, Vendor, Expect string }
