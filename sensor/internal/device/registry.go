// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/watchtime"
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
	MaxDevices int              // default DefaultMaxDevices
	Clock      *watchtime.Clock // nil: all time is watched
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

// Stats counts what a registry did since it was made.
type Stats struct {
	Devices          int
	Created, Evicted uint64 // evicted: dropped because there were too many
	Merged           uint64 // devices known by their address that turned out to be one known by its MAC
	Splits           uint64 // addresses taken from a MAC that turned out to be a router
	LinksRefused     uint64 // times that a MAC was not remembered because there were too many: forged MACs, or too low a limit
	ClaimsRefused    uint64 // times that evidence was not taken because the device had its fill
}

// Registry holds the devices.
type Registry struct {
	cfg Config
	*declared
	onLink bart.Lite // announced by routers
	groups groups

	byKey    map[string]*Device
	links    map[packet.MAC]*link
	lastLink *link // asked for last, nil if it was dropped since
	bindings map[packet.Addr]*binding
	pulls    map[uint32][]packet.Addr // by device: distinct RTSP servers that it pulled from, at most maxPulls
	evidence *evidence.Cache
	ends     *ends
	answers  *answers
	gateways map[packet.Addr]bool // told by DHCP and router advertisements, at most maxGateways
	// Devices heard in one session only are the first to go when the registry is full.
	once, often lru

	announced int // prefixes taken from router advertisements

	nextID  uint32
	nextDay int64
	// dayBegan is when devices were last due to be weighed anew, round how often that was: a device of another round is due.
	dayBegan int64
	round    uint16
	// nextForget is when next hops may be forgotten again.
	nextForget int64
	stats      Stats
	moves      []Move
	event      uint32 // counts the events: what one has resolved stays until the next
	vlan       uint16 // outermost, of the event; 0: untagged
	saved      *saved // nil: nobody saves it
}

// New gives an empty registry.
func New(cfg Config) *Registry {
	if cfg.Site == "" {
		cfg.Site = "local"
	}
	if cfg.MaxDevices <= 0 {
		cfg.MaxDevices = DefaultMaxDevices
	}
	return &Registry{cfg: cfg, declared: declaredBy(cfg),
		byKey: map[string]*Device{}, links: map[packet.MAC]*link{}, bindings: map[packet.Addr]*binding{},
		pulls: map[uint32][]packet.Addr{}, evidence: evidence.NewCache(), groups: groups{}, ends: &ends{}, answers: &answers{},
		gateways: map[packet.Addr]bool{}}
}

// Tick does what is due; now is a whole second of the capture clock. Once a day all evidence is due to be weighed anew.
func (r *Registry) Tick(now int64) {
	if now < r.nextDay {
		return
	}
	if r.nextDay != 0 {
		r.round++
		r.dayBegan = now
	}
	r.nextDay = now + dayNs
}

// Settle brings what is said of a device up to date. Devices that the registry gives are; this is for those kept since.
// r and d may be nil.
func (r *Registry) Settle(d *Device) {
	if r != nil {
		r.settle(d)
	}
}

const dayNs = 86400 * 1e9

// ByIP gives the device that holds an address, nil if none.
func (r *Registry) ByIP(a netip.Addr) *Device {
	if b := r.binding(packet.AddrOf(a.Unmap())); a.IsValid() && b != nil {
		r.settle(b.dev)
		return b.dev
	}
	return nil
}

// ByMAC gives the device with a MAC, nil if none.
func (r *Registry) ByMAC(m packet.MAC) *Device {
	if l := r.links[m]; l != nil {
		r.settle(l.dev)
		return l.dev
	}
	return nil
}

// ByKey gives the device with a key, nil if none.
func (r *Registry) ByKey(k string) *Device {
	d := r.byKey[k]
	r.settle(d)
	return d
}

// Internal reports whether an address belongs to the watched network: by configuration, or because it was
// declared.
func (r *Registry) Internal(a netip.Addr) bool {
	return a.IsValid() && r.InternalAddr(packet.AddrOf(a.Unmap()))
}

func (r *Registry) watched(a packet.Addr) bool { return r.watch.Contains(a.Netip()) }

