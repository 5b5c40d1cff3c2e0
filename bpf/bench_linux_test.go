// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"stillwatch/internal/testneed"
)

// copiedRing is large, so that it is rarely emptied.
const copiedRing = 1 << 26

// BenchmarkProgram measures the programs with BPF_PROG_TEST_RUN: the mean time of the kernel for one packet.
func BenchmarkProgram(b *testing.B) {
	plain := map[string][]byte{
		"ipv4": frameOf(ipv4(6, tcp(40000, 443, 1<<20, 1, flagACK, make([]byte, 1000)))),
		"ipv6": frameOf(ipv6(6, tcp(40000, 443, 1<<20, 1, flagACK, make([]byte, 1000)))),
	}
	first := map[string][]byte{
		"ipv4": frameOf(ipv4(6, tcp(40000, 443, 0, 1, flagACK, []byte{0}))),
		"ipv6": frameOf(ipv6(6, tcp(40000, 443, 0, 1, flagACK, []byte{0}))),
	}
	other := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8:ff::/48")}
	b.Run("returns", func(b *testing.B) { // the cost of the measurement
		prog, err := ebpf.NewProgram(passing())
		if err != nil {
			testneed.Missing(b, testneed.BPFNeed, "%v", err)
		}
		defer prog.Close()
		if _, each, err := prog.Benchmark(plain["ipv4"], b.N, nil); err == nil {
			report(b, float64(each))
		}
	})
	for _, c := range []struct {
		name  string
		load  loader
		cfg   Config
		watch []netip.Prefix
		want  Reason
	}{
		{"unwatched", Load, Config{}, other, Unwatched},
		{"shunted", Load, Config{HeadBytes: 1, HeadSegments: 1}, nil, Shunted},
		{"copied", Load, Config{HeadBytes: 1 << 30, RingBytes: copiedRing}, nil, Head},
		{"filter/unwatched", LoadFilter, Config{}, other, Unwatched},
		{"filter/shunted", LoadFilter, Config{HeadBytes: 1, HeadSegments: 1}, nil, Shunted},
	} {
		for _, name := range []string{"ipv4", "ipv6"} {
			b.Run(c.name+"/plain/"+name, func(b *testing.B) { measure(b, c.load, c.cfg, c.watch, c.want, first[name], plain[name]) })
			b.Run(c.name+"/vxlan/"+name, func(b *testing.B) { measure(b, c.load, c.cfg, c.watch, c.want, first[name], inVXLAN(plain[name])) })
		}
	}
}

func measure(b *testing.B, load loader, cfg Config, watch []netip.Prefix, want Reason, first, frame []byte) {
	p := mustLoad(b, load, cfg)
	if err := p.SetWatch(watch, nil); err != nil {
		b.Fatal(err)
	}
	r, err := p.NewReader()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	round := 1 << 20
	if cfg.RingBytes == copiedRing {
		round = copiedRing / 2048 // so many of these frames fit into the ring buffer
	}
	buf := make([]byte, MaxRecord)
	if _, err := p.Try(first); err != nil {
		b.Fatal(err)
	}
	frame = p.trial(frame)
	if _, _, err := p.prog.Benchmark(frame, 1<<16, nil); err != nil {
		b.Fatal(err)
	}
	total, n := time.Duration(0), 0
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		if round < 1<<20 {
			empty(b, r, buf)
		}
		_, each, err := p.prog.Benchmark(frame, min(left, round), nil)
		if err != nil {
			b.Fatal(err)
		}
		total += each * time.Duration(min(left, round))
		n += min(left, round)
	}
	c, err := p.Counters()
	if err != nil || c.Reasons[want].Packets < uint64(n) || c.Reasons[RingFull].Packets > 1<<16 {
		b.Fatalf("%v: %d of %d packets; %v", want, c.Reasons[want].Packets, n, err)
	}
	report(b, float64(total)/float64(n))
}

func report(b *testing.B, nanoseconds float64) {
	b.ReportMetric(nanoseconds, "ns/packet")
	b.ReportMetric(0, "ns/op")
}

// empty reads everything from the ring buffer.
func empty(b testing.TB, r *Reader, buf []byte) {
	r.SetDeadline(time.Now())
	for {
		if err := r.Read(buf, new(Record)); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkProgramSweep measures the report of the counts of all sessions.
func BenchmarkProgramSweep(b *testing.B) {
	const quiet = 200_000
	t := newBench(b, Load, Config{CountOnly: true})
	sweep := func(b *testing.B) {
		for range b.N {
			if _, err := t.Sweep(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("empty", sweep)
	for i := range quiet {
		if _, err := t.Try(frameOf(ipv4(17, udp(1+i%60000, 20000+i/60000, nil)))); err != nil {
			b.Fatal(err)
		}
	}
	t.counts(b)
	b.Run("quiet", sweep)
}

// passing is a program that passes every packet.
func passing() *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Name: "stillwatch_try", Type: ebpf.XDP, License: "Dual BSD/GPL", Flags: unix.BPF_F_XDP_HAS_FRAGS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	}
}
