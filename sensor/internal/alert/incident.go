// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

const (
	incidentWindow = 24 * 60 * 60 * second     // after the last finding
	standingWindow = 7 * 24 * 60 * 60 * second // after the last standing finding
	maxMembers     = 64                        // alerts kept of one incident
	maxPerRule     = 8                         // of these, alerts of one rule about one device; the strongest stay
	weakCeiling    = 0.6                       // greatest P of informational and standing findings together
	raiseAt        = 0.8                       // P from which a chain is raised
	criticalAt     = 0.95                      // P from which it is critical
	stageBonus     = 0.5                       // each further stage in order halves the doubt that is left
)

// incident joins findings that probably have one cause.
type incident struct {
	id        string
	device    *device.Device // on which it began
	key       string         // of that device
	first     int64
	until     int64 // when it ends
	members   []member
	alerts    []*open // those that are open, without the chain
	reportedP float64
	reportedN int
	list      *list.Element
	severe    bool // has a finding of high severity or above, and is in the order of those
	gone      bool
	changed   bool // since the chain was last evaluated
	account   account
	mark      mark
}

// member is what an incident keeps of one alert.
type member struct {
	rule, kind, device, key string // which alert: its rule, device and dedupe key
	addr                    string // of the device
	title, brief            string // as last reported
	at                      int64  // when that alert began
	sev                     detect.Severity
	r, q                    float64
	stage                   detect.Stage
	standing                bool
	external                bool     // the peer is outside
	coveredBy               coverage // which alert reports it
	suppressed              bool     // nobody needs to act on it: it is listed, and is no evidence of an attack
	peers                   []string // device keys, names and addresses of the peers
	related                 []string // Community IDs
}

// coverage is which alert reports a finding.
type coverage uint8

// The values are saved; the first two were a bool.
const (
	byItself  coverage = iota
	byAnother          // an alert that counts several alike (roll-up)
	explained          // an alert of another rule, which it is a part of: it is no evidence of its own
)

// incidents is the bounded table of incidents by device key. An incident that has spread is stored under each of its devices.
type incidents struct {
	limit    int
	byDevice map[string]*incident
	keys     map[*incident][]string
	minor    *list.List // of *incident without a high finding, the longest unchanged first
	severe   *list.List // the others, evicted only if there are no minor ones
	begun    uint64
	evicted  uint64
	ended    []*incident // with a record, since the last tick
	saved    *changes[*incident]
}

func newIncidents(limit int) *incidents {
	return &incidents{limit: limit, byDevice: map[string]*incident{}, keys: map[*incident][]string{}, minor: list.New(), severe: list.New()}
}

func (t *incidents) get(key string, now int64) *incident {
	in := t.byDevice[key]
	if in != nil && now > in.until {
		t.drop(in)
		return nil
	}
	return in
}

func (t *incidents) begin(key string, d *device.Device, at, now int64) *incident {
	for t.len() >= t.limit {
		t.drop(t.weakest())
		t.evicted++
	}
	in := &incident{id: incidentID(key, now), device: d, key: key, first: at, until: now}
	in.list = t.minor.PushBack(in)
	t.begun++
	t.bind(key, in)
	return in
}

func (t *incidents) len() int { return t.minor.Len() + t.severe.Len() }

// weakest returns the incident to evict. A flood of minor findings must not evict the story of an intrusion.
func (t *incidents) weakest() *incident {
	if el := t.minor.Front(); el != nil {
		return el.Value.(*incident)
	}
	return t.severe.Front().Value.(*incident)
}

func (t *incidents) orderOf(in *incident) *list.List {
	if in.severe {
		return t.severe
	}
	return t.minor
}

// touch records that an incident has a new finding of the given severity.
func (t *incidents) touch(in *incident, sev detect.Severity) {
	t.saved.used(in)
	if in.severe || sev < detect.High {
		t.orderOf(in).MoveToBack(in.list)
		return
	}
	t.minor.Remove(in.list)
	in.severe = true
	in.list = t.severe.PushBack(in)
}

// maxSpread bounds the devices under which one incident is stored.
const maxSpread = 1024

