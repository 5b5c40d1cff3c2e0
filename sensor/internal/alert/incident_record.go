// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

// Bounds of an incident record, as its schema has them.
const (
	maxIncidentAlerts = 200
	maxSentences      = 7
	maxIncidentHosts  = 64
)

// account is what an incident has published of itself.
type account struct {
	revision int
	sev      detect.Severity // in the last revision
	kinds    int             // pairs of rule and device in the last revision
	at       int64           // capture clock of the last revision
	ids      []string        // of its alerts that no other alert has absorbed, oldest first
	total    int             // of such alerts
	queued   bool            // waits for its next revision
}

// joined records a new alert of an incident, without that about the incident as a whole.
func (m *Manager) joined(in *incident, o *open) {
	if in == nil || o.key.rule == detect.RuleChain().ID {
		return
	}
	in.account.total++
	in.account.ids = addAll(in.account.ids, []string{o.id}, maxIncidentAlerts)
	m.incidentChanged(in)
}

// left records that another alert has absorbed one.
func (m *Manager) left(in *incident, o *open) {
	if in == nil {
		return
	}
	in.account.total = max(in.account.total-1, 0)
	in.account.ids = slices.DeleteFunc(in.account.ids, func(id string) bool { return id == o.id })
	m.incidentChanged(in)
}

// incidentChanged queues the next revision of the record of an incident.
func (m *Manager) incidentChanged(in *incident) {
	if m.cfg.Incident == nil || in == nil || in.gone || in.account.queued {
		return
	}
	in.account.queued = true
	m.incidents.saved.add(in)
	m.changedIncidents = append(m.changedIncidents, in)
}

// reportIncidents emits the queued revisions: at once if a rule or a device has joined or the severity has risen, else after gap.
func (m *Manager) reportIncidents(c *detect.Context, gap int64) {
	for _, in := range m.incidents.ended {
		m.closeIncident(in, c)
	}
	clear(m.incidents.ended)
	m.incidents.ended = m.incidents.ended[:0]
	queue := m.changedIncidents
	m.changedIncidents = queue[:0]
	for _, in := range queue {
		if in.gone {
			continue
		}
		quoted := in.quoted()
		sev := m.incidentSeverity(in, quoted)
		a := &in.account
		switch kinds := kindsOf(quoted); {
		case a.revision == 0 && sev < detect.Medium:
			a.queued = false // a single observation of little weight is no incident
		case a.revision > 0 && sev <= a.sev && kinds <= a.kinds && c.Now-a.at < gap:
			m.changedIncidents = append(m.changedIncidents, in)
		default:
			a.queued, a.kinds = false, kinds
			action := "update"
			if a.revision == 0 {
				action = "create"
			}
			m.reportIncident(in, quoted, sev, action, c)
		}
	}
	clear(queue[len(m.changedIncidents):])
}

// kindsOf returns the number of pairs of rule and device.
func kindsOf(ms []member) int { return (&incident{members: ms}).kinds() }

func (m *Manager) reportIncident(in *incident, quoted []member, sev detect.Severity, action string, c *detect.Context) {
	a := &in.account
	a.revision++
	a.sev, a.at = sev, c.Now
	m.incidents.saved.add(in)
	m.reportingIncident = in
	m.cfg.Incident(m.incidentRecord(in, quoted, sev, action, c))
	m.reportingIncident = nil
}

// closeIncident emits the last revision of an incident that is over, or that the table has evicted.
func (m *Manager) closeIncident(in *incident, c *detect.Context) {
	quoted := in.quoted()
	m.reportIncident(in, quoted, m.incidentSeverity(in, quoted), "close", c)
}

// incidentSeverity returns the highest severity of the alerts, with that about the incident as a whole.
func (m *Manager) incidentSeverity(in *incident, quoted []member) detect.Severity {
	sev := in.account.sev // of alerts that are closed and no longer kept
	for _, x := range quoted {
		if !x.suppressed {
			sev = max(sev, x.sev)
		}
	}
	if o := m.open[chainKey(in)]; o != nil && o.by == "" {
		sev = max(sev, o.sev)
	}
	return sev
}

