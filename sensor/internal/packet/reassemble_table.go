// SPDX-License-Identifier: Apache-2.0

package packet

// fragKey identifies a datagram (RFC 791 section 2.3; for IPv6 without the protocol, RFC 8200 section 4.5). It includes the innermost tunnel,
// because address spaces of tenants overlap.
type fragKey struct {
	src, dst Addr
	id       uint32
	tunnel   uint32
	proto    uint8
	v6       bool
	typ      TunnelType
}

func keyOf(p *Packet) fragKey {
	k := fragKey{src: p.Src, dst: p.Dst, id: p.FragID, v6: p.V6}
	if !p.V6 {
		k.proto = p.Proto
	}
	if p.NumTunnels > 0 {
		t := &p.Tunnels[p.NumTunnels-1]
		k.typ, k.tunnel = t.Type, t.ID
	}
	return k
}

func (k *fragKey) hash() uint64 {
	return fold(hashAddr(&k.src)^uint64(k.id)*hashKey3, hashAddr(&k.dst)*hashKey4^uint64(k.tunnel)<<8^uint64(k.proto))
}

// fragTable finds datagrams by key: an open-addressing table of fixed size over a pool that grows up to its bound. A list links them from
// the oldest to the newest.
type fragTable struct {
	slots          []int32 // number in pool, -1 if empty
	pool           []datagram
	max            int
	count          int
	free           int32
	oldest, newest int32
}

func newFragTable(limit int) fragTable {
	size := 8
	for size < 2*limit {
		size *= 2
	}
	t := fragTable{slots: make([]int32, size), max: limit, free: -1, oldest: -1, newest: -1}
	for i := range t.slots {
		t.slots[i] = -1
	}
	return t
}

// slot returns the slot of k, or the empty slot for it. There is always one, because the table is at most half full.
func (t *fragTable) slot(k *fragKey) int {
	mask := len(t.slots) - 1
	s := int(k.hash()) & mask
	for t.slots[s] >= 0 && t.pool[t.slots[s]].key != *k {
		s = (s + 1) & mask
	}
	return s
}

// insert adds a datagram at an empty slot. The table must not be full.
func (t *fragTable) insert(s int, k fragKey, now int64) int32 {
	i := t.free
	if i >= 0 {
		t.free = t.pool[i].newer
	} else {
		i = int32(len(t.pool))
		t.pool = append(t.pool, datagram{})
	}
	d := &t.pool[i]
	*d = datagram{key: k, began: now, newer: -1, older: t.newest, total: -1}
	for j := range d.blocks {
		d.blocks[j] = -1
	}
	if t.newest >= 0 {
		t.pool[t.newest].newer = i
	} else {
		t.oldest = i
	}
	t.newest = i
	t.slots[s] = i
	t.count++
	return i
}

// remove removes a datagram from the table and the list.
func (t *fragTable) remove(i int32) {
	d := &t.pool[i]
	t.unslot(t.slot(&d.key))
	if d.older >= 0 {
		t.pool[d.older].newer = d.newer
	} else {
		t.oldest = d.newer
	}
	if d.newer >= 0 {
		t.pool[d.newer].older = d.older
	} else {
		t.newest = d.older
	}
	d.newer = t.free
	t.free = i
	t.count--
}

// unslot empties a slot and moves up the following entries that would not be found any more.
func (t *fragTable) unslot(s int) {
	mask := len(t.slots) - 1
	t.slots[s] = -1
	for next := (s + 1) & mask; t.slots[next] >= 0; next = (next + 1) & mask {
		home := int(t.pool[t.slots[next]].key.hash()) & mask
		if (next-home)&mask >= (next-s)&mask {
			t.slots[s], t.slots[next] = t.slots[next], -1
			s = next
		}
	}
}
