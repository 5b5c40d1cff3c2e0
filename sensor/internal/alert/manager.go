// SPDX-License-Identifier: Apache-2.0

// Package alert turns findings into alerts. It derives stable ids, merges findings that recur into one alert, publishes its revisions, and
// joins related alerts into incidents. Its only clock is the capture clock.
package alert

import (
	"container/heap"
	"container/list"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/lru"
)

// Config of a Manager. The zero value is usable.
type Config struct {
	Sensor       schemas.AlertSensor        // id, site, version, iface, capture, hashes; boot_id and seq are the publisher's
	Replay       bool                       // written into every alert
	Severity     map[string]detect.Severity // by rule: set by the operator, overrides the detector
	NoChain      bool                       // raise no alerts about incidents as a whole (D42)
	MaxOpen      int                        // open alerts, default 50,000; the one that recurred longest ago is evicted
	MaxIncidents int                        // incidents, default 20,000; evicted likewise, those without a high finding first
	PerDevice    int                        // open alerts of one rule and device, default 64; further findings share one alert
	Incident     func(*schemas.Incident)    // gets each revision of an incident, and may keep it; nil: there are no records of incidents
	Policies     Policies                   // of analysts; nil: none
	UpdateGapS   int64                      // minimum seconds between revisions that only raise the count, default 60
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.MaxOpen, 50_000)
	set(&c.MaxIncidents, 20_000)
	set(&c.PerDevice, 64)
	if c.UpdateGapS <= 0 {
		c.UpdateGapS = 60
	}
	if c.Sensor.ID == "" {
		c.Sensor.ID = "sensor"
	}
	return c
}

// Stats counts what a manager did.
type Stats struct {
	Findings         uint64 // taken
	Alerts           uint64 // created
	Revisions        uint64 // emitted, the first ones included
	RolledUp         uint64 // findings counted in a shared alert
	Suppressed       uint64 // findings that a policy suppresses
	Evicted          uint64 // open alerts evicted from a full table
	Incidents        uint64 // created
	IncidentsEvicted uint64 // evicted from a full table
}

// Manager keeps the open alerts and incidents. It is not safe for concurrent use.
type Manager struct {
	cfg       Config
	emit      func(*schemas.Alert)
	stats     Stats
	open      map[alertKey]*open
	order     *list.List // of *open, the longest unchanged first
	due       dueHeap    // by the time at which an alert may be closed
	pending   []*open    // alerts with a postponed revision, oldest first
	perRule   map[ruleDevice]int
	perDevice map[string]int
	incidents *incidents
	standing  *lru.Table[string, []schemas.DeviceFinding] // by device key
	absorbed  map[alertKey]*open                          // into which alert each absorbed one went
	seq       uint64                                      // number of the last creation, breaks ties
	saved     *changes[*open]                             // nil if nothing is saved
	reporting *open                                       // whose revision is being emitted
	awaiting  map[string]*open                            // by id: alerts whose packets are being collected

	changedIncidents  []*incident // whose record is due for a revision
	reportingIncident *incident   // whose record is being emitted
}

type alertKey struct{ rule, device, key string }

type ruleDevice struct{ rule, device string }

// New returns a manager that passes each revision to emit. emit may keep the record and sets emitted_at, boot_id and seq.
func New(cfg Config, emit func(*schemas.Alert)) *Manager {
	cfg = cfg.withDefaults()
	return &Manager{cfg: cfg, emit: emit, open: map[alertKey]*open{}, absorbed: map[alertKey]*open{}, awaiting: map[string]*open{}, order: list.New(), perRule: map[ruleDevice]int{}, perDevice: map[string]int{},
		incidents: newIncidents(cfg.MaxIncidents), standing: lru.New[string, []schemas.DeviceFinding](maxStandingDevices)}
}

// Stats returns the counts so far.
func (m *Manager) Stats() Stats {
	s := m.stats
	s.Incidents, s.IncidentsEvicted = m.incidents.begun, m.incidents.evicted
	return s
}

