// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// recorder is a handler that writes down what it is told.
type recorder struct {
	tab     *Table
	log     []string
	ended   []*View
	active  []string
	want    func(head []byte) int // result of Stream; nil: no bytes are needed
	label   func(head []byte) uint8
	streams map[string]string // last head by session and direction
	finals  []string
	reads   int
	open    int            // sessions being read
	soon    map[uint64]int // by session, a bit for each step of Soon
}

func (r *recorder) view(s *Session) *View {
	v := new(View)
	r.tab.View(s, v)
	return v
}

func (r *recorder) note(what string, s *Session) {
	r.log = append(r.log, fmt.Sprintf("%s %s", what, r.view(s).State))
}
func (r *recorder) Opened(s *Session, _ int64)   { r.note("open", s) }
func (r *recorder) Changed(s *Session, _ int64)  { r.note("state", s) }
func (r *recorder) Progress(s *Session, _ int64) { r.note("progress", s) }

func (r *recorder) Active(s *Session, bins []Bin, now int64) {
	for _, b := range bins {
		r.active = append(r.active, fmt.Sprintf("%d at %d: %s %v", s.id, now/1e9, [...]string{"out", "in"}[b.Dir], b.Bytes))
	}
}

func (r *recorder) Ended(s *Session, _ EndReason, _ int64) {
	r.note("end", s)
	r.ended = append(r.ended, r.view(s))
}

func (r *recorder) Stream(s *Session, d Dir, head []byte, final bool, _ int64) int {
	r.reads++
	if r.streams == nil {
		r.streams = map[string]string{}
	}
	k := fmt.Sprintf("%d/%d", s.id, d)
	r.streams[k] = string(head)
	if r.label != nil && s.Label == 0 {
		s.Label = r.label(head)
	}
	if final {
		r.finals = append(r.finals, k)
	}
	if r.want == nil || final {
		return 0
	}
	return r.want(head)
}

func (r *recorder) Datagram(*Session, Dir, []byte, int64) bool { r.reads++; return r.reads < 3 }
func (r *recorder) Echo(*Session, Dir, *packet.Packet, int64)  { r.reads++ }
func (r *recorder) Release(*Session)                           { r.open-- }

func (r *recorder) Soon(s *Session, step int) {
	if r.soon == nil {
		r.soon = map[uint64]int{}
	}
	if next := 1 << (step + 1); step < SoonSteps-1 && r.soon[s.id]&next == 0 && s.head != 0 {
		r.soon[s.id] |= 1 << SoonSteps // a step was left out
	}
	r.soon[s.id] |= 1 << step
}

// wire makes packets of one session between a client and a server.
type wire struct {
	num          uint64
	time         int64
	client       uint16
	server       uint16
	proto        uint8
	cseq, sseq   uint32
	clientAddr   byte
	swapTheAddrs bool
}

func newWire() *wire {
	return &wire{time: 1_000_000e9, client: 40000, server: 443, proto: protoTCP, cseq: 1000, sseq: 5000, clientAddr: 1}
}

func (w *wire) packet(fromClient bool, flags uint8, payload string) *packet.Packet {
	w.num++
	p := &packet.Packet{
		Time: w.time, Num: w.num, HasIP: true, Proto: w.proto, TCPFlags: flags, Payload: []byte(payload), PayloadLen: uint32(len(payload)),
		IPBytes: uint32(40 + len(payload)), Count: 1, TTL: 64, Kind: packet.KindTCP,
	}
	c, s := packet.AddrFrom4([]byte{10, 0, 0, w.clientAddr}), packet.AddrFrom4([]byte{10, 0, 0, 200})
	if w.swapTheAddrs {
		c, s = s, c
	}
	p.Src, p.Dst, p.SrcPort, p.DstPort, p.Seq, p.Ack = c, s, w.client, w.server, w.cseq, w.sseq
	seq := &w.cseq
	if !fromClient {
		p.Src, p.Dst, p.SrcPort, p.DstPort, p.Seq, p.Ack = s, c, w.server, w.client, w.sseq, w.cseq
		seq = &w.sseq
	}
	*seq += uint32(len(payload))
	if flags&(packet.SYN|packet.FIN) != 0 {
		*seq++
	}
	if w.proto == protoUDP {
		p.Kind = packet.KindUDP
	}
	return p
}

