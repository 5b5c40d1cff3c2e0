// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// noiseLen is the size of the block of random bytes that payloads are taken from.
const noiseLen = 1 << 16

// msg is one message of a dialogue, at most one segment long.
type msg struct {
	up     bool // from the initiator
	data   []byte
	patch  int // at this offset ...
	random int // ... this many bytes differ from flow to flow
	salt   uint64
}

// dialogue is the start of a flow. Many flows share it.
type dialogue struct {
	proto uint8
	port  uint16
	msgs  []msg
	bulk  bulk // follows, as often as the flow has packets left
}

// ending is how a TCP flow ends.
type ending uint8

const (
	endFIN      ending = iota
	endOpen            // not within the trace
	endRejected        // RST in answer to the SYN
	endSilence         // no answer to the SYN, which is sent three times
	endLate            // no end; the initiator sends one more segment when all flows are open
)

// steps are the packets of a flow that belong neither to the dialogue nor to the bulk.
func (f *flow) steps() int {
	switch {
	case f.d.proto == udp:
		return 0
	case f.d.proto == arpExchange && f.c == f.s:
		return 1
	case f.d.proto == arpExchange:
		return 2
	case f.end == endRejected:
		return 2
	case f.end == endSilence:
		return 3
	case f.end == endOpen:
		return 3
	case f.end == endLate:
		return 4
	}
	return 6
}

// flow is the state of one session while the trace is generated.
type flow struct {
	next       int64 // time of the next packet
	gap        int64 // mean time between bulk packets
	late       int64 // time of the one packet after all others, for endLate
	id         uint64
	d          *dialogue
	c, s       *host
	cport      uint16
	sport      uint16
	cseq, sseq uint32
	n          int32 // bulk packets
	pos        int32 // packets so far
	end        ending
	v6         bool
}

func (f *flow) total() int {
	if f.end == endRejected || f.end == endSilence {
		return f.steps()
	}
	return f.steps() + len(f.d.msgs) + int(f.n)
}

// mix spreads a counter over 64 bits (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// step writes the next packet of f and sets the time of the one after it. It returns false after the last.
func (g *generator) step(f *flow) bool {
	pos := int(f.pos)
	f.pos++
	wait := int64(f.id>>40)&(1<<23-1) + 20*microsecond // half a round trip, up to 8 ms
	if f.d.proto == arpExchange {
		g.resolve(f, pos)
		f.next += wait
		return int(f.pos) < f.total()
	}
	if f.d.proto == tcp {
		if pos < 3 {
			g.open(f, pos)
			if f.end == endSilence {
				wait = second << pos
			}
			f.next += wait
			return int(f.pos) < f.total()
		}
		pos -= 3
	}
	switch body := len(f.d.msgs) + int(f.n); {
	case pos < len(f.d.msgs):
		g.say(f, pos)
	case pos < body:
		g.fill(f, pos-len(f.d.msgs))
		wait = f.gap/2 + int64(mix(f.id+uint64(pos))%uint64(f.gap+1))
	case f.end == endLate:
		g.send(f, true, flagACK, 0)
	default:
		g.finish(f, pos-body)
	}
	f.next += wait
	if f.end == endLate && int(f.pos) == f.total()-1 {
		f.next = f.late
	}
	return int(f.pos) < f.total()
}

// resolve writes an ARP request and its reply; a host that queries its own address announces it (RFC 5227).
func (g *generator) resolve(f *flow, pos int) {
	if pos == 0 {
		g.out.arp(f.next, 1, everyone, f.c, mac{}, f.s.ip)
		return
	}
	g.out.arp(f.next, 2, f.c.mac, f.s, f.c.mac, f.c.ip)
}

// open writes the handshake, or the failed attempts.
func (g *generator) open(f *flow, pos int) {
	switch {
	case pos == 0:
		f.cseq, f.sseq = uint32(mix(f.id)), uint32(mix(f.id+1))
		g.send(f, true, flagSYN, 0)
		f.cseq++
	case f.end == endSilence:
		f.cseq--
		g.send(f, true, flagSYN, 0)
		f.cseq++
	case f.end == endRejected:
		f.sseq = 0
		g.send(f, false, flagRST|flagACK, 0)
	case pos == 1:
		g.send(f, false, flagSYN|flagACK, 0)
		f.sseq++
	default:
		g.send(f, true, flagACK, 0)
	}
}

