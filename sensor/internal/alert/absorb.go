// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

const (
	maxTaken    = 512              // alerts that one alert absorbs; further ones stay alerts of their own
	maxAbsorbed = 100_000          // alerts that all alerts together absorb
	maxListed   = 256              // open alerts of one incident that may absorb or be absorbed
	maxRetold   = 32               // of these, alerts that its evidence lists
	apart       = 10 * 60 * second // alerts further apart are no single act
)

// taken is what an alert keeps of one that it has absorbed.
type taken struct {
	rule, device, key string // which alert
	title             string
	host, service     string // what a roll-up says of it
	at                int64  // when that alert began
}

func (x *taken) id() alertKey { return alertKey{x.rule, x.device, x.key} }

// explains reports whether alert a says what x says, and more: x is then absorbed. Both belong to one incident.
func (a *open) explains(x *open) bool {
	own := a.key.device == x.key.device
	switch a.key.rule {
	case "D01":
		return own && x.key.rule == "D10" && a.disguised() && a.samePeer(x) && a.covers(x)
	case "D10":
		return own && (x.key.rule == "D01" && !x.disguised() && a.covers(x) || x.key.rule == "D02" && x.key.key == "infrastructure budget" && strings.HasPrefix(a.key.key, "budget") && a.samePeer(x))
	case "D13", "D14":
		return own && a.scanExplains(x)
	case "D11":
		return own && x.key.rule == "D01" && a.names(x)
	case "D06":
		return own && x.key.rule == "D01" && !x.answered() && a.samePeer(x) && a.covers(x)
	case "D08":
		return own && a.loginExplains(x) || x.key.rule == "D01" && a.mirrors(x)
	case "D28":
		during := x.firstSeen >= a.firstSeen-apart && x.firstSeen <= a.lastSeen+apart
		return during && (own && (x.key.rule == "D08" && x.rolled() || x.key.rule == "D01" && a.names(x)) || x.key.rule == "D26" && x.f.Peer != nil && x.f.Peer.Device != nil && x.f.Peer.Device == a.f.Device)
	case "D32":
		return own && x.key.rule == "D07" && x.sev <= a.sev && a.samePeer(x) && a.samePort(x)
	case "D31":
		// A login from outside comes first in the story: it stays an alert of its own.
		return own && (x.key.rule == "D08" && !x.f.Peer.External || x.key.rule == "D07" && x.sev <= a.sev) && a.samePeer(x) && a.samePort(x)
	case "D15":
		if domain, ok := strings.CutPrefix(a.key.key, "names "); ok {
			return own && x.key.rule == "D19" && x.key.key == "domain "+domain && x.sev <= a.sev
		}
		return own && (x.key.rule == "D01" || x.key.rule == "D06" || x.key.rule == "D18") && a.samePeer(x)
	case "D39":
		return own && (x.key.rule == "D01" || x.key.rule == "D05") && a.reaches(x)
	case "D24", "D25":
		return own && (x.key.rule == "D01" || x.key.rule == "D05" || x.key.rule == "D16" || x.key.rule == "D17") && a.samePeer(x) && a.covers(x)
	case "D16", "D18", "D21", "D22", "D23", "D45", "D46", "D48":
		return own && x.key.rule == "D01" && a.samePeer(x) && a.covers(x)
	case "D49":
		return own && x.key.rule == "D01" && x.sev <= a.sev && a.samePeer(x) && a.covers(x)
	}
	return false
}

// loginExplains reports whether x is what a login itself shows: the guesses before it, and that its port can be reached.
func (a *open) loginExplains(x *open) bool {
	switch x.key.rule {
	case "D09":
		return x.f.Stage == detect.StageGuessed && x.firstSeen <= a.lastSeen && a.samePeer(x)
	case "D07":
		return x.sev <= a.sev && a.samePeer(x) && a.samePort(x)
	}
	return false
}

// reaches reports whether a is about first contacts inside (D39), on the port of x, and names its host or will do so with the same packet.
func (a *open) reaches(x *open) bool {
	v := x.f.Session
	if v == nil || !x.answered() || x.f.Peer == nil || x.f.Peer.External || !a.names(x) && x.firstSeen > a.lastSeen+apart {
		return false
	}
	service := fmt.Sprintf(" %d/%s", v.Responder.Port, detect.Proto(v.Proto))
	return slices.ContainsFunc(a.f.Reasons, func(r detect.Reason) bool {
		return r.Code == "services" && strings.Contains(r.Text+",", service+",")
	})
}

