// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/lru"
)

// DefaultNames is the default number of (client, address) pairs.
const DefaultNames = 200_000

// A name is kept beyond its TTL, because clients keep using an address that they have resolved, but at most a day.
const (
	minKeepNs = 3600 * 1e9
	maxKeepNs = 86400 * 1e9
)

// nameKey is a client and an address, both as 16 bytes. The zero client means any client, the zero address any address.
type nameKey struct{ client, addr [16]byte }

type nameEntry struct {
	name  string
	until int64
	older []agedName // newest first, at most maxOlder: sites that share a server share an address
}

type agedName struct {
	name  string
	until int64
}

const maxOlder = 7

// Names keeps the names under which clients looked up addresses. When it is full, the pair that was learned longest ago is evicted and
// counted. It is not safe for concurrent use.
type Names struct {
	pairs *lru.Table[nameKey, nameEntry]
}

// NewNames returns an empty cache of at most limit pairs, DefaultNames if limit <= 0.
func NewNames(limit int) *Names {
	if limit <= 0 {
		limit = DefaultNames
	}
	return &Names{lru.New[nameKey, nameEntry](limit)}
}

// Learn records a DNS answer to client: name has the address addr. name is the name in the question, not the end of a CNAME chain. ttl is
// in seconds, now in nanoseconds of the capture clock.
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
	*n.pairs.Put(nameKey{addr: k.addr}) = nameEntry{name: name, until: until} // the last answer to any client
	*n.pairs.Put(nameKey{client: k.client}) = nameEntry{name: name, until: now + maxKeepNs}
}

// Own returns the names under which this client itself looked up addr, the latest first; nil if there are none. Only these show which host
// it meant to reach; the names of other clients are for display.
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

// Asks reports whether a DNS answer to this client was seen within the last day: its lookups are visible to the sensor.
func (n *Names) Asks(client netip.Addr, now int64) bool {
	_, ok := n.get(nameKey{client: pack(client)}, now)
	return ok
}

// question is the address under which the latest question of a client is kept: that of no host (RFC 6666 has the prefix for discarded packets).
var question = netip.MustParseAddr("100::ffff").As16()

// askedNs is how long a question counts.
const askedNs = 60 * 1e9

// Ask records that a client asked for a name.
func (n *Names) Ask(client netip.Addr, name string, now int64) {
	*n.pairs.Put(nameKey{pack(client), question}) = nameEntry{name: name, until: now + askedNs}
}

// Answered records that the latest question of a client was answered.
func (n *Names) Answered(client netip.Addr) { n.pairs.Drop(nameKey{pack(client), question}) }

// Asked returns the name for which a client asked last, if that was a moment ago and no answer was seen.
func (n *Names) Asked(client netip.Addr, now int64) (name string, ok bool) {
	return n.get(nameKey{pack(client), question}, now)
}

// pack returns 16 bytes that differ for different addresses. "::" and IPv4-mapped addresses, which As16 does not tell from the invalid
// address and from IPv4, become group addresses with all flags set (RFC 7371), which no host has.
func pack(a netip.Addr) [16]byte {
	b := a.As16()
	if a.Is4In6() || a.Is6() && b == [16]byte{} {
		b[0], b[1] = 0xff, 0xff
	}
	return b
}

// Lookup returns the name under which client, or else any client, looked up addr. It is for display; nothing may be allowed because of it.
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

// Len returns the number of pairs.
func (n *Names) Len() int { return n.pairs.Len() }

// Evicted returns the number of pairs that were evicted because the cache was full.
func (n *Names) Evicted() uint64 { return n.pairs.Evicted() }
