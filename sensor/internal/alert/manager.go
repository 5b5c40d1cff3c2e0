// SPDX-License-Identifier: Apache-2.0

// Package alert turns findings into alerts: stable ids, one alert for what recurs, a life cycle of revisions, and
// incidents that join what belongs together. Its only clock is the capture clock.
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
	Severity     map[string]detect.Severity // by rule: what the operator has set instead of the detector's choice
	NoChain      bool                       // incidents as a whole (D42) are not told
	MaxOpen      int                        // open alerts held, default 50,000; beyond, the one that recurred longest ago goes
	MaxIncidents int                        // incidents held, default 20,000; beyond, the same, those without a high finding first
	PerDevice    int                        // open alerts of one rule and device; what comes on top is one alert; default 64
	UpdateGapS   int64                      // least seconds between two revisions that tell only a higher count, default 60
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
	Revisions        uint64 // handed on, the first ones included
	RolledUp         uint64 // findings that went into the one alert for the rest
	Evicted          uint64 // open alerts forgotten because the table was full
	Incidents        uint64 // begun
	IncidentsEvicted uint64 // forgotten because the table was full
}

// Manager keeps the open alerts and incidents. It is not safe for concurrent use.
type Manager struct {
	cfg       Config
	emit      func(*schemas.Alert)
	stats     Stats
	open      map[alertKey]*open
	order     *list.List // of *open, longest without recurrence first
	due       dueHeap    // by the time at which an alert may be over
	waiting   []*open    // alerts with a revision that was held back, in the order in which they got it
	perRule   map[ruleDevice]int
	perDevice map[string]int
	incidents *incidents
	standing  *lru.Table[string, []schemas.DeviceFinding] // by device key
	seq       uint64                                      // of creations: breaks ties deterministically
	saved     *saved                                      // nil: nobody saves it
	telling   *open                                       // of which emit has a revision
}

type alertKey struct{ rule, device, key string }

type ruleDevice struct{ rule, device string }

// New gives a manager that hands each revision to emit, which may keep it and sets emitted_at, boot_id and seq.
func New(cfg Config, emit func(*schemas.Alert)) *Manager {
	cfg = cfg.withDefaults()
	return &Manager{cfg: cfg, emit: emit, open: map[alertKey]*open{}, order: list.New(), perRule: map[ruleDevice]int{}, perDevice: map[string]int{},
		incidents: newIncidents(cfg.MaxIncidents), standing: lru.New[string, []schemas.DeviceFinding](maxStandingDevices)}
}

// Stats gives the counts so far.
func (m *Manager) Stats() Stats {
	s := m.stats
	s.Incidents, s.IncidentsEvicted = m.incidents.begun, m.incidents.evicted
	return s
}

// Reconfigure takes what may change while a run goes on: severities, whether chains are told, and the hashes of rules and configuration.
func (m *Manager) Reconfigure(cfg Config) {
	m.cfg.Severity, m.cfg.NoChain = cfg.Severity, cfg.NoChain
	m.cfg.Sensor.RulesHash, m.cfg.Sensor.ConfigHash = cfg.Sensor.RulesHash, cfg.Sensor.ConfigHash
}

// Add takes a finding: it becomes an alert, a further revision of one, or only a higher count.
func (m *Manager) Add(f *detect.Finding, c *detect.Context) {
	m.stats.Findings++
	in := m.add(f, c)
	if in != nil && !m.cfg.NoChain {
		m.chain(in, c)
		m.saved.incident(in)
	}
}

// add gives the incident if the finding has changed it.
func (m *Manager) add(f *detect.Finding, c *detect.Context) *incident {
	c.Devices.Settle(f.Device)
	device := m.deviceKey(f)
	k := alertKey{f.Rule.ID, device, f.Key}
	o := m.open[k]
	if o == nil {
		if f.Continues {
			return nil // what it goes on from was rolled up or is over
		}
		if m.perRule[ruleDevice{k.rule, device}] >= m.cfg.PerDevice {
			f = m.rollUp(f)
			k.key = f.Key
			o = m.open[k]
		}
	}
	sev := m.severity(f, c)
	in := m.join(f, device, sev, c)
	m.keepStanding(f, device)
	if o == nil {
		m.create(k, f, sev, in, c)
		return in
	}
	m.again(o, f, sev, c)
	return in
}

