// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// events returns what a shard says about packets, one string an event: its kind, what was read, whether the name of the application became
// known with it, and that name.
func events(packets ...packet.Packet) (all []string) {
	b := newBlock(1)
	b.packets = packets
	for i := range packets {
		p := &packets[i]
		p.Num, p.Time, p.HasIP, p.Count = uint64(i+1), int64(i+1)*1e9, true, 1
		p.PayloadLen = uint32(len(p.Payload))
		b.shards[0].briefs = append(b.shards[0].briefs, packet.Brief{At: uint32(i), Part: uint8(p.FlowHash() >> 60)})
	}
	newShard(0, 1, session.DefaultConfig()).process(b)
	for i := range b.shards[0].events {
		e := &b.shards[0].events[i].Event
		if e.Kind != detect.SessionFact {
			continue
		}
		name := ""
		if e.App != nil {
			name = e.App.Name
		}
		all = append(all, fmt.Sprintf("%T %v %s", e.Fact, e.Named, name))
	}
	return all
}

func TestApplicationNameIsReportedOnce(t *testing.T) {
	client, server := packet.AddrFrom4([]byte{10, 0, 0, 1}), packet.AddrFrom4([]byte{10, 0, 0, 2})
	tcp := func(flags uint8, seq uint32, payload string) packet.Packet {
		return packet.Packet{Src: client, Dst: server, SrcPort: 40000, DstPort: 22, Kind: packet.KindTCP, Proto: 6, TCPFlags: flags, Seq: seq, Payload: []byte(payload)}
	}
	tests := []struct {
		name    string
		packets []packet.Packet
		want    []string
	}{
		{"with a banner", []packet.Packet{tcp(packet.SYN, 99, ""), tcp(packet.ACK, 100, "SSH-2.0-OpenSSH_9.6\r\n")}, []string{"*dissect.SSHBanner true ssh"}},
		{"by itself", []packet.Packet{
			{Src: client, Dst: server, SrcPort: 40000, DstPort: 3478, Kind: packet.KindUDP, Proto: 17, Payload: []byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl")},
		}, []string{"*dissect.AppID true stun"}},
	}
	for _, tt := range tests {
		if got := events(tt.packets...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestViewsAreDistinctWithinABlock(t *testing.T) {
	var v views
	seen := map[*session.View]bool{}
	for range 3 * viewsPerChunk * keptViewChunks {
		seen[v.next()] = true
	}
	if len(seen) != 3*viewsPerChunk*keptViewChunks {
		t.Errorf("%d different views", len(seen))
	}
	v.reset()
	if len(v.chunks) != keptViewChunks || !seen[v.next()] {
		t.Errorf("%d chunks are kept", len(v.chunks))
	}
}
