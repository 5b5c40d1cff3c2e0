// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/lan"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// shard tracks the sessions of its partitions and turns what happens in them into events.
type shard struct {
	id     int
	of     int
	tables [Partitions]*session.Table // nil for those of other shards
	parts  [Partitions]*partition
	out    *shardPart

	// The current group of packets, the storage of the plain ones, and their sessions.
	group   [groupSize]*packet.Packet
	plain   [groupSize]packet.Packet
	lookups [groupSize]session.Lookup

	names         appNames
	states        freeList[state]
	conversations freeList[dispatch.Conversation]
	dissectors    dispatch.Pool

	num    uint64         // ordered.num of current events
	frame  *packet.Packet // the current packet; nil before the first
	ticked bool
	counts shardCounts
}

// spares are unused values. The latest is the most likely to be in a cache.
type freeList[T any] []*T

// get returns a value as it was put, or a new one.
func (s *freeList[T]) get() *T {
	n := len(*s) - 1
	if n < 0 {
		return new(T)
	}
	x := (*s)[n]
	*s = (*s)[:n]
	return x
}

func (s *freeList[T]) put(x *T) { *s = append(*s, x) }

// shardCounts counts what the tables of a shard do not.
type shardCounts struct {
	LinkFacts, Conversations uint64
	DetailsDropped           uint64 // sessions that keep only the name of their protocol, because there were too many
}

func newShard(id, of int, cfg session.Config) *shard {
	maxDetails := max(cfg.MaxSessions/detailShare, 1)
	sh := &shard{id: id, of: of}
	cfg.Slab = new(session.Slab)
	for i := id; i < Partitions; i += of {
		p := &partition{sh: sh, part: uint8(i), details: details{max: maxDetails}}
		p.sink = p.fact
		sh.parts[i] = p
		p.table = session.New(cfg, p)
		sh.tables[i] = p.table
	}
	return sh
}

// run processes this shard's part of each block. The last shard to do so sends the block to the correlator. Every shard takes blocks in order,
// so the correlator receives them in order.
func (sh *shard) run(in <-chan *block, out chan<- *block, rec *recovery) {
	for b := range in {
		rec.do("shard", func() { sh.process(b) })
		if b.left.Add(-1) == 0 && !b.grouped {
			out <- b
		}
	}
}

// process handles this shard's packets in a block, and the ticks.
func (sh *shard) process(b *block) {
	sh.out = &b.shards[sh.id]
	ticks, counts := b.ticks, sh.out.counts
	for briefs := sh.out.briefs; len(briefs) > 0; {
		n := min(len(briefs), groupSize)
		sh.prepare(b, briefs[:n])
		briefs = briefs[n:]
		for i, p := range sh.group[:n] {
			if len(ticks)+len(counts) > 0 {
				ticks, counts = sh.until(p.Num, ticks, counts)
			}
			sh.packet(p, &sh.lookups[i])
		}
	}
	sh.until(1<<64-1, ticks, counts)
	if t := b.flush - 1; t >= 0 && sh.tables[t] != nil {
		sh.num = 1<<64 - 1
		sh.tables[t].Flush(flushSessions, b.clock)
	}
	sh.report()
}

// until handles the ticks and the kernel's counts before packet num, in order, and returns the remaining ones.
func (sh *shard) until(num uint64, ticks []tick, counts []kernelCounts) ([]tick, []kernelCounts) {
	for {
		switch {
		case len(ticks) > 0 && ticks[0].num <= num && (len(counts) == 0 || ticks[0].num <= counts[0].num):
			sh.tick(ticks[0])
			ticks = ticks[1:]
		case len(counts) > 0 && counts[0].num < num:
			c := &counts[0]
			sh.num = 2*c.num + 1
			sh.tables[c.part].AddCounts(c.Counts, c.num)
			counts = counts[1:]
		default:
			return ticks, counts
		}
	}
}

// groupSize is the number of packets that are prefetched together: enough to hide memory latency, few enough to stay in the L1 cache.
const groupSize = 64

// prepare decodes the packets of a group and prefetches their sessions, so that the memory accesses overlap.
func (sh *shard) prepare(b *block, briefs []packet.Brief) {
	cacheline.Prefetch(unsafe.Pointer(unsafe.SliceData(briefs)), len(briefs))
	for i := range briefs {
		x, p := &briefs[i], &sh.plain[i]
		if x.Plain() {
			x.Packet(p, b.batch.Data[x.Off:])
			p.Num = b.num + uint64(x.Num)
		} else {
			p = &b.packets[x.At]
			p.Part = x.Part
		}
		sh.group[i] = p
		if p.HasIP {
			sh.tables[p.Part].Prepare(p, &sh.lookups[i])
		}
	}
	for i, p := range sh.group[:len(briefs)] {
		if p.HasIP {
			sh.tables[p.Part].Reach(&sh.lookups[i])
		}
	}
}

func (sh *shard) packet(p *packet.Packet, l *session.Lookup) {
	sh.num, sh.frame = 2*p.Num+1, p
	if !p.HasIP {
		sh.withoutIP(p)
		return
	}
	if sh.tables[p.Part].AddPrepared(p, l) && p.Kind == packet.KindICMP6 && len(p.Body) > 0 {
		sh.neighbor(p)
	}
}

func (sh *shard) withoutIP(p *packet.Packet) {
	if sh.tables[p.Part].Copied(p) {
		return
	}
	if p.Kind == packet.KindARP {
		if m, ok := lan.ParseARP(p.Body, p.SrcMAC, p.DstMAC); ok {
			m.Scope = p.Scope
			sh.link(p, m)
		}
		return
	}
	if p.EtherType == packet.EtherSADP {
		if f, ok := lan.ParseSADP(p.Body, p.SrcMAC, p.DstMAC); ok {
			sh.link(p, f)
		}
		return
	}
	if m, ok := lan.ParseNeighbor(p.Body, p.EtherType == packet.EtherLLDP, p.SrcMAC); ok {
		sh.link(p, m)
	}
}

func (sh *shard) neighbor(p *packet.Packet) {
	if m, ok := lan.ParseND(p.Body, p.Src.Netip(), p.Dst.Netip(), p.SrcMAC); ok {
		sh.link(p, m)
	}
}

func (sh *shard) link(p *packet.Packet, f dissect.Fact) {
	sh.counts.LinkFacts++
	e := sh.parts[p.Part].emit(detect.LinkFact, p.Time)
	if e.Fact = f; p.NumVLANs > 0 {
		e.VLAN = p.VLANs[0]
	}
}

func (sh *shard) tick(t tick) {
	sh.num, sh.ticked = 2*t.num, true
	var c tickCounts
	for _, x := range sh.tables {
		if x != nil {
			c.live += x.Live()
			x.Advance(t.sec)
			c.quality.addStats(&x.Stats)
		}
	}
	sh.out.ticks = append(sh.out.ticks, c)
	sh.ticked = false
}

// report stores the totals so far in the block.
func (sh *shard) report() {
	var s session.Stats
	for i, x := range sh.tables {
		if x != nil {
			s.Add(&x.Stats)
			sh.parts[i].seq, sh.parts[i].view = 0, nil
		}
	}
	sh.out.stats, sh.out.extra = s, sh.counts
}
