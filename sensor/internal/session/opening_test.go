// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// stage is a table, and what it told.
type stage struct {
	*recorder
	t *testing.T
}

func newStage(t *testing.T) *stage {
	r := &recorder{want: more}
	r.tab = New(DefaultConfig(), r)
	return &stage{r, t}
}

// packets turns a script into packets as they were sent.
func (w *wire) packets(script string) (ps []*packet.Packet) {
	for _, word := range strings.Fields(script) {
		flags, payload, _ := strings.Cut(word[1:], ":")
		f := map[string]uint8{"S": syn, "SA": synack, "A": ack, "F": fin, "R": rst, "r": packet.RST}[flags]
		ps = append(ps, w.packet(word[0] == 'c', f, payload))
	}
	return ps
}

// add delivers packets in this order, one a millisecond.
func (s *stage) add(w *wire, ps ...*packet.Packet) {
	for _, p := range ps {
		w.num++
		w.time += 1e6
		p.Num, p.Time = w.num+1000, w.time
		s.tab.Advance(w.time / 1e9)
		s.tab.Add(p)
	}
}

func (s *stage) play(w *wire, script string) { s.add(w, w.packets(script)...) }

// read reports whether a stream was read as text.
func (s *stage) read(text string) bool {
	for _, v := range s.streams {
		if v == text {
			return true
		}
	}
	return false
}

// wait lets seconds pass.
func (s *stage) wait(w *wire, seconds int64) {
	w.time += seconds * 1e9
	s.tab.Advance(w.time / 1e9)
}

