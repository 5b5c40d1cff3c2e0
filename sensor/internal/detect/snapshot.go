// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// keeper is a detector that knows something for longer than a session lasts. What it knows of single sessions is not kept: they end with
// the run.
type stateful interface {
	parts(r *device.Registry) []snapshot.Part
}

// Parts gives what detectors know as parts of a snapshot, to be restored after the registry; from then on they remember what
// has changed.
func Parts(ds []Detector, r *device.Registry) (all []snapshot.Part) {
	for _, d := range ds {
		if k, ok := d.(stateful); ok {
			all = append(all, k.parts(r)...)
		}
	}
	return all
}

// part gives a table as a part.
func (t *table[K, V]) part(name string, key func(*snapshot.Codec, *K), val func(*snapshot.Codec, *V)) snapshot.Part {
	return t.lru.Part(name, key, func(c *snapshot.Codec, d *dated[V]) {
		c.Time(&d.used)
		val(c, &d.val)
	})
}

// Keys and values that several detectors have.

func deviceKey(c *snapshot.Codec, id *uint32) { snapshot.Number(c, id) }

func addrKey(c *snapshot.Codec, a *packet.Addr) { c.Raw(a[:]) }

func nothing(*snapshot.Codec, *struct{}) {}

// Bounds of lists whose length a parameter sets: what is read in a form that no parameter gives is refused.
const maxKept = 1 << 16

func times(c *snapshot.Codec, list *[]int64) {
	snapshot.List(c, list, maxKept, func(t *int64) { c.Time(t) })
}

func texts(c *snapshot.Codec, list *[]string) {
	snapshot.List(c, list, maxKept, func(s *string) { c.String(s) })
}

func numbers(c *snapshot.Codec, list *[]int) {
	snapshot.List(c, list, maxKept, func(n *int) { c.Int(n) })
}

func (t *counter) walk(c *snapshot.Codec) {
	c.Int(&t.count)
	c.Int(&t.reported)
	c.Time(&t.first)
	c.Time(&t.last)
	texts(c, &t.peers)
}

func walkCounter(c *snapshot.Codec, t *counter) { t.walk(c) }
