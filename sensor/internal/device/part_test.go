// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// deed is one session of an address behind the MAC under test.
type deed struct {
	own       string // the address of the session
	port      uint16
	serves    bool   // answers on a port; else opens
	ttl, opts uint8  // TTL and length of SYN options of its TCP packets
	name      string // name that it announces
	times     int    // default 3
}

// Hosts behind a repeater are distinguished from a host with several addresses.
func TestAddressesBehindOneMAC(t *testing.T) {
	const a, b, c = "10.0.0.71", "10.0.0.72", "10.0.0.73"
	asks := func(ip string) deed { return deed{own: ip, port: 443} }
	serves := func(ip string, port uint16) deed { return deed{own: ip, port: port, serves: true} }
	tests := []struct {
		what  string
		cfg   Config
		deeds []deed
		apart bool
	}{
		{"both ask", Config{}, []deed{asks(a), asks(b)}, false},
		{"both ask on other ports", Config{}, []deed{asks(a), {own: b, port: 8443}}, false},
		{"both serve the same", Config{}, []deed{serves(a, 443), serves(b, 443)}, false},
		{"both serve, one more ports", Config{}, []deed{serves(a, 443), serves(a, 22), serves(b, 443)}, false},
		{"both ask and serve", Config{}, []deed{asks(a), serves(a, 22), asks(b), serves(b, 22)}, false},
		{"one asks and serves", Config{}, []deed{asks(a), serves(a, 22), asks(b)}, false},
		{"one session of each", Config{}, []deed{{own: a, port: 443, times: 1}, {own: b, port: 554, serves: true, times: 1}}, false},
		{"two subnets", Config{}, []deed{asks(a), serves("10.0.1.72", 554)}, false},
		{"a declared MAC", Config{WatchMACs: []packet.MAC{mac(9)}}, []deed{asks(a), serves(b, 554)}, false},
		{"one asks, one serves", Config{}, []deed{asks(a), serves(b, 554)}, true},
		{"other services", Config{}, []deed{serves(a, 554), serves(b, 9100)}, true},
		{"two cameras and a phone", Config{}, []deed{serves(a, 554), serves(b, 554), asks(c)}, true},
		{"names", Config{}, []deed{{own: a, port: 443, name: "kitchen"}, {own: b, port: 443, name: "hall"}}, true},
		{"one name", Config{}, []deed{{own: a, port: 443, name: "kitchen"}, {own: b, port: 443, name: "kitchen"}}, false},
		{"time to live", Config{}, []deed{{own: a, port: 443, ttl: 64}, {own: b, port: 443, ttl: 128}}, true},
		{"one time to live", Config{}, []deed{{own: a, port: 443, ttl: 64}, {own: b, port: 443, ttl: 64}}, false},
		{"options of the SYN", Config{}, []deed{{own: a, port: 443, ttl: 64, opts: 20}, {own: b, port: 443, ttl: 64, opts: 12}}, true},
		{"a tool that writes its own SYNs", Config{}, []deed{{own: a, port: 443, ttl: 64, opts: 20}, {own: b, port: 443, ttl: 64, opts: 4}}, false},
	}
	for _, tt := range tests {
		for _, order := range []string{"ARP first", "ARP last", "no ARP"} {
			r := New(tt.cfg)
			var addrs []string
			for _, x := range tt.deeds {
				if !slices.Contains(addrs, x.own) {
					addrs = append(addrs, x.own)
				}
			}
			tell := func(at int64) {
				for _, ip := range addrs {
					r.Link(arp(ip, mac(9)), at*sec)
				}
			}
			if order == "ARP first" {
				tell(0)
			}
			for i := range int64(3) {
				for j, x := range tt.deeds {
					if x.times == 0 || i < int64(x.times) {
						x.do(r, 1+100*i+int64(j))
					}
				}
			}
			if order == "ARP last" {
				tell(500)
			}
			want := []string{"mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:09"}
			if tt.apart {
				want = want[:1:1]
				for _, ip := range addrs {
					want = append(want, "ip:"+ip+"@local")
				}
				slices.Sort(want)
			}
			if got := keys(r); !slices.Equal(got, want) {
				t.Errorf("%s, %s: %v, want %v", tt.what, order, got, want)
			}
		}
	}
}

