// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"math"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
)

// BruteForceParams are the parameters of D09.
type BruteForceParams struct {
	Failures           int     `yaml:"failures"`             // failures of one source on one target
	WindowSeconds      int     `yaml:"window_seconds"`       // time within which they count
	SprayTargets       int     `yaml:"spray_targets"`        // targets on which one source fails within an hour
	SpreadFailures     int     `yaml:"spread_failures"`      // failures on one target within an hour, from all sources
	SpreadSources      int     `yaml:"spread_sources"`       // sources among which they are spread at least
	SlowAllowance      float64 `yaml:"slow_allowance"`       // failures an hour that the slow test (CUSUM) forgives
	SlowThreshold      float64 `yaml:"slow_threshold"`       // sum of the slow test that raises: 24 is reached by 30 failures in a day
	BeforeSuccess      int     `yaml:"before_success"`       // failures before a success that make it a guessed password
	InferredPerSession int     `yaml:"inferred_per_session"` // inferred failures that one session can count for: servers close after six
	MisconfigSpread    float64 `yaml:"misconfig_spread"`     // coefficient of variation of the gaps below which it is a machine with a wrong password
	MaxPairs           int     `yaml:"max_pairs"`            // pairs of source and target followed
	MaxSourcesPerHit   int     `yaml:"max_sources"`          // sources remembered per target, and targets per source
}

// DefaultBruteForceParams gives the defaults of D09.
func DefaultBruteForceParams() BruteForceParams {
	return BruteForceParams{Failures: 10, WindowSeconds: 600, SprayTargets: 5, SpreadFailures: 20, SpreadSources: 5,
		SlowAllowance: 0.25, SlowThreshold: 24, BeforeSuccess: 3, InferredPerSession: 6, MisconfigSpread: 0.15, MaxPairs: 50_000, MaxSourcesPerHit: 64}
}

const (
	maxFailTimes = 64
	maxKnown     = 8
)

// bruteForce is D09: passwords are guessed: fast on one target, slowly, from many sources, or on many targets.
type bruteForce struct {
	p        BruteForceParams
	pairs    *table[guessPair, guesses]
	targets  *table[uint32, guessed]
	sources  *table[packet.Addr, sprayer]
	sessions *table[uint64, int] // cumulative failures of a session that were counted
}

type guessPair struct {
	source packet.Addr
	target uint32
}

// guesses is what one source did to one target.
type guesses struct {
	tally
	fails []failure // rising in time, at most maxFailTimes
	known []string  // who was let in before, the latest maxKnown
}

// guessed is what all sources did to one target.
type guessed struct {
	tally
	times []int64
	hits  []hit // last failure by source
	sum   float64
	last  int64
}

type hit struct {
	from packet.Addr
	at   int64
}

// sprayer is what one source did to all targets.
type sprayer struct {
	tally
	targets []sprayed
	device  *device.Device
}

type sprayed struct {
	id uint32
	at int64
}

func newBruteForce(p BruteForceParams) *bruteForce {
	return &bruteForce{p: p, pairs: newTable[guessPair, guesses](p.MaxPairs), targets: newTable[uint32, guessed](p.MaxPairs),
		sources: newTable[packet.Addr, sprayer](p.MaxPairs), sessions: newTable[uint64, int](p.MaxPairs)}
}

func (b *bruteForce) Rule() Rule { return ruleBruteForce }

func (b *bruteForce) Kinds() []Kind { return []Kind{SessionFact} }

func (b *bruteForce) Tick(now int64, c *Context) {
	b.pairs.expire(now - day)
	b.targets.expire(now - 2*day)
	b.sources.expire(now - day)
	b.sessions.expire(now - day)
}

func (b *bruteForce) Observe(e *Event, c *Context) {
	if e.Responder == nil {
		return
	}
	in, ok := loginOf(e.Fact)
	if !ok || in.inferred && (e.Session.Gap || c.Quality.OneWay) {
		return
	}
	if n := b.fresh(e, c, in); n > 0 {
		b.failed(e, c, in, n)
	}
	if in.result == dissect.OutcomeSuccess {
		b.succeeded(e, c, in)
	}
}

// fresh gives the failures that a fact adds. SSH tells them cumulatively, again and again.
func (b *bruteForce) fresh(e *Event, c *Context, in login) int {
	if !in.inferred {
		if in.result == dissect.OutcomeFailure {
			return 1
		}
		return 0
	}
	counted := b.sessions.put(e.Session.ID, c.Now)
	// A server closes after a handful of failures: equal lengths beyond are something else, such as echoed keys.
	now := min(in.failures, b.p.InferredPerSession)
	n := now - *counted
	*counted = max(*counted, now)
	return n
}

