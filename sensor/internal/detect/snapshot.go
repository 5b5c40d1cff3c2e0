// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

// keeper is a detector that knows something for longer than a session lasts. What it knows of single sessions is not kept: they end with
// the run.
type keeper interface {
	parts(r *device.Registry) []snapshot.Part
}

// Parts gives what detectors know as parts of a snapshot, to be restored after the registry; from then on they remember what
// has changed.
func Parts(ds []Detector, r *device.Registry) (all []snapshot.Part) {
	for _, d := range ds {
		if k, ok := d.(keeper); ok {
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

func (t *tally) walk(c *snapshot.Codec) {
	c.Int(&t.count)
	c.Int(&t.told)
	c.Time(&t.first)
	c.Time(&t.last)
	texts(c, &t.peers)
}

func walkTally(c *snapshot.Codec, t *tally) { t.walk(c) }

func (o *outbound) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{o.met.part("D01.met/1", func(c *snapshot.Codec, k *contact) {
		deviceKey(c, &k.device)
		addrKey(c, &k.peer)
	}, nothing)}
}

func (w *wake) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{w.devices.part("D02.devices/2", deviceKey, func(c *snapshot.Codec, s *wakeState) {
		c.Time(&s.last)
		s.mark.Walk(c)
		for i := range s.signs {
			c.Time(&s.signs[i])
		}
		c.Time(&s.hourStart)
		c.Int(&s.infra)
	})}
}

func (k *callback) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{k.pairs.part("D06.pairs/1", func(c *snapshot.Codec, t *target) {
		deviceKey(c, &t.device)
		addrKey(c, &t.addr)
		snapshot.Number(c, &t.port)
	}, func(c *snapshot.Codec, s *callbackState) {
		times(c, &s.times)
		times(c, &s.hours)
		c.Int(&s.fails)
		c.Int(&s.told)
		c.Int(&s.refuse)
		c.Time(&s.first)
	})}
}

func (x *exposure) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{x.probed.part("D07.probed/1", deviceKey, func(c *snapshot.Codec, p *probes) {
		c.Time(&p.dayStart)
		c.Int(&p.count)
		c.Int(&p.told)
		texts(c, &p.sources)
		numbers(c, &p.ports)
	})}
}

func (m *mirai) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{m.ours.part("D14.ours/1", deviceKey, walkTally), m.them.part("D14.them/1", deviceKey, walkTally)}
}

func (n *newDevice) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{n.told.part("D34.told/1", deviceKey, nothing), snapshot.Single("D34/1", func(c *snapshot.Codec) {
		c.Time(&n.start)
		c.Time(&n.hourStart)
		c.Int(&n.hourCount)
	})}
}

func (b *blindness) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{snapshot.Single("D41/1", func(c *snapshot.Codec) { c.Time(&b.from) })}
}
