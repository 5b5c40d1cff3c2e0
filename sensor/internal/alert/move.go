// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
)

// Move continues alerts and incidents under the key of another device. All of them move if the device has a new key or turned out to
// be another one; only those about one address move if that address turned out to be a device of its own. Alerts keep their ids, and
// their next revision names the new device. Move reports whether an alert about a broken expectation has moved.
func (m *Manager) Move(x device.Move, c *detect.Context) (broken bool) {
	if x.From == x.To.Key {
		return false
	}
	in := m.incidents.byDevice[x.From]
	moved := map[alertKey]bool{}
	if m.perDevice[x.From] > 0 {
		for el := m.order.Front(); el != nil; { // the alert of a chain moves with its incident
			o := el.Value.(*open)
			el = el.Next()
			if o.key.rule != detect.RuleChain().ID && o.key.device == x.From && (!x.Addr.IsValid() || o.f.DeviceAddr == x.Addr) {
				moved[o.key], broken = true, broken || o.f.Broken != ""
				m.moveAlert(o, x, c)
			}
		}
	}
	if in != nil && (!x.Addr.IsValid() || len(moved) > 0) {
		m.moveIncident(in, x, moved, c)
	}
	m.moveStanding(x)
	return broken
}

func (m *Manager) moveAlert(o *open, x device.Move, c *detect.Context) {
	k := alertKey{o.key.rule, x.To.Key, o.key.key}
	if y := m.open[k]; y != nil { // both devices have the alert: the one of the target continues
		y.count += o.count
		y.firstSeen, y.lastSeen, y.dirty = min(y.firstSeen, o.firstSeen), max(y.lastSeen, o.lastSeen), true
		y.collect(o.f)
		m.saved.add(y)
		m.postpone(y)
		m.remove(o)
		m.revise(o, c, "close")
		return
	}
	m.unindex(o)
	o.key, o.f.Device, o.dirty = k, x.To, true
	renameEntity(o.f.Entities, x)
	renameEntity(o.entities, x)
	m.index(o)
	for i := range o.taken {
		if t := &o.taken[i]; t.device == x.From {
			delete(m.absorbed, t.id())
			t.device = x.To.Key
			m.absorbed[t.id()] = o
		}
	}
	m.saved.add(o)
	m.postpone(o)
}

// index adds an open alert to the tables by key; unindex removes it.
func (m *Manager) index(o *open) {
	m.open[o.key] = o
	if in := o.incident; in != nil && o.key.rule != detect.RuleChain().ID && (o.listed || len(in.alerts) < maxListed) {
		o.listed = true
		i, _ := slices.BinarySearchFunc(in.alerts, o, func(a, b *open) int { return cmp.Compare(a.seq, b.seq) })
		in.alerts = slices.Insert(in.alerts, i, o)
	}
	m.perRule[ruleDevice{o.key.rule, o.key.device}]++
	m.perDevice[o.key.device]++
}

func (m *Manager) unindex(o *open) {
	delete(m.open, o.key)
	if in := o.incident; in != nil && o.listed {
		in.alerts = slices.DeleteFunc(in.alerts, func(x *open) bool { return x == o })
	}
	rd := ruleDevice{o.key.rule, o.key.device}
	if m.perRule[rd]--; m.perRule[rd] <= 0 {
		delete(m.perRule, rd)
	}
	if m.perDevice[rd.device]--; m.perDevice[rd.device] <= 0 {
		delete(m.perDevice, rd.device)
	}
}

func renameEntity(list []string, x device.Move) {
	if i := slices.Index(list, "device:"+x.From); i >= 0 {
		list[i] = "device:" + x.To.Key
	}
}

// moveIncident continues an incident under the new key. If only an address has moved, the incident stays under both keys, or moves to
// the new one if it is about nothing else.
func (m *Manager) moveIncident(in *incident, x device.Move, moved map[alertKey]bool, c *detect.Context) {
	t, left := m.incidents, false
	for i := range in.members {
		y := &in.members[i]
		switch {
		case y.device != x.From:
		case !x.Addr.IsValid() || moved[alertKey{y.rule, y.device, y.key}]:
			y.device = x.To.Key
		default:
			left = true
		}
	}
	if t.byDevice[x.To.Key] == nil {
		t.bind(x.To.Key, in)
	}
	t.saved.add(in)
	if left {
		return
	}
	if t.byDevice[x.From] == in {
		delete(t.byDevice, x.From)
	}
	t.keys[in] = slices.DeleteFunc(t.keys[in], func(k string) bool { return k == x.From })
	if in.key != x.From {
		return
	}
	in.key, in.device = x.To.Key, x.To
	if o := m.open[alertKey{detect.RuleChain().ID, x.From, "incident " + in.id}]; o != nil {
		m.moveAlert(o, x, c)
	}
}

// moveStanding moves the standing facts. Those about one address are recognized by the address in their text.
func (m *Manager) moveStanding(x device.Move) {
	kept := m.standing.Peek(x.From)
	if kept == nil {
		return
	}
	list := *kept
	m.standing.Drop(x.From)
	for _, f := range list {
		key := x.To.Key
		if x.Addr.IsValid() && !mentions(f.Text, x.Addr) {
			key = x.From
		}
		if to := m.standing.Put(key); len(*to) < maxStanding {
			*to = append(*to, f)
		}
	}
}

// mentions reports whether a text names an address.
func mentions(text string, a netip.Addr) bool {
	s := a.String()
	for {
		i := strings.Index(text, s)
		if i < 0 {
			return false
		}
		text = text[i+len(s):]
		if text == "" || !strings.ContainsRune("0123456789:", rune(text[0])) {
			return true
		}
	}
}