// tells ends the run and compares the sessions, each written as "state basis opened-by out/in", in the order of their end.
func (s *stage) tells(what string, want ...string) {
	s.t.Helper()
	s.tab.Flush(1<<20, 1<<62)
	var got []string
	for _, v := range s.ended {
		who := "c"
		if v.Initiator.Port != 40000 {
			who = "s"
		}
		if v.Opened() {
			who += "!"
		}
		got = append(got, fmt.Sprintf("%v %v %s %d/%d", v.State, v.Basis, who, v.Packets[0], v.Packets[1]))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestAnyOrderOfDelivery moves one packet of a whole session to every other place, and the handshake into every order.
func TestAnyOrderOfDelivery(t *testing.T) {
	const script = "cS sSA cA cA:question sA:answer cA cF sF cA"
	orders := [][]int{{2, 1, 0, 3, 4, 5, 6, 7, 8}, {1, 2, 0, 3, 4, 5, 6, 7, 8}, {2, 0, 1, 3, 4, 5, 6, 7, 8}, {1, 0, 2, 3, 4, 5, 6, 7, 8}}
	for from := range 3 {
		for to := range 9 {
			o := []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
			o = slices.Insert(slices.Delete(o, from, from+1), to, from)
			orders = append(orders, o)
		}
	}
	for _, o := range orders {
		for _, swap := range []bool{false, true} {
			for _, isn := range []uint32{1000, 0xffff_fffe} {
				for _, server := range []uint16{443, 8765} {
					s, w := newStage(t), newWire()
					w.swapTheAddrs, w.cseq, w.sseq, w.server = swap, isn, isn+7, server
					ps := w.packets(script)
					for _, i := range o {
						s.add(w, ps[i])
					}
					s.tells(fmt.Sprint(o), "closed syn c! 6/3")
				}
			}
		}
	}
}

func TestWhenASYNOpensANewSession(t *testing.T) {
	for _, c := range []struct {
		name, before string
		wait         int64
		after        string // with other sequence numbers
		want         []string
	}{
		{"the server has closed", "cS sSA cA cA:x sA:y cA sF", 5, "cS sSA cA", []string{"established syn c! 4/3", "established syn c! 2/1"}},
		{"the server has closed just now", "cS sSA cA cA:x sA:y cA sF", 0, "cS sSA cA", []string{"established syn c! 4/3", "established syn c! 2/1"}},
		{"the client has closed", "cS sSA cA cF", 0, "cS", []string{"established syn c! 3/1", "attempted syn c! 1/0"}},
		{"both have closed", "cS sSA cA cF sF", 0, "cS sSA cA", []string{"closed syn c! 3/2", "established syn c! 2/1"}},
		{"both have closed, SYN-ACK first", "cS sSA cA cF sF", 0, "sSA cS cA", []string{"closed syn c! 3/2", "established syn c! 2/1"}},
		{"reset", "cS sSA cA cR", 0, "cS sSA cA", []string{"reset syn c! 3/1", "established syn c! 2/1"}},
		{"refused", "cS sR", 1, "cS sR", []string{"rejected syn c! 1/1", "rejected syn c! 1/1"}},
		{"not answered", "cS", 3, "cS", []string{"attempted syn c! 1/0", "attempted syn c! 1/0"}},
		{"idle, not answered", "cS sSA cA", 100, "cS", []string{"established syn c! 3/1"}},
		{"idle, and the server agrees", "cS sSA cA", 100, "cS sSA cA", []string{"established syn c! 2/1", "established syn c! 2/1"}},
		{"idle, and the server refuses", "cS sSA cA", 100, "cS sR", []string{"established syn c! 2/1", "rejected syn c! 1/1"}},
		{"idle, and the SYN-ACK is lost", "cS sSA cA", 100, "cS cA:x sA:y cA", []string{"established syn c! 3/1", "established syn c! 2/1"}},
		{"idle, one direction", "cS cA", 100, "cS", []string{"one_way syn c! 2/0", "attempted syn c! 1/0"}},
		{"active, a forged SYN", "cS sSA cA cA:x", 1, "cS", []string{"established syn c! 4/1"}},
		{"active, a forged SYN-ACK", "cS sSA cA cA:x", 1, "sSA", []string{"established syn c! 3/2"}},
		{"active, a forged SYN of the other end", "cS sSA cA cA:x", 1, "sS", []string{"established syn c! 3/2"}},
		{"active, and the server agrees", "cS sSA cA cA:x", 1, "cS sSA cA", []string{"established syn c! 3/1", "established syn c! 2/1"}},
		{"active, and the server agrees, SYN-ACK first", "cS sSA cA cA:x", 1, "sSA cS cA", []string{"established syn c! 3/1", "established syn c! 2/1"}},
		{"caught in the middle, and the server agrees", "cA:x sA:y cA", 0, "cS sSA cA", []string{"midstream port c 2/1", "established syn c! 2/1"}},
		{"the other end opens", "cS sSA cA cF sF", 1, "sS cSA sA", []string{"closed syn c! 3/2", "established syn s! 2/1"}},
	} {
		for _, swap := range []bool{false, true} {
			s, w := newStage(t), newWire()
			w.swapTheAddrs = swap
			s.play(w, c.before)
			s.wait(w, c.wait)
			w.cseq, w.sseq = 1_900_000_000, 1_800_000_000
			ps := w.packets(c.after)
			if strings.HasPrefix(c.after, "sSA cS") {
				ps[0].Ack, ps[1].Seq = 1_900_000_001, 1_900_000_000
			}
			s.add(w, ps...)
			s.tells(c.name, c.want...)
		}
	}
}

// A forged SYN whose ISN the stream of its sender reaches next changes nothing: it is the stream that the other end acknowledges.
func TestForgedSYNAheadOfTheStream(t *testing.T) {
	s, w := newStage(t), newWire()
	s.want = func(head []byte) int { return len(head) + 1 }
	s.play(w, "cS sSA cA sA:login cA")
	s.wait(w, 100)
	forged := w.packets("cS")[0]
	w.cseq--
	forged.Seq = w.cseq + 3
	s.add(w, forged)
	s.play(w, "cA:username sA cA:password sA sA:welcome cA")
	s.tells("forged", "established syn c! 7/5")
	if !s.read("usernamepassword") {
		t.Errorf("read %q", s.streams)
	}
}

// A forged SYN into a live session, which the server answers with an ACK for what it expects (RFC 5961 section 4), changes nothing.
func TestChallengeACK(t *testing.T) {
	s, w := newStage(t), newWire()
	s.play(w, "cS sSA cA cA:login")
	forged := w.packets("cS")[0]
	w.cseq--
	forged.Seq = 77_000
	s.add(w, forged)
	s.play(w, "sA cA:more sA:data cF sF")
	s.tells("forged", "closed syn c! 6/4")
	if !s.read("loginmore") {
		t.Errorf("read %q", s.streams)
	}
}

// An initiator that uses the same sequence number for each session is recognized by the server's new number.
func TestSameISNAgain(t *testing.T) {
	for _, wait := range []int64{0, 30} {
		s, w := newStage(t), newWire()
		s.play(w, "cS sSA cA cA:first cF sF cA")
		s.wait(w, wait)
		w.cseq, w.sseq = 1000, 900_000
		s.play(w, "cS sSA cA cA:second cF sF cA")
		s.tells("again", "closed syn c! 5/2", "closed syn c! 5/2")
		if !s.read("second") {
			t.Errorf("after %d s: %q", wait, s.streams)
		}
	}
}

// What nobody asked for is nobody's opening, and a refusal turns it around.
func TestUnsolicited(t *testing.T) {
	for _, c := range []struct {
		server uint16
		script string
		want   string
	}{
		{443, "sSA", "midstream syn_ack c 0/1"},
		{443, "sSA sSA sSA", "midstream syn_ack c 0/3"},
		{443, "sSA cr", "rejected first_packet s 1/1"},
		{443, "sSA cR", "rejected first_packet s 1/1"},
		{443, "sSA sR", "midstream syn_ack c 0/2"},
		{443, "sSA sA:data sF", "midstream syn_ack c 0/3"},
		{443, "sSA sA:data cr", "rejected first_packet s 2/1"},
		{443, "sSA sF cr cr", "rejected first_packet s 2/2"},
		{443, "sSA cA", "established syn_ack c! 1/1"},
		{443, "sSA cA:data sA", "established syn_ack c! 1/2"},
		{60000, "sSA", "attempted first_packet s 1/0"},
		{443, "sA", "midstream port c 0/1"},
		{443, "sA:data", "midstream port c 0/1"},
		{443, "sA cr", "rejected first_packet s 1/1"},
		{443, "sF cr", "rejected first_packet s 1/1"},
		{443, "sR", "midstream port c 0/1"},
		{443, "cA sr", "rejected port c 1/1"},
		{443, "cA:data sA:data sR", "reset port c 1/2"},
	} {
		for _, swap := range []bool{false, true} {
			s, w := newStage(t), newWire()
			w.swapTheAddrs, w.server = swap, c.server
			w.cseq++ // of a SYN that was not seen
			s.play(w, c.script)
			s.tells(c.script, c.want)
		}
	}
}

// The handler hears of a session again when it is proved that the initiator opened it.
func TestOpenedIsReportedWhenKnown(t *testing.T) {
	for script, want := range map[string]string{
		"cS sSA cA":     "open attempted,state established",
		"sSA cA cA:x":   "open midstream,state established,open established",
		"sA:x cA sA:y":  "open midstream",
		"sSA sSA cr cr": "open midstream,state rejected",
	} {
		s, w := newStage(t), newWire()
		s.play(w, script)
		if got := strings.Join(s.log, ","); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

// Openings that wait are bounded, and none is lost where few wait.
func TestPendingOpeningsAreBounded(t *testing.T) {
	s, w := newStage(t), newWire()
	s.play(w, "cS sSA cA")
	for i := range 3 * maxPending {
		w.cseq = uint32(1_000_000 + 1000*i)
		s.play(w, "cS")
	}
	w.sseq = 5_000_000
	s.play(w, "sSA cA")
	if n := len(s.tab.pending); n != maxPending || s.tab.Stats.OpeningsDropped != 2*maxPending {
		t.Errorf("%d wait, %d dropped", n, s.tab.Stats.OpeningsDropped)
	}
	s.tells("flood", fmt.Sprintf("established syn c! %d/1", 2+3*maxPending-1), "established syn c! 2/1")
}
