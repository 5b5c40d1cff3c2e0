// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"
)

// BenchmarkProgram measures the XDP program by BPF_PROG_TEST_RUN: the nanoseconds that the kernel takes for one packet, in the
// mean of many.
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
	for _, c := range []struct {
		name  string
		cfg   Config
		watch []netip.Prefix
	}{
		{"unwatched", Config{}, other},
		{"shunted", Config{HeadBytes: 1, HeadSegments: 1}, nil},
		{"copied", Config{HeadBytes: 1 << 30}, nil},
	} {
		for _, name := range []string{"ipv4", "ipv6"} {
			b.Run(c.name+"/plain/"+name, func(b *testing.B) { measure(b, c.cfg, c.watch, first[name], plain[name]) })
			b.Run(c.name+"/vxlan/"+name, func(b *testing.B) { measure(b, c.cfg, c.watch, first[name], inVXLAN(plain[name])) })
		}
	}
}

func measure(b *testing.B, cfg Config, watch []netip.Prefix, first, frame []byte) {
	p := mustLoad(b, Load, cfg)
	if err := p.SetWatch(watch, nil); err != nil {
		b.Fatal(err)
	}
	r, err := p.NewReader()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	const round = 4096 // so many of the longest frames fit into the ring buffer
	buf := make([]byte, MaxRecord)
	if _, _, err := p.prog.Benchmark(first, 1, nil); err != nil {
		b.Fatal(err)
	}
	if _, _, err := p.prog.Benchmark(frame, 1<<16, nil); err != nil {
		b.Fatal(err)
	}
	total, n := time.Duration(0), 0
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		empty(b, r, buf)
		_, each, err := p.prog.Benchmark(frame, min(left, round), nil)
		if err != nil {
			b.Fatal(err)
		}
		total += each * time.Duration(min(left, round))
		n += min(left, round)
	}
	b.ReportMetric(float64(total)/float64(n), "ns/packet")
	b.ReportMetric(0, "ns/op")
}

// empty takes everything out of the ring buffer.
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
