// SPDX-License-Identifier: Apache-2.0

package device

import (
	"maps"
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
)

// observe weighs an observation, if the table of evidence knows it.
func (r *Registry) observe(d *Device, src evidence.Source, value string, now int64) {
	if value == "" {
		return
	}
	if st := r.evidence.Lookup(src, value); st != nil {
		r.claim(d, evidence.Claim{Statement: st, At: now})
	}
	if st := r.evidence.Recog(src, value); st != nil {
		r.claim(d, evidence.Claim{Statement: st, At: now})
	}
}

// observeVendor weighs the vendor of the MAC address. The vendor of a chip is no evidence.
func (r *Registry) observeVendor(d *Device, v enrich.Vendor, now int64) {
	if v.Kind == enrich.VendorChip {
		return
	}
	d.claims.Remove(evidence.MACVendor)
	r.claim(d, evidence.Claim{Statement: r.evidence.Vendor(v), At: now})
}

// observeEmbedded weighs the vendor of the MAC that an address was made from, for a device that is known by that address alone.
func (r *Registry) observeEmbedded(d *Device, a packet.Addr, now int64) {
	if m := embeddedMAC(a); !m.IsZero() {
		if v := enrich.VendorOf(m); v.Name != "" {
			r.observeVendor(d, v, now)
		}
	}
}

// tables are the data files that decide what an observation says.
type tables struct {
	evidence *evidence.Table
	vendors  *enrich.Vendors
	blocks   *enrich.OUI
}

func tablesInUse() tables {
	return tables{evidence.InUse.Get(), enrich.Listed.Get(), enrich.Blocks.Get()}
}

// renew weighs again what was observed of a device, with other tables.
func (r *Registry) renew(d *Device) {
	r.changed(d)
	d.claims = r.evidence.Renew(d.claims)
	if !d.MAC.IsZero() && !d.RandomMAC {
		v := enrich.VendorOf(d.MAC)
		d.MACKind = v.Kind
		d.claims.Remove(evidence.MACVendor)
		if v.Owner != "" {
			r.observeVendor(d, v, d.LastSeen)
		}
	}
	r.weigh(d, max(r.dayBegan, d.LastSeen))
}

func (r *Registry) claim(d *Device, c evidence.Claim) {
	r.changed(d)
	r.settle(d)
	switch d.claims.Add(c) {
	case evidence.Refused:
		r.stats.ClaimsRefused++
	case evidence.New:
		r.weigh(d, c.At)
	}
}

// settle weighs a device again if a day has begun since it was weighed. Old evidence decays by the day, and weighing all devices when the
// day begins would block everything else: each is weighed when it is next used.
func (r *Registry) settle(d *Device) {
	if d != nil && d.round != r.round && d.node.queued {
		r.changed(d)
		r.weigh(d, r.dayBegan)
	}
}

// weigh decides role, vendor, model and firmware.
func (r *Registry) weigh(d *Device, now int64) {
	d.round = r.round
	v := d.claims.Weigh(d.LastSeen, now)
	if v.Role != d.Role || v.Level != d.Level || v.Vendor != d.Vendor || v.Model != d.Model || v.Firmware != d.Firmware || v.FirmwareDate != d.FirmwareDate {
		d.Version++
		r.reclassified(d)
	}
	d.Role, d.Level, d.Probability = v.Role, v.Level, v.Probability
	d.Vendor, d.Model, d.Firmware, d.FirmwareDate = v.Vendor, v.Model, v.Firmware, v.FirmwareDate
	r.list(d, now)
}

// maxReclassified bounds the devices that Reclassified returns. Those beyond it are written with the next pass over all devices.
const maxReclassified = 1024

// reclassified notes that the role, the vendor or the model of a device has changed.
func (r *Registry) reclassified(d *Device) {
	if d.ID != 0 && len(r.fresh) < maxReclassified {
		r.fresh[d.ID] = d
	}
}

// Reclassified returns the devices whose role, vendor, model or firmware has changed since the last call, in the order of discovery, at most
// maxReclassified.
func (r *Registry) Reclassified() []*Device {
	if len(r.fresh) == 0 {
		return nil
	}
	var list []*Device
	for _, id := range slices.Sorted(maps.Keys(r.fresh)) {
		if d := r.fresh[id]; r.byKey[d.Key] == d {
			list = append(list, d)
		}
	}
	clear(r.fresh)
	return list
}

func (r *Registry) list(d *Device, now int64) {
	d.weighedAt = now
	d.Evidence = r.evidence.List(d.claims, d.Evidence, MaxEvidence, now)
}

// Sums returns how the evidence for the role and the vendor of the device added up when it was last weighed.
func (d *Device) Sums() []evidence.Sum { return d.claims.Sums(d.Role, d.weighedAt) }
