// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

// Keep-alive probes of the server come every two hours, an hour after the session has expired each time.
func TestKeepAliveAfterExpiry(t *testing.T) {
	for _, probe := range []byte{'s', 'c'} {
		for _, begins := range []string{"cS sSA cA cA:x sA:y", "sSA cA cA:x sA:y"} {
			s, w := newStage(t), newWire()
			w.server = 8765
			if begins[0] == 's' {
				w.cseq++
			}
			s.play(w, begins)
			for range 3 {
				s.wait(w, 7200)
				p := w.packets(string(probe) + "A")[0]
				p.Seq-- // RFC 9293 section 3.8.4
				s.add(w, p)
				s.play(w, map[byte]string{'s': "cA", 'c': "sA"}[probe])
			}
			s.wait(w, 600)
			s.play(w, "sA:data cA cF sF cA")
			for i, v := range s.ended {
				if v.Initiator.Port != w.client || v.Resumed != (i > 0) || i > 0 && (v.Opened() || v.State != Midstream) {
					t.Errorf("record %d: opened by %d, %v %v, opened %v", i, v.Initiator.Port, v.State, v.Basis, v.Opened())
				}
			}
			s.tab.Flush(1<<20, w.time)
			if v := s.ended[len(s.ended)-1]; len(s.ended) != 4 || v.State != Closed || v.Initiator.Port != w.client || v.Opened() {
				t.Errorf("%d records, the last is %+v", len(s.ended), v)
			}
		}
	}
}

// What comes long after the end of a session, and not of another, makes no attempt.
func TestLatePacketsAfterTheEnd(t *testing.T) {
	for _, c := range []struct {
		late string
		wait int64
		want string
	}{
		{"SYN", 100, "midstream syn c 1/0"},
		{"SYN", 1000, "attempted syn c! 1/0"}, // not late any more
		{"FIN", 100, "midstream syn c 0/1"},
	} {
		s, w := newStage(t), newWire()
		w.server = 8765
		ps := w.packets("cS sSA cA cA:x sA:y cF sF cA")
		s.add(w, ps...)
		s.wait(w, c.wait)
		p := map[string]*packet.Packet{"SYN": ps[0], "FIN": ps[6]}[c.late]
		s.add(w, p)
		s.tells(c.late, "closed syn c! 5/3", c.want)
		if s.ended[1].Resumed {
			t.Errorf("%s: continues a session that was over", c.late)
		}
	}
}

// Segments of an ended session that arrive while a new one has its five-tuple change nothing in the new one.
func TestLateSegmentsOnAReusedFiveTuple(t *testing.T) {
	for _, before := range []string{"cS sSA cA cA:first sA:no cF sF cA", "cS sSA cA cA:first sA:no sF cA", "cS sSA cA cA:first sA:no cR"} {
		for _, stale := range []string{"sA:refused", "sA", "sF", "sR", "cA:first", "cF", "cR", "sF cA sF"} {
			for at := 1; at <= 8; at++ { // after that many packets of the new session
				s, w := newStage(t), newWire()
				old := w.packets(before)
				late := *w
				late.cseq, late.sseq = late.cseq-5, late.sseq-7
				s.add(w, old...)
				s.wait(w, 2)
				w.cseq, w.sseq = 900_000, 800_000
				ps := w.packets("cS sSA cA cA:second sA:yes cF sF cA")
				s.add(w, ps[:at]...)
				ls := late.packets(stale)
				s.add(w, ls...)
				s.add(w, ps[at:]...)
				s.tab.Flush(1<<20, 1<<62)
				v := s.ended[len(s.ended)-1]
				if len(s.ended) != 2 || v.State != Closed || v.Packets != [2]uint64{5, 3} || !s.read("second") || !s.read("yes") || s.tab.Stats.LateSegments != uint64(len(ls)) {
					t.Errorf("%q, %q after %d: %d sessions, %v %v, %d late, read %q", before, stale, at, len(s.ended), v.State, v.Packets, s.tab.Stats.LateSegments, s.streams)
				}
			}
		}
	}
}

// A SYN that the other end never got, into a session that has carried nothing for some time, is counted in it and ends nothing: what both ends
// send next is read as before.
func TestSessionContinuesAfterAForgedSYN(t *testing.T) {
	for from, want := range map[string]string{"cA:more": "loginmore", "sA:more": "promptmore"} {
		s, w := newStage(t), newWire()
		s.want = func(head []byte) int { return len(head) + 1 }
		s.play(w, "cS sSA cA cA:login sA:prompt cA")
		s.wait(w, 600)
		forged := w.packets("cS")[0]
		w.cseq--
		forged.Seq = 77_000_000
		s.add(w, forged)
		s.play(w, from+" sA cA cF sF cA")
		if !s.read(want) {
			t.Errorf("%s: read %q", from, s.streams)
		}
		s.tab.Flush(1<<20, 1<<62)
		if len(s.ended) != 1 || s.ended[0].State != Closed || s.ended[0].Initiator.Port != w.client {
			t.Errorf("%s: %d sessions, the first is %+v", from, len(s.ended), s.ended[0])
		}
	}
}

// The memory of what has ended is bounded; the newest stay.
func TestTombstonesAreBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxPast = 1000
	r := &recorder{}
	r.tab = New(cfg, r)
	s, w := &stage{r, t}, newWire()
	const n = 5000
	for i := range n {
		w.client = uint16(10_000 + i)
		w.cseq, w.sseq = uint32(i)*1000, uint32(i)*2000
		s.play(w, "cS sSA cA cF sF cA")
	}
	s.wait(w, 200)
	if got := len(s.tab.past.ring); got != 1024 || s.tab.Stats.PastDropped < n-1024 || s.tab.Stats.PastDropped > n-1024+2 {
		t.Errorf("%d kept, %d dropped", got, s.tab.Stats.PastDropped)
	}
	s.ended = nil
	for _, i := range []int{n - 1, n - 500, 0} {
		w.client, w.server = uint16(10_000+i), 443
		w.cseq, w.sseq = uint32(i)*1000+2, uint32(i)*2000+2
		s.play(w, "cA")
	}
	s.tab.Flush(10, w.time)
	for i, v := range s.ended {
		if known := v.Basis == BasisSYN; known != (i < 2) {
			t.Errorf("session %d: %v", i, v.Basis)
		}
	}
}
