// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"sync/atomic"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Partitions is the number of session tables. It is fixed, so that evictions and the order of events at a tick are the same for any number
// of shards.
const Partitions = 16

// block carries a batch through the pipeline: the reader fills it, every shard processes its own packets, the correlator handles the events
// of all shards, and then it returns to the reader.
type block struct {
	batch   capture.Batch
	num     uint64          // of the last packet before this block
	packets []packet.Packet // packets that do not fit a packet.Brief
	arena   packet.Arena    // payloads of reassembled datagrams
	ticks   []tick
	vlans   []vlanSeen
	frames  frameCounts
	// Totals of the run up to the end of this block.
	fragments packet.ReassemblyStats
	scopes    packet.ScopeStats
	loss      lossCounts
	clock     int64 // the latest capture time seen up to the end of this block, nanoseconds
	flush     int   // 1 + the partition whose sessions are flushed; 0: none
	last      bool  // the run ends with this block

	shards []shardPart
	left   atomic.Int32 // shards that have not processed it yet
	// The correlator receives blocks in groups, through the last one: grouped means that another block of the group follows, and group holds
	// the blocks before this one.
	grouped bool
	group   []*block
}

// shardPart is the input and the output of one shard in a block.
type shardPart struct {
	briefs []packet.Brief // of its packets; At is the index in block.packets of one that is not plain, Num is relative to block.num
	counts []kernelCounts
	events []ordered
	views  views         // of its events
	stats  session.Stats // totals of its tables
	extra  shardCounts
	bins   []session.Bin // of its events
	ticks  []tickCounts  // totals of the shard at each tick of the block
}

// views holds the sessions as they were at the events of a block. Views keep their address while more are added, and are reused by the next
// block.
type views struct {
	chunks []*[viewsPerChunk]session.View
	used   int
}

// A block keeps keptViewChunks and room for keptEvents, which is enough as a rule. A block in which a flood expires needs more, and frees it.
const (
	viewsPerChunk  = 64
	keptViewChunks = 16
	keptEvents     = 1 << 11
	keptBins       = 1 << 12
)

func (v *views) next() *session.View {
	if v.used == viewsPerChunk*len(v.chunks) {
		v.chunks = append(v.chunks, new([viewsPerChunk]session.View))
	}
	x := &v.chunks[v.used/viewsPerChunk][v.used%viewsPerChunk]
	v.used++
	return x
}

func (v *views) reset() {
	if len(v.chunks) > keptViewChunks {
		clear(v.chunks[keptViewChunks:])
		v.chunks = v.chunks[:keptViewChunks]
	}
	v.used = 0
}

// activity returns a copy of bins that is valid until the block is reset.
func (p *shardPart) activity(bins []session.Bin) []session.Bin {
	n := len(p.bins)
	p.bins = append(p.bins, bins...)
	return p.bins[n:len(p.bins):len(p.bins)]
}

// tickCounts is what a shard counts at a tick.
type tickCounts struct {
	quality qualityCounts
	live    int // live sessions, before those that are due end
}

// kernelCounts is what the kernel counted of a session, with its place in the run.
type kernelCounts struct {
	*packet.Counts
	num  uint64
	part uint8
}

// tick records that the clock reached second sec before packet num of the run.
type tick struct {
	sec int64
	num uint64
	// idle means that no packet came in this second. The shards expire sessions, but the correlator ticks at whole minutes only, as in a
	// replay of the same packets.
	idle bool
}

// vlanSeen records that packet num was the first of a VLAN in its minute, with the clock at second sec.
type vlanSeen struct {
	num  uint64
	sec  int64
	vlan uint16
}

// ordered is an event with its position in the run: (num, due, part, seq).
type ordered struct {
	num  uint64 // 2n+1 for packet n, 2n for the tick before it
	due  int64  // second of an expiry
	part uint8
	seq  uint32
	detect.Event
}

func compareOrder(a, b *ordered) int {
	switch {
	case a.num != b.num:
		return less(a.num < b.num)
	case a.due != b.due:
		return less(a.due < b.due)
	case a.part != b.part:
		return less(a.part < b.part)
	case a.seq != b.seq:
		return less(a.seq < b.seq)
	}
	return 0
}

func less(b bool) int {
	if b {
		return -1
	}
	return 1
}

// frameCounts is what the reader counts of a block.
type frameCounts struct {
	verdicts  [packet.NumVerdicts]uint64
	frames    uint64
	bytes     uint64
	held      uint64 // fragments held back
	backwards uint64 // frames older than the clock by more than a second
	ahead     uint64 // frames so far ahead of the clock that it did not follow
	shunted   uint64 // packets that the kernel counted and did not copy
	kept      uint64 // bytes of their IP packets
	cut       uint64 // frames of sessions that the filter excludes, and after the selected time
}

// lossCounts is what a live source reports of lost frames and of its interface.
type lossCounts struct {
	offered, lost uint64
	traffic       uint64 // grows while frames arrive at the interface
	blind         string // why no frame can arrive; "" if frames can
}

func newBlock(shards int) *block { return &block{shards: make([]shardPart, shards)} }

// more returns room for one more packet that is not plain. It holds the data of an earlier packet.
func (b *block) more() *packet.Packet {
	n := len(b.packets)
	if n == cap(b.packets) {
		b.packets = append(b.packets, packet.Packet{})
	}
	b.packets = b.packets[:n+1]
	return &b.packets[n]
}

func (b *block) reset() {
	b.batch.Frames, b.batch.Counts, b.batch.Clock = b.batch.Frames[:0], b.batch.Counts[:0], 0
	b.arena.Reset()
	b.ticks, b.vlans = b.ticks[:0], b.vlans[:0]
	b.frames = frameCounts{}
	b.packets = b.packets[:0]
	b.flush, b.last, b.grouped, b.group = 0, false, false, b.group[:0]
	for i := range b.shards {
		p := &b.shards[i]
		if clear(p.events); cap(p.events) > keptEvents {
			p.events = nil
		}
		p.briefs, p.counts, p.events, p.ticks = p.briefs[:0], p.counts[:0], p.events[:0], p.ticks[:0]
		p.views.reset()
		if cap(p.bins) > keptBins {
			p.bins = nil
		}
		p.bins = p.bins[:0]
	}
}
