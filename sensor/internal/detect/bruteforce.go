// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(bruteForceRule)

// bruteForceRule registers D09.
var bruteForceRule = register(registration{
	Rule: Rule{
		ID: "D09", Name: "Brute force", Kind: "brute_force", Version: 1, Reliability: 0.7,
		Attack: join(enterprise(taCredentials, "T1110.001", "T1110.003", "T1110.004"), ics(icsLateral, "T0859")),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Block the source at the firewall, or find its owner if it is internal.",
			"Check that the device has no default password and locks out after failures.",
			"Look for a successful login from the same source.",
		},
		"guessed": {
			"{contain}",
			"Change the password that was guessed, wherever it is used.",
			"Check every session that the device opened after the login, then: {then renew}",
		},
		"misconfiguration": {
			"Find the task on the source that logs in at these intervals.",
			"Give it the current password.",
			"Check that the alert does not recur.",
		},
		"spray": {
			"Find out what logs in from the source, and who started it.",
			"Change passwords that are the same on many devices.",
			"Look for successful logins from this source.",
		},
	},
}, DefaultBruteForceParams, newBruteForce)

// BruteForceParams are the parameters of D09.
type BruteForceParams struct {
	Failures           int     `yaml:"failures"`             // failures of one source on one target
	WindowSeconds      int     `yaml:"window_seconds"`       // time within which they count
	SprayTargets       int     `yaml:"spray_targets"`        // targets on which one source fails within an hour
	SpreadFailures     int     `yaml:"spread_failures"`      // failures on one target within an hour, from all sources
	SpreadSources      int     `yaml:"spread_sources"`       // sources among which they are spread at least
	SlowAllowance      float64 `yaml:"slow_allowance"`       // failures an hour that the slow test (CUSUM) allows
	SlowThreshold      float64 `yaml:"slow_threshold"`       // sum at which the slow test raises an alert: 30 failures in a day reach 24
	SlowTotal          int     `yaml:"slow_total"`           // failures of one source on one target over days, without a success, that raise an alert
	BurstSessions      int     `yaml:"burst_sessions"`       // short SSH sessions of one source on one target within window_seconds whose outcome cannot be read
	BurstSeconds       int     `yaml:"burst_seconds"`        // longest of them
	BurstBytes         int     `yaml:"burst_bytes"`          // payload from which on a session is none of them
	BeforeSuccess      int     `yaml:"before_success"`       // failures before a success that make it a guessed password
	InferredPerSession int     `yaml:"inferred_per_session"` // inferred failures that one session can count for: servers close after six
	MisconfigSpread    float64 `yaml:"misconfig_spread"`     // coefficient of variation of the gaps between failures below which the source is a machine with a wrong password
	MaxPairs           int     `yaml:"max_pairs"`            // pairs of source and target followed
	MaxSourcesPerHit   int     `yaml:"max_sources"`          // sources kept per target, and targets per source
}

// DefaultBruteForceParams returns the defaults of D09.
func DefaultBruteForceParams() BruteForceParams {
	return BruteForceParams{Failures: 10, WindowSeconds: 600, SprayTargets: 5, SpreadFailures: 20, SpreadSources: 5,
		SlowAllowance: 0.25, SlowThreshold: 24, SlowTotal: 25, BurstSessions: 20, BurstSeconds: 60, BurstBytes: 6000, BeforeSuccess: 3, InferredPerSession: 6, MisconfigSpread: 0.15, MaxPairs: 50_000, MaxSourcesPerHit: 64}
}

const (
	maxFailTimes = 64
	maxKnown     = 8
)

// bruteForce is D09: somebody guesses passwords, fast on one target, slowly, from many sources, or on many targets.
type bruteForce struct {
	p        BruteForceParams
	pairs    *table[loginPair, pairFailures]
	targets  *table[uint32, targetFailures]
	sources  *table[packet.Addr, sourceLogins]
	sessions *table[uint64, int] `snapshot:"-"` // failures of a session counted so far
	bursts   *table[scanPair, burst]
}

type loginPair struct {
	source packet.Addr
	target uint32
}

// pairFailures counts what one source did to one target.
type pairFailures struct {
	counter
	fails []failure // rising in time, at most maxFailTimes
	known []string  // accounts that logged in before, the latest maxKnown

	slow      counter // failures since the last success
	slowSince int64
}

