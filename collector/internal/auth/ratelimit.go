// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// RateLimitError rejects a sign-in before the password is checked, after too many failed attempts.
type RateLimitError struct {
	After time.Duration // how long to wait
}

// Error implements error.
func (e *RateLimitError) Error() string {
	return fmt.Sprintf("too many failed attempts: try again in %s", e.After.Round(time.Second))
}

// limit is an exponential backoff: the first Free attempts are not delayed, then the delay doubles with each attempt, from one second
// up to Longest.
type limit struct {
	Free    int
	Longest time.Duration
}

// pairLimit counts per user name and source address, so that an attacker who knows a name cannot lock out its owner. sourceLimit
// counts per source address, against password spraying, and delays longer. nameLimit counts per name, against distributed attacks,
// and exempts sources from which the user has signed in before. Two cases remain: during a distributed attack, the owner may have to
// wait up to 30 s at a new address; and an owner who shares an address with an attacker shares its limit.
var (
	pairLimit   = limit{Free: 3, Longest: 30 * time.Second}
	sourceLimit = limit{Free: 10, Longest: 15 * time.Minute}
	nameLimit   = limit{Free: 30, Longest: 30 * time.Second}
)

const (
	expireAfter = time.Hour // since the last attempt
	maxTracked  = 10_000
)

type attempts struct {
	count   int
	last    time.Time
	blocked time.Time // until then
}

// limiter counts failed sign-ins in a bounded table.
type limiter struct {
	mu sync.Mutex
	by map[string]*attempts
}

func newLimiter() *limiter { return &limiter{by: map[string]*attempts{}} }

// begin counts an attempt before its password is checked, so that concurrent attempts cannot bypass the limit; success undoes it. It
// returns a *RateLimitError during a delay. known means that the user has signed in from this source before.
func (l *limiter) begin(name, remote string, known bool, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pair, source := l.entry(pairKey(name, remote), now), l.entry(sourceKey(remote), now)
	wait := max(pair.blocked.Sub(now), source.blocked.Sub(now))
	all := &attempts{} // not counted for a known source
	if !known {
		all = l.entry(nameKey(name), now)
		wait = max(wait, all.blocked.Sub(now))
	}
	if wait > 0 {
		return &RateLimitError{After: wait}
	}
	pairLimit.count(pair, now)
	sourceLimit.count(source, now)
	nameLimit.count(all, now)
	return nil
}

// success deletes the failures of a name from this source and undoes the current attempt for the source and the name. Failures for
// other names or from other sources remain.
func (l *limiter) success(name, remote string, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, pairKey(name, remote))
	keys := []string{sourceKey(remote)}
	if !known {
		keys = append(keys, nameKey(name))
	}
	for _, key := range keys {
		if t := l.by[key]; t != nil && t.count > 0 {
			t.count--
			t.blocked = time.Time{}
		}
	}
}

func (m limit) count(t *attempts, now time.Time) {
	t.count++
	t.last = now
	over := t.count - m.Free
	if over < 0 {
		return
	}
	t.blocked = now.Add(min(m.Longest, time.Second<<min(over, 30)))
}

func (l *limiter) entry(key string, now time.Time) *attempts {
	t := l.by[key]
	if t != nil && now.Sub(t.last) < expireAfter {
		return t
	}
	if t == nil && len(l.by) >= maxTracked {
		l.evict(now)
	}
	t = &attempts{last: now}
	l.by[key] = t
	return t
}

// evict deletes expired entries or, if there are too few, the least recently used tenth: many at once, so that an attacker who fills
// the table does not make every attempt scan it.
func (l *limiter) evict(now time.Time) {
	keys := make([]string, 0, len(l.by))
	for key, t := range l.by {
		if now.Sub(t.last) >= expireAfter {
			delete(l.by, key)
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) < maxTracked {
		return
	}
	slices.SortFunc(keys, func(a, b string) int { return l.by[a].last.Compare(l.by[b].last) })
	for _, key := range keys[:len(keys)/10] {
		delete(l.by, key)
	}
}

// nameKey truncates the name, so that long names cannot use up memory.
func nameKey(name string) string {
	return "n:" + strings.ToLower(name[:min(len(name), maxName)])
}

func pairKey(name, remote string) string { return sourceKey(remote) + " " + nameKey(name) }

// sourceKey returns the key of a source address. An IPv6 /64 is one source, because one host usually has all addresses in it.
func sourceKey(remote string) string {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return "a:?"
	}
	if a = a.Unmap(); a.Is6() {
		return "a:" + netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
	}
	return "a:" + a.String()
}
