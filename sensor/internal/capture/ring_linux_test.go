// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"stillwatch/sensor/internal/packet"
)

// ringsInMemory returns rings that the test fills instead of the kernel.
func ringsInMemory(n int, clocks func() (real, mono int64)) *AFPacket {
	words := make([]uint64, n*leastBlocks*blockSize/8) // aligned like the memory that the kernel maps
	s := &AFPacket{port: &port{link: packet.LinkEthernet}, held: map[*Batch][]int{}, clock: newWallClock(clocks)}
	s.memory = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), n*leastBlocks*blockSize)
	for i := range n {
		r := &ring{all: s.memory, first: i * leastBlocks, end: (i + 1) * leastBlocks, at: i * leastBlocks, uses: make([]int, leastBlocks)}
		s.rings = append(s.rings, r)
	}
	return s
}

// fill puts a frame with a time of the system clock into the empty block i of r.
func (r *ring) fill(i int, at int64) {
	const head, mac, size = 48, 80, 60
	b := r.block(r.first + i)
	b.head().Offset_to_first_pkt, b.head().Num_pkts = head, 1
	*b.frame(head) = frameHead{Sec: uint32(at / 1e9), Nsec: uint32(at % 1e9), Snaplen: size, Len: size, Mac: mac}
}

func (r *ring) handOver(i int) { *r.block(r.first + i).status() = unix.TP_STATUS_USER }

// A ring has a frame from before the clock was set back, while another ring always has new frames: it must not wait until the clock reaches that
// time again.
func TestRingsContinueWhenTheClockIsSetBack(t *testing.T) {
	real, mono := 1_700_000_000*sec, 500*sec
	s := ringsInMemory(2, func() (int64, int64) { return real, mono })
	first, second := s.rings[0], s.rings[1]
	before := real
	first.fill(0, before)
	first.handOver(0)
	real -= 3600 * sec
	second.fill(0, real)
	var b Batch
	var times []int64
	const rounds = 20
	for i := range rounds {
		real, mono = real+sec/100, mono+sec/100
		second.handOver(i)
		second.fill(i+1, real)
		b.Frames = b.Frames[:0]
		s.giveBack(&b)
		now := s.clock.look()
		for s.merge(&b, now) {
		}
		for _, f := range b.Frames {
			times = append(times, f.Time)
		}
	}
	if len(times) != rounds+1 || times[0] != before || !slices.IsSorted(times) {
		t.Errorf("%d frames of %d, at %d, the first came at %d", len(times), rounds+1, times, before)
	}
}
