// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/bpf"
	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/packet"
)

// verdict is what the program in the kernel does with a frame.
type verdict struct {
	reason bpf.Reason
	counts []bpf.Counts
}

// trial runs frames through a program that is not attached and that copies only the start and the end of a session.
type trial struct {
	*bpf.Programs
	r    *bpf.Reader
	buf  []byte
	last bpf.Counters
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	p, err := bpf.Load(bpf.Config{CountOnly: true, Sessions: 64})
	if u := new(bpf.UnsupportedError); errors.As(err, &u) {
		testneed.Missing(t, testneed.BPFNeed, "%v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { p.Close() })
	x := &trial{Programs: p, buf: make([]byte, bpf.MaxRecord)}
	if x.r, err = p.NewReader(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.r.Close() })
	return x
}

func (x *trial) run(t *testing.T, frame []byte) (j verdict) {
	t.Helper()
	if _, err := x.Try(frame); err != nil {
		t.Fatal(err)
	}
	now, err := x.Counters()
	if err != nil {
		t.Fatal(err)
	}
	for r := range now.Reasons {
		if now.Reasons[r] != x.last.Reasons[r] {
			j.reason = bpf.Reason(r)
		}
	}
	x.last = now
	if j.reason == bpf.Shunted {
		if _, err := x.Sweep(); err != nil {
			t.Fatal(err)
		}
	}
	x.r.SetDeadline(time.Now())
	for {
		var rec bpf.Record
		if err := x.r.Read(x.buf, &rec); errors.Is(err, os.ErrDeadlineExceeded) {
			return j
		} else if err != nil {
			t.Fatal(err)
		}
		if rec.Counts != nil {
			j.counts = append(j.counts, *rec.Counts)
		}
	}
}

// countsOfPacket is what the kernel must count for a packet, by the decoder of the sensor.
func countsOfPacket(p *packet.Packet) bpf.Counts {
	sp, dp := p.SrcPort, p.DstPort
	switch p.Kind {
	case packet.KindTCP, packet.KindUDP, packet.KindSCTP:
	case packet.KindICMP, packet.KindICMP6:
		if other, ok := icmpCounterpart(p.V6, sp); ok {
			dp = other
		}
	default:
		sp, dp = 0, 0
	}
	k := bpf.Key{Lo: p.Src, Hi: p.Dst, LoPort: sp, HiPort: dp, Proto: p.Proto}
	if p.V6 {
		k.V6 = 1
	}
	side := 0
	if cmp.Or(bytes.Compare(p.Src[:], p.Dst[:]), cmp.Compare(sp, dp)) > 0 {
		k.Lo, k.Hi, k.LoPort, k.HiPort, side = p.Dst, p.Src, dp, sp, 1
	}
	c := bpf.Counts{Key: k}
	c.Packets[side], c.IPBytes[side], c.PayloadBytes[side] = 1, uint64(p.IPBytes), uint64(p.PayloadLen)
	return c
}

// icmpCounterpart returns the type of the answer or the request to an ICMP type (Community ID version 1).
func icmpCounterpart(v6 bool, typ uint16) (uint16, bool) {
	pairs := [][2]uint16{{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}}
	if v6 {
		pairs = [][2]uint16{{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}}
	}
	for _, p := range pairs {
		if i := slices.Index(p[:], typ); i >= 0 {
			return p[1-i], true
		}
	}
	return 0, false
}

// check compares the program in the kernel with the decoder: what it counts, it must decode like the decoder. What it copies, it may leave to the
// decoder.
func check(j verdict, frame []byte) error {
	var p packet.Packet
	packet.Decode(&p, packet.LinkEthernet, frame, uint32(len(frame)))
	switch j.reason {
	case bpf.Shunted:
		want := countsOfPacket(&p)
		if !p.HasIP || p.Frag != packet.FragNone || len(j.counts) != 1 {
			return fmt.Errorf("counted as %+v; the decoder says %v %v", j.counts, p.Verdict, p.Frag)
		}
		if c := j.counts[0]; c.Key != want.Key || c.Packets != want.Packets || c.IPBytes != want.IPBytes || c.PayloadBytes != want.PayloadBytes {
			return fmt.Errorf("counted as %+v, not %+v", c, want)
		}
	case bpf.Edge:
		if p.Kind != packet.KindTCP && p.Kind != packet.KindSCTP { // after an ending more of TCP is copied
			return fmt.Errorf("copied as an opening or ending, and is of protocol %d", p.Proto)
		}
	case bpf.Discovery:
		if p.Kind != packet.KindUDP && (p.Kind != packet.KindICMP6 || p.SrcPort < 133 || p.SrcPort > 137) {
			return fmt.Errorf("copied as discovery, and is of protocol %d, ports %d and %d", p.Proto, p.SrcPort, p.DstPort)
		}
	case bpf.Fragment:
		if p.Frag == packet.FragNone && p.Verdict == packet.VerdictOK {
			return fmt.Errorf("copied as a fragment, and is none")
		}
	case bpf.Unwatched, bpf.RingFull, bpf.Full, bpf.NoRoom:
		return fmt.Errorf("%v", j.reason)
	case bpf.Head: // an acknowledgement near the start of the other direction
		if p.Kind != packet.KindTCP {
			return fmt.Errorf("copied as a beginning, and is of protocol %d", p.Proto)
		}
	}
	return nil
}

// doubtful reports whether the kernel may copy a frame although the decoder accepts it: it has an encapsulation that the kernel does not read, or
// deep headers.
func doubtful(frame []byte) bool {
	var p packet.Packet
	packet.Decode(&p, packet.LinkEthernet, frame, uint32(len(frame)))
	if p.Verdict != packet.VerdictOK || p.Truncated || !p.HasIP || p.Frag != packet.FragNone {
		return true
	}
	for _, x := range p.Tunnels[:p.NumTunnels] {
		switch x.Type {
		case packet.TunnelGRE, packet.TunnelERSPAN, packet.TunnelVXLAN, packet.TunnelMPLS, packet.TunnelIPIP:
		default:
			return true
		}
	}
	tunnelPort := func(port uint16) bool {
		return slices.Contains([]uint16{2152, 3544, 4789, 4790, 6081, 6635, 8472, 37008}, port)
	}
	return p.Proto == 47 || p.Proto == 51 || p.Proto == 137 || p.EtherType != 0x0800 && p.EtherType != 0x86dd ||
		p.Kind == packet.KindUDP && (tunnelPort(p.SrcPort) || tunnelPort(p.DstPort)) || p.IPBytes-p.PayloadLen > 100
}

// ethernetFrames returns the frames of a capture that the program can run on.
func ethernetFrames(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	f, err := OpenFiles([]string{path})
	if err != nil {
		return nil // not a capture; other tests check the error
	}
	defer f.Close()
	var b Batch
	for {
		if err := f.Next(&b); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		for _, x := range b.Frames {
			if x.Link == packet.LinkEthernet && x.Len >= 14 && x.Len < 60000 {
				all = append(all, bytes.Clone(b.Data[x.Off:x.Off+x.Len]))
			}
		}
	}
}

// The program in the kernel and the decoder of the sensor decode the frames of the stories alike.
func TestKernelAgreesWithTheDecoder(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts/stories/testdata/*/input.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	agree(t, paths)
}

func TestKernelAgreesWithTheDecoderOnTheCorpus(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testneed.Corpus(t), "captures/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	agree(t, paths)
}

func agree(t *testing.T, paths []string) {
	x := newTrial(t)
	const perCapture = 400
	shunted, frames, left := 0, 0, 0
	for _, path := range paths {
		for i, frame := range ethernetFrames(t, path) {
			if i == perCapture {
				break
			}
			j := x.run(t, frame)
			if err := check(j, frame); err != nil {
				t.Errorf("%s, frame %d: %v", filepath.Base(path), i+1, err)
			}
			if j.reason == bpf.Shunted {
				shunted++
			} else if j.reason >= bpf.Short && j.reason <= bpf.Nesting && !doubtful(frame) {
				left++
				t.Logf("%s, frame %d: left to user space: %v", filepath.Base(path), i+1, j.reason)
			}
			frames++
		}
	}
	if t.Logf("%d frames, %d counted in the kernel, %d left in doubt", frames, shunted, left); shunted == 0 || left*1000 > frames {
		t.Error("the kernel leaves too much to user space")
	}
}

// A frame with a changed byte is decoded like by the decoder, or copied.
func TestKernelAgreesWithTheDecoderOnMutatedFrames(t *testing.T) {
	x := newTrial(t)
	for name, frame := range mutable() {
		for at := range min(len(frame), 160) {
			for _, flip := range []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff} {
				f := bytes.Clone(frame)
				f[at] ^= flip
				if err := check(x.run(t, f), f); err != nil {
					t.Errorf("%s, byte %d changed by %#x: %v", name, at, flip, err)
				}
			}
		}
	}
}

// The program checks the addresses that the decoder sees against the watched devices.
func TestKernelWatchesWhatTheDecoderSees(t *testing.T) {
	x := newTrial(t)
	path := filepath.Join(testneed.Root(t), "scripts/stories/testdata/S2/input.pcap")
	watch := []netip.Prefix{netip.MustParsePrefix("10.20.30.8/29"), netip.MustParsePrefix("198.51.100.0/25")}
	if err := x.SetWatch(watch, nil); err != nil {
		t.Fatal(err)
	}
	var p packet.Packet
	seen := map[bool]int{}
	for i, frame := range ethernetFrames(t, path) {
		packet.Decode(&p, packet.LinkEthernet, frame, uint32(len(frame)))
		want := false
		for _, w := range watch {
			want = want || p.HasIP && (w.Contains(p.Src.Netip()) || w.Contains(p.Dst.Netip()))
		}
		j := x.run(t, frame)
		if copied := j.reason >= bpf.Discovery && j.reason <= bpf.NoRoom && j.reason != bpf.Full; copied || i > 20000 {
			continue
		}
		seen[want]++
		if got := j.reason != bpf.Unwatched; got != want {
			t.Errorf("frame %d from %v to %v: %v", i+1, p.Src.Netip(), p.Dst.Netip(), j.reason)
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Error("the capture has only one kind", seen)
	}
}

// mutable returns a frame of each encapsulation that the kernel reads, with TCP, UDP and ICMPv6.
func mutable() map[string][]byte {
	be := func(v int) []byte { return []byte{byte(v >> 8), byte(v)} }
	ether := func(et int, b []byte) []byte {
		return slices.Concat([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, be(et), b)
	}
	ip4 := func(proto byte, b []byte) []byte {
		return slices.Concat([]byte{0x45, 0}, be(20+len(b)), []byte{0, 7, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2}, b)
	}
	ip6 := func(next byte, b []byte) []byte {
		ends := slices.Concat([]byte{0x20, 1, 0xd, 0xb8, 15: 1}, []byte{0x20, 1, 0xd, 0xb8, 15: 2})
		return slices.Concat([]byte{0x60, 0, 0, 0}, be(len(b)), []byte{next, 64}, ends, b)
	}
	udp := func(dst int, b []byte) []byte { return slices.Concat(be(50000), be(dst), be(8+len(b)), be(0), b) }
	data := []byte("what is said here is of no matter to anybody, only its length is")
	tcp := slices.Concat(be(40000), be(443), []byte{0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x10, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1}, data)
	echo := slices.Concat([]byte{128, 0, 0, 0, 0, 1, 0, 1}, data)
	hop := func(next byte, b []byte) []byte { return slices.Concat([]byte{next, 0, 1, 4, 0, 0, 0, 0}, b) }
	in := func(ip []byte) []byte { return ether(0x0800, ip) }
	vxlan := []byte{8, 0, 0, 0, 0, 0, 42, 0}
	return map[string][]byte{
		"tcp": in(ip4(6, tcp)), "udp": in(ip4(17, udp(5000, data))), "echo 6": ether(0x86dd, ip6(58, echo)),
		"extensions": ether(0x86dd, ip6(0, hop(60, hop(17, udp(5000, data))))),
		"qinq":       ether(0x88a8, slices.Concat(be(5), be(0x8100), be(6), be(0x0800), ip4(6, tcp))),
		"mpls":       ether(0x8847, slices.Concat([]byte{0, 1, 0, 64, 0, 2, 1, 64}, ip4(6, tcp))),
		"wire":       ether(0x8847, slices.Concat([]byte{0, 1, 1, 64, 0, 0, 0, 0}, in(ip4(6, tcp)))),
		"gre":        in(ip4(47, slices.Concat(be(0x2000), be(0x86dd), be(0), be(7), ip6(6, tcp)))),
		"erspan 1":   in(ip4(47, slices.Concat(be(0), be(0x88be), in(ip4(6, tcp))))),
		"erspan 2":   in(ip4(47, slices.Concat(be(0x1000), be(0x88be), make([]byte, 4), []byte{0x10, 0, 0, 9, 0, 0, 0, 0}, in(ip4(17, udp(5000, data)))))),
		"erspan 3":   in(ip4(47, slices.Concat(be(0x1000), be(0x22eb), make([]byte, 4), []byte{0x20, 0, 0, 9}, make([]byte, 7), []byte{1}, make([]byte, 8), in(ip4(6, tcp))))),
		"vxlan":      in(ip4(17, udp(4789, slices.Concat(vxlan, in(ip4(6, tcp)))))),
		"vxlan 6":    ether(0x86dd, ip6(17, udp(4789, slices.Concat(vxlan, ether(0x86dd, ip6(58, echo)))))),
		"ip in ip":   in(ip4(4, ip4(6, tcp))),
		"sctp":       in(ip4(132, slices.Concat(be(36412), be(36413), make([]byte, 8), data))),
	}
}
