// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"math"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
)

// DeviceRecord returns the record of a device at now (capture clock, nanoseconds), with its standing facts (see Manager.Standing).
func DeviceRecord(d *device.Device, book *contract.Registry, now int64, standing ...schemas.DeviceFinding) schemas.Device {
	r := schemas.Device{
		Schema: schemas.DeviceSchema, Key: d.Key, MAC: schemas.MAC(d.MAC), IPs: d.IPs, Hostnames: d.Hostnames, VLANs: d.VLANs,
		Vendor: d.Vendor, Board: d.Board(), Model: d.Model, Firmware: d.Firmware, FirmwareDate: d.FirmwareDate,
		Role: d.Role.String(), RoleLevel: d.Level.String(), RoleProbability: rounded(d.Probability),
		Findings: standing, Evidence: roleEvidence(d.Evidence), Sums: evidenceSums(d), FirstSeen: schemas.Time(d.FirstSeen), LastSeen: schemas.Time(d.LastSeen),
	}
	r.Fingerprints, r.MUDURL, r.Contract = d.Prints, d.MUDURL, contractRecord(d, book.Learner())
	expect, source := book.Expect(d, now)
	r.Expect = expect.String()
	if source != contract.FromDefault {
		r.ExpectSource = source
	}
	if d.LastOrigination != 0 {
		t := schemas.Time(d.LastOrigination)
		r.LastOrigination = &t
	}
	for _, s := range d.Serves {
		r.Serves = append(r.Serves, schemas.Service{Port: s.Port, Proto: s.Proto, App: s.App, External: s.External})
	}
	return r
}

// maxRefused bounds the entries of a record that refuse sessions.
const maxRefused = 16

// contractRecord returns the state of the learned contract of a device, nil if nothing is learned.
func contractRecord(d *device.Device, l *contract.Learner) *schemas.DeviceContract {
	if l == nil {
		return nil
	}
	c := l.Of(d)
	if c == nil {
		return &schemas.DeviceContract{State: contract.Observing}
	}
	since, unseen := schemas.Time(c.Since), rounded(c.Unseen)
	if c.State == contract.Learning {
		unseen = rounded(c.Estimate())
	}
	r := &schemas.DeviceContract{State: c.State.String(), Since: &since, ByAnalyst: c.ByAnalyst, Outside: c.Outside, Entries: map[string]int{}, Unseen: &unseen}
	if c.LastUse != 0 {
		t := schemas.Time(c.LastUse)
		r.LastUse = &t
	}
	for _, e := range c.Entries(true) {
		switch {
		case c.Proposed(e):
			r.Proposed++
		case !e.Learned, e.Refuse:
		case e.Stale:
			r.Stale++
		default:
			r.Entries[e.From.String()]++
		}
		if e.Refuse && len(r.Refused) < maxRefused {
			r.Refused = append(r.Refused, schemas.RefusedSessions{Entry: e.Key.String(), Sessions: e.Refused})
		}
	}
	return r
}

// Silence returns the proof that a device was silent, for its record.
func Silence(p *device.Proof, now int64) *schemas.Silence {
	s := &schemas.Silence{
		Since: schemas.Time(p.Since), Until: schemas.Time(max(now, p.Since)), WatchedSeconds: p.Watched, SilentSeconds: p.Silent, LossRatio: math.Round(1e6*p.Loss) / 1e6,
		CountedSince: schemas.Time(p.CountedSince), SessionsOpened: p.Activity.Opened, SessionsAnswered: p.Activity.Answered,
		BytesOut: p.Activity.Out, BytesIn: p.Activity.In, Alerts: p.Activity.Alerts, LastFrame: p.LastFrame.String(),
	}
	for _, h := range p.Opened {
		s.OpenedHours = append(s.OpenedHours, schemas.OpenedHour{Hour: schemas.Time(h.At), Sessions: h.Opened})
	}
	return s
}

// rounded keeps four decimals: the last bits of a sum of logarithms differ between processors.
func rounded(v float64) float64 { return math.Round(1e4*v) / 1e4 }

func roleEvidence(es []device.Evidence) []schemas.RoleEvidence {
	var out []schemas.RoleEvidence
	for _, e := range es {
		if e.Source != "" && e.Says != "" {
			out = append(out, schemas.RoleEvidence{Source: e.Source, Value: e.Value, Says: e.Says, PointsDB: rounded(e.Points)})
		}
	}
	return out
}

func evidenceSums(d *device.Device) []schemas.EvidenceSum {
	var out []schemas.EvidenceSum
	for _, s := range d.Sums() {
		x := schemas.EvidenceSum{Kind: s.Kind, Value: s.Value, PointsDB: rounded(s.Points)}
		for _, t := range s.Terms {
			x.Terms = append(x.Terms, schemas.SumTerm{Name: t.Name, PointsDB: rounded(t.Points)})
		}
		out = append(out, x)
	}
	return out
}
