// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(dnsTunnelRule)

// dnsTunnelRule registers D19.
var dnsTunnelRule = register(registration{
	Rule: Rule{
		ID: "D19", Name: "DNS tunnel", Kind: "dns_tunnel", Version: 1, Reliability: 0.8,
		Attack: join(enterprise(taCommand, "T1071.004", "T1572"), enterprise(taExfiltration, "T1048.003"), ics(icsCommand, "T0869")),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Look the domain up: who registered it, and when. Block it at the resolver.",
			"{inspect}",
			"Search the log of the resolver for other devices that ask for names below the domain, then: {then contain}",
		},
	},
}, DefaultDNSTunnelParams, newDNSTunnel)

// DNSTunnelParams are the parameters of D19.
type DNSTunnelParams struct {
	WindowSeconds int      `yaml:"window_seconds"` // time within which queries below one registered domain count
	Names         int      `yaml:"names"`          // different names, if they look like data
	Entropy       float64  `yaml:"entropy"`        // bits per character of the longest label, on average, of names that look like data
	Length        int      `yaml:"length"`         // characters below the registered domain, on average, of names that look like data
	DataQueries   int      `yaml:"data_queries"`   // or: different names, if many queries are for types that carry data
	DataShare     float64  `yaml:"data_share"`     // share of queries for TXT, NULL, CNAME and other types that carry data
	NameBytes     int      `yaml:"name_bytes"`     // or: bytes of different names
	SilentNames   int      `yaml:"silent_names"`   // or: different names in a day, of a device that should open nothing
	Exempt        []string `yaml:"exempt"`         // domains whose names carry data by design, such as those of virus scanners
	MaxDomains    int      `yaml:"max_domains"`    // pairs of device and registered domain followed
}

// DefaultDNSTunnelParams returns the defaults of D19.
func DefaultDNSTunnelParams() DNSTunnelParams {
	return DNSTunnelParams{
		WindowSeconds: 600, Names: 50, Entropy: 3.5, Length: 30, DataQueries: 20, DataShare: 0.3, NameBytes: 10_000, SilentNames: 100,
		Exempt: []string{"sophosxl.net", "mcafee.com", "e5.sk", "spamhaus.org", "spamhaus.net", "surbl.org", "uribl.com", "senderbase.org", "cymru.com"}, MaxDomains: 20_000,
	}
}

// maxTunnelNames bounds the different names that are counted in a day.
const maxTunnelNames = 256

// dnsTunnel is D19: a device sends data in the names that it looks up below one domain, and gets data in the answers. The server of the
// domain gets them through any resolver, so queries to the resolver of the inventory count as well.
type dnsTunnel struct {
	p       DNSTunnelParams
	domains *table[zone, lookups]
}

// zone is a device and the registered domain below which it looks up names.
type zone struct {
	caller
	domain string
}

// lookups are the queries of one device below one domain.
type lookups struct {
	from            int64 // of the window
	queries, data   int   // in the window; data: for types that carry data
	names, bytes    int   // different names in the window, and their bytes
	entropy, length float64
	day             int64    // when seen was empty
	seen            []uint32 // hashes of the different names of the day, sorted
	counter         counter  // queries made once they looked like a tunnel
}

func newDNSTunnel(p DNSTunnelParams) *dnsTunnel {
	return &dnsTunnel{p: p, domains: newTable[zone, lookups](p.MaxDomains)}
}

func (t *dnsTunnel) Rule() Rule { return dnsTunnelRule.Rule }

func (t *dnsTunnel) Kinds() []Kind { return []Kind{SessionFact} }

func (t *dnsTunnel) setParams(p DNSTunnelParams) {
	t.p = p
	t.domains.limit(p.MaxDomains)
}

func (t *dnsTunnel) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{t.domains.part("D19.domains/1", func(c *snapshot.Codec, k *zone) {
		k.caller.walk(c)
		c.String(&k.domain)
	}, func(c *snapshot.Codec, x *lookups) {
		c.Time(&x.from)
		for _, n := range [...]*int{&x.queries, &x.data, &x.names, &x.bytes} {
			c.Int(n)
		}
		c.Float(&x.entropy)
		c.Float(&x.length)
		c.Time(&x.day)
		snapshot.List(c, &x.seen, maxTunnelNames, func(h *uint32) { snapshot.Number(c, h) })
		x.counter.walk(c)
	})}
}

func (t *dnsTunnel) evictions() uint64 { return t.domains.evicted() }

func (t *dnsTunnel) Tick(now int64, c *Context) { t.domains.expire(now - 2*day) }

func (t *dnsTunnel) Observe(e *Event, c *Context) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || m.Response || m.MDNS || m.LLMNR || len(m.QName) < 4 || resolves(e.Initiator) {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	domain, below := splitName(m.QName)
	if below == "" || slices.Contains(t.p.Exempt, domain) {
		return
	}
	x := t.domains.put(zone{who, domain}, c.Now)
	x.move(c.Now, int64(t.p.WindowSeconds)*second)
	x.count(m, below)
	why := t.p.evaluate(x)
	if why == "" && len(x.seen) >= t.p.SilentNames && t.p.SilentNames > 0 {
		if expect, _ := c.Contracts.Expect(e.Initiator, c.Now); expect != contract.Normal {
			why = fmt.Sprintf("%d different names in a day", len(x.seen))
		}
	}
	if why == "" {
		return
	}
	x.counter.begin(c.Now, day)
	if x.counter.add(max(x.from, x.counter.last)) {
		c.Emit(t.finding(e, c, x, domain, why))
	}
}

