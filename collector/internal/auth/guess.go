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

// TooSoonError refuses a sign-in without looking at the password, because too many were wrong before.
type TooSoonError struct {
	After time.Duration // how long to wait
}

func (e *TooSoonError) Error() string {
	return fmt.Sprintf("too many failed attempts: wait %s", e.After.Round(time.Second))
}

// brake says how attempts under one key are slowed: the first Free cost nothing, then each doubles the wait from one
// second up to Longest.
type brake struct {
	Free    int
	Longest time.Duration
}

// Who guesses brakes himself: a name is braked for each source apart, so that a stranger who knows it cannot shut its owner out, and a
// source that guesses many names for longer. Guesses at one name from many sources brake the name for all (wideBrake) but those who come
// from where its owner has signed in before. What remains: an owner who comes from a new place may wait up to 30 s at a time
// while the name is under such an attack, and one who shares an address with an attacker shares its brake.
var (
	nameBrake = brake{Free: 3, Longest: 30 * time.Second}
	addrBrake = brake{Free: 10, Longest: 15 * time.Minute}
	wideBrake = brake{Free: 30, Longest: 30 * time.Second}
)

const (
	forgetAfter = time.Hour // without an attempt
	maxTracked  = 10_000
)

type tries struct {
	count   int
	last    time.Time
	blocked time.Time // until then
}

// guesses counts failed sign-ins by name and address, by address, and by name, in a bounded table.
type guesses struct {
	mu sync.Mutex
	by map[string]*tries
}

func newGuesses() *guesses { return &guesses{by: map[string]*tries{}} }

// begin counts an attempt before its password is looked at, so that attempts at once cannot slip past the brake; success
// takes it back. It refuses with a *TooSoonError while a wait lasts. known: the user of that name has signed in from there before.
func (g *guesses) begin(name, remote string, known bool, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, a := g.entry(pairKey(name, remote), now), g.entry(addrKey(remote), now)
	wait := max(n.blocked.Sub(now), a.blocked.Sub(now))
	wide := &tries{} // of nobody
	if !known {
		wide = g.entry(nameKey(name), now)
		wait = max(wait, wide.blocked.Sub(now))
	}
	if wait > 0 {
		return &TooSoonError{After: wait}
	}
	nameBrake.count(n, now)
	addrBrake.count(a, now)
	wideBrake.count(wide, now)
	return nil
}

// success forgets the failures of a name from this address, and takes the attempt itself from those of the address and of the name:
// failures against other names, or from elsewhere, stay.
func (g *guesses) success(name, remote string, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, pairKey(name, remote))
	keys := []string{addrKey(remote)}
	if !known {
		keys = append(keys, nameKey(name))
	}
	for _, key := range keys {
		if t := g.by[key]; t != nil && t.count > 0 {
			t.count--
			t.blocked = time.Time{}
		}
	}
}

func (b brake) count(t *tries, now time.Time) {
	t.count++
	t.last = now
	over := t.count - b.Free
	if over < 0 {
		return
	}
	t.blocked = now.Add(min(b.Longest, time.Second<<min(over, 30)))
}

func (g *guesses) entry(key string, now time.Time) *tries {
	t := g.by[key]
	if t != nil && now.Sub(t.last) < forgetAfter {
		return t
	}
	if t == nil && len(g.by) >= maxTracked {
		g.evict(now)
	}
	t = &tries{last: now}
	g.by[key] = t
	return t
}

// evict drops what is old and, if that is not enough, the tenth of the entries that were quiet for longest: many at once, so
// that an attacker who fills the table does not make each attempt search it.
func (g *guesses) evict(now time.Time) {
	keys := make([]string, 0, len(g.by))
	for key, t := range g.by {
		if now.Sub(t.last) >= forgetAfter {
			delete(g.by, key)
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) < maxTracked {
		return
	}
	slices.SortFunc(keys, func(a, b string) int { return g.by[a].last.Compare(g.by[b].last) })
	for _, key := range keys[:len(keys)/10] {
		delete(g.by, key)
	}
}

// nameKey cuts what a client sent as a name, so that long names cost no memory.
func nameKey(name string) string {
	return "n:" + strings.ToLower(name[:min(len(name), maxName)])
}

func pairKey(name, remote string) string { return addrKey(remote) + " " + nameKey(name) }

// addrKey takes an IPv6 network of 64 bits as one source: its owner has all addresses in it.
func addrKey(remote string) string {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return "a:?"
	}
	if a = a.Unmap(); a.Is6() {
		return "a:" + netip.PrefixFrom(a.WithZone(""), 64).Masked().String()
	}
	return "a:" + a.String()
}
