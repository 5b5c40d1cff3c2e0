// SPDX-License-Identifier: Apache-2.0

package watchtime

import "stillwatch/sensor/internal/snapshot"

// Part returns the clock as a part of a snapshot. The time between two live runs is unwatched; between two captures that are replayed in
// sequence it is a gap like those within a capture.
func (c *Clock) Part() snapshot.Part { return snapshot.Single("watchtime/1", c.walk) }

func (c *Clock) walk(s *snapshot.Codec) {
	for _, t := range []*int64{&c.begin, &c.last, &c.lost, &c.heard, &c.before} {
		s.Time(t)
	}
	snapshot.Number(s, &c.rhythm.sum)
	for i := range c.rhythm.sizes {
		x := &c.rhythm.sizes[i]
		snapshot.Number(s, &x.n)
		s.Time(&x.longest)
	}
	var ids []uint16
	for i := range c.vlans {
		if c.vlans[i].last != 0 {
			ids = append(ids, uint16(i))
		}
	}
	snapshot.List(s, &ids, numVLANs, func(id *uint16) {
		snapshot.Number(s, id)
		v := &c.vlans[*id%numVLANs]
		s.Time(&v.last)
		s.Time(&v.lost)
	})
	if s.Reading() {
		c.resumed = c.last != 0
	}
}

// Walk saves or restores a mark.
func (m *Mark) Walk(s *snapshot.Codec) {
	snapshot.Number(s, &m.VLAN)
	s.Time(&m.At)
}
