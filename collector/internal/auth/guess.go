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

// A name is braked only briefly, so that an attacker cannot shut its owner out; an address, from which one source guesses
// many names, for longer.
var (
	nameBrake = brake{Free: 3, Longest: 30 * time.Second}
	addrBrake = brake{Free: 10, Longest: 15 * time.Minute}
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

// guesses counts failed sign-ins by name and by address, in a bounded table.
type guesses struct {
	mu sync.Mutex
	by map[string]*tries
}

func newGuesses() *guesses { return &guesses{by: map[string]*tries{}} }

// begin counts an attempt before its password is looked at, so that attempts at once cannot slip past the brake; success
// takes it back. It refuses with a *TooSoonError while a wait lasts.
func (g *guesses) begin(name, remote string, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, a := g.entry(nameKey(name), now), g.entry(addrKey(remote), now)
	if wait := max(n.blocked.Sub(now), a.blocked.Sub(now)); wait > 0 {
		return &TooSoonError{After: wait}
	}
	nameBrake.count(n, now)
	addrBrake.count(a, now)
	return nil
}

// success forgets the failures of a name, and takes the attempt itself from those of the address: failures that came from
// there against other names stay.
func (g *guesses) success(name, remote string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.by, nameKey(name))
	if a := g.by[addrKey(remote)]; a != nil && a.count > 0 {
		a.count--
		a.blocked = time.Time{}
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
