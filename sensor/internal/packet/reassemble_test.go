// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"fmt"
	"testing"
)

// pieces cuts a transport packet into Ethernet frames with IPv4 fragments of at most size bytes.
func pieces(id uint16, proto uint8, whole []byte, size int) [][]byte {
	var out [][]byte
	for at := 0; at < len(whole); at += size {
		end := min(at+size, len(whole))
		out = append(out, ethFrame(etherIPv4, ip4Frag(id, at, end < len(whole), proto, whole[at:end])))
	}
	return out
}

func pieces6(id uint32, next uint8, whole []byte, size int) [][]byte {
	var out [][]byte
	for at := 0; at < len(whole); at += size {
		end := min(at+size, len(whole))
		out = append(out, ethFrame(etherIPv6, ip6(protoFragment, join(fragHeader(next, id, at, end < len(whole)), whole[at:end]))))
	}
	return out
}

// pattern is n bytes without equal neighbors.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/251)
	}
	return b
}

// play decodes frames a second apart and returns what is passed on.
func play(r *Reassembler, frames ...[]byte) []Packet {
	var out []Packet
	for i, f := range frames {
		p := Packet{Time: int64(i) * 1e6, Num: uint64(i + 1)}
		Decode(&p, LinkEthernet, f, uint32(len(f)))
		if p.Frag == FragNone || r.Add(&p) {
			out = append(out, p)
		}
	}
	return out
}

// sums adds up the counts of packets.
func sums(ps []Packet) (count, ipBytes, payload int) {
	for _, p := range ps {
		count, ipBytes, payload = count+int(p.Count), ipBytes+int(p.IPBytes), payload+int(p.PayloadLen)
	}
	return
}

func pick(frames [][]byte, order ...int) (out [][]byte) {
	for _, i := range order {
		out = append(out, frames[i])
	}
	return out
}

