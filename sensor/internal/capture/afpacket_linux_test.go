// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func mustOpenAFPacket(t *testing.T, cfg AFPacketConfig) *AFPacket {
	t.Helper()
	cfg.Iface = "mirror"
	connected(t)
	s, err := OpenAFPacket(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connected waits until the cable carries frames. Frames sent before are lost.
func connected(t *testing.T) {
	t.Helper()
	for range 200 {
		state, err := exec.Command("ip", "-o", "link", "show", "up").Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(state), "LOWER_UP") == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the cable carries nothing")
}

// numbered is an Ethernet frame of n bytes with a number after its tags.
func numbered(number uint32, n int, tags ...byte) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, tags...)
	f = append(f, 0x88, 0xb5) // IEEE 802 local experimental EtherType
	f = binary.BigEndian.AppendUint32(f, number)
	return append(f, make([]byte, max(n-len(f), 0))...)
}

// batches are used in turn, like those of a pipeline.
type batches struct {
	all  [8]Batch
	next int
}

// take reads until n frames have arrived.
func (round *batches) take(t *testing.T, s Source, n int, each func(f Frame, data []byte)) {
	t.Helper()
	empty := 0
	for ; n > 0; round.next++ {
		b := &round.all[round.next%len(round.all)]
		if err := s.Next(b); err != nil {
			t.Fatal(err)
		}
		for _, f := range b.Frames {
			each(f, b.Data[f.Off:f.Off+f.Len])
		}
		n -= len(b.Frames)
		if len(b.Frames) > 0 {
			empty = 0
		} else if empty++; empty > 50 {
			t.Fatalf("%d frames have not come", n)
		}
	}
	if n < 0 {
		t.Fatalf("%d frames too many", -n)
	}
}

// Frames with and without VLAN tags, which the kernel removes, arrive unchanged, also if they are more than the ring holds.
func TestAFPacketFramesAreUnchanged(t *testing.T) {
	send := cable(t)
	var round batches
	s := mustOpenAFPacket(t, AFPacketConfig{RingBytes: 2 << 20})
	kinds := [][]byte{nil, {0x81, 0x00, 0x20, 0x64}, {0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x2a}}
	number := uint32(0)
	for range 40 {
		var want [][]byte
		for range 100 {
			f := numbered(number, 60+int(number*37%1400), kinds[number%3]...)
			send(f)
			want = append(want, f)
			number++
		}
		before := time.Now().Add(-time.Minute).UnixNano()
		round.take(t, s, len(want), func(f Frame, data []byte) {
			if !bytes.Equal(data, want[0]) || int(f.OrigLen) != len(want[0]) {
				t.Fatalf("got  %x of %d\nwant %x of %d", data, f.OrigLen, want[0], len(want[0]))
			}
			if f.Time < before || f.Time > time.Now().UnixNano() {
				t.Fatalf("a frame at %d, %d after the one before, now is %d", f.Time, f.Time-before, time.Now().UnixNano())
			}
			before, want = f.Time, want[1:]
		})
	}
	if st := s.Stats(); st.Received != uint64(number) || st.Drops.Ring != 0 || st.Sent != 0 || st.Blind != "" {
		t.Errorf("%+v after %d frames", st, number)
	}
}

func TestAFPacketSnapLength(t *testing.T) {
	send := cable(t)
	var round batches
	s := mustOpenAFPacket(t, AFPacketConfig{SnapLen: 100})
	send(numbered(1, 1000))
	round.take(t, s, 1, func(f Frame, data []byte) {
		if len(data) != 100 || f.OrigLen != 1000 {
			t.Errorf("%d bytes of %d", len(data), f.OrigLen)
		}
	})
}

// The clock advances while nothing arrives, and while the ring is full.
func TestAFPacketClockAdvances(t *testing.T) {
	send := cable(t)
	var round batches
	s := mustOpenAFPacket(t, AFPacketConfig{RingBytes: 1})
	var b Batch
	last := int64(0)
	for range 3 {
		if err := s.Next(&b); err != nil || len(b.Frames) != 0 || b.Clock <= last || b.Clock > time.Now().UnixNano() {
			t.Fatalf("%v, %d frames, clock %d after %d", err, len(b.Frames), b.Clock, last)
		}
		last = b.Clock
	}
	const sent = 20_000
	for i := range uint32(sent) {
		send(numbered(i, 1000))
	}
	st := s.Stats()
	if st.Received != sent || st.Drops.Ring == 0 || st.Drops.Lost() < st.Drops.Ring {
		t.Errorf("%+v", st)
	}
	round.take(t, s, int(sent-st.Drops.Ring), func(Frame, []byte) {})
}

