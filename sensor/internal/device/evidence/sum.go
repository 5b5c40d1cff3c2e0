// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"slices"
)

// Sum is how the evidence for one role or vendor adds up, in decibans.
type Sum struct {
	Kind   string // role, vendor
	Value  string
	Terms  []Term
	Points float64
}

// Term is one part of a sum: the base rate, a group of evidence, or what the limit of forgeable evidence takes away.
type Term struct {
	Name   string
	Points float64
}

// The terms that are not groups.
const (
	termBaseRate = "base rate"
	termLimit    = "limit of what anyone can forge"
)

// The most roles and vendors that are listed.
const (
	maxRoleSums   = 4
	maxVendorSums = 3
)

// Sums returns how the evidence adds up for the roles and the vendors that some of it supports, each kind with the highest sum first. role is
// that of the device.
func (cs Claims) Sums(role Role, now int64) []Sum {
	scores := cs.byRole(now)
	var roles, vendors []Sum
	for r := Unknown + 1; r < numRoles; r++ {
		g := &scores[r]
		if !slices.ContainsFunc(g[:], func(s score) bool { return s.best > 0 }) {
			continue
		}
		s := Sum{Kind: "role", Value: r.String()}
		s.add(termBaseRate, prior[r])
		s.groups(g)
		s.add(termLimit, -overCap(g))
		roles = append(roles, s)
	}
	all := cs.vendors(nil, role, now)
	for i := range all {
		s := Sum{Kind: "vendor", Value: all[i].name}
		s.groups(&all[i].groups)
		vendors = append(vendors, s)
	}
	return append(highest(roles, maxRoleSums), highest(vendors, maxVendorSums)...)
}

func (s *Sum) add(name string, points float64) {
	if points != 0 {
		s.Terms = append(s.Terms, Term{name, points})
		s.Points += points
	}
}

func (s *Sum) groups(g *[numGroups]score) {
	for i := range g {
		s.add(Group(i).String(), g[i].total())
	}
}

func highest(all []Sum, limit int) []Sum {
	slices.SortStableFunc(all, func(a, b Sum) int { return cmp.Compare(b.Points, a.Points) })
	return all[:min(len(all), limit)]
}
