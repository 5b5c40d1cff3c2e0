// SPDX-License-Identifier: Apache-2.0

// Package pipeline runs a sensor: one goroutine reads and decodes frames, several shards track sessions, and one event loop, the correlator,
// evaluates their events and writes the records. The package owns the capture clock and counts every exit from the packet path.
package pipeline

import (
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/assets"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/evidence"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/selection"
	store "stillwatch/sensor/internal/state"
)

// Config configures a run.
type Config struct {
	Shards    int // goroutines that track sessions; 0: derived from the number of processors
	Settings  *config.Config
	Inventory *contract.Inventory // nil: none
	Intel     *intel.Set          // lists of threat intelligence; nil: none
	Rules     []*customrule.Rule  // rules of the operator
	Assets    *assets.Set         // data files; nil: those in use stay
	External  device.External     // databases of fingerprints of the operator
	Version   string
	Replay    bool
	Follow    bool           // of a replay: captures grow, so records are flushed after each batch
	Policies  []policy.Offer // of analysts, for the first tick; Run.Offer adds others
	State     *store.Store   // saved state; nil: nothing is saved. The caller closes it after the run
	Capture   string         // the mode of a live capture; "" means "file"
	Iface     string         // live capture: the interface
	Why       string         // live capture: why the mode was chosen

	Filter  *selection.Filter  // sessions that are read; nil: all
	Records *selection.Records // records that are written; nil: all. The run changes it
}

// Output receives the records of a run. Its functions are called from one goroutine, in an order that depends on the packets alone. A nil
// function means that its records are not needed; they are not built then.
type Output struct {
	Alert func(*schemas.Alert) error
	// Session is called when a session ends. The record is reused when it returns.
	Session func(*schemas.Session) error
	// Incident is called for each revision of an incident, at the end of the second in which it changed.
	Incident func(*schemas.Incident) error
	// Event is called for each event, after the detectors. What it gets is reused when it returns.
	Event func(*detect.Event, *detect.Context)
	// Device is called at the end of the run for each device, in the order of the keys. A live run also calls it every minute for the devices
	// that have changed.
	Device func(*schemas.Device) error
	// Evidence is called with the packets of an alert when they are complete, before the revision of the alert that names them. Nil: no packets
	// are kept.
	Evidence func(*evidence.File) error
	// Policy is called with what became of each policy.
	Policy func(*policy.Outcome)
	// Flush writes buffered records. It is called after each batch of a live run or with Follow, and before a snapshot. Nil: nothing is buffered.
	Flush func() error
}

// Progress is how far a run has come.
type Progress struct {
	Packets, Bytes        uint64
	BytesRead, BytesTotal uint64 // of the files as stored; BytesTotal 0: unknown
	First, Last           int64  // capture clock, nanoseconds
	Alerts                uint64
	Blind                 string // why no frame can arrive at the interface, one line; "" if frames can
	Blocks                uint64 // batches that were processed; a live source delivers batches even without packets
}

// Summary is the result of a run.
type Summary struct {
	Progress
	Files            uint64
	Sessions         uint64
	SessionsLive     uint64 // largest number at once
	SessionsNow      uint64 // live at the last tick
	Devices          uint64
	DevicesEvicted   uint64
	Policies         uint64              // active
	SilentCount      uint64              // devices that are expected to be silent
	SpokeCount       uint64              // devices that opened a session outside their contract
	Silent, Spoke    []DeviceLine        // the same devices, in the order of the keys; only after the run
	Obstacles        []Obstacle          // why the run could not have found anything; empty if it could
	TryInternal      []netip.Prefix      // networks to declare as internal, if no address was internal
	Verdicts         map[string]uint64   // frames by decoder verdict
	Counters         map[string]uint64   // by Counter.Name
	DatagramsDropped map[string]uint64   // fragmented datagrams that could not be reassembled, by reason
	Damage           []string            // one line each
	Custom           []detect.CustomStat // what the rules of the operator have done
	OneWayShare      float64
	GapShare         float64
	DupShare         float64
	LossRatio        float64 // share of frames that were dropped before they were read
	Source           capture.Stats
	Sensor           schemas.AlertSensor // as in the alerts: version and hashes of what is active
	InventoryHash    string              // "": no inventory
	Tables           []schemas.StatusTable
}

// DeviceLine describes a device in the summary.
type DeviceLine struct{ Key, Name, IP, Role, Vendor, Expect string }
