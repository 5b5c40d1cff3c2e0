// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"unsafe"

	"stillwatch/sensor/internal/packet"
)

// held is one packet in the ring.
type held struct {
	time     int64
	num      uint64 // number of the packet in the run
	flow     uint64
	of       [2]uint32 // the followed devices that sent and received it, 0: none
	prev     [2]uint64 // the packets before it of these devices, 0: none
	off      uint32    // of its bytes
	orig     uint32    // length on the wire
	captured uint32    // length in the capture
	size     uint16    // bytes that are held
	link     packet.LinkType
	hidden   hidden
}

// bytesPerPacket is how many bytes of the memory there are for each packet, its entry included.
const bytesPerPacket = 512

// ring holds the latest packets. The oldest ones make room for new ones.
type ring struct {
	entries []held // entry n is at n%len(entries)
	data    []byte
	next    uint64 // number of the next entry, from 1
	oldest  uint64
	at      uint32 // where the next bytes go
}

func newRing(memory int) *ring {
	n := max(memory/bytesPerPacket, 1)
	return &ring{entries: make([]held, n), data: make([]byte, max(memory-n*int(unsafe.Sizeof(held{})), snapLen)), next: 1, oldest: 1}
}

// entry returns entry n, which must not be older than the oldest.
func (r *ring) entry(n uint64) *held { return &r.entries[n%uint64(len(r.entries))] }

// bytes returns what is held of a packet.
func (r *ring) bytes(h *held) []byte { return r.data[h.off : h.off+uint32(h.size)] }

// add adds a packet and returns its number.
func (r *ring) add(h *held, data []byte, of *Recorder) uint64 {
	if int(r.at)+len(data) > len(r.data) { // the bytes of one packet are in one piece
		for r.oldest < r.next && r.entry(r.oldest).off >= r.at {
			r.evict(of)
		}
		r.at = 0
	}
	end := r.at + uint32(len(data))
	for r.oldest < r.next {
		o := r.entry(r.oldest)
		if r.next-r.oldest < uint64(len(r.entries)) && (o.off >= end || o.off+uint32(o.size) <= r.at) {
			break
		}
		r.evict(of)
	}
	h.off, h.size = r.at, uint16(len(data))
	copy(r.data[r.at:end], data)
	n := r.next
	*r.entry(n) = *h
	r.at, r.next = end, n+1
	return n
}

// evict removes the oldest packet, and counts it for its devices.
func (r *ring) evict(of *Recorder) {
	h := r.entry(r.oldest)
	for _, id := range h.of {
		if f := of.devices[id]; f != nil {
			f.overwritten, f.lostAt = f.overwritten+1, h.time
		}
	}
	of.stats.Overwritten++
	r.oldest++
}

// walk calls f for the packets of a device, the latest first, until f returns false or maxWalk packets were seen. last is the latest.
func (r *ring) walk(id uint32, last uint64, f func(*held) bool) {
	for range maxWalk {
		if last < r.oldest || last == 0 {
			return
		}
		h := r.entry(last)
		if !f(h) {
			return
		}
		last = h.prev[0]
		if h.of[0] != id {
			last = h.prev[1]
		}
	}
}
