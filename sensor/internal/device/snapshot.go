// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"net/netip"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// Parts returns the registry as parts of a snapshot, in the order in which they must be restored, and starts to track changes. They are
// restored into an empty registry; Restored ends the restore.
func (r *Registry) Parts() []snapshot.Part {
	r.saved = &saved{byID: map[uint32]*Device{}, declared: declaredHash(r.cfg)}
	return []snapshot.Part{
		snapshot.Single(registryPart, r.walk),
		{Name: devicesPart, Drain: r.drainDevices, Restore: r.restoreDevices},
		{Name: linksPart, Drain: r.drainLinks, Restore: r.restoreLinks},
		snapshot.Single(gatewaysPart, r.walkGateways),
		r.answers.part(),
		{Name: historiesPart, Drain: r.drainHistories, Restore: r.restoreHistories},
	}
}

const (
	registryPart = "registry/3"
	devicesPart  = "devices/9"
	linksPart    = "links/3"
)

// ByID returns the device with an ID while a state is restored, nil if there is none.
func (r *Registry) ByID(id uint32) *Device {
	if r.saved == nil {
		return nil
	}
	return r.saved.byID[id]
}

// Restored ends a restore: everything that refers to devices has been restored.
func (r *Registry) Restored() { r.saved.byID = nil }

// Ref saves or restores a reference to a device. A reference to a device that is gone becomes nil.
func (r *Registry) Ref(c *snapshot.Codec, d **Device) {
	id := uint32(0)
	if *d != nil {
		id = (*d).ID
	}
	if snapshot.Number(c, &id); c.Reading() {
		*d = r.ByID(id)
	}
}

// walk saves or restores what belongs to no device. If the table of evidence has changed, all devices are weighed again.
func (r *Registry) walk(c *snapshot.Codec) {
	version, declared := evidence.Version(), r.saved.declared
	c.Int(&version)
	c.Fixed(&declared)
	snapshot.Number(c, &r.nextID)
	c.Time(&r.nextDay)
	c.Time(&r.dayBegan)
	snapshot.Number(c, &r.round)
	c.Time(&r.nextLinkSweep)
	snapshot.Number(c, &r.histories.hour)
	snapshot.Number(c, &r.histories.floor)
	r.walkGroups(c)
	var list []netip.Prefix
	for p := range r.onLink.AllSorted() {
		list = append(list, p)
	}
	snapshot.List(c, &list, maxAnnounced, func(p *netip.Prefix) {
		a, bits := p.Addr(), p.Bits()
		c.Addr(&a)
		c.Int(&bits)
		*p = netip.PrefixFrom(a, bits)
	})
	if !c.Reading() {
		return
	}
	r.saved.renamed = declared != r.saved.declared
	for _, p := range list {
		if p.IsValid() {
			r.onLink.Insert(p.Masked())
			r.announced++
		}
	}
	if version != evidence.Version() {
		r.round++
	}
}

// declaredHash returns a hash of what the operator declared.
func declaredHash(c Config) uint64 { return fnv(fmt.Sprint(c.Named, c.Watch, c.WatchMACs)) }

// drainDevices writes devices that have changed.
func (r *Registry) drainDevices(b *snapshot.Batch, limit int) (n int) {
	s := r.saved
	for ; n < limit && len(s.gone) > 0; n++ {
		last := len(s.gone) - 1
		writeID(b.Delete(devicesPart), s.gone[last])
		b.End()
		s.gone = s.gone[:last]
	}
	for ; n < limit && len(s.devices) > 0; n++ {
		r.Save(b, s.devices[0])
		s.settled(s.devices[0])
	}
	return n
}

// Save writes the current state of one device that is in the registry.
func (r *Registry) Save(b *snapshot.Batch, d *Device) {
	if d == nil || !d.node.queued {
		return
	}
	c := b.Put(devicesPart)
	writeID(c, d.ID)
	b.Value()
	r.walkDevice(c, d, &keptDevice{})
	b.End()
	d.node.mark.kept = true
}

// SaveCounters writes what belongs to no device, such as the last ID.
func (r *Registry) SaveCounters(b *snapshot.Batch) { b.PutSingle(registryPart, r.walk) }

// writeID writes an ID in big-endian order, so that keys sort by ID and new devices are at the end of the file.
func writeID(c *snapshot.Codec, id uint32) {
	c.Raw([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
}

func (r *Registry) drainLinks(b *snapshot.Batch, limit int) (n int) {
	s := r.saved
	for ; n < limit && len(s.goneMAC) > 0; n++ {
		last := len(s.goneMAC) - 1
		b.Delete(linksPart).Raw(s.goneMAC[last][:])
		b.End()
		s.goneMAC = s.goneMAC[:last]
	}
	for ; n < limit && len(s.links) > 0; n++ {
		l := s.links[0]
		s.settledLink(l)
		if r.links[l.mac] != l { // dropped while in use
			continue
		}
		c := b.Put(linksPart)
		c.Raw(l.mac[:])
		b.Value()
		r.walkLink(c, l)
		b.End()
		l.kept = true
	}
	return n
}

func (r *Registry) walkLink(c *snapshot.Codec, l *link) {
	r.Ref(c, &l.dev)
	c.Bool(&l.router)
	c.Bool(&l.proxy)
	c.Bool(&l.proxy6)
	c.Bool(&l.self)
	c.Time(&l.last)
	snapshot.List(c, &l.addrs, maxLinkAddrs, func(x *linkAddr) {
		c.Raw(x.addr[:])
		c.Time(&x.last)
	})
	snapshot.Pointer(c, &l.foreign, func(f *foreign) {
		list := f.addrs[:f.n]
		snapshot.List(c, &list, routerForeign, func(a *packet.Addr) { c.Raw(a[:]) })
		f.n = copy(f.addrs[:], list)
	})
}

func (r *Registry) restoreLinks(all snapshot.Records) (bad int) {
	for k, v := range all {
		l := &link{}
		kc, c := snapshot.Reader(k), snapshot.Reader(v)
		kc.Raw(l.mac[:])
		r.walkLink(c, l)
		if kc.Done() != nil || c.Done() != nil {
			bad++
			continue
		}
		if len(r.links) >= 2*r.cfg.MaxDevices {
			continue
		}
		if l.dev != nil && l.dev.MAC != l.mac {
			l.dev = nil
		}
		l.kept = true
		r.links[l.mac] = l
	}
	return bad
}
