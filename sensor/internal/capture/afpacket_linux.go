// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// liveWait is the longest wait of Next.
	liveWait = 100 * time.Millisecond
	// blockPatience is after how many milliseconds the kernel releases a block that is not full.
	blockPatience = 10
	// nap is the sleep after a poll(2) without a result: poll returns at once while we hold the block that the kernel filled last.
	nap = 2 * time.Millisecond
	// clockLag is how far Batch.Clock lags while nothing arrives: the kernel may hold a frame for two block timeouts, and be late.
	clockLag = 100e6
)

// AFPacketConfig configures OpenAFPacket.
type AFPacketConfig struct {
	Iface     string
	Rings     int  // sockets that share the port by a symmetric hash of the addresses and ports (PACKET_FANOUT); default 1
	RingBytes int  // of all rings; default 64 MiB
	SnapLen   int  // bytes of a frame that are kept; 0: all
	Wait      bool // if the interface disappears, wait until it is back; else that is an error
	Program   int  // file descriptor of a BPF socket filter, which returns how much of a frame is kept; 0: none
}

// AFPacket is a live source with AF_PACKET sockets and TPACKET_V3 rings (packet(7)). It sends nothing: its sockets have no ring for sending. A
// batch has frames of some blocks of the rings, without copying, in the order of their time. A block goes back to the kernel when Next is called
// again with the last batch that has frames of it.
type AFPacket struct {
	port   *port
	memory []byte // of all rings, one after the other
	rings  []*ring
	polls  []unix.PollFd
	held   map[*Batch][]int // blocks, by their index in memory
	clock  *wallClock

	mu     sync.Mutex // guards the following fields
	stats  Stats
	closed bool
}

