// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/snapshot"
)

func (l *loginSuccess) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		l.hosts.part("D08.hosts/1", deviceKey, func(c *snapshot.Codec, h *loginHosts) {
			snapshot.List(c, &h.addrs, maxKept, func(a *netip.Addr) { c.Addr(a) })
		}),
		snapshot.Single("D08/1", func(c *snapshot.Codec) { c.Time(&l.start) }),
	}
}

func (b *bruteForce) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		b.pairs.part("D09.pairs/2", func(c *snapshot.Codec, k *guessPair) {
			addrKey(c, &k.source)
			deviceKey(c, &k.target)
		}, func(c *snapshot.Codec, p *guesses) {
			p.walk(c)
			snapshot.List(c, &p.fails, maxKept, func(x *failure) {
				c.Time(&x.at)
				c.String(&x.who)
				c.Uint(&x.session)
				c.Bool(&x.excused)
			})
			snapshot.List(c, &p.known, maxKept, func(who *string) { c.String(who) })
		}),
		b.targets.part("D09.targets/1", deviceKey, func(c *snapshot.Codec, t *guessed) {
			t.walk(c)
			times(c, &t.times)
			snapshot.List(c, &t.hits, maxKept, func(h *hit) {
				addrKey(c, &h.from)
				c.Time(&h.at)
			})
			c.Float(&t.sum)
			c.Time(&t.last)
		}),
		b.sources.part("D09.sources/1", addrKey, func(c *snapshot.Codec, s *sprayer) {
			s.walk(c)
			snapshot.List(c, &s.targets, maxKept, func(x *sprayed) {
				deviceKey(c, &x.id)
				c.Time(&x.at)
			})
			r.Ref(c, &s.device)
		}),
	}
}
