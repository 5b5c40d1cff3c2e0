// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/lru"
)

// DefaultNames is how many (client, address) pairs are remembered by default.
const DefaultNames = 200_000

// A name is kept beyond its TTL, because a client goes on to use an address that it has resolved, and a day at most.
const (
	minKeepNs = 3600 * 1e9
	maxKeepNs = 86400 * 1e9
)

// nameKey is a client and an address, both as 16 bytes. The zero client stands for anybody, the zero address for any that the client was
// told.
type nameKey struct{ client, addr [16]byte }

type nameEntry struct {
	name  string
	until int64
	older []agedName // newest first, at most maxOlder: many names share an address where many sites share a server
}

type agedName struct {
	name  string
	until int64
}

const maxOlder = 7

// Names remembers under which name a client looked an address up. It is bounded: when it is full, the pair learned
// longest ago is forgotten and counted. Not safe for concurrent use.
type Names struct {
	pairs *lru.Table[nameKey, nameEntry]
}

// NewNames gives an empty cache of at most limit pairs; limit <= 0 means DefaultNames.
func NewNames(limit int) *Names {
	if limit <= 0 {
		limit = DefaultNames
	}
	return &Names{lru.New[nameKey, nameEntry](limit)}
}

// Learn notes that client was told that name has address addr. ttl is in seconds, now in nanoseconds of the capture
// clock. The caller gives the name that was asked, not the end of a CNAME chain.
func (n *Names) Learn(client, addr netip.Addr, name string, ttl uint32, now int64) {
	if name == "" || !addr.IsValid() {
		return
	}
	until := now + min(max(int64(ttl)*1e9, minKeepNs), maxKeepNs)
	k := nameKey{pack(client), pack(addr)}
	own := n.pairs.Put(k)
	if own.name != "" && own.name != name {
		own.older = slices.DeleteFunc(own.older, func(o agedName) bool { return o.name == name || now > o.until })
		own.older = slices.Insert(own.older, 0, agedName{own.name, own.until})
		own.older = own.older[:min(len(own.older), maxOlder)]
	}
	own.name, own.until = name, until
	*n.pairs.Put(nameKey{addr: k.addr}) = nameEntry{name: name, until: until} // what anybody was told last
	*n.pairs.Put(nameKey{client: k.client}) = nameEntry{name: name, until: now + maxKeepNs}
}

// Own gives the names under which this very client was told addr, the last first; nil if it was told none. Only these say whom it meant to
// reach: what others were told is for showing.
func (n *Names) Own(client, addr netip.Addr, now int64) []string {
	e := n.pairs.Peek(nameKey{pack(client), pack(addr)})
	if e == nil {
		return nil
	}
	var out []string
	if now <= e.until {
		out = append(out, e.name)
	}
	for _, o := range e.older {
		if now <= o.until {
			out = append(out, o.name)
		}
	}
	return out
}

// Asks reports whether an answer to this client was seen within the last day, so that its lookups can be believed to be in view.
func (n *Names) Asks(client netip.Addr, now int64) bool {
	_, ok := n.get(nameKey{client: pack(client)}, now)
	return ok
}

// pack gives 16 bytes that are different for different addresses. "::" and the IPv4-mapped form, which are not the invalid
// address and not IPv4, go where no host can be: into the group addresses with all flags set (RFC 7371).
func pack(a netip.Addr) [16]byte {
	b := a.As16()
	if a.Is4In6() || a.Is6() && b == [16]byte{} {
		b[0], b[1] = 0xff, 0xff
	}
	return b
}

// Lookup gives the name under which client, or failing that anybody, looked addr up: to show it, not to allow anything by it.
func (n *Names) Lookup(client, addr netip.Addr, now int64) (name string, ok bool) {
	k := nameKey{pack(client), pack(addr)}
	if name, ok = n.get(k, now); ok {
		return name, true
	}
	return n.get(nameKey{addr: k.addr}, now)
}

func (n *Names) get(k nameKey, now int64) (string, bool) {
	e := n.pairs.Peek(k)
	if e == nil {
		return "", false
	}
	if now > e.until {
		n.pairs.Drop(k)
		return "", false
	}
	return e.name, true
}

// Len is the number of pairs held, Evicted how many were forgotten because the cache was full.
func (n *Names) Len() int { return n.pairs.Len() }

// Evicted counts the pairs that were forgotten because the cache was full.
func (n *Names) Evicted() uint64 { return n.pairs.Evicted() }
