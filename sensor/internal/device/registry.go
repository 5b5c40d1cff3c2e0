// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// DefaultMaxDevices bounds a registry unless its Config says otherwise.
const DefaultMaxDevices = 200_000

// Named is a device that the inventory names by exactly one of MAC and IP.
type Named struct {
	Name string
	MAC  packet.MAC
	IP   netip.Addr
}

// Config is what a registry needs to know. The zero value is usable.
type Config struct {
	Site       string         // default "local"
	Internal   []netip.Prefix // default: DefaultInternal
	Named      []Named        // devices with a name of their own
	Watch      []netip.Prefix // addresses that are devices whatever their range (--silent, inventory)
	WatchMACs  []packet.MAC
	MaxDevices int // default DefaultMaxDevices
}

// Step is the step in the life of a session that an event is about. The values are those of detect.Kind.
type Step uint8

// The steps.
const (
	Opened Step = iota
	StateChanged
	FactRead
	Progress
	Ended
)

// Stats counts what a registry did.
type Stats struct {
	Devices, Created, Evicted, Splits uint64
}

// Registry holds the devices.
type Registry struct {
	cfg     Config
	byKey   map[string]*Device
	byMAC   map[packet.MAC]*Device
	byIP    map[packet.Addr]*Device
	nextID  uint32
	stats   Stats
	onEvict []func(*Device)
}

// New gives an empty registry.
func New(cfg Config) *Registry {
	return &Registry{cfg: cfg, byKey: map[string]*Device{}, byMAC: map[packet.MAC]*Device{}, byIP: map[packet.Addr]*Device{}}
}

// Session resolves the two ends of a session and notes what the step says about them. An end that is not a device of the
// watched network (external, multicast, broadcast) is nil. v must not be nil; app may be.
func (r *Registry) Session(step Step, v *session.View, app *fingerprint.App, now int64) (initiator, responder *Device) {
	return nil, nil
}

// Fact weighs what was read from a session. initiator and responder are what Session gave; either may be nil.
func (r *Registry) Fact(v *session.View, f dissect.Fact, dir session.Dir, initiator, responder *Device, now int64) {
}

// Link notes an ARP or Neighbour Discovery message and gives the device that sent it, nil if it is none of ours.
func (r *Registry) Link(f dissect.Fact, now int64) *Device { return nil }

// Tick does what is due; now is a whole second of the capture clock.
func (r *Registry) Tick(now int64) {}

// ByIP gives the device that holds an address, nil if none.
func (r *Registry) ByIP(a netip.Addr) *Device { return r.byIP[packet.AddrOf(a)] }

// ByMAC gives the device with a MAC, nil if none.
func (r *Registry) ByMAC(m packet.MAC) *Device { return r.byMAC[m] }

// ByKey gives the device with a key, nil if none.
func (r *Registry) ByKey(k string) *Device { return r.byKey[k] }

// Internal reports whether an address belongs to the watched network.
func (r *Registry) Internal(a netip.Addr) bool { return a.IsPrivate() || a.IsLinkLocalUnicast() }

// All gives all devices, sorted by key.
func (r *Registry) All() []*Device {
	out := make([]*Device, 0, len(r.byKey))
	for _, d := range r.byKey {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Device) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// OnEvict has fn called with every device that is dropped, so that what is kept under its ID can be dropped too.
func (r *Registry) OnEvict(fn func(*Device)) { r.onEvict = append(r.onEvict, fn) }

// Stats gives the counts so far.
func (r *Registry) Stats() Stats { return r.stats }