func TestReassembleOrders(t *testing.T) {
	data := pattern(3000)
	udp4 := pieces(7, protoUDP, udpDatagram(5000, 6000, data), 1024)
	udp6 := pieces6(7, protoUDP, udpDatagram(5000, 6000, data), 1024)
	opts6 := pieces6(8, protoDestination, join(ext(protoUDP), udpDatagram(5000, 6000, data)), 1024)
	cases := []struct {
		name   string
		frames [][]byte
		order  []int
		frags  []Frag // of the packets that are passed on
	}{
		{"in order", udp4, []int{0, 1, 2}, []Frag{FragFirst, FragLater, FragComplete}},
		{"first last", udp4, []int{2, 1, 0}, []Frag{FragComplete}},
		{"first in the middle", udp4, []int{1, 0, 2}, []Frag{FragFirst, FragComplete}},
		{"last early", udp4, []int{0, 2, 1}, []Frag{FragFirst, FragLater, FragComplete}},
		{"duplicates", udp4, []int{0, 0, 1, 1, 2, 2}, []Frag{FragFirst, FragFirst, FragLater, FragLater, FragComplete, FragLater}},
		{"IPv6", udp6, []int{0, 1, 2}, []Frag{FragFirst, FragLater, FragComplete}},
		{"IPv6 reversed", udp6, []int{2, 1, 0}, []Frag{FragComplete}},
		{"IPv6 behind destination options", opts6, []int{1, 0, 2}, []Frag{FragFirst, FragComplete}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := NewReassembler(ReassemblerConfig{})
			got := play(r, pick(c.frames, c.order...)...)
			var frags []Frag
			for _, p := range got {
				frags = append(frags, p.Frag)
				if p.Kind != KindUDP || p.Proto != protoUDP || p.SrcPort != 5000 || p.DstPort != 6000 || p.Verdict != VerdictOK {
					t.Errorf("kind %d proto %d %d>%d %v", p.Kind, p.Proto, p.SrcPort, p.DstPort, p.Verdict)
				}
				if p.Frag == FragComplete && !bytes.Equal(p.Payload, data) {
					t.Errorf("reassembled payload of %d bytes differs", len(p.Payload))
				}
			}
			if fmt.Sprint(frags) != fmt.Sprint(c.frags) {
				t.Errorf("passed on %v, want %v", frags, c.frags)
			}
			count, ipBytes, payload := sums(got)
			wantIP, wantPayload := 0, 0
			for _, f := range pick(c.frames, c.order...) {
				var p Packet
				Decode(&p, LinkEthernet, f, uint32(len(f)))
				wantIP, wantPayload = wantIP+int(p.IPBytes), wantPayload+int(p.PayloadLen)
			}
			if count != len(c.order) || ipBytes != wantIP || payload != wantPayload {
				t.Errorf("accounted %d frames, %d and %d bytes; want %d, %d, %d", count, ipBytes, payload, len(c.order), wantIP, wantPayload)
			}
			if s := r.Stats(); s.Completed != 1 || s.Fragments != uint64(len(c.order)) || s.Lost != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestReassembleOverlap(t *testing.T) {
	whole := udpDatagram(5000, 6000, pattern(48)) // 56 bytes
	evil := bytes.Repeat([]byte{0xee}, 56)
	frag4 := func(src []byte, at, end int) []byte {
		return ethFrame(etherIPv4, ip4Frag(9, at, end < 56, protoUDP, src[at:end]))
	}
	frag6 := func(src []byte, at, end int) []byte {
		return ethFrame(etherIPv6, ip6(protoFragment, join(fragHeader(protoUDP, 9, at, end < 56), src[at:end])))
	}
	cases := []struct {
		name     string
		frames   [][]byte
		complete bool
		want     ReassemblyStats
	}{
		{"IPv4 later bytes lose", [][]byte{frag4(whole, 0, 32), frag4(evil, 16, 40), frag4(whole, 32, 56)}, true,
			ReassemblyStats{Fragments: 3, Started: 1, Completed: 1, Overlaps: 2}},
		{"IPv4 covered with other bytes", [][]byte{frag4(whole, 0, 32), frag4(evil, 8, 24), frag4(whole, 32, 56)}, true,
			ReassemblyStats{Fragments: 3, Started: 1, Completed: 1, Overlaps: 1}},
		{"IPv4 duplicate", [][]byte{frag4(whole, 0, 32), frag4(whole, 0, 32), frag4(whole, 32, 56)}, true,
			ReassemblyStats{Fragments: 3, Started: 1, Completed: 1, Duplicates: 1}},
		{"IPv6 overlap drops all", [][]byte{frag6(whole, 0, 32), frag6(evil, 16, 40), frag6(whole, 32, 56)}, false,
			ReassemblyStats{Fragments: 3, Started: 1, Overlaps: 1, Dropped: drops(FragDropOverlap)}},
		{"IPv6 overlap of equal bytes but partial", [][]byte{frag6(whole, 0, 32), frag6(whole, 16, 40), frag6(whole, 32, 56)}, false,
			ReassemblyStats{Fragments: 3, Started: 1, Overlaps: 1, Dropped: drops(FragDropOverlap)}},
		{"IPv6 duplicate", [][]byte{frag6(whole, 0, 32), frag6(whole, 0, 32), frag6(whole, 32, 56)}, true,
			ReassemblyStats{Fragments: 3, Started: 1, Completed: 1, Duplicates: 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := NewReassembler(ReassemblerConfig{})
			got := play(r, c.frames...)
			if len(got) != len(c.frames) {
				t.Fatalf("passed on %d of %d", len(got), len(c.frames))
			}
			last := got[len(got)-1]
			if (last.Frag == FragComplete) != c.complete {
				t.Errorf("the last one is %d", last.Frag)
			}
			if want := whole[8:]; c.complete && c.name != "IPv4 later bytes lose" && !bytes.Equal(last.Payload, want) {
				t.Errorf("payload %x", last.Payload)
			}
			if s := r.Stats(); s != c.want {
				t.Errorf("counts %+v, want %+v", s, c.want)
			}
		})
	}
}

// The bytes that arrived first win if an IPv4 fragment overlaps on both sides.
func TestReassembleFirstWins(t *testing.T) {
	a, b := bytes.Repeat([]byte{'a'}, 64), bytes.Repeat([]byte{'b'}, 64)
	frames := [][]byte{
		ethFrame(etherIPv4, ip4Frag(9, 0, true, protoUDP, join(udpDatagram(5000, 6000, make([]byte, 56))[:8], a[:8]))),
		ethFrame(etherIPv4, ip4Frag(9, 8, true, protoUDP, b[:32])),
		ethFrame(etherIPv4, ip4Frag(9, 32, false, protoUDP, a[:32])),
	}
	got := play(NewReassembler(ReassemblerConfig{}), frames...)
	want := join(a[:8], b[:24], a[:24])
	if last := got[len(got)-1]; last.Frag != FragComplete || !bytes.Equal(last.Payload, want) {
		t.Errorf("frag %d payload %q", last.Frag, last.Payload)
	}
}

func drops(why ...FragDrop) (d [NumFragDrops]uint64) {
	for _, w := range why {
		d[w]++
	}
	return d
}

func TestReassembleDrops(t *testing.T) {
	whole := udpDatagram(5000, 6000, pattern(48))
	frag := func(at int, more bool, piece []byte) []byte {
		return ethFrame(etherIPv4, ip4Frag(9, at, more, protoUDP, piece))
	}
	first := frag(0, true, whole[:32])
	cases := []struct {
		name   string
		frames [][]byte
		why    FragDrop
	}{
		{"ping of death", [][]byte{first, frag(65528, false, whole[:16])}, FragDropTooLong},
		{"no multiple of 8", [][]byte{first, frag(32, true, whole[:9])}, FragDropMalformed},
		{"empty", [][]byte{first, frag(32, true, nil)}, FragDropMalformed},
		{"forged length", [][]byte{first, patched(frag(32, false, whole[:8]), 16, 1, 0)}, FragDropCut},
		{"two ends", [][]byte{first, frag(48, false, whole[:8]), frag(40, false, whole[:8])}, FragDropConflict},
		{"beyond the end", [][]byte{first, frag(48, false, whole[:8]), frag(64, true, whole[:8])}, FragDropConflict},
		{"end before what was seen", [][]byte{first, frag(8, false, whole[:8])}, FragDropConflict},
		{"too many", append([][]byte{first}, repeat(frag(32, true, whole[:8]), 8)...), FragDropCount},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := NewReassembler(ReassemblerConfig{MaxFragments: 8})
			got := play(r, c.frames...)
			if s := r.Stats(); s.Dropped != drops(c.why) || s.Completed != 0 {
				t.Errorf("%+v", s)
			}
			if count, _, _ := sums(got); count != len(c.frames) {
				t.Errorf("%d of %d frames accounted for", count, len(c.frames))
			}
			for _, p := range got {
				if p.SrcPort != 5000 || p.Kind != KindUDP {
					t.Errorf("ports are missing: %d", p.SrcPort)
				}
			}
		})
	}
}

func repeat(b []byte, n int) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

func TestReassembleCutBySnapLength(t *testing.T) {
	frames := pieces(7, protoUDP, udpDatagram(5000, 6000, pattern(2000)), 1024)
	r := NewReassembler(ReassemblerConfig{})
	for i, f := range frames {
		var p Packet
		Decode(&p, LinkEthernet, f[:96], uint32(len(f)))
		if !r.Add(&p) || p.SrcPort != 5000 || p.Frag == FragComplete || !p.Truncated {
			t.Errorf("fragment %d: %+v", i, p)
		}
		if int(p.IPBytes) != len(f)-14 {
			t.Errorf("fragment %d: %d IP bytes", i, p.IPBytes)
		}
	}
	if s := r.Stats(); s.Dropped != drops(FragDropCut) {
		t.Errorf("%+v", s)
	}
}

func TestReassembleExpiry(t *testing.T) {
	frames := pieces(7, protoUDP, udpDatagram(5000, 6000, pattern(3000)), 1024)
	r := NewReassembler(ReassemblerConfig{})
	at := func(now int64, f []byte) (Packet, bool) {
		p := Packet{Time: now}
		Decode(&p, LinkEthernet, f, uint32(len(f)))
		return p, r.Add(&p)
	}
	at(0, frames[1]) // held
	at(31e9, frames[0])
	if p, ok := at(32e9, frames[2]); !ok || p.Frag != FragLater {
		t.Errorf("completed with a fragment that had expired: %v %d", ok, p.Frag)
	}
	want := ReassemblyStats{Fragments: 3, Held: 1, Lost: 1, Started: 2, Expired: 1}
	if s := r.Stats(); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if r.Len() != 1 {
		t.Errorf("%d datagrams", r.Len())
	}
}

// A fragment with the id of a datagram that was completed a while ago starts a new datagram.
func TestReassembleIDReuse(t *testing.T) {
	r := NewReassembler(ReassemblerConfig{})
	for i, fill := range []byte{1, 2} {
		data := bytes.Repeat([]byte{fill}, 2000)
		for j, f := range pieces(7, protoUDP, udpDatagram(5000, 6000, data), 1024) {
			p := Packet{Time: int64(i) * 3e9}
			Decode(&p, LinkEthernet, f, uint32(len(f)))
			if !r.Add(&p) || j == 1 && (p.Frag != FragComplete || !bytes.Equal(p.Payload, data)) {
				t.Errorf("round %d fragment %d: frag %d", i, j, p.Frag)
			}
		}
	}
}

// A flood of datagrams that are never completed changes counters, not the memory.
func TestReassembleBounds(t *testing.T) {
	r := NewReassembler(ReassemblerConfig{MaxDatagrams: 64, MaxBytes: 128 << 10})
	piece := pattern(4096)
	for i := range 5000 {
		f := ethFrame(etherIPv4, ip4Frag(uint16(i), (i%13)*4096, true, protoUDP, piece))
		p := Packet{Time: int64(i)}
		Decode(&p, LinkEthernet, f, uint32(len(f)))
		r.Add(&p)
	}
	if r.Len() > 64 || int(r.store.made)*blockSize > 128<<10 || len(r.table.pool) > 64 {
		t.Errorf("%d datagrams, %d blocks, pool %d", r.Len(), r.store.made, len(r.table.pool))
	}
	s := r.Stats()
	if s.Started != 5000 || s.Evicted != 5000-uint64(r.Len()) || s.Fragments != 5000 {
		t.Errorf("%+v", s)
	}
	got := play(r, pieces(9999, protoUDP, udpDatagram(5000, 6000, pattern(2000)), 1024)...)
	if got[len(got)-1].Frag != FragComplete {
		t.Error("a good datagram does not come through the flood")
	}
}

func TestReassembleTunnels(t *testing.T) {
	innermost := ip4From([4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, protoTCP, tcpSegment(1234, 80, SYN, nil, 1400))
	frame := ethBetween(macC, macD, etherIPv4, innermost)
	gtp := join([]byte{0x30, 255}, u16(uint16(len(innermost))), u32(77), innermost)
	cases := []struct {
		name  string
		proto uint8
		whole []byte
		typ   TunnelType
	}{
		{"vxlan", protoUDP, udpDatagram(50000, portVXLAN, vxlanFrame(5, frame)), TunnelVXLAN},
		{"gtpu", protoUDP, udpDatagram(2152, 2152, gtp), TunnelGTPU},
		{"gre", protoGRE, join(u16(0), u16(etherIPv4), innermost), TunnelGRE},
		{"ipip", protoIPv4, innermost, TunnelIPIP},
	}
	for _, c := range cases {
		for _, order := range [][]int{{0, 1}, {1, 0}} {
			t.Run(fmt.Sprint(c.name, order), func(t *testing.T) {
				r := NewReassembler(ReassemblerConfig{})
				frames := pick(pieces(7, c.proto, c.whole, 1024), order...)
				got := play(r, append(frames, frames[0])...) // with a late duplicate
				if len(got) != 1 {
					t.Fatalf("%d packets passed on", len(got))
				}
				p := got[0]
				if p.NumTunnels != 1 || p.Tunnels[0].Type != c.typ || !p.Tunnels[0].HasOuter || p.Kind != KindTCP ||
					p.DstPort != 80 || p.Frag != FragNone || p.Count != 2 || p.Verdict != VerdictOK {
					t.Errorf("%+v", p)
				}
				if int(p.IPBytes) != len(innermost) || p.PayloadLen != 1400 || len(p.Payload) != 1400 {
					t.Errorf("bytes %d, payload %d", p.IPBytes, p.PayloadLen)
				}
			})
		}
	}
}

// A fragmented tunnel may carry the fragments of another datagram.
func TestReassembleFragmentsInFragments(t *testing.T) {
	data := pattern(3000)
	var frames [][]byte
	for i, f := range pieces(7, protoUDP, udpDatagram(5000, 6000, data), 1504) {
		frames = append(frames, pieces(uint16(100+i), protoIPv4, f[14:], 800)...)
	}
	got := play(NewReassembler(ReassemblerConfig{}), frames...)
	last := got[len(got)-1]
	if len(got) != 2 || got[0].Frag != FragFirst || last.Frag != FragComplete || !bytes.Equal(last.Payload, data) {
		t.Fatalf("%d packets, %d", len(got), last.Frag)
	}
	if count, _, _ := sums(got); count != len(frames) || last.NumTunnels != 1 {
		t.Errorf("%d of %d frames, %d tunnels", count, len(frames), last.NumTunnels)
	}
}

// A datagram on the port of a tunnel that is not one is reassembled and counted as UDP.
func TestReassembleNotATunnel(t *testing.T) {
	data := bytes.Repeat([]byte{0}, 2000)
	got := play(NewReassembler(ReassemblerConfig{}), pieces(7, protoUDP, udpDatagram(5000, portVXLAN, data), 1024)...)
	if len(got) != 1 || got[0].Frag != FragComplete || got[0].Count != 2 || got[0].NumTunnels != 0 || !bytes.Equal(got[0].Payload, data) {
		t.Fatalf("%+v", got)
	}
	if _, ipBytes, payload := sums(got); ipBytes != 2*20+2008 || payload != 2000 {
		t.Errorf("%d and %d bytes", ipBytes, payload)
	}
}

func TestReassembleMaximum(t *testing.T) {
	data := pattern(65507)
	got := play(NewReassembler(ReassemblerConfig{}), pieces(7, protoUDP, udpDatagram(5000, 6000, data), 1480)...)
	if last := got[len(got)-1]; last.Frag != FragComplete || !bytes.Equal(last.Payload, data) {
		t.Errorf("frag %d, %d bytes", last.Frag, len(last.Payload))
	}
}

// What the arena handed out stays valid until Reset.
func TestArenaIsValidUntilReset(t *testing.T) {
	var a Arena
	first := a.take(65535)
	first[0] = 1
	for i := range 40 {
		a.take(65535)[0] = byte(i + 2)
	}
	if first[0] != 1 {
		t.Error("overwritten before Reset")
	}
	if a.Reset(); len(a.chunks) != arenaKeep {
		t.Errorf("%d chunks kept", len(a.chunks))
	}
	if n := testing.AllocsPerRun(5, func() { a.Reset(); a.take(65535) }); n != 0 {
		t.Errorf("%v allocations of a warm arena", n)
	}
}

func TestReassembleDoesNotAllocate(t *testing.T) {
	r := NewReassembler(ReassemblerConfig{})
	var arena Arena
	r.Use(&arena)
	frames := append(pieces(7, protoUDP, udpDatagram(5000, 6000, pattern(3000)), 1024),
		pieces(8, protoIPv4, ip4(protoUDP, udpDatagram(1, 2, pattern(1200))), 1000)...)
	now := int64(0)
	run := func() {
		arena.Reset()
		now += 3e9
		for _, f := range frames {
			p := Packet{Time: now}
			Decode(&p, LinkEthernet, f, uint32(len(f)))
			r.Add(&p)
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s := r.Stats(); s.Completed != s.Started || s.Completed < 200 {
		t.Errorf("%+v", s)
	}
}
