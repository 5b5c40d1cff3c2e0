// SPDX-License-Identifier: Apache-2.0

// Package detect holds the detectors, one file each. They turn events into findings and never see packets. Nothing here is safe for
// concurrent use: everything runs in one goroutine, in the order of the capture.
//
// To add a detector, write its file: the variable at its top registers it. See docs/architecture.md.
package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Kind is the kind of an event.
type Kind uint8

// The kinds of events, in the order in which a session causes them.
const (
	SessionOpened   Kind = iota // its first packet
	SessionState                // State changed: established, rejected, reset, closed
	SessionFact                 // a dissector has read a fact: Fact
	SessionProgress             // a live session has carried much more: at most once a second
	SessionActivity             // what a followed session has carried within the last seconds: Activity
	SessionEnded                // the last event of a session: expired, evicted, or the end of the run
	LinkFact                    // ARP, Neighbor Discovery, LLDP and the like: no session
	numKinds
)

// Event is one thing that happened. Detectors must not change it. App and Fact may be kept; the event and its Session are reused after
// Observe returns, so a detector that keeps them makes a copy.
type Event struct {
	Kind    Kind
	Time    int64 // capture clock, nanoseconds
	Num     uint64
	Session *session.View    // nil for LinkFact
	App     *fingerprint.App // nil until something was read
	Fact    dissect.Fact     // SessionFact and LinkFact
	FactDir session.Dir      // direction of the bytes that the fact was read from
	Named   bool             // SessionFact: this fact made App.Name known
	// Activity is what the session has carried since the last such event, only in SessionActivity. It is reused after Observe returns.
	Activity []session.Bin
	VLAN     uint16 // LinkFact: outermost; 0 if untagged
	// Stack is that of the sender if the event was made for a SYN or SYN-ACK, else nil.
	Stack *fingerprint.Stack
	Stamp uint32 // its TCP time stamp (TSval of RFC 7323), 0 if it has none

	// Set before the detectors see the event. A device is nil if the endpoint is external.
	Initiator, Responder *device.Device
	Opening              device.Opening // whether the initiator has opened the session

	name  string // see Context.ResponderName
	named bool
}

// Quality is the quality of the capture, as measured so far.
type Quality struct {
	OneWayShare float64 // of the TCP sessions, 0 to 1
	GapShare    float64 // of the ACKed bytes, 0 to 1
	RunGapShare float64 `snapshot:"-"` // the same since the start of the run, for a network with little traffic
	DupShare    float64 // of the frames, 0 to 1
	LossRatio   float64 // of the frames, dropped before the sensor read them, 0 to 1
	OneWay      bool    // OneWayShare is above its threshold
	Blind       string  // why nothing can be captured at the port, one line; "" if capture works
}

// lossyShare is the share of bytes or frames that are missing from which on an answer that was not seen proves nothing.
const lossyShare = 0.002

// Lossy reports whether a packet may be missing because the capture lacks it.
func (q Quality) Lossy() bool {
	return q.OneWay || max(q.LossRatio, q.GapShare, q.RunGapShare) > lossyShare
}

// Sampled reports whether the capture lacks most packets, so that it shows little of what a device does.
func (q Quality) Sampled() bool { return max(q.GapShare, q.RunGapShare) > 0.5 }

// Factor returns q of the chaining formula: 1 for a good capture, at least 0.5 for a poor one.
func (q Quality) Factor() float64 {
	f := 1 - q.LossRatio - q.GapShare
	if q.OneWay {
		f -= 0.2
	}
	return max(f, 0.5)
}

// Context is what a detector can query, and where it reports findings.
type Context struct {
	Now       int64 // capture clock, nanoseconds
	Devices   *device.Registry
	Contracts *contract.Registry
	Names     *enrich.Names
	Intel     *intel.Set // lists of threat intelligence; nil: none
	Quality   Quality
	Emit      func(*Finding)
	// Suspect asks for every packet of two sessions that one device may connect with each other. nil: every packet is there.
	Suspect func(near, far *session.View)

	checked   contract.Verdict // verdict on the current event, cached for all detectors
	isChecked bool

	custom *customEnv // what custom rules read of the current event; nil until one did

	disputes *table[packet.Addr, struct{}] // addresses about which D38 has reported; nil until there is one
}

// maxDisputes bounds the addresses that are kept as disputed.
const maxDisputes = 1024