// targetFailures counts what all sources did to one target.
type targetFailures struct {
	counter
	times []int64
	hits  []failedSource // last failure by source
	sum   float64
	last  int64
}

type failedSource struct {
	from packet.Addr
	at   int64
}

// sourceLogins counts what one source did to all targets.
type sourceLogins struct {
	counter
	targets []failedTarget
	device  *device.Device
}

type failedTarget struct {
	id uint32
	at int64
}

func newBruteForce(p BruteForceParams) *bruteForce {
	return &bruteForce{p: p, pairs: newTable[loginPair, pairFailures](p.MaxPairs), targets: newTable[uint32, targetFailures](p.MaxPairs),
		sources: newTable[packet.Addr, sourceLogins](p.MaxPairs), sessions: newTable[uint64, int](p.MaxPairs), bursts: newTable[scanPair, burst](p.MaxPairs)}
}

func (b *bruteForce) Rule() Rule { return bruteForceRule.Rule }

func (b *bruteForce) Kinds() []Kind { return []Kind{SessionFact, SessionState, SessionEnded} }

func (b *bruteForce) setParams(p BruteForceParams) {
	b.p = p
	b.pairs.limit(p.MaxPairs)
	b.targets.limit(p.MaxPairs)
	b.sources.limit(p.MaxPairs)
	b.sessions.limit(p.MaxPairs)
	b.bursts.limit(p.MaxPairs)
}

func (b *bruteForce) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		b.pairs.part("D09.pairs/3", func(c *snapshot.Codec, k *loginPair) {
			addrKey(c, &k.source)
			deviceKey(c, &k.target)
		}, func(c *snapshot.Codec, p *pairFailures) {
			p.walk(c)
			snapshot.List(c, &p.fails, maxKept, func(x *failure) {
				c.Time(&x.at)
				c.String(&x.who)
				c.Uint(&x.session)
				c.Bool(&x.mistake)
			})
			snapshot.List(c, &p.known, maxKept, func(who *string) { c.String(who) })
			p.slow.walk(c)
			c.Time(&p.slowSince)
		}),
		b.targets.part("D09.targets/1", deviceKey, func(c *snapshot.Codec, t *targetFailures) {
			t.walk(c)
			times(c, &t.times)
			snapshot.List(c, &t.hits, maxKept, func(h *failedSource) {
				addrKey(c, &h.from)
				c.Time(&h.at)
			})
			c.Float(&t.sum)
			c.Time(&t.last)
		}),
		b.sources.part("D09.sources/1", addrKey, func(c *snapshot.Codec, s *sourceLogins) {
			s.walk(c)
			snapshot.List(c, &s.targets, maxKept, func(x *failedTarget) {
				deviceKey(c, &x.id)
				c.Time(&x.at)
			})
			r.Ref(c, &s.device)
		}),
		b.bursts.part("D09.bursts/1", func(c *snapshot.Codec, k *scanPair) {
			addrKey(c, &k.from)
			addrKey(c, &k.to)
		}, walkBurst),
	}
}

func (b *bruteForce) evictions() uint64 {
	return b.pairs.evicted() + b.targets.evicted() + b.sources.evicted() + b.sessions.evicted() + b.bursts.evicted()
}

func (b *bruteForce) Tick(now int64, c *Context) {
	b.pairs.expire(now - slowMemory)
	b.targets.expire(now - 2*day)
	b.sources.expire(now - day)
	b.sessions.expire(now - day)
	b.bursts.expire(now - day)
}

func (b *bruteForce) Observe(e *Event, c *Context) {
	switch {
	case e.Kind == SessionState && closed(e.Session), e.Kind == SessionEnded && !closed(e.Session):
		b.observeEnd(e, c)
		return
	case e.Kind != SessionFact:
		return
	case sshSuccess(e.Fact):
		b.bursts.drop(scanPair{e.Session.Initiator.Addr, e.Session.Responder.Addr})
	}
	if e.Responder == nil {
		return
	}
	in, ok := loginOf(e.Fact)
	if !ok || in.inferred && (e.Session.Gap || c.Quality.OneWay) {
		return
	}
	if n := b.newFailures(e, c, in); n > 0 {
		b.failed(e, c, in, n)
	}
	if in.result == dissect.OutcomeSuccess {
		b.succeeded(e, c, in)
	}
}

