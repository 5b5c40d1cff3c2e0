// SPDX-License-Identifier: Apache-2.0

package session

// Sessions are allotted to tables in chunks, and to a Slab in regions of several chunks.
const (
	chunkBits   = 11
	chunkSize   = 1 << chunkBits
	regionBytes = 6 << 20 // whole huge pages, and whole chunks
)

// Slab is memory for the sessions of several tables, so that each does not begin a large page of its own. It serves one goroutine.
type Slab struct{ rest []Session }

func (m *Slab) chunk() []Session {
	if len(m.rest) == 0 {
		m.rest = newRegion(m)
	}
	c := m.rest[:chunkSize:chunkSize]
	m.rest = m.rest[chunkSize:]
	c[0] = Session{} // a page that is read before it is written comes at the price of two
	return c
}