// Reconfigure applies the settings that can change during a run: severities, whether chains are raised, and the hashes of rules and
// configuration.
func (m *Manager) Reconfigure(cfg Config) {
	m.cfg.Severity, m.cfg.NoChain = cfg.Severity, cfg.NoChain
	m.cfg.Sensor.RulesHash, m.cfg.Sensor.ConfigHash = cfg.Sensor.RulesHash, cfg.Sensor.ConfigHash
}

// Add processes a finding. It creates an alert, revises one, or only raises a count.
func (m *Manager) Add(f *detect.Finding, c *detect.Context) {
	m.stats.Findings++
	in := m.add(f, c)
	if in != nil && !m.cfg.NoChain {
		m.chain(in, c)
		m.incidents.saved.add(in)
	}
}

// add returns the incident of the finding, nil if the finding was dropped.
func (m *Manager) add(f *detect.Finding, c *detect.Context) *incident {
	c.Devices.Settle(f.Device)
	device := m.deviceKey(f)
	k := alertKey{f.Rule.ID, device, f.Key}
	o, absorber := m.open[k], m.absorbed[k]
	if o == nil && absorber == nil && f.Continues {
		return nil // the alert that it updates was rolled up or is closed
	}
	sev := m.severity(f, c)
	in := m.incidentOf(f, device, sev, c)
	m.addStanding(f, device)
	if m.suppressor(f, c) != "" {
		m.stats.Suppressed++
	}
	if o != nil {
		m.note(in, f, device, sev, c)
		m.update(o, f, sev, c)
		return in
	}
	x := m.prospect(k, f, sev, in, c)
	if m.full(k) && absorber == nil {
		f = m.rollUp(f, x.by != "")
		k.key = f.Key
		if o = m.open[k]; o != nil {
			m.note(in, f, device, sev, c)
			m.update(o, f, sev, c)
			return in
		}
		x = m.prospect(k, f, sev, in, c)
	}
	m.note(in, f, device, sev, c)
	if absorber != nil && m.repeat(absorber, x, c) || m.settle(x, c) {
		in.mention(k, false)
		return in
	}
	m.create(k, f, sev, in, c)
	m.settle(m.open[k], c)
	return in
}

// full reports whether a device has its share of alerts of one rule.
func (m *Manager) full(k alertKey) bool {
	return m.perRule[ruleDevice{k.rule, k.device}] >= m.cfg.PerDevice
}

func (m *Manager) deviceKey(f *detect.Finding) string {
	if f.Device != nil {
		return f.Device.Key
	}
	return "sensor:" + m.cfg.Sensor.ID
}

func (m *Manager) create(k alertKey, f *detect.Finding, sev detect.Severity, in *incident, c *detect.Context) {
	m.revise(m.begin(k, f, sev, in, c), c, "create")
}

// prospect returns the alert that a finding would raise.
func (m *Manager) prospect(k alertKey, f *detect.Finding, sev detect.Severity, in *incident, c *detect.Context) *open {
	o := &open{key: k, f: f, sev: sev, count: max(f.Total, f.Count, 1), firstSeen: f.Start, lastSeen: max(f.End, f.Start), touched: c.Now, created: c.Now,
		window: max(f.WindowS, 1), incident: in, standingP: m.riskOf(f, sev, c)}
	if o.by = m.suppressor(f, c); o.by == "" {
		o.actUnder = m.policyHash()
	}
	o.collect(f)
	return o
}

// begin enters a new alert into the tables.
func (m *Manager) begin(k alertKey, f *detect.Finding, sev detect.Severity, in *incident, c *detect.Context) *open {
	for len(m.open) >= m.cfg.MaxOpen {
		m.remove(m.order.Front().Value.(*open))
		m.stats.Evicted++
	}
	m.seq++
	o := m.prospect(k, f, sev, in, c)
	o.seq, o.state, o.id = m.seq, stateOf(f, c), alertID(k, c.Now)
	o.list = m.order.PushBack(o)
	m.saved.used(o)
	m.index(o)
	m.joined(in, o)
	o.due = c.Now + o.window*second
	heap.Push(&m.due, o)
	m.stats.Alerts++
	return o
}

