// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/session"
)

// rollUp returns the finding that counts all further findings of one rule and device once the device has its share of alerts. It lists
// peers in the entities as far as there is room. It names no port and no session, because it is about many. Suppressed findings have one of
// their own.
func (m *Manager) rollUp(f *detect.Finding, suppressed bool) *detect.Finding {
	m.stats.RolledUp++
	r := *f
	r.Key, r.Total, r.Brief = "more", 0, ""
	if suppressed {
		r.Key = "more, suppressed"
	}
	r.Session, r.App = nil, nil
	who, alerts := detect.ShortLabel(f.Device, f.DeviceAddr), detect.Plural(m.cfg.PerDevice, "alert", "alerts")
	r.Title = detect.Fit(fmt.Sprintf("%s: more than %s of %s (%s)", who, alerts, f.Rule.ID, f.Rule.Name))
	r.Message = fmt.Sprintf("Expected: at most %s of rule %s about one device at a time. Seen: more, which are counted here; the last at %s UTC: %s.",
		alerts, f.Rule.ID, stamp(f.Start), f.Title)
	if f.Peer != nil {
		p := *f.Peer
		p.Port = 0
		r.Peer = &p
	}
	return &r
}

// rollUpAt is from how many hosts on alerts of one rule are told as one.
const rollUpAt = 3

const togetherPrefix = "together "

// together returns the key of the roll-up that a finding may belong to, "" if there is none: one device opens sessions to many hosts,
// or one host logs in to many devices, or guesses their passwords. host and service are what the roll-up says of the finding.
func together(f *detect.Finding) (key, host, service string) {
	v := f.Session
	if v == nil || f.Peer == nil || f.Device == nil {
		return "", "", ""
	}
	service = detect.PortName(v)
	switch {
	case f.Rule.ID == "D01" || f.Rule.ID == "D06":
		host, key = peerLabel(f.Peer), "tried"
		if v.Answered() || v.State == session.OneWay {
			key = "opened"
		}
		if f.Peer.External {
			return togetherPrefix + key + " external " + service, host, service
		}
		return togetherPrefix + key + " internal", host, service
	case f.Rule.ID == "D08" || f.Rule.ID == "D09" && strings.HasPrefix(f.Key, "guessing "):
		return togetherPrefix + "from " + f.Peer.IP + " " + service, detect.ShortLabel(f.Device, f.DeviceAddr), service
	}
	return "", "", ""
}

func peerLabel(p *detect.Peer) string {
	a, _ := netip.ParseAddr(p.IP)
	switch {
	case p.Device != nil:
		return detect.ShortLabel(p.Device, a)
	case p.Name != "":
		return detect.Clean(p.Name, 80)
	}
	return p.IP
}

func (o *open) rolled() bool { return strings.HasPrefix(o.key.key, togetherPrefix) }

// rollUpFor returns the roll-up that takes in x, nil if there is none and none is due.
func (m *Manager) rollUpFor(x *open, c *detect.Context) *open {
	key, host, _ := together(x.f)
	if key == "" {
		return nil
	}
	var roll *open
	alike, hosts := []*open{x}, []string{host}
	for _, a := range x.incident.alerts {
		if a.key.rule != x.key.rule || a == x || !a.alike(x) {
			continue
		}
		if a.key.key == key {
			roll = a
			continue
		}
		if k, h, _ := together(a.f); k == key && !a.rolled() && max(x.firstSeen-a.firstSeen, a.firstSeen-x.firstSeen) <= apart {
			alike, hosts = append(alike, a), addAll(hosts, []string{h}, maxTaken)
		}
	}
	switch {
	case roll != nil && !m.room(roll, x):
		return nil
	case roll != nil && x.firstSeen-roll.lastSeen <= apart:
		return roll
	case len(hosts) < rollUpAt:
		return nil
	case roll == nil:
		return m.raiseRollUp(key, alike, c)
	}
	for _, a := range alike[1:] {
		m.absorb(roll, a, c)
	}
	return roll
}

