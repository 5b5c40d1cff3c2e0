// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/packet"
)

// followed is a device whose packets are kept.
type followed struct {
	id          uint32
	addrs       []packet.Addr
	mac         packet.MAC
	last        uint64 // its latest packet in the ring, 0: none
	overwritten uint64 // its packets that newer ones replaced
	lostAt      int64  // time of the latest of these
	until       int64  // it is followed until then because of an alert
	jobs        []*job
}

// maxAddrs bounds the addresses of one device.
const maxAddrs = 64

// Active reports whether a device is followed. If not, no frame needs to be offered.
func (r *Recorder) Active() bool { return len(r.devices) > 0 }

// Follows reports whether the packets of an address are kept for a device.
func (r *Recorder) Follows(id uint32, a packet.Addr) bool {
	if !r.Touches(a) {
		return false
	}
	f := r.byAddr[a]
	return f != nil && f.id == id
}

// Following reports whether a device is followed.
func (r *Recorder) Following(id uint32) bool { return r.devices[id] != nil }

// Follow keeps the packets of a device from now on: those of an address, and those without IP of its MAC. Either can be zero.
func (r *Recorder) Follow(id uint32, a packet.Addr, m packet.MAC) {
	f := r.devices[id]
	if f == nil {
		if len(r.devices) >= maxFollowed {
			r.stats.Unfollowed++
			return
		}
		if r.ring == nil {
			r.ring, r.flows = newRing(r.memory), make([]flow, flowSlots)
		}
		f = &followed{id: id}
		r.devices[id] = f
	}
	if m != (packet.MAC{}) && r.byMAC[m] == nil && f.mac == (packet.MAC{}) {
		f.mac, r.byMAC[m] = m, f
	}
	if a == (packet.Addr{}) || r.byAddr[a] == f || len(f.addrs) >= maxAddrs {
		return
	}
	if old := r.byAddr[a]; old != nil {
		old.addrs = slices.DeleteFunc(old.addrs, func(x packet.Addr) bool { return x == a })
	}
	f.addrs, r.byAddr[a] = append(f.addrs, a), f
	r.mark(a)
}

// Hold follows a device at least until a time, because of an alert.
func (r *Recorder) Hold(id uint32, until int64) {
	if f := r.devices[id]; f != nil {
		f.until = max(f.until, until)
	}
}

// Review drops the devices that need not be followed any more: those without a recent alert of which still reports false.
func (r *Recorder) Review(now int64, still func(id uint32) bool) {
	var gone []*followed
	for id, f := range r.devices { // the order does not matter: each device is decided by itself
		if f.until <= now && len(f.jobs) == 0 && !still(id) {
			gone = append(gone, f)
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, f := range gone {
		delete(r.devices, f.id)
		for _, a := range f.addrs {
			delete(r.byAddr, a)
		}
		if r.byMAC[f.mac] == f {
			delete(r.byMAC, f.mac)
		}
	}
	clear(r.filter[:])
	for a := range r.byAddr {
		r.mark(a)
	}
}

// mark enters an address into the filter.
func (r *Recorder) mark(a packet.Addr) {
	h := filterHash(binary.LittleEndian.Uint32(a[12:]))
	r.filter[h/64] |= 1 << (h % 64)
}

// Touches is May for an address of either kind.
func (r *Recorder) Touches(a packet.Addr) bool { return r.May(binary.LittleEndian.Uint32(a[12:])) }

// May reports whether an IPv4 address, in memory order, may be that of a followed device. It is fast and sometimes wrong.
func (r *Recorder) May(a uint32) bool {
	h := filterHash(a)
	return r.filter[h/64]&(1<<(h%64)) != 0
}

// filterHash returns 16 bits.
func filterHash(a uint32) uint32 { return a * 0x9e3779b1 >> 16 }
