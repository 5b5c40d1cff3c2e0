// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

func (s *scan) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		s.sources.part("D13.sources/1", addrKey, func(c *snapshot.Codec, x *scanner) {
			c.Int(&x.walk)
			snapshot.Pointer(c, &x.fails, func(f *sourceFails) {
				f.tally.walk(c)
				times(c, &f.times)
				snapshot.List(c, &f.ports, maxScanPorts, func(p *uint16) { snapshot.Number(c, p) })
				r.Ref(c, &f.target)
			})
		}),
		s.pairs.part("D13.pairs/1", func(c *snapshot.Codec, k *scanPair) {
			addrKey(c, &k.from)
			addrKey(c, &k.to)
		}, func(c *snapshot.Codec, x *scanned) {
			c.Bool(&x.known)
			snapshot.Pointer(c, &x.fails, func(f *pairFails) {
				f.tally.walk(c)
				c.Time(&f.last)
				snapshot.List(c, &f.ports, maxScanPorts, func(p *portFail) {
					snapshot.Number(c, &p.port)
					c.Time(&p.at)
				})
			})
		}),
		s.arps.part("D13.arps/1", func(c *snapshot.Codec, m *packet.MAC) { c.Raw(m[:]) }, walkSweep),
		s.pings.part("D13.pings/1", addrKey, walkSweep),
	}
}

func walkSweep(c *snapshot.Codec, w *sweep) {
	w.tally.walk(c)
	snapshot.List(c, &w.seen, maxKept, func(x *sweptTarget) {
		addrKey(c, &x.to)
		c.Time(&x.at)
	})
}

func (u *upload) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		u.peers.part("D18.peers/1", func(c *snapshot.Codec, k *uploadPeer) {
			deviceKey(c, &k.device)
			c.Bool(&k.v6)
			addrKey(c, &k.addr)
			c.String(&k.name)
		}, func(c *snapshot.Codec, v *volume) {
			v.day.walk(c)
			v.now.walk(c)
			c.Time(&v.hour)
			snapshot.List(c, &v.past, maxKept, func(h *hourly) {
				c.Time(&h.hour)
				h.carried.walk(c)
			})
			c.Uint(&v.told)
			c.Time(&v.first)
		}),
		u.devices.part("D18.devices/1", deviceKey, func(c *snapshot.Codec, b *baseline) {
			c.Time(&b.day)
			c.Uint(&b.today)
			snapshot.List(c, &b.past, maxBaselineDays, func(n *uint64) { c.Uint(n) })
		}),
	}
}

func (x *carried) walk(c *snapshot.Codec) {
	c.Uint(&x.out)
	c.Uint(&x.in)
}
