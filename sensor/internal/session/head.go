// SPDX-License-Identifier: Apache-2.0

package session

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/packet"
)

// Segments that arrive before a missing one wait for it: at most maxHeld of them, none starting more than maxAhead bytes after the
// missing byte.
const (
	maxHeld  = 16
	maxAhead = 32 << 10
)

// headRef names a head; 0 is none.
type headRef uint32

// head buffers the first bytes of both streams of a session, in order, while a dissector still wants them.
type head struct {
	owner      ref
	prev, next headRef // of its queue, from oldest to newest; the free ones by next
	named      uint8   // which queue
	dir        [2]stream
}

// queue is a list of heads, oldest first.
type queue struct{ oldest, newest headRef }

// stream is one direction of a head. buf has its n bytes, or is nil if nothing must be kept.
type stream struct {
	buf  []byte
	held []segment // by offset
	n    int
	want int
}

type segment struct {
	off  int
	data []byte
}

// heads are the sessions of a table whose streams are being read, in two LRU queues: protocol not yet known, and known. When the table is
// full, sessions of the first queue are evicted first: a flood of sessions that send nothing useful is cheap for an attacker.
type heads struct {
	all          []head
	free         headRef
	queues       [2]queue
	count, bytes int
	pooled       int // bytes in pool: with those in use at most max
	max          int
	pool         [bufClasses][][]byte
}

func newHeads(c Config) heads {
	return heads{all: make([]head, 1, min(c.MaxHeads, 64)+1), max: c.MaxHeadBytes}
}

// Buffers come in sizes of 256 bytes to 1 MiB, the most that a head may be limited to.
const (
	minBuf     = 1 << 8
	bufClasses = 13
)

func bufClass(n int) int {
	c := 0
	for minBuf<<c < n {
		c++
	}
	return c
}

// get returns an empty buffer with room for n bytes.
func (h *heads) get(n int) []byte {
	c := bufClass(n)
	h.bytes += minBuf << c
	if p := h.pool[c]; len(p) > 0 {
		b := p[len(p)-1]
		p[len(p)-1] = nil
		h.pool[c] = p[:len(p)-1]
		h.pooled -= cap(b)
		return b
	}
	return make([]byte, 0, minBuf<<c)
}

// put takes a buffer back. It is overwritten: what it holds may be a password.
func (h *heads) put(b []byte) {
	if cap(b) == 0 {
		return
	}
	clear(b)
	h.bytes -= cap(b)
	if h.bytes+h.pooled+cap(b) > h.max {
		return
	}
	c := bufClass(cap(b))
	h.pool[c] = append(h.pool[c], b[:0])
	h.pooled += cap(b)
}

// headOf returns the head of a session. It makes one if there is none, and evicts the oldest if there are too many.
func (t *Table) headOf(r ref, s *Session, now int64) *head {
	h := &t.heads
	if s.head != 0 {
		return &h.all[s.head]
	}
	if h.count >= t.cfg.MaxHeads {
		t.dropOldest(now)
	}
	i := h.free
	if i != 0 {
		h.free = h.all[i].next
	} else {
		i = headRef(len(h.all))
		h.all = append(h.all, head{})
	}
	x := &h.all[i]
	*x = head{owner: r}
	h.push(i)
	h.count++
	s.head = i
	return x
}

// push appends head i to its queue.
func (h *heads) push(i headRef) {
	x := &h.all[i]
	q := &h.queues[x.named]
	x.prev, x.next = q.newest, 0
	if q.newest != 0 {
		h.all[q.newest].next = i
	} else {
		q.oldest = i
	}
	q.newest = i
}

// pull takes head i out of its queue.
func (h *heads) pull(i headRef) {
	x := &h.all[i]
	q := &h.queues[x.named]
	if x.prev != 0 {
		h.all[x.prev].next = x.next
	} else {
		q.oldest = x.next
	}
	if x.next != 0 {
		h.all[x.next].prev = x.prev
	} else {
		q.newest = x.prev
	}
}

// promote moves the head of a session whose protocol has become known.
func (t *Table) promote(s *Session) {
	h := &t.heads
	if s.head != 0 && s.Label != 0 && h.all[s.head].named == 0 {
		h.pull(s.head)
		h.all[s.head].named = 1
		h.push(s.head)
	}
}

// oldest returns the head to evict next.
func (h *heads) oldest() headRef {
	if i := h.queues[0].oldest; i != 0 {
		return i
	}
	return h.queues[1].oldest
}

func (t *Table) dropOldest(now int64) {
	o := t.heads.all[t.heads.oldest()].owner
	t.Stats.HeadsEvicted++
	t.finishHead(t.at(o), now)
	t.prefetchOldest()
}

