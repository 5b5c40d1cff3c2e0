// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// shard keeps the sessions of its partitions and turns what happens in them into events.
type shard struct {
	id     int
	of     int
	tables [Partitions]*session.Table // nil for those of other shards
	parts  [Partitions]*partition
	out    *shardPart

	lookups []session.Lookup // of the block at work
	touched int64            // of no meaning: see session.Table.Prepare

	// Of the moment: the order of events that are made now.
	num    uint64
	ticked bool
	counts shardCounts
}

// shardCounts is what a shard counts beside its tables.
type shardCounts struct {
	LinkFacts, Conversations uint64
}

// partition hears one table.
type partition struct {
	sh    *shard
	table *session.Table
	part  uint8
	seq   uint32
	conv  []*dissect.Conversation // free ones
	names map[string]*fingerprint.App
	sink  dissect.Sink
	// Of the call that is being made, for sink.
	s   *session.Session
	d   session.Dir
	now int64
}

// state is what is known of a session beyond its packets.
type state struct {
	app  *fingerprint.App
	conv *dissect.Conversation
	side session.Dir // initiator side when conv began: what is learned later about who opened must not turn its streams around
}

func newShard(id, of int, cfg session.Config) *shard {
	sh := &shard{id: id, of: of}
	for i := id; i < Partitions; i += of {
		p := &partition{sh: sh, part: uint8(i), names: map[string]*fingerprint.App{}}
		p.sink = p.fact
		sh.parts[i] = p
		p.table = session.New(cfg, p)
		sh.tables[i] = p.table
	}
	return sh
}

func (sh *shard) run(in <-chan *block) {
	for b := range in {
		sh.process(b)
		b.wait.Done()
	}
}

// process works through the packets of a block that are this shard's, and through its ticks.
func (sh *shard) process(b *block) {
	sh.out = &b.shards[sh.id]
	ticks := b.ticks
	sh.prepare(b)
	for n, i := range sh.out.index {
		for len(ticks) > 0 && ticks[0].before <= i {
			sh.tick(ticks[0])
			ticks = ticks[1:]
		}
		sh.packet(&b.packets[i], &sh.lookups[n])
	}
	for _, t := range ticks {
		sh.tick(t)
	}
	if t := b.flush - 1; t >= 0 && sh.tables[t] != nil {
		sh.num = 1<<64 - 1
		sh.tables[t].Flush(b.clock)
	}
	sh.report()
}

// prepare looks ahead over the packets of a block.
func (sh *shard) prepare(b *block) {
	n := len(sh.out.index)
	if cap(sh.lookups) < n {
		sh.lookups = make([]session.Lookup, n, 2*n)
	}
	sh.lookups = sh.lookups[:n]
	for n, i := range sh.out.index {
		if p := &b.packets[i]; p.HasIP {
			sh.touched += sh.tables[p.Part].Prepare(p, &sh.lookups[n])
		}
	}
}

func (sh *shard) packet(p *packet.Packet, l *session.Lookup) {
	sh.num = 2*p.Num + 1
	if p.Kind == packet.KindARP {
		sh.arp(p)
		return
	}
	sh.tables[p.Part].AddPrepared(p, l)
	if p.Kind == packet.KindICMP6 && len(p.Body) > 0 {
		sh.neighbour(p)
	}
}

func (sh *shard) arp(p *packet.Packet) {
	if m, ok := dissect.ParseARP(p.Body, p.SrcMAC, p.DstMAC); ok {
		sh.link(p, m)
	}
}

func (sh *shard) neighbour(p *packet.Packet) {
	if m, ok := dissect.ParseND(p.Body, p.Src.Netip(), p.Dst.Netip(), p.SrcMAC); ok {
		sh.link(p, m)
	}
}

func (sh *shard) link(p *packet.Packet, f dissect.Fact) {
	sh.counts.LinkFacts++
	sh.parts[p.Part].emit(detect.Event{Kind: detect.LinkFact, Time: p.Time, Fact: f}, 0)
}

func (sh *shard) tick(t tick) {
	sh.num, sh.ticked = 2*t.num, true
	var q qualityCounts
	for _, x := range sh.tables {
		if x != nil {
			x.Advance(t.sec)
			q.addStats(&x.Stats)
		}
	}
	sh.out.quality = append(sh.out.quality, q)
	sh.ticked = false
}

