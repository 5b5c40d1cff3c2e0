// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"math/bits"
)

// Fragments are stored in blocks of 2 KiB. A datagram has at most 32, indexed by offset. A bitmap in each block records which units of 8 bytes,
// the resolution of fragment offsets, have arrived.
const (
	blockSize         = 2048
	blocksPerDatagram = (maxDatagram + blockSize) / blockSize
	blocksPerChunk    = 64
)

type block struct {
	data [blockSize]byte
	have [blockSize / 8 / 64]uint64
	next int32 // free list
}

// blockStore allocates at most max blocks. It grows by chunks and never shrinks.
type blockStore struct {
	chunks [][]block
	made   int32
	max    int32
	free   int32 // head of the free list, -1 if empty
}

func (s *blockStore) at(i int32) *block { return &s.chunks[i/blocksPerChunk][i%blocksPerChunk] }

// take returns the number of an empty block, -1 if all are in use.
func (s *blockStore) take() int32 {
	i := s.free
	switch {
	case i >= 0:
		s.free = s.at(i).next
	case s.made < s.max:
		i = s.made
		if int(i)/blocksPerChunk == len(s.chunks) {
			s.chunks = append(s.chunks, make([]block, blocksPerChunk))
		}
		s.made++
	default:
		return -1
	}
	s.at(i).have = [len(block{}.have)]uint64{}
	return i
}

func (s *blockStore) give(i int32) {
	s.at(i).next = s.free
	s.free = i
}

// unitMask returns the bits in word w for the units of the bytes [from, to) of a block.
func unitMask(w, from, to int) uint64 {
	lo, hi := max(from/8-64*w, 0), min((to+7)/8-64*w, 64)
	if lo >= hi {
		return 0
	}
	return ^uint64(0) >> (64 - (hi - lo)) << lo
}

// covered counts the 8-byte units of [from, to) of a block that have arrived.
func (b *block) covered(from, to int) (n int) {
	for w, have := range b.have {
		n += bits.OnesCount64(have & unitMask(w, from, to))
	}
	return n
}

// put stores data at from, where nothing has arrived. It returns the number of units.
func (b *block) put(from int, data []byte) (fresh int) {
	copy(b.data[from:], data)
	for w := range b.have {
		b.have[w] |= unitMask(w, from, from+len(data))
	}
	return (len(data) + 7) / 8
}

// fill stores the units of data at from that have not arrived: the first arrival wins. It returns the number of new units.
func (b *block) fill(from int, data []byte) (fresh int) {
	for len(data) > 0 {
		u, n := from/8, min(8, len(data))
		if bit := uint64(1) << (u % 64); b.have[u/64]&bit == 0 {
			b.have[u/64] |= bit
			copy(b.data[from:], data[:n])
			fresh++
		}
		from += n
		data = data[n:]
	}
	return fresh
}

// same reports whether the bytes at from are data.
func (b *block) same(from int, data []byte) bool {
	return bytes.Equal(b.data[from:from+len(data)], data)
}