// prefetchOldest prefetches what the next evictions need: the memory of sessions that were idle for long is in no cache. A head that is one
// place further from its eviction is one step behind, so that each step reads only what has arrived.
func (t *Table) prefetchOldest() {
	h := &t.heads
	for i, place := h.oldest(), 0; i != 0; i, place = h.all[i].next, place+1 {
		x := &h.all[i]
		switch place - SoonSteps {
		default:
			t.h.Soon(t.at(x.owner), place)
		case 0:
			if e := t.at(x.owner).extra; e != 0 {
				cacheline.Prefetch(unsafe.Pointer(&t.extras.all[e]), 1)
			}
		case 1:
			cacheline.Prefetch(unsafe.Pointer(t.at(x.owner)), sessionLines)
			for d := range x.dir {
				if b := x.dir[d].buf; len(b) > 0 { // it will be overwritten
					cacheline.Prefetch(unsafe.Pointer(&b[0]), min(len(b)/cacheline.Size+1, 4))
				}
			}
		case 2:
			cacheline.Prefetch(unsafe.Pointer(x), int(unsafe.Sizeof(*x))/cacheline.Size+1)
			return
		}
	}
}

// freeHead releases the head of a session and its buffers.
func (t *Table) freeHead(s *Session) {
	h, i := &t.heads, s.head
	x := &h.all[i]
	for d := range x.dir {
		t.drop(&x.dir[d])
	}
	h.pull(i)
	*x = head{next: h.free}
	h.free = i
	h.count--
	s.head = 0
	t.h.Release(s)
}

func (t *Table) drop(st *stream) {
	t.heads.put(st.buf)
	st.buf = nil
	for _, g := range st.held {
		t.heads.put(g.data)
	}
	st.held = nil
}

// readPacket applies a packet to the streams of its session: payload, an ACK that proves that bytes are missing, or the end.
func (t *Table) readPacket(r ref, s *Session, p *packet.Packet, n uint8, now int64) {
	if len(p.Payload) > 0 && (p.Kind != packet.KindTCP || p.TCPFlags&packet.RST == 0) { // a RST may carry text, but no part of the stream
		t.read(r, s, p, n, now)
	}
	if s.head == 0 || p.Kind != packet.KindTCP {
		return
	}
	if p.TCPFlags&packet.ACK != 0 {
		t.acknowledged(s, n^1, p.Ack, now)
	}
	if s.head != 0 && s.over() {
		t.finishHead(s, now)
	}
}

// acknowledged stops reading side n at a gap that the receiver has acknowledged: the receiver has those bytes, the capture does not.
func (t *Table) acknowledged(s *Session, n uint8, ack uint32, now int64) {
	st := &t.heads.all[s.head].dir[n]
	if len(st.held) == 0 || s.flags&(flagDone0<<n) != 0 {
		return
	}
	if d := int32(ack - s.end[n].base); int(d) > st.n && int(d) <= st.n+maxAhead {
		t.gap(s, n, now)
	}
}

// read passes the payload of a packet to the handler, as far as the handler wants it.
func (t *Table) read(r ref, s *Session, p *packet.Packet, n uint8, now int64) {
	if p.Frag == packet.FragFirst || p.Frag == packet.FragLater {
		return // the last fragment brings the whole datagram
	}
	switch p.Kind {
	case packet.KindUDP:
		t.headOf(r, s, now)
		if !t.h.Datagram(s, s.dir(n), p.Payload, now) {
			s.flags |= flagDone
			t.freeHead(s)
		}
		t.promote(s)
	case packet.KindTCP:
		if s.flags&(flagDone0<<n) == 0 {
			t.readStream(r, s, p, n, now)
		}
	default:
		t.readEcho(r, s, p, n, now)
	}
}

// readEcho passes an echo message to the handler. A session that only has the payloads of ping programs costs no head.
func (t *Table) readEcho(r ref, s *Session, p *packet.Packet, n uint8, now int64) {
	switch {
	case !p.Echo():
		s.flags |= flagDone
	case s.head != 0 || !packet.UsualEcho(p.Payload):
		t.headOf(r, s, now)
		t.h.Echo(s, s.dir(n), p, now)
	}
}

func (t *Table) readStream(r ref, s *Session, p *packet.Packet, n uint8, now int64) {
	seq := p.Seq
	if p.TCPFlags&packet.SYN != 0 {
		seq++ // data with the SYN, RFC 7413
	}
	t.headOf(r, s, now)
	st := &t.heads.all[s.head].dir[n]
	if st.n == 0 && s.end[n].keepAlive(p) {
		return
	}
	off, data := int(int32(seq-s.end[n].base)), p.Payload
	if off < st.n {
		if off+len(data) <= st.n {
			return // retransmitted, or a keep-alive
		}
		data = data[st.n-off:]
		off = st.n
	}
	if off > st.n {
		t.hold(s, n, off, data, now)
		return
	}
	if t.deliver(s, n, data, now) && t.drain(s, n, now) && len(p.Payload) < int(p.PayloadLen) {
		t.gap(s, n, now) // cut by the snap length
	}
}