func (x deed) do(r *Registry, at int64) (moves []string) {
	k := talk{from: x.own, to: "10.0.0.2", fromMAC: mac(9), toMAC: mac(1), port: x.port, answered: true, ttl: x.ttl, at: at}
	if x.serves {
		k.from, k.to, k.fromMAC, k.toMAC, k.ttl = k.to, k.from, k.toMAC, k.fromMAC, 64
	}
	v := k.view()
	v.SynOptLen = x.opts
	opened := *v
	opened.Packets[1], opened.State, opened.Responder.MAC = 0, session.Attempted, packet.MAC{}
	r.Session(Opened, &opened, nil, v.Start)
	for _, m := range r.Moves() {
		moves = append(moves, fmt.Sprint(m.From, " to ", m.To.Key, " ", m.Addr))
	}
	a, b := r.Session(StateChanged, v, nil, v.Start)
	if x.name != "" {
		r.Fact(v, &dissect.ServiceAnnouncement{Service: "_http._tcp", Host: x.name + ".local."}, session.Out, a, b, v.Start)
	}
	if x.serves && x.port == 554 {
		r.Fact(v, &dissect.RTSPExchange{Method: "DESCRIBE", Status: 200, Realm: "AXIS_00408C123456"}, session.In, a, b, v.Start)
	}
	r.Session(Ended, v, nil, v.Start)
	return moves
}

// Each host behind a repeater keeps its history from before it was split off.
func TestHostsBehindARepeaterKeepTheirHistory(t *testing.T) {
	r := New(Config{})
	camera, phone := deed{own: "10.0.0.71", port: 554, serves: true}, deed{own: "10.0.0.72", port: 443}
	var moves []string
	for i := range int64(2) {
		camera.do(r, 10+100*i)
		moves = phone.do(r, 20+100*i)
	}
	x, y := r.ByIP(netip.MustParseAddr(camera.own)), r.ByIP(netip.MustParseAddr(phone.own))
	got := fmt.Sprint(x.Key, x.Role, x.FirstSeen/sec, x.LastSeen/sec, x.LastOrigination, len(x.Serves), " ",
		y.Key, y.Role, y.FirstSeen/sec, y.LastSeen/sec, y.LastOrigination/sec, y.Originated, len(y.Serves))
	if want := "ip:10.0.0.71@localcamera 10 110 0 1 ip:10.0.0.72@localunknown 20 120 120 2 0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	slices.Sort(moves)
	want := []string{"mac:00:40:8c:00:00:09 to ip:10.0.0.71@local 10.0.0.71", "mac:00:40:8c:00:00:09 to ip:10.0.0.72@local 10.0.0.72"}
	if !slices.Equal(moves, want) {
		t.Errorf("moves are %q, want %q", moves, want)
	}
}

// A host that changes its address is one device.
func TestChangeOfAddressIsNoNewDevice(t *testing.T) {
	r := New(Config{})
	for i := range int64(3) {
		deed{own: "10.0.0.71", port: 554, serves: true}.do(r, 10+i)
	}
	for i := range int64(3) {
		deed{own: "10.0.0.72", port: 443}.do(r, 1000+i)
	}
	if got := keys(r); len(got) != 2 || keyOf(r.ByIP(netip.MustParseAddr("10.0.0.71"))) != "mac:00:40:8c:00:00:09" {
		t.Errorf("%v", got)
	}
}

// A device that was first known by its address keeps its ID under its MAC.
func TestDeviceGetsItsMAC(t *testing.T) {
	first := talk{from: "10.0.0.5", to: "10.0.0.9", port: 443, answered: true, at: 10}
	then := talk{from: "10.0.0.5", to: "10.0.0.9", fromMAC: mac(5), toMAC: mac(9), port: 443, answered: true, ttl: 64, at: 20}
	for what, tell := range map[string]func(r *Registry){
		"a packet": func(r *Registry) { play(r, then) },
		"ARP":      func(r *Registry) { r.Link(arp("10.0.0.5", mac(5)), 20*sec) },
		"DHCP": func(r *Registry) {
			ack := &dissect.DHCPMessage{Type: "ack", ClientMAC: mac(5), YourIP: netip.MustParseAddr("10.0.0.5"), SubnetBits: 24}
			r.Fact(talk{from: "10.0.0.254", to: "10.0.0.5"}.view(), ack, session.In, nil, nil, 20*sec)
		},
		"its MAC, and then its address": func(r *Registry) {
			r.Link(&dissect.ARPMessage{Probe: true, SenderMAC: mac(5), EtherSrc: mac(5)}, 15*sec)
			play(r, then)
		},
	} {
		r := New(Config{})
		d, _ := play(r, first)
		tell(r)
		got := r.ByIP(netip.MustParseAddr("10.0.0.5"))
		if keyOf(got) != "mac:00:40:8c:00:00:05" || got.FirstSeen != 10*sec || got.FirstOrigination != 10*sec || got.MAC != mac(5) {
			t.Errorf("%s: %+v", what, got)
		}
		if what != "its MAC, and then its address" && got != d {
			t.Errorf("%s: it is another device", what)
		}
		if r.ByKey("ip:10.0.0.5@local") != nil {
			t.Errorf("%s: the old key is left", what)
		}
	}
}

