// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(miningRule)

// miningRule registers D24.
var miningRule = register(registration{
	Rule: Rule{
		ID: "D24", Name: "Mining", Kind: "mining", Version: 1, Reliability: 0.97,
		Attack: enterprise(taImpact, "T1496.001"),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"{inspect}",
			"Search for other devices that call the same pool, and block it.",
			"If nobody mines there on purpose: {then contain} {renew}",
		},
	},
}, DefaultMiningParams, newMining)

// MiningParams are the parameters of D24.
type MiningParams struct {
	Pools    []string `yaml:"pools"`     // domains of mining pools, as of 2026-11; names below them count
	MaxPools int      `yaml:"max_pools"` // pairs of device and pool kept
}

// DefaultMiningParams returns the defaults of D24.
func DefaultMiningParams() MiningParams {
	return MiningParams{Pools: []string{
		"2miners.com", "c3pool.com", "c3pool.org", "crypto-pool.fr", "dwarfpool.com", "ethermine.org", "f2pool.com", "flypool.org", "hashvault.pro", "herominers.com",
		"kryptex.network", "mining-dutch.nl", "miningpoolhub.com", "minergate.com", "minexmr.com", "monerohash.com", "moneroocean.stream", "nanopool.org", "nicehash.com",
		"p2pool.io", "prohashing.com", "rplant.xyz", "slushpool.com", "supportxmr.com", "unmineable.com", "viabtc.com", "woolypooly.com", "xmrpool.eu", "zergpool.com", "zpool.ca",
	}, MaxPools: 20_000}
}

// mining is D24: a device mines a cryptocurrency for somebody. It speaks Stratum with a pool, on any port, or looks up the name of a pool or
// says it in TLS. Intruders install miners on whatever computes.
type mining struct {
	p     MiningParams
	named map[string]struct{} // the domains of p.Pools, in lower case
	pools *table[minedPool, mined]
}

// minedPool is a host and the pool for which it mines: the domain, or address and port.
type minedPool struct {
	caller
	pool string
}

// mined is what one host has done with one pool.
type mined struct {
	counter
	stratum bool   // it has spoken Stratum
	program string // of the miner, as it names itself
}

func newMining(p MiningParams) *mining {
	return &mining{p: p, named: poolNames(p.Pools), pools: newTable[minedPool, mined](p.MaxPools)}
}

func poolNames(pools []string) map[string]struct{} {
	m := make(map[string]struct{}, len(pools))
	for _, p := range pools {
		m[strings.ToLower(strings.TrimSuffix(p, "."))] = struct{}{}
	}
	return m
}

func (m *mining) Rule() Rule { return miningRule.Rule }

func (m *mining) Kinds() []Kind { return []Kind{SessionFact} }

func (m *mining) setParams(p MiningParams) {
	m.p, m.named = p, poolNames(p.Pools)
	m.pools.limit(p.MaxPools)
}

func (m *mining) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{m.pools.part("D24.pools/1", func(c *snapshot.Codec, k *minedPool) {
		k.caller.walk(c)
		c.String(&k.pool)
	}, func(c *snapshot.Codec, x *mined) {
		x.counter.walk(c)
		c.Bool(&x.stratum)
		c.String(&x.program)
	})}
}

func (m *mining) evictions() uint64 { return m.pools.evicted() }

func (m *mining) Tick(now int64, c *Context) { m.pools.expire(now - 2*day) }

func (m *mining) Observe(e *Event, c *Context) {
	switch x := e.Fact.(type) {
	case *dissect.AppID:
		if x.Name == "stratum" {
			m.speaks(e, c, "")
		}
	case *dissect.Banner:
		if x.Protocol == "stratum" && x.Client {
			m.speaks(e, c, Clean(x.Text, 80))
		}
	case *dissect.DNSMessage:
		if !x.Response && !x.MDNS && !x.LLMNR && !resolves(e.Initiator) {
			m.names(e, c, x.QName)
		}
	case *dissect.TLSClientHello:
		if x.SNI != "" {
			m.names(e, c, x.SNI)
		}
	}
}

// miner returns which end of a session of Stratum mines: the one that opened it. Of a session that was captured midstream it is the device,
// if the other end is external: nobody outside mines for a pool inside.
func miner(e *Event) (k caller, dir session.Dir, ok bool) {
	if e.Session.Opened() {
		k, ok = callerOf(e)
		return k, session.Out, ok
	}
	switch {
	case e.Initiator != nil && e.Responder == nil:
		return caller{device: e.Initiator.ID}, session.Out, true
	case e.Initiator == nil && e.Responder != nil:
		return caller{device: e.Responder.ID}, session.In, true
	}
	return k, dir, false
}