// report gives the judge the sums so far.
func (sh *shard) report() {
	var s session.Stats
	sh.out.live = 0
	for i, x := range sh.tables {
		if x != nil {
			s.Add(&x.Stats)
			sh.out.live += x.Live()
			sh.parts[i].seq = 0
		}
	}
	sh.out.stats, sh.out.extra = s, sh.counts
}

// emit appends an event; due is the second of an expiry.
func (p *partition) emit(e detect.Event, due int64) {
	sh := p.sh
	e.Num = sh.num / 2
	sh.out.events = append(sh.out.events, ordered{num: sh.num, due: due, part: p.part, seq: p.seq, Event: e})
	p.seq++
}

func (p *partition) session(k detect.Kind, s *session.Session, now int64) {
	due := int64(0)
	if p.sh.ticked {
		due = now / 1e9
	}
	p.emit(detect.Event{Kind: k, Time: now, Session: p.table.View(s), App: p.app(s)}, due)
}

func (p *partition) app(s *session.Session) *fingerprint.App {
	if x, ok := p.table.User(s).(*state); ok {
		return x.app
	}
	return nil
}

// Opened implements session.Handler.
func (p *partition) Opened(s *session.Session, now int64) { p.session(detect.SessionOpened, s, now) }

// Changed implements session.Handler.
func (p *partition) Changed(s *session.Session, now int64) { p.session(detect.SessionState, s, now) }

// Progress implements session.Handler.
func (p *partition) Progress(s *session.Session, now int64) {
	p.session(detect.SessionProgress, s, now)
}

// Ended implements session.Handler.
func (p *partition) Ended(s *session.Session, _ session.EndReason, now int64) {
	p.session(detect.SessionEnded, s, now)
}

// Stream implements session.Handler.
func (p *partition) Stream(s *session.Session, d session.Dir, head []byte, final bool, now int64) int {
	p.s, p.d, p.now = s, d, now
	x := p.conversation(s)
	return x.conv.Stream(int(d^x.side^s.InitiatorSide()), head, final, p.sink)
}

// Datagram implements session.Handler.
func (p *partition) Datagram(s *session.Session, d session.Dir, data []byte, now int64) bool {
	p.s, p.d, p.now = s, d, now
	x := p.conversation(s)
	return x.conv.Datagram(int(d^x.side^s.InitiatorSide()), data, p.sink)
}

// Release implements session.Handler.
func (p *partition) Release(s *session.Session) {
	x, ok := p.table.User(s).(*state)
	if !ok || x.conv == nil {
		return
	}
	p.conv = append(p.conv, x.conv)
	x.conv = nil
	if x.app == nil {
		p.table.SetUser(s, nil)
	}
}

func (p *partition) conversation(s *session.Session) *state {
	x, ok := p.table.User(s).(*state)
	if !ok {
		x = new(state)
		p.table.SetUser(s, x)
	}
	if x.conv == nil {
		if n := len(p.conv); n > 0 {
			x.conv = p.conv[n-1]
			p.conv = p.conv[:n-1]
		} else {
			x.conv = new(dissect.Conversation)
		}
		c, r := s.Ports()
		x.side = s.InitiatorSide()
		x.conv.Reset(dissect.Ports{Client: c, Server: r})
		p.sh.counts.Conversations++
	}
	return x
}

// fact takes a fact about the session that is being read.
func (p *partition) fact(f dissect.Fact) {
	x := p.table.User(p.s).(*state)
	if q, ok := f.(*dissect.QUICInitial); ok {
		p.d = p.s.SetQUIC(q.FromClient, p.d)
	}
	x.app = p.with(x.app, f)
	p.emit(detect.Event{Kind: detect.SessionFact, Time: p.now, Session: p.table.View(p.s), App: x.app, Fact: f, FactDir: p.d}, 0)
}

// with shares one App among the sessions of which only the protocol is known.
func (p *partition) with(a *fingerprint.App, f dissect.Fact) *fingerprint.App {
	id, ok := f.(*dissect.AppID)
	if !ok || a != nil {
		return a.With(f)
	}
	x := p.names[id.Name]
	if x == nil {
		x = a.With(f)
		p.names[id.Name] = x
	}
	return x
}
