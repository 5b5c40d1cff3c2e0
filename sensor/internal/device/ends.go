// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

// ends remembers what is asked of both ends of every event: what kind of address it is, which changes with what the operator declares
// alone, and who holds it. Each address has one place, and the next one there takes it over.
type ends [endPlaces]end

const endPlaces = 4096 // 128 kB

// end takes half a line of the cache.
type end struct {
	addr        packet.Addr
	bound       *binding // as in Registry.bindings
	isFilled    bool
	inside      bool // see Internal
	host        bool // one host can have it, or it was declared
	unspecified bool
}

// at gives the place of a.
func (r *Registry) at(a *packet.Addr) *end {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	p := &r.ends[h>>52]
	if p.addr != *a || !p.isFilled {
		r.fill(p, *a)
	}
	return p
}

func (r *Registry) fill(p *end, a packet.Addr) {
	*p = end{
		addr: a, bound: r.bindings[a], isFilled: true,
		inside:      r.internal.Contains(a.Netip()) || r.namedIP[a] != "" || r.watched(a),
		host:        isHost(a) || r.declaredHost(a),
		unspecified: isUnspecified(a),
	}

}

// InternalAddr is Internal for the form that sessions carry.
func (r *Registry) InternalAddr(a packet.Addr) bool { return r.at(&a).inside }

// binding gives who holds an address, nil if nobody does.
func (r *Registry) binding(a packet.Addr) *binding { return r.at(&a).bound }

func (r *Registry) setBinding(a packet.Addr, b *binding) {
	r.bindings[a] = b
	r.at(&a).bound = b
}

func (r *Registry) dropBinding(a packet.Addr) {
	delete(r.bindings, a)
	r.at(&a).bound = nil
}
