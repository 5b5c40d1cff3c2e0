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
	// liveWait is how long Next waits at most.
	liveWait = 100 * time.Millisecond
	// blockPatience is after how many milliseconds the kernel hands a block on that is not full.
	blockPatience = 10
	// nap is slept when poll(2) has found nothing: it returns at once as long as we hold the block that the kernel filled last.
	nap = 2 * time.Millisecond
	// clockLag is how far the clock stays behind while nothing comes: the kernel may hold a frame for two looks at a block, and be late.
	clockLag = 100e6
)

// AFPacketConfig says how a port is listened to by AF_PACKET.
type AFPacketConfig struct {
	Iface     string
	Rings     int  // sockets that share the port by a symmetric hash of the addresses and ports (PACKET_FANOUT); default 1
	RingBytes int  // of all rings; default 64 MiB
	SnapLen   int  // bytes of a frame that are kept; 0: all
	Wait      bool // for an interface that is gone; else that ends the source
	Program   int  // file descriptor of a BPF socket filter that says how much of a frame is kept; 0: none
}

// AFPacket is a port that is listened to by AF_PACKET, with a ring of TPACKET_V3 (packet(7)). It sends nothing: its sockets are for
// receiving, and have no ring for sending. A batch is frames of some blocks of the rings, without a copy, in the order of their time; a
// block goes back to the kernel when Next is given the last batch again that has frames of it.
type AFPacket struct {
	port   *port
	memory []byte // of all rings, one behind the other
	rings  []*ring
	polls  []unix.PollFd
	held   map[*Batch][]int // blocks, by their place in the memory
	clock  *wallClock

	mu     sync.Mutex // of what follows
	stats  Stats
	closed bool
}

// OpenAFPacket opens the port and begins to listen. The error names what is missing: a capability, a kernel option, an interface.
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

// open opens the rings. They take nothing until all of them share the port: else a frame would be in more than one.
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

// check looks once in each second whether the port is there, and listens to one that has come back. Sockets that are open may do that without
// privileges, but not those of a group.
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

// giveBack ends the use of the blocks that a batch has frames of.
func (s *AFPacket) giveBack(b *Batch) {
	for _, block := range s.held[b] {
		s.ringOf(block).use(block, -1)
	}
	s.held[b] = s.held[b][:0]
}

func (s *AFPacket) ringOf(block int) *ring { return s.rings[block/(s.rings[0].end-s.rings[0].first)] }

// merge lists frames until a block is at its end, and reports whether it may go on with another. The frame that came first among those
// of all rings is the next if no ring can give an earlier one. A ring whose next block is empty cannot: its frames would have been there
// before those that were seen, because the kernel takes the frames of a receive queue in one after the other. One whose next block has
// frames is waited for, the 10 to 20 ms that it takes until the kernel hands it over, but not for longer than clockLag. All times are by our
// clock: by the kernel's, what came before it was set back would have to wait until it comes there again.
func (s *AFPacket) merge(b *Batch, now int64) (more bool) {
	for _, r := range s.rings {
		r.load(s.clock)
	}
	last := int64(math.MaxInt64) // what came later has to wait
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

// first gives the ring with the earliest frame of those that are being read, nil if there is none, and until when it is that.
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

// hold notes that a batch has frames of the block that a ring reads, and reports whether it may have it: a batch has batchBlocks of a ring
// at most, so that those of a pipeline never hold all.
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

// wait waits for a block, for so many nanoseconds at most.
func (s *AFPacket) wait(nanos int64) error {
	_, err := unix.Poll(s.polls, int(max(nanos/1e6, 1)))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("wait for frames at %s: %w", s.port.name, err)
	}
	for i := range s.polls {
		if s.polls[i].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0 {
			continue
		}
		// The kernel tells once when an interface goes down, and listens again by itself when it comes up.
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

// Stats implements Source. It may be asked from any goroutine.
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
	s.port.tell(&s.stats)
	s.stats.ClockSteps = s.clock.steps.Load()
	return s.stats
}

// Close implements Source. No batch may be in use any more.
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
