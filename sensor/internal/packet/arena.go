// SPDX-License-Identifier: Apache-2.0

package packet

// Arena holds the payloads of reassembled datagrams that packets of one batch point to. Its owner calls Reset when the
// batch is released. The zero value is ready. It grows to what a batch needs: at most what a Reassembler may keep, and
// what the batch itself carries. One fuller than arenaKeep gives the rest back, so that a flood does not cost for ever.
type Arena struct {
	chunks [][]byte
	chunk  int // the one in use
	used   int // bytes of it
	total  int // bytes handed out since Reset
}

const (
	arenaChunk = 256 << 10
	arenaKeep  = 4 // chunks
)

// Reset makes all that was handed out invalid.
func (a *Arena) Reset() {
	a.chunk, a.used, a.total = 0, 0, 0
	if len(a.chunks) > arenaKeep {
		a.chunks = append([][]byte(nil), a.chunks[:arenaKeep]...)
	}
}

// take gives n bytes, at most maxDatagram, that stay in place.
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
