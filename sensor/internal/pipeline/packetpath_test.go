// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// bulk returns the frames of a few long sessions again and again, each frame with the next sequence number.
type bulk struct {
	frames [][]byte
	seq    uint32
	now    int64
}

func (s *bulk) Next(b *capture.Batch) error {
	b.Data, b.Frames = b.Data[:0], b.Frames[:0]
	for range 64 {
		for _, f := range s.frames {
			s.now += 1000
			off := len(b.Data)
			b.Data = append(b.Data, f...)
			tcp := b.Data[len(b.Data)-20-bulkPayload:]
			binary.BigEndian.PutUint32(tcp[4:], s.seq)
			b.Frames = append(b.Frames, capture.Frame{Time: s.now, Off: uint32(off), Len: uint32(len(f)), OrigLen: uint32(len(f)), Link: packet.LinkEthernet})
		}
		s.seq += bulkPayload
	}
	return nil
}

func (*bulk) Stats() capture.Stats { return capture.Stats{} }
func (*bulk) Close() error         { return nil }

const bulkPayload = 1000

// segment is a TCP segment with a payload that no protocol begins with, over IPv4 or IPv6, within so many VLANs.
func segment(v6 bool, vlans int, port uint16) []byte {
	f := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i := range vlans {
		f = append(f, 0x81, 0, 0, byte(i+1))
	}
	if v6 {
		f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0)
		f = append(binary.BigEndian.AppendUint16(f, 20+bulkPayload), 6, 64)
		f = append(f, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)
	} else {
		f = append(f, 0x08, 0, 0x45, 0)
		f = append(binary.BigEndian.AppendUint16(f, 40+bulkPayload), 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	}
	f = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(f, 40000), port)
	f = append(f, 0, 0, 0, 0, 0, 0, 0, 1, 5<<4, packet.ACK, 1, 0, 0, 0, 0, 0)
	return append(f, make([]byte, bulkPayload)...)
}

// Once sessions are known and their heads are read, a packet costs no memory: from the frame to the session table, in brief or not.
func TestPacketPathDoesNotAllocate(t *testing.T) {
	src := &bulk{now: 1e18, frames: [][]byte{
		segment(false, 0, 5001), segment(false, 0, 5002), segment(false, 1, 5003), segment(false, 2, 5004), segment(true, 0, 5005), segment(true, 1, 5006),
	}}
	r := &reader{src: src, reasm: packet.NewReassembler(packet.ReassemblerConfig{}), scopes: packet.NewScopes(), maxSessions: 100}
	b, sh := newBlock(1), newShard(0, 1, session.DefaultConfig())
	round := func() {
		b.reset()
		if err := r.fill(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		sh.process(b)
	}
	for range 5 {
		round()
	}
	if n := testing.AllocsPerRun(50, round); n != 0 {
		t.Errorf("%v allocations for %d packets", n, 64*len(src.frames))
	}
	var packets, live uint64
	for _, x := range sh.tables {
		packets, live = packets+x.Stats.TCPPackets, live+uint64(x.Live())
	}
	if packets != r.num || live != uint64(len(src.frames)) {
		t.Errorf("%d packets of %d in %d sessions", packets, r.num, live)
	}
}
