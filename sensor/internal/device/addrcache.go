// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/packet"
)

// addrCache caches what every event needs of its two addresses: the kind of address, which changes only with the configuration, and its binding.
// Each address has one slot, and the next address there replaces it.
type addrCache [addrSlots]addrEntry

const (
	addrBits  = 14
	addrSlots = 1 << addrBits // 512 kB
)

// addrEntry is half a cache line.
type addrEntry struct {
	addr        packet.Addr
	bound       *binding // as in Registry.bindings
	isFilled    bool
	inside      bool // see Internal
	host        bool // one host can have it, or the operator declared it
	unspecified bool
}

// at returns the slot of a, filled.
func (r *Registry) at(a *packet.Addr) *addrEntry {
	p := r.slot(a)
	if p.addr != *a || !p.isFilled {
		r.fill(p, *a)
	}
	return p
}

// slot returns the slot of a.
func (r *Registry) slot(a *packet.Addr) *addrEntry {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	return &r.addrs[h>>(64-addrBits)]
}

// Prefetch requests the memory that Session will need of an address: first its slot, and with deep, when that has arrived, the device.
func (r *Registry) Prefetch(a *packet.Addr, deep bool) {
	p := r.slot(a)
	switch {
	case !deep:
		cacheline.Prefetch(unsafe.Pointer(p), 1)
	case p.bound != nil && p.addr == *a:
		cacheline.Prefetch(unsafe.Pointer(p.bound), 1)
		cacheline.Prefetch(unsafe.Pointer(p.bound.dev), deviceLines)
	}
}

// deviceLines is the size of a Device in cache lines.
const deviceLines = int(unsafe.Sizeof(Device{})+cacheline.Size-1) / cacheline.Size

func (r *Registry) fill(p *addrEntry, a packet.Addr) {
	*p = addrEntry{
		addr: a, bound: r.bindings[a], isFilled: true,
		inside:      r.internal.Contains(a.Netip()) || r.nameAt(a) != "" || r.watched(a),
		host:        isHost(a) || r.declaredHost(a),
		unspecified: isUnspecified(a),
	}

}

// InternalAddr is Internal for a packet.Addr.
func (r *Registry) InternalAddr(a packet.Addr) bool { return r.at(&a).inside }

// binding returns the binding of an address, nil if it has none.
func (r *Registry) binding(a packet.Addr) *binding { return r.at(&a).bound }

func (r *Registry) setBinding(a packet.Addr, b *binding) {
	r.bindings[a] = b
	r.at(&a).bound = b
}

func (r *Registry) dropBinding(a packet.Addr) {
	delete(r.bindings, a)
	r.at(&a).bound = nil
}
