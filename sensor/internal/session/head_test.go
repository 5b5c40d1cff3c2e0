// SPDX-License-Identifier: Apache-2.0

package session

import (
	"math/rand/v2"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/packet"
)

// more asks for any growth.
func more(head []byte) int { return len(head) + 1 }

// segments gives the packets of a client's stream, cut into pieces of n bytes, after a handshake.
func segments(t *Table, text string, n int) (*wire, []*packet.Packet) {
	w := newWire()
	w.play(t, "cS sSA cA")
	var ps []*packet.Packet
	for len(text) > 0 {
		k := min(n, len(text))
		ps = append(ps, w.packet(true, ack, text[:k]))
		text = text[k:]
	}
	return w, ps
}

const message = "the quick brown fox jumps over the lazy dog and runs"

func TestStreamInAnySegmentOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := &recorder{want: more}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		_, ps := segments(tab, message, 5)
		rng := rand.New(rand.NewPCG(seed, 1))
		rng.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		for i, p := range ps {
			tab.Add(p)
			if rng.IntN(3) == 0 {
				tab.Add(ps[rng.IntN(i+1)]) // retransmitted
			}
		}
		if got := r.streams["1/0"]; got != message {
			t.Fatalf("seed %d: %q", seed, got)
		}
		if tab.heads.count != 1 {
			t.Fatalf("%d heads", tab.heads.count)
		}
		tab.Flush(1<<20, 1)
		if tab.heads.count != 0 || tab.heads.bytes != 0 {
			t.Fatalf("%d heads and %d bytes left", tab.heads.count, tab.heads.bytes)
		}
	}
}

func TestOverlapsAndKeepAlives(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, message, 10)
	tab.Add(ps[0])
	k := *ps[0] // a keep-alive: one byte before what comes next
	k.Seq, k.Payload, k.PayloadLen = ps[1].Seq-1, []byte{0}, 1
	tab.Add(&k)
	o := *ps[1] // begins three bytes early
	o.Seq -= 3
	o.Payload = []byte("???" + string(ps[1].Payload))
	tab.Add(&o)
	if got := r.streams["1/0"]; got != message[:20] {
		t.Errorf("%q", got)
	}
}

// TestGapStopsReading loses a segment that the receiver acknowledges.
func TestGapStopsReading(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w, ps := segments(tab, strings.Repeat("x", 30*100), 100)
	tab.Add(ps[0])
	for _, p := range ps[2:] {
		tab.Add(p)
	}
	w.play(tab, "sA:answer")
	tab.Flush(1<<20, w.time)
	v := r.ended[0]
	if !v.Gap || tab.Stats.HeadGaps != 1 || len(r.streams["1/0"]) != 100 || r.streams["1/1"] != "answer" {
		t.Errorf("gap %v, %d gaps, %d bytes", v.Gap, tab.Stats.HeadGaps, len(r.streams["1/0"]))
	}
}

// TestForgedSegmentsDoNotHideTheStream sends in the middle of a stream what its receiver will not believe: all of the stream is still read.
func TestForgedSegmentsDoNotHideTheStream(t *testing.T) {
	forged := map[string]func(w *wire) []*packet.Packet{
		"a segment far ahead": func(w *wire) []*packet.Packet {
			p := w.packet(true, ack, "")
			p.Seq += 100_000
			p.Payload, p.PayloadLen = []byte("x"), 1
			return []*packet.Packet{p}
		},
		"many segments ahead": func(w *wire) (ps []*packet.Packet) {
			for i := range 40 {
				p := w.packet(true, ack, "")
				p.Seq += 1000 + uint32(2*i)
				p.Payload, p.PayloadLen = []byte("x"), 1
				ps = append(ps, p)
			}
			return ps
		},
		"a RST far off": func(w *wire) []*packet.Packet {
			p := w.packet(true, rst, "")
			p.Seq += 900_000
			return []*packet.Packet{p}
		},
		"a RST within the window": func(w *wire) []*packet.Packet {
			p := w.packet(true, rst, "")
			p.Seq += 1000
			return []*packet.Packet{p}
		},
		"a RST with data": func(w *wire) []*packet.Packet {
			p := w.packet(true, rst, "")
			p.Payload, p.PayloadLen = []byte("go away"), 7
			return []*packet.Packet{p}
		},
	}
	for name, forge := range forged {
		r := &recorder{want: more}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		w := newWire()
		w.play(tab, "cS sSA cA cA:USER-root")
		for _, p := range forge(w) {
			tab.Add(p)
		}
		w.play(tab, "sA:331 cA:PASS-x sA:230")
		if r.streams["1/0"] != "USER-rootPASS-x" || r.streams["1/1"] != "331230" {
			t.Errorf("%s: read %q and %q", name, r.streams["1/0"], r.streams["1/1"])
		}
		tab.Flush(1<<20, w.time)
		if v := r.ended[0]; v.State != Established {
			t.Errorf("%s: %v", name, v.State)
		}
	}
}

// TestFloodDoesNotEvictKnownProtocols opens more silent sessions than may be read, while one whose protocol is known goes on.
func TestFloodDoesNotEvictKnownProtocols(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxHeads = 50
	r := &recorder{want: more, label: func(head []byte) uint8 {
		if strings.HasPrefix(string(head), "USER") {
			return 1
		}
		return 0
	}}
	tab := New(cfg, r)
	r.tab = tab
	victim := newWire()
	victim.play(tab, "cS sSA cA cA:USER-root")
	for i := range 2000 {
		w := newWire()
		w.num, w.client = uint64(100+10*i), uint16(1000+i)
		w.play(tab, "cS sSA cA cA:x")
	}
	victim.play(tab, "cA:PASS-x")
	if r.streams["1/0"] != "USER-rootPASS-x" || tab.Stats.HeadsEvicted < 1900 {
		t.Errorf("read %q, %d heads evicted", r.streams["1/0"], tab.Stats.HeadsEvicted)
	}
}