// update merges a finding into its open alert.
func (m *Manager) update(o *open, f *detect.Finding, sev detect.Severity, c *detect.Context) {
	m.order.MoveToBack(o.list)
	m.saved.used(o)
	known := len(o.entities)
	changed := o.merge(f, sev, m.riskOf(f, sev, c), c)
	changed = m.suppress(o, f, c) || changed
	if !changed && len(o.entities) > known { // it may explain more than before
		m.gather(o, false, c)
	}
	switch {
	case changed:
		if !m.settle(o, c) {
			m.revise(o, c, "update")
		}
	case o.countIsDue() || f.Revises:
		if c.Now-o.revisedAt >= m.cfg.UpdateGapS*second {
			m.revise(o, c, "update")
		} else {
			m.postpone(o)
		}
	}
}

// postpone queues an alert until its next revision is due.
func (m *Manager) postpone(o *open) {
	if o.pending {
		return
	}
	o.pending, o.mark.pendingSince = true, o.mark.turn
	m.pending = append(m.pending, o)
}

// revise emits the next revision.
func (m *Manager) revise(o *open, c *detect.Context, action string) {
	c.Devices.Settle(o.f.Device)
	m.lift(o)
	o.said = said{o.f.Title, o.f.Brief, o.firstSeen}
	if in := o.incident; in != nil && !in.gone {
		if o.key == chainKey(in) {
			o.f = in.finding(in.probability())
			o.firstSeen = min(o.firstSeen, o.f.Start) // an alert that joined may have begun earlier
		} else if in.updateMember(o) || o.rolled() {
			m.chainChanged(in)
		}
	}
	m.incidentChanged(o.incident)
	o.revision++
	o.revisedAt, o.revisedCount, o.dirty = c.Now, o.count, false
	m.stats.Revisions++
	m.saved.add(o)
	m.reporting = o
	m.emit(m.build(o, c, action))
	m.reporting = nil
}

func (m *Manager) remove(o *open) {
	m.unindex(o)
	for _, t := range o.taken {
		if m.absorbed[t.id()] == o {
			delete(m.absorbed, t.id())
		}
	}
	m.order.Remove(o.list)
	heap.Remove(&m.due, o.at)
	o.gone = true
	m.saved.removed(o)
}

// Tick does what is due at now, a whole second of the capture clock: it emits postponed revisions and closes alerts.
func (m *Manager) Tick(now int64, c *detect.Context) {
	c.Now = max(c.Now, now)
	now = c.Now
	m.flush(c, m.cfg.UpdateGapS*second)
	for len(m.due) > 0 && m.due[0].due <= now {
		o := m.due[0]
		if end := o.touched + o.window*second; end > now && now-o.created < maxWindows*o.window*second {
			o.due = end
			m.saved.add(o)
			heap.Fix(&m.due, 0)
			continue
		}
		m.remove(o)
		m.revise(o, c, "close")
	}
	m.incidents.expire(now)
	m.reportIncidents(c, m.cfg.UpdateGapS*second)
}

// flush emits the revisions that were postponed for at least gap.
func (m *Manager) flush(c *detect.Context, gap int64) {
	pending := m.pending
	m.pending = nil // a revision may postpone that of a chain
	var kept []*open
	for _, o := range pending {
		switch {
		case o.gone:
		case c.Now-o.revisedAt < gap:
			kept = append(kept, o)
		default:
			o.pending = false
			m.revise(o, c, "update")
		}
	}
	m.pending = append(kept, m.pending...)
}

// Close ends a run. Open alerts stay open, and changes since the last revision are emitted, so that the last revision of each alert
// has its final state.
func (m *Manager) Close(now int64, c *detect.Context) {
	c.Now = max(c.Now, now)
	m.pending = nil
	for _, chains := range []bool{false, true} { // chains last, because they quote the others
		for el := m.order.Front(); el != nil; el = el.Next() {
			if o := el.Value.(*open); o.dirty && chains == (o.key.rule == detect.RuleChain().ID) {
				m.revise(o, c, "update")
			}
		}
	}
	m.reportIncidents(c, 0)
}
