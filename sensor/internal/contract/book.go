// SPDX-License-Identifier: Apache-2.0

// Package contract holds what each device may do (the inventory, role templates, idleness) and judges sessions by it.
package contract

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"

	"net/netip"
)

// Expect is what is expected of a device.
type Expect uint8

// In rising strictness.
const (
	Normal     Expect = iota // judged by threat detectors alone
	Allowlist                // opens only what its entries allow
	ServerOnly               // answers, opens nothing but infrastructure
	Silent                   // opens nothing but infrastructure
)

func (e Expect) String() string {
	return [...]string{"normal", "allowlist", "server_only", "silent"}[e]
}

// Config of a Book. The zero value is usable.
type Config struct {
	IdleDays   int            // days without origination that make a device idle; default 7
	Silent     []netip.Prefix // declared silent on the command line
	SilentMACs []packet.MAC
}

// Sources of an expectation.
const (
	FromInventory = "inventory"
	FromRole      = "role"
	FromLearned   = "learned"
	FromIdle      = "idle"
	FromDefault   = "default" // nothing is known: normal; records leave expect_source out
)

// Verdict is what the book says of one session.
type Verdict struct {
	Allowed        bool   // by infrastructure, an entry, or because nothing is expected of the device
	Infrastructure bool   // names, time, addresses, discovery
	Entry          string // which entry allowed it
	Broken         string // which expectation was broken, in words; "" if Allowed
	Maintenance    bool   // it happened in a maintenance window of the device
}

// Book answers what a device may do.
type Book struct {
	inv *Inventory
	cfg Config
}

// New gives the book of an inventory; inv may be nil.
func New(inv *Inventory, cfg Config) *Book { return &Book{inv: inv, cfg: cfg} }

// HasInventory reports whether an inventory was given.
func (b *Book) HasInventory() bool { return b.inv != nil }

// Expect gives what is expected of d, and which source says so (FromInventory … FromDefault).
func (b *Book) Expect(d *device.Device, now int64) (Expect, string) { return Normal, FromDefault }

// Entry gives the inventory entry that describes d, nil if none: owner, criticality, maintenance windows.
func (b *Book) Entry(d *device.Device) *Entry { return nil }

// Judge says whether the session v may be: dir is Out when d opened it, In when d answers. app may be nil, peerName
// is "" when the other end has no known name, peer is nil when it is external.
func (b *Book) Judge(d *device.Device, dir session.Dir, v *session.View, app *fingerprint.App, peerName string, peer *device.Device, now int64) Verdict {
	return Verdict{Allowed: true}
}

// RoleBreach says whether a session goes against the template of d's role, whichever end d is, and in which words.
// forbidden is only true for roles that are at least probable.
func (b *Book) RoleBreach(d *device.Device, v *session.View, app *fingerprint.App) (text string, forbidden bool) {
	return "", false
}

// AdminHost reports whether logins are expected from an address (inventory, infrastructure.admin); listed is false when
// the inventory says nothing about it.
func (b *Book) AdminHost(a netip.Addr) (admin, listed bool) { return false, false }

// Zone gives the name of the zone that an address belongs to, "" if none.
func (b *Book) Zone(a netip.Addr) string { return "" }

// Maintenance reports whether now is in a maintenance window of d.
func (b *Book) Maintenance(d *device.Device, now int64) bool { return false }