// All gives all devices, sorted by key.
func (r *Registry) All() []*Device {
	out := make([]*Device, 0, len(r.byKey))
	for _, d := range r.byKey {
		r.settle(d)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Device) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Stats gives the counts so far.
func (r *Registry) Stats() Stats {
	s := r.stats
	s.Devices = len(r.byKey)
	return s
}

func (r *Registry) create(key string, now int64) *Device {
	for len(r.byKey) >= r.cfg.MaxDevices && r.evict() {
	}
	r.nextID++
	r.stats.Created++
	d := &Device{ID: r.nextID, Key: key, FirstSeen: now, LastSeen: now, ObservedDays: 1, lastDay: int32(now / dayNs), round: r.round,
		clock: r.cfg.Clock, seenMark: r.Mark(now)}
	r.byKey[key] = d
	r.once.push(d)
	return r.pin(d)
}

// SetVLAN says which VLAN the message was in that Link is called with next.
func (r *Registry) SetVLAN(id uint16) { r.vlan = id }

// Mark gives the present moment of the time watched in the VLAN of the event at hand.
func (r *Registry) Mark(now int64) watchtime.Mark { return r.cfg.Clock.Mark(r.vlan, now) }

// Since gives for how many nanoseconds the VLAN of m was watched from m until now.
func (r *Registry) Since(m watchtime.Mark, now int64) int64 { return r.cfg.Clock.Since(m, now) }

func (r *Registry) rekey(d *Device, key string) {
	delete(r.byKey, d.Key)
	old := d.Key
	d.Key = key
	d.Version++
	r.byKey[key] = d
	r.moved(old, d, packet.Addr{})
}

// Move tells that what was known under one key now belongs to a device: all of it, or what is about one address.
type Move struct {
	From string
	To   *Device
	Addr netip.Addr // invalid: all
}

func (r *Registry) moved(from string, to *Device, a packet.Addr) {
	m := Move{From: from, To: to}
	if (a != packet.Addr{}) {
		m.Addr = a.Netip()
	}
	r.moves = append(r.moves, m)
}

// Moves gives the moves since the last event began, in their order.
func (r *Registry) Moves() []Move { return r.moves }

// begin begins an event.
func (r *Registry) begin() {
	r.event++
	clear(r.moves)
	r.moves = r.moves[:0]
}

// evict drops the device that is worth least: the oldest of those heard once, else the one not heard for longest.
// Declared devices count as heard often from the start. It reports false when all that is left belongs to this event: then the
// registry is over its limit until the next one, by the few devices that one event can resolve.
func (r *Registry) evict() bool {
	d := r.once.last(r.event)
	if d == nil {
		d = r.often.last(r.event)
	}
	if d == nil {
		return false
	}
	r.drop(d)
	r.stats.Evicted++
	return true
}

// pin keeps a device that an event has resolved from being evicted while that event lasts: whoever was handed it goes on
// with a device that is known.
func (r *Registry) pin(d *Device) *Device {
	d.node.event = r.event
	r.changed(d)
	return d
}

// drop forgets a device and what is bound to it.
func (r *Registry) drop(d *Device) {
	r.queueOf(d).remove(d)
	r.forgot(d)
	delete(r.byKey, d.Key)
	delete(r.pulls, d.ID)
	for _, ip := range d.IPs {
		if a := packet.AddrOf(ip); r.bindings[a] != nil && r.bindings[a].dev == d {
			r.dropBinding(a)
		}
	}
	if l := r.links[d.MAC]; l != nil && l.dev == d {
		r.dropLink(l)
		r.lastLink = nil
	}
}

// touch moves a device to the front of its queue; one that was heard in a second session is no longer a passer-by.
func (r *Registry) touch(d *Device, again bool) {
	if !d.node.queued { // dropped to make room for the other end of the same session
		return
	}
	r.changed(d)
	if d.node.often || !again {
		r.queueOf(d).touch(d)
		return
	}
	r.once.remove(d)
	d.node.often = true
	r.often.push(d)
}

func (r *Registry) queueOf(d *Device) *lru {
	if d.node.often {
		return &r.often
	}
	return &r.once
}
