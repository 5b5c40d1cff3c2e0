// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(beaconRule)

// beaconRule registers D16.
var beaconRule = register(registration{
	Rule: Rule{
		ID: "D16", Name: "Regular calls", Kind: "beacon", Version: 1, Reliability: 0.5,
		Attack: join(enterprise(taCommand, "T1071"), enterprise(taExfiltration, "T1029"), ics(icsCommand, "T0869")),
	},
	titleOrder: 7,
	advice: map[string]steps{
		"": {
			"Find out whose server it is: updates, monitoring and the vendor's cloud are called at intervals too.",
			"{inspect}",
			"If nobody knows the server: {then contain} If it is expected, add it to the inventory.",
		},
	},
}, DefaultBeaconParams, newBeacon)

// BeaconParams are the parameters of D16.
type BeaconParams struct {
	Likelihood  float64 `yaml:"likelihood"`   // nats by which a regular interval has to explain the gaps better than chance
	Shape       float64 `yaml:"shape"`        // least regularity: the shape of the gamma distribution of the gaps
	Skew        float64 `yaml:"skew"`         // greatest skew of the gaps, by their deciles; not tested if they hardly differ
	LongShare   float64 `yaml:"long_share"`   // greatest share of gaps above 4.5 times the median
	MinGapMs    int     `yaml:"min_gap_ms"`   // calls closer together than this are one
	MaxPairs    int     `yaml:"max_pairs"`    // pairs of device and server followed
	CommonPorts []int   `yaml:"common_ports"` // ports that are left out
}

// DefaultBeaconParams returns the defaults of D16.
func DefaultBeaconParams() BeaconParams {
	return BeaconParams{Likelihood: 11.5, Shape: 2.5, Skew: 0.3, LongShare: 0.06, MinGapMs: 1000, MaxPairs: 20_000, CommonPorts: []int{53, 123}}
}

// looks are the numbers of gaps after which a pair is tested.
var looks = []int{8, 12, 16, 24, 32, 48, 64, 96, 128, 192}

// beacon is D16: a device calls an external server at regular intervals. It supports other findings; alone it is weak, because many
// programs look for news at intervals.
type beacon struct {
	p      BeaconParams
	pairs  *table[beaconPair, beat]
	called [calledSlots]uint32 `snapshot:"-"` // hashes of pairs that have met once
}

// calledSlots is the size of the filter before the table: most pairs meet once only.
const calledSlots = 1 << 14

// beaconPair is a caller and whom it calls: an address, or the hash of the name under which the caller has looked it up.
type beaconPair struct {
	caller
	addr  packet.Addr
	port  uint16
	named bool
}

// hashOf returns a hash of a name that is the same in each run (FNV-1a).
func hashOf(name string) (a packet.Addr) {
	h := fnv.New128a()
	_, _ = io.WriteString(h, name) // never fails
	h.Sum(a[:0])
	return a
}

// beat is when one pair met.
type beat struct {
	first, last     int64
	count, reported uint32   // sessions
	gaps            []uint32 // ms, at most the last of looks
}

func newBeacon(p BeaconParams) *beacon {
	return &beacon{p: p, pairs: newTable[beaconPair, beat](p.MaxPairs)}
}

func (b *beacon) Rule() Rule { return beaconRule.Rule }

func (b *beacon) Kinds() []Kind { return []Kind{SessionOpened} }

func (b *beacon) setParams(p BeaconParams) {
	b.p = p
	b.pairs.limit(p.MaxPairs)
}

func (b *beacon) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{b.pairs.part("D16.pairs/1", func(c *snapshot.Codec, k *beaconPair) {
		k.caller.walk(c)
		addrKey(c, &k.addr)
		snapshot.Number(c, &k.port)
		c.Bool(&k.named)
	}, func(c *snapshot.Codec, x *beat) {
		c.Time(&x.first)
		c.Time(&x.last)
		snapshot.List(c, &x.gaps, looks[len(looks)-1], func(g *uint32) { snapshot.Number(c, g) })
		snapshot.Number(c, &x.count)
		snapshot.Number(c, &x.reported)
	})}
}