// talked reports whether the device of an alert about first contacts has sent data there.
func (x *open) talked() bool {
	return slices.ContainsFunc(x.f.Reasons, func(r detect.Reason) bool { return r.Code == "talked" })
}

// disguised reports whether the session of an alert carries another protocol than that of its port.
func (x *open) disguised() bool {
	return slices.ContainsFunc(x.f.Reasons, func(r detect.Reason) bool { return r.Code == "disguised" })
}

// samePort reports whether the sessions of two alerts went to the same port.
func (a *open) samePort(x *open) bool {
	return a.f.Session != nil && x.f.Session != nil && a.f.Session.Responder.Port == x.f.Session.Responder.Port
}

// scanExplains reports whether x is an attempt of a scan by the same device, or the exposure that a scan from outside has found. A
// persistent callback (D06) stays an alert of its own unless it began with the scan and went to one of its targets.
func (a *open) scanExplains(x *open) bool {
	during := x.firstSeen >= a.firstSeen && x.firstSeen <= a.lastSeen+apart
	v := x.f.Session
	switch {
	case a.f.Stage != detect.StageDiscovery:
		return a.key.rule == "D13" && x.key.rule == "D07" && x.sev == detect.Informational && a.samePeer(x)
	case x.key.rule == "D13":
		return a.key.rule == "D14" && x.key.key == "hosts" && x.lastSeen >= a.firstSeen
	case x.key.rule == "D39": // the scan may begin with ports that answer
		return !x.talked() && a.key.key != "arp" && a.key.key != "echo" && x.firstSeen >= a.firstSeen-apart && x.firstSeen <= a.lastSeen+apart
	case v == nil || !during:
		return false
	case a.key.key == "echo":
		return x.key.rule == "D01" && !v.HasPorts
	case x.key.rule == "D06":
		return x.firstSeen > a.firstSeen && x.f.Peer != nil && slices.Contains(a.f.Peers, x.f.Peer.IP)
	case x.key.rule == "D01":
		return v.HasPorts && !x.answered() && a.key.key != "arp" && (!strings.HasPrefix(a.key.key, "ports ") || a.samePeer(x))
	}
	return false
}

// answered reports whether the session of an alert was answered, or the capture cannot tell.
func (x *open) answered() bool {
	v := x.f.Session
	return v == nil || v.Answered() || v.State == session.OneWay
}

func (a *open) samePeer(x *open) bool {
	return a.f.Peer != nil && x.f.Peer != nil && a.f.Peer.IP == x.f.Peer.IP
}

// covers reports whether a names each address of x, and its port.
func (a *open) covers(x *open) bool {
	if port(x) != 0 && port(x) != port(a) {
		return false
	}
	return a.names(x)
}

// names reports whether a names each address of x.
func (a *open) names(x *open) bool {
	return !slices.ContainsFunc(x.entities, func(s string) bool { return strings.HasPrefix(s, "ip:") && !slices.Contains(a.entities, s) })
}

// mirrors reports whether x is about the sessions of a login, seen from their other end.
func (a *open) mirrors(x *open) bool {
	if a.f.Session == nil || x.f.Session == nil || a.f.Session.Responder.Port != x.f.Session.Responder.Port || !slices.Contains(a.entities, "device:"+x.key.device) {
		return false
	}
	if p := x.f.Peer; p != nil && a.f.DeviceAddr.String() == p.IP {
		return true
	}
	return a.rolled() && a.names(x)
}

// settle absorbs an alert into one that explains it, or else lets it absorb those that it explains. It reports whether x was absorbed. x
// may be an alert that is not raised yet.
func (m *Manager) settle(x *open, c *detect.Context) bool {
	in := x.incident
	if in == nil || in.gone || x.key.rule == detect.RuleChain().ID {
		return false
	}
	if a := m.absorber(x, c); a != nil {
		m.absorb(a, x, c)
		m.gather(a, true, c)
		return true
	}
	if x.list != nil {
		m.gather(x, true, c)
	}
	return false
}

