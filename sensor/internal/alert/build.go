// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"math"
	"net/netip"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/enrich"
)

// build returns one revision as a record. The record shares nothing that changes later.
func (m *Manager) build(o *open, c *detect.Context, action string) *schemas.Alert {
	f := o.f
	a := &schemas.Alert{
		Schema: schemas.AlertSchema, ID: o.id, Revision: o.revision, Action: action,
		Time: schemas.AlertTime{EventStart: schemas.Time(o.firstSeen), EventEnd: schemas.Time(max(o.lastSeen, eventEnd(f))),
			DetectedAt: schemas.Time(c.Now), Replay: m.cfg.Replay},
		Sensor: m.cfg.Sensor,
		Rule:   schemas.AlertRule{ID: f.Rule.ID, Name: f.Rule.Name, Kind: f.Rule.Kind, Version: f.Rule.Version},
		Title:  detect.Clean(f.Title, 300), Message: detect.Clean(f.Message, 3000),
		Severity: o.sev.String(), RiskScore: riskScore(o.sev, o.standingP, o.state.entry), Confidence: o.standingP.confidence(),
		Device: deviceOf(m.deviceKey(f), o), Peer: peerOf(f.Peer),
		Dedupe: schemas.AlertDedupe{Key: detect.Clean(o.key.key, 300), WindowS: o.window, Count: o.count,
			FirstSeen: schemas.Time(o.firstSeen), LastSeen: schemas.Time(o.lastSeen)},
		Recommendation: detect.Clean(f.Recommendation, 1000),
	}
	a.Sensor.OneWay, a.Sensor.LossRatio = c.Quality.OneWay, finite(c.Quality.LossRatio)
	if f.Rule.ID == detect.RuleChain().ID {
		a.RiskScore = percent(f.Reliability)
	}
	if o.incident != nil {
		a.IncidentID = o.incident.id
	}
	if o.into != nil {
		a.AbsorbedBy = o.into.id
	}
	a.SuppressedBy, a.Sensor.PolicyHash = o.by, m.policyHash()
	if o.wide && a.Peer != nil {
		a.Peer.Port = nil
	}
	if f.Session != nil && !o.wide {
		s := SessionRecord(f.Session, f.App)
		a.Session = &s
	}
	o.collect(f)
	a.RelatedSessions = append([]string(nil), o.related...)
	a.Entities = safeAll(o.entities)
	fillReasons(a, f)
	o.fillTaken(a)
	o.fillPackets(a)
	return a
}

// fillTaken lists the alerts that an alert has absorbed as evidence.
func (o *open) fillTaken(a *schemas.Alert) {
	for i, t := range o.taken {
		if i == maxRetold || len(a.Evidence) >= maxEvidence-1 {
			a.Evidence = append(a.Evidence, schemas.AlertEvidence{Kind: "absorbed", Summary: detect.Plural(len(o.taken)-i, "further absorbed alert", "further absorbed alerts")})
			return
		}
		at := schemas.Time(t.at)
		a.Evidence = append(a.Evidence, schemas.AlertEvidence{Kind: "absorbed", Time: &at, Summary: t.rule + " " + t.title})
	}
}

func eventEnd(f *detect.Finding) int64 {
	if f.Session != nil {
		return f.Session.End
	}
	return f.End
}

func finite(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), 1)
}

func fillReasons(a *schemas.Alert, f *detect.Finding) {
	for _, r := range f.Reasons {
		a.Reasons = append(a.Reasons, schemas.AlertReason{Code: r.Code, Text: detect.Clean(r.Text, 500), Weight: math.Round(1000*r.Weight) / 1000})
	}
	for _, t := range f.Rule.Attack {
		a.Attack = append(a.Attack, schemas.AlertAttack{Domain: t.Domain, Tactic: t.Tactic, Technique: t.Technique})
	}
	for _, e := range f.Evidence {
		if len(a.Evidence) < maxEvidence {
			a.Evidence = append(a.Evidence, schemas.AlertEvidence{Kind: e.Kind, Time: evidenceTime(f, e.Time), Summary: detect.Clean(e.Summary, 1000), Data: e.Data})
		}
	}
}

// evidenceTime returns the time of a piece of evidence: its own, or else the start of the finding; nil if both are unknown.
func evidenceTime(f *detect.Finding, at int64) *schemas.Time {
	if at == 0 {
		at = f.Start
	}
	if at == 0 {
		return nil
	}
	t := schemas.Time(at)
	return &t
}

func deviceOf(key string, o *open) schemas.AlertDevice {
	d := o.f.Device
	out := schemas.AlertDevice{Key: detect.Clean(key, 300), IP: o.f.DeviceAddr, Contract: detect.Clean(o.f.Broken, 300)}
	if d == nil {
		return out
	}
	if !out.IP.IsValid() {
		out.IP = d.IP()
	}
	out.MAC, out.Role = schemas.MAC(d.MAC), d.Role.String()
	out.Vendor, out.Model = detect.Clean(d.Vendor, 200), detect.Clean(d.Model, 200)
	if len(d.VLANs) > 0 {
		v := d.VLANs[len(d.VLANs)-1]
		out.VLAN = &v
	}
	if e := o.state.entry; e != nil {
		out.Owner, out.Criticality = detect.Clean(e.Owner, 200), e.Criticality
	}
	out.Expect, out.SilentForS = o.state.expect, o.state.silentFor
	out.Evidence = roleEvidence(d.Evidence)
	return out
}

func peerOf(p *detect.Peer) *schemas.AlertPeer {
	if p == nil {
		return nil
	}
	out := &schemas.AlertPeer{Scope: "internal", FirstContact: p.FirstContact}
	if p.External {
		out.Scope = "external"
	}
	if ip, err := netip.ParseAddr(p.IP); err == nil {
		out.IP = ip
		if p.External {
			locate(out)
		}
	}
	if p.Port != 0 {
		port := p.Port
		out.Port = &port
	}
	if m := p.Listed; m != nil {
		out.ThreatIntel = &schemas.ThreatIntel{Source: detect.Clean(m.Feed, 120), Label: detect.Clean(m.Label, 200), Date: m.Date}
	}
	if p.Name != "" {
		out.Domain = &schemas.Domain{Name: detect.Clean(p.Name, 253), Source: p.NameSource}
	}
	return out
}

// locate adds the country of an external peer, with the date of the table that says so, and its autonomous system.
func locate(p *schemas.AlertPeer) {
	if country, date := enrich.Country(p.IP); country != "" {
		p.Geo = &schemas.Geo{Country: country, DBDate: date}
	}
	if number, name := enrich.ASN(p.IP); number != 0 {
		p.ASN = &schemas.ASN{Number: number, Name: detect.Clean(name, 120)}
	}
}

func safeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = detect.Clean(s, 400)
	}
	return out
}