func (b *beacon) evictions() uint64 { return b.pairs.evicted() }

func (b *beacon) Tick(now int64, c *Context) { b.pairs.expire(now - 2*day) }

func (b *beacon) Observe(e *Event, c *Context) {
	v := e.Session
	if !v.HasPorts || slices.Contains(b.p.CommonPorts, int(v.Responder.Port)) || isComputer(e.Initiator) {
		return
	}
	who, ok := callerOf(e)
	if !ok || !c.callsOut(e) {
		return
	}
	port := v.Responder.Port
	if !b.again(who, v, port) {
		if port = anyPort; !b.again(who, v, port) {
			return
		}
	}
	k, name := beaconPair{caller: who, addr: v.Responder.Addr, port: port}, c.ResponderName(e)
	if name != "" {
		k.addr, k.named = hashOf(name), true
	}
	x := b.pairs.put(k, c.Now)
	if !x.meet(v.Start, int64(b.p.MinGapMs)*1e6) || !slices.Contains(looks, len(x.gaps)) {
		return
	}
	if r, ok := b.p.regular(x.gaps); ok {
		if f := b.finding(e, c, x, r, name, port == anyPort); f != nil {
			c.Emit(f)
		}
	}
}

// anyPort stands for all ports that a caller has called once only: a program may take another port each time.
const anyPort = 0

// again reports whether a caller has lately called the same port of the same host, or any port of it. A pair that shares its slot with others
// may be overlooked for a while.
func (b *beacon) again(who caller, v *session.View, port uint16) bool {
	const prime = 0x9e3779b97f4a7c15
	a, from := &v.Responder.Addr, &who.addr
	h := (binary.LittleEndian.Uint64(a[8:]) ^ binary.LittleEndian.Uint64(a[:8])*prime) * prime
	h = (h ^ binary.LittleEndian.Uint64(from[8:]) ^ uint64(who.device)<<20 ^ uint64(port)) * prime
	slot, hash := &b.called[h>>50], uint32(h)|1
	met := *slot == hash
	*slot = hash
	return met
}

// meet records a session and reports whether it adds a gap.
func (x *beat) meet(at, minGap int64) bool {
	if x.first == 0 {
		x.first, x.last, x.count = at, at, 1
		return false
	}
	gap := at - x.last
	if gap < minGap || len(x.gaps) >= looks[len(looks)-1] {
		return false
	}
	x.last = at
	x.count++
	x.gaps = append(x.gaps, uint32(min(gap/1e6, math.MaxUint32)))
	return true
}

// rhythm is how regular a series of gaps is.
type rhythm struct {
	median float64 // ms
	spread float64 // the middle 80 % lie within this, ms
	shape  float64
	nats   float64
}

// regular tests a series of gaps. Under the null hypothesis calls come at random (exponential gaps). Under the other they come at an interval
// with some jitter, and sometimes one to three calls are missed: a mixture of gamma distributions, with 2 % of gaps that may be anything.
func (p *BeaconParams) regular(gaps []uint32) (r rhythm, ok bool) {
	n := len(gaps)
	sorted := make([]float64, n)
	for i, g := range gaps {
		sorted[i] = float64(g)
	}
	slices.Sort(sorted)
	r.median = quantile(sorted, 0.5)
	core := sorted[:countBelow(sorted, 1.7*r.median)]
	long := n - countBelow(sorted, 4.5*r.median)
	if 4*len(core) < 3*n || float64(long) > p.LongShare*float64(n) {
		return r, false
	}
	var theta float64
	r.shape, theta = gamma(core)
	q10, q50, q90 := quantile(core, 0.1), quantile(core, 0.5), quantile(core, 0.9)
	r.spread = q90 - q10
	if r.shape < p.Shape || r.shape < 25 && r.spread >= 0.1*q50 && math.Abs(q10+q90-2*q50) > p.Skew*r.spread {
		return r, false
	}
	r.nats = likelihood(sorted, r.shape, theta)
	return r, r.nats-math.Log(float64(n)) >= p.Likelihood
}

