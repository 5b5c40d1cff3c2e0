// SPDX-License-Identifier: Apache-2.0

package enrich

import "stillwatch/sensor/internal/snapshot"

// Part returns the cache as a part of a snapshot, and starts to track changes.
func (n *Names) Part() snapshot.Part {
	return n.pairs.Part("names/1", func(c *snapshot.Codec, k *nameKey) {
		c.Raw(k.client[:])
		c.Raw(k.addr[:])
	}, func(c *snapshot.Codec, e *nameEntry) {
		c.String(&e.name)
		c.Time(&e.until)
		snapshot.List(c, &e.older, maxOlder, func(a *agedName) {
			c.String(&a.name)
			c.Time(&a.until)
		})
	})
}
