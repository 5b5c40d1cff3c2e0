// SPDX-License-Identifier: Apache-2.0

// Package detect holds the detectors, one file each. They see events and never packets, and say what they conclude as
// findings. Everything here runs in one goroutine, in the order of the capture.
package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// Kind says what an event is about.
type Kind uint8

// The kinds of events, in the order in which a session gives them.
const (
	SessionOpened   Kind = iota // its first packet
	SessionState                // State changed: established, rejected, reset, closed
	SessionFact                 // something was read: Fact
	SessionProgress             // a live session has moved on: at most once a second and only when it has carried much
	SessionEnded                // the last event of a session: expired, evicted, or the end of the run
	LinkFact                    // ARP or Neighbour Discovery: no session
	numKinds
)

// Event is one thing that happened. It must not be changed. App and Fact may be kept; the event itself and Session are used again once it
// was observed, so that who keeps them makes a copy.
type Event struct {
	Kind    Kind
	Time    int64 // capture clock, nanoseconds
	Num     uint64
	Session *session.View    // nil for LinkFact
	App     *fingerprint.App // nil while nothing was read
	Fact    dissect.Fact     // SessionFact and LinkFact
	FactDir session.Dir      // who sent what the fact was read from
	Named   bool             // SessionFact: App.Name has become known with it
	VLAN    uint16           // LinkFact: outermost; 0 if untagged

	// Filled in before the detectors see the event. A device is nil where the end is not one of ours (external).
	Initiator, Responder *device.Device
	Opening              device.Opening // whether the initiator has opened the session

	name  string // see Context.ResponderName
	named bool
}

// Quality is how well the capture could be seen, as measured so far.
type Quality struct {
	OneWayShare float64 // of the TCP sessions, 0 to 1
	GapShare    float64 // of the ACKed bytes, 0 to 1
	DupShare    float64 // of the frames, 0 to 1
	LossRatio   float64 // dropped before us, 0 to 1
	OneWay      bool    // OneWayShare is beyond its threshold
	Blind       string  // why nothing can be heard at the port, one line; "" if something can
}

// Factor is q of the chaining formula (detections.md): 1 for a good capture, less for a poor one.
func (q Quality) Factor() float64 {
	f := 1 - q.LossRatio - q.GapShare
	if q.OneWay {
		f -= 0.2
	}
	return max(f, 0.5)
}

// Context is what a detector may ask and where it says what it found.
type Context struct {
	Now       int64 // capture clock, nanoseconds
	Devices   *device.Registry
	Contracts *contract.Registry
	Names     *enrich.Names
	Quality   Quality
	Emit      func(*Finding)

	checked   contract.Verdict // of the event at hand, so that a session is judged once for all detectors
	isChecked bool
}

// Begin forgets what was concluded about the event before: another one follows.
func (c *Context) Begin() { c.isChecked = false }

// ResponderName gives the name under which the initiator knows the responder: the SNI, else what was looked up (DNS); "" if there is none.
func (c *Context) ResponderName(e *Event) string {
	if !e.named {
		e.name, e.named = c.nameOf(e), true
	}
	return e.name
}

func (c *Context) nameOf(e *Event) string {
	if e.App != nil && e.App.Hello != nil && e.App.Hello.SNI != "" {
		return e.App.Hello.SNI
	}
	if e.Responder != nil || c.Names == nil {
		return ""
	}
	name, _ := c.Names.Lookup(e.Session.Initiator.Addr.Netip(), e.Session.Responder.Addr.Netip(), c.Now)
	return name
}

// Detector turns events into findings. Observe is called for every event of its kinds, Tick once for each whole second of the
// capture clock that had events or in which something was due. The first event of a run is SessionOpened or LinkFact.
type Detector interface {
	Rule() Rule
	Kinds() []Kind
	Observe(*Event, *Context)
	Tick(now int64, c *Context)
}

// Watch is detectors by the kinds of events that they look at, each in the order of the rules.
type Watch [numKinds][]Detector

// NewWatch gives the watch of detectors.
func NewWatch(ds []Detector) *Watch {
	var w Watch
	for _, d := range ds {
		for _, k := range d.Kinds() {
			w[k] = append(w[k], d)
		}
	}
	return &w
}

// Observe shows an event to those that look at its kind.
func (w *Watch) Observe(e *Event, c *Context) {
	for _, d := range w[e.Kind] {
		d.Observe(e, c)
	}
}

// Sighted is a detector that is told at once when Quality.Blind has changed.
type VisibilityWatcher interface {
	VisibilityChanged(c *Context)
}

// Finisher is a detector that has something to say when a run ends, after the last Tick: what it would have said at the end of a
// window that the capture is too short for.
type Finisher interface {
	Finish(now int64, c *Context)
}

// Waiter is a detector that waits for an end of its own: Tick is called in the second in which that lies also if nothing was captured in it.
type Deadliner interface {
	Deadline() int64 // nanoseconds, 0: it waits for nothing
}

// Severity of a finding.
type Severity uint8

// In rising order.
const (
	Informational Severity = iota
	Low
	Medium
	High
	Critical
)

func (s Severity) String() string {
	return [...]string{"informational", "low", "medium", "high", "critical"}[s]
}

// Stage is where in an intrusion a finding belongs: the chain rewards a plausible order.
type Stage uint8

// In the order of an intrusion.
const (
	StageNone Stage = iota
	StageScanned
	StageGuessed // brute force
	StageLogin
	StageDiscovery
	StageFanOut
	StageControl
	StageOutbound
)

// Reason says why a score is what it is, or what would make it benign.
type Reason struct {
	Code, Text string
	Weight     float64
}

// Peer is the other side of a finding.
type Peer struct {
	IP           string
	Port         uint16
	External     bool
	Name         string
	NameSource   string // dns, sni
	FirstContact bool
	Device       *device.Device // nil if external
}

// Evidence is something shown to the analyst; never a secret.
type Evidence struct {
	Kind, Summary string
	Data          map[string]any
	Time          int64 // nanoseconds; 0: the Start of the finding
}

// Finding is what a detector concluded.
type Finding struct {
	Rule           Rule
	Device         *device.Device
	Peer           *Peer
	Session        *session.View
	App            *fingerprint.App
	Start, End     int64  // of what was seen, nanoseconds
	Key            string // what makes two findings of one rule and device the same, e.g. "198.51.100.1:443/tcp"
	WindowS        int64  // findings with the same key within so many seconds are one alert
	Severity       Severity
	Reliability    float64 // 0: the rule's
	Stage          Stage
	Standing       bool   // a standing fact (exposure, age): kept 7 days, never raises P above 0.6 alone
	Title          string // who did what to whom, at most MaxTitle characters
	Brief          string // what the device did or what was done to it, for the title of a chain: "scans"; "" if the title of a chain leaves it out
	Message        string // what was expected and what was seen, one or two sentences
	Reasons        []Reason
	Evidence       []Evidence
	Related        []string // Community IDs
	Entities       []string
	Broken         string // contract entry that was broken
	Recommendation string
	Peers          []string // addresses of the far ends where there are many
	Count          int      // how many observations this adds, at least 1
	Total          int      // how many there were since Start, where the texts count them; they replace earlier texts of the same key

	// DeviceAddr is the address of Device in what was seen; the zero value leaves it to the device. A finding without
	// Device is about the sensor itself, or about a network in which the peer's targets are no devices of ours.
	DeviceAddr  netip.Addr
	Continues   bool // the same observation seen further on (answered, ended): it does not count again
	Maintenance bool // it happened in a maintenance window of Device
}
