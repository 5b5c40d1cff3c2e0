// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"
	"math"
	"slices"
)

// MaxClaims is the most claims that are kept of one device.
const MaxClaims = 64

const dayNs = 86400 * 1e9

// Claim is a statement about a device, made at a time of the capture clock in nanoseconds.
type Claim struct {
	*Statement
	At int64
}

// String returns a claim for tests and debugging.
func (c Claim) String() string {
	return fmt.Sprintf("%s %q vendor=%q model=%q at %d", sources[c.source].name, c.value, c.vendorName(), c.model, c.At)
}

// share returns the share of its weight that a claim has: half of it for each half-life since it was made, and less if its source is not
// trusted.
func (c *Claim) share(now int64) float64 {
	if now <= c.At {
		return c.source.trust()
	}
	age := float64(now-c.At) / dayNs
	return c.source.trust() * math.Exp2(-age/float64(sources[c.source].halfLife))
}

// Claims is the evidence of one device, in the order of discovery.
type Claims []Claim

// Added is what became of a claim.
type Added uint8

// A claim is new, repeats one that is there, or is refused because there are MaxClaims.
const (
	New Added = iota
	Repeated
	Refused
)

// Add adds a claim. One that repeats another renews its time.
func (cs *Claims) Add(c Claim) Added {
	for i := range *cs {
		if x := &(*cs)[i]; x.same(c.Statement) {
			x.At = max(x.At, c.At)
			return Repeated
		}
	}
	if len(*cs) >= MaxClaims {
		return Refused
	}
	*cs = append(*cs, c)
	return New
}

// Remove removes the claims of a source.
func (cs *Claims) Remove(src Source) {
	*cs = slices.DeleteFunc(*cs, func(c Claim) bool { return c.source == src })
}

// KeepMAC keeps only the claims about the MAC address.
func (cs *Claims) KeepMAC() {
	*cs = slices.DeleteFunc(*cs, func(c Claim) bool { return !c.source.aboutMAC() })
}

// RemoveMAC removes the claims about the MAC address: its vendor, that it is random, that it forwards for others. What the device said about
// itself can no longer be compared with it.
func (cs *Claims) RemoveMAC() {
	*cs = slices.DeleteFunc(*cs, func(c Claim) bool { return c.source.aboutMAC() })
	for i := range *cs {
		if c := &(*cs)[i]; c.source.rows() == Discovery {
			c.Statement = c.of(DiscoveryUnchecked)
		}
	}
}
