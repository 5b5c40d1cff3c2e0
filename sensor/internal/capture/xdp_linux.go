// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"stillwatch/bpf"
	"stillwatch/sensor/internal/packet"
)

const (
	// A batch with fewer than lingerUnder frames waits linger for more, once: a batch for each frame would be expensive.
	linger      = 500 * time.Microsecond
	lingerUnder = 64
	// stampToRing is how long after its time stamp a record may appear in the ring buffer.
	stampToRing = int64(time.Millisecond)
)

// XDPConfig configures OpenXDP.
type XDPConfig struct {
	Iface    string
	Modes    []bpf.Mode // tried in order; empty: all, fastest first
	Prefixes []netip.Prefix
	MACs     []packet.MAC // with Prefixes the watched devices; if both are empty, all are watched
	Wait     bool         // if the interface disappears, wait until it is back; else that is an error
	Program  bpf.Config
}

// XDP is a live source that reads frames from an XDP program. Next has one caller at a time; the other methods may be called from any
// goroutine.
type XDP struct {
	programs *bpf.Programs
	reader   *bpf.Reader
	port     *port
	clock    *wallClock
	swept    int64 // second of the last sweep

	// Mode is where the program runs, and Refused why it does not run in the modes that were tried before.
	Mode    bpf.Mode
	Refused []bpf.Finding
}

// OpenXDP attaches the XDP program to an interface. The error is a *bpf.UnsupportedError if the kernel or the interface does not support it.
func OpenXDP(cfg XDPConfig) (*XDP, error) {
	p, err := openPort(cfg.Iface, cfg.Wait)
	if err != nil {
		return nil, err
	}
	x := &XDP{port: p, clock: newWallClock(systemClocks)}
	if err = x.open(cfg); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func (x *XDP) open(cfg XDPConfig) (err error) {
	if x.port.link != packet.LinkEthernet {
		return fmt.Errorf("%s is not an Ethernet interface, which XDP needs", cfg.Iface)
	}
	if x.programs, err = bpf.Load(cfg.Program); err != nil {
		return err
	}
	if err = x.SetWatch(cfg.Prefixes, cfg.MACs); err != nil {
		return err
	}
	if x.reader, err = x.programs.NewReader(); err != nil {
		return err
	}
	// The first run of a program probes a feature of the kernel, which is not possible later without privileges.
	if _, err = x.programs.Sweep(); err != nil {
		return err
	}
	x.Mode, x.Refused, err = x.programs.Attach(cfg.Iface, cfg.Modes...)
	return err
}

// SetWatch changes which devices are watched, without losing packets; if there are none, all are.
func (x *XDP) SetWatch(prefixes []netip.Prefix, macs []packet.MAC) error {
	return x.programs.SetWatch(prefixes, rawMACs(macs))
}

// FullCopy implements Copier.
func (x *XDP) FullCopy(a, b packet.Addr, portA, portB uint16, proto uint8, on bool) error {
	if d := cmp.Or(bytes.Compare(a[:], b[:]), cmp.Compare(portA, portB)); d > 0 {
		a, b, portA, portB = b, a, portB, portA
	}
	k := bpf.Key{Lo: a, Hi: b, LoPort: portA, HiPort: portB, Proto: proto}
	if !a.Is4() || !b.Is4() {
		k.V6 = 1
	}
	return x.programs.FullCopy(k, on)
}

// Next implements Source. Once a second it makes the program report its counts.
func (x *XDP) Next(b *Batch) error {
	b.Frames, b.Counts, b.Clock = b.Frames[:0], b.Counts[:0], 0
	if cap(b.Data) < batchSize+bpf.MaxRecord {
		b.Data = make([]byte, batchSize+bpf.MaxRecord)
	}
	b.Data = b.Data[:cap(b.Data)]
	second := x.clock.look() / 1e9
	if err := errors.Join(x.check(second), x.sweep(second)); err != nil {
		return err
	}
	x.reader.SetDeadline(time.Now().Add(liveWait))
	for used, lingered := 0, false; used < batchSize && len(b.Frames) < batchFrames; {
		if len(b.Frames)+len(b.Counts) > 0 && !x.reader.Waiting() {
			if lingered || len(b.Frames) >= lingerUnder {
				break
			}
			lingered = true
			time.Sleep(linger)
			continue
		}
		n, err := x.read(b, used)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			b.Clock = x.idle()
			return nil
		case err != nil:
			return err
		}
		used += n
	}
	b.Clock = x.idle()
	return nil
}

