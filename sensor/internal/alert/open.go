// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"container/list"
	"slices"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

const second = int64(1e9)

// Bounds of the lists of one alert, as the schema has them.
const (
	maxRelated  = 50
	maxEntities = 512
	maxEvidence = 64
)

// maxWindows is after how many windows an alert that keeps recurring is closed, so that a new one begins.
const maxWindows = 7

// open is an alert that is not closed.
type open struct {
	key       alertKey
	id        string
	seq       uint64
	f         *detect.Finding // shown in the record: of the merged findings the most severe, then the newest
	sev       detect.Severity
	standingP risk
	state     deviceState

	firstSeen, lastSeen int64 // of the observations
	touched             int64 // capture clock of the last finding
	created             int64 // capture clock of the first one
	due                 int64 // when to check whether it can be closed
	at                  int   // index in the heap
	revisedAt           int64 // capture clock of the last revision
	window              int64 // seconds
	count, revisedCount int
	revision            int
	related, entities   []string
	incident            *incident
	taken               []taken // alerts that it has absorbed, in the order of absorption
	into                *open   // that has absorbed it
	listed              bool    // among the alerts of its incident
	said                said    // in the last revision
	by                  string  // policy that suppresses it; "": somebody needs to act on it
	actUnder            string  // hash of the policies under which it last had a finding that was not suppressed
	wide                bool    // it covers more than one port, or peer: the record shows neither port nor session
	list                *list.Element
	packets             *packets // its packets in a file; nil: not collected
	dirty, pending      bool
	gone                bool
	mark                mark
}

// said is what the story of an incident quotes of an alert.
type said struct {
	title, brief string
	at           int64 // when it began
}

// risk determines the scores of an alert.
type risk struct{ reliability, quality float64 }

// deviceState is the state of the device when the alert began; later the device may no longer be silent.
type deviceState struct {
	expect    string
	silentFor *int64
	entry     *contract.Entry
}

// merge adds a further finding to the alert and reports whether a revision is needed at once: the severity rose, the peer answered, or
// an attempt continues although the capture shows no answer.
func (o *open) merge(f *detect.Finding, sev detect.Severity, r risk, c *detect.Context) bool {
	o.touched, o.dirty = c.Now, true
	o.firstSeen = min(o.firstSeen, f.Start)
	o.lastSeen = max(o.lastSeen, f.End, f.Start)
	if !f.Continues {
		o.count = max(o.count+max(f.Count, 1), f.Total)
	}
	o.collect(o.f)
	o.collect(f)
	changed := sev > o.sev
	same := o.f.Session == nil || f.Session == nil || o.f.Session.ID == f.Session.ID
	goesOn := same && o.f.Session != nil && f.Session != nil && (f.Session.Answered() && !o.f.Session.Answered() ||
		f.Session.State == session.OneWay && o.f.Session.State == session.Attempted)
	if changed || same || f.Total > 0 || sev == o.sev && !f.Continues {
		o.f = f
	}
	if sev >= o.sev {
		o.sev, o.standingP = sev, r
	}
	return changed || goesOn
}

// collect keeps the related sessions and search keys of all findings merged.
func (o *open) collect(f *detect.Finding) {
	o.related = addAll(o.related, f.Related, maxRelated)
	o.entities = addAll(o.entities, f.Entities, maxEntities)
}

func addAll(to, from []string, limit int) []string {
	for _, s := range from {
		if len(to) >= limit {
			break
		}
		if s != "" && !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	return to
}

// countIsDue reports whether the count has reached 2, 5, 10, 20, 50 … since the last revision.
func (o *open) countIsDue() bool {
	for step := 1; ; step *= 10 {
		for _, n := range [...]int{2 * step, 5 * step, 10 * step} {
			if n > o.count {
				return false
			}
			if n > o.revisedCount {
				return true
			}
		}
	}
}

// dueHeap orders open alerts by the time at which to check whether they can be closed; seq breaks ties.
type dueHeap []*open

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].seq < h[j].seq
}
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *dueHeap) Push(x any) {
	o := x.(*open)
	o.at = len(*h)
	*h = append(*h, o)
}
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}

// stateOf returns the expectation, the silence and the inventory entry of the device when the alert begins.
func stateOf(f *detect.Finding, c *detect.Context) deviceState {
	d := f.Device
	if d == nil || c.Contracts == nil {
		return deviceState{}
	}
	x, _ := c.Contracts.Expect(d, c.Now)
	s := deviceState{expect: x.String(), entry: c.Contracts.Entry(d)}
	s.silentFor = silence(d, f, c.Now)
	return s
}

// silence returns for how many seconds of watched time the device had opened nothing when it opened the session of the finding; nil if
// the registry no longer knows. It keeps silences of a day and more.
func silence(d *device.Device, f *detect.Finding, now int64) *int64 {
	var v int64
	switch {
	case f.Session == nil || d.FirstSeen > f.Session.Start:
		return nil
	case d.WokeAt == f.Session.Start:
		v = d.Silence / second
	case d.LastOrigination < f.Session.Start:
		v = max(d.SilentFor(now)-(now-f.Session.Start), 0) / second
	default:
		return nil
	}
	return &v
}

// maxStanding bounds the standing facts of one device, and maxStandingDevices the devices. The device whose facts are oldest is evicted.
const (
	maxStanding        = 32
	maxStandingDevices = 50_000
)

// addStanding records a standing fact for the record of the device.
func (m *Manager) addStanding(f *detect.Finding, device string) {
	if !f.Standing || f.Device == nil {
		return
	}
	kept := m.standing.Put(device)
	text := detect.Clean(f.Title, 400)
	for i := range *kept {
		if x := &(*kept)[i]; x.Kind == f.Rule.Kind && x.Text == text {
			x.LastSeen = max(x.LastSeen, schemas.Time(f.End))
			return
		}
	}
	if len(*kept) >= maxStanding {
		return
	}
	*kept = append(*kept, schemas.DeviceFinding{Kind: f.Rule.Kind, Text: text,
		FirstSeen: schemas.Time(f.Start), LastSeen: schemas.Time(max(f.Start, f.End))})
}

// Standing returns the standing facts of a device, for its record.
func (m *Manager) Standing(deviceKey string) []schemas.DeviceFinding {
	if kept := m.standing.Peek(deviceKey); kept != nil {
		return *kept
	}
	return nil
}
