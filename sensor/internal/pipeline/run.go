// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gaissmai/bart"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
)

// blocksInFlight is the number of blocks in the pipeline: enough that reader and correlator do not wait for each other at every batch, few
// enough that they stay in the cache. If batches follow without a pause, the correlator receives up to groupBlocks of them together, because
// waking a goroutine on another processor costs more than handling a batch.
const (
	blocksInFlight = 24
	groupBlocks    = 8
)

// Run is one run over a source: the reader, the shards and the correlator, and the blocks that circulate between them.
type Run struct {
	src        capture.Source
	reader     *reader
	shards     []*shard
	correlator *correlator
	requests   chan func() // functions to call between two blocks, see Ask
	done       chan struct{}
	internal   atomic.Pointer[bart.Lite] // the watched network; a reload replaces it
}

// New prepares a run over src. The run does not close src.
func New(cfg Config, src capture.Source, out Output) (*Run, error) {
	n := cfg.Shards
	if n <= 0 {
		n = runtime.GOMAXPROCS(0) - 1 // reader and correlator together use about one processor
	}
	n = min(max(n, 1), Partitions)
	c, err := newCorrelator(cfg, out)
	if err != nil {
		return nil, err
	}
	if l, ok := src.(interface{ Copier() capture.Copier }); ok {
		c.full.src = l.Copier()
	}
	limits := sessionConfig(cfg.Settings.Limits)
	r := &Run{src: src, correlator: c, requests: make(chan func()), done: make(chan struct{})}
	r.internal.Store(internalTable(&cfg))
	limits.Inside = func(a packet.Addr) bool { return r.internal.Load().Contains(a.Netip()) }
	r.reader = &reader{src: src, live: !cfg.Replay, reasm: packet.NewReassembler(packet.ReassemblerConfig{}), scopes: packet.NewScopes(), maxSessions: limits.MaxSessions, filter: cfg.Filter, records: cfg.Records}
	for i := range Partitions {
		r.reader.shardOf[i] = uint8(i % n)
	}
	for i := range n {
		r.shards = append(r.shards, newShard(i, n, limits))
	}
	return r, nil
}

// Run reads the source to its end, or until ctx is canceled, and then reports everything that was found. The error is from the source or
// an output, or a *PanicError.
func (r *Run) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.correlator.stopped = cancel
	rec := &recovery{stop: cancel}
	free := make(chan *block, blocksInFlight)
	for range blocksInFlight {
		free <- newBlock(len(r.shards))
	}
	processed := make(chan *block, blocksInFlight)
	var work sync.WaitGroup
	var ins []chan<- *block
	for _, sh := range r.shards {
		in := make(chan *block, blocksInFlight)
		ins = append(ins, in)
		work.Go(func() { sh.run(in, processed, rec) })
	}
	work.Go(func() { r.correlator.run(processed, free, r.requests, rec) })
	err := r.reader.run(ctx, free, ins, rec)
	for _, in := range ins {
		close(in)
	}
	work.Wait()
	close(r.done)
	switch {
	case rec.err() != nil:
		return rec.err()
	case r.correlator.failed != nil:
		return r.correlator.failed
	}
	return err
}

// Ask calls f in the correlator between two blocks, or directly after the run, and waits for it. The error is that of ctx; f is not called then.
// In a live run there is a block at least every 100 ms, unless the run is behind.
func (r *Run) Ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case r.requests <- func() { defer close(done); f() }:
		select {
		case <-done:
		case <-r.done: // a panic ended the run before f returned
		}
	case <-r.done:
		f()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Progress returns how far the run has come. It can be called from any goroutine.
func (r *Run) Progress() Progress {
	p := r.correlator.counts.progress.get()
	s := r.src.Stats()
	p.BytesRead, p.BytesTotal = s.BytesRead, s.BytesTotal
	return p
}

// progress is the part of runCounts that other goroutines may read during the run.
type progress struct {
	packets, bytes, alerts, blocks atomic.Uint64
	first, last                    atomic.Int64
	blind                          atomic.Pointer[string]
}

func (p *progress) set(t *runCounts) {
	p.packets.Store(t.frames.frames)
	p.bytes.Store(t.frames.bytes)
	p.alerts.Store(t.alerts)
	p.blocks.Add(1)
	p.first.Store(t.first)
	p.last.Store(t.clock)
}

func (p *progress) get() Progress {
	blind := ""
	if b := p.blind.Load(); b != nil {
		blind = *b
	}
	return Progress{
		Blind: blind, Packets: p.packets.Load(), Bytes: p.bytes.Load(), Alerts: p.alerts.Load(), Blocks: p.blocks.Load(),
		First: p.first.Load(), Last: p.last.Load(),
	}
}