const (
	syn    = packet.SYN
	synack = packet.SYN | packet.ACK
	ack    = packet.ACK
	fin    = packet.FIN | packet.ACK
	rst    = packet.RST | packet.ACK
)

// play turns a script into packets: each word is a side (c or s), flags and optional payload: "cS" "sSA" "cA:hello".
func (w *wire) play(t *Table, script string) {
	t.Advance(w.time / 1e9)
	for _, word := range strings.Fields(script) {
		flags, payload, _ := strings.Cut(word[1:], ":")
		f := map[string]uint8{"S": syn, "SA": synack, "A": ack, "F": fin, "R": rst, "": 0}[flags]
		t.Add(w.packet(word[0] == 'c', f, payload))
	}
}

func TestStates(t *testing.T) {
	cases := []struct {
		name, script string
		state        State
		basis        Basis
		clientOpens  bool
	}{
		{"no answer", "cS", Attempted, BasisSYN, true},
		{"retransmitted SYN", "cS cR", Attempted, BasisSYN, true},
		{"refused", "cS sR", Rejected, BasisSYN, true},
		{"answered", "cS sSA", Established, BasisSYN, true},
		{"half-open scan", "cS sSA cR", Reset, BasisSYN, true},
		{"closed", "cS sSA cA cA:x sA:y cF sF cA", Closed, BasisSYN, true},
		{"half closed", "cS sSA cA cF", Established, BasisSYN, true},
		{"SYN not seen", "sSA cA", Established, BasisSYNACK, true},
		{"in the middle, server speaks", "sA:data cA", Midstream, BasisPort, true},
		{"in the middle, client speaks", "cA:data sA", Midstream, BasisPort, true},
		{"in the middle, then reset", "sA:data cA cR", Reset, BasisPort, true},
		{"answers go another way", "cS cA cA:x", OneWay, BasisSYN, true},
		{"answers come late", "cS cA sSA", Established, BasisSYN, true},
		{"simultaneous open", "cS sS cSA sSA", Established, BasisSYN, true},
	}
	for _, c := range cases {
		for _, swap := range []bool{false, true} {
			r := &recorder{}
			tab := New(DefaultConfig(), r)
			r.tab = tab
			w := newWire()
			w.swapTheAddrs = swap
			w.play(tab, c.script)
			tab.Flush(1<<20, w.time)
			if len(r.ended) != 1 {
				t.Fatalf("%s: %d sessions", c.name, len(r.ended))
			}
			v := r.ended[0]
			if v.State != c.state || v.Basis != c.basis || (v.Initiator.Port == w.client) != c.clientOpens {
				t.Errorf("%s (swap %v): state %v basis %v opened by %d; want %v %v", c.name, swap, v.State, v.Basis, v.Initiator.Port, c.state, c.basis)
			}
		}
	}
}

func TestCountsEachWay(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA cA:hello sA:hi-there cF sF")
	tab.Flush(1<<20, w.time)
	v := r.ended[0]
	if v.Packets != [2]uint64{4, 3} || v.PayloadBytes != [2]uint64{5, 8} || v.IPBytes != [2]uint64{165, 128} {
		t.Errorf("packets %v payload %v bytes %v", v.Packets, v.PayloadBytes, v.IPBytes)
	}
}

func TestPortReuse(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA cF sF")
	w.cseq, w.sseq = 90000, 80000
	w.play(tab, "cS sSA cA")
	w.cseq = 95000 // a forged SYN into a live session begins nothing
	w.play(tab, "cS")
	tab.Flush(1<<20, w.time)
	if len(r.ended) != 2 || r.ended[0].State != Closed || r.ended[1].State != Established || r.ended[1].Packets[0] != 3 {
		t.Errorf("%v", r.log)
	}
	if tab.Stats.Reused != 1 {
		t.Errorf("reused %d", tab.Stats.Reused)
	}
}

