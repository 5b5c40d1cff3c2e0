// SPDX-License-Identifier: Apache-2.0

package session

// A table allocates sessions in chunks, a Slab in regions of several chunks.
const (
	chunkBits   = 11
	chunkSize   = 1 << chunkBits
	regionBytes = 6 << 20 // whole huge pages, and whole chunks
)

// Slab is memory for the sessions of several tables, so that they share huge pages. Not safe for concurrent use.
type Slab struct{ rest []Session }

func (m *Slab) chunk() []Session {
	if len(m.rest) == 0 {
		m.rest = newRegion(m)
	}
	c := m.rest[:chunkSize:chunkSize]
	m.rest = m.rest[chunkSize:]
	c[0] = Session{} // write first: a page that is read before it is written costs two page faults
	return c
}
