// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// keptDevice is a device as it is saved, with its entries in other tables of the registry.
type keptDevice struct {
	*Device
	held  []binding // of its addresses, in the same order
	pulls []packet.Addr
}

// walkDevice saves or restores a device without its ID. Of its evidence the observations are saved, and the table is applied to them again.
// Role, vendor and model are saved as they were weighed, so that a restart does not change them.
func (r *Registry) walkDevice(c *snapshot.Codec, d *Device, x *keptDevice) {
	snapshot.Number(c, &d.Version)
	c.String(&d.Key)
	c.Raw(d.MAC[:])
	snapshot.Enum(c, &d.MACKind, enrich.VendorChip)
	for _, b := range []*bool{&d.RandomMAC, &d.Router, &d.Declared, &d.Noticed, &d.node.often} {
		c.Bool(b)
	}
	snapshot.Enum(c, &d.Role, IoT)
	snapshot.Enum(c, &d.Level, Identified)
	c.Float(&d.Probability)
	for _, s := range []*string{&d.Vendor, &d.Model, &d.Firmware, &d.FirmwareDate, &d.MUDURL} {
		c.String(s)
	}
	for _, t := range []*int64{&d.FirstSeen, &d.LastSeen, &d.FirstOrigination, &d.LastOrigination, &d.WokeAt, &d.Silence} {
		c.Time(t)
	}
	seen, opened := d.seenMark(), d.openedMark()
	seen.Walk(c)
	opened.Walk(c)
	d.setSeen(seen)
	d.setOpened(opened)
	d.clock = r.cfg.Clock
	c.Uint(&d.Originated)
	snapshot.Number(c, &d.ObservedDays)
	day := uint32(d.lastDay)
	snapshot.Number(c, &day)
	d.lastDay = int32(day)
	snapshot.Number(c, &d.round)
	c.Fixed(&d.names)
	c.Fixed(&d.clients)
	c.Fixed(&d.things)
	r.walkAddresses(c, d, x)
	snapshot.List(c, &d.Hostnames, MaxHostnames, func(s *string) { c.String(s) })
	snapshot.List(c, &d.Prints, MaxPrints, func(s *string) { c.String(s) })
	snapshot.List(c, &d.VLANs, MaxVLANs, func(v *uint16) { snapshot.Number(c, v) })
	snapshot.List(c, &d.Serves, MaxServes, func(s *Serve) { s.walk(c) })
	r.evidence.Walk(c, &d.claims)
	if !c.Reading() {
		x.pulls = r.pulls[d.ID]
	}
	snapshot.Number(c, &d.ttls)
	snapshot.Number(c, &d.syns)
	snapshot.Number(c, &d.opened)
	snapshot.Number(c, &d.served)
	d.hourCount.walk(c)
	c.Time(&d.lastServed)
	c.Time(&d.weighedAt)
	snapshot.List(c, &x.pulls, maxPulls, func(a *packet.Addr) { c.Raw(a[:]) })
}

func (r *Registry) walkAddresses(c *snapshot.Codec, d *Device, x *keptDevice) {
	snapshot.List(c, &d.addrs, MaxIPs, func(a *packet.Addr) {
		c.Raw(a[:])
		var b binding
		if kept := r.bindings[*a]; !c.Reading() && kept != nil {
			b = *kept
		}
		c.Raw(b.mac[:])
		for _, flag := range []*bool{&b.strong, &b.leased, &b.spoke, &b.direct, &b.routed, &b.beyond, &b.assumed} {
			c.Bool(flag)
		}
		c.Time(&b.last)
		snapshot.Pointer(c, &b.part, func(p *Device) { r.walkDevice(c, p, &keptDevice{}) })
		if c.Reading() {
			x.held = append(x.held, b)
		}
	})
}

func (s *Serve) walk(c *snapshot.Codec) {
	udp := s.Proto == "udp"
	snapshot.Number(c, &s.Port)
	c.Bool(&udp)
	if s.Proto = "tcp"; udp {
		s.Proto = "udp"
	}
	c.String(&s.App)
	c.Bool(&s.External)
	c.Time(&s.First)
	c.Time(&s.Last)
	c.Raw(s.addr[:])
}

// restoreDevices fills the registry. Devices are added in the order of LastSeen, which is nearly that of their use. If there are more than
// MaxDevices, the last ones are kept.
func (r *Registry) restoreDevices(all snapshot.Records) (bad int) {
	var list []keptDevice
	for k, v := range all {
		x := keptDevice{Device: &Device{}}
		var id [4]byte
		kc, c := snapshot.Reader(k), snapshot.Reader(v)
		kc.Raw(id[:])
		x.ID = uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
		r.walkDevice(c, x.Device, &x)
		if kc.Done() != nil || c.Done() != nil || x.ID == 0 || x.Key == "" {
			bad++
			continue
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b keptDevice) int { return cmp.Or(cmp.Compare(a.LastSeen, b.LastSeen), cmp.Compare(a.ID, b.ID)) })
	for i, x := range list {
		x.node.mark.kept = true
		if len(list)-i > r.cfg.MaxDevices || r.byKey[x.Key] != nil {
			r.saved.gone = append(r.saved.gone, x.ID)
			continue
		}
		r.enter(x)
	}
	if r.saved.renamed {
		r.applyNames()
	}
	return bad
}

// enter adds a restored device to the tables.
func (r *Registry) enter(x keptDevice) {
	d := x.Device
	r.nextID = max(r.nextID, d.ID)
	r.byKey[d.Key] = d
	r.saved.byID[d.ID] = d
	r.listOf(d).push(d)
	all := d.addrs
	d.addrs = nil
	for i, a := range all {
		if r.bindings[a] != nil { // an address has one holder
			continue
		}
		b := x.held[i]
		b.dev = d
		r.setBinding(a, &b)
		d.addIP(a)
		if b.part != nil {
			d.parts++
		}
	}
	if len(x.pulls) > 0 {
		r.pulls[d.ID] = x.pulls
	}
	r.list(d, d.weighedAt)
}

// applyNames updates the keys to the inventory, which has changed since the state was saved.
func (r *Registry) applyNames() {
	for _, id := range slices.Sorted(maps.Keys(r.saved.byID)) {
		d := r.saved.byID[id]
		name := r.nameOf(d)
		if name == "" && !r.names[d.Key] && !strings.HasPrefix(d.Key, "mac:") && !strings.HasPrefix(d.Key, "ip:") {
			name = r.plainKey(d)
		}
		if name != "" && name != d.Key && r.byKey[name] == nil {
			r.rekey(d, name)
		}
		d.Declared = r.isDeclared(d)
		r.changed(d)
	}
}