func TestExpiryByCaptureClock(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS")
	sec := w.time / 1e9
	tab.Advance(sec + tab.cfg.AttemptedTimeout - 1)
	if len(r.ended) != 0 {
		t.Fatal("ended too early")
	}
	tab.Advance(sec + tab.cfg.AttemptedTimeout)
	if len(r.ended) != 1 || tab.Live() != 0 {
		t.Fatal("not ended when due")
	}
	tab.Advance(sec + 40*365*86400) // a jump of decades
	w.time += 40 * 365 * 86400e9
	w.cseq = 7
	w.play(tab, "cS sSA cA:x")
	tab.Advance(w.time/1e9 + tab.cfg.EstablishedTimeout + 1)
	if len(r.ended) != 2 || r.ended[1].State != Established {
		t.Errorf("%v", r.log)
	}
}

// TestOneDirectionExpiresSoon holds that a session of which one side alone is seen is over soon after that side has ended it.
func TestOneDirectionExpiresSoon(t *testing.T) {
	for script, ends := range map[string]bool{
		"sSA sA:x sF": true, "cS cA cA:x cF": true, "sSA sA:x sR": true,
		"sSA sA:x": false, "cS sSA cA cF": false,
	} {
		r := &recorder{}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		w := newWire()
		w.play(tab, script)
		tab.Advance(w.time/1e9 + tab.cfg.AttemptedTimeout)
		if over := len(r.ended) == 1; over != ends {
			t.Errorf("%s: over %v", script, over)
		}
		if one := tab.Stats.TCPOneWay == 1; one != ends {
			t.Errorf("%s: counted as one-way %v", script, one)
		}
	}
}

func TestActiveSessionsAreRescheduled(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA")
	for range 100 {
		w.time += 1000e9
		tab.Advance(w.time / 1e9)
		w.play(tab, "cA:x")
	}
	if len(r.ended) != 0 || tab.Live() != 1 {
		t.Errorf("%v", r.log)
	}
}

func TestUDPAndICMP(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.proto = protoUDP
	w.play(tab, "c:q s:a")
	w.client, w.server = 41000, 53
	w.play(tab, "s:answer-without-question")
	echo := func(reply bool) *packet.Packet {
		p := w.packet(!reply, 0, "ping")
		p.Kind, p.Proto, p.SrcPort, p.DstPort = packet.KindICMP, protoICMP, 8, 0
		if reply {
			p.SrcPort = 0
		}
		return p
	}
	tab.Add(echo(false))
	tab.Add(echo(true))
	w.clientAddr = 9
	tab.Add(echo(true)) // only the reply is seen
	tab.Flush(1<<20, w.time)
	want := []struct {
		state State
		basis Basis
		last  byte // of the initiator's address
	}{{Established, BasisFirstPacket, 1}, {Midstream, BasisPort, 1}, {Established, BasisRequest, 1}, {Midstream, BasisRequest, 9}}
	for i, x := range want {
		v := r.ended[i]
		if v.State != x.state || v.Basis != x.basis || v.Initiator.Addr[15] != x.last {
			t.Errorf("%d: %v %v from %v", i, v.State, v.Basis, v.Initiator.Addr.Netip())
		}
	}
}

// A flood of echo messages with unusual payloads, each a session of its own, costs a bounded number of heads; pings cost none.
func TestFloodOfUnusualEchoes(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxHeads = 50
	r := &recorder{}
	tab := New(cfg, r)
	r.tab = tab
	w := newWire()
	const n = 1000
	for i := range 2 * n {
		w.clientAddr = byte(i)
		w.time += 1e6
		payload := "0123456789abcdef0123456789abcdef"
		if i >= n {
			payload = fmt.Sprintf("%032x%016x", i*7919, i*104729) + "\x93\x11\xfe\x80Q\xa7\x05\xc9\xe2\x1f\x99\x3c\xd4\x88\x6b\x02"
		}
		p := w.packet(true, 0, payload)
		p.Kind, p.Proto, p.SrcPort, p.DstPort = packet.KindICMP, protoICMP, 8, 0
		p.Dst[14], p.Dst[15] = byte(i>>8), byte(i)
		if usual := packet.UsualEcho(p.Payload); usual != (i < n) {
			t.Fatalf("payload %q: usual is %v", payload, usual)
		}
		tab.Add(p)
		if tab.heads.count > cfg.MaxHeads || i < n && tab.heads.count != 0 {
			t.Fatalf("%d heads after %d echo messages", tab.heads.count, i+1)
		}
	}
	if got := tab.Stats.HeadsEvicted; got != n-50 {
		t.Errorf("%d heads were evicted, want %d", got, n-50)
	}
}