// speaks counts a session of Stratum when it is recognized, and adds the program of the miner when that is known.
func (m *mining) speaks(e *Event, c *Context, program string) {
	who, dir, ok := miner(e)
	if !ok {
		return
	}
	pool := m.pool(c.ResponderName(e))
	if pool == "" || dir == session.In {
		far := [2]*session.Endpoint{&e.Session.Responder, &e.Session.Initiator}[dir]
		pool = fmt.Sprintf("%s:%d/%s", addr(far, e.Session.V6), far.Port, Proto(e.Session.Proto))
	}
	k := minedPool{who, pool}
	if program == "" {
		x := m.pools.put(k, c.Now)
		x.begin(c.Now, day)
		isNew := !x.stratum
		x.stratum = true
		if x.add(e.Session.Start) || isNew {
			m.report(e, c, k, x, dir, false)
		}
		return
	}
	if x := m.pools.get(k, c.Now); x != nil && x.stratum && x.program == "" {
		x.program = program
		m.report(e, c, k, x, dir, true)
	}
}

// names counts a lookup of the name of a pool, or a TLS session with it.
func (m *mining) names(e *Event, c *Context, name string) {
	pool := m.pool(name)
	if pool == "" {
		return
	}
	who, ok := callerOf(e)
	if !ok {
		return
	}
	k := minedPool{who, pool}
	x := m.pools.put(k, c.Now)
	x.begin(c.Now, day)
	if x.add(e.Session.Start) {
		m.report(e, c, k, x, session.Out, false)
	}
}

// pool returns the domain of the list that a name is or belongs to, "" if there is none.
func (m *mining) pool(name string) string {
	for name = strings.ToLower(strings.TrimSuffix(name, ".")); name != ""; { // ToLower does not allocate for a name in lower case
		if _, ok := m.named[name]; ok {
			return name
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return ""
}

func (m *mining) report(e *Event, c *Context, k minedPool, x *mined, dir session.Dir, more bool) {
	self := [2]*device.Device{e.Initiator, e.Responder}[dir]
	lookup := e.App != nil && e.App.Name == "dns"
	f := c.sessionFinding(m.Rule(), e, dir)
	f.Severity = callerSeverity(self, contract.Normal, "")
	if self != nil {
		v := c.verdictFor(e, dir)
		if v.Entry != "" && !lookup { // the inventory allows it
			return
		}
		f.Maintenance = v.Maintenance
		expect, source := c.Contracts.Expect(self, c.Now)
		f.Severity = callerSeverity(self, expect, source)
	}
	if x.stratum {
		f.Severity = High
	}
	f.Key, f.Stage, f.Continues = "pool "+Clean(k.pool, 200), StageOutbound, more
	f.Start, f.Total, f.Count = x.first, x.count, max(x.take(), 1)
	m.text(f, x, k.pool, lookup)
	c.Emit(f)
}

// text writes the texts of a finding.
func (m *mining) text(f *Finding, x *mined, domain string, lookup bool) {
	who, pool, times := f.self(), name{Clean(domain, 80), Clean(domain, 40)}, Plural(x.count, "session or lookup", "sessions and lookups")
	what, why := "looked up or called the mining pool %s", Reason{Code: "pool", Text: "the name belongs to a mining pool", Weight: 0.4}
	f.Brief, f.Title = "calls a mining pool", headline("%s calls the mining pool %s", who, pool)
	if x.stratum {
		what, why = "spoke Stratum, the protocol of mining pools, with %s", Reason{Code: "stratum", Text: "the session has the messages of Stratum", Weight: 0.6}
		f.Brief, f.Title = "mines", headline("%s mines cryptocurrency with %s", who, pool)
	}
	f.Message = fmt.Sprintf("Expected: %s does not mine cryptocurrency. Seen: since %s it "+what+"; "+times+" in all.", who.full, clock(x.first), pool.full)
	f.Reasons = append(f.Reasons, why)
	data := map[string]any{"pool": pool.full, "stratum": x.stratum, "count": x.count}
	if x.program != "" {
		f.Message = strings.TrimSuffix(f.Message, ".") + "; the program calls itself " + x.program + "."
		f.Reasons = append(f.Reasons, Reason{Code: "program", Text: "the client names its program: " + x.program, Weight: 0.2})
		data["program"] = x.program
	}
	f.Reasons = append(f.Reasons, benign("somebody mines on this device on purpose, or only looked at the web page of the pool"))
	if lookup && !strings.Contains(domain, "/") {
		f.Entities = append(f.Entities, "domain:"+Clean(domain, 253))
	}
	f.Evidence = []Evidence{{Kind: "mining", Summary: "mining pool " + pool.full + ", " + times, Data: data}}
	f.Recommendation = miningRule.advise("", f.Device)
}
