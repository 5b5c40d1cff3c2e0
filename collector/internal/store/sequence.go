// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
)

// A sensor numbers the alerts of one run from 1. They arrive over several partitions, and after a pause one partition may be read
// far ahead of the others, so a missing number may still arrive. Each received number is one bit.

const (
	blockBits  = 8192
	blockBytes = blockBits / 8
	// maxSeq limits sequence numbers, so that sums of them cannot overflow.
	maxSeq = 1 << 40
)

// setBit sets bit n of a block and reports whether it was not set before. A complete block is stored as an empty slice.
func setBit(bits []byte, n uint64) bool {
	if len(bits) != blockBytes || bits[n/8]&(1<<(n%8)) != 0 {
		return false
	}
	bits[n/8] |= 1 << (n % 8)
	return true
}

// pack returns a block as it is stored.
func pack(bits []byte) []byte {
	if slices.ContainsFunc(bits, func(b byte) bool { return b != 0xff }) {
		return bits
	}
	return []byte{}
}

// gapFinder walks the blocks of a boot in order. Number n is bit (n-1) % blockBits of block (n-1) / blockBits.
type gapFinder struct {
	next  uint64 // the next expected number
	limit int
	gaps  [][2]uint64
}

func (g *gapFinder) block(number int64, bits []byte) {
	first := uint64(number)*blockBits + 1
	if len(bits) != blockBytes {
		g.run(first, first+blockBits-1)
		return
	}
	for n := range uint64(blockBits) {
		if bits[n/8]&(1<<(n%8)) != 0 {
			g.run(first+n, first+n)
		}
	}
}

// run records that the numbers from first to last were received.
func (g *gapFinder) run(first, last uint64) {
	if first > g.next && len(g.gaps) < g.limit {
		g.gaps = append(g.gaps, [2]uint64{g.next, first - 1})
	}
	g.next = last + 1
}

// boot records the sequence numbers of a batch and returns how many are new.
func (in *ingest) boot(sensor, boot string, s *sensorSeen) (int, error) {
	highest, numbers := int64(0), map[int64][]uint64{} // by block
	for _, a := range s.alerts {
		n := min(a.Sensor.Seq, maxSeq)
		highest = max(highest, int64(n))
		numbers[int64((n-1)/blockBits)] = append(numbers[int64((n-1)/blockBits)], (n-1)%blockBits)
	}
	var row int64
	err := in.row(`INSERT INTO boots (sensor, boot, first_seen, last_seen, max_seq, received, replay) VALUES (?,?,?,?,?,0,?)
		ON CONFLICT (sensor, boot) DO UPDATE SET last_seen = excluded.last_seen, max_seq = max(boots.max_seq, excluded.max_seq) RETURNING row`,
		sensor, boot, in.now, in.now, highest, s.latest.Time.Replay).Scan(&row)
	if err != nil {
		return 0, err
	}
	added := 0
	for _, block := range slices.Sorted(maps.Keys(numbers)) {
		n, err := in.block(row, block, numbers[block])
		if err != nil {
			return 0, err
		}
		added += n
	}
	_, err = in.exec(`UPDATE boots SET received = received + ? WHERE row = ?`, added, row)
	return added, err
}

// block sets bits of one block and returns how many are new.
func (in *ingest) block(boot, block int64, numbers []uint64) (int, error) {
	var bits []byte
	err := in.row(`SELECT bits FROM boot_blocks WHERE boot = ? AND block = ?`, boot, block).Scan(&bits)
	if errors.Is(err, sql.ErrNoRows) {
		bits, err = make([]byte, blockBytes), nil
	}
	if err != nil {
		return 0, err
	}
	added := 0
	for _, n := range numbers {
		if setBit(bits, n) {
			added++
		}
	}
	if added == 0 {
		return 0, nil
	}
	_, err = in.exec(`INSERT INTO boot_blocks (boot, block, bits) VALUES (?,?,?) ON CONFLICT (boot, block) DO UPDATE SET bits = excluded.bits`,
		boot, block, pack(bits))
	return added, err
}
