// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
)

// copied is how many packets with payload of each direction are handed on.
const copied = 16

// shunting returns the frames of src as a kernel does that counts the packets it need not copy: openings, endings and the first packets with
// payload of each direction come whole, the rest of a session as counts before its next frame, or at the end of a batch.
type shunting struct {
	capture.Source
	in    capture.Batch
	of    map[shuntKey]*shunted
	order []shuntKey // with counts that are not handed on yet
	kept  uint64     // packets
}

type shuntKey struct {
	a, b   packet.Addr
	pa, pb uint16
	proto  uint8
}

type shunted struct {
	capture.Counts
	payloads [2]int
	ends     [2]tcpEnd
}

type tcpEnd struct {
	end  uint32
	seen bool
}

func (s *shunting) Next(b *capture.Batch) error {
	b.Frames, b.Counts, b.Clock, b.Data = b.Frames[:0], b.Counts[:0], 0, b.Data[:0]
	err := s.Source.Next(&s.in)
	for _, f := range s.in.Frames {
		frame := s.in.Data[f.Off : f.Off+f.Len]
		var p packet.Packet
		packet.Decode(&p, f.Link, frame, f.OrigLen)
		p.Time = f.Time
		if !s.hand(b, &p) {
			continue
		}
		f.Off = uint32(len(b.Data))
		b.Data, b.Frames = append(b.Data, frame...), append(b.Frames, f)
	}
	for _, k := range s.order {
		s.flush(b, k)
	}
	s.order = s.order[:0]
	if n := len(s.in.Frames); n > 0 {
		b.Clock = s.in.Frames[n-1].Time
	}
	return err
}

// hand reports whether p is to be handed on; else it is counted.
func (s *shunting) hand(b *capture.Batch, p *packet.Packet) bool {
	if p.Kind != packet.KindTCP && p.Kind != packet.KindUDP || p.Frag != packet.FragNone || p.NumTunnels > 0 {
		return true
	}
	k, side := shuntKey{p.Src, p.Dst, p.SrcPort, p.DstPort, p.Proto}, 0
	x := s.of[k]
	if x == nil {
		k, side = shuntKey{p.Dst, p.Src, p.DstPort, p.SrcPort, p.Proto}, 1
		x = s.of[k]
	}
	begins := p.TCPFlags&(packet.SYN|packet.ACK) == packet.SYN
	if x == nil {
		x = &shunted{Counts: capture.Counts{A: p.Dst, B: p.Src, PortA: p.DstPort, PortB: p.SrcPort, Proto: p.Proto}}
		s.of[k] = x
	}
	if begins {
		s.flush(b, k)
		x.payloads, x.ends = [2]int{}, [2]tcpEnd{}
	}
	if p.PayloadLen > 0 {
		x.payloads[side]++
	}
	gap := x.track(p, side)
	if x.payloads[0] <= copied && x.payloads[1] <= copied || p.TCPFlags&(packet.SYN|packet.FIN|packet.RST) != 0 {
		s.flush(b, k)
		return true
	}
	if x.Packets == [2]uint64{} {
		s.order = append(s.order, k)
	}
	s.kept++
	x.Packets[side]++
	x.IPBytes[side] += uint64(p.IPBytes)
	x.PayloadBytes[side] += uint64(p.PayloadLen)
	x.Gap += gap
	x.End = [2]uint32{x.ends[0].end, x.ends[1].end}
	x.Last = p.Time
	return false
}

// track follows the sequence numbers, and gives the bytes that p acknowledges and that were never seen.
func (x *shunted) track(p *packet.Packet, side int) (gap uint32) {
	if p.Kind != packet.KindTCP || p.TCPFlags&packet.RST != 0 {
		return 0
	}
	own, other := &x.ends[side], &x.ends[side^1]
	end := p.Seq + p.PayloadLen
	if p.TCPFlags&(packet.SYN|packet.FIN) != 0 {
		end++
	}
	if !own.seen || int32(end-own.end) > 0 {
		own.end, own.seen = end, true
	}
	if ahead := int32(p.Ack - other.end); p.TCPFlags&packet.ACK != 0 && other.seen && ahead > 0 && ahead < 1<<24 {
		other.end = p.Ack
		return uint32(ahead)
	}
	return 0
}

func (s *shunting) flush(b *capture.Batch, k shuntKey) {
	x := s.of[k]
	if x.Packets == [2]uint64{} {
		return
	}
	c := x.Counts
	c.Before = uint32(len(b.Frames))
	b.Counts = append(b.Counts, c)
	x.Packets, x.IPBytes, x.PayloadBytes, x.Gap = [2]uint64{}, [2]uint64{}, [2]uint64{}, 0
}

func sessionsOf(t *testing.T, src capture.Source, shards int) ([]string, pipeline.Summary) {
	t.Helper()
	var all []string
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Shards: shards, Replay: true}, src, pipeline.Output{
		Session: func(s *schemas.Session) error {
			all = append(all, string(schemas.AppendSession(nil, s)))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all, r.Summary()
}

// TestShuntedSessionsAreTheSame has most packets counted instead of handed on: every session record is as if all had come.
func TestShuntedSessionsAreTheSame(t *testing.T) {
	path := office(t, nil)
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want, whole := sessionsOf(t, src, 2)
	for _, shards := range []int{1, 3} {
		src, err := capture.OpenFiles([]string{path}, capture.BatchSize(256<<10))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		shunt := &shunting{Source: src, of: map[shuntKey]*shunted{}}
		got, sum := sessionsOf(t, shunt, shards)
		if shunt.kept < 5000 {
			t.Fatalf("only %d packets were shunted", shunt.kept)
		}
		if len(got) != len(want) {
			t.Errorf("%d sessions, want %d", len(got), len(want))
		}
		different := 0
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				if different++; different < 4 {
					t.Errorf("got  %s\nwant %s", got[i], want[i])
				}
			}
		}
		for _, name := range []string{"tcp_bytes_acked", "tcp_bytes_missed", "tcp_packets", "tcp_sessions_one_way", "sessions_port_reused"} {
			if sum.Counters[name] != whole.Counters[name] {
				t.Errorf("%s: %d, want %d", name, sum.Counters[name], whole.Counters[name])
			}
		}
		t.Logf("%d of %d packets shunted, %d sessions", shunt.kept, whole.Packets, len(got))
	}
}
