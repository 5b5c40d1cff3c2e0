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

// DefaultMaxDevices is the default of Config.MaxDevices.
const DefaultMaxDevices = 200_000

// Named is a device in the inventory, identified by exactly one of MAC and IP.
type Named struct {
	Name string
	MAC  packet.MAC
	IP   netip.Addr
}

// Config configures a registry. The zero value is usable.
type Config struct {
	Site       string         // default "local"
	Internal   []netip.Prefix // default: DefaultInternal
	Named      []Named        // devices with a name of their own
	Watch      []netip.Prefix // addresses that are devices even outside Internal (--silent, inventory)
	WatchMACs  []packet.MAC
	MaxDevices int              // default DefaultMaxDevices
	Clock      *watchtime.Clock // nil: all time is watched
	External   External
}

// External holds the databases of fingerprints of the operator.
type External = evidence.External

// Step is what happened to a session. The values are those of detect.Kind.
type Step uint8

// The steps.
const (
	Opened Step = iota
	StateChanged
	FactRead
	Progress
	Ended
)

// Stats counts what a registry did since it was created.
type Stats struct {
	Devices          int
	Created, Evicted uint64 // evicted: dropped because there were more than MaxDevices
	Merged           uint64 // devices known by an address that were merged into one known by its MAC
	Splits           uint64 // addresses that became devices of their own because their MAC is that of a router
	LinksRefused     uint64 // MACs not added because the table was full: MACs are forged, or the limit is too low
	HistoryBytes     int    // that all histories take, and may take
	MaxHistoryBytes  int
	HoursEvicted     uint64 // hours dropped from the histories of all devices because there was no room
	ClaimsRefused    uint64 // observations not added because the device had evidence.MaxClaims
}

// Registry holds the devices.
type Registry struct {
	cfg Config
	*declared
	onLink bart.Lite // announced by routers
	groups groups

	byKey    map[string]*Device
	links    map[packet.MAC]*link
	lastLink *link // used last; nil if dropped since
	bindings map[packet.Addr]*binding
	pulls    map[uint32][]packet.Addr // by device ID: RTSP servers from which it took streams, at most maxPulls
	evidence *evidence.Cache
	tables   tables // that the evidence was weighed with
	addrs    *addrCache
	answers  *answers
	fresh    map[uint32]*Device   // see Reclassified
	gateways map[packet.Addr]bool // from DHCP and router advertisements, at most maxGateways
	// Devices seen in one session only are evicted first.
	once, often lru

	announced int // prefixes taken from router advertisements

	nextID  uint32
	nextDay int64
	// dayBegan is when the current round of weighing began. A device with another round is weighed at its next use.
	dayBegan int64
	round    uint16
	// nextLinkSweep is when idle next hops may be dropped again.
	nextLinkSweep int64
	stats         Stats
	moves         []Move
	event         uint32 // number of the event: devices that it used are not evicted before the next
	vlan          uint16 // outermost VLAN of the event; 0: untagged
	saved         *saved // nil: the registry is not saved
	histories     histories
}

// New returns an empty registry.
func New(cfg Config) *Registry {
	if cfg.Site == "" {
		cfg.Site = "local"
	}
	if cfg.MaxDevices <= 0 {
		cfg.MaxDevices = DefaultMaxDevices
	}
	r := &Registry{cfg: cfg, declared: declaredBy(cfg),
		byKey: map[string]*Device{}, links: map[packet.MAC]*link{}, bindings: map[packet.Addr]*binding{},
		pulls: map[uint32][]packet.Addr{}, evidence: evidence.NewCache(), tables: tablesInUse(), groups: groups{}, addrs: &addrCache{}, answers: &answers{}, fresh: map[uint32]*Device{},
		gateways: map[packet.Addr]bool{}, histories: histories{of: map[uint32]*history{}, limit: maxHistory}}
	r.evidence.SetExternal(cfg.External)
	return r
}

// Tick begins a new round of weighing once a day. now is a whole second of the capture clock.
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

// Settle weighs the evidence of a device again if a new day has begun. The methods that return devices have done that; callers that keep a
// device call Settle before they use it later. r and d may be nil.
func (r *Registry) Settle(d *Device) {
	if r != nil {
		r.settle(d)
	}
}

const dayNs = 86400 * 1e9

// ByIP returns the device that holds an address, nil if there is none.
func (r *Registry) ByIP(a netip.Addr) *Device {
	if b := r.binding(packet.AddrOf(a.Unmap())); a.IsValid() && b != nil {
		r.settle(b.dev)
		return b.dev
	}
	return nil
}