// TestBuffersAreBounded walks sessions through all sizes of buffers: what is pooled counts like what is in use.
func TestBuffersAreBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxHeadBytes = 256 << 10
	r := &recorder{want: more}
	tab := New(cfg, r)
	r.tab = tab
	for i := range 500 {
		w := newWire()
		w.num, w.client = uint64(100*i), uint16(1000+i)
		w.play(tab, "cS sSA cA")
		for range 8 {
			w.play(tab, "cA:"+strings.Repeat("z", 100<<(i%8)))
		}
		if n := tab.heads.bytes + tab.heads.pooled; n > cfg.MaxHeadBytes+32<<10 {
			t.Fatalf("%d bytes", n)
		}
	}
}

func TestHeadLimit(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, strings.Repeat("x", 20<<10), 1460)
	for _, p := range ps {
		tab.Add(p)
	}
	if n := len(r.streams["1/0"]); n != 16<<10 || len(r.finals) != 1 {
		t.Errorf("%d bytes, finals %v", n, r.finals)
	}
}

func TestHandlerGetsAtLeastWhatItWants(t *testing.T) {
	r := &recorder{want: func([]byte) int { return 30 }}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, message, 5)
	for _, p := range ps[:5] {
		tab.Add(p)
	}
	if r.reads != 1 {
		t.Errorf("called %d times before it had enough bytes", r.reads)
	}
	tab.Add(ps[5])
	if r.reads != 2 {
		t.Errorf("called %d times", r.reads)
	}
}

func TestSnapLengthStopsReading(t *testing.T) {
	r := &recorder{want: more}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	_, ps := segments(tab, message, 20)
	ps[1].Payload = ps[1].Payload[:4]
	for _, p := range ps {
		tab.Add(p)
	}
	if got := r.streams["1/0"]; got != message[:24] || len(r.finals) != 1 {
		t.Errorf("%q %v", got, r.finals)
	}
}

// TestHeadsAreBounded opens more sessions that are never done with reading than the table may read.
func TestHeadsAreBounded(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxHeads, cfg.MaxHeadBytes = 100, 64<<10
	r := &recorder{want: more}
	tab := New(cfg, r)
	r.tab = tab
	for i := range 5000 {
		w := newWire()
		w.num, w.client = uint64(i*10), uint16(1000+i)
		w.play(tab, "cS sSA cA:"+strings.Repeat("y", 900)+" sA:hello")
		w.cseq += 5000 // a hole
		w.play(tab, "cA:"+strings.Repeat("z", 900))
		if tab.heads.count > cfg.MaxHeads || tab.heads.bytes > cfg.MaxHeadBytes+32<<10 {
			t.Fatalf("%d heads, %d bytes", tab.heads.count, tab.heads.bytes)
		}
	}
	if tab.Stats.HeadsEvicted == 0 {
		t.Error("nothing was evicted")
	}
	told := 0
	for _, steps := range r.soon {
		if steps == 1<<SoonSteps-1 {
			told++
		}
	}
	if evicted := int(tab.Stats.HeadsEvicted); told < evicted-2*SoonSteps {
		t.Errorf("Soon was called in order for %d of %d evictions", told, evicted)
	}
	tab.Flush(1<<20, 1)
	if tab.heads.bytes != 0 || tab.heads.count != 0 {
		t.Errorf("%d bytes, %d heads left", tab.heads.bytes, tab.heads.count)
	}
}

// FuzzTable plays arbitrary packets and checks that the books balance.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 2, 0, 0, 1, 0x12, 0, 0, 0, 0x10, 4, 0})
	f.Add([]byte{0, 2, 0, 0, 0, 2, 9, 0, 1, 4, 0, 0, 0, 0x10, 200, 3})
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		cfg := DefaultConfig()
		cfg.MaxSessions, cfg.MaxHeads, cfg.MaxHeadBytes = 8, 3, 8<<10
		r := &recorder{want: more}
		tab := New(cfg, r)
		r.tab = tab
		w := newWire()
		for ; len(b) >= 4; b = b[4:] {
			w.client = 1000 + uint16(b[0]>>4)
			w.time += int64(b[3]&0xf0) * 1e9
			tab.Advance(w.time / 1e9)
			p := w.packet(b[0]&1 == 0, b[1], strings.Repeat("p", int(b[2])*int(b[3]&15)))
			p.Seq += uint32(int8(b[2])) * uint32(b[0]&2)
			tab.Add(p)
			if tab.Live() > cfg.MaxSessions || tab.heads.count > cfg.MaxHeads {
				t.Fatalf("%d sessions, %d heads", tab.Live(), tab.heads.count)
			}
		}
		tab.Flush(1<<20, w.time)
		if uint64(len(r.ended)) != tab.Stats.Created || tab.Live() != 0 || tab.heads.bytes != 0 {
			t.Fatalf("created %d, ended %d, live %d, bytes %d", tab.Stats.Created, len(r.ended), tab.Live(), tab.heads.bytes)
		}
	})
}