// raiseRollUp raises one alert instead of several, and closes those. The first of them may be one that is not raised yet.
func (m *Manager) raiseRollUp(key string, alike []*open, c *detect.Context) *open {
	x := alike[0]
	f := *x.f
	f.Key, f.Total, f.Continues, f.Broken = key, 0, false, x.f.Broken
	if (f.Rule.ID == "D08" || f.Rule.ID == "D09") && f.Peer.Device != nil {
		f.Device, f.DeviceAddr = f.Peer.Device, netip.Addr{}
		if a, err := netip.ParseAddr(x.f.Peer.IP); err == nil {
			f.DeviceAddr = a
		}
		f.Stage = detect.StageFanOut
	}
	if f.Rule.ID == "D01" || f.Rule.ID == "D06" || f.Peer.Device != nil {
		f.Peer = nil
	}
	k := alertKey{f.Rule.ID, m.deviceKey(&f), key}
	if m.open[k] != nil {
		return nil // it belongs to another incident
	}
	o := m.begin(k, &f, x.sev, x.incident, c)
	o.count, o.wide, o.standingP = 0, true, x.standingP
	o.by, o.actUnder = x.by, x.actUnder
	slices.SortStableFunc(alike, func(a, b *open) int { return cmp.Compare(a.firstSeen, b.firstSeen) })
	for _, a := range alike {
		m.take(o, a, c)
	}
	m.revise(o, c, "create")
	for _, a := range alike {
		if a != x {
			m.absorb(o, a, c)
		}
	}
	return o
}

// rewrite writes the texts of a roll-up from what it has absorbed.
func (o *open) rewrite() {
	f := *o.f
	var hosts, services []string
	for _, t := range o.taken {
		if t.rule == o.key.rule {
			hosts, services = addAll(hosts, []string{t.host}, maxTaken), addAll(services, []string{t.service}, maxTaken)
		}
	}
	if len(hosts) == 0 {
		return // all have become something else, such as sessions that were answered after all
	}
	who := detect.ShortLabel(f.Device, f.DeviceAddr)
	if f.Peer != nil {
		who = f.Peer.IP
	}
	n, on := detect.Plural(len(hosts), "host", "hosts"), detect.Listing(services, 3)
	devices := detect.Plural(len(hosts), "device", "devices")
	if f.App != nil && f.App.Name != "" {
		on = f.App.Name
	}
	act, expected := "", who+" opens only the sessions that it is allowed to open"
	switch {
	case o.key.rule == "D08":
		f.Brief, act, expected = "logs in to "+devices, "logged in to "+devices+" by "+on, "nobody logs in to many devices within minutes"
	case o.key.rule == "D09":
		f.Brief, act, expected = "guesses passwords of "+devices, "is guessing passwords of "+devices+" by "+on, "nobody logs in to many devices within minutes"
	case o.key.rule == "D06":
		f.Brief, act = "keeps calling "+n, "keeps calling "+n+" without success"
	case strings.HasPrefix(o.key.key, togetherPrefix+"tried"):
		f.Brief, act = "calls "+n, "tried to open "+detect.Listing(services, 3)+" to "+n
	default:
		f.Brief, act = "connects to "+n, "opened "+detect.Listing(services, 3)+" to "+n
		if f.Session != nil && !f.Session.HasPorts { // ICMP has no sessions that are opened
			act = "sent " + detect.Listing(services, 3) + " to " + n
		}
	}
	f.Start, f.End = o.firstSeen, o.lastSeen
	f.Title = detect.Fit(who + " " + act)
	f.Message = fmt.Sprintf("Expected: %s. Seen: between %s and %s UTC %s %s: %s.",
		expected, stamp(o.firstSeen), stamp(o.lastSeen), who, act, detect.Listing(hosts, 12))
	f.Reasons = slices.DeleteFunc(slices.Clone(f.Reasons), func(r detect.Reason) bool { return r.Code != "benign_if" })
	f.Reasons = append([]detect.Reason{{Code: "many", Text: n + " within " + detect.Span(o.lastSeen-o.firstSeen), Weight: 0.5}}, f.Reasons...)
	f.Evidence = []detect.Evidence{{Kind: "hosts", Summary: n + ": " + detect.Listing(hosts, 40), Data: map[string]any{"hosts": len(hosts)}}}
	o.f = &f
}
