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
	// A batch that the ring buffer could not fill waits so long for more, once: a batch for each frame would cost more than it is worth.
	linger      = 500 * time.Microsecond
	lingerUnder = 64 // frames
	// What the XDP program has stamped with the time may be in the ring buffer so much later.
	stampToRing = int64(time.Millisecond)
)

// XDPConfig says what OpenXDP opens.
type XDPConfig struct {
	Iface    string
	Modes    []bpf.Mode // to be tried in turn; none: all, fastest first
	Prefixes []netip.Prefix
	MACs     []packet.MAC // with Prefixes the devices that are watched; without both everything is
	Wait     bool         // for an interface that is gone; else that ends the source
	Program  bpf.Config
}

// XDP is a live source that takes frames from an XDP program. Next has one caller at a time; everything else may be called from any
// goroutine.
type XDP struct {
	programs *bpf.Programs
	reader   *bpf.Reader
	port     *port
	clock    *wallClock
	swept    int64 // second of the last sweep

	// Mode is where the program runs, and Refused why it does not where it was tried before.
	Mode    bpf.Mode
	Refused []bpf.Finding
}

// OpenXDP attaches the XDP program to an interface. What cannot be had here is a *bpf.UnsupportedError.
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
		return fmt.Errorf("%s is no Ethernet interface: XDP needs one", cfg.Iface)
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
	// The first run of a program tries whether the kernel can do that, which later, without privileges, it would not.
	if _, err = x.programs.Sweep(); err != nil {
		return err
	}
	x.Mode, x.Refused, err = x.programs.Attach(cfg.Iface, cfg.Modes...)
	return err
}

// SetWatch changes which devices are watched; without any, everything is. No packet is lost by it.
func (x *XDP) SetWatch(prefixes []netip.Prefix, macs []packet.MAC) error {
	return x.programs.SetWatch(prefixes, rawMACs(macs))
}

// FullCopy switches the copying of a whole session on or off.
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

// Next implements Source. At each whole second it has the program tell what it has counted.
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

// check looks once in each second whether the port is there, and attaches the program to one that has come back. That takes no privilege:
// the program is loaded.
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

// Finish has the next batch bring what was counted until now. It is called by whoever calls Next.
func (x *XDP) Finish() { x.swept = 0 }

// idle gives the time before which nothing will follow: 0 if something waits.
func (x *XDP) idle() int64 {
	now := x.clock.look()
	if x.reader.Waiting() {
		return 0
	}
	return now - stampToRing
}

// read takes one record into b.Data[used:] and gives the room that it takes.
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

// sweep has the counts told once in each second; what the ring buffer had no room for is told when it has been read.
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
	if err != nil { // closed
		return s
	}
	s.Reasons, s.Uncounted = ways(&c), c.Evicted
	for r, n := range c.Reasons {
		s.Received += n.Packets
		if bpf.Reason(r).Copied() {
			s.Frames += n.Packets
			s.Bytes += n.Bytes
		}
	}
	s.Drops.XDP = c.Reasons[bpf.RingFull].Packets
	x.port.tell(&s)
	s.ClockSteps = x.clock.steps.Load()
	return s
}

// ways gives the packets by the name of the way they went.
func ways(c *bpf.Counters) map[string]uint64 {
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
