// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

// ends remembers what is asked of both ends of every event: whether an address is internal, which never changes within a run, and who
// holds it. Each address has one place, and the next one there takes it over.
type ends struct{ places [endPlaces]end }

const endPlaces = 4096 // some 130 kB

type end struct {
	addr     packet.Addr
	bound    *binding // as in Registry.bindings
	inside   bool
	isFilled bool
	asked    bool // whether it is inside
}

// at gives the place of a, with what is known of a alone.
func (r *Registry) at(a packet.Addr) *end {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	p := &r.ends.places[h>>52]
	if p.addr != a || !p.isFilled {
		*p = end{addr: a, bound: r.bindings[a], isFilled: true}
	}
	return p
}

// InternalAddr is Internal for the form that sessions carry.
func (r *Registry) InternalAddr(a packet.Addr) bool {
	p := r.at(a)
	if !p.asked {
		p.inside = r.internal.Contains(a.Netip()) || r.namedIP[a] != "" || r.watched(a)
		p.asked = true
	}
	return p.inside
}

// binding gives who holds an address, nil if nobody does.
func (r *Registry) binding(a packet.Addr) *binding { return r.at(a).bound }

func (r *Registry) setBinding(a packet.Addr, b *binding) {
	r.bindings[a] = b
	r.at(a).bound = b
}

func (r *Registry) dropBinding(a packet.Addr) {
	delete(r.bindings, a)
	r.at(a).bound = nil
}
