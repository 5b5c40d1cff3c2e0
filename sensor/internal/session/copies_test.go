// SPDX-License-Identifier: Apache-2.0

package session

import (
	"testing"

	"stillwatch/sensor/internal/packet"
)

// counted adds packets to a table in the order given and returns how many of them its sessions count.
func counted(tab *Table, all ...*packet.Packet) (n uint64) {
	for i, p := range all {
		p.Num = uint64(i + 1)
		tab.Advance(p.Time / 1e9)
		tab.Add(p)
	}
	for _, r := range tab.liveRefs() {
		n += tab.at(r).packets()
	}
	return n
}

func newCounter() *Table {
	r := &recorder{}
	r.tab = New(DefaultConfig(), r)
	return r.tab
}

// after returns a packet that differs from p in its time and in what change changes.
func after(p *packet.Packet, ns int64, change func(*packet.Packet)) *packet.Packet {
	x := *p
	x.Time += ns
	if change != nil {
		change(&x)
	}
	return &x
}

// first returns the first packet of a session, with an IP identification or without.
func (w *wire) first(proto uint8, id uint16, payload string) *packet.Packet {
	w.proto = proto
	flags := uint8(0)
	if proto == protoTCP && payload == "" {
		flags = syn
	} else if proto == protoTCP {
		flags = ack
	}
	p := w.packet(true, flags, payload)
	p.IPID = id
	if proto == protoICMP {
		p.Kind, p.SrcPort, p.DstPort = packet.KindICMP, 8, 0
	}
	return p
}

// TestCopiesAreCountedOnce sends a packet and another one like it. Before them, a SYN and its copy show that the mirror makes copies, in the
// cases that need that.
func TestCopiesAreCountedOnce(t *testing.T) {
	routed := func(p *packet.Packet) { p.TTL, p.SrcMAC, p.DstMAC = 62, packet.MAC{2, 1}, packet.MAC{2, 2} }
	tagged := func(p *packet.Packet) { p.NumVLANs, p.VLANs[0] = 1, 200 }
	tunneled := func(p *packet.Packet) { p.NumTunnels, p.Tunnels[0] = 1, packet.Tunnel{Type: packet.TunnelERSPAN} }
	id := func(n uint16) func(*packet.Packet) { return func(p *packet.Packet) { p.IPID = n } }
	text := func(s string) func(*packet.Packet) { return func(p *packet.Packet) { p.Payload = []byte(s) } }
	for _, x := range []struct {
		name    string
		p       *packet.Packet
		ns      int64
		change  func(*packet.Packet)
		copying bool // the mirror is known to make copies
		want    uint64
	}{
		{"SYN", newWire().first(protoTCP, 7, ""), 50_000, nil, false, 1},
		{"SYN without identification", newWire().first(protoTCP, 0, ""), 200_000, nil, false, 1},
		{"stamped earlier", newWire().first(protoTCP, 7, ""), -200_000, nil, false, 1},
		{"in another VLAN", newWire().first(protoTCP, 7, ""), 1000, tagged, false, 1},
		{"on the other side of a router", newWire().first(protoTCP, 7, ""), 1_000_000, routed, false, 1},
		{"in a mirror tunnel", newWire().first(protoTCP, 7, ""), 1_000_000, tunneled, false, 1},
		{"datagram", newWire().first(protoUDP, 7, "query"), 50_000, nil, false, 1},
		{"ping", newWire().first(protoICMP, 7, "12345678"), 50_000, nil, true, 1},
		{"segment", newWire().first(protoTCP, 7, "data"), 50_000, nil, true, 1},
		{"segment without identification", newWire().first(protoTCP, 0, "data"), 50_000, nil, true, 1},
		{"datagram without identification", newWire().first(protoUDP, 0, "query"), 50_000, nil, true, 1},

		{"SYN again", newWire().first(protoTCP, 7, ""), 1e9, id(8), false, 2},
		{"retransmission", newWire().first(protoTCP, 7, "data"), 50_000, id(8), true, 2},
		{"retransmission much later", newWire().first(protoTCP, 7, "data"), 200e6, nil, true, 2},
		{"retransmission without identification", newWire().first(protoTCP, 0, "data"), 2e6, nil, true, 2},
		{"query again after a second", newWire().first(protoUDP, 7, "query"), 1e9, nil, true, 2},
		{"query at once, no copies", newWire().first(protoUDP, 0, "query"), 50_000, nil, false, 2},
		{"query at once, another identification", newWire().first(protoUDP, 7, "query"), 50_000, id(8), true, 2},
		{"another query that poses as a copy", newWire().first(protoUDP, 7, "query"), 50_000, text("QUERY"), true, 2},
		{"another ping", newWire().first(protoICMP, 7, "12345678"), 50_000, text("12345679"), true, 2},
		{"another query without identification", newWire().first(protoUDP, 0, "query"), 50_000, text("QUERY"), true, 2},
	} {
		t.Run(x.name, func(t *testing.T) {
			tab := newCounter()
			all := []*packet.Packet{x.p, after(x.p, x.ns, x.change)}
			if x.copying {
				w := newWire()
				w.clientAddr = 2
				p := w.first(protoTCP, 1, "")
				all = append([]*packet.Packet{p, after(p, 1000, nil)}, all...)
				x.want++
			}
			if n := counted(tab, all...); n != x.want {
				t.Errorf("counted %d packets, want %d", n, x.want)
			}
			if d := tab.Stats.Duplicates; d != uint64(len(all))-x.want {
				t.Errorf("%d duplicates of %d packets", d, len(all))
			}
		})
	}
}

