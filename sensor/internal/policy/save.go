// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"stillwatch/sensor/internal/snapshot"
)

const partName = "policies/1"

// Part returns the set as a part of a snapshot. Unsigned policies are not saved, and restored ones are checked again with the keys that are trusted now.
func (s *Set) Part() snapshot.Part {
	s.dirty = map[string]bool{}
	return snapshot.Part{Name: partName, Drain: s.drain, Restore: s.restore}
}

// Saved returns the part for a reader: each saved policy is passed to fn as it was signed, whatever keys are trusted.
func Saved(fn func(raw []byte)) []snapshot.Part {
	return []snapshot.Part{{Name: partName, Drain: func(*snapshot.Batch, int) int { return 0 }, Restore: func(all snapshot.Records) (bad int) {
		for _, val := range all {
			x, c := &kept{}, snapshot.Reader(val)
			if x.walk(c); c.Done() != nil {
				bad++
				continue
			}
			fn(x.raw)
		}
		return bad
	}}}
}

// mark notes that a policy must be saved, or deleted if it is gone.
func (s *Set) mark(id string) {
	if s.dirty != nil {
		s.dirty[id] = true
	}
}

func (s *Set) drain(b *snapshot.Batch, limit int) int {
	var ids []string
	for id := range s.dirty {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids[:min(limit, len(ids))] {
		delete(s.dirty, id)
		k := s.all[id]
		switch {
		case k == nil:
			b.Delete(partName).String(&id)
		case k.local:
			continue
		default:
			b.Put(partName).String(&id)
			b.Value()
			k.walk(b.Codec())
		}
		b.End()
	}
	return min(limit, len(ids))
}

func (k *kept) walk(c *snapshot.Codec) {
	raw := string(k.raw)
	c.String(&raw)
	c.Bool(&k.begun)
	c.Bool(&k.over)
	k.raw = []byte(raw)
}

func (s *Set) restore(all snapshot.Records) (bad int) {
	for key, val := range all {
		id, x := "", &kept{}
		kc, vc := snapshot.Reader(key), snapshot.Reader(val)
		kc.String(&id)
		x.walk(vc)
		if kc.Done() != nil || vc.Done() != nil || len(s.all) >= s.cfg.Max {
			bad++
			continue
		}
		k, r := s.check(Offer{Raw: x.raw})
		switch {
		case r != nil:
			s.drop(id, r.Why)
		case k == nil || k.ID != id:
			s.mark(id) // to be deleted: it is for another sensor
			bad++
		default:
			k.begun, k.over = x.begun, x.over && k.Expires != nil
			s.all[id] = k
			s.changed = true
		}
	}
	if s.changed { // alerts that are restored next ask for the policies
		s.refresh()
	}
	return bad
}