// An address moves from one MAC to another by DHCP and stays there. Both are devices.
func TestLeaseMovesAddress(t *testing.T) {
	r := New(Config{})
	lease := func(m packet.MAC, at int64) {
		ack := &dissect.DHCPMessage{Type: "ack", ClientMAC: m, YourIP: netip.MustParseAddr("10.0.0.5"), SubnetBits: 24}
		r.Fact(talk{from: "10.0.0.254", to: "10.0.0.5"}.view(), ack, session.In, nil, nil, at*sec)
		play(r, talk{from: "10.0.0.5", to: "10.0.0.9", fromMAC: m, toMAC: mac(9), port: 443, answered: true, ttl: 64, at: at + 1})
	}
	lease(mac(1), 10)
	lease(mac(2), 100)
	if d := r.ByMAC(mac(1)); d == nil || len(d.IPs) != 0 || d.LastOrigination != 11*sec {
		t.Errorf("the first: %+v", d)
	}
	if d := r.ByMAC(mac(2)); d == nil || len(d.IPs) != 1 || d.FirstSeen != 100*sec {
		t.Errorf("the second: %+v", d)
	}
}

// No device has a broadcast address, even if it answers ARP for it. An attacker cannot hide a host that way.
func TestNoDeviceHasABroadcastAddress(t *testing.T) {
	all := packet.MAC{255, 255, 255, 255, 255, 255}
	send := func(r *Registry, to string, at int64) {
		v := talk{from: "10.0.0.9", to: to, fromMAC: mac(9), toMAC: all, port: 137, proto: protoUDP, at: at}.view()
		v.Group, v.Responder.MAC = true, packet.MAC{}
		r.Session(Opened, v, nil, at*sec)
	}
	ack := func(r *Registry, bits int) {
		f := &dissect.DHCPMessage{Type: "ack", ClientMAC: mac(8), YourIP: netip.MustParseAddr("10.0.0.40"), SubnetBits: bits}
		r.Fact(talk{from: "10.0.0.254", to: "10.0.0.40"}.view(), f, session.In, nil, nil, 0)
	}
	speak := func(r *Registry, from string) {
		play(r, talk{from: from, to: "10.0.0.9", fromMAC: mac(5), toMAC: mac(9), port: 443, answered: true, ttl: 64, at: 3})
	}
	for _, tt := range []struct {
		addr string
		do   func(r *Registry, addr string)
		held bool
	}{
		{"10.0.0.255", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0) }, false},
		{"10.0.0.0", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0) }, false},
		{"10.0.0.63", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0) }, true},
		{"10.0.0.63", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0); send(r, a, 1) }, false},
		{"10.0.0.63", func(r *Registry, a string) { send(r, a, 1); r.Link(arp(a, mac(5)), 2*sec) }, false},
		{"10.0.0.63", func(r *Registry, a string) { ack(r, 26); r.Link(arp(a, mac(5)), 2*sec) }, false},
		{"10.0.0.63", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0); ack(r, 26) }, false},
		{"10.0.0.32", func(r *Registry, a string) { r.Link(arp(a, mac(5)), 0); ack(r, 27) }, false},
		{"10.0.0.63", func(r *Registry, a string) { speak(r, a); send(r, a, 4) }, true},
		{"10.0.0.63", func(r *Registry, a string) { send(r, a, 1); speak(r, a) }, true},
		{"10.0.0.255", func(r *Registry, a string) { speak(r, a) }, true},
	} {
		r := New(Config{})
		tt.do(r, tt.addr)
		d := r.ByIP(netip.MustParseAddr(tt.addr))
		if (d != nil) != tt.held {
			t.Errorf("%s: held by %q", tt.addr, keyOf(d))
		}
	}
}

// All clients without an address share one session: a client must not be confused with the first one.
func TestClientsOfOneDHCPSession(t *testing.T) {
	r := New(Config{})
	v := talk{from: "0.0.0.0", to: "255.255.255.255", fromMAC: mac(1), toMAC: packet.MAC{255, 255, 255, 255, 255, 255}, port: 67, proto: protoUDP}.view()
	v.Initiator.Port, v.Group = 68, true
	for i := range byte(3) {
		a, b := r.Session(FactRead, v, nil, int64(i)*sec)
		r.Fact(v, &dissect.DHCPMessage{Type: "request", ClientMAC: mac(1 + i), EtherSrc: mac(1 + i)}, session.Out, a, b, int64(i)*sec)
		play(r, talk{from: fmt.Sprintf("10.0.0.%d", 1+i), to: "10.0.0.9", fromMAC: mac(1 + i), toMAC: mac(9), port: 443, answered: true, ttl: 64, at: 10})
	}
	want := []string{"mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:02", "mac:00:40:8c:00:00:03", "mac:00:40:8c:00:00:09"}
	if got := keys(r); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