// finish writes the three packets of an orderly close.
func (g *generator) finish(f *flow, pos int) {
	switch pos {
	case 0:
		g.send(f, true, flagFIN|flagACK, 0)
		f.cseq++
	case 1:
		g.send(f, false, flagFIN|flagACK, 0)
		f.sseq++
	default:
		g.send(f, true, flagACK, 0)
	}
}

// say writes one message of the dialogue.
func (g *generator) say(f *flow, i int) {
	m := &f.d.msgs[i]
	b := g.send(f, m.up, flagPSH|flagACK, len(m.data))
	copy(b, m.data)
	for n := 0; n < m.random; n += 8 {
		var r [8]byte
		binary.LittleEndian.PutUint64(r[:], mix(f.id+m.salt<<32+uint64(n)))
		copy(b[m.patch+n:m.patch+m.random], r[:])
	}
}

// send writes one packet of f and returns its payload of size bytes, to be filled in.
func (g *generator) send(f *flow, up bool, flags uint8, size int) []byte {
	s := segment{
		src: f.c, dst: f.s, srcPort: f.cport, dstPort: f.sport, seq: f.cseq, ack: f.sseq,
		id: uint16(f.pos) + uint16(f.id), flags: flags, size: size, v6: f.v6,
	}
	if !up {
		s.src, s.dst, s.srcPort, s.dstPort, s.seq, s.ack = f.s, f.c, f.sport, f.cport, f.sseq, f.cseq
	}
	s.srcMAC, s.dstMAC = s.src.mac, s.dst.mac
	if f.d.proto == udp {
		return g.out.udp(f.next, &s)
	}
	if flags&flagSYN != 0 {
		s.options = synOptions[:]
	}
	if flags&flagACK == 0 {
		s.ack = 0
	}
	if up {
		f.cseq += uint32(size)
	} else {
		f.sseq += uint32(size)
	}
	return g.out.tcp(f.next, &s)
}

// run writes the packets of all flows in the order of time; for equal times the earlier flow comes first.
func (g *generator) run() {
	slices.SortStableFunc(g.flows, func(a, b flow) int { return cmp.Compare(a.next, b.next) })
	var q queue
	for started := 0; (started < len(g.flows) || len(q) > 0) && g.out.err == nil; {
		for started < len(g.flows) && (len(q) == 0 || g.flows[started].next <= q[0].at) {
			q.push(turn{g.flows[started].next, int32(started)})
			started++
		}
		f := &g.flows[q[0].flow]
		if g.step(f) {
			q.replace(f.next)
		} else {
			q.pop()
		}
	}
}

// turn is the time at which a flow has its next packet.
type turn struct {
	at   int64
	flow int32
}

func (t turn) before(u turn) bool { return t.at < u.at || t.at == u.at && t.flow < u.flow }

// queue is a binary heap, the earliest turn first.
type queue []turn

func (q *queue) push(t turn) {
	*q = append(*q, t)
	h := *q
	i := len(h) - 1
	for i > 0 && t.before(h[(i-1)/2]) {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = t
}

// replace moves the first turn to a later time.
func (q queue) replace(at int64) {
	t, i := turn{at, q[0].flow}, 0
	for {
		c := 2*i + 1
		if c >= len(q) {
			break
		}
		if c+1 < len(q) && q[c+1].before(q[c]) {
			c++
		}
		if !q[c].before(t) {
			break
		}
		q[i] = q[c]
		i = c
	}
	q[i] = t
}

func (q *queue) pop() {
	h := *q
	last := h[len(h)-1]
	*q = h[:len(h)-1]
	if len(*q) > 0 {
		(*q)[0].flow = last.flow
		q.replace(last.at)
	}
}