// TestEqualPacketsOfAFloodAreCounted holds a sender that repeats one packet, with its identification, against a mirror that copies it.
func TestEqualPacketsOfAFloodAreCounted(t *testing.T) {
	const n = 1000
	p := newWire().first(protoUDP, 54321, "flood")
	var all []*packet.Packet
	for i := range int64(n) {
		all = append(all, after(p, i*100_000, nil))
	}
	if got := counted(newCounter(), all...); got != n-maxCopies {
		t.Errorf("counted %d of %d packets", got, n)
	}
}

// TestCopiesAreLookedForWhileTheMirrorMakesThem adds a segment and its copy while copies are found, and long after.
func TestCopiesAreLookedForWhileTheMirrorMakesThem(t *testing.T) {
	w := newWire()
	first := w.first(protoTCP, 1, "")
	tab := newCounter()
	counted(tab, first, after(first, 1000, nil))
	for _, x := range []struct {
		seconds int64
		want    uint64
	}{{copySeconds - 1, 1}, {copySeconds + 1, 2}} {
		w.time = first.Time + x.seconds*1e9
		tab.Advance(w.time / 1e9)
		before := tab.Stats.TCPPackets - tab.Stats.TCPDuplicates
		for i := range uint32(2) { // without an identification, so it takes a mirror that makes copies
			p := w.first(protoTCP, 0, "data")
			p.Seq, p.Time = 5000, w.time+int64(i)*1000
			tab.Add(p)
		}
		if n := tab.Stats.TCPPackets - tab.Stats.TCPDuplicates - before; n != x.want {
			t.Errorf("%d s after a copy: %d packets counted, want %d", x.seconds, n, x.want)
		}
	}
}

func TestCopiesWithoutIP(t *testing.T) {
	tab := newCounter()
	p := &packet.Packet{Time: 1e18, Kind: packet.KindARP, EtherType: 0x806, Body: []byte("who has 10.20.1.1")}
	other := after(p, 0, func(p *packet.Packet) { p.Body = []byte("who has 10.20.1.2") })
	for i, x := range []struct {
		p    *packet.Packet
		want bool
	}{{p, false}, {after(p, 1000, nil), true}, {other, false}, {after(other, -1000, nil), true}, {after(p, 1e9, nil), false}} {
		if got := tab.Copied(x.p); got != x.want {
			t.Errorf("packet %d: a copy %v, want %v", i, got, x.want)
		}
	}
}

func TestCopiesDoNotAllocate(t *testing.T) {
	tab := newCounter()
	w := newWire()
	syn := w.first(protoTCP, 1, "")
	counted(tab, syn, after(syn, 1000, nil))
	data := w.first(protoUDP, 9, "some query")
	if n := testing.AllocsPerRun(1000, func() {
		data.Time += 100e6
		tab.Add(data)
		data.Time += 1000
		tab.Add(data)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if d := tab.Stats.Duplicates; d < 1000 {
		t.Errorf("%d duplicates", d)
	}
}

// TestCopiesOfASession checks that the copies of a session are counted beside it, by direction, also after Turn.
func TestCopiesOfASession(t *testing.T) {
	for _, swap := range []bool{false, true} {
		tab := newCounter()
		w := newWire()
		w.swapTheAddrs = swap
		p := w.first(protoTCP, 7, "")
		if p.Num = 1; swap {
			tab.Add(after(p, -1e9, func(p *packet.Packet) { p.SrcPort++ })) // another session
		}
		tab.Add(p)
		var v View
		look := func() *View {
			for _, r := range tab.liveRefs() {
				if s := tab.at(r); s.first == p.Time {
					tab.View(s, &v)
				}
			}
			return &v
		}
		if look().Copies != nil {
			t.Errorf("copies of a single packet: %+v", v.Copies)
		}
		tab.Add(after(p, 1000, nil))
		x := look().Copies
		if x == nil || x.Packets != [2]uint64{1, 0} || x.IPBytes != [2]uint64{uint64(p.IPBytes), 0} || v.Packets != [2]uint64{1, 0} {
			t.Fatalf("swapped %v: %+v of %v packets", swap, x, v.Packets)
		}
		if v.Turn(); v.Copies.Packets != [2]uint64{0, 1} || x.Packets != [2]uint64{1, 0} {
			t.Errorf("after a turn: %+v, and it was %+v", v.Copies, x)
		}
		tab.Advance(p.Time/1e9 + 100_000)
		if len(tab.copies.of) != 0 {
			t.Errorf("%d sessions that have expired have copies", len(tab.copies.of))
		}
	}
}
