// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const hourNs = 3600 * 1e9

// Provenance is where an entry of a contract comes from.
type Provenance uint8

// The sources of entries.
const (
	ProvLearned    Provenance = iota
	ProvApproved              // by an analyst
	ProvInventory             // from the allow list of the inventory
	ProvRole                  // from the template of the role
	ProvMUD                   // from a profile by RFC 8520
	lastProvenance = ProvMUD
)

var provenances = [...]string{"learned", "approved", "inventory", "role", "mud"}

// String returns the name of a provenance: "learned".
func (p Provenance) String() string { return provenances[p] }

// Key identifies an entry of a learned contract: what one device does with one peer.
type Key struct {
	Dir   session.Dir
	Proto uint8
	Port  uint16 // of the server; 0 if the protocol has none, or if it is one of the ports that hosts assign themselves
	To    uint16 // of a declared range of ports that begins with Port; 0: there is no range
	App   string // "" if it was not recognized
	Peer  PeerKey
}

// dynamicPort is the first port of the range that hosts assign themselves (RFC 6335, section 6). Media over UDP begins lower.
const (
	dynamicPort    = 49152
	dynamicPortUDP = 32768
)

// serverPort returns the port of a key: 0 stands for all ports that hosts assign themselves.
func serverPort(v *session.View) uint16 {
	p := v.Responder.Port
	if !v.HasPorts || p >= dynamicPort || v.Proto == 17 && p >= dynamicPortUDP {
		return 0
	}
	return p
}

// String returns the form of the entry in alerts: "out tcp 443 tls to *.example.com".
func (k Key) String() string {
	dir, prep := "out", "to"
	if k.Dir == session.In {
		dir, prep = "in", "from"
	}
	return strings.Join(slices.DeleteFunc([]string{dir, protoName(k.Proto), portText(k), k.App, prep, k.Peer.String()}, func(s string) bool { return s == "" }), " ")
}

// anyProto is the protocol of an entry that includes all. No session has it: it is the number of an option header of IPv6.
const anyProto = 0

func protoName(p uint8) string {
	switch p {
	case anyProto:
		return "any"
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 58:
		return "icmp6"
	case 132:
		return "sctp"
	}
	return strconv.Itoa(int(p))
}

func hasPorts(proto uint8) bool { return proto == 6 || proto == 17 || proto == 132 }

func portText(k Key) string {
	switch {
	case !hasPorts(k.Proto):
		return ""
	case k.Port == 0 && k.To == lastPort:
		return "any"
	case k.To > k.Port:
		return fmt.Sprintf("%d-%d", k.Port, k.To)
	case k.Port == 0:
		return "dynamic"
	}
	return strconv.Itoa(int(k.Port))
}

const lastPort = 65535

// withPorts returns the key with a range of ports in its only form: one port is a range only if it is among those that hosts assign themselves.
func (k Key) withPorts(first, last uint16) Key {
	k.Port, k.To = first, last
	if first == last && (first < dynamicPortUDP || first < dynamicPort && k.Proto != 17) {
		k.To = 0
	}
	return k
}

// serves reports whether the key includes the protocol and the port of a session, and its application if both are known.
func (k *Key) serves(c *Contact) bool {
	return k.hasPort(c) && (k.App == c.App || k.App == "" || c.App == "")
}

func (k *Key) hasPort(c *Contact) bool {
	switch {
	case k.Proto == anyProto:
		return true
	case k.Proto != c.Proto:
		return false
	case k.To != 0:
		return c.port >= k.Port && c.port <= k.To
	}
	return k.Port == c.Port
}

// compareKeys orders keys as exports list them.
func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.Peer.Kind, b.Peer.Kind), cmp.Compare(a.Peer.String(), b.Peer.String()),
		cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port), cmp.Compare(a.To, b.To), cmp.Compare(a.App, b.App))
}