// Each frame is in one ring only, and both directions of a session are in the same.
func TestAFPacketRingsShareTheFrames(t *testing.T) {
	send := cable(t)
	s := mustOpenAFPacket(t, AFPacketConfig{Rings: 4, RingBytes: 32 << 20})
	const sessions = 200
	for i := range uint16(sessions) {
		send(udp([4]byte{10, 0, 0, 1}, [4]byte{10, 0, 0, 2}, 1024+i, 53))
		send(udp([4]byte{10, 0, 0, 2}, [4]byte{10, 0, 0, 1}, 53, 1024+i))
	}
	time.Sleep(5 * blockPatience * time.Millisecond)
	in := map[uint16]int{} // session to ring
	used := map[int]int{}
	for k, r := range s.rings {
		for r.load(s.clock); r.left > 0; r.load(s.clock) {
			b := Batch{Data: s.memory}
			r.list(&b, math.MaxInt64, s.port.link, s.clock)
			r.use(r.reading, -1)
			for _, f := range b.Frames {
				used[k]++
				src, dst := binary.BigEndian.Uint16(b.Data[f.Off+34:]), binary.BigEndian.Uint16(b.Data[f.Off+36:])
				port := max(src, dst)
				if before, known := in[port]; known && before != k {
					t.Errorf("session %d is in the rings %d and %d", port, before, k)
				}
				in[port] = k
			}
		}
	}
	total := 0
	for _, n := range used {
		total += n
	}
	if total != 2*sessions || len(used) < 2 {
		t.Errorf("%d frames of %d, by ring %v", total, 2*sessions, used)
	}
}

// Frames of many sessions arrive complete and in the order in which they were sent, as from one ring: with pauses in which the kernel releases
// blocks, and at full speed.
func TestAFPacketMergesRings(t *testing.T) {
	send := cable(t)
	s := mustOpenAFPacket(t, AFPacketConfig{Rings: 4, RingBytes: 64 << 20})
	var round batches
	number := uint32(0)
	for _, burst := range []int{1, 2, 3, 50, 7, 1, 20_000, 300, 1} {
		for i := range burst {
			n := number + uint32(i)
			f := udp([4]byte{10, 0, byte(n >> 4), byte(n)}, [4]byte{10, 1, 0, 1}, uint16(1024+n%97), 53)
			binary.BigEndian.PutUint32(f[42:], n)
			send(f)
			if burst < 100 && i%3 == 0 {
				time.Sleep(7 * time.Millisecond)
			}
		}
		last := int64(0)
		round.take(t, s, burst, func(f Frame, data []byte) {
			if n := binary.BigEndian.Uint32(data[42:]); n != number || f.Time < last {
				t.Fatalf("frame %d at %d came for frame %d, after one at %d", n, f.Time, number, last)
			}
			number++
			last = f.Time
		})
	}
	if st := s.Stats(); st.Received != uint64(number) || st.Drops.Ring != 0 {
		t.Errorf("%+v after %d frames", st, number)
	}
	held := 0
	for _, r := range s.rings {
		for _, n := range r.uses {
			held += n
		}
	}
	for _, blocks := range s.held {
		held -= len(blocks)
	}
	if held != 0 {
		t.Errorf("%d uses of blocks that no batch has", held)
	}
}

// udp is a datagram without payload.
func udp(src, dst [4]byte, from, to uint16) []byte {
	f := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0}, src[:]...)
	f = append(f, dst[:]...)
	f = binary.BigEndian.AppendUint16(f, from)
	f = binary.BigEndian.AppendUint16(f, to)
	return append(f, make([]byte, 60-len(f))...)
}

// The port goes down, and is removed.
func TestAFPacketPortGoesDown(t *testing.T) {
	send := cable(t)
	s := mustOpenAFPacket(t, AFPacketConfig{})
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	var b Batch
	ip("link", "set", "mirror", "down")
	if err := s.Next(&b); err != nil || s.Stats().Blind == "" {
		t.Errorf("%v, %+v", err, s.Stats())
	}
	ip("link", "set", "mirror", "up")
	for i := 0; len(b.Frames) == 0; i++ { // frames before the other end has noticed are lost
		if i == 100 {
			t.Fatal("it is up again and gives nothing")
		}
		send(numbered(1, 60))
		if err := s.Next(&b); err != nil {
			t.Fatal(err)
		}
	}
	if s.Stats().Blind != "" {
		t.Error("it is up again and still said to be down")
	}
	ip("link", "del", "mirror")
	var err error
	for i := 0; err == nil && i < 50; i++ {
		err = s.Next(&b)
	}
	if !errors.Is(err, errGone) || !strings.Contains(err.Error(), "mirror") || s.Stats().Blind == "" {
		t.Errorf("%v", err)
	}
}

func TestPortThatCannotBeOpened(t *testing.T) {
	cable(t)
	for name, want := range map[string]string{
		"span9": "no interface span9; available: lo ",
		"lo":    "the interface lo is down: ip link set lo up",
	} {
		if _, err := OpenAFPacket(AFPacketConfig{Iface: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestAFPacketDoesNotAllocatePerFrame(t *testing.T) {
	send := cable(t)
	s := mustOpenAFPacket(t, AFPacketConfig{RingBytes: 16 << 20})
	var b Batch
	frames := 0
	next := func() {
		for i := range uint32(200) {
			send(numbered(i, 200))
		}
		for got := 0; got < 200; got += len(b.Frames) {
			if err := s.Next(&b); err != nil {
				t.Fatal(err)
			}
			frames += len(b.Frames)
		}
	}
	next()
	before := 0
	read := func() {
		before = frames
		for frames == before {
			if err := s.Next(&b); err != nil {
				t.Fatal(err)
			}
			frames += len(b.Frames)
		}
	}
	for i := range uint32(20_000) {
		send(numbered(i, 200))
	}
	frames = 0
	if n := testing.AllocsPerRun(20, read); n > 0 || frames < 5000 {
		t.Errorf("%.1f allocations for %d frames", n, frames/21)
	}
}
