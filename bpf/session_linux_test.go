// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// talk is a TCP session between the two addresses: a sends from port 40000, b answers from 443.
func fromA(seq, ack, flags, size int) []byte {
	return frameOf(ipv4(6, tcp(40000, 443, seq, ack, flags, make([]byte, size))))
}

func fromB(seq, ack, flags, size int) []byte {
	ip := ipv4(6, tcp(443, 40000, seq, ack, flags, make([]byte, size)))
	return frameOf(slices.Concat(ip[:12], ip[16:20], ip[12:16], ip[20:]))
}

// step is a frame of a session, and the expected reason.
type step struct {
	frame []byte
	want  Reason
}

func (b *bench) steps(t *testing.T, all []step) {
	t.Helper()
	for i, s := range all {
		if why, _ := b.run(t, s.frame); why != s.want {
			t.Errorf("step %d: %v, not %v", i, why, s.want)
		}
	}
}

// The start and the end of a session and the head of each direction, by its offset in the stream, are copied. The rest is counted.
func TestTCPIsShuntedAfterItsHead(t *testing.T) { onBoth(t, tCPIsShuntedAfterItsHead) }

func tCPIsShuntedAfterItsHead(t *testing.T, load loader) {
	b := newBench(t, load, Config{HeadBytes: 2000, HeadSegments: 2, Sessions: 64})
	const a0, b0 = 1000, 1<<32 - 500 // the numbers of b wrap
	b.steps(t, []step{
		{fromA(a0-1, 0, flagSYN, 0), Edge},
		{fromB(b0-1, a0, flagSYN|flagACK, 0), Edge},
		{fromA(a0, b0, flagACK, 0), Head},
		{fromA(a0, b0, flagACK, 1000), Head},
		{fromB(b0, a0+1000, flagACK, 0), Head},
		{fromA(a0+5000, b0, flagACK, 1000), Head}, // of the first two with payload
		{fromA(a0+6000, b0, flagACK, 1000), Shunted},
		{fromA(a0+1000, b0, flagACK, 1000), Head}, // late, but within the head
		{fromA(a0+1999, b0, flagACK, 1000), Head},
		{fromA(a0+2000, b0, flagACK, 1000), Shunted},
		{fromA(a0-1, b0, flagACK, 1), Head},               // a keep-alive: one before the first byte
		{fromB(b0, a0+2000+36<<10, flagACK, 0), Shunted},  // acknowledges data after the head
		{fromB(b0, a0+2000+31<<10, flagACK, 0), Head},     // may show a hole in the head
		{fromB(b0, a0+40000, flagACK, 700), Head},         //
		{fromB(b0+700, a0+40000, flagACK, 700), Head},     //
		{fromB(b0+1400, a0+40000, flagACK, 700), Head},    // the head of b is not full
		{fromB(b0+2100, a0+40000, flagACK, 700), Shunted}, //
		{fromB(b0+2800, a0+40000, flagACK, 700), Shunted}, //
		{fromB(b0+3500, a0+40000, flagFIN|flagACK, 10), Edge},
		{fromA(a0+50000, b0+3511, flagACK, 0), Head},
		{fromA(a0+50000, b0+3511, flagACK, 500), Edge}, // after an end some are copied
		{fromB(b0+3511, a0+50500, flagACK, 500), Edge},
		{fromA(a0+50500, b0+3511, flagACK, 500), Edge},
		{fromA(a0+51000, b0+3511, flagACK, 500), Edge},
		{fromA(a0+51500, b0+3511, flagACK, 500), Shunted},
		{fromA(a0+52000, b0+3511, flagRST, 0), Edge},
	})
}

// The counts of a session come before its next copied packet, and cover exactly the packets that were not copied.
func TestCountsComeBeforeTheNextCopiedPacket(t *testing.T) {
	onBoth(t, countsComeBeforeTheNextCopiedPacket)
}

