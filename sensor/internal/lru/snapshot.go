// SPDX-License-Identifier: Apache-2.0

package lru

import "stillwatch/sensor/internal/snapshot"

// saved is what a table knows of its copy on disk. What was used since it was saved stands at the end of the order of use, so that a
// table needs to remember only where that begins, and which keys went.
type saved[K comparable] struct {
	on   bool
	upTo uint32 // the newest cell that was not used since it was saved; 0: all were
	gone []K    // dropped since
	all  bool   // too many were: the copy is to be made anew
	seq  uint64 // of the record that was saved last
}

// dropped notes that cell n goes.
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

// Part gives the table as a part of a snapshot. From then on it remembers what has changed: every entry that was used counts as
// changed. A table that is not restored takes the place of whatever was saved under its name.
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
		return n // a key that came again must not be removed after it was put
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

// restore fills the table in the order of use. The least recently used go if there are more than it holds, from the copy as well.
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