// gather lets an alert absorb the open alerts that it explains, roll-ups only if rolled is set.
func (m *Manager) gather(a *open, rolled bool, c *detect.Context) {
	if a.gone {
		return
	}
	for _, x := range slices.Clone(a.incident.alerts) {
		if x != a && !x.gone && a.alike(x) && (rolled || !x.rolled()) && a.explains(x) && m.room(a, x) {
			m.absorb(a, x, c)
		}
	}
}

// absorber returns the open alert that explains x, nil if there is none. It raises a roll-up if x makes one due.
func (m *Manager) absorber(x *open, c *detect.Context) *open {
	for _, a := range x.incident.alerts {
		if a != x && a.alike(x) && a.explains(x) && m.room(a, x) {
			return a
		}
	}
	return m.rollUpFor(x, c)
}

// room reports whether a can take in x.
func (m *Manager) room(a, x *open) bool {
	return len(a.taken)+1+len(x.taken) <= maxTaken && len(m.absorbed) < maxAbsorbed
}

// absorb lets a take in x, and closes x if it has been raised.
func (m *Manager) absorb(a, x *open, c *detect.Context) {
	if m.absorbed[x.key] != a {
		more, rose := m.take(a, x, c)
		if rose {
			m.revise(a, c, "update")
		} else if more {
			m.postpone(a)
		}
	}
	if x.list != nil && !x.gone {
		m.remove(x)
		m.left(x.incident, x)
		x.into = a
		m.revise(x, c, "close")
	}
}

// take adds what x says to a. It reports whether a says more, and whether its severity has risen.
func (m *Manager) take(a, x *open, c *detect.Context) (more, rose bool) {
	m.saved.used(a)
	m.order.MoveToBack(a.list)
	a.touched, a.dirty = c.Now, true
	a.collect(a.f)
	a.collect(x.f)
	a.related, a.entities = addAll(a.related, x.related, maxRelated), addAll(a.entities, x.entities, maxEntities)
	if rose = x.sev > a.sev; rose {
		a.sev, a.standingP = x.sev, x.standingP
	}
	a.wide = a.wide || x.wide || port(a) != port(x) && port(a) != 0 && port(x) != 0
	before := len(a.taken)
	if !x.rolled() {
		t := taken{rule: x.key.rule, device: x.key.device, key: x.key.key, title: detect.Clean(x.f.Title, 300), at: x.firstSeen}
		_, t.host, t.service = together(x.f)
		a.takeIn(t)
	}
	for _, t := range x.taken {
		a.takeIn(t)
	}
	for _, t := range a.taken[before:] {
		m.absorbed[t.id()] = a
	}
	if !x.rolled() {
		m.absorbed[x.key] = a
	}
	if a.rolled() && a.key.rule == x.key.rule {
		a.count += x.count
		a.firstSeen, a.lastSeen = min(a.firstSeen, x.firstSeen), max(a.lastSeen, x.lastSeen)
		a.rewrite()
	}
	a.incident.mention(x.key, false)
	a.incident.explain(x.key, a.key)
	for _, t := range x.taken {
		a.incident.explain(t.id(), a.key)
	}
	return len(a.taken) > before, rose
}

func port(o *open) uint16 {
	if o.f.Peer == nil {
		return 0
	}
	return o.f.Peer.Port
}

func (o *open) takeIn(t taken) {
	if i := slices.IndexFunc(o.taken, func(y taken) bool { return y.id() == t.id() }); i >= 0 {
		o.taken[i].title = t.title
		return
	}
	o.taken = append(o.taken, t)
}

// repeat adds a further finding of an absorbed alert to its absorber, if that still explains it, or took
// something in at the same instant (an alert that began now must not begin twice). Otherwise the finding is new.
func (m *Manager) repeat(a, x *open, c *detect.Context) bool {
	same, _, _ := together(x.f)
	if !a.alike(x) || a.touched < c.Now && !a.explains(x) && !(a.rolled() && a.key.key == same && a.key.rule == x.key.rule) {
		delete(m.absorbed, x.key)
		a.taken = slices.DeleteFunc(a.taken, func(t taken) bool { return t.id() == x.key })
		if a.rolled() {
			a.rewrite()
		}
		m.saved.add(a)
		a.incident.mention(x.key, true)
		return false
	}
	if x.f.Continues {
		x.count = 0
	}
	if _, rose := m.take(a, x, c); rose {
		m.revise(a, c, "update")
	} else if a.countIsDue() {
		m.postpone(a)
	}
	return true
}