// TestFloodDoesNotEvictLiveSessions sends a million SYNs through a small table: it stays small, and an answered session survives.
func TestFloodDoesNotEvictLiveSessions(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxSessions = 2000
	r := &recorder{}
	tab := New(cfg, r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA")
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	flood := newWire()
	p := flood.packet(true, syn, "")
	for i := range n {
		r.log = r.log[:0]
		if len(r.ended) > 100 {
			r.ended = r.ended[:0]
		}
		p.Num, p.SrcPort = uint64(100+i), uint16(i)
		p.Src = packet.AddrFrom4([]byte{byte(172), byte(i >> 16), byte(i >> 8), byte(i)})
		p.Time = w.time + int64(i)*1000
		tab.Advance(p.Time / 1e9)
		tab.Add(p)
	}
	if tab.Live() > cfg.MaxSessions || int(tab.used) > cfg.MaxSessions+1 {
		t.Errorf("%d sessions live, %d allocated", tab.Live(), tab.used)
	}
	if tab.Stats.Evicted < uint64(n-cfg.MaxSessions-1) {
		t.Errorf("evicted %d", tab.Stats.Evicted)
	}
	r.ended = nil
	w.play(tab, "cA:still-here")
	tab.Flush(1<<20, w.time)
	if v := r.ended[0]; v.State != Established || v.Packets != [2]uint64{3, 1} {
		t.Errorf("the live session was lost: %v %v", v.State, v.Packets)
	}
}

func TestNoAllocationPerPacket(t *testing.T) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	w := newWire()
	w.play(tab, "cS sSA cA cA:first sA:first")
	p, q := w.packet(true, ack, "more"), w.packet(false, ack, "more")
	r.log = make([]string, 0, 64)
	if n := testing.AllocsPerRun(1000, func() {
		p.Seq += 4
		q.Seq += 4
		tab.Add(p)
		tab.Add(q)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCommunityID(t *testing.T) {
	v4 := func(a, b, c, d byte) packet.Addr { return packet.AddrFrom4([]byte{a, b, c, d}) }
	cases := []struct {
		v    View
		want string
	}{
		{View{Proto: 6, HasPorts: true, Initiator: Endpoint{Addr: v4(128, 232, 110, 120), Port: 34855}, Responder: Endpoint{Addr: v4(66, 35, 250, 204), Port: 80}},
			"1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{View{Proto: 17, HasPorts: true, Initiator: Endpoint{Addr: v4(192, 168, 1, 52), Port: 54585}, Responder: Endpoint{Addr: v4(8, 8, 8, 8), Port: 53}},
			"1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{View{Proto: 1, ICMPType: 8, Initiator: Endpoint{Addr: v4(192, 168, 0, 89)}, Responder: Endpoint{Addr: v4(192, 168, 0, 1)}},
			"1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	}
	for _, c := range cases {
		if got := CommunityID(&c.v); got != c.want {
			t.Errorf("%v: %s, want %s", c.v.Proto, got, c.want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	r := &recorder{}
	tab := New(DefaultConfig(), r)
	r.tab = tab
	const n = 20000
	ps := make([]*packet.Packet, n)
	for i := range ps {
		w := newWire()
		w.num = uint64(i)
		p := w.packet(true, ack, "x")
		p.Src = packet.AddrFrom4([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		ps[i] = p
		tab.Add(p)
	}
	for i := 0; b.Loop(); i++ {
		p := ps[uint32(i)*2654435761%n]
		p.Seq++
		tab.Add(p)
	}
}
