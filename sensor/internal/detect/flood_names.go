// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// torture counts what a device looks up below one domain. In an attack with random names (DNS water torture) every name is new, so each query
// reaches the servers of the domain, through any resolver, and hardly any name exists.
type torture struct {
	from    int64    // of the window
	names   int      // different names
	found   int      // answers with data
	bits    float64  // sum of the costs of the names, see randomness
	seen    []uint32 // hashes of the names, sorted
	counter counter  // windows that were a flood
}

func (t *torture) walk(c *snapshot.Codec) {
	c.Time(&t.from)
	c.Int(&t.names)
	c.Int(&t.found)
	c.Float(&t.bits)
	snapshot.List(c, &t.seen, maxTortureNames, func(h *uint32) { snapshot.Number(c, h) })
	t.counter.walk(c)
}

// maxTortureNames bounds the different names that are distinguished in a window; each further one counts as different.
const maxTortureNames = 256

// names counts a DNS message. Queries that a resolver asks for others do not count.
func (x *flood) names(e *Event, c *Context) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || m.MDNS || m.LLMNR || x.p.Names <= 0 || len(m.QName) < 4 || resolves(e.Initiator) || c.Quality.OneWay || e.Session.OneDirection {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	domain, below := splitName(m.QName)
	if below == "" || slices.Contains(x.p.Exempt, domain) {
		return
	}
	t := x.zones.put(zone{who, domain}, c.Now)
	if c.Now-t.from >= int64(x.p.NameSeconds)*second {
		*t = torture{from: c.Now, seen: t.seen[:0], counter: t.counter}
	}
	if m.Response {
		if m.RCode == "NOERROR" && len(m.Answers) > 0 {
			t.found++
		}
		return
	}
	if !t.add(below) || t.names < x.p.Names {
		return
	}
	if n := float64(t.names); float64(t.found) > x.p.Found*n || t.bits < x.p.NameBits*n {
		return
	}
	t.counter.begin(c.Now, day)
	due := t.counter.add(t.from)
	*t = torture{from: c.Now, seen: t.seen[:0], counter: t.counter}
	if due {
		c.Emit(x.namesFinding(e, c, t, domain))
	}
}

// add counts a name, and reports whether it is a new one.
func (t *torture) add(name string) bool {
	h := uint32(2166136261) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	i, known := slices.BinarySearch(t.seen, h)
	if known {
		return false
	}
	if len(t.seen) < maxTortureNames {
		t.seen = slices.Insert(t.seen, i, h)
	}
	t.names++
	t.bits += randomness(longestLabel(name))
	return true
}

func (x *flood) namesFinding(e *Event, c *Context, t *torture, domain string) *Finding {
	f := c.sessionFinding(x.Rule(), e, session.Out)
	expect, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Key, f.Stage, f.Severity = "names "+Clean(domain, 200), StageOutbound, max(Medium, callerSeverity(e.Initiator, expect, source))
	if e.Initiator != nil {
		f.Maintenance = c.verdict(e).Maintenance
	}
	f.Start, f.Total, f.Count = t.counter.first, t.counter.count, t.counter.take()
	f.Entities = append(f.Entities, "domain:"+Clean(domain, 253))
	who, victim := f.self(), name{Clean(domain, 80), Clean(domain, 40)}
	rate := fmt.Sprintf("%d different names within %s", x.p.Names, span(int64(x.p.NameSeconds)*second))
	f.Brief = "floods the servers of " + victim.brief()
	f.Title = headline("%s floods the servers of %s with random names", who, victim)
	f.Message = fmt.Sprintf("Expected: %s looks up names that exist. Seen: since %s it looked up %s below %s, and hardly any exists; each such query reaches the servers of the domain.",
		who.full, clock(t.counter.first), rate, victim.full)
	f.Reasons = []Reason{{Code: "names", Text: rate, Weight: 0.5}, {Code: "not_found", Text: "hardly any of them exists", Weight: 0.3}}
	if e.Initiator != nil && expect != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + expect.String(), Text: "expected: the device " + expectation(expect, source), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("a mail filter or a virus scanner asks a list of bad hosts; then exempt the domain"))
	f.Evidence = []Evidence{{Kind: "dns", Summary: rate + " below " + victim.full, Data: map[string]any{"domain": victim.full, "names": x.p.Names, "windows": t.counter.count}}}
	f.Recommendation = floodRule.advise("names", f.Device)
	return f
}

// zonesPart saves what was looked up.
func (x *flood) zonesPart() snapshot.Part {
	return x.zones.part("D15.zones/1", func(c *snapshot.Codec, k *zone) {
		k.caller.walk(c)
		c.String(&k.domain)
	}, func(c *snapshot.Codec, t *torture) { t.walk(c) })
}
