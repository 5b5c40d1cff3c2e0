// SPDX-License-Identifier: Apache-2.0

package detect

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(dgaRule)

// dgaRule registers D20.
var dgaRule = register(registration{
	Rule: Rule{
		ID: "D20", Name: "Generated domain names", Kind: "generated_domains", Version: 1, Reliability: 0.75,
		Attack: join(enterprise(taCommand, "T1568.002"), ics(icsCommand, "T0869")),
	},
	titleOrder: 5,
	advice: map[string]steps{
		"": {
			"Search the log of the resolver for a name of this kind that exists, and block it: it is the control server.",
			"{inspect}",
			"Search for other devices that look up the same names, then: {then contain}",
		},
	},
}, DefaultDGAParams, newDGA)

// DGAParams are the parameters of D20.
type DGAParams struct {
	WindowSeconds int      `yaml:"window_seconds"` // time within which names that do not exist count
	Domains       int      `yaml:"domains"`        // different registered domains
	SilentDomains int      `yaml:"silent_domains"` // the same for a device that should open nothing
	Bits          float64  `yaml:"bits"`           // bits that a letter costs after the one before it, on average, from which names look random
	Exempt        []string `yaml:"exempt"`         // registered domains that do not count
	MaxDevices    int      `yaml:"max_devices"`    // devices followed
}

// DefaultDGAParams returns the defaults of D20.
func DefaultDGAParams() DGAParams {
	return DGAParams{WindowSeconds: 600, Domains: 10, SilentDomains: 3, Bits: 5.2, Exempt: []string{}, MaxDevices: 50_000}
}

const (
	maxMissing   = 256 // different domains that are counted in a window
	maxExamples  = 5
	minGenerated = 6 // letters: shorter names are too short to evaluate
)

// dga is D20: a device looks up many domains that look random and do not exist. Bots try names that a program generates every day, of which
// their owner registers a few.
type dga struct {
	p       DGAParams
	devices *table[caller, missing]
}

// missing is what one device looked up without success.
type missing struct {
	from     int64
	seen     []uint32 // hashes of the different domains, sorted
	bits     float64  // sum of the costs of the names
	examples []string
	counter  counter // domains found once they looked generated
}

func newDGA(p DGAParams) *dga {
	return &dga{p: p, devices: newTable[caller, missing](p.MaxDevices)}
}

func (d *dga) Rule() Rule { return dgaRule.Rule }

func (d *dga) Kinds() []Kind { return []Kind{SessionFact} }

func (d *dga) setParams(p DGAParams) {
	d.p = p
	d.devices.limit(p.MaxDevices)
}

func (d *dga) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{d.devices.part("D20.devices/1", func(c *snapshot.Codec, k *caller) { k.walk(c) }, func(c *snapshot.Codec, x *missing) {
		c.Time(&x.from)
		snapshot.List(c, &x.seen, maxMissing, func(h *uint32) { snapshot.Number(c, h) })
		c.Float(&x.bits)
		texts(c, &x.examples)
		x.counter.walk(c)
	})}
}

func (d *dga) evictions() uint64 { return d.devices.evicted() }

func (d *dga) Tick(now int64, c *Context) { d.devices.expire(now - 2*day) }