// LearnedEntry is an entry of a learned contract, or a candidate for one.
type LearnedEntry struct {
	Key
	From        Provenance
	Learned     bool // it counts: it was used on enough days, or an analyst approved it
	Stale       bool // unused for 90 days: it allows nothing until an analyst approves it
	Refuse      bool // it never allows, and is not reported either: the analyst knows and does not want to hear of it
	Hours       Hours
	First, Last int64 // of its uses, to the hour; 0 if there is none
	Uses        uint64
	Days        uint32 // on which it was used
	Refused     uint64 // sessions that Refuse has kept silent
	Addr        packet.Addr
	Note        string // where it is declared ("ACL a, ACE b"), or why it is proposed
	lastDay     uint32
	held        held
	gaps        gaps
	changed     bool // since it was saved
}

// held counts the uses of the current and the previous hour. They become uses only when they are an hour old, so that an incident can take
// them back.
type held struct {
	hour uint32 // since the epoch
	n    [2]uint32
}

// use counts n uses in an hour.
func (e *LearnedEntry) use(hour uint32, n uint32) {
	e.settle(hour)
	switch h := &e.held; {
	case hour == h.hour:
		h.n[1] += n
	case hour == h.hour-1:
		h.n[0] += n
	default:
		e.commit(hour, n)
	}
}

// settle counts what is more than an hour old.
func (e *LearnedEntry) settle(hour uint32) {
	h := &e.held
	if hour <= h.hour {
		return
	}
	old := [2]uint32{h.n[0], h.n[1]}
	at := h.hour
	if h.hour, h.n = hour, [2]uint32{}; at == hour-1 {
		h.n[0], old[1] = old[1], 0
	}
	e.commit(at-1, old[0])
	e.commit(at, old[1])
}

func (e *LearnedEntry) commit(hour uint32, n uint32) {
	if n == 0 {
		return
	}
	at := int64(hour) * hourNs
	if e.First == 0 || at < e.First {
		e.First = at
	}
	if e.Last = max(e.Last, at); e.Uses == 0 || hour/24 > e.lastDay {
		e.Days, e.lastDay = e.Days+1, hour/24
	}
	e.Uses += uint64(n)
	e.changed = true
}

// declared reports whether a person or the vendor has declared the entry, which then counts in every state of the contract.
func (e *LearnedEntry) declared() bool { return e.From != ProvLearned }

// take adds the uses of another entry, which this one replaces. Both may have been used on the same days, so the greater number counts.
func (e *LearnedEntry) take(o *LearnedEntry, hour uint32) {
	e.settle(hour)
	o.settle(hour)
	if o.First != 0 && (e.First == 0 || o.First < e.First) {
		e.First = o.First
	}
	e.Last, e.Uses, e.Days, e.lastDay = max(e.Last, o.Last), e.Uses+o.Uses, max(e.Days, o.Days), max(e.lastDay, o.lastDay)
	e.held.n[0] += o.held.n[0]
	e.held.n[1] += o.held.n[1]
	e.Learned = e.Learned || o.Learned
	e.changed = true
}

// String returns the entry with its provenance, as an alert names it.
func (e *LearnedEntry) String() string {
	from := e.From.String()
	if e.From == ProvMUD && e.Note != "" {
		from += ", " + e.Note
	}
	text := fmt.Sprintf("%s (%s)", e.Key, from)
	if e.Hours != (Hours{}) {
		text += " only " + e.Hours.String()
	}
	return text
}

// gaps are the last intervals between the uses of a peer that is only an address, in seconds.
type gaps struct {
	last int64 // seconds since the epoch
	n    uint8
	list [maxGaps]uint32
}

const (
	maxGaps  = 16
	minGaps  = 5
	coreGaps = 0.6  // share of the gaps that are not pauses: two of three with three calls a day
	maxVary  = 0.35 // standard deviation of those over their mean; 0.29 for gaps that vary by half
)