func (t *incidents) bind(key string, in *incident) {
	if len(t.keys[in]) >= maxSpread {
		return
	}
	t.byDevice[key] = in
	t.keys[in] = append(t.keys[in], key)
	t.saved.add(in)
}

func (t *incidents) drop(in *incident) {
	for _, k := range t.keys[in] {
		if t.byDevice[k] == in {
			delete(t.byDevice, k)
		}
	}
	delete(t.keys, in)
	t.orderOf(in).Remove(in.list)
	in.gone = true
	if in.account.revision > 0 {
		t.ended = append(t.ended, in)
	}
	t.saved.removed(in)
}

func (t *incidents) expire(now int64) {
	for _, order := range [...]*list.List{t.minor, t.severe} {
		for el := order.Front(); el != nil && now > el.Value.(*incident).until; el = order.Front() {
			t.drop(el.Value.(*incident))
		}
	}
}

// incidentOf returns the incident of the device of a finding, or that of its peer if the attack plausibly continues from there.
func (m *Manager) incidentOf(f *detect.Finding, key string, sev detect.Severity, c *detect.Context) *incident {
	in := m.incidents.get(key, c.Now)
	if p := m.peerIncident(f, c); p != nil && p != in && (in == nil || in.weak()) {
		in = p
		m.incidents.bind(key, in)
	}
	if in == nil {
		in = m.incidents.begin(key, f.Device, f.Start, c.Now)
	}
	window := incidentWindow
	if f.Standing {
		window = standingWindow
	}
	in.until = max(in.until, c.Now+window)
	m.incidents.touch(in, sev)
	return in
}

// note adds a finding to its incident. Whether an alert is raised about it makes no difference.
func (m *Manager) note(in *incident, f *detect.Finding, key string, sev detect.Severity, c *detect.Context) {
	if r := m.riskOf(f, sev, c); f.Device != nil {
		in.add(member{rule: f.Rule.ID, kind: f.Rule.Kind, device: key, key: f.Key, addr: addrText(f.DeviceAddr), title: f.Title, brief: f.Brief, at: f.Start, sev: sev,
			r: r.reliability, q: r.quality, stage: f.Stage, standing: f.Standing, suppressed: m.suppressor(f, c) != "", external: f.Peer != nil && f.Peer.External, peers: farEnds(f), related: slices.Clip(f.Related)})
	}
}

// mention sets whether the story reports an alert itself; if another one has absorbed it, that one does.
func (in *incident) mention(k alertKey, own bool) {
	for i := range in.members {
		switch y := &in.members[i]; {
		case y.id() != k:
		case own:
			in.changed = in.changed || y.coveredBy == explained
			y.coveredBy = byItself
		default:
			y.coveredBy = max(y.coveredBy, byAnother)
		}
	}
}

// explain notes that the alert by tells the finding of alert k as a part of its own. The two are one piece of evidence, as strong as the
// stronger of them.
func (in *incident) explain(k, by alertKey) {
	if k.rule == by.rule {
		return
	}
	for i := range in.members {
		x := &in.members[i]
		if x.id() != k || x.coveredBy == explained {
			continue
		}
		x.coveredBy, in.changed = explained, true
		for j := range in.members {
			if y := &in.members[j]; y.id() == by && x.weight() > y.weight() && !x.suppressed && !y.suppressed {
				y.sev, y.r, y.q, y.standing = x.sev, x.r, x.q, x.standing
			}
		}
	}
}

func (x *member) id() alertKey { return alertKey{x.rule, x.device, x.key} }

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// farEnds returns all names of the peers of a finding, so that two findings about one peer are recognized as such.
func farEnds(f *detect.Finding) []string {
	var out []string
	if p := f.Peer; p != nil {
		out = addAll(out, []string{p.IP, p.Name}, maxRelated)
		if p.Device != nil {
			out = addAll(out, []string{p.Device.Key}, maxRelated)
		}
	}
	return addAll(out, f.Peers, maxRelated)
}

