// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"container/list"
	"net/netip"
)

// DefaultNames is how many (client, address) pairs are remembered by default.
const DefaultNames = 200_000

// A name is kept beyond its TTL, because a client goes on to use an address that it has resolved, and a day at most.
const (
	minKeepNs = 3600 * 1e9
	maxKeepNs = 86400 * 1e9
)

type nameKey struct{ client, addr netip.Addr }

type nameEntry struct {
	key   nameKey
	name  string
	until int64
}

// Names remembers under which name a client looked an address up. It is bounded: when it is full, the pair learned
// longest ago is forgotten and counted. Not safe for concurrent use.
type Names struct {
	limit   int
	entries map[nameKey]*list.Element
	order   *list.List // of *nameEntry, oldest first
	evicted uint64
}

// NewNames gives an empty cache of at most limit pairs; limit <= 0 means DefaultNames.
func NewNames(limit int) *Names {
	if limit <= 0 {
		limit = DefaultNames
	}
	return &Names{limit: limit, entries: make(map[nameKey]*list.Element), order: list.New()}
}

// Learn notes that client was told that name has address addr. ttl is in seconds, now in nanoseconds of the capture
// clock. The caller gives the name that was asked, not the end of a CNAME chain.
func (n *Names) Learn(client, addr netip.Addr, name string, ttl uint32, now int64) {
	if name == "" || !addr.IsValid() {
		return
	}
	keep := min(max(int64(ttl)*1e9, minKeepNs), maxKeepNs)
	n.put(nameKey{client, addr}, name, now+keep)
	// Under the zero client stands what anybody was told last.
	n.put(nameKey{addr: addr}, name, now+keep)
}

func (n *Names) put(k nameKey, name string, until int64) {
	if el, ok := n.entries[k]; ok {
		e := el.Value.(*nameEntry)
		e.name, e.until = name, until
		n.order.MoveToBack(el)
		return
	}
	for len(n.entries) >= n.limit {
		n.drop(n.order.Front())
		n.evicted++
	}
	n.entries[k] = n.order.PushBack(&nameEntry{k, name, until})
}

func (n *Names) drop(el *list.Element) {
	delete(n.entries, el.Value.(*nameEntry).key)
	n.order.Remove(el)
}

// Lookup gives the name under which client, or failing that anybody, looked addr up.
func (n *Names) Lookup(client, addr netip.Addr, now int64) (name string, ok bool) {
	if name, ok = n.get(nameKey{client, addr}, now); ok {
		return name, true
	}
	return n.get(nameKey{addr: addr}, now)
}

func (n *Names) get(k nameKey, now int64) (string, bool) {
	el, ok := n.entries[k]
	if !ok {
		return "", false
	}
	e := el.Value.(*nameEntry)
	if now > e.until {
		n.drop(el)
		return "", false
	}
	return e.name, true
}

// Len is the number of pairs held, Evicted how many were forgotten because the cache was full.
func (n *Names) Len() int { return len(n.entries) }

// Evicted counts the pairs that were forgotten because the cache was full.
func (n *Names) Evicted() uint64 { return n.evicted }