func (m *Manager) incidentRecord(in *incident, quoted []member, sev detect.Severity, action string, c *detect.Context) *schemas.Incident {
	ms := inTime(quoted)
	p, _ := in.probability()
	r := &schemas.Incident{
		Schema: schemas.IncidentSchema, ID: in.id, Revision: in.account.revision, Action: action, Sensor: m.cfg.Sensor,
		Time:     schemas.IncidentTime{First: schemas.Time(ms[0].at), Last: schemas.Time(in.last(ms)), DetectedAt: schemas.Time(c.Now), Replay: m.cfg.Replay},
		Severity: sev.String(), Probability: rounded(p), Alerts: slices.Clone(in.account.ids), AlertsTotal: in.account.total,
	}
	r.Sensor.PolicyHash = m.policyHash()
	r.Sensor.OneWay, r.Sensor.LossRatio = c.Quality.OneWay, finite(c.Quality.LossRatio)
	strongest := byWeight(ms)[0]
	r.Title, r.Recommendation = strongest.title, m.adviceOf(in, &strongest)
	r.RiskScore = riskScore(sev, risk{p, 1}, c.Contracts.Entry(in.device))
	if o := m.open[chainKey(in)]; o != nil {
		r.Title, r.Recommendation, r.RiskScore = in.headline(ms, sev), detect.ChainAdvice(in.device), percent(p)
		if o.revision > 0 {
			r.Alerts, r.AlertsTotal = addAll([]string{o.id}, r.Alerts, maxIncidentAlerts), r.AlertsTotal+1
		}
	}
	r.Title, r.Recommendation = detect.Clean(r.Title, 300), detect.Clean(r.Recommendation, 1000)
	m.addStages(r, in, ms)
	for _, x := range in.independent() {
		r.Terms = append(r.Terms, schemas.IncidentTerm{Rule: x.rule, Weight: rounded(x.weight())})
	}
	m.addHosts(r, in, ms, c)
	return r
}

// last returns the time of the last observation of an incident that is still kept.
func (in *incident) last(ms []member) int64 {
	at := ms[len(ms)-1].at
	for _, o := range in.alerts {
		at = max(at, o.lastSeen)
	}
	return at
}

func (m *Manager) adviceOf(in *incident, x *member) string {
	if o := m.open[alertKey{x.rule, x.device, x.key}]; o != nil {
		return o.f.Recommendation
	}
	return detect.ChainAdvice(in.device)
}

// stageNames are the stages of a record, in the order of an attack.
var stageNames = [...]string{"exposure", "scan", "guess", "login", "discovery", "fanout", "control", "manipulation", "outbound", "upload"}

// stageName returns the stage of an attack that an alert shows, "" if none. What an intruder does on a device that it reached from the
// first one is the fan-out.
func (in *incident) stageName(x *member) string {
	switch {
	case x.stage == detect.StageNone || !x.notable():
		return ""
	case x.rule == "D07":
		return "exposure"
	case x.stage <= detect.StageLogin && x.device != in.key, x.stage == detect.StageFanOut:
		return "fanout"
	case x.stage == detect.StageScanned:
		return "scan"
	case x.stage == detect.StageGuessed:
		return "guess"
	case x.stage == detect.StageLogin:
		return "login"
	case x.stage == detect.StageDiscovery:
		return "discovery"
	case x.rule == "D29" || x.rule == "D30":
		return "manipulation"
	case x.stage == detect.StageControl:
		return "control"
	case x.rule == "D18":
		return "upload"
	}
	return "outbound"
}

// addStages writes the stages and the narrative: one sentence for each stage, in the order of time. If nothing belongs to a stage, the
// strongest alert is the narrative.
func (m *Manager) addStages(r *schemas.Incident, in *incident, ms []member) {
	groups := map[string][]member{}
	for _, x := range byWeight(ms) {
		if s := in.stageName(&x); s != "" {
			groups[s] = append(groups[s], x)
		}
	}
	for _, name := range stageNames {
		if g := groups[name]; len(g) > 0 {
			t := inTime(g)
			r.Stages = append(r.Stages, schemas.IncidentStage{Stage: name, First: schemas.Time(t[0].at), Last: schemas.Time(t[len(t)-1].at), Rule: g[0].rule, Alerts: m.idsOf(g)})
			r.Narrative = append(r.Narrative, m.sentence(g, withDefaultPassword(name, t[0], ms)))
		}
	}
	if len(r.Narrative) == 0 {
		r.Narrative = append(r.Narrative, m.sentence(byWeight(ms)[:1], ""))
	}
	slices.SortStableFunc(r.Stages, func(a, b schemas.IncidentStage) int { return cmp.Compare(a.First, b.First) })
	for len(r.Narrative) > maxSentences { // an exposed port and a scan are the least of it
		r.Narrative = r.Narrative[1:]
	}
	slices.SortStableFunc(r.Narrative, func(a, b schemas.IncidentSentence) int { return cmp.Compare(a.Time, b.Time) })
}

// withDefaultPassword says so of a login if the device has accepted a default password from the same peer.
func withDefaultPassword(stage string, login member, ms []member) string {
	if stage == "login" && slices.ContainsFunc(ms, func(x member) bool {
		return x.rule == "D27" && x.sev >= detect.High && x.device == login.device && slices.ContainsFunc(x.peers, func(p string) bool { return slices.Contains(login.peers, p) })
	}) {
		return ", with a default password"
	}
	return ""
}

