// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const begin = int64(1772409600) * second // 2026-03-02 00:00:00 UTC

var routerMAC = packet.MAC{0x00, 0x1b, 0x54, 0, 0, 1}

// fixture runs the detectors over events that are built in code, with a real device registry and real contracts.
type fixture struct {
	t    *testing.T
	reg  *device.Registry
	book *contract.Registry
	dets []Detector
	c    Context
	got  []*Finding
	num  uint64
	port uint16
}

// newWorld declares the given addresses silent. inv may be nil.
func newFixture(t *testing.T, inv *contract.Inventory, silent ...string) *fixture {
	t.Helper()
	var ps []netip.Prefix
	for _, s := range silent {
		ps = append(ps, netip.MustParsePrefix(s+"/32"))
	}
	dets, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &fixture{t: t, reg: device.New(device.Config{Watch: ps}), book: contract.New(inv, contract.Config{Silent: ps}), dets: dets, port: 40000}
	w.c = Context{Now: begin, Devices: w.reg, Contracts: w.book, Names: enrich.NewNames(0), Emit: func(f *Finding) {
		w.got = append(w.got, f)
		CheckTexts(t, f)
	}}
	return w
}

func macOf(a netip.Addr) packet.MAC {
	if !a.IsPrivate() {
		return routerMAC
	}
	b := a.As16()
	return packet.MAC{0xb8, 0xca, 0x3a, b[13], b[14], b[15]}
}

// wait moves the capture clock on, with a tick at its end.
func (w *fixture) wait(ns int64) {
	w.c.Now += ns
	w.reg.Tick(w.c.Now)
	for _, d := range w.dets {
		d.Tick(w.c.Now, &w.c)
	}
}

// session returns a session that has just been opened. to has a port ("198.51.100.1:443").
func (w *fixture) session(proto uint8, from, to string) *session.View {
	w.num++
	w.port++
	dst := netip.MustParseAddrPort(to)
	src := netip.MustParseAddr(from)
	v := &session.View{ID: w.num, Start: w.c.Now, End: w.c.Now, Proto: proto, HasPorts: true, Basis: session.BasisSYN, SynSeq: 1, SynOptLen: 20,
		Initiator: session.Endpoint{Addr: packet.AddrOf(src), MAC: macOf(src), Port: w.port},
		Responder: session.Endpoint{Addr: packet.AddrOf(dst.Addr()), MAC: macOf(dst.Addr()), Port: dst.Port()}}
	v.V6 = src.Is6()
	v.Packets[0] = 1
	switch proto {
	case protoUDP:
		v.Basis = session.BasisFirstPacket
	case protoICMP:
		v.Basis, v.ICMPType, v.HasPorts = session.BasisRequest, 8, false
		v.Initiator.Port, v.Responder.Port = 8, 0
	}
	return v
}

func (w *fixture) event(k Kind, v *session.View, app *fingerprint.App, f dissect.Fact) {
	w.num++
	e := &Event{Kind: k, Time: w.c.Now, Num: w.num, Session: v, App: app, Fact: f, FactDir: session.In}
	steps := map[Kind]device.Step{SessionOpened: device.Opened, SessionState: device.StateChanged, SessionFact: device.FactRead,
		SessionProgress: device.Progress, SessionEnded: device.Ended}
	e.Initiator, e.Responder = w.reg.Session(steps[k], v, app, w.c.Now)
	e.Opening = w.reg.Opening(v)
	if f != nil {
		w.reg.Fact(v, f, e.FactDir, e.Initiator, e.Responder, w.c.Now)
	}
	_, e.Named = f.(*dissect.AppID)
	w.c.Begin()
	NewWatch(w.dets).Observe(e, &w.c)
}

// in returns a copy of v in another state.
func in(v *session.View, s session.State) *session.View {
	n := *v
	n.State = s
	if s != session.Attempted && s != session.OneWay {
		n.Packets[1] = max(n.Packets[1], 1)
	}
	return &n
}

func (w *fixture) open(proto uint8, from, to string) *session.View {
	v := w.session(proto, from, to)
	w.event(SessionOpened, v, nil, nil)
	return v
}