// ByMAC returns the device with a MAC, nil if there is none.
func (r *Registry) ByMAC(m packet.MAC) *Device {
	if l := r.links[m]; l != nil {
		r.settle(l.dev)
		return l.dev
	}
	return nil
}

// ByKey returns the device with a key, nil if there is none.
func (r *Registry) ByKey(k string) *Device {
	d := r.byKey[k]
	r.settle(d)
	return d
}

// Internal reports whether an address belongs to the watched network: it is in an internal range, or the operator declared it.
func (r *Registry) Internal(a netip.Addr) bool {
	return a.IsValid() && r.InternalAddr(packet.AddrOf(a.Unmap()))
}

func (r *Registry) watched(a packet.Addr) bool { return r.watch.Contains(a.Netip()) }

// All returns all devices, sorted by key.
func (r *Registry) All() []*Device {
	out := make([]*Device, 0, len(r.byKey))
	for _, d := range r.byKey {
		r.settle(d)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b *Device) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Stats returns the current counts.
func (r *Registry) Stats() Stats {
	s := r.stats
	s.Devices, s.HoursEvicted = len(r.byKey), r.histories.evicted
	s.HistoryBytes, s.MaxHistoryBytes = r.histories.size, r.histories.limit
	return s
}

func (r *Registry) create(key string, now int64) *Device {
	for len(r.byKey) >= r.cfg.MaxDevices && r.evict() {
	}
	r.nextID++
	r.stats.Created++
	d := &Device{ID: r.nextID, Key: key, FirstSeen: now, LastSeen: now, ObservedDays: 1, lastDay: int32(now / dayNs), round: r.round,
		clock: r.cfg.Clock}
	d.setSeen(r.Mark(now))
	r.byKey[key] = d
	r.once.push(d)
	return r.pin(d)
}

// SetVLAN sets the VLAN of the message that Link is called with next.
func (r *Registry) SetVLAN(id uint16) { r.vlan = id }

// Notice records that it was decided whether d is reported as new.
func (r *Registry) Notice(d *Device) {
	d.Noticed = true
	r.changed(d)
}

// Mark returns the current watched time in the VLAN of the current event.
func (r *Registry) Mark(now int64) watchtime.Mark { return r.cfg.Clock.Mark(r.vlan, now) }

// Since returns for how many nanoseconds the VLAN of m was watched from m until now.
func (r *Registry) Since(m watchtime.Mark, now int64) int64 { return r.cfg.Clock.Since(m, now) }

// Between returns how many nanoseconds of watched time lie between two marks, 0 if they are of different VLANs.
func (r *Registry) Between(from, to watchtime.Mark) int64 {
	if from.VLAN != to.VLAN {
		return 0
	}
	return max(to.At-from.At, 0)
}

func (r *Registry) rekey(d *Device, key string) {
	delete(r.byKey, d.Key)
	old := d.Key
	d.Key = key
	d.Version++
	r.byKey[key] = d
	r.moved(old, d, packet.Addr{})
}

// Move reports that state kept under a key now belongs to another device: all of it, or what is about one address.
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

// Moves returns the moves of the current event, in their order.
func (r *Registry) Moves() []Move { return r.moves }

// begin begins an event.
func (r *Registry) begin() {
	r.event++
	clear(r.moves)
	r.moves = r.moves[:0]
}

// evict drops the least recently used device, from those seen in one session if there are any. Declared devices count as seen often. It
// reports whether it found one: if the current event uses all that are left, the registry exceeds its limit until the next event by the few
// devices that one event can use.
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

// pin keeps a device from being evicted during the current event, whose callers hold it.
func (r *Registry) pin(d *Device) *Device {
	d.node.event = r.event
	r.changed(d)
	return d
}

// drop removes a device and its bindings.
func (r *Registry) drop(d *Device) {
	r.listOf(d).remove(d)
	r.forget(d)
	r.dropped(d)
	delete(r.byKey, d.Key)
	delete(r.pulls, d.ID)
	for _, a := range d.addrs {
		if r.bindings[a] != nil && r.bindings[a].dev == d {
			r.dropBinding(a)
		}
	}
	if l := r.links[d.MAC]; l != nil && l.dev == d {
		r.dropLink(l)
		r.lastLink = nil
	}
}

// touch moves a device to the front of its LRU list, and to the list often if it is seen in a second session (again).
func (r *Registry) touch(d *Device, again bool) {
	if !d.node.queued { // dropped to make room for the other end of the same session
		return
	}
	r.changed(d)
	if d.node.often || !again {
		r.listOf(d).touch(d)
		return
	}
	r.once.remove(d)
	d.node.often = true
	r.often.push(d)
}

func (r *Registry) listOf(d *Device) *lru {
	if d.node.often {
		return &r.often
	}
	return &r.once
}
