// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

// counts are those of the session of w: n packets from the client and m from the server, with 100 bytes of payload each.
func (w *wire) counts(n, m uint64) *packet.Counts {
	w.cseq, w.sseq = w.cseq+uint32(100*n), w.sseq+uint32(100*m)
	a, b := packet.AddrFrom4([]byte{10, 0, 0, w.clientAddr}), packet.AddrFrom4([]byte{10, 0, 0, 200})
	if w.swapTheAddrs {
		a, b = b, a
	}
	return &packet.Counts{A: a, B: b, PortA: w.client, PortB: w.server, Proto: w.proto, Last: w.time, Packets: [2]uint64{n, m},
		IPBytes: [2]uint64{140 * n, 140 * m}, PayloadBytes: [2]uint64{100 * n, 100 * m}, End: [2]uint32{w.cseq, w.sseq}}
}

// turned says the same of the other side first.
func turned(c *packet.Counts) *packet.Counts {
	x := *c
	x.A, x.B, x.PortA, x.PortB = c.B, c.A, c.PortB, c.PortA
	for _, two := range []*[2]uint64{&x.Packets, &x.IPBytes, &x.PayloadBytes} {
		two[0], two[1] = two[1], two[0]
	}
	x.End[0], x.End[1] = c.End[1], c.End[0]
	return &x
}

func TestCountsBelongToTheirSession(t *testing.T) {
	for _, swap := range []bool{false, true} {
		for _, turn := range []bool{false, true} {
			r := &recorder{want: func([]byte) int { return 1 << 20 }}
			tab := New(DefaultConfig(), r)
			r.tab = tab
			w := newWire()
			w.swapTheAddrs = swap
			w.play(tab, "cS sSA cA cA:hello sA:welcome")
			c := w.counts(7, 1000)
			if turn {
				c = turned(c)
			}
			tab.AddCounts(c, 100)
			w.play(tab, "cF sF cA")
			tab.Flush(10, w.time)
			if len(r.ended) != 1 {
				t.Fatalf("%d sessions", len(r.ended))
			}
			v := r.ended[0]
			if v.Packets != [2]uint64{5 + 7, 3 + 1000} || v.PayloadBytes != [2]uint64{5 + 700, 7 + 100_000} || v.IPBytes != [2]uint64{205 + 980, 127 + 140_000} {
				t.Errorf("packets %d payload %d bytes %d", v.Packets, v.PayloadBytes, v.IPBytes)
			}
			if v.State != Closed || v.Gap || tab.Stats.GapBytes != 0 || tab.Stats.TCPPackets != 8+1007 {
				t.Errorf("%v, gap %v of %d bytes, %d packets", v.State, v.Gap, tab.Stats.GapBytes, tab.Stats.TCPPackets)
			}
			if len(r.finals) != 2 || r.streams["1/0"] != "hello" || r.streams["1/1"] != "welcome" {
				t.Errorf("streams %q, ended %q", r.streams, r.finals)
			}
		}
	}
}

// A RST after what was counted has a sequence number far from what was seen, and is believed all the same.
func TestResetAfterCounts(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA cA:x sA:y")
	tab.AddCounts(w.counts(10, 5000), 100)
	w.play(tab, "sR")
	tab.Flush(10, w.time)
	if v := r.ended[0]; v.State != Reset {
		t.Errorf("%v", v.State)
	}
}

func TestWhoReset(t *testing.T) {
	for script, want := range map[string][2]bool{
		"cS sSA cA cA:x cR":           {true, false},
		"cS sSA cA cA:x sR":           {false, true},
		"cS sSA cA cA:x cR sR":        {true, true},
		"cS sSA cA cA:x sA:y cF sF":   {false, false},
		"cS sSA cA cA:x sR sA:forged": {false, false}, // an end that goes on has not reset the session
	} {
		r := &recorder{}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		w := newWire()
		w.play(tab, script)
		tab.Flush(1<<20, w.time)
		v := r.ended[0]
		if v.Aborted != want {
			t.Errorf("%s: aborted %v, want %v", script, v.Aborted, want)
		}
		if v.Turn(); v.Aborted != [2]bool{want[1], want[0]} {
			t.Errorf("%s: turned, aborted %v", script, v.Aborted)
		}
	}
}

// Counts of a session that nobody knows begin one; a SYN on the same ports then begins another.
func TestCountsStartASession(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	tab.Advance(w.time / 1e9)
	tab.AddCounts(w.counts(3, 0), 100)
	tab.AddCounts(w.counts(0, 4), 101)
	w.cseq += 77_000
	w.num = 101
	w.play(tab, "cS sSA")
	tab.Flush(10, w.time)
	if len(r.ended) != 2 || tab.Stats.Reused != 1 || tab.Stats.Created != 2 {
		t.Fatalf("%d sessions, %d reused", len(r.ended), tab.Stats.Reused)
	}
	v := r.ended[0]
	if v.State != Midstream || v.ID != 100 || v.Packets != [2]uint64{3, 4} || v.Initiator.Port != w.client || v.Basis != BasisPort || v.Start != w.time {
		t.Errorf("%+v", v)
	}
	if v := r.ended[1]; v.State != Established || v.Packets != [2]uint64{1, 1} {
		t.Errorf("%+v", v)
	}
}

// A session that is only counted lives on.
func TestCountsKeepASessionAlive(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.proto = protoUDP
	w.play(tab, "c:q s:a")
	for range 20 {
		w.time += 100e9
		tab.Advance(w.time / 1e9)
		tab.AddCounts(w.counts(1, 300), 100)
	}
	if len(r.ended) != 0 || tab.Live() != 1 {
		t.Fatalf("%d sessions ended, %d live", len(r.ended), tab.Live())
	}
	tab.Advance(w.time/1e9 + 200)
	if len(r.ended) != 1 || r.ended[0].End != w.time || r.ended[0].Packets[0]+r.ended[0].Packets[1] != 2+20*301 {
		t.Errorf("%+v", r.ended)
	}
}

func TestCountsDoNotAllocate(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA")
	c := w.counts(1, 1)
	if n := testing.AllocsPerRun(100, func() { tab.AddCounts(c, 100) }); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}

// A segment of the head that comes again after the rest was counted still fills its hole, as it does when nothing is shunted.
func TestCountsLeaveTheHeadOpen(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, message, 5)
	for i, p := range ps {
		if i != 3 {
			tab.Add(p)
		}
	}
	p := ps[3]
	tab.AddCounts(&packet.Counts{
		A: p.Src, B: p.Dst, PortA: p.SrcPort, PortB: p.DstPort, Proto: protoTCP, Last: p.Time,
		Packets: [2]uint64{7, 0}, IPBytes: [2]uint64{7 * 1040, 0}, PayloadBytes: [2]uint64{7 * 1000, 0}, End: [2]uint32{p.Seq + 20000, 0},
	}, p.Num)
	tab.Add(p)
	if got := r.streams["1/0"]; got != message {
		t.Errorf("%q", got)
	}
}
