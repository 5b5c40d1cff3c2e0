// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"strings"

	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/packet"
)

// declared is what the operator has said of devices.
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

// Reconfigure takes what the operator now says of devices; site and size stay as they are. What is known of the devices stays too: one that
// has got a name goes on under it, one that has lost it goes on under its address. A name that another device bears passes on when the next
// packet of the device comes.
func (r *Registry) Reconfigure(cfg Config) {
	r.cfg.Internal, r.cfg.Named, r.cfg.Watch, r.cfg.WatchMACs = cfg.Internal, cfg.Named, cfg.Watch, cfg.WatchMACs
	r.declared = declaredBy(cfg)
	if r.saved != nil {
		r.saved.declared = r.cfg.declarations()
	}
	for _, d := range r.All() {
		r.rename(d)
	}
}

// declarations stands for what the operator has declared.
func (c *Config) declarations() uint64 { return fnv(fmt.Sprint(c.Named, c.Watch, c.WatchMACs)) }

// rename gives a device the key that the names of the inventory ask for, and marks it as declared if it is.
func (r *Registry) rename(d *Device) {
	key := r.nameOf(d)
	plain := strings.HasPrefix(d.Key, "mac:") || strings.HasPrefix(d.Key, "ip:")
	if key == "" && !plain && !r.names[d.Key] {
		key = r.plainKey(d)
	}
	if key != "" && key != d.Key && r.byKey[key] == nil {
		r.rekey(d, key)
	}
	d.Version++
	if d.Declared = false; r.isDeclared(d) {
		r.declare(d)
	}
	r.changed(d)
}

// nameOf gives the name that the inventory has for a device, by its MAC or one of its addresses.
func (r *Registry) nameOf(d *Device) string {
	if name := r.namedMAC[d.MAC]; name != "" && !d.MAC.IsZero() {
		return name
	}
	for _, ip := range d.IPs {
		if name := r.namedIP[packet.AddrOf(ip)]; name != "" {
			return name
		}
	}
	return ""
}

// plainKey gives the key of a device that has no name; "" if it has neither MAC nor address.
func (r *Registry) plainKey(d *Device) string {
	switch {
	case !d.MAC.IsZero():
		return "mac:" + d.MAC.String()
	case len(d.IPs) > 0:
		return r.addressKey(packet.AddrOf(d.IPs[0]))
	}
	return ""
}

func (r *Registry) isDeclared(d *Device) bool {
	if r.nameOf(d) != "" || r.watchMAC[d.MAC] && !d.MAC.IsZero() {
		return true
	}
	for _, ip := range d.IPs {
		if r.watched(packet.AddrOf(ip)) {
			return true
		}
	}
	return false
}
