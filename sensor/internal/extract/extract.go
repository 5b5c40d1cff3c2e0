// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const (
	// cacheSize is the number of flows whose match is stored, a power of two.
	cacheSize = 1 << 14
	// holdTime is how long a fragment can wait for the rest of its datagram: a little longer than the reassembler does, in nanoseconds.
	holdTime = 31e9
	// maxHeld and maxHeldBytes bound what waits to be written.
	maxHeld      = 1 << 17
	maxHeldBytes = 64 << 20
)

// Result is what was extracted.
type Result struct {
	Packets, Bytes uint64 // Bytes as captured
	First, Last    int64  // times of the first and the last packet in the order of the captures
	GaveUp         uint64 // fragments that were not decided, because too much was waiting
}

// Run copies packets from a source to a Writer.
type Run struct {
	sel    *Selection
	src    capture.Source
	out    *Writer
	reasm  *packet.Reassembler
	scopes *packet.Scopes
	packet packet.Packet
	cache  []cached

	num        uint64
	queue      []*frame // what waits: the first one is not decided
	queueBytes int
	held       map[packet.Datagram][]*frame
	res        Result
	read, kept atomic.Uint64 // for Progress
}

// cached is the member of a flow.
type cached struct {
	member
	flow  session.Flow
	match bool
}

type decision uint8

const (
	undecided decision = iota
	selected
	dropped
)

// frame is a frame that waits to be written.
type frame struct {
	capture.Frame
	file     string
	data     []byte
	num      uint64
	of       packet.Datagram // if it is a fragment that is held
	decision decision
}

// New returns a run that copies the selected packets of src to out.
func New(sel *Selection, src capture.Source, out *Writer) *Run {
	return &Run{sel: sel, src: src, out: out, reasm: packet.NewReassembler(packet.ReassemblerConfig{}), scopes: packet.NewScopes(),
		cache: make([]cached, cacheSize), held: map[packet.Datagram][]*frame{}}
}

// Progress returns the numbers of packets that were read and that were selected.
func (r *Run) Progress() (read, kept uint64) { return r.read.Load(), r.kept.Load() }

// Run reads the source to its end.
func (r *Run) Run(ctx context.Context) (Result, error) {
	var b capture.Batch
	for {
		if err := ctx.Err(); err != nil {
			return r.res, err
		}
		err := r.src.Next(&b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.res, err
		}
		if err := r.batch(&b); err != nil {
			return r.res, err
		}
	}
	for _, f := range r.queue {
		r.drop(f)
	}
	err := r.flush()
	return r.res, err
}

func (r *Run) batch(b *capture.Batch) error {
	for i := range b.Frames {
		f := &b.Frames[i]
		if err := r.frame(b, f); err != nil {
			return err
		}
	}
	r.read.Store(r.num)
	r.kept.Store(r.res.Packets)
	return nil
}

// frame decides about one frame. The steps are those of the reader of the engine.
func (r *Run) frame(b *capture.Batch, f *capture.Frame) error {
	p, data := &r.packet, b.Data[f.Off:f.Off+f.Len]
	r.num++
	p.Num, p.Time = r.num, f.Time
	packet.Decode(p, f.Link, data, f.OrigLen)
	r.scopes.Apply(p)
	if p.Frag != packet.FragNone {
		return r.fragment(p, &frame{Frame: *f, file: b.File, num: r.num}, data)
	}
	match := r.match(p) && r.sel.during(f.Time)
	switch {
	case len(r.queue) == 0 && match:
		return r.write(b.File, f, data)
	case match:
		r.wait(&frame{Frame: *f, file: b.File, num: r.num, decision: selected}, data)
		return r.flush()
	}
	return nil
}

// match reports whether a packet is selected, its time apart.
func (r *Run) match(p *packet.Packet) bool {
	if !p.HasIP {
		m := memberOf(p)
		return r.sel.match(&m)
	}
	c := &r.cache[p.FlowHash()%cacheSize]
	if flow := session.FlowOf(p); c.flow != flow || !c.sameMACs(p) {
		*c = cached{member: memberOf(p), flow: flow}
		c.match = r.sel.match(&c.member)
	}
	return c.match
}

// sameMACs reports whether the MACs of p are those of c, in either direction. Members of both directions match alike.
func (c *cached) sameMACs(p *packet.Packet) bool {
	return c.hasMAC == p.HasMAC && (c.macs[0] == p.SrcMAC && c.macs[1] == p.DstMAC || c.macs[1] == p.SrcMAC && c.macs[0] == p.DstMAC)
}

// fragment decides about a fragment, and about those that were held for it.
func (r *Run) fragment(p *packet.Packet, f *frame, data []byte) error {
	passed := r.reasm.Add(p)
	var group []*frame
	datagrams := r.reasm.Datagrams()
	for _, d := range datagrams {
		group = append(group, r.held[d]...)
		delete(r.held, d)
	}
	r.wait(f, data)
	if !passed {
		group = append(group, f)
		of := datagrams[len(datagrams)-1]
		for _, g := range group {
			g.of = of
		}
		r.held[of] = group
		return r.flush()
	}
	r.scopes.Apply(p)
	// Count is how many frames the engine counts here. Older ones are of another datagram with the same identification, which never completed.
	slices.SortFunc(group, func(a, b *frame) int { return cmp.Compare(a.num, b.num) })
	n := min(len(group), int(p.Count)-1)
	for _, g := range group[:len(group)-n] {
		r.drop(g)
	}
	for _, g := range append(group[len(group)-n:], f) {
		g.decision = dropped
		if r.match(p) && r.sel.during(p.Time) { // they count as parts of this packet
			g.decision = selected
		}
	}
	return r.flush()
}

// wait appends a frame to the queue, with a copy of its bytes.
func (r *Run) wait(f *frame, data []byte) {
	f.data = slices.Clone(data)
	r.queueBytes += len(data)
	r.queue = append(r.queue, f)
}

// drop decides that a frame is of no session. The engine counts a fragment nowhere if its datagram never completed.
func (r *Run) drop(f *frame) {
	if f.decision != undecided {
		return
	}
	f.decision = dropped
}

// flush writes the queue up to the first frame that is not decided.
func (r *Run) flush() error {
	n := 0
	for ; n < len(r.queue); n++ {
		f := r.queue[n]
		if f.decision == undecided {
			late, full := r.packet.Time-f.Time > holdTime, len(r.queue)-n > maxHeld || r.queueBytes > maxHeldBytes
			if !late && !full {
				break
			}
			if !late {
				r.res.GaveUp++
			}
			r.drop(f)
			r.forget(f)
		}
		r.queueBytes -= len(f.data)
		if f.decision == selected {
			if err := r.write(f.file, &f.Frame, f.data); err != nil {
				return err
			}
		}
	}
	clear(r.queue[:n])
	r.queue = r.queue[n:]
	return nil
}

// forget removes a fragment from those that are held.
func (r *Run) forget(f *frame) {
	rest := slices.DeleteFunc(r.held[f.of], func(x *frame) bool { return x == f })
	if len(rest) == 0 {
		delete(r.held, f.of)
		return
	}
	r.held[f.of] = rest
}

func (r *Run) write(file string, f *capture.Frame, data []byte) error {
	if r.res.Packets == 0 {
		r.res.First = f.Time
	}
	r.res.Packets++
	r.res.Bytes += uint64(len(data))
	r.res.Last = f.Time
	return r.out.packet(file, f, data)
}
