// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// State is the state of a learned contract.
type State uint8

// The states, in the order in which a contract passes through them.
const (
	Learning  State = iota // what it does is counted, and nothing is allowed or reported
	Review                 // the contract stands; what is outside is reported at severity low
	Armed                  // what is outside is reported
	Frozen                 // as Armed, and nothing ages
	TooVaried              // the device does too much for a contract
	lastState = TooVaried
)

// Observing is the state of a device that has no contract yet: it is seen on its first day, and nothing is learned of it.
const Observing = "observing"

var stateNames = [...]string{"learning", "review", "armed", "frozen", "too_varied"}

// String returns the name of a state: "too_varied".
func (s State) String() string { return stateNames[s] }

// ParseState returns the state of a name; ok is false if there is none.
func ParseState(s string) (State, bool) {
	i := slices.Index(stateNames[:], s)
	return State(max(i, 0)), i >= 0
}

// Learned is the learned contract of a device.
type Learned struct {
	Device    string // its key
	Role      device.Role
	State     State
	Began     int64   // first session, capture clock
	Since     int64   // it is in its state since then
	NewAt     int64   // when the last new candidate appeared
	Suspect   int64   // nothing is learned before that time, because of an incident
	ByAnalyst bool    // an analyst armed it
	Firmware  string  // of the device, when it last had a session
	Updated   int64   // when the firmware has changed; 0: it was not seen to change
	Outside   uint64  // sessions outside the contract since it is in its state
	Unseen    float64 // the estimate of unseen behavior when learning ended
	Unmet     string  // why learning ended with a higher estimate; "" if it did not
	LastUse   int64
	Week      [weekHours]uint32 // sessions by hour of the week

	entries  map[Key]*LearnedEntry
	declared bool // it has, or had, entries that were not learned
	changed  bool
}

// Alerts reports whether what is outside the contract is an alert. Before a contract is armed it is not.
func (c *Learned) Alerts() bool { return c.State == Armed || c.State == Frozen }

// decides reports whether the contract has entries that allow sessions.
func (c *Learned) decides() bool { return c != nil && (c.Enforced() || c.declared) }

// Enforced reports whether what was learned decides about sessions. Declared entries always do.
func (c *Learned) Enforced() bool { return c.State == Review || c.State == Armed || c.State == Frozen }

// Entries returns the entries, sorted; with candidates also those that are not learned.
func (c *Learned) Entries(candidates bool) (out []*LearnedEntry) {
	for _, e := range c.entries {
		if e.Learned || candidates {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *LearnedEntry) int { return compareKeys(a.Key, b.Key) })
	return out
}

// Empty reports whether nothing was learned of what the device opens: such a contract reports nothing.
func (c *Learned) Empty() bool {
	for _, e := range c.entries {
		if e.Learned && e.Dir == session.Out {
			return false
		}
	}
	return true
}

// Estimate returns the Good-Turing estimate of unseen behavior: the share of the sessions that belong to an entry used once (n1/N). It is the
// probability that the next session is of a kind never seen before. Without sessions it is 1.
func (c *Learned) Estimate() float64 {
	once, all := 0, uint64(0)
	for _, e := range c.entries {
		if all += e.Uses; e.Uses == 1 {
			once++
		}
	}
	if all == 0 {
		return 1
	}
	return float64(once) / float64(all)
}

// Rare reports whether the device seldom has sessions at this hour of the week: a fifth of an even share or less, with one session added to each
// hour (Laplace).
func (c *Learned) Rare(now int64) bool {
	all := uint64(0)
	for _, n := range c.Week {
		all += uint64(n)
	}
	return 5*weekHours*(uint64(c.Week[hourOfWeek(now)])+1) <= all+weekHours
}

// Result is what a learned contract says about a session.
type Result uint8

// In the order in which they are preferred.
const (
	Allows      Result = iota // an entry allows it
	Refuses                   // an entry refuses it, and asks not to report it
	OutOfHours                // an entry would allow it at other hours
	WasAllowed                // an entry allowed it until it became stale
	OtherPort                 // an entry allows the peer by another protocol, port or application
	SameDomain                // the nearest entry is another name of the same domain
	SameService               // the nearest entry has the same protocol and port with another peer
	Unknown                   // no entry is near
)