func (d *dga) Observe(e *Event, c *Context) {
	m, ok := e.Fact.(*dissect.DNSMessage)
	if !ok || m.RCode != "NXDOMAIN" || !m.Response || m.MDNS || m.LLMNR || resolves(e.Initiator) {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	domain, label := generated(m.QName)
	if label == "" || slices.Contains(d.p.Exempt, domain) {
		return
	}
	x := d.devices.put(who, c.Now)
	if c.Now-x.from >= int64(d.p.WindowSeconds)*second || len(x.seen) >= maxMissing {
		*x = missing{from: c.Now, seen: x.seen[:0], counter: x.counter}
	}
	if !x.add(domain, label) {
		return
	}
	expect, source := c.Contracts.Expect(e.Initiator, c.Now)
	need := d.p.Domains
	if expect != contract.Normal {
		need = min(need, d.p.SilentDomains)
	}
	if len(x.seen) < need || x.bits < d.p.Bits*float64(len(x.seen)) {
		return
	}
	x.counter.begin(c.Now, day)
	if x.counter.add(max(x.from, x.counter.last)) {
		c.Emit(d.finding(e, c, x, expect, source))
	}
}

// generated returns the registered domain of a name, and its label above the public suffix, which a program may have generated. label is ""
// if there is none: names of one label, reverse lookups, names below no known top-level domain (as of a local network), and those too
// short to evaluate or in another script (RFC 5891).
func generated(name string) (domain, label string) {
	suffix, icann := publicsuffix.PublicSuffix(name)
	if !icann && !strings.Contains(suffix, ".") || strings.HasSuffix(name, ".arpa") {
		return "", ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return "", ""
	}
	label = domain[:len(domain)-len(suffix)-1]
	if len(label) < minGenerated || strings.HasPrefix(label, "xn--") {
		return domain, ""
	}
	return domain, label
}

// add counts a domain, and reports whether it is a new one.
func (x *missing) add(domain, label string) bool {
	h := uint32(2166136261) // FNV-1a
	for i := range len(domain) {
		h = (h ^ uint32(domain[i])) * 16777619
	}
	i, known := slices.BinarySearch(x.seen, h)
	if known {
		return false
	}
	x.seen = slices.Insert(x.seen, i, h)
	x.bits += randomness(label)
	x.examples = addDistinct(x.examples, Clean(domain, 80), maxExamples)
	return true
}

// bigrams has a row for each symbol of bigramSymbols: what each symbol costs after it, in quarters of a bit above '0'. scripts/bigrams writes
// it from the words of the documentation and the names of vendor clouds.
//
//go:embed bigrams.txt
var bigrams string

const bigramSymbols = "abcdefghijklmnopqrstuvwxyz0-" // 0 stands for any digit

// randomness returns how many bits a letter of a name costs after the one before it, on average: about 4.3 in names that people chose, 6 in
// random ones.
func randomness(label string) (bits float64) {
	last := -1
	for i := range len(label) {
		s := bigramSymbol(label[i])
		if last >= 0 {
			bits += float64(bigrams[last*(len(bigramSymbols)+1)+s]-'0') / 4
		}
		last = s
	}
	return bits / float64(max(len(label)-1, 1))
}

// bigramSymbol returns the place of a letter in bigramSymbols. All that is neither a letter nor a digit counts as a hyphen.
func bigramSymbol(b byte) int {
	switch {
	case b >= 'a' && b <= 'z':
		return int(b - 'a')
	case b >= '0' && b <= '9':
		return 26
	}
	return 27
}

func (d *dga) finding(e *Event, c *Context, x *missing, expect contract.Expect, source string) *Finding {
	f := c.sessionFinding(d.Rule(), e, session.Out)
	f.Key, f.Stage, f.Severity = "nxdomain", StageOutbound, max(Medium, callerSeverity(e.Initiator, expect, source))
	if e.Initiator != nil {
		f.Maintenance = c.verdict(e).Maintenance
	}
	f.Start, f.Total, f.Count = x.counter.first, x.counter.count, x.counter.take()
	n, bits := len(x.seen), x.bits/float64(len(x.seen))
	for _, name := range x.examples {
		f.Entities = append(f.Entities, "domain:"+name)
	}
	who := f.self()
	f.Brief = "looks up generated names"
	f.Title = headline(fmt.Sprintf("%%s looks up %d domains that look generated; none exists", n), who)
	f.Message = fmt.Sprintf("Expected: %s looks up names that exist. Seen: since %s %d different domains that do not exist, such as %s; their letters look random (%.1f bits each).",
		who.full, clock(x.from), n, listing(x.examples, 3), bits)
	f.Reasons = []Reason{{Code: "missing_domains", Text: fmt.Sprintf("%d different registered domains do not exist", n), Weight: 0.4},
		{Code: "random_names", Text: fmt.Sprintf("a letter of these names costs %.1f bits after the one before it; names that people choose cost about 4.3", bits), Weight: 0.4}}
	if strict(expect, source) {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + expect.String(), Text: "expected: the device " + expectation(expect, source), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("a program tests whether the resolver answers for names that do not exist, or checks a list of bad domains"))
	f.Evidence = []Evidence{{Kind: "dns", Summary: fmt.Sprintf("%d domains do not exist: %s", n, listing(x.examples, maxExamples)),
		Data: map[string]any{"domains": n, "bits": float64(int(bits*100)) / 100, "examples": slices.Clone(x.examples)}}}
	f.Recommendation = dgaRule.advise("", f.Device)
	return f
}