// newFailures returns how many failures a fact adds. SSH reports a running total with each fact.
func (b *bruteForce) newFailures(e *Event, c *Context, in login) int {
	if !in.inferred {
		if in.result == dissect.OutcomeFailure {
			return 1
		}
		return 0
	}
	counted := b.sessions.put(e.Session.ID, c.Now)
	// A server closes the connection after a few failures. Equal lengths after that are something else, such as echoed keys.
	now := min(in.failures, b.p.InferredPerSession)
	n := now - *counted
	*counted = max(*counted, now)
	return n
}

func (b *bruteForce) failed(e *Event, c *Context, in login, n int) {
	src := e.Session.Initiator.Addr
	p := b.pairs.put(loginPair{src, e.Responder.ID}, c.Now)
	t := b.targets.put(e.Responder.ID, c.Now)
	t.decay(c.Now, b.p.SlowAllowance)
	p.begin(c.Now, day)
	t.begin(c.Now, day)
	for range n {
		p.insert(failure{at: c.Now, who: in.account(), session: e.Session.ID})
		t.times = insertTime(t.times, c.Now, day, maxFailTimes)
		p.add(c.Now)
		t.addPeer(c.Now, addr(&e.Session.Initiator, e.Session.V6))
		t.sum++
	}
	t.noteSource(src, c.Now, b.p.MaxSourcesPerHit)
	b.evaluate(e, c, in, p, t)
	b.slowly(e, c, in, p, n)
	b.spray(e, c, in)
}

// decay lowers the sum of the slow test by the allowance for the time that has passed.
func (t *targetFailures) decay(now int64, perHour float64) {
	if t.last != 0 {
		t.sum = max(0, t.sum-perHour*float64(now-t.last)/float64(hour))
	}
	t.last = now
}

func (t *targetFailures) noteSource(from packet.Addr, now int64, limit int) {
	for i := range t.hits {
		if t.hits[i].from == from {
			t.hits[i].at = now
			return
		}
	}
	if len(t.hits) >= limit {
		t.hits = slices.Delete(t.hits, 0, 1)
	}
	t.hits = append(t.hits, failedSource{from, now})
}

