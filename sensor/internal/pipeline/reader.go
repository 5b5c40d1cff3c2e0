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
)

// reader takes batches from the source, decodes their frames in place, puts fragments together, stamps numbers, keeps the clock, and
// gives each packet to the shard of its partition. All that depends on the order of the frames is done here.
type reader struct {
	src     capture.Source
	reasm   *packet.Reassembler
	brief   packet.Brief      // of the frame at work
	shardOf [Partitions]uint8 // which shard keeps a partition
	// maxSessions is how many one partition holds.
	maxSessions int

	group []*block // filled, and to be judged together with the next one

	num    uint64
	clock  int64 // nanoseconds, never goes back
	second int64 // last one ticked
	// minute is that of second, counted from 1, and vlans the one in which each VLAN had its last frame.
	minute uint32
	vlans  [1 << 12]uint32
	begun  bool
	idled  bool // second was ticked and no frame has come in it
	live   bool // the source loses frames, and says so
	loss   lossCounts
	last   int   // batches that were read when the run was to end
	ahead  int64 // time of the frame before, if the clock did not follow it; 0 if it did
}

// flushSessions is how many sessions are ended with one block when the run is over: a million of them need not be told at once.
const flushSessions = 1 << 10

// run fills blocks from free and hands them to every shard until the source or ctx ends. Then the partitions end
// their sessions one after another, with as many blocks as that may take; the last of these blocks is marked.
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
		b.loss, b.fragments = r.loss, r.reasm.Stats()
		if i == 0 {
			b.ticks = append(b.ticks, tick{sec: r.second, num: r.num + 1}) // counts what is live at the end
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

// send gives b to every shard. more says that another block follows at once.
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
	b.clock, b.loss, b.fragments = r.clock, r.loss, r.reasm.Stats()
	return err
}

// lastBatches bounds what is still read of a port when the run is to end: what had come by then, unless it goes on to come faster than it is
// read.
const lastBatches = 64

// leave reports whether more is to be read of a run that is to end: of a port what has come, once it was told that nothing more is wanted.
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

// finisher is a source that is to be told when its last batches are read.
type finisher interface{ Finish() }

// The headers of a frame, headerLines lines of the cache, are asked for framesAhead frames before they are read.
const (
	framesAhead = 8
	headerLines = 2
)

// lost asks the source what it has lost, once a second.
func (r *reader) lost() {
	s := r.src.Stats()
	r.loss.lost, r.loss.traffic, r.loss.blind = s.Drops.Lost(), s.Traffic, s.Blind
	r.loss.offered = s.Received + s.Drops.NIC + s.Drops.Queue
}

// counted gives what the kernel has counted before frame i to the shards of the sessions, and what it has counted later back.
func (r *reader) counted(b *block, counts []capture.Counts, i uint32) []capture.Counts {
	for len(counts) > 0 && counts[0].Before <= i {
		c := &counts[0]
		r.num++
		part := uint8(c.FlowHash() >> 60)
		s := &b.shards[r.shardOf[part]]
		s.counts = append(s.counts, counted{c, r.num, part})
		b.frames.shunted += c.Packets[0] + c.Packets[1]
		b.frames.kept += c.IPBytes[0] + c.IPBytes[1]
		counts = counts[1:]
	}
	return counts
}

// idle moves the clock on to where the source says that it is, though no frame has come. A second in which the kernel has counted is
// not idle.
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

// busy ticks once more for a second that began without a frame, before the first frame that comes in it after all: the judge is to tick as
// it does in a replay, where a second begins with its first frame.
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
	r.advance(b, f.Time)
	if r.idled {
		r.busy(b, f.Time)
	}
	b.frames.frames++
	b.frames.bytes += uint64(f.OrigLen)
	data := b.batch.Data[f.Off : f.Off+f.Len]
	if f.Link == packet.LinkEthernet {
		if hash, ok := r.brief.Take(data, f.OrigLen); ok {
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
	if p.Frag != packet.FragNone && !r.reasm.Add(p) {
		b.frames.held++
		return
	}
	if p.HasIP || p.Kind == packet.KindARP {
		r.brief = packet.Brief{At: uint32(len(b.packets) - 1)}
		r.assign(b, p.FlowHash())
	}
}

// seen notes the first frame of a VLAN in each minute; 0 is without a tag.
func (r *reader) seen(b *block, vlan uint16) {
	if r.vlans[vlan] != r.minute {
		r.vlans[vlan] = r.minute
		b.vlans = append(b.vlans, vlanSeen{r.num, r.second, vlan})
	}
}

// assign gives the packet of the brief to the shard that keeps its flow. The upper bits of the hash choose the partition; within a table
// another hash is used.
func (r *reader) assign(b *block, hash uint64) {
	r.brief.Num, r.brief.Part = uint32(r.num-b.num), uint8(hash>>60)
	s := &b.shards[r.shardOf[r.brief.Part%Partitions]]
	n := len(s.briefs)
	s.briefs = slices.Grow(s.briefs, 1)[:n+1]
	cacheline.Store(unsafe.Pointer(&s.briefs[n]), unsafe.Pointer(&r.brief))
}

// believedJump is how far the clock follows one frame, in nanoseconds: a frame that is further ahead may have a wrong time, and the clock
// waits for the next one to agree. aheadSlack is how far that one may lie before it.
const (
	believedJump = 86400e9
	aheadSlack   = 3600e9
)

// advance moves the clock on and notes a tick where a new second begins. A clock that jumps back stands until it is caught up with.
func (r *reader) advance(b *block, t int64) {
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