// Evaluate compares a session with the contract, and returns the entry that decides or is nearest; nil if there is none.
func (c *Learned) Evaluate(x *Contact, now int64) (Result, *LearnedEntry) {
	best, at := Unknown, (*LearnedEntry)(nil)
	for _, e := range c.entries {
		if !e.Learned || e.Dir != x.Dir || !c.Enforced() && !e.declared() {
			continue
		}
		r := e.evaluate(x, now)
		if r < best || r == best && at != nil && compareKeys(e.Key, at.Key) < 0 {
			best, at = r, e
		}
	}
	return best, at
}

func (e *LearnedEntry) evaluate(x *Contact, now int64) Result {
	service := e.serves(x)
	switch includes := e.includes(x); {
	case includes && service && e.Refuse:
		return Refuses
	case includes && service && e.Stale:
		return WasAllowed
	case includes && service && !e.Hours.Has(now):
		return OutOfHours
	case includes && service:
		return Allows
	case e.Refuse || e.Stale:
		return Unknown
	case includes:
		return OtherPort
	case service && sameDomain(e.Peer, x.Peer):
		return SameDomain
	case e.hasPort(x):
		return SameService
	}
	return Unknown
}

func sameDomain(a, b PeerKey) bool {
	if a.Kind != ByName && a.Kind != ByDomain || b.Kind != ByName {
		return false
	}
	d := registered(b.Text)
	return d != "" && (a.Text == d || below(a.Text, d))
}

// byName reports whether an entry would allow v under the right name of the responder.
func (c *Learned) byName(v *session.View) bool {
	for _, e := range c.entries {
		if e.Learned && e.Dir == session.Out && (e.Peer.Kind == ByName || e.Peer.Kind == ByDomain) &&
			(c.Enforced() || e.declared()) && e.hasPort(&Contact{Key: Key{Proto: v.Proto, Port: serverPort(v)}, port: v.Responder.Port}) {
			return true
		}
	}
	return false
}

// enough reports whether a candidate has been used enough to count: in three sessions, on two days and on a tenth of the days of learning, so that
// what is there on one day of twenty never counts.
func (e *LearnedEntry) enough(days int) bool {
	return e.Uses >= minUses && e.Days >= minDays && 10*int(e.Days) >= days && !(e.Peer.Bare() && e.gaps.regular())
}

const (
	minUses = 3
	minDays = 2
)

// Summary describes the state in one line: "learning for 3 days, 12 candidates, unseen 2.1 %".
func (c *Learned) Summary(now int64) string {
	all, learned := len(c.entries), len(c.Entries(false))
	since := fmt.Sprintf("since %s", time.Unix(0, c.Since).UTC().Format("2006-01-02"))
	switch c.State {
	case Learning:
		return fmt.Sprintf("learning since %s: %d candidates, %d of them used often enough, unseen %.1f %%",
			time.Unix(0, c.Began).UTC().Format("2006-01-02"), all, learned, 100*c.Estimate())
	case TooVaried:
		return fmt.Sprintf("too_varied %s: it does too much for a contract, and is expected to be normal", since)
	}
	parts := []string{fmt.Sprintf("%s %s: %d entries, unseen %.1f %%", c.State, since, learned, 100*c.Unseen)}
	if n := all - learned; n > 0 {
		parts = append(parts, fmt.Sprintf("%d proposed", n))
	}
	if c.Outside > 0 {
		parts = append(parts, fmt.Sprintf("%d sessions outside", c.Outside))
	}
	if c.ByAnalyst {
		parts = append(parts, "by an analyst")
	}
	if c.Unmet != "" {
		parts = append(parts, c.Unmet)
	}
	if c.Suspect > now {
		parts = append(parts, "nothing is refreshed because of an open incident")
	}
	return strings.Join(parts, "; ")
}

// reset starts the contract again.
func (c *Learned) reset(now int64) {
	*c = Learned{Device: c.Device, Role: c.Role, State: Learning, Began: now, Since: now, NewAt: now, Suspect: c.Suspect, LastUse: c.LastUse, Firmware: c.Firmware, Updated: c.Updated,
		entries: map[Key]*LearnedEntry{}, changed: c.changed}
}

// enter changes the state.
func (c *Learned) enter(s State, now int64) { c.State, c.Since, c.Outside = s, now, 0 }
