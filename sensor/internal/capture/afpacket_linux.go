// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
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
	Rings     int // sockets that share the port by a symmetric hash of the addresses and ports (PACKET_FANOUT); default 1
	RingBytes int // of all rings; default 64 MiB
	SnapLen   int // bytes of a frame that are kept; 0: all
	Program   int // file descriptor of a BPF socket filter that says how much of a frame is kept; 0: none
}

// AFPacket is a port that is listened to by AF_PACKET, with a ring of TPACKET_V3 (packet(7)). It sends nothing: its sockets are for
// receiving, and have no ring for sending. A batch is some blocks of a ring, without a copy; they go back to the kernel when Next is given
// their batch again.
type AFPacket struct {
	port  *port
	rings []*ring
	polls []unix.PollFd
	held  map[*Batch]taken
	clock *wallClock

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
	p, err := openPort(cfg.Iface)
	if err != nil {
		return nil, err
	}
	s := &AFPacket{port: p, held: map[*Batch]taken{}, clock: newWallClock(systemClocks)}
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the rings. They take nothing until all of them share the port: else a frame would be in more than one.
func (s *AFPacket) open(cfg AFPacketConfig) error {
	group := newGroup
	for range cfg.Rings {
		r, err := newRing(s.port, cfg.RingBytes/cfg.Rings)
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
	b.Frames, b.Counts, b.Clock, b.Data = b.Frames[:0], b.Counts[:0], 0, nil
	if held, ok := s.held[b]; ok {
		held.release()
		delete(s.held, b)
	}
	now, polled := s.clock.look(), false
	for end := now + int64(liveWait); ; now = s.clock.look() {
		if r := s.oldest(); r != nil {
			x := r.take()
			s.held[b] = x
			x.read(b, s.port.link, s.clock)
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

// oldest gives the ring whose next block begins first, nil if none has one.
func (s *AFPacket) oldest() (first *ring) {
	var at int64
	for _, r := range s.rings {
		if t, ok := r.ready(); ok && (first == nil || t < at) {
			first, at = r, t
		}
	}
	return first
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
			if _, _, err := s.port.since(); err != nil {
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
	s.port.close()
	return errors.Join(errs...)
}