// sourcesSince returns how many sources have failed at or after then.
func (t *targetFailures) sourcesSince(then int64) int {
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

// evaluate reports the strongest pattern that the failures of a pair and of its target match. A distributed attack comes before a fast
// one, which is part of it.
func (b *bruteForce) evaluate(e *Event, c *Context, in login, p *pairFailures, t *targetFailures) {
	now := c.Now
	spread := t.sourcesSince(now-hour) >= b.p.SpreadSources && since(t.times, now-hour) >= b.p.SpreadFailures
	fast := p.since(now-int64(b.p.WindowSeconds)*second) >= b.p.Failures
	slow := t.sum >= b.p.SlowThreshold
	switch {
	case spread && grown(&t.counter):
		c.Emit(b.guessingFinding(e, c, in, &t.counter, "distributed"))
	case spread:
	case fast && b.misconfigured(e, p):
		if grown(&p.counter) {
			c.Emit(b.misconfigFinding(e, c, in, p))
		}
	case fast && grown(&p.counter):
		c.Emit(b.guessingFinding(e, c, in, &p.counter, "fast"))
	case slow && !fast && grown(&t.counter):
		c.Emit(b.guessingFinding(e, c, in, &t.counter, "slow"))
	}
}

// grown reports whether a count has grown by half since it was last reported.
func grown(t *counter) bool { return t.count-t.reported > t.reported/2 }

// misconfigured reports whether the failures look like a machine with a wrong password: one internal source, one account, even gaps.
func (b *bruteForce) misconfigured(e *Event, p *pairFailures) bool {
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

// spray checks whether one source fails on many targets within an hour.
func (b *bruteForce) spray(e *Event, c *Context, in login) {
	s := b.sources.put(e.Session.Initiator.Addr, c.Now)
	s.targets = slices.DeleteFunc(s.targets, func(x failedTarget) bool { return x.id == e.Responder.ID || x.at < c.Now-hour })
	if len(s.targets) < b.p.MaxSourcesPerHit {
		s.targets = append(s.targets, failedTarget{e.Responder.ID, c.Now})
	}
	s.begin(c.Now, hour)
	s.addPeer(c.Now, addr(&e.Session.Responder, e.Session.V6))
	if s.device == nil {
		s.device = e.Responder
	}
	if len(s.targets) < b.p.SprayTargets || !grown(&s.counter) {
		return
	}
	c.Emit(b.sprayFinding(e, c, in, s))
}

// failure is one failed login of a source on a target.
type failure struct {
	at      int64
	who     string // the account, see login.account
	session uint64
	mistake bool // perhaps a typing error of a user who then logged in: it counts as a failure, but not towards a guessed password
}

// insert adds a failure in the order of time and drops those older than a day.
func (p *pairFailures) insert(f failure) {
	at := len(p.fails)
	for at > 0 && p.fails[at-1].at > f.at {
		at--
	}
	p.fails = slices.Insert(p.fails, at, f)
	newest, drop := p.fails[len(p.fails)-1].at, max(0, len(p.fails)-maxFailTimes)
	for p.fails[drop].at < newest-day {
		drop++
	}
	p.fails = slices.Delete(p.fails, 0, drop)
}

// since returns how many failures happened at or after then.
func (p *pairFailures) since(then int64) int {
	n := 0
	for i := range p.fails {
		if p.fails[i].at >= then {
			n++
		}
	}
	return n
}

// before returns how many failures since then count towards a login of an account, and the time of the first. Failures of the same
// account always count. Those of other accounts count only if this one has not logged in before: a list of names and passwords ends
// with a name that is new, while the owner of an account guesses nothing by using it.
func (p *pairFailures) before(who string, then int64) (n int, first int64) {
	known := slices.Contains(p.known, who)
	for i := range p.fails {
		f := &p.fails[i]
		if f.mistake || f.at < then || f.who != who && known {
			continue
		}
		if n == 0 {
			first = f.at
		}
		n++
	}
	if n == maxFailTimes { // there were more than the list holds
		return max(n, p.count), min(first, p.first)
	}
	return n, first
}

// noteUser records an account that has logged in.
func (p *pairFailures) noteUser(who string) {
	p.known = slices.DeleteFunc(p.known, func(k string) bool { return k == who })
	if len(p.known) >= maxKnown {
		p.known = slices.Delete(p.known, 0, 1)
	}
	p.known = append(p.known, who)
}

// retract removes the failures of a user who has logged in after all and returns their times: they were typing errors. If the user
// name is unknown, only failures of the same session are certainly theirs. The others still count as failures, or an attacker could
// hide by logging in to an account of their own in between.
func (p *pairFailures) retract(in login, session uint64) (times []int64) {
	who := in.account()
	p.fails = slices.DeleteFunc(p.fails, func(f failure) bool {
		if f.who != who {
			return false
		}
		gone := in.hint != "" || f.session == session
		if gone {
			times = append(times, f.at)
		}
		return gone
	})
	for i := range p.fails {
		if p.fails[i].who == who {
			p.fails[i].mistake = true
		}
	}
	switch {
	case len(p.fails) == 0:
		p.counter = counter{}
	case len(times) > 0:
		p.first = p.fails[0].at
		p.lower(len(times))
	}
	return times
}

// retract removes the failures of one source at the given times; all is true if the source has no others.
func (t *targetFailures) retract(from packet.Addr, times []int64, all bool) {
	for _, at := range times {
		if i := slices.Index(t.times, at); i >= 0 {
			t.times = slices.Delete(t.times, i, i+1)
		}
	}
	if all {
		t.hits = slices.DeleteFunc(t.hits, func(x failedSource) bool { return x.from == from })
	}
	t.sum = max(0, t.sum-float64(len(times)))
	t.lower(len(times))
}

// succeeded handles an accepted login. After many failures of the same source the password was guessed; after a few its user mistyped
// it.
func (b *bruteForce) succeeded(e *Event, c *Context, in login) {
	source := e.Session.Initiator.Addr
	p := b.pairs.put(loginPair{source, e.Responder.ID}, c.Now)
	n, first := p.before(in.account(), c.Now-day)
	if n >= b.p.BeforeSuccess {
		c.Emit(b.guessedFinding(e, c, in, n, first, b.misconfigured(e, p)))
		p.fails, p.counter = nil, counter{}
	}
	p.noteUser(in.account())
	p.slow, p.slowSince = counter{}, 0
	if len(p.fails) == 0 {
		return
	}
	times := p.retract(in, e.Session.ID)
	if t := b.targets.get(e.Responder.ID, c.Now); t != nil && len(times) > 0 {
		t.retract(source, times, len(p.fails) == 0)
	}
}