func (b *bruteForce) failed(e *Event, c *Context, in login, n int) {
	src := e.Session.Initiator.Addr
	p := b.pairs.put(guessPair{src, e.Responder.ID}, c.Now)
	t := b.targets.put(e.Responder.ID, c.Now)
	t.forget(c.Now, b.p.SlowAllowance)
	p.begin(c.Now, day)
	t.begin(c.Now, day)
	for range n {
		p.insert(failure{at: c.Now, who: in.who(), session: e.Session.ID})
		t.times = insertTime(t.times, c.Now, day, maxFailTimes)
		p.add(c.Now)
		t.addPeer(c.Now, addr(&e.Session.Initiator, e.Session.V6))
		t.sum++
	}
	t.hit(src, c.Now, b.p.MaxSourcesPerHit)
	b.judge(e, c, in, p, t)
	b.spray(e, c, in)
}

// forget lowers the sum of the slow test by what the passed time allows.
func (t *guessed) forget(now int64, perHour float64) {
	if t.last != 0 {
		t.sum = max(0, t.sum-perHour*float64(now-t.last)/float64(hour))
	}
	t.last = now
}

func (t *guessed) hit(from packet.Addr, now int64, limit int) {
	for i := range t.hits {
		if t.hits[i].from == from {
			t.hits[i].at = now
			return
		}
	}
	if len(t.hits) >= limit {
		t.hits = slices.Delete(t.hits, 0, 1)
	}
	t.hits = append(t.hits, hit{from, now})
}

// sourcesSince counts the sources that failed since then.
func (t *guessed) sourcesSince(then int64) int {
	n := 0
	for _, h := range t.hits {
		if h.at >= then {
			n++
		}
	}
	return n
}

func since(times []int64, then int64) int {
	n := 0
	for _, at := range times {
		if at >= then {
			n++
		}
	}
	return n
}

func (b *bruteForce) judge(e *Event, c *Context, in login, p *guesses, t *guessed) {
	now := c.Now
	spread := t.sourcesSince(now-hour) >= b.p.SpreadSources && since(t.times, now-hour) >= b.p.SpreadFailures
	fast := p.since(now-int64(b.p.WindowSeconds)*second) >= b.p.Failures
	slow := t.sum >= b.p.SlowThreshold
	switch {
	case spread && grown(&t.tally):
		c.Emit(b.guessing(e, c, in, &t.tally, "distributed"))
	case spread:
	case fast && b.misconfigured(e, p):
		if grown(&p.tally) {
			c.Emit(b.misconfig(e, c, in, p))
		}
	case fast && grown(&p.tally):
		c.Emit(b.guessing(e, c, in, &p.tally, "fast"))
	case slow && !fast && grown(&t.tally):
		c.Emit(b.guessing(e, c, in, &t.tally, "slow"))
	}
}

// grown reports whether a count has grown by half since it was told.
func grown(t *tally) bool { return t.count-t.told > t.told/2 }

// misconfigured recognises a machine of ours with a wrong password: one internal source, one user name, even gaps.
func (b *bruteForce) misconfigured(e *Event, p *guesses) bool {
	if e.Initiator == nil || len(p.fails) < b.p.Failures {
		return false
	}
	for i := range p.fails {
		if p.fails[i].who != p.fails[0].who {
			return false
		}
	}
	mean, dev := gaps(p.fails)
	return mean >= float64(2*second) && dev <= b.p.MisconfigSpread*mean
}

// gaps gives mean and standard deviation of the gaps between failures, in nanoseconds.
func gaps(fails []failure) (mean, dev float64) {
	n := float64(len(fails) - 1)
	if n < 1 {
		return 0, math.Inf(1)
	}
	mean = float64(fails[len(fails)-1].at-fails[0].at) / n
	var sum float64
	for i := 1; i < len(fails); i++ {
		d := float64(fails[i].at-fails[i-1].at) - mean
		sum += d * d
	}
	return mean, math.Sqrt(sum / n)
}

// spray looks at one source that fails on many targets within an hour.
func (b *bruteForce) spray(e *Event, c *Context, in login) {
	s := b.sources.put(e.Session.Initiator.Addr, c.Now)
	s.targets = slices.DeleteFunc(s.targets, func(x sprayed) bool { return x.id == e.Responder.ID || x.at < c.Now-hour })
	if len(s.targets) < b.p.MaxSourcesPerHit {
		s.targets = append(s.targets, sprayed{e.Responder.ID, c.Now})
	}
	s.begin(c.Now, hour)
	s.addPeer(c.Now, addr(&e.Session.Responder, e.Session.V6))
	if s.device == nil {
		s.device = e.Responder
	}
	if len(s.targets) < b.p.SprayTargets || !grown(&s.tally) {
		return
	}
	c.Emit(b.sprayFinding(e, c, in, s))
}
