// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
)

// loader is Load or LoadFilter.
type loader func(Config) (*Programs, error)

// bench is a program that is not attached, with its ring buffer.
type bench struct {
	*Programs
	r   *Reader
	buf []byte
}

// onBoth runs a test on the XDP program and on the socket filter.
func onBoth(t *testing.T, test func(t *testing.T, load loader)) {
	t.Run("xdp", func(t *testing.T) { test(t, Load) })
	t.Run("filter", func(t *testing.T) { test(t, LoadFilter) })
}

func newBench(t testing.TB, load loader, cfg Config) *bench {
	t.Helper()
	p := mustLoad(t, load, cfg)
	r, err := p.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &bench{p, r, make([]byte, MaxRecord)}
}

// said is the contents of the ring buffer.
type said struct {
	frames  [][]byte
	reasons []Reason
	wire    []uint32
	counts  []Counts
}

func (b *bench) said(t testing.TB) (s said) {
	t.Helper()
	b.r.SetDeadline(time.Now())
	for {
		var rec Record
		err := b.r.Read(b.buf, &rec)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s
		case err != nil:
			t.Fatal(err)
		case rec.Counts != nil:
			s.counts = append(s.counts, *rec.Counts)
		default:
			s.frames = append(s.frames, bytes.Clone(rec.Data))
			s.reasons = append(s.reasons, rec.Reason)
			s.wire = append(s.wire, rec.Wire)
		}
	}
}

// run runs the program on a frame and returns the reason. It checks the verdict, that exactly one counter changed by this packet, and that the
// frame was copied if and only if the reason says so.
func (b *bench) run(t testing.TB, frame []byte) (Reason, said) {
	t.Helper()
	before, err := b.Counters()
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := b.Try(frame)
	if err != nil {
		t.Fatal(err)
	}
	after, err := b.Counters()
	if err != nil {
		t.Fatal(err)
	}
	moved := Reason(NumReasons)
	for r := range after.Reasons {
		if n := after.Reasons[r]; n != before.Reasons[r] {
			if moved != Reason(NumReasons) || n.Packets != before.Reasons[r].Packets+1 || n.Bytes != before.Reasons[r].Bytes+uint64(len(frame)) {
				t.Errorf("counter %v went from %+v to %+v for a frame of %d bytes, and %v moved", Reason(r), before.Reasons[r], n, len(frame), moved)
			}
			moved = Reason(r)
		}
	}
	s := b.said(t)
	if b.prog.Type() == ebpf.SocketFilter {
		if passes := verdict == 1<<32-1; passes != moved.Copied() || !passes && verdict != 0 || len(s.frames) != 0 {
			t.Errorf("%v: %d bytes pass, %d frames in the ring buffer", moved, verdict, len(s.frames))
		}
		return moved, s
	}
	if want := moved.Copied(); verdict != xdpPass || len(s.frames) > 1 || (len(s.frames) == 1) != want ||
		want && (!bytes.Equal(s.frames[0], frame) || s.reasons[0] != moved || int(s.wire[0]) != len(frame)) {
		t.Errorf("%v: verdict %d, %d frames were copied: %v %v", moved, verdict, len(s.frames), s.reasons, s.wire)
	}
	return moved, s
}

// counts has the counts told and returns them.
func (b *bench) counts(t testing.TB) (all []Counts) {
	t.Helper()
	for {
		more, err := b.Sweep()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b.said(t).counts...)
		if !more {
			return all
		}
	}
}

func addr(s string) [16]byte { return netip.MustParseAddr(s).As16() }
