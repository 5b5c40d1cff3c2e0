// SPDX-License-Identifier: Apache-2.0

package session

import (
	"encoding/binary"

	"stillwatch/sensor/internal/packet"
)

const (
	copySets = 128 // of 4 marks, a cache line; a power of two
	copyWays = 4
	// maxCopies is how many copies of a packet are removed: a mirror of two ports in two VLANs makes three. A sender that repeats itself more
	// often is counted, so that a flood of equal packets is.
	maxCopies = 3
	// A copy arrives within copyWindow if the IP identification tells it from a retransmission, else within bareWindow. In units of markTime.
	copyWindow = 2e6 >> markTime
	bareWindow = 1e6 >> markTime
	markTime   = 10 // a mark has its time in units of 1<<markTime nanoseconds
	// copySeconds is how long every packet is looked at after a copy was found.
	copySeconds = 3600
)

// copyMark stands for a packet that was counted.
type copyMark struct {
	tag     uint64 // hash of what no router and no mirror changes; the lowest two bits count the copies
	content uint32 // hash of the payload of a datagram that was read
	time    uint32
}

// copies finds the packets that the mirror sends more than once, whatever it or a router changed of their link layer and TTL. All packets
// are looked at for some time after a copy was found; before, only datagrams that are read, the first and the last packets of TCP sessions,
// one of sixteen others of TCP and UDP, and all of other protocols.
//
// The marks of a table depend on its packets and its clock only. The hashes have a random key, so that nobody can choose packets that are
// taken for copies of others.
type copies struct {
	sets  [copySets][copyWays]copyMark
	until int64             // second of the table up to which every packet is looked at
	of    map[uint64]Copies // by id, of the live sessions that have any; their sides are the index
}

// Copies is what was captured of a session more than once, and is not part of its counts. Index 0 of the pairs is Out.
type Copies struct{ Packets, IPBytes, PayloadBytes [2]uint64 }

// suspect reports whether to look p up. done means that nobody will read its payload.
func (t *Table) suspect(p *packet.Packet, done bool) bool {
	switch {
	case t.wheel.now < t.copies.until:
		return true
	case p.Kind == packet.KindTCP:
		return p.TCPFlags&(packet.SYN|packet.FIN|packet.RST) != 0 || p.Seq*0x9e3779b1>>28 == 0
	case p.Kind == packet.KindUDP:
		return !done || p.IPID*0x9e37>>12 == 0
	}
	return true
}

// copied reports whether p is a copy of a packet of the same session that was counted, and marks it if not. r is 0 if p begins a session.
//
// Without an IP identification (IPv6, or zero) a copy cannot be told from a sender that repeats itself at once. Such packets count as copies
// only where the mirror is known to make some, apart from SYN and FIN, which no stack repeats so soon. (It may repeat a RST.)
func (t *Table) copied(p *packet.Packet, l *Lookup, r ref, s *Session, done bool) bool {
	id := s.id
	if r == 0 {
		id = p.Num
	}
	tcp := p.Kind == packet.KindTCP
	window, certain := int32(copyWindow), p.IPID != 0
	if !certain {
		window, certain = bareWindow, tcp && p.TCPFlags&(packet.SYN|packet.FIN) != 0
		if !certain && t.wheel.now >= t.copies.until {
			return false
		}
	}
	tag := fold(l.hash^id*0x9e3779b97f4a7c15^(uint64(p.Seq)<<32|uint64(p.Ack)), t.seed[0]^(uint64(p.IPID)<<48|uint64(p.PayloadLen)<<16|uint64(p.TCPFlags)<<8|uint64(p.Frag)<<1|uint64(l.side)))
	if !tcp || p.Frag != packet.FragNone {
		tag = fold(tag^(uint64(p.SrcPort)<<32|uint64(p.FragOff)<<16|uint64(p.ICMPID)), t.seed[1]^t.digest(p.Payload[:min(len(p.Payload), 64)])^t.digest(p.Body))
	}
	content := uint32(0)
	if !tcp && !done {
		content = uint32(t.digest(p.Payload))
	}
	found := t.copies.find(setOf(p), copyMark{tag &^ 3, content, uint32(p.Time >> markTime)}, window, done)
	if found && certain {
		t.copies.until = t.wheel.now + copySeconds
	}
	return found
}

// setOf returns the set of marks for p. It does not depend on the random key, so that the same marks give way in every run.
func setOf(p *packet.Packet) uint32 {
	return (p.Seq*0x9e3779b1 ^ uint32(p.IPID)*0x85ebca6b ^ (uint32(p.SrcPort)<<16|uint32(p.DstPort)+p.PayloadLen)*0xc2b2ae35) >> 20
}

// find reports whether x was marked within a window of its time, and marks it if not, in place of the oldest mark of its set.
func (c *copies) find(set uint32, x copyMark, window int32, done bool) bool {
	marks := &c.sets[set%copySets]
	oldest, age := 0, int32(-1)
	for i := range marks {
		m := &marks[i]
		d := int32(x.time - m.time)
		d = max(d, -d, 0) // the queues of a port may deliver in another order
		if m.tag&^3 == x.tag && d <= window && (done || m.content == x.content) {
			if m.tag&3 == maxCopies {
				m.time = x.time // its sender repeats it
				return false
			}
			m.tag++
			return true
		}
		if d > age {
			oldest, age = i, d
		}
	}
	marks[oldest] = x
	return false
}

// Copied reports whether a packet without an IP header was seen a moment ago.
func (t *Table) Copied(p *packet.Packet) bool {
	tag := fold(t.digest(p.Body), t.seed[3]^uint64(p.EtherType))
	set := uint32(p.EtherType)
	for _, b := range p.Body {
		set = (set ^ uint32(b)) * 16777619 // FNV-1a
	}
	return t.copies.find(set>>8, copyMark{tag &^ 3, 0, uint32(p.Time >> markTime)}, bareWindow, true)
}

// duplicate counts a copy of a packet of a session; r is 0 if that is over.
func (t *Table) duplicate(r ref, s *Session, p *packet.Packet, side uint8) {
	t.Stats.Duplicates++
	if r != 0 {
		if t.copies.of == nil {
			t.copies.of = map[uint64]Copies{}
		}
		x := t.copies.of[s.id]
		x.Packets[side] += uint64(max(p.Count, 1))
		x.IPBytes[side] += uint64(p.IPBytes)
		x.PayloadBytes[side] += uint64(p.PayloadLen)
		t.copies.of[s.id] = x
	}
	if p.Kind == packet.KindTCP {
		t.Stats.TCPPackets++
		t.Stats.TCPDuplicates++
	}
}

// digest hashes bytes as wyhash does.
func (t *Table) digest(b []byte) uint64 {
	h := t.seed[2] ^ uint64(len(b))
	for ; len(b) >= 16; b = b[16:] {
		h = fold(binary.LittleEndian.Uint64(b)^t.seed[1], binary.LittleEndian.Uint64(b[8:])^h)
	}
	if len(b) == 0 {
		return h
	}
	var rest [16]byte
	copy(rest[:], b)
	return fold(binary.LittleEndian.Uint64(rest[:])^t.seed[3], binary.LittleEndian.Uint64(rest[8:])^h)
}