// peerIncident returns the incident of the peer from which this finding continues: somebody logged in there, or scans from there, and
// now that host reaches the device of the finding.
func (m *Manager) peerIncident(f *detect.Finding, c *detect.Context) *incident {
	if f.Peer == nil || f.Peer.Device == nil || f.Stage == detect.StageNone {
		return nil
	}
	in := m.incidents.get(f.Peer.Device.Key, c.Now)
	if in == nil {
		return nil
	}
	for _, x := range in.members {
		if x.stage >= detect.StageGuessed && x.sev >= detect.Medium && x.at <= f.Start && !x.standing {
			return in
		}
	}
	return nil
}

// weak reports whether an incident has only informational and standing findings.
func (in *incident) weak() bool {
	for _, x := range in.members {
		if x.strong() {
			return false
		}
	}
	return true
}

// notable reports whether the story of an incident tells a finding.
func (x member) notable() bool { return x.sev > detect.Informational && !x.standing }

// strong reports whether a finding is evidence of an attack.
func (x member) strong() bool { return x.notable() && !x.suppressed }

// add records a finding. One alert is one member, which keeps its strongest finding. When a rule or the incident is full, a stronger
// finding replaces the weakest, but a rule always keeps one.
func (in *incident) add(x member) {
	same, perRule := -1, 0
	for i := range in.members {
		y := &in.members[i]
		if y.rule != x.rule || y.device != x.device {
			continue
		}
		if perRule++; y.key == x.key && y.stage == x.stage {
			same = i
		}
	}
	switch {
	case same >= 0:
		in.changed = in.members[same].merge(x) || in.changed
	case perRule >= maxPerRule:
		in.replace(x, func(y member) bool { return y.rule == x.rule && y.device == x.device })
	case len(in.members) < maxMembers:
		in.members = append(in.members, x)
		in.changed = true
	default:
		in.replace(x, in.replaceable())
	}
}

// compare orders members by their weight, and an external peer above an internal one.
func compare(x, y member) int {
	return cmp.Or(cmp.Compare(x.weight(), y.weight()), b2i(x.external)-b2i(y.external))
}

// merge adds a further finding of the same alert and reports whether the chain may change. updateMember sets the title.
func (y *member) merge(x member) (changed bool) {
	y.suppressed, changed = x.suppressed, y.suppressed != x.suppressed
	related, peers := len(y.related), len(y.peers)
	y.related, y.peers = addAll(y.related, x.related, maxRelated), addAll(y.peers, x.peers, maxRelated)
	changed = changed || len(y.related) > related || len(y.peers) > peers || x.at < y.at
	y.at = min(x.at, y.at)
	if x.weight() > y.weight() {
		y.sev, y.r, y.q, y.standing, changed = x.sev, x.r, x.q, x.standing, true
	}
	return changed
}

// replace puts x in the place of the weakest, newest member that may be replaced, if x is stronger or the first of its rule.
func (in *incident) replace(x member, may func(member) bool) {
	weakest, first := -1, true
	for i, y := range in.members {
		first = first && y.rule != x.rule
		if may(y) && (weakest < 0 || compare(y, in.members[weakest]) <= 0) {
			weakest = i
		}
	}
	if weakest >= 0 && (first || compare(x, in.members[weakest]) > 0) {
		in.members[weakest] = x
		in.changed = true
	}
}

// replaceable returns a predicate for the members that may be replaced: those whose rule has others.
func (in *incident) replaceable() func(member) bool {
	n := map[string]int{}
	for _, y := range in.members {
		n[y.rule]++
	}
	return func(y member) bool { return n[y.rule] > 1 }
}

// updateMember copies the current texts of an alert to its member and reports whether they have changed.
func (in *incident) updateMember(o *open) (changed bool) {
	for i := range in.members {
		y := &in.members[i]
		if y.rule != o.key.rule || y.device != o.key.device || y.key != o.key.key {
			continue
		}
		changed = changed || y.title != o.f.Title || y.at != o.firstSeen || y.suppressed != (o.by != "")
		in.changed = in.changed || y.at != o.firstSeen || y.suppressed != (o.by != "")
		y.suppressed = o.by != ""
		y.title, y.brief, y.at = o.f.Title, o.f.Brief, o.firstSeen
	}
	return changed
}
