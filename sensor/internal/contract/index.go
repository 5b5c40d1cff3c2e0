// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
)

// index finds the entry of a device without scanning an inventory of tens of thousands of lines.
type index struct {
	byMAC    map[packet.MAC]*Entry
	byIP     map[netip.Addr]*Entry
	prefixes bart.Table[*Entry]
	vendors  []vendorEntry
	byRole   map[device.Role]*Entry
	hosts    map[netip.Addr]bool // addresses that the inventory names one by one
}

type vendorEntry struct {
	name  string // squeezed
	entry *Entry
}

func newIndex(inv *Inventory) *index {
	x := &index{byMAC: map[packet.MAC]*Entry{}, byIP: map[netip.Addr]*Entry{}, byRole: map[device.Role]*Entry{}, hosts: map[netip.Addr]bool{}}
	if inv == nil {
		return x
	}
	for i := range inv.Devices {
		x.add(&inv.Devices[i])
	}
	x.addHosts(inv)
	return x
}

// addHosts collects the single addresses of the inventory: of devices, of the peers of their rules and of infrastructure.
func (x *index) addHosts(inv *Inventory) {
	add := func(p netip.Prefix) {
		if p.IsSingleIP() {
			x.hosts[p.Addr()] = true
		}
	}
	for i := range inv.Devices {
		e := &inv.Devices[i]
		if e.Match.IP.IsValid() {
			x.hosts[e.Match.IP] = true
		}
		for k := range e.Allow {
			add(e.Allow[k].Peer.Prefix)
		}
	}
	in := &inv.Infrastructure
	for _, list := range [...][]Host{in.DNS, in.NTP, in.DHCP, in.Syslog, in.Admin} {
		for i := range list {
			add(list[i].Prefix)
		}
	}
}

// add indexes an entry. Of two with the same match the first counts (the config package refuses them).
func (x *index) add(e *Entry) {
	m := &e.Match
	switch {
	case !m.MAC.IsZero():
		if x.byMAC[m.MAC] == nil {
			x.byMAC[m.MAC] = e
		}
	case m.IP.IsValid():
		if x.byIP[m.IP] == nil {
			x.byIP[m.IP] = e
		}
	case m.Prefix.IsValid():
		if _, ok := x.prefixes.Get(m.Prefix.Masked()); !ok {
			x.prefixes.Insert(m.Prefix.Masked(), e)
		}
	case m.Vendor != "":
		x.vendors = append(x.vendors, vendorEntry{enrich.Squeeze(m.Vendor), e})
	case m.Role != device.Unknown && x.byRole[m.Role] == nil:
		x.byRole[m.Role] = e
	}
}

// find returns the entry that describes d most exactly: by MAC, by address, by the longest prefix, by vendor, by role; nil if none
// does.
func (x *index) find(d *device.Device) *Entry {
	if e := x.byMAC[d.MAC]; e != nil {
		return e
	}
	for _, a := range d.IPs {
		if e := x.byIP[a]; e != nil {
			return e
		}
	}
	if e := x.byPrefix(d); e != nil {
		return e
	}
	vendor := enrich.Squeeze(d.Vendor)
	for _, v := range x.vendors {
		if strings.Contains(vendor, v.name) {
			return v.entry
		}
	}
	if d.Level >= device.Probable {
		return x.byRole[d.Role]
	}
	return nil
}

func (x *index) byPrefix(d *device.Device) (best *Entry) {
	for _, a := range d.IPs {
		if e, ok := x.prefixes.Lookup(a); ok && (best == nil || e.Match.Prefix.Bits() > best.Match.Prefix.Bits()) {
			best = e
		}
	}
	return best
}
