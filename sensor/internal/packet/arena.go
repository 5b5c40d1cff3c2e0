// SPDX-License-Identifier: Apache-2.0

package packet

// Arena holds the payloads of the reassembled datagrams of one batch of packets. Its owner calls Reset when the batch is released. The zero
// value is ready to use. It grows to what a batch needs, at most what a Reassembler keeps plus the batch itself. Reset frees what exceeds
// arenaKeep, so that a flood does not hold memory for ever.
type Arena struct {
	chunks [][]byte
	chunk  int // index of the chunk in use
	used   int // bytes used of that chunk
	total  int // bytes handed out since Reset
}

const (
	arenaChunk = 256 << 10
	arenaKeep  = 4 // chunks
)

// Reset invalidates everything that was handed out.
func (a *Arena) Reset() {
	a.chunk, a.used, a.total = 0, 0, 0
	if len(a.chunks) > arenaKeep {
		a.chunks = append([][]byte(nil), a.chunks[:arenaKeep]...)
	}
}

// take returns n bytes, at most maxDatagram, that do not move until Reset.
func (a *Arena) take(n int) []byte {
	if len(a.chunks) > 0 && a.used+n > arenaChunk {
		a.chunk, a.used = a.chunk+1, 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, make([]byte, arenaChunk))
	}
	b := a.chunks[a.chunk][a.used : a.used+n : a.used+n]
	a.used += n
	a.total += n
	return b
}
