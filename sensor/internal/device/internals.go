// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

// internals remembers of some addresses whether they are internal, which is asked for both ends of every event and never changes
// within a run. Each address has one place, and the next one there takes it over.
type internals struct{ places [internalPlaces]internalPlace }

type internalPlace struct {
	addr   packet.Addr
	filled bool
	inside bool
}

const internalPlaces = 4096 // some 74 kB

func (m *internals) place(a packet.Addr) *internalPlace {
	h := (binary.LittleEndian.Uint64(a[:8]) ^ binary.LittleEndian.Uint64(a[8:])) * 0x9e3779b97f4a7c15
	return &m.places[h>>52]
}

func (m *internals) get(a packet.Addr) (inside, known bool) {
	p := m.place(a)
	return p.inside, p.filled && p.addr == a
}

func (m *internals) put(a packet.Addr, inside bool) { *m.place(a) = internalPlace{a, true, inside} }