func (g *gaps) add(at int64) {
	sec := at / 1e9
	if gap := sec - g.last; g.last != 0 && gap > 0 {
		g.list[g.n%maxGaps] = uint32(min(gap, 1<<31))
		if g.n++; g.n >= 2*maxGaps {
			g.n -= maxGaps
		}
	}
	g.last = max(g.last, sec)
}

// regular reports whether the uses look periodic: most gaps vary little around their median. Pauses of more than 1.7 medians, such as nights, are
// left out.
func (g *gaps) regular() bool {
	n := min(int(g.n), maxGaps)
	if n < minGaps {
		return false
	}
	list := slices.Sorted(slices.Values(g.list[:n]))
	limit := 1.7 * float64(list[n/2])
	sum, squares, core := 0.0, 0.0, 0.0
	for _, x := range list {
		if f := float64(x); f <= limit {
			sum, squares, core = sum+f, squares+f*f, core+1
		}
	}
	mean := sum / core
	return core >= coreGaps*float64(n) && squares/core-mean*mean <= maxVary*maxVary*mean*mean
}

// Hours is the set of the hours of a week, from Sunday 00:00 UTC. The zero value means all.
type Hours [3]uint64

const weekHours = 7 * 24

func hourOfWeek(now int64) int { return int((now/hourNs + 4*24) % weekHours) } // 1970-01-01 was a Thursday

// Has reports whether a time (nanoseconds since the epoch) is within the hours.
func (h Hours) Has(now int64) bool {
	i := hourOfWeek(now)
	return h == Hours{} || h[i/64]&(1<<(i%64)) != 0
}

func (h *Hours) set(i int) { h[i/64] |= 1 << (i % 64) }

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// String returns the hours as ParseHours reads them: "mon-fri 08-18". Days with the same hours are joined.
func (h Hours) String() string {
	var parts []string
	for d := 0; d < 7; {
		day, last := h.day(d), d
		for last+1 < 7 && h.day(last+1) == day {
			last++
		}
		if day != 0 {
			days := dayNames[d]
			if last > d {
				days += "-" + dayNames[last]
			}
			for _, r := range runs(day) {
				parts = append(parts, fmt.Sprintf("%s %02d-%02d", days, r[0], r[1]))
			}
		}
		d = last + 1
	}
	return strings.Join(parts, ", ")
}

func (h Hours) day(d int) (mask uint32) {
	for i := range 24 {
		if x := d*24 + i; h[x/64]&(1<<(x%64)) != 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// runs returns the ranges of set bits, each without its end.
func runs(mask uint32) (out [][2]int) {
	for at := 0; mask>>at != 0; {
		from := at + bits.TrailingZeros32(mask>>at)
		to := from + bits.TrailingZeros32(^(mask >> from))
		out, at = append(out, [2]int{from, to}), to
	}
	return out
}

// ParseHours reads hours of the week in UTC: "mon-fri 08-18, sat 09-12". The second hour is not included.
func ParseHours(s string) (h Hours, err error) {
	for _, part := range strings.Split(s, ",") {
		days, span, ok := strings.Cut(strings.TrimSpace(part), " ")
		first, last, _ := strings.Cut(days, "-")
		from, to, dash := strings.Cut(span, "-")
		a, b := slices.Index(dayNames[:], first), slices.Index(dayNames[:], cmp.Or(last, first))
		x, e1 := strconv.Atoi(from)
		y, e2 := strconv.Atoi(to)
		if !ok || !dash || a < 0 || b < a || e1 != nil || e2 != nil || x < 0 || y <= x || y > 24 {
			return Hours{}, fmt.Errorf(`%q: hours look like "mon-fri 08-18, sat 09-12", in UTC; a week begins with sun`, part)
		}
		for d := a; d <= b; d++ {
			for i := x; i < y; i++ {
				h.set(d*24 + i)
			}
		}
	}
	return h, nil
}
