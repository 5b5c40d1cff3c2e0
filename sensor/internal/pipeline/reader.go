// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"io"
	"slices"
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/selection"
)

// reader takes batches from the source, decodes their frames in place, reassembles fragments, numbers the packets, maintains the capture clock,
// and assigns each packet to the shard of its partition. Everything that depends on the order of the frames is done here.
type reader struct {
	src     capture.Source
	reasm   *packet.Reassembler
	scopes  *packet.Scopes
	brief   packet.Brief      // of the current frame
	shardOf [Partitions]uint8 // the shard of each partition
	// maxSessions is the capacity of one partition.
	maxSessions int
	filter      *selection.Filter  // nil: every session is read
	records     *selection.Records // nil: frames of any time are read

	group []*block // filled blocks that are sent to the correlator with the next one

	num    uint64
	clock  int64 // nanoseconds, never goes back
	second int64 // of the last tick
	// minute is the minute of second, counted from 1. vlans holds the minute of the last frame of each VLAN.
	minute uint32
	vlans  [1 << 12]uint32
	begun  bool
	idled  bool // the current second has ticked without a frame
	live   bool // the source can lose frames, and counts them
	loss   lossCounts
	last   int   // batches that were read after the run was asked to end
	ahead  int64 // time of the previous frame if the clock did not follow it, else 0
}

// flushSessions is the number of sessions that end with one block when the run is over, so that a million of them need not fit in one block.
const flushSessions = 1 << 10

