// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// maxLists bounds the lists that are kept for sharing.
const maxLists = 4 << 10

// List returns the strongest claims as they are shown, strongest first, at most limit. It returns old if nothing has changed. Devices with
// the same evidence share a list, which must not be changed: there are many devices of one model.
func (c *Cache) List(cs Claims, old []Item, limit int, now int64) []Item {
	out := c.scratch[:0]
	for i := range cs {
		x := &cs[i]
		says, points := x.says(now)
		s := &sources[x.source]
		out = append(out, Item{Source: s.name, Value: x.value, Says: says, Points: points, Group: s.group})
	}
	slices.SortStableFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(math.Abs(b.Points), math.Abs(a.Points)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Value, b.Value))
	})
	if top := out[:min(len(out), limit)]; !slices.Equal(top, old) {
		old = c.share(top)
	}
	clear(out)
	c.scratch = out
	return old
}

// share returns a list that is equal to list and that other devices use too.
func (c *Cache) share(list []Item) []Item {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for i := range list {
		maphash.WriteComparable(&h, list[i])
	}
	k := h.Sum64()
	if x, ok := c.lists[k]; ok && slices.Equal(x, list) {
		return x
	}
	if len(c.lists) >= maxLists {
		clear(c.lists)
	}
	c.lists[k] = slices.Clone(list)
	return c.lists[k]
}

// says returns a claim in words, with the points of its strongest part.
func (c *Claim) says(now int64) (string, float64) {
	f, points := c.share(now), 0.0
	isCurrent := c.words != ""
	part := func(db float64) {
		if math.Abs(db*f) > math.Abs(points) {
			points = db * f
		}
		isCurrent = isCurrent && math.RoundToEven(db*f) == math.RoundToEven(db*c.wordsShare)
	}
	for _, v := range c.rule.roles {
		part(v.points)
	}
	if c.vendorName() != "" && c.vendorPoints != 0 {
		part(c.vendorPoints)
	}
	if c.model != "" {
		part(c.rule.modelPoints)
	}
	if c.firmware != "" {
		part(c.rule.firmwarePoints)
	}
	if !isCurrent {
		c.words, c.wordsShare = c.wording(f), f
	}
	return c.words, math.Round(points*10) / 10
}

// wording returns what a statement speaks for that has the share f of its weight, in whole decibans.
func (s *Statement) wording(f float64) string {
	var parts []string
	for _, v := range s.rule.roles {
		parts = append(parts, fmt.Sprintf("role=%s %+.0f", v.role, v.points*f))
	}
	if name := s.vendorName(); name != "" && s.vendorPoints != 0 {
		parts = append(parts, fmt.Sprintf("vendor=%s %+.0f", name, s.vendorPoints*f))
	}
	if s.model != "" {
		parts = append(parts, fmt.Sprintf("model=%s %+.0f", s.model, s.rule.modelPoints*f))
	}
	if firmware, _, _ := strings.Cut(s.firmware, "|"); firmware != "" {
		parts = append(parts, fmt.Sprintf("firmware=%s %+.0f", firmware, s.rule.firmwarePoints*f))
	}
	if s.note != "" {
		parts = append(parts, s.note)
	}
	return strings.Join(parts, ", ")
}
