// SPDX-License-Identifier: Apache-2.0

package lru

import "stillwatch/sensor/internal/snapshot"

// saved tracks how a table differs from its copy on disk. Entries that were used since they were saved are at the end of the order of use, so it
// needs only the start of these, and the keys that were dropped.
type saved[K comparable] struct {
	on   bool
	upTo uint32 // the newest cell that was not used since it was saved; 0: all cells were
	gone []K    // dropped since
	all  bool   // too many were dropped: the whole copy must be rewritten
	seq  uint64 // of the last saved record
}

// dropped records that cell n is removed.
func (t *Table[K, V]) dropped(n uint32) {
	s := &t.saved
	if s.upTo == n {
		s.upTo = t.linkOf(n).older
	}
	if !s.on || s.all {
		return
	}
	if len(s.gone) >= t.limit {
		s.all, s.gone, s.upTo = true, nil, 0
		return
	}
	s.gone = append(s.gone, t.at(n).key)
}

// Part returns the table as a part of a snapshot, and starts to track changes: every entry that was used counts as changed. A table that is not
// restored replaces what was saved under its name.
func (t *Table[K, V]) Part(name string, key func(*snapshot.Codec, *K), val func(*snapshot.Codec, *V)) snapshot.Part {
	if !t.saved.on {
		t.saved.on, t.saved.all = true, true
	}
	return snapshot.Part{
		Name:  name,
		Drain: func(b *snapshot.Batch, limit int) int { return t.drain(b, name, limit, key, val) },
		Restore: func(all snapshot.Records) int {
			return t.restore(all, key, val)
		},
	}
}

func (t *Table[K, V]) drain(b *snapshot.Batch, name string, limit int, key func(*snapshot.Codec, *K), val func(*snapshot.Codec, *V)) (n int) {
	s := &t.saved
	if s.all && limit > 0 {
		b.Clear(name)
		s.all = false
	}
	for ; n < limit && len(s.gone) > 0; n++ {
		last := len(s.gone) - 1
		key(b.Delete(name), &s.gone[last])
		b.End()
		s.gone = s.gone[:last]
	}
	if len(s.gone) > 0 {
		return n // a key that was added again must not be removed after it was written
	}
	s.gone = nil
	for ; n < limit && s.upTo != t.newest; n++ {
		next := t.oldest
		if s.upTo != 0 {
			next = t.linkOf(s.upTo).newer
		}
		x := t.at(next)
		s.seq++
		c := b.Put(name)
		key(c, &x.key)
		b.Value()
		c.Fixed(&s.seq)
		val(c, &x.val)
		b.End()
		s.upTo = next
	}
	return n
}

// restore fills the table in the order of use. If there are too many records, the least recently used are evicted, also from the copy.
func (t *Table[K, V]) restore(all snapshot.Records, key func(*snapshot.Codec, *K), val func(*snapshot.Codec, *V)) int {
	unread := 0
	t.saved.all = false
	bad := snapshot.InOrder(all, func(seq uint64, kb, vb []byte) {
		var k K
		var v V
		kc, vc := snapshot.Reader(kb), snapshot.Reader(vb)
		key(kc, &k)
		val(vc, &v)
		if kc.Done() != nil || vc.Done() != nil {
			unread++
			return
		}
		*t.Put(k) = v
		t.saved.seq = max(t.saved.seq, seq)
	})
	if !t.saved.all {
		t.saved.upTo = t.newest
	}
	return bad + unread
}