// connect opens a TCP session that is answered, attempt one that is not, refused one that is refused.
func (w *fixture) connect(from, to string) *session.View {
	v := in(w.open(protoTCP, from, to), session.Established)
	w.event(SessionState, v, nil, nil)
	return v
}

func (w *fixture) attempt(from, to string) {
	w.event(SessionEnded, in(w.open(protoTCP, from, to), session.Attempted), nil, nil)
}

func (w *fixture) refused(from, to string) {
	v := in(w.open(protoTCP, from, to), session.Rejected)
	w.event(SessionState, v, nil, nil)
	w.event(SessionEnded, v, nil, nil)
}

func (w *fixture) fact(v *session.View, f dissect.Fact) {
	var app *fingerprint.App
	w.event(SessionFact, v, app.With(f), f)
}

// carried ends a session with the given payload each way.
func (w *fixture) carried(v *session.View, out, in uint64) {
	n := *v
	n.PayloadBytes, n.IPBytes, n.State = [2]uint64{out, in}, [2]uint64{out, in}, session.Closed
	n.End = w.c.Now
	w.event(SessionEnded, &n, nil, nil)
}

func (w *fixture) arpRequest(from, to string) {
	src, dst := netip.MustParseAddr(from), netip.MustParseAddr(to)
	m := &dissect.ARPMessage{Request: true, SenderMAC: macOf(src), SenderIP: src, TargetIP: dst, EtherSrc: macOf(src), EtherDst: packet.MAC{255, 255, 255, 255, 255, 255}}
	m.Gratuitous = from == to
	e := &Event{Kind: LinkFact, Time: w.c.Now, Fact: m}
	e.Initiator = w.reg.Link(m, w.c.Now)
	NewWatch(w.dets).Observe(e, &w.c)
}

// reported lists the findings of a rule as "severity key".
func (w *fixture) reported(rule string) []string {
	var out []string
	for _, f := range w.got {
		if f.Rule.ID == rule {
			out = append(out, f.Severity.String()+" "+f.Key)
		}
	}
	return out
}

func (w *fixture) want(rule string, want ...string) {
	w.t.Helper()
	if got := w.reported(rule); !slices.Equal(got, want) {
		w.t.Errorf("%s told:\n  %s\nwant:\n  %s", rule, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantLast compares the last finding of a rule with "severity key" and returns it.
func (w *fixture) wantLast(rule, want string) *Finding {
	w.t.Helper()
	for i := len(w.got) - 1; i >= 0; i-- {
		if f := w.got[i]; f.Rule.ID == rule {
			if got := f.Severity.String() + " " + f.Key; got != want {
				w.t.Errorf("%s told %q last, want %q", rule, got, want)
			}
			return f
		}
	}
	w.t.Fatalf("%s told nothing, want %q", rule, want)
	return nil
}

func inventory(entries ...contract.Entry) *contract.Inventory {
	for i := range entries {
		entries[i].HasExpect = true
	}
	return &contract.Inventory{Devices: entries, Zones: []contract.Zone{{Name: "cameras", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.30.0/24")}}}}
}

func entry(name, ip string, x contract.Expect, allow ...contract.Rule) contract.Entry {
	return contract.Entry{Name: name, Match: contract.Match{IP: netip.MustParseAddr(ip)}, Expect: x, Allow: allow}
}

// declared returns a fixture that knows the entries of an inventory by name, as the pipeline sets it up.
func declared(t *testing.T, entries ...contract.Entry) *fixture {
	t.Helper()
	inv := inventory(entries...)
	w := newFixture(t, inv)
	var named []device.Named
	for _, e := range inv.Devices {
		named = append(named, device.Named{Name: e.Name, IP: e.Match.IP})
	}
	w.reg = device.New(device.Config{Named: named})
	w.c.Devices = w.reg
	return w
}

func allowIn(peer string, port uint16) contract.Rule {
	return contract.Rule{Text: fmt.Sprintf("in tcp %d from %s", port, peer), Direction: session.In, Proto: "tcp",
		Peer: contract.Peer{Prefix: netip.MustParsePrefix(peer)}, Ports: [][2]uint16{{port, port}}}
}

func allowOut(peer string, port uint16) contract.Rule {
	r := allowIn(peer, port)
	r.Direction, r.Text = session.Out, fmt.Sprintf("out tcp %d to %s", port, peer)
	return r
}
