// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// stateful is a detector whose state outlives its sessions. Each of its tables is a part named after the rule and the field
// ("D13.pairs/1"), or after the snapshot tag of the field. A table whose entries end with their sessions has the tag "-" and is not
// saved, because sessions end with the run.
type stateful interface {
	parts(r *device.Registry) []snapshot.Part
}

// Parts returns the state of detectors as parts of a snapshot, to be restored after the registry. From then on the detectors track
// what has changed.
func Parts(ds []Detector, r *device.Registry) (all []snapshot.Part) {
	for _, d := range ds {
		if k, ok := d.(stateful); ok {
			all = append(all, k.parts(r)...)
		}
	}
	return all
}

// part returns a table as a part of a snapshot.
func (t *table[K, V]) part(name string, key func(*snapshot.Codec, *K), val func(*snapshot.Codec, *V)) snapshot.Part {
	return t.lru.Part(name, key, func(c *snapshot.Codec, d *dated[V]) {
		c.Time(&d.used)
		val(c, &d.val)
	})
}

// Codecs for keys and values that several detectors use.

func deviceKey(c *snapshot.Codec, id *uint32) { snapshot.Number(c, id) }

func addrKey(c *snapshot.Codec, a *packet.Addr) { c.Raw(a[:]) }

func nothing(*snapshot.Codec, *struct{}) {}

// maxKept bounds the lists of a saved state whose length depends on a parameter. Longer lists are refused.
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