// keepAlive moves the start of a stream that was captured midstream past a keep-alive segment. Its sequence number is one less than that of
// the next byte (RFC 9293 section 3.8.4), and it carries no byte or one. keepAlive reports whether p carries one.
func (x *end) keepAlive(p *packet.Packet) bool {
	if x.saw&(sawSYN|sawSYNACK) != 0 {
		return false
	}
	switch off := int32(p.Seq - x.base); {
	case p.PayloadLen == 1 && p.TCPFlags == packet.ACK && (off == 0 || off == -1):
		x.base = p.Seq + 1
		return true
	case off == 1: // the first packet was a keep-alive without payload
		x.base = p.Seq
	}
	return false
}

// deliver passes the next bytes of a stream to the handler and reports whether the handler wants more of this side.
func (t *Table) deliver(s *Session, n uint8, data []byte, now int64) bool {
	st := &t.heads.all[s.head].dir[n]
	data = data[:min(len(data), t.cfg.HeadLimit-st.n)]
	whole := data
	if len(st.buf) > 0 {
		t.keep(st, data)
		whole = st.buf
	}
	st.n += len(data)
	final := st.n >= t.cfg.HeadLimit
	if len(whole) >= st.want || final {
		st.want = t.h.Stream(s, s.dir(n), whole, final, now)
		if st.want == 0 || final {
			t.doneSide(s, n)
			t.promote(s)
			return false
		}
		t.promote(s)
	}
	if len(st.buf) == 0 {
		t.keep(st, data)
	}
	if !t.makeRoom(s, now) {
		t.Stats.HeadsCut++
		t.finishSide(s, n, now)
		return false
	}
	return true
}

// makeRoom evicts the oldest heads until the rest fits the memory limit, and reports whether the head of s is still there. A flood evicts
// mostly its own heads: other sessions have been read by then.
func (t *Table) makeRoom(s *Session, now int64) bool {
	for t.heads.bytes > t.cfg.MaxHeadBytes {
		if t.heads.oldest() == s.head {
			return false
		}
		t.dropOldest(now)
	}
	return true
}

// keep appends data to the buffer of st.
func (t *Table) keep(st *stream, data []byte) {
	if need := len(st.buf) + len(data); need > cap(st.buf) {
		b := t.heads.get(need)
		b = append(b, st.buf...)
		t.heads.put(st.buf)
		st.buf = b
	}
	st.buf = append(st.buf, data...)
}

// hold stores a segment that arrived before a missing one. Segments too far ahead, or too many, are dropped: they may be forged, and the
// bytes sent in order must still be read.
func (t *Table) hold(s *Session, n uint8, off int, data []byte, now int64) {
	st := &t.heads.all[s.head].dir[n]
	if off-st.n > maxAhead || len(st.held) >= maxHeld || !t.makeRoom(s, now) {
		t.Stats.SegmentsDropped++
		return
	}
	i := len(st.held)
	for i > 0 && st.held[i-1].off > off {
		i--
	}
	b := append(t.heads.get(min(len(data), maxAhead)), data[:min(len(data), maxAhead)]...)
	st.held = append(st.held, segment{})
	copy(st.held[i+1:], st.held[i:])
	st.held[i] = segment{off, b}
}

// drain delivers stored segments that are now in order, and reports whether the handler wants more of this side.
func (t *Table) drain(s *Session, n uint8, now int64) bool {
	for {
		st := &t.heads.all[s.head].dir[n]
		if len(st.held) == 0 || st.held[0].off > st.n {
			return true
		}
		g := st.held[0]
		st.held = st.held[1:]
		more := true
		if skip := st.n - g.off; skip < len(g.data) {
			more = t.deliver(s, n, g.data[skip:], now)
		}
		t.heads.put(g.data)
		if !more {
			return false
		}
	}
}

// gap stops reading a side because bytes are missing.
func (t *Table) gap(s *Session, n uint8, now int64) {
	s.flags |= flagGap
	t.Stats.HeadGaps++
	t.finishSide(s, n, now)
}

// finishSide passes the buffered bytes of a side to the handler for the last time.
func (t *Table) finishSide(s *Session, n uint8, now int64) {
	if s.flags&(flagDone0<<n) != 0 || s.head == 0 {
		return
	}
	st := &t.heads.all[s.head].dir[n]
	if len(st.held) > 0 {
		s.flags |= flagGap
	}
	if st.n > 0 {
		t.h.Stream(s, s.dir(n), st.buf, true, now)
	}
	t.doneSide(s, n)
}

func (t *Table) doneSide(s *Session, n uint8) {
	s.flags |= flagDone0 << n
	t.drop(&t.heads.all[s.head].dir[n])
	if s.flags&flagDone == flagDone {
		t.freeHead(s)
	}
}

// finishHead stops reading a session.
func (t *Table) finishHead(s *Session, now int64) {
	if s.head != 0 && s.key.proto() == protoTCP {
		for n := range uint8(2) {
			t.finishSide(s, n, now)
		}
	}
	if s.head != 0 {
		t.freeHead(s)
	}
	s.flags |= flagDone
}
