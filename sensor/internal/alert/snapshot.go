// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"container/heap"
	"slices"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

const (
	counterPart   = "alert/1"
	incidentsPart = "incidents/4"
	alertsPart    = "alerts/5"
)

// Parts returns the manager as parts of a snapshot, to be restored in this order after the registry. From then on the manager tracks
// what has changed. c is the context of the run.
func (m *Manager) Parts(c *detect.Context) []snapshot.Part {
	m.saved, m.incidents.saved = &changes[*open]{}, &changes[*incident]{}
	r := c.Devices
	return []snapshot.Part{
		snapshot.Single(counterPart, m.walk),
		{Name: incidentsPart, Restore: func(all snapshot.Records) int { return m.restoreIncidents(all, r) },
			Drain: func(b *snapshot.Batch, limit int) int {
				return m.incidents.saved.drain(b, limit, incidentsPart, func(in *incident) { m.saveIncident(b, in, r) })
			}},
		{Name: alertsPart, Restore: func(all snapshot.Records) int { return m.restoreAlerts(all, c) },
			Drain: func(b *snapshot.Batch, limit int) int {
				return m.saved.drain(b, limit, alertsPart, func(o *open) { m.saveAlert(b, o, r) })
			}},
		m.standing.Part("standing/1", func(c *snapshot.Codec, k *string) { c.String(k) }, walkStanding),
	}
}

func (m *Manager) walk(c *snapshot.Codec) { c.Uint(&m.seq) }

func walkStanding(c *snapshot.Codec, list *[]schemas.DeviceFinding) {
	snapshot.List(c, list, maxStanding, func(x *schemas.DeviceFinding) {
		c.String(&x.Kind)
		c.String(&x.Text)
		c.Time((*int64)(&x.FirstSeen))
		c.Time((*int64)(&x.LastSeen))
	})
}

// SaveReported writes the alert whose revision is being emitted, with everything that it refers to. What was reported must survive a
// crash, while the rest may be as old as the last snapshot.
func (m *Manager) SaveReported(b *snapshot.Batch, r *device.Registry) {
	o := m.reporting
	if o == nil {
		return
	}
	r.SaveCounters(b)
	b.PutSingle(counterPart, m.walk)
	if in := o.incident; in != nil && !in.gone {
		r.Save(b, in.device)
		m.saveIncident(b, in, r)
	}
	if o.into != nil && !o.into.gone {
		r.Save(b, o.into.f.Device)
		m.saveAlert(b, o.into, r)
	}
	if o.gone {
		b.Delete(alertsPart).String(&o.id)
		b.End()
		return
	}
	r.Save(b, o.f.Device)
	if o.f.Peer != nil {
		r.Save(b, o.f.Peer.Device)
	}
	m.saveAlert(b, o, r)
}

func (m *Manager) saveAlert(b *snapshot.Batch, o *open, r *device.Registry) {
	b.Put(alertsPart).String(&o.id)
	b.Value()
	in := ""
	if o.incident != nil && !o.incident.gone {
		in = o.incident.id
	}
	walkOpen(b.Codec(), o, &in, r)
	b.End()
	o.mark.kept = true
}

func (m *Manager) saveIncident(b *snapshot.Batch, in *incident, r *device.Registry) {
	b.Put(incidentsPart).String(&in.id)
	b.Value()
	keys := m.incidents.keys[in]
	walkIncident(b.Codec(), in, &keys, r)
	b.End()
	in.mark.kept = true
}

// restoreIncidents fills the table in the order of last use.
func (m *Manager) restoreIncidents(all snapshot.Records, r *device.Registry) (bad int) {
	t := m.incidents
	type kept struct {
		in   *incident
		keys []string
	}
	var list []kept
	for k, v := range all {
		x := kept{in: &incident{}}
		kc, c := snapshot.Reader(k), snapshot.Reader(v)
		kc.String(&x.in.id)
		walkIncident(c, x.in, &x.keys, r)
		if kc.Done() != nil || c.Done() != nil {
			bad++
			continue
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b kept) int { return cmp.Compare(a.in.mark.turn, b.in.mark.turn) })
	for _, x := range list {
		for t.len() >= t.limit {
			t.drop(t.weakest())
		}
		in := x.in
		in.mark.kept = true
		t.saved.turn = max(t.saved.turn, in.mark.turn)
		in.list = t.orderOf(in).PushBack(in)
		for _, k := range x.keys {
			t.byDevice[k] = in
		}
		if in.account.queued {
			m.changedIncidents = append(m.changedIncidents, in)
		}
		t.keys[in] = x.keys
	}
	return bad
}

// restoreAlerts fills the list of open alerts in the order of last use.
func (m *Manager) restoreAlerts(all snapshot.Records, ctx *detect.Context) (bad int) {
	incidents := map[string]*incident{}
	for in := range m.incidents.keys {
		incidents[in.id] = in
	}
	var list []*open
	for k, v := range all {
		o, in := &open{f: &detect.Finding{}}, ""
		kc, c := snapshot.Reader(k), snapshot.Reader(v)
		kc.String(&o.id)
		walkOpen(c, o, &in, ctx.Devices)
		if kc.Done() != nil || c.Done() != nil {
			bad++
			continue
		}
		o.incident = incidents[in]
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b *open) int { return cmp.Compare(a.mark.turn, b.mark.turn) })
	for i, o := range list {
		o.mark.kept = true
		if len(list)-i > m.cfg.MaxOpen {
			m.saved.gone = append(m.saved.gone, o.id)
			continue
		}
		if older := m.open[o.key]; older != nil { // it was removed after the last snapshot
			m.remove(older)
		}
		m.enter(o, ctx)
	}
	slices.SortFunc(m.pending, func(a, b *open) int { return cmp.Compare(a.mark.pendingSince, b.mark.pendingSince) })
	return bad
}

// enter puts a restored alert into the tables.
func (m *Manager) enter(o *open, c *detect.Context) {
	if o.f.Device == nil && o.key.device != m.deviceKey(o.f) { // evicted since: the alert continues without it
		o.f.Device = &device.Device{Key: o.key.device}
	}
	if c.Contracts != nil {
		o.state.entry = c.Contracts.Entry(o.f.Device)
	}
	m.seq = max(m.seq, o.seq)
	m.saved.turn = max(m.saved.turn, o.mark.turn)
	o.list = m.order.PushBack(o)
	m.index(o)
	for _, t := range o.taken {
		m.absorbed[t.id()] = o
	}
	heap.Push(&m.due, o)
	if o.pending {
		m.pending = append(m.pending, o)
	}
}
