// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// contradiction says what in a view contradicts itself, "" if nothing does.
func contradiction(v *View) string {
	out, in := v.Packets[0], v.Packets[1]
	switch v.State {
	case Established, Closed, Rejected:
		if in == 0 {
			return "an answer without a packet"
		}
		if out == 0 {
			return "an answer to nothing"
		}
	case Attempted, OneWay:
		if v.PayloadBytes[1] > 0 || in > 0 && v.Proto != protoTCP {
			return "unanswered, and yet the responder spoke"
		}
		if out == 0 {
			return "an attempt of nobody"
		}
	}
	for i := range 2 {
		if v.Packets[i] == 0 && v.IPBytes[i]+v.PayloadBytes[i] > 0 || v.IPBytes[i] < v.PayloadBytes[i] {
			return "bytes without packets"
		}
		if e := []*Endpoint{&v.Initiator, &v.Responder}[i]; v.Packets[i] == 0 && (e.TTL != 0 || !e.MAC.IsZero()) {
			return "the MAC of an end that was not heard"
		}
	}
	switch {
	case v.End < v.Start:
		return "ends before it starts"
	case v.Answered() && in == 0:
		return "answered without a packet"
	case v.Opened() && out == 0:
		return "opened by an end that was not heard"
	case v.Opened() && v.State == Midstream:
		return "opened, and caught in the middle"
	case out+in == 0:
		return "no packets"
	}
	return ""
}

// checker holds every view that a handler can see to be without contradiction.
type checker struct {
	recorder
	fault  string
	opened map[uint64]bool
}

func (c *checker) check(s *Session) {
	v := c.view(s)
	if x := contradiction(v); x != "" && c.fault == "" {
		c.fault = fmt.Sprintf("%s: %v %v %v/%v", x, v.State, v.Basis, v.Packets, v.PayloadBytes)
	}
}

func (c *checker) Opened(s *Session, _ int64) {
	c.check(s)
	if c.opened[s.id] = c.view(s).Opened(); s.id == 0 {
		c.fault = "a session without a number"
	}
}
func (c *checker) Changed(s *Session, _ int64)  { c.check(s) }
func (c *checker) Progress(s *Session, _ int64) { c.check(s) }
func (c *checker) Ended(s *Session, why EndReason, _ int64) {
	c.check(s)
	v := c.view(s)
	if v.Opened() != c.opened[s.id] && c.fault == "" {
		c.fault = fmt.Sprintf("opened %v at the end, and told as %v: %v %v", v.Opened(), c.opened[s.id], v.State, v.Basis)
	}
	c.ended = append(c.ended, v)
	delete(c.opened, s.id)
}

// TestNoStateContradictsThePackets plays sequences of packets that no stack would send, and holds every state to them. No packet may be
// counted twice or lost.
func TestNoStateContradictsThePackets(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	for seed := range uint64(n) {
		x := rand.New(rand.NewPCG(seed, 1))
		c := &checker{opened: map[uint64]bool{}}
		c.want = more
		tab := New(DefaultConfig(), c)
		c.tab = tab
		w := newWire()
		w.server = []uint16{443, 8765}[x.IntN(2)]
		w.proto = []uint8{protoTCP, protoTCP, protoTCP, protoUDP}[x.IntN(4)]
		script := ""
		count := 3 + x.IntN(14)
		for i := range count {
			p := strange(w, x, &script)
			p.Num, p.IPID = uint64(i+1), uint16(i+1)
			w.time += []int64{0, 1e6, 1e9, 5e9, 90e9, 4000e9}[x.IntN(6)]
			p.Time = w.time
			tab.Advance(w.time / 1e9)
			tab.Add(p)
		}
		tab.Flush(1<<20, w.time)
		total := uint64(0)
		for _, v := range c.ended {
			total += v.Packets[0] + v.Packets[1]
		}
		if late := tab.Stats.LateSegments; total+late != uint64(count) && c.fault == "" {
			c.fault = fmt.Sprintf("%d packets in %d sessions, %d late", total, len(c.ended), late)
		}
		if c.fault != "" {
			t.Fatalf("seed %d, %s\n%s", seed, c.fault, script)
		}
	}
}

// strange makes a packet of a session: most often with numbers that fit, and any flags.
func strange(w *wire, x *rand.Rand, script *string) *packet.Packet {
	flags := []uint8{syn, synack, ack, ack, fin, rst, packet.RST, packet.FIN, 0, syn | packet.RST, 0xff}[x.IntN(11)]
	if x.IntN(5) == 0 {
		w.cseq, w.sseq = []uint32{1000, 2000, 900_000, 0xffff_ffff}[x.IntN(4)], []uint32{5000, 800_000}[x.IntN(2)]
	}
	fromClient := x.IntN(2) == 0
	payload := ""
	if flags&(packet.SYN|packet.RST) == 0 && x.IntN(3) == 0 { // those that are not believed answer nothing
		payload = "data"
	}
	p := w.packet(fromClient, flags, payload)
	p.SrcMAC = packet.MAC{2, 0, 0, 0, 0, 1}
	*script += fmt.Sprintf("client %v flags %02x seq %d ack %d %q\n", fromClient, flags, p.Seq, p.Ack, payload)
	return p
}
