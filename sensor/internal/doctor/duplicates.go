// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/binary"
	"hash/maphash"

	"stillwatch/sensor/internal/packet"
)

// copyWithin is the largest distance of a duplicate. A later one is a retransmission.
const copyWithin = 5e6 // nanoseconds

const recentSize = 1 << 13 // packets; a power of two

// likeness is the result of recentFrames.look.
type likeness uint8

const (
	newPacket  likeness = iota
	sameFrame           // seen a moment ago with the same hop limit, MACs and VLANs
	samePacket          // seen a moment ago on the other side of a router or in another VLAN
)

type recentFrame struct {
	packet, frame uint64 // hashes
	time          int64
}

// recentFrames keeps hashes of the last packets. The seed is random.
type recentFrames struct {
	seed maphash.Seed
	at   []recentFrame
}

func newRecentFrames() recentFrames {
	return recentFrames{maphash.MakeSeed(), make([]recentFrame, recentSize)}
}

// look reports whether p was seen before. It ignores packets that can be equal without being duplicates, such as IPv6 acknowledgements.
func (r *recentFrames) look(p *packet.Packet) likeness {
	if p.IPID == 0 && p.PayloadLen == 0 {
		return newPacket
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	var b [64]byte
	n := copy(b[:], p.Src[:])
	n += copy(b[n:], p.Dst[:])
	for _, x := range []uint16{p.SrcPort, p.DstPort, p.IPID, uint16(p.Proto), uint16(p.TCPFlags), p.Window, uint16(p.FragOff), uint16(p.FragOff >> 16)} {
		binary.BigEndian.PutUint16(b[n:], x)
		n += 2
	}
	for _, x := range []uint32{p.Seq, p.Ack, p.PayloadLen, p.FragLen} {
		binary.BigEndian.PutUint32(b[n:], x)
		n += 4
	}
	h.Write(b[:n])
	h.Write(p.Payload[:min(len(p.Payload), 64)])
	whole := recentFrame{packet: h.Sum64(), time: p.Time}
	h.WriteByte(p.TTL)
	h.Write(p.SrcMAC[:])
	h.Write(p.DstMAC[:])
	for _, v := range p.VLANs[:p.NumVLANs] {
		h.Write([]byte{byte(v >> 8), byte(v)})
	}
	whole.frame = h.Sum64()
	was := &r.at[whole.packet&(recentSize-1)]
	like := newPacket
	if was.packet == whole.packet && p.Time-was.time < copyWithin && was.time-p.Time < copyWithin {
		like = samePacket
		if was.frame == whole.frame {
			like = sameFrame
		}
	}
	*was = whole
	return like
}
