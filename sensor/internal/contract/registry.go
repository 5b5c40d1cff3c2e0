// SPDX-License-Identifier: Apache-2.0

// Package contract checks sessions against what each device may do: the inventory, idleness, and the template of its role. Nothing here is
// safe for concurrent use: it runs in the goroutine of the correlator.
package contract

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
)

// Expect is what is expected of a device.
type Expect uint8

// In rising strictness.
const (
	Normal     Expect = iota // only threat detectors apply
	Allowlist                // opens only what its entries allow
	ServerOnly               // answers, opens nothing but infrastructure
	Silent                   // opens nothing but infrastructure
)

var expectNames = [...]string{"normal", "allowlist", "server_only", "silent"}

// String returns the name of an expectation in the inventory: "server_only".
func (e Expect) String() string { return expectNames[e] }

// ParseExpect returns the expectation of a name; ok is false if there is none.
func ParseExpect(s string) (e Expect, ok bool) {
	for i, n := range expectNames {
		if n == s {
			return Expect(i), true
		}
	}
	return Normal, false
}

// Sources of an expectation.
const (
	FromPolicy    = "policy" // of an analyst
	FromInventory = "inventory"
	FromLearned   = "learned"
	FromIdle      = "idle"
	FromDefault   = "default" // nothing is known: normal; records leave expect_source out
)

// DefaultIdleDays is after how many days without a session of its own a device is idle.
const DefaultIdleDays = 7

const dayNs = 86400 * 1e9

// Config of a Registry. The zero value is usable.
type Config struct {
	IdleDays   int            // days without opening a session after which a device is idle; default DefaultIdleDays
	Silent     []netip.Prefix // declared silent on the command line
	SilentMACs []packet.MAC
	Internal   []netip.Prefix // the watched network; default: that of the inventory, else device.DefaultInternal
	Learner    *Learner       // learned contracts, which outlive the registry; nil: none
}

// Registry knows what each device may do.
type Registry struct {
	inv     *Inventory
	cfg     Config
	blank   bool // nothing was declared: no device has an entry
	matches []match
	infra   infrastructure
	index   *index
	silent  bart.Lite

	policies *policyIndex // of analysts; nil: none
}

// match caches which entry describes a device, until the device changes. The ID of a device selects its slot; a second device in the
// same slot replaces the first, which is then looked up again.
type match struct {
	device  uint32
	version uint32
	entry   *Entry
	silent  bool // declared on the command line

	policies *devicePolicies // nil: none
}

const maxMatches = 1 << 16 // slots, a power of two

// New returns the registry of an inventory; inv may be nil.
func New(inv *Inventory, cfg Config) *Registry {
	if cfg.IdleDays <= 0 {
		cfg.IdleDays = DefaultIdleDays
	}
	b := &Registry{inv: inv, cfg: cfg, index: newIndex(inv)}
	if b.blank = b.undeclared(); !b.blank {
		b.matches = make([]match, maxMatches)
	}
	for _, p := range cfg.Silent {
		b.silent.Insert(p.Masked())
	}
	b.infra.init(inv, cfg.Internal)
	return b
}

// undeclared reports whether neither inventory nor command line declare a device.
func (b *Registry) undeclared() bool {
	return (b.inv == nil || len(b.inv.Devices) == 0) && len(b.cfg.Silent) == 0 && len(b.cfg.SilentMACs) == 0
}

// HasInventory reports whether an inventory was given.
func (b *Registry) HasInventory() bool { return b.inv != nil }

// Learner returns the learned contracts, nil if nothing is learned.
func (b *Registry) Learner() *Learner { return b.cfg.Learner }

// Expect returns what is expected of d and the source of the expectation (FromPolicy … FromDefault). Policies come first, then the command
// line and the inventory, then a learned contract that an analyst has armed, then idleness. Nothing is expected of a nil device.
func (b *Registry) Expect(d *device.Device, now int64) (Expect, string) {
	if d == nil {
		return Normal, FromDefault
	}
	m := b.match(d)
	switch {
	case m.policies != nil && m.policies.expect != nil:
		return m.policies.expect.Expect, FromPolicy
	case m.silent:
		return Silent, FromInventory
	case m.entry != nil && m.entry.HasExpect:
		return m.entry.Expect, FromInventory
	}
	if c := b.cfg.Learner.EnforcedOf(d); c != nil && c.ByAnalyst && !c.Empty() {
		return Allowlist, FromLearned
	}
	if d.Idle(now, int64(b.cfg.IdleDays)*dayNs) && !d.Router {
		return Silent, FromIdle
	}
	return Normal, FromDefault
}

// Entry returns the inventory entry that describes d, nil if none: owner, criticality, maintenance windows.
func (b *Registry) Entry(d *device.Device) *Entry { return b.match(d).entry }

// NamesHost reports whether the inventory names an address by itself: as that of a device, of the peer of a rule, or of a server.
func (b *Registry) NamesHost(a netip.Addr) bool { return b.index.hosts[a] }

// NamesDevice reports whether an entry of the inventory is about d alone, by its MAC or its address.
func (b *Registry) NamesDevice(d *device.Device) bool {
	e := b.Entry(d)
	return e != nil && (!e.Match.MAC.IsZero() || e.Match.IP.IsValid())
}

func (b *Registry) match(d *device.Device) match {
	if d == nil || b.blank {
		return match{}
	}
	m := &b.matches[d.ID%maxMatches]
	if m.device != d.ID || m.version != d.Version || m.device == 0 {
		*m = match{device: d.ID, version: d.Version, entry: b.index.find(d), silent: b.declaredSilent(d), policies: b.policies.find(d)}
	}
	return *m
}

func (b *Registry) declaredSilent(d *device.Device) bool {
	if slices.Contains(b.cfg.SilentMACs, d.MAC) {
		return true
	}
	for _, a := range d.IPs {
		if b.silent.Contains(a) {
			return true
		}
	}
	return false
}

// AdminHost reports whether logins are expected from an address (inventory, infrastructure.admin). listed is false if the inventory
// has no such list.
func (b *Registry) AdminHost(a netip.Addr) (admin, listed bool) {
	if b.inv == nil || b.inv.Infrastructure.Admin == nil {
		return false, false
	}
	return hasHost(b.inv.Infrastructure.Admin, a, ""), true
}

// DHCPServer reports whether an address is that of a DHCP server or relay in the inventory (infrastructure.dhcp). listed is false if the
// inventory lists none for that version of IP; names do not count, because a lease names servers by address.
func (b *Registry) DHCPServer(a netip.Addr) (known, listed bool) {
	if b.inv == nil {
		return false, false
	}
	for _, h := range b.inv.Infrastructure.DHCP {
		if h.Prefix.IsValid() && h.Prefix.Addr().Is4() == a.Is4() {
			listed, known = true, known || h.Prefix.Contains(a)
		}
	}
	return known, listed
}

// Zone returns the name of the zone of an address, the first by name; "" if none.
func (b *Registry) Zone(a netip.Addr) string {
	if b.inv == nil {
		return ""
	}
	for _, z := range b.inv.Zones {
		if inAny(z.Networks, a) {
			return z.Name
		}
	}
	return ""
}

// Maintenance reports whether now is in a maintenance window of d.
func (b *Registry) Maintenance(d *device.Device, now int64) bool {
	e := b.Entry(d)
	if e == nil {
		return false
	}
	for i := range e.Maintenance {
		if e.Maintenance[i].Holds(now) {
			return true
		}
	}
	return false
}

func inAny(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