// run fills blocks from free and sends them to every shard until the source or ctx ends. Then the partitions end their sessions one after
// another, in as many blocks as that can take; the last block is marked.
func (r *reader) run(ctx context.Context, free <-chan *block, out []chan<- *block, rec *recovery) error {
	var err error
	for err == nil && rec.err() == nil {
		b := r.next(free)
		rec.do("reader", func() { err = r.fill(ctx, b) })
		r.send(b, out, b.batch.More && err == nil)
	}
	rounds := r.maxSessions/flushSessions + 1
	for i := range Partitions * rounds {
		b := r.next(free)
		b.clock, b.flush, b.last = r.clock, i/rounds+1, i == Partitions*rounds-1
		b.loss, b.fragments, b.scopes = r.loss, r.reasm.Stats(), r.scopes.Stats()
		if i == 0 {
			b.ticks = append(b.ticks, tick{sec: r.second, num: r.num + 1}) // counts the live sessions at the end
		}
		r.send(b, out, false)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (r *reader) next(free <-chan *block) *block {
	b := <-free
	b.reset()
	return b
}

// send sends b to every shard. more means that another block follows at once.
func (r *reader) send(b *block, out []chan<- *block, more bool) {
	if b.grouped = more && len(r.group) < groupBlocks-1; b.grouped {
		r.group = append(r.group, b)
	} else {
		b.group = append(b.group, r.group...)
		r.group = r.group[:0]
	}
	cacheline.Flush()
	b.left.Store(int32(len(out)))
	for _, c := range out {
		c <- b
	}
}

func (r *reader) fill(ctx context.Context, b *block) error {
	b.clock, b.num = r.clock, r.num
	end := ctx.Err()
	if end != nil && !r.leave() {
		return end
	}
	err := r.src.Next(&b.batch)
	n := len(b.batch.Frames)
	if end != nil && n == 0 && err == nil {
		err = end
	}
	r.reasm.Use(&b.arena)
	frames, counts := b.batch.Frames, b.batch.Counts
	for i := range frames {
		if ahead := i + framesAhead; ahead < n {
			cacheline.Prefetch(unsafe.Pointer(unsafe.SliceData(b.batch.Data[frames[ahead].Off:])), headerLines)
		}
		if len(counts) > 0 {
			counts = r.counted(b, counts, uint32(i))
		}
		r.frame(b, uint32(i))
	}
	r.counted(b, counts, uint32(n))
	r.idle(b)
	if r.live && len(b.ticks) > 0 {
		r.lost()
	}
	b.clock, b.loss, b.fragments, b.scopes = r.clock, r.loss, r.reasm.Stats(), r.scopes.Stats()
	return err
}

// lastBatches bounds the batches that are read from an interface after the run was asked to end, in case frames arrive faster than they are read.
const lastBatches = 64

// leave reports whether to read another batch after the run was asked to end. From an interface, the frames that have arrived are still read.
func (r *reader) leave() bool {
	if !r.live {
		return false
	}
	if f, ok := r.src.(finisher); ok && r.last == 0 {
		f.Finish()
	}
	r.last++
	return r.last <= lastBatches
}

// finisher is a source that must know when its last batches are read.
type finisher interface{ Finish() }

// The headers of a frame, headerLines cache lines, are prefetched framesAhead frames before they are read.
const (
	framesAhead = 8
	headerLines = 2
)

// lost reads the loss counters of the source, once a second.
func (r *reader) lost() {
	s := r.src.Stats()
	r.loss.lost, r.loss.traffic, r.loss.blind = s.Drops.Lost(), s.Traffic, s.Blind
	r.loss.offered = s.Received + s.Drops.NIC + s.Drops.Queue
}

// counted assigns the kernel's counts before frame i to the shards of their sessions, and returns the remaining counts.
func (r *reader) counted(b *block, counts []capture.Counts, i uint32) []capture.Counts {
	for len(counts) > 0 && counts[0].Before <= i {
		c := &counts[0]
		r.num++
		part := uint8(c.FlowHash() >> 60)
		s := &b.shards[r.shardOf[part]]
		s.counts = append(s.counts, kernelCounts{c, r.num, part})
		b.frames.shunted += c.Packets[0] + c.Packets[1]
		b.frames.kept += c.IPBytes[0] + c.IPBytes[1]
		counts = counts[1:]
	}
	return counts
}

// idle advances the clock to the time of the source although no frame has arrived. A second with counts of the kernel is not idle.
func (r *reader) idle(b *block) {
	n := len(b.ticks)
	if b.batch.Clock > r.clock {
		r.advance(b, b.batch.Clock)
	}
	if len(b.ticks) > n {
		b.ticks[n].num, b.ticks[n].idle = r.num+1, len(b.batch.Counts) == 0
		r.idled = b.ticks[n].idle
	}
}

// busy ticks a second time in a second that began without a frame, before its first frame: the correlator must tick as in a replay, where a
// second begins with its first frame.
func (r *reader) busy(b *block, t int64) {
	if t/1e9 < r.second {
		return
	}
	r.idled = false
	if len(b.ticks) == 0 {
		b.ticks = append(b.ticks, tick{sec: r.second, num: r.num})
	}
}

// frame decodes one frame and assigns it.
func (r *reader) frame(b *block, i uint32) {
	f := &b.batch.Frames[i]
	r.num++
	if r.records.After(f.Time) {
		b.frames.frames++
		b.frames.cut++
		return
	}
	r.advance(b, f.Time)
	if r.idled {
		r.busy(b, f.Time)
	}
	b.frames.frames++
	b.frames.bytes += uint64(f.OrigLen)
	data := b.batch.Data[f.Off : f.Off+f.Len]
	if f.Link == packet.LinkEthernet && r.filter == nil {
		if hash, ok := r.brief.Take(data, f.OrigLen); ok && !r.scopes.Apart(r.brief.VLAN()) {
			r.seen(b, r.brief.VLAN())
			b.frames.verdicts[packet.VerdictOK]++
			r.brief.Time, r.brief.Off = f.Time, f.Off
			r.assign(b, hash)
			return
		}
	}
	p := b.more()
	p.Num, p.Time = r.num, f.Time
	packet.Decode(p, f.Link, data, f.OrigLen)
	b.frames.verdicts[p.Verdict]++
	if p.NumVLANs > 0 {
		r.seen(b, p.VLANs[0]%uint16(len(r.vlans)))
	} else {
		r.seen(b, 0)
	}
	r.scopes.Apply(p)
	if p.Frag != packet.FragNone {
		if !r.reasm.Add(p) {
			b.frames.held++
			return
		}
		r.scopes.Apply(p)
	}
	if r.filter != nil && !r.filter.Match(p) {
		b.frames.cut++
		return
	}
	if p.HasIP || p.Kind == packet.KindARP || p.Kind == packet.KindNeighbor {
		r.brief = packet.Brief{At: uint32(len(b.packets) - 1)}
		r.assign(b, p.FlowHash())
	}
}

// seen records the first frame of a VLAN in each minute; 0 means no tag.
func (r *reader) seen(b *block, vlan uint16) {
	if r.vlans[vlan] != r.minute {
		r.vlans[vlan] = r.minute
		b.vlans = append(b.vlans, vlanSeen{r.num, r.second, vlan})
	}
}

// assign assigns the current packet to the shard of its flow. The upper bits of the hash select the partition; the session tables use another
// hash.
func (r *reader) assign(b *block, hash uint64) {
	r.brief.Num, r.brief.Part = uint32(r.num-b.num), uint8(hash>>60)
	s := &b.shards[r.shardOf[r.brief.Part%Partitions]]
	n := len(s.briefs)
	s.briefs = slices.Grow(s.briefs, 1)[:n+1]
	cacheline.Store(unsafe.Pointer(&s.briefs[n]), unsafe.Pointer(&r.brief))
}

// believedJump is how far the clock follows one frame, in nanoseconds. A frame further ahead may have a wrong time, so the clock waits for the
// next frame to confirm it. aheadSlack is how much earlier that frame may be.
const (
	believedJump = 86400e9
	aheadSlack   = 3600e9
)

// earliest is the first time of the clock. A device whose clock was not set starts at the epoch, and elsewhere a time of 0 means that there is none.
const earliest = 1e9

// advance advances the clock and records a tick where a new second begins. If time jumps back, the clock waits until time has caught up.
func (r *reader) advance(b *block, t int64) {
	t = max(t, earliest)
	if t < r.clock {
		r.ahead = 0
		if r.clock-t > 1e9 {
			b.frames.backwards++
		}
		return
	}
	if r.begun && t-r.clock > believedJump && (r.ahead == 0 || t < r.ahead-aheadSlack) {
		r.ahead = t
		b.frames.ahead++
		return
	}
	r.begun, r.ahead, r.clock = true, 0, t
	if sec := t / 1e9; sec > r.second {
		if sec/60 != r.second/60 || r.minute == 0 {
			r.minute++
		}
		r.second = sec
		b.ticks = append(b.ticks, tick{sec: sec, num: r.num})
	}
}