// check checks once a second whether the port exists, and attaches the program to a port that is back. That needs no privilege, because the
// program is loaded.
func (x *XDP) check(second int64) error {
	back, err := x.port.check(second)
	if !back || err != nil {
		return err
	}
	if err := x.programs.Reattach(x.port.index, x.Mode); err != nil {
		return fmt.Errorf("%s is back, and the XDP program cannot be attached to it again: %w", x.port.name, err)
	}
	return nil
}

// Finish makes the next batch bring all counts. It is called from the goroutine that calls Next.
func (x *XDP) Finish() { x.swept = 0 }

// idle returns the time before which nothing will follow, 0 if a record waits.
func (x *XDP) idle() int64 {
	now := x.clock.look()
	if x.reader.Waiting() {
		return 0
	}
	return now - stampToRing
}

// read reads one record into b.Data[used:] and returns its length there.
func (x *XDP) read(b *Batch, used int) (n int, err error) {
	var rec bpf.Record
	if err := x.reader.Read(b.Data[used:], &rec); err != nil {
		return 0, err
	}
	at := x.clock.ofMono(int64(rec.Time))
	if rec.Counts != nil {
		b.Counts = append(b.Counts, countsOf(rec.Counts, at, len(b.Frames)))
		return 0, nil
	}
	off := used + rec.Off
	b.Frames = append(b.Frames, Frame{Time: at, Off: uint32(off), Len: uint32(len(rec.Data)), OrigLen: rec.Wire, Link: packet.LinkEthernet})
	return (rec.Off + len(rec.Data) + 7) &^ 7, nil
}

func countsOf(c *bpf.Counts, last int64, before int) Counts {
	return Counts{
		A: c.Key.Lo, B: c.Key.Hi, PortA: c.Key.LoPort, PortB: c.Key.HiPort, Proto: c.Key.Proto, Before: uint32(before),
		Packets: c.Packets, IPBytes: c.IPBytes, PayloadBytes: c.PayloadBytes, Last: last, Gap: c.Gap, End: c.End,
	}
}

// sweep makes the program report its counts once a second. Counts that did not fit into the ring buffer follow when it has been read.
func (x *XDP) sweep(second int64) error {
	if second == x.swept {
		return nil
	}
	more, err := x.programs.Sweep()
	if !more {
		x.swept = second
	}
	return err
}

// Stats implements Source.
func (x *XDP) Stats() Stats {
	var s Stats
	c, err := x.programs.Counters()
	if err != nil { // it is closed
		return s
	}
	s.Reasons, s.Uncounted, s.EvictedOpenings = packetsByReason(&c), c.Evicted, c.EvictedOpenings
	for r, n := range c.Reasons {
		s.Received += n.Packets
		if bpf.Reason(r).Copied() {
			s.Frames += n.Packets
			s.Bytes += n.Bytes
		}
	}
	s.Drops.XDP = c.Reasons[bpf.RingFull].Packets
	x.port.addTo(&s)
	s.ClockSteps = x.clock.steps.Load()
	return s
}

// packetsByReason returns the number of packets by the name of their reason.
func packetsByReason(c *bpf.Counters) map[string]uint64 {
	m := make(map[string]uint64, len(c.Reasons))
	for r, n := range c.Reasons {
		m[bpf.Reason(r).String()] = n.Packets
	}
	return m
}

// Close implements Source.
func (x *XDP) Close() error {
	var errs []error
	if x.reader != nil {
		errs = append(errs, x.reader.Close())
	}
	if x.programs != nil {
		errs = append(errs, x.programs.Close())
	}
	x.port.close()
	return errors.Join(errs...)
}