func (m *Manager) deviceKey(f *detect.Finding) string {
	if f.Device != nil {
		return f.Device.Key
	}
	return "sensor:" + m.cfg.Sensor.ID
}

func (m *Manager) create(k alertKey, f *detect.Finding, sev detect.Severity, in *incident, c *detect.Context) {
	for len(m.open) >= m.cfg.MaxOpen {
		m.forget(m.order.Front().Value.(*open))
		m.stats.Evicted++
	}
	m.seq++
	o := &open{key: k, f: f, sev: sev, seq: m.seq, count: max(f.Total, f.Count, 1), firstSeen: f.Start, lastSeen: max(f.End, f.Start), touched: c.Now, created: c.Now,
		window: max(f.WindowS, 1), incident: in, standingP: m.riskOf(f, sev, c), state: stateOf(f, c)}
	o.id = alertID(k, c.Now)
	o.list = m.order.PushBack(o)
	m.saved.used(o)
	m.enlist(o)
	o.due = c.Now + o.window*second
	heap.Push(&m.due, o)
	m.stats.Alerts++
	m.revise(o, c, "create")
}

// again takes a finding that an open alert already stands for.
func (m *Manager) again(o *open, f *detect.Finding, sev detect.Severity, c *detect.Context) {
	m.order.MoveToBack(o.list)
	m.saved.used(o)
	changed := o.merge(f, sev, m.riskOf(f, sev, c), c)
	switch {
	case changed:
		m.revise(o, c, "update")
	case o.worthTelling():
		if c.Now-o.told >= m.cfg.UpdateGapS*second {
			m.revise(o, c, "update")
		} else {
			m.hold(o)
		}
	}
}

// hold has an alert wait until its next revision is due.
func (m *Manager) hold(o *open) {
	if o.waiting {
		return
	}
	o.waiting, o.mark.waits = true, o.mark.turn
	m.waiting = append(m.waiting, o)
}

// revise hands on the next revision.
func (m *Manager) revise(o *open, c *detect.Context, action string) {
	c.Devices.Settle(o.f.Device)
	if in := o.incident; in != nil && !in.gone {
		if o.key == chainKey(in) {
			o.f = in.finding(in.probability())
		} else if in.told(o) {
			m.retell(in)
		}
	}
	o.revision++
	o.told, o.toldCount, o.dirty = c.Now, o.count, false
	m.stats.Revisions++
	m.saved.alert(o)
	m.telling = o
	m.emit(m.build(o, c, action))
	m.telling = nil
}

func (m *Manager) forget(o *open) {
	m.leave(o)
	m.order.Remove(o.list)
	heap.Remove(&m.due, o.at)
	o.gone = true
	m.saved.forgot(o)
}

// Tick does what is due at now, a whole second of the capture clock: held back revisions, and alerts that are over.
func (m *Manager) Tick(now int64, c *detect.Context) {
	c.Now = max(c.Now, now)
	now = c.Now
	m.flush(c, m.cfg.UpdateGapS*second)
	for len(m.due) > 0 && m.due[0].due <= now {
		o := m.due[0]
		if end := o.touched + o.window*second; end > now && now-o.created < maxWindows*o.window*second {
			o.due = end
			m.saved.alert(o)
			heap.Fix(&m.due, 0)
			continue
		}
		m.forget(o)
		m.revise(o, c, "close")
	}
	m.incidents.expire(now)
}

// flush hands on the revisions that were held back for at least gap.
func (m *Manager) flush(c *detect.Context, gap int64) {
	waiting := m.waiting
	m.waiting = nil // a revision may have a chain wait
	var kept []*open
	for _, o := range waiting {
		switch {
		case o.gone:
		case c.Now-o.told < gap:
			kept = append(kept, o)
		default:
			o.waiting = false
			m.revise(o, c, "update")
		}
	}
	m.waiting = append(kept, m.waiting...)
}

// Close ends a run: open alerts stay open, and what has changed since the last revision is told, so that the last revision
// of each alert holds its final state.
func (m *Manager) Close(now int64, c *detect.Context) {
	c.Now = max(c.Now, now)
	m.waiting = nil
	for _, chains := range []bool{false, true} { // chains last: they quote the others
		for el := m.order.Front(); el != nil; el = el.Next() {
			if o := el.Value.(*open); o.dirty && chains == (o.key.rule == detect.RuleChain().ID) {
				m.revise(o, c, "update")
			}
		}
	}
}