func countsComeBeforeTheNextCopiedPacket(t *testing.T, load loader) {
	b := newBench(t, load, Config{HeadBytes: 100, HeadSegments: 1, Sessions: 64})
	b.steps(t, []step{
		{fromA(1, 1, flagACK, 100), Head}, {fromB(1, 101, flagACK, 100), Head},
		{fromA(1000, 101, flagACK, 300), Shunted}, {fromB(1000, 50000, flagACK, 500), Shunted}, {fromB(1500, 50000, flagACK, 600), Shunted},
	})
	why, s := b.run(t, fromA(50000, 2100, flagFIN|flagACK, 0))
	if why != Edge || len(s.counts) != 1 {
		t.Fatalf("%v, %+v", why, s.counts)
	}
	c := s.counts[0]
	if want := (Key{Lo: addr(addr4A), Hi: addr(addr4B), LoPort: 40000, HiPort: 443, Proto: 6}); c.Key != want {
		t.Errorf("%+v", c.Key)
	}
	if c.Packets != [2]uint64{1, 2} || c.IPBytes != [2]uint64{340, 540 + 640} || c.PayloadBytes != [2]uint64{300, 1100} || c.Last == 0 {
		t.Errorf("%+v", c)
	}
	// 101 to 1000 was skipped and never acknowledged; a was seen up to 1300, b acknowledged 50000 bytes of it.
	if c.Gap != 50000-1300 || c.End != [2]uint32{50001, 2100} {
		t.Errorf("gap %d, ends %d", c.Gap, c.End)
	}
	if c := b.counts(t); len(c) != 0 {
		t.Errorf("told twice: %+v", c)
	}
	if _, s := b.run(t, fromA(50001, 2100, flagRST, 0)); len(s.counts) != 0 {
		t.Errorf("nothing was counted, and told: %+v", s.counts)
	}
}

// A new handshake restarts a session that has an entry. Its old counts come first.
func TestReusedPortsAreCopiedAgain(t *testing.T) { onBoth(t, reusedPortsAreCopiedAgain) }

func reusedPortsAreCopiedAgain(t *testing.T, load loader) {
	b := newBench(t, load, Config{HeadBytes: 100, HeadSegments: 1, Sessions: 64})
	b.steps(t, []step{{fromA(1, 1, flagACK, 100), Head}, {fromA(101, 1, flagACK, 100), Shunted}})
	why, s := b.run(t, fromA(70000, 0, flagSYN, 0))
	if why != Edge || len(s.counts) != 1 || s.counts[0].Packets != [2]uint64{1, 0} {
		t.Errorf("%v %+v", why, s.counts)
	}
	b.steps(t, []step{{fromA(70001, 1, flagACK, 100), Head}, {fromA(70101, 1, flagACK, 100), Shunted}})
}

// A session that was idle for long is copied from its start again, because it may have expired in user space.
func TestIdleSessionsAreCopiedAgain(t *testing.T) { onBoth(t, idleSessionsAreCopiedAgain) }

func idleSessionsAreCopiedAgain(t *testing.T, load loader) {
	const idle = 200 * time.Millisecond
	b := newBench(t, load, Config{HeadDatagrams: 1, HeadBytes: 100, HeadSegments: 1, Idle: idle, Sessions: 64})
	datagram := frameOf(ipv4(17, udp(40000, 5000, []byte{1})))
	begin := func() {
		b.steps(t, []step{{datagram, Head}, {datagram, Shunted}})
		b.steps(t, []step{{fromA(5000, 1, flagACK, 100), Head}, {fromA(6000, 1, flagACK, 100), Shunted}})
	}
	begin()
	time.Sleep(2 * idle)
	begin()
	if c := b.counts(t); len(c) != 2 || c[0].Packets[0] != 1 || c[1].Packets[0] != 1 { // the first ones were reported before the copied packet
		t.Errorf("%+v", c)
	}
}

// Without shunting all watched packets are copied.
func TestNoShunt(t *testing.T) { onBoth(t, noShunt) }