// sentence tells the alerts of one stage: the strongest ones by their titles, the second with its time, and how many more there are. more is
// said of the first.
func (m *Manager) sentence(g []member, more string) schemas.IncidentSentence {
	shown := inTime(lines(g))
	text := shown[0].title + more
	if len(shown) > 1 {
		text += fmt.Sprintf("; then, at %s UTC: %s", stampAfter(shown[0].at, shown[1].at), shown[1].title)
	}
	if n := len(g) - len(shown); n > 0 {
		t := inTime(g)
		text += fmt.Sprintf("; and %s until %s UTC", detect.Plural(n, "further alert", "further alerts"), stampAfter(shown[0].at, t[len(t)-1].at))
	}
	return schemas.IncidentSentence{Time: schemas.Time(shown[0].at), Text: detect.Clean(text+".", 500), Alerts: m.idsOf(g)}
}

// idsOf returns the ids of the alerts that are open.
func (m *Manager) idsOf(g []member) (ids []string) {
	for _, x := range g {
		if o := m.open[alertKey{x.rule, x.device, x.key}]; o != nil {
			ids = addAll(ids, []string{o.id}, maxIncidentAlerts)
		}
	}
	return ids
}

// addHosts lists the devices with their parts, and the peers outside. A device that was entered and then acted is a stepping stone.
func (m *Manager) addHosts(r *schemas.Incident, in *incident, ms []member, c *detect.Context) {
	for _, x := range ms {
		d := schemas.IncidentDevice{Key: x.device, Part: in.partOf(&x, ms)}
		d.IP, _ = netip.ParseAddr(x.addr)
		addDevice(r, d, c.Devices.ByKey(x.device))
		if x.external {
			addPeer(r, x.peers, c)
		}
	}
	for _, x := range ms {
		for _, p := range x.peers {
			d := c.Devices.ByKey(p)
			if a, err := netip.ParseAddr(p); err == nil {
				d = c.Devices.ByIP(a)
			}
			if d != nil && x.stage > detect.StageLogin && x.strong() { // what it acted on
				addDevice(r, schemas.IncidentDevice{Key: d.Key, Part: "target", IP: d.IP()}, d)
			}
		}
	}
}

// addDevice adds a device that is not listed yet. known may be nil.
func addDevice(r *schemas.Incident, x schemas.IncidentDevice, known *device.Device) {
	x.Key = detect.Clean(x.Key, 300)
	if len(r.Devices) >= maxIncidentHosts || slices.ContainsFunc(r.Devices, func(d schemas.IncidentDevice) bool { return d.Key == x.Key }) {
		return
	}
	if known != nil {
		x.Role, x.Vendor = known.Role.String(), detect.Clean(known.Vendor, 200)
	}
	r.Devices = append(r.Devices, x)
}

// partOf returns the part of the device of an alert: stepping_stone if it scanned or reached others, else victim if the incident began on
// it.
func (in *incident) partOf(x *member, ms []member) string {
	switch {
	case slices.ContainsFunc(ms, func(y member) bool {
		return y.device == x.device && y.strong() && (y.stage == detect.StageDiscovery || y.stage == detect.StageFanOut)
	}):
		return "stepping_stone"
	case x.device == in.key:
		return "victim"
	}
	return "target"
}

// addPeer adds the external peer that a list of names and addresses means.
func addPeer(r *schemas.Incident, names []string, c *detect.Context) {
	var p schemas.IncidentPeer
	for _, s := range names {
		a, err := netip.ParseAddr(s)
		switch {
		case err == nil && !p.IP.IsValid() && !c.Devices.Internal(a):
			p.IP = a
		case err != nil && p.Name == "":
			p.Name = detect.Clean(s, 253)
		}
	}
	if !p.IP.IsValid() || len(r.Peers) >= maxIncidentHosts {
		return
	}
	if i := slices.IndexFunc(r.Peers, func(q schemas.IncidentPeer) bool { return q.IP == p.IP }); i >= 0 {
		r.Peers[i].Name = cmp.Or(r.Peers[i].Name, p.Name)
		return
	}
	where := schemas.AlertPeer{IP: p.IP}
	locate(&where)
	p.Geo, p.ASN = where.Geo, where.ASN
	r.Peers = append(r.Peers, p)
}

// SaveReportedIncident writes the incident whose record is being emitted, so that no two revisions have one number after a crash.
func (m *Manager) SaveReportedIncident(b *snapshot.Batch, r *device.Registry) {
	if in := m.reportingIncident; in != nil && !in.gone {
		r.Save(b, in.device)
		m.saveIncident(b, in, r)
	}
}

func (a *account) walk(c *snapshot.Codec) {
	for _, n := range []*int{&a.revision, &a.kinds, &a.total} {
		c.Int(n)
	}
	snapshot.Enum(c, &a.sev, detect.Critical)
	c.Time(&a.at)
	c.Bool(&a.queued)
	texts(c, &a.ids, maxIncidentAlerts)
	if a.revision < 0 || a.total < 0 {
		c.Fail()
	}
}
