// SPDX-License-Identifier: Apache-2.0

package device

import (
	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/packet"
)

// declared is what the operator configured about devices.
type declared struct {
	internal bart.Lite
	watch    bart.Lite
	watchMAC map[packet.MAC]bool
	namedIP  map[packet.Addr]string
	namedMAC map[packet.MAC]string
	names    map[string]bool // of the inventory
}

func declaredBy(cfg Config) *declared {
	d := &declared{watchMAC: map[packet.MAC]bool{}, namedIP: map[packet.Addr]string{}, namedMAC: map[packet.MAC]string{},
		names: map[string]bool{}}
	if len(cfg.Internal) == 0 {
		cfg.Internal = DefaultInternal()
	}
	for _, p := range cfg.Internal {
		d.internal.Insert(p.Masked())
	}
	for _, p := range cfg.Watch {
		d.watch.Insert(p.Masked())
	}
	for _, m := range cfg.WatchMACs {
		d.watchMAC[m] = true
	}
	for _, n := range cfg.Named {
		d.names[n.Name] = true
		if n.IP.IsValid() {
			d.namedIP[packet.AddrOf(n.IP.Unmap())] = n.Name
		} else {
			d.namedMAC[n.MAC] = n.Name
		}
	}
	return d
}

// Reconfigure applies a new configuration, except site and size. Devices keep their history: one that has a name now continues under the
// name, one that lost its name under its MAC or address. A name that another device has moves with the next packet of its new device.
func (r *Registry) Reconfigure(cfg Config) {
	r.begin()
	before := r.declared
	r.declared = declaredBy(cfg)
	r.evidence.SetExternal(cfg.External)
	*r.addrs = addrCache{} // it holds what was declared before
	if r.saved != nil {
		r.saved.declared = declaredHash(cfg)
	}
	renew := r.tables != tablesInUse()
	if renew {
		r.tables, r.evidence = tablesInUse(), evidence.NewCache()
	}
	for _, d := range r.All() {
		if renew {
			r.renew(d)
		}
		name := r.nameOf(d)
		if name == "" && before.names[d.Key] {
			name = r.plainKey(d)
		}
		if name != "" && name != d.Key && r.byKey[name] == nil {
			r.rekey(d, name)
		}
		d.Version++
		if d.Declared = false; r.isDeclared(d) {
			r.declare(d)
		}
		r.changed(d)
	}
}

// nameAt returns the name of an address in the inventory, "" if it has none. The inventory does not know address spaces: of a host that has
// the address in several, the first one has the name.
func (r *Registry) nameAt(a packet.Addr) string {
	if len(r.namedIP) == 0 {
		return ""
	}
	plain := a.In(packet.Scope{})
	if plain != a && r.bindings[plain] != nil {
		return ""
	}
	return r.namedIP[plain]
}

// nameOf returns the name of a device in the inventory, by its MAC or one of its addresses; "" if it has none.
func (r *Registry) nameOf(d *Device) string {
	if name := r.namedMAC[d.MAC]; name != "" && !d.MAC.IsZero() {
		return name
	}
	for _, a := range d.addrs {
		if name := r.nameAt(a); name != "" {
			return name
		}
	}
	return ""
}

// plainKey returns the key of a device without a name; "" if it has neither MAC nor address.
func (r *Registry) plainKey(d *Device) string {
	switch {
	case !d.MAC.IsZero():
		return "mac:" + d.MAC.String()
	case len(d.addrs) > 0:
		return r.addressKey(d.addrs[0])
	}
	return ""
}

func (r *Registry) isDeclared(d *Device) bool {
	if r.nameOf(d) != "" || r.watchMAC[d.MAC] && !d.MAC.IsZero() {
		return true
	}
	for _, a := range d.addrs {
		if r.watched(a) {
			return true
		}
	}
	return false
}