// dispute notes that D38 has reported claims to an address, so that D36 does not report the same.
func (c *Context) dispute(a netip.Addr) {
	if c.disputes == nil {
		c.disputes = newTable[packet.Addr, struct{}](maxDisputes)
	}
	c.disputes.put(packet.AddrOf(a), c.Now)
}

// disputed reports whether D38 has reported claims to an address.
func (c *Context) disputed(a netip.Addr) bool {
	return c.disputes != nil && c.disputes.get(packet.AddrOf(a), c.Now) != nil
}

// Begin clears what was cached about the previous event. It is called before each event.
func (c *Context) Begin() {
	c.isChecked = false
	if c.custom != nil {
		c.custom.filled = 0
	}
}

// ResponderName returns the name by which the initiator knows the responder: the SNI, else the name it looked up; "" if there is none.
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

// Detector turns events into findings. Observe is called for each event of its kinds. Tick is called once for each second of the
// capture clock that had events or a deadline. The first event of a run is SessionOpened or LinkFact.
type Detector interface {
	Rule() Rule
	Kinds() []Kind
	Observe(*Event, *Context)
	Tick(now int64, c *Context)
}

// Watch maps each kind of event to the detectors that observe it, in the order of their rules.
type Watch [numKinds][]Detector

// NewWatch returns the watch of the given detectors.
func NewWatch(ds []Detector) *Watch {
	var w Watch
	for _, d := range ds {
		for _, k := range d.Kinds() {
			w[k] = append(w[k], d)
		}
	}
	return &w
}

// Observe passes an event to the detectors of its kind.
func (w *Watch) Observe(e *Event, c *Context) {
	for _, d := range w[e.Kind] {
		d.Observe(e, c)
	}
}

// VisibilityWatcher is a detector that is called as soon as Quality.Blind has changed.
type VisibilityWatcher interface {
	VisibilityChanged(c *Context)
}

// Finisher is a detector that is called at the end of a run, after the last Tick, to report windows that the run has cut short.
type Finisher interface {
	Finish(now int64, c *Context)
}

// Deadliner is a detector with deadlines of its own. Tick is called in the second of the deadline even if nothing was captured in it.
type Deadliner interface {
	Deadline() int64 // nanoseconds; 0 if there is none
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

// String returns the name of a severity in records: "high".
func (s Severity) String() string {
	return [...]string{"informational", "low", "medium", "high", "critical"}[s]
}

// Stage is the stage of an intrusion that a finding belongs to. A chain (D42) is more probable if the stages are in order.
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

// Reason is one reason for a score, or what would make the finding benign.
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
	Listed       *intel.Match   // it is on a list of threat intelligence; nil: on none
}

// Evidence is shown to the analyst. It never holds a secret.
type Evidence struct {
	Kind, Summary string
	Data          map[string]any
	Time          int64 // nanoseconds; 0: the Start of the finding
}

// Finding is the conclusion of a detector.
type Finding struct {
	Rule           Rule
	Device         *device.Device
	Peer           *Peer
	Session        *session.View
	App            *fingerprint.App
	Start, End     int64  // of the observation, nanoseconds
	Key            string // findings of one rule and device with the same key are one alert, e.g. "198.51.100.1:443/tcp"
	WindowS        int64  // findings with the same key within so many seconds are one alert
	Severity       Severity
	Reliability    float64 // 0: the rule's
	Stage          Stage
	Standing       bool   // a standing fact (exposure, age): kept 7 days, never raises P above 0.6 alone
	Title          string // who did what to whom, at most MaxTitle characters
	Brief          string // what the device did or what was done to it, for the title of a chain: "scans"; "" leaves it out
	Message        string // what was expected and what was seen, two sentences
	Reasons        []Reason
	Evidence       []Evidence
	Related        []string // Community IDs
	Entities       []string
	Broken         string // contract entry that was broken
	Recommendation string
	Peers          []string // addresses of the peers if there are many
	Count          int      // how many observations this finding adds, at least 1
	Total          int      // how many there were since Start, if the texts count them; the texts then replace earlier ones of the same key

	// DeviceAddr is the address that Device had in the observation; if it is zero the device's own address is shown. A finding
	// without Device is about the sensor itself, or about a network whose hosts are not watched.
	DeviceAddr  netip.Addr
	Continues   bool // an update of the same observation (answered, ended), which does not count again
	Revises     bool // of Continues: it says more than before, so that the alert gets a revision
	Maintenance bool // it happened in a maintenance window of Device
}