// quantile returns the q-quantile of sorted values, between the two nearest.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// countBelow returns how many of the sorted values are at most limit.
func countBelow(sorted []float64, limit float64) int {
	n := 0
	for n < len(sorted) && sorted[n] <= limit {
		n++
	}
	return n
}

// gamma returns shape and scale of the gamma distribution with the mean and the variance of the values. The shape is at most 1,000, so that
// clocks without any jitter do not make it infinite.
func gamma(values []float64) (shape, scale float64) {
	var sum, squares float64
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(len(values))
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	variance := max(squares/float64(max(len(values)-1, 1)), mean*mean/1000)
	shape = mean * mean / variance
	return shape, mean / shape
}

// likelihood returns by how many nats the mixture explains the gaps better than exponential gaps do.
func likelihood(gaps []float64, shape, scale float64) (nats float64) {
	mean, longest := 0.0, gaps[len(gaps)-1]
	for _, g := range gaps {
		mean += g / float64(len(gaps))
	}
	for _, g := range gaps {
		density, share := 0.02/max(longest, 1), 0.98*0.9
		for m := 1.0; m <= 4; m++ {
			lg, _ := math.Lgamma(m * shape)
			density += share * math.Exp((m*shape-1)*math.Log(g/scale)-g/scale-lg) / scale
			share *= 0.1
		}
		nats += math.Log(density) + math.Log(mean) + g/mean
	}
	return nats
}

func (b *beacon) finding(e *Event, c *Context, x *beat, r rhythm, name string, hops bool) *Finding {
	f, expect, source, ok := c.callerFinding(b.Rule(), e)
	if !ok {
		return nil
	}
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	if name != "" {
		f.Key = fmt.Sprintf("%s:%d/%s", Clean(name, 200), e.Session.Responder.Port, Proto(e.Session.Proto))
	}
	on := portName(e)
	if hops {
		on = "changing ports"
		f.Key = fmt.Sprintf("%s any port/%s", cmp.Or(Clean(name, 200), addr(&e.Session.Responder, e.Session.V6).String()), Proto(e.Session.Proto))
	}
	f.Stage, f.Severity = StageOutbound, b.severity(e, expect, source, name)
	f.Start, f.Total, f.Count = x.first, int(x.count), int(x.count-x.reported)
	x.reported = x.count
	who, to, times := f.self(), f.Peer.at(), Plural(int(x.count), "time", "times")
	every := span(int64(math.Round(r.median/100)) * 1e8)
	f.Brief = "calls " + to.brief() + " at intervals"
	f.Title = headline("%s calls %s every "+every, who, to)
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: since %s it called %s on %s %s, about every %s; random calls are rarely so regular.",
		who.full, expectation(expect, source), clock(x.first), f.other().full, on, times, every)
	f.Reasons = append(f.Reasons, Reason{Code: "regular", Text: fmt.Sprintf("%s gaps, 80 %% of them within %s of each other", strings.TrimSuffix(Plural(len(x.gaps), "", ""), " "), span(int64(r.spread*1e6))), Weight: 0.4})
	if name == "" {
		f.Reasons = append(f.Reasons, Reason{Code: "no_name", Text: "the device did not look up the address by name", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("a program looks for updates or reports its state at intervals"))
	f.Evidence = []Evidence{{Kind: "rhythm", Summary: fmt.Sprintf("%s, median gap %s", times, every),
		Data: map[string]any{"sessions": x.count, "median_ms": math.Round(r.median), "spread_ms": math.Round(r.spread), "shape": math.Round(10*r.shape) / 10, "nats": math.Round(10*r.nats) / 10}}}
	f.Recommendation = beaconRule.advise("", f.Device)
	return f
}

// severity is medium for a device that should open nothing and for a bare address, low otherwise: programs call names at intervals.
func (b *beacon) severity(e *Event, x contract.Expect, source, name string) Severity {
	if strict(x, source) || name == "" && !(e.Initiator != nil && e.Initiator.Role == device.Workstation) {
		return Medium
	}
	return Low
}
