// SPDX-License-Identifier: Apache-2.0

package packet

// collect checks a fragment and stores its bytes.
func (r *Reassembler) collect(i int32, p *Packet) {
	d := &r.table.pool[i]
	start, end := int(p.FragOff), int(p.FragOff)+int(p.FragLen)
	d.fragments++
	switch {
	case end > maxDatagram:
		r.drop(d, FragDropTooLong)
	case start == end || p.FragMore && p.FragLen%8 != 0 || start%8 != 0:
		r.drop(d, FragDropMalformed)
	case int(d.fragments) > r.cfg.MaxFragments:
		r.drop(d, FragDropCount)
	case len(p.Body) < int(p.FragLen) || p.Truncated:
		r.drop(d, FragDropCut)
	case d.contradicts(start, end, p.FragMore):
		r.drop(d, FragDropConflict)
	default:
		r.room(i, start, end)
		r.insert(d, start, p.Body)
	}
}

// room allocates the blocks for [start, end), and evicts the oldest other datagrams if necessary. There is always one to evict, because the
// store holds at least as many blocks as one datagram can use.
func (r *Reassembler) room(i int32, start, end int) {
	d := &r.table.pool[i]
	for j := start / blockSize; j <= (end-1)/blockSize; j++ {
		for d.blocks[j] < 0 {
			if d.blocks[j] = r.store.take(); d.blocks[j] >= 0 {
				break
			}
			victim := r.table.oldest
			if victim == i {
				victim = d.newer
			}
			r.evict(victim)
		}
	}
}

// insert stores the bytes of a fragment, for which there is room, according to the overlap policy of Reassembler.
func (r *Reassembler) insert(d *datagram, start int, data []byte) {
	units := (len(data) + 7) / 8
	covered, same := r.compare(d, start, data)
	switch {
	case covered == 0:
	case covered == units && same:
		r.counts.Duplicates++
		return
	default:
		r.counts.Overlaps++
		if d.key.v6 {
			r.drop(d, FragDropOverlap)
			return
		}
	}
	for at := start; len(data) > 0; {
		b, off := r.store.at(d.blocks[at/blockSize]), at%blockSize
		n := min(len(data), blockSize-off)
		if covered == 0 {
			d.units += int32(b.put(off, data[:n]))
		} else {
			d.units += int32(b.fill(off, data[:n]))
		}
		at += n
		data = data[n:]
	}
}

// compare returns how many units of a fragment arrived before, and whether its bytes are equal to the stored ones.
func (r *Reassembler) compare(d *datagram, start int, data []byte) (covered int, same bool) {
	same = true
	for at := start; len(data) > 0; {
		b, off := r.store.at(d.blocks[at/blockSize]), at%blockSize
		n := min(len(data), blockSize-off)
		covered += b.covered(off, off+n)
		same = same && b.same(off, data[:n])
		at += n
		data = data[n:]
	}
	return covered, same
}