// resolves reports whether a device answers DNS itself: it asks for others, whose queries count.
func resolves(d *device.Device) bool {
	return d != nil && (d.ServesOn(53, "udp") != nil || d.ServesOn(53, "tcp") != nil)
}

// splitName returns the registered domain of a name (one label below the public suffix), and what is below it; "" if nothing is, or if the name
// is a reverse lookup, a local name or an address in a list of addresses.
func splitName(name string) (domain, below string) {
	if strings.HasSuffix(name, ".arpa") || strings.HasSuffix(name, ".local") {
		return "", ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil || len(name) < len(domain)+2 {
		return domain, ""
	}
	below = name[:len(name)-len(domain)-1]
	if reversed(below) {
		return domain, ""
	}
	return domain, below
}

// reversed reports whether a name is an address in reverse, as lists of addresses are asked (RFC 5782): "4.3.2.1", or 32 hexadecimal digits.
func reversed(below string) bool {
	labels, hex := 0, true
	for label := range strings.SplitSeq(below, ".") {
		if labels++; len(label) > 3 {
			return false
		}
		hex = hex && len(label) == 1
		for _, r := range label {
			if (r < '0' || r > '9') && (!hex || r < 'a' || r > 'f') {
				return false
			}
		}
	}
	return labels == 4 || labels == 32 && hex
}

// move starts a new window, and a new day, if the last one is over.
func (x *lookups) move(now, window int64) {
	if now-x.from >= window {
		*x = lookups{from: now, day: x.day, seen: x.seen, counter: x.counter}
		if now-x.day >= day || len(x.seen) >= maxTunnelNames {
			x.day, x.seen = now, x.seen[:0]
		}
	}
}

// carriesData lists the types whose answers carry data of any kind.
var carriesData = []string{"TXT", "NULL", "CNAME", "MX", "KEY", "PRIVATE", "TYPE65399"}

// count adds a query for a name.
func (x *lookups) count(m *dissect.DNSMessage, below string) {
	x.queries++
	if slices.Contains(carriesData, m.QType) {
		x.data++
	}
	h := uint32(2166136261) // FNV-1a
	for i := range len(below) {
		h = (h ^ uint32(below[i])) * 16777619
	}
	i, known := slices.BinarySearch(x.seen, h)
	if known || len(x.seen) >= maxTunnelNames {
		return
	}
	x.seen = slices.Insert(x.seen, i, h)
	x.names++
	x.bytes += len(below)
	x.entropy += entropy(longestLabel(below))
	x.length += float64(len(below))
}

func longestLabel(name string) (longest string) {
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > len(longest) {
			longest = label
		}
	}
	return longest
}

// entropy returns the Shannon entropy of the bytes of a text, in bits per byte.
func entropy(s string) (bits float64) {
	var n [256]uint16 // a label has at most 63 bytes
	for i := range len(s) {
		n[s[i]]++
	}
	for i := range len(s) {
		if k := n[s[i]]; k > 0 {
			p := float64(k) / float64(len(s))
			bits -= p * math.Log2(p)
			n[s[i]] = 0
		}
	}
	return bits
}

// evaluate returns why the queries of a window look like a tunnel, "" if they do not.
func (p *DNSTunnelParams) evaluate(x *lookups) string {
	n := float64(x.names)
	switch {
	case x.names >= p.Names && x.entropy/n >= p.Entropy && x.length/n >= float64(p.Length):
		return fmt.Sprintf("%d different names of %.0f characters with %.1f bits each", x.names, x.length/n, x.entropy/n)
	case x.names >= p.DataQueries && float64(x.data) >= p.DataShare*float64(x.queries):
		return fmt.Sprintf("%d of %d queries for types that carry data, such as TXT", x.data, x.queries)
	case x.bytes >= p.NameBytes:
		return fmt.Sprintf("%s in %d different names", size(uint64(x.bytes)), x.names)
	}
	return ""
}

func (t *dnsTunnel) finding(e *Event, c *Context, x *lookups, domain, why string) *Finding {
	f := c.sessionFinding(t.Rule(), e, session.Out)
	f.Key, f.Stage = "domain "+Clean(domain, 200), StageOutbound
	expect, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Severity = max(Medium, callerSeverity(e.Initiator, expect, source))
	if e.Initiator != nil {
		f.Maintenance = c.verdict(e).Maintenance
	}
	f.Start, f.Total, f.Count = x.counter.first, x.counter.count, x.counter.take()
	f.Entities = append(f.Entities, "domain:"+Clean(domain, 253))
	who, zone := f.self(), name{Clean(domain, 80), Clean(domain, 40)}
	f.Brief = "sends data in DNS queries"
	f.Title = headline("%s sends data in DNS queries for names below %s", who, zone)
	f.Message = fmt.Sprintf("Expected: %s looks up a few names, again and again. Seen: since %s queries to %s for names below %s: %s.",
		who.full, clock(min(x.from, x.counter.first)), f.other().full, zone.full, why)
	f.Reasons = []Reason{{Code: "names", Text: why, Weight: 0.5}}
	if strict(expect, source) {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + expect.String(), Text: "expected: the device " + expectation(expect, source), Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("a virus scanner, a mail filter or a content network looks up names of this kind; then exempt the domain"))
	f.Evidence = []Evidence{{Kind: "dns", Summary: fmt.Sprintf("%s, %s below %s", Plural(x.queries, "query", "queries"), Plural(x.names, "name", "names"), zone.full),
		Data: map[string]any{"domain": zone.full, "queries": x.queries, "data_queries": x.data, "names": x.names, "names_of_day": len(x.seen), "bytes": x.bytes}}}
	f.Recommendation = dnsTunnelRule.advise("", f.Device)
	return f
}