func noShunt(t *testing.T, load loader) {
	b := newBench(t, load, Config{NoShunt: true, Sessions: 64})
	datagram := frameOf(ipv4(17, udp(40000, 5000, []byte{1})))
	for range 100 {
		b.steps(t, []step{{datagram, Full}, {fromA(1<<20, 1, flagACK, 100), Full}, {fromA(1, 1, flagSYN, 0), Full}})
	}
	if err := b.SetWatch([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil); err != nil {
		t.Fatal(err)
	}
	b.steps(t, []step{{datagram, Unwatched}, {fromA(1, 1, flagSYN, 0), Unwatched}})
	if c := b.counts(t); len(c) != 0 {
		t.Errorf("%+v", c)
	}
}

// Forged segments cannot shift the head of a session: neither data with other numbers nor a SYN.
func TestForgedSegmentsDoNotHideTheHead(t *testing.T) { onBoth(t, forgedSegmentsDoNotHideTheHead) }

func forgedSegmentsDoNotHideTheHead(t *testing.T, load loader) {
	b := newBench(t, load, Config{HeadBytes: 2000, HeadSegments: 1, Sessions: 64})
	b.steps(t, []step{
		{fromA(999, 0, flagSYN, 0), Edge},
		{fromB(4999, 1000, flagSYN|flagACK, 0), Edge},
		{fromA(1<<30, 5000, flagACK, 100), Head}, // the first, but not the beginning
		{fromA(1<<30+100, 5000, flagACK, 100), Shunted},
		{fromA(1000, 5000, flagACK, 1000), Head},
		{fromA(1<<31, 0, flagSYN, 0), Edge},
		{fromB(1<<31, 7, flagSYN|flagACK, 0), Edge},
		{fromA(2000, 5000, flagACK, 1000), Head},
		{fromB(5000, 1000, flagACK, 1000), Head},
		{fromB(6000, 1000, flagACK, 1000), Head},
		{fromA(3000, 5000, flagACK, 1000), Shunted},
		{fromB(7000, 1000, flagACK, 1000), Shunted},
		{fromA(4000, 5000, flagFIN|flagACK, 0), Edge}, // from now on an opening is believed
		{fromA(77, 0, flagSYN, 0), Edge},
		{fromB(88, 78, flagSYN|flagACK, 0), Edge},
		{fromA(1078, 89, flagACK, 900), Head}, {fromA(2078, 89, flagACK, 900), Shunted}, {fromA(78, 89, flagACK, 900), Head},
	})
}

// For a direction that is never seen, neither its position nor a gap is reported.
func TestOneWayHasNoGaps(t *testing.T) { onBoth(t, oneWayHasNoGaps) }

func oneWayHasNoGaps(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	b.steps(t, []step{{fromB(4999, 1000, flagSYN|flagACK, 0), Edge}, {fromB(5000, 90000, flagACK, 500), Shunted}, {fromB(5500, 95000, flagACK, 500), Shunted}})
	if c := b.counts(t); len(c) != 1 || c[0].Gap != 0 || c[0].End != [2]uint32{0, 6000} {
		t.Errorf("%+v", c)
	}
}

// A flood of SYNs adds no entries.
func TestSYNsAddNoEntries(t *testing.T) { onBoth(t, sYNsAddNoEntries) }

func sYNsAddNoEntries(t *testing.T, load loader) {
	b := newBench(t, load, Config{Sessions: 64})
	for port := range 200 {
		for _, flags := range []int{flagSYN, flagRST, flagRST | flagACK, flagFIN | flagACK} {
			if why, _ := b.run(t, frameOf(ipv4(6, tcp(1000+port, 443, 0, 0, flags, nil)))); why != Edge {
				t.Errorf("flags %x: %v", flags, why)
			}
		}
	}
	var k Key
	if err := b.coll.Maps["sessions"].NextKey(nil, &k); err == nil {
		t.Errorf("an entry: %+v", k)
	}
}

func TestDatagramsAreShuntedAfterTheFirst(t *testing.T) { onBoth(t, datagramsAreShuntedAfterTheFirst) }

func datagramsAreShuntedAfterTheFirst(t *testing.T, load loader) {
	b := newBench(t, load, Config{HeadDatagrams: 2, Sessions: 64})
	back := func(ip []byte) []byte { return slices.Concat(ip[:12], ip[16:20], ip[12:16], ip[20:]) }
	ask, answer := frameOf(ipv4(17, udp(40000, 5000, []byte{1}))), frameOf(back(ipv4(17, udp(5000, 40000, nil))))
	b.steps(t, []step{{ask, Head}, {ask, Head}, {ask, Shunted}, {answer, Head}, {answer, Head}, {answer, Shunted}})
	ping := frameOf(ipv4(1, []byte{8, 0, 0, 0, 0, 0, 0, 0}))
	pong := frameOf(back(ipv4(1, []byte{0, 0, 0, 0, 0, 0, 0, 0})))
	b.steps(t, []step{{ping, Head}, {ping, Head}, {pong, Head}, {ping, Shunted}, {pong, Head}, {pong, Shunted}})
	chunk := func(typ byte) []byte {
		return frameOf(ipv4(132, slices.Concat(be16(1), be16(2), be32(0), be32(0), []byte{typ, 0, 0, 4})))
	}
	b.steps(t, []step{{chunk(1), Edge}, {chunk(0), Head}, {chunk(3), Head}, {chunk(0), Shunted}, {chunk(5), Shunted}, {chunk(7), Edge}, {chunk(6), Edge}})
}

func TestFullCopy(t *testing.T) { onBoth(t, fullCopy) }

func fullCopy(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	k := Key{Lo: addr(addr4A), Hi: addr(addr4B), LoPort: 40000, HiPort: 443, Proto: 6}
	full := func(on bool) {
		t.Helper()
		for range 2 { // saying it twice is no error
			if err := b.FullCopy(k, on); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := frameOf(tcp4(444, 10))
	b.steps(t, []step{{fromA(1, 1, flagACK, 10), Shunted}})
	full(true)
	b.steps(t, []step{{fromA(1, 1, flagACK, 10), Full}, {fromA(1, 1, flagACK, 10), Full}, {other, Shunted}})
	full(false)
	b.steps(t, []step{{fromA(1, 1, flagACK, 10), Shunted}})
}

// Several processors may count in one session while its counts are reported: none is lost or reported twice.
func TestConcurrentCountsAreExact(t *testing.T) {
	const workers, each = 4, 3000
	b := newBench(t, Load, Config{CountOnly: true, Sessions: 1024, RingBytes: 1 << 22})
	frames := [][]byte{fromA(1<<20, 1, flagACK, 100), fromB(1<<21, 1, flagACK, 30), fromA(1<<20, 1, flagFIN|flagACK, 0)}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				f := frames[(i+w)%2]
				if i%500 == 0 {
					f = frames[2] // is copied, so the counts are reported
				}
				if _, err := b.Try(f); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var sum Counts
	add := func(all []Counts) {
		for _, c := range all {
			for i := range 2 {
				sum.Packets[i] += c.Packets[i]
				sum.IPBytes[i] += c.IPBytes[i]
				sum.PayloadBytes[i] += c.PayloadBytes[i]
			}
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		add(b.counts(t))
	}
	add(b.counts(t))
	c, err := b.Counters()
	if err != nil {
		t.Fatal(err)
	}
	n := c.Reasons[Shunted].Packets
	if sum.Packets[0]+sum.Packets[1] != n || sum.PayloadBytes[0] != 100*sum.Packets[0] || sum.PayloadBytes[1] != 30*sum.Packets[1] ||
		sum.IPBytes[0] != 140*sum.Packets[0] || sum.IPBytes[1] != 70*sum.Packets[1] || n == 0 || c.Evicted != 0 || c.Reasons[RingFull].Packets != 0 {
		t.Errorf("%d packets counted; told %+v; %+v", n, sum, c)
	}
}

// A table that is too small loses counts, which are counted as evicted.
func TestEvictionIsCounted(t *testing.T) { onBoth(t, evictionIsCounted) }

func evictionIsCounted(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	const sessions = 10000
	told := uint64(0)
	add := func(all []Counts) {
		for _, c := range all {
			told += c.Packets[0] + c.Packets[1]
		}
	}
	for port := range sessions {
		_, s := b.run(t, frameOf(ipv4(17, udp(20000+port, 5000, nil))))
		add(s.counts)
	}
	add(b.counts(t))
	add(b.counts(t))
	c, err := b.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if told == 0 || told == sessions || c.Evicted != sessions-told {
		t.Errorf("%d packets counted, %d told, %d evicted", sessions, told, c.Evicted)
	}
}

// If the ring buffer is full, frames are lost and counted. Those of a session are in its counts, so the totals are exact.
func TestFullRingBufferIsCounted(t *testing.T) {
	b := newBench(t, Load, Config{HeadDatagrams: 1 << 15, Sessions: 64, RingBytes: 4096})
	const sent = 20
	frame := frameOf(ipv4(17, udp(40000, 5000, make([]byte, 900))))
	for range sent {
		if _, err := b.Try(frame); err != nil {
			t.Fatal(err)
		}
	}
	c, err := b.Counters()
	if err != nil {
		t.Fatal(err)
	}
	first := b.said(t)
	got := len(first.frames)
	head, lost := c.Reasons[Head].Packets, c.Reasons[RingFull].Packets
	if int(head) != got || head == 0 || head+lost != sent || c.Reasons[RingFull].Bytes != lost*uint64(len(frame)) {
		t.Errorf("%d frames read, %d copied, %d lost", got, head, lost)
	}
	packets, payload := uint64(0), uint64(0)
	for _, c := range append(first.counts, b.counts(t)...) {
		packets += c.Packets[0]
		payload += c.PayloadBytes[0]
	}
	if packets != lost || payload != lost*900 {
		t.Errorf("%d lost, %d counted with %d bytes", lost, packets, payload)
	}
}

// Counts leave half of the ring buffer for packets. The rest is reported when they have been read.
func TestSweepLeavesRoom(t *testing.T) { onBoth(t, sweepLeavesRoom) }

func sweepLeavesRoom(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 1024, RingBytes: 4096})
	const sessions = 100
	for port := range sessions {
		b.run(t, frameOf(ipv4(17, udp(20000+port, 5000, nil))))
	}
	if more, err := b.Sweep(); err != nil || !more {
		t.Fatal(more, err)
	}
	first := b.said(t).counts
	if most := 2048/(countsSize+8) + 1; len(first) == 0 || len(first) > most {
		t.Errorf("%d counts at once, more than %d", len(first), most)
	}
	seen := map[Key]bool{}
	for _, c := range append(first, b.counts(t)...) {
		if seen[c.Key] || c.Packets != [2]uint64{1, 0} && c.Packets != [2]uint64{0, 1} {
			t.Errorf("%+v", c)
		}
		seen[c.Key] = true
	}
	if c, _ := b.Counters(); len(seen) != sessions || c.Evicted != 0 {
		t.Errorf("%d sessions, %d packets evicted", len(seen), c.Evicted)
	}
}

func TestDropVerdict(t *testing.T) {

	p := mustLoad(t, Load, Config{Drop: true, Sessions: 64})
	if err := p.SetWatch([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, f := range [][]byte{frameOf(tcp4(443, 1)), ethernet(0x0806, make([]byte, 28)), make([]byte, 14)} {
		if v, err := p.Try(f); err != nil || v != xdpDrop {
			t.Errorf("%x: %d %v", f, v, err)
		}
	}
}

func TestFilterSnapLength(t *testing.T) {
	p := mustLoad(t, LoadFilter, Config{SnapLen: 96, CountOnly: true, Sessions: 64})
	for _, c := range []step{{fromA(1, 1, flagSYN, 0), Edge}, {fromA(1, 1, flagACK, 0), Shunted}} {
		want := map[Reason]uint32{Edge: 96}[c.want]
		if n, err := p.Try(c.frame); err != nil || n != want {
			t.Errorf("%d bytes pass, not %d: %v", n, want, err)
		}
	}
}

// Frames of every size arrive complete, also those in several buffers of the kernel.
func TestEverySizeIsCopiedCompletely(t *testing.T) {
	b := newBench(t, Load, Config{Sessions: 64})
	for _, size := range []int{14, 60, 128, 129, 256, 257, 512, 513, 1024, 1025, 1514, 1600, 1601, 4096, 4097, 9014, 9728, 9729, 16000, 60000} {
		frame := bytes.Repeat([]byte{0x88, 0xb5, 1, 2, 3, 4}, size/6+1)[:size] // 0x88b5 is an EtherType for experiments
		if why, _ := b.run(t, frame); why != NoIP {
			t.Errorf("%d bytes: %v", size, why)
		}
	}
	// By its headers a large frame is longer than its first buffer.
	long := frameOf(ipv4(17, udp(40000, 5000, make([]byte, 20000))))
	if why, _ := b.run(t, long); why != Head {
		t.Errorf("a datagram of 20000 bytes: %v", why)
	}
	// Before segmentation by the network card of the sender there is no length.
	b = newBench(t, Load, Config{CountOnly: true, Sessions: 64})
	uncut := frameOf(tcp4(443, 8000))
	uncut[16], uncut[17] = 0, 0
	if why, _ := b.run(t, uncut); why != Shunted {
		t.Errorf("a segment without a length: %v", why)
	}
	if c := b.counts(t); len(c) != 1 || c[0].IPBytes[0] != 8040 || c[0].PayloadBytes[0] != 8000 {
		t.Errorf("%+v", c)
	}
}