// OpenAFPacket opens an interface and starts to receive. The error names what is missing: a capability, a kernel option, an interface.
func OpenAFPacket(cfg AFPacketConfig) (*AFPacket, error) {
	if cfg.Rings <= 0 {
		cfg.Rings = 1
	}
	if cfg.RingBytes <= 0 {
		cfg.RingBytes = 64 << 20
	}
	p, err := openPort(cfg.Iface, cfg.Wait)
	if err != nil {
		return nil, err
	}
	s := &AFPacket{port: p, held: map[*Batch][]int{}, clock: newWallClock(systemClocks)}
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the rings. They receive nothing until all share the port: otherwise a frame would be in more than one.
func (s *AFPacket) open(cfg AFPacketConfig) error {
	group, blocks := newGroup, max(cfg.RingBytes/cfg.Rings/blockSize, leastBlocks)
	var err error
	if s.memory, err = unix.Mmap(-1, 0, cfg.Rings*blocks*blockSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE); err != nil {
		return fmt.Errorf("addresses for %d rings: %w", cfg.Rings, err)
	}
	for i := range cfg.Rings {
		r, err := newRing(s.port, s.memory, i*blocks, blocks)
		if err != nil {
			return err
		}
		s.rings = append(s.rings, r)
		s.polls = append(s.polls, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
		if cfg.Rings == 1 {
			continue
		}
		if group, err = r.share(group); err != nil {
			return err
		}
	}
	for _, r := range s.rings {
		if err := r.filter(cfg.Program, cfg.SnapLen); err != nil {
			return err
		}
	}
	return nil
}

// Next implements Source.
func (s *AFPacket) Next(b *Batch) error {
	b.Frames, b.Counts, b.Clock, b.Data = b.Frames[:0], b.Counts[:0], 0, s.memory
	s.giveBack(b)
	now, polled := s.clock.look(), false
	if err := s.check(now / 1e9); err != nil {
		return err
	}
	for end := now + int64(liveWait); ; now = s.clock.look() {
		for s.merge(b, now) {
		}
		if len(b.Frames) > 0 {
			return nil
		}
		b.Clock = now - clockLag
		if now >= end {
			return nil
		}
		if polled {
			time.Sleep(nap)
		}
		if err := s.wait(end - now); err != nil {
			return err
		}
		polled = true
	}
}

// check checks once a second whether the port exists, and binds to a port that is back. Open sockets need no privilege for that, but those of a
// group cannot be bound again.
func (s *AFPacket) check(second int64) error {
	back, err := s.port.check(second)
	if !back || err != nil {
		return err
	}
	if len(s.rings) > 1 {
		return fmt.Errorf("%s is back, and several rings cannot be moved to it: start the sensor again, or have it use one ring", s.port.name)
	}
	for _, r := range s.rings {
		if err := r.bind(s.port); err != nil {
			return fmt.Errorf("%s is back: %w", s.port.name, err)
		}
	}
	return nil
}

// giveBack ends the use of the blocks of a batch.
func (s *AFPacket) giveBack(b *Batch) {
	for _, block := range s.held[b] {
		s.ringOf(block).use(block, -1)
	}
	s.held[b] = s.held[b][:0]
}

func (s *AFPacket) ringOf(block int) *ring { return s.rings[block/(s.rings[0].end-s.rings[0].first)] }

// merge adds frames to a batch, in the order of time over all rings, until a block ends. It reports whether it can continue with another block.
// The earliest frame of all rings is next if no ring can have an earlier one. A ring whose next block is empty cannot, because the kernel handles
// the frames of a receive queue one after the other. A ring whose next block has frames that the kernel has not released, which takes 10 to
// 20 ms, is waited for, but not longer than clockLag. All times are by our clock: by the system clock, frames from before it was set back would
// wait until it reaches their time again.
func (s *AFPacket) merge(b *Batch, now int64) (more bool) {
	for _, r := range s.rings {
		r.load(s.clock)
	}
	last := int64(math.MaxInt64) // later frames must wait
	for _, r := range s.rings {
		if r.left == 0 && r.fills() {
			last = now - clockLag
		}
	}
	for {
		r, until := s.first(last)
		if r == nil || !s.hold(b, r) || !r.list(b, until, s.port.link, s.clock) {
			return false
		}
		if r.left == 0 {
			r.use(r.reading, -1)
			return true
		}
	}
}

// first returns the ring with the earliest frame, nil if there is none, and the time until which it is the first.
func (s *AFPacket) first(last int64) (first *ring, until int64) {
	until = last
	for _, r := range s.rings {
		switch {
		case r.left == 0:
		case first == nil:
			first = r
		case r.time < first.time:
			first, until = r, min(until, first.time)
		default:
			until = min(until, r.time)
		}
	}
	return first, until
}

// hold records that a batch uses the current block of a ring. It reports whether the batch may: it uses at most batchBlocks of a ring, so that
// the batches of a pipeline never hold all blocks.
func (s *AFPacket) hold(b *Batch, r *ring) bool {
	held, of := s.held[b], 0
	for _, block := range held {
		if block == r.reading {
			return true
		}
		if s.ringOf(block) == r {
			of++
		}
	}
	if of == batchBlocks {
		return false
	}
	s.held[b] = append(held, r.reading)
	r.use(r.reading, 1)
	return true
}

// wait waits for a block, at most nanos nanoseconds.
func (s *AFPacket) wait(nanos int64) error {
	_, err := unix.Poll(s.polls, int(max(nanos/1e6, 1)))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for frames at %s: %w", s.port.name, err)
	}
	for i := range s.polls {
		if s.polls[i].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0 {
			continue
		}
		// The kernel reports once that an interface went down, and receives again by itself when it is up.
		code, err := unix.GetsockoptInt(int(s.polls[i].Fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			return fmt.Errorf("listen at %s: %w", s.port.name, os.NewSyscallError("getsockopt", err))
		case code == 0 || unix.Errno(code) == unix.ENETDOWN:
			if _, _, err := s.port.since(); err != nil && !s.port.wait {
				return fmt.Errorf("%s: %w", s.port.name, err)
			}
		default:
			return fmt.Errorf("listen at %s: %w", s.port.name, unix.Errno(code))
		}
	}
	return nil
}

// Stats implements Source. It may be called from any goroutine.
func (s *AFPacket) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.stats
	}
	for _, r := range s.rings {
		seen, dropped := r.counts()
		s.stats.Received += seen
		s.stats.Drops.Ring += dropped
	}
	s.port.addTo(&s.stats)
	s.stats.ClockSteps = s.clock.steps.Load()
	return s.stats
}

// Close implements Source. No batch may be in use.
func (s *AFPacket) Close() error {
	s.Stats() // the last counts
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	for _, r := range s.rings {
		errs = append(errs, r.close())
	}
	if s.memory != nil {
		errs = append(errs, unix.Munmap(s.memory))
	}
	s.port.close()
	return errors.Join(errs...)
}
