// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// act is one step of a session or one ARP message.
type act func(r *Registry, at int64)

// network is a network and its traffic: a list of steps, in order, for each session or message.
type network struct {
	x    *rand.Rand
	acts [][]act
	keys []string // of its devices, as expected at the end

	server packet.MAC
	// hidden: 10.7.1.21 is seen only beyond the router.
	hidden bool
}

func (n *network) mac() packet.MAC {
	return packet.MAC{0x00, 0x40, 0x8c, byte(n.x.Uint32()), byte(n.x.Uint32()), byte(n.x.Uint32())}
}

// session adds a session. Without fromMAC the capture has no MACs. synAck: the SYN came late or was not captured.
func (n *network) session(k talk, synAck bool) {
	v := k.view()
	v.ID = n.x.Uint64()
	v.Responder.TTL = 64
	if k.toMAC != (packet.MAC{}) && k.ttlBack != 0 {
		v.Responder.TTL = k.ttlBack
	}
	opened := *v
	opened.Packets[session.In], opened.State, opened.Responder.MAC, opened.Responder.TTL = 0, session.Attempted, packet.MAC{}, 0
	if synAck {
		opened.Packets = [2]uint64{0, 1}
		opened.Basis, opened.Initiator.MAC, opened.Initiator.TTL = session.BasisSYNACK, packet.MAC{}, 0
		opened.Responder = v.Responder
	}
	step := func(s Step, v session.View) act {
		return func(r *Registry, at int64) {
			w := v
			w.Start, w.End = at, at
			r.Session(s, &w, nil, at)
		}
	}
	list := []act{step(Opened, opened)}
	if k.answered {
		list = append(list, step(StateChanged, *v), step(Ended, *v))
	}
	n.acts = append(n.acts, list)
}

func (n *network) arp(ip string, m packet.MAC) {
	n.acts = append(n.acts, []act{func(r *Registry, at int64) { r.Link(arp(ip, m), at) }})
}

// dhcp adds a client that gets an address by asking through the MAC of another.
func (n *network) dhcp(client, through packet.MAC, ip string) {
	all := packet.MAC{255, 255, 255, 255, 255, 255}
	v := talk{from: "0.0.0.0", to: "255.255.255.255", fromMAC: through, toMAC: all, port: 67, proto: protoUDP}.view()
	v.Initiator.Port, v.Group = 68, true
	say := func(f *dissect.DHCPMessage) act {
		return func(r *Registry, at int64) {
			a, b := r.Session(FactRead, v, nil, at)
			r.Fact(v, f, session.Out, a, b, at)
		}
	}
	n.acts = append(n.acts, []act{say(&dissect.DHCPMessage{Type: "request", ClientMAC: client, EtherSrc: through, Hostname: "tablet"}),
		say(&dissect.DHCPMessage{Type: "ack", ClientMAC: client, YourIP: netip.MustParseAddr(ip), SubnetBits: 24})})
}

// happen plays everything in a random order that keeps the order of the steps of each session, with the given pause between steps.
func (n *network) happen(cfg Config, x *rand.Rand, pause int64) *Registry {
	r := New(cfg)
	left := slices.Clone(n.acts)
	at := int64(1772409600) * sec
	for len(left) > 0 {
		i := x.IntN(len(left))
		left[i][0](r, at)
		if left[i] = left[i][1:]; len(left[i]) == 0 {
			left = slices.Delete(left, i, i+1)
		}
		at += pause
	}
	return r
}

const srv = "10.0.0.2" // the server of all hosts

func (n *network) key(m packet.MAC) { n.keys = append(n.keys, "mac:"+m.String()) }

func (n *network) alone(ip string) { n.keys = append(n.keys, "ip:"+ip+"@local") }

// asks adds sessions with the server from an address behind a MAC.
func (n *network) asks(ip string, m packet.MAC, ttl uint8, times int) {
	for range times {
		n.session(talk{from: ip, to: srv, fromMAC: m, toMAC: n.server, port: 443, ttl: ttl, answered: true}, n.x.IntN(2) == 0)
	}
}

// office is a segment with a server, hosts, and a router with hosts and external addresses beyond it, with all that makes identities hard.
func office(seed uint64) *network {
	n := &network{x: rand.New(rand.NewPCG(seed, 1))}
	n.server = n.mac()
	n.arp(srv, n.server)
	n.key(n.server)
	n.segment(n.mac())
	n.routers()
	n.repeaters()
	n.arp("10.0.0.255", n.mac()) // an ARP answer for the broadcast address
	return n
}

// segment adds hosts, some of which are seen as a responder first, and a router with what lies beyond it.
func (n *network) segment(gw packet.MAC) {
	for i := range 4 {
		m, ip := n.mac(), fmt.Sprintf("10.0.0.%d", 10+i)
		n.key(m)
		n.asks(ip, m, 64, 1+n.x.IntN(3))
		if n.x.IntN(2) == 0 {
			n.arp(ip, m)
		}
		if n.x.IntN(2) == 0 { // a mirror of bare IP shows it too
			n.session(talk{from: ip, to: srv, port: 443, ttl: 64, answered: true}, false)
		}
		n.session(talk{from: ip, to: "198.51.100.7", fromMAC: m, toMAC: gw, port: 443, ttl: 64, ttlBack: 51, answered: true}, false)
	}
	if n.x.IntN(2) == 0 { // the router itself
		n.arp("10.0.0.1", gw)
		n.key(gw)
	} else if n.x.IntN(2) == 0 {
		n.session(talk{from: srv, to: "10.0.0.1", fromMAC: n.server, toMAC: gw, port: 53, proto: protoUDP, ttl: 64, ttlBack: 64, answered: true}, false)
		n.key(gw)
	}
	for i := range 3 { // hosts beyond the router, whose other side may be captured
		ip, m := fmt.Sprintf("10.7.%d.%d", i, 20+i), n.mac()
		n.asks(ip, gw, 63, 1)
		if n.x.IntN(2) == 0 {
			n.session(talk{from: ip, to: srv, fromMAC: m, toMAC: n.mac(), port: 443, ttl: 64, ttlBack: 63, answered: true}, false)
			n.key(m)
		} else {
			n.alone(ip)
			n.hidden = n.hidden || i == 1
		}
	}
	for i := range 2 { // one host with two addresses
		m := n.mac()
		n.asks(fmt.Sprintf("10.0.0.%d", 40+i), m, 64, 3)
		n.asks(fmt.Sprintf("10.%d.0.%d", i, 31+i), m, 64, 3)
		n.key(m)
	}
	n.session(talk{from: "10.9.0.5", to: "10.9.0.6", port: 443, ttl: 64}, false) // in a tunnel
	n.alone("10.9.0.5")
}

// routers adds MACs that look like hosts but forward for others.
func (n *network) routers() {
	virtual := packet.MAC{0, 0, 0x5e, 0, 1, 9} // one of a pair of routers, with its own address
	n.arp("10.0.0.3", virtual)
	n.session(talk{from: srv, to: "10.0.0.3", fromMAC: n.server, toMAC: virtual, port: 53, proto: protoUDP, ttl: 64, ttlBack: 255, answered: true}, false)
	n.session(talk{from: srv, to: "10.8.0.9", fromMAC: n.server, toMAC: virtual, port: 443, ttl: 64, ttlBack: 63, answered: true}, false)
	n.key(virtual)
	n.alone("10.8.0.9")
	container := n.mac() // a host that forwards for its guests, under its own address
	n.asks("10.0.0.81", container, 63, 1)
	n.asks("10.0.0.81", container, 64, 1)
	n.key(container)
	both := n.mac() // a router seen on both sides in one frame
	n.session(talk{from: "10.0.5.1", to: "10.0.6.1", fromMAC: both, toMAC: both, port: 443, ttl: 64, ttlBack: 64, answered: true}, false)
	n.asks("10.0.5.2", both, 64, 1)
	n.alone("10.0.5.1")
	seen := n.mac() // also seen on its own segment
	n.asks("10.0.6.1", seen, 64, 1)
	n.key(seen)
	n.key(both) // the only address whose packets were not forwarded
}

// repeaters adds hosts that share a MAC.
func (n *network) repeaters() {
	repeater, camera, phone := n.mac(), "10.0.0.71", "10.0.0.72"
	n.arp(camera, repeater)
	n.arp(phone, repeater)
	for range 8 {
		n.session(talk{from: srv, to: camera, fromMAC: n.server, toMAC: repeater, port: 554, ttl: 64, answered: true}, false)
		n.session(talk{from: phone, to: srv, fromMAC: repeater, toMAC: n.server, port: 443, ttl: 64, answered: true}, false)
	}
	n.alone(camera)
	n.alone(phone)
	bridge, client := n.mac(), n.mac() // a repeater that keeps the MAC of its client only in DHCP
	n.dhcp(client, bridge, "10.0.0.80")
	n.arp("10.0.0.80", bridge)
	n.asks("10.0.0.80", bridge, 64, 1)
	n.key(client)
}

// The devices at the end do not depend on the order of the events.
func TestKeysDoNotDependOnOrder(t *testing.T) {
	for seed := range uint64(200) {
		n := office(seed)
		slices.Sort(n.keys)
		var first []string
		for order := range uint64(10) {
			r := n.happen(Config{}, rand.New(rand.NewPCG(seed, 100+order)), []int64{sec, 20 * sec, 600 * sec}[order%3])
			got := keys(r)
			if first == nil {
				first = got
			} else if !slices.Equal(got, first) {
				t.Fatalf("seed %d, order %d: %v, in another order %v", seed, order, got, first)
			}
			got = slices.DeleteFunc(slices.Clone(got), func(k string) bool { d := r.ByKey(k); return len(d.IPs) == 0 })
			if !slices.Equal(got, n.keys) {
				var lost, more []string
				for _, k := range n.keys {
					if !slices.Contains(got, k) {
						lost = append(lost, k)
					}
				}
				for _, k := range got {
					if !slices.Contains(n.keys, k) {
						more = append(more, k+fmt.Sprint(r.ByKey(k).IPs))
					}
				}
				t.Fatalf("seed %d, order %d: without %v, with %v", seed, order, lost, more)
			}
			for _, d := range r.All() {
				for _, a := range d.IPs {
					if r.ByIP(a) != d {
						t.Fatalf("%s of %s is bound to %s", a, d.Key, keyOf(r.ByIP(a)))
					}
				}
			}
		}
	}
}

// The same is true if the operator names devices by address or MAC or declares them silent.
func TestNamedKeysDoNotDependOnOrder(t *testing.T) {
	addr := netip.MustParseAddr
	for seed := range uint64(100) {
		n := office(seed)
		var first string
		for order := range uint64(10) {
			cfg := Config{Watch: []netip.Prefix{netip.MustParsePrefix("10.0.0.72/32"), netip.MustParsePrefix("10.0.0.11/32")},
				Named: []Named{{Name: "host", IP: addr("10.0.0.10")}, {Name: "two", IP: addr("10.0.0.40")}, {Name: "beyond", IP: addr("10.7.1.21")},
					{Name: "camera", IP: addr("10.0.0.71")}, {Name: "tunnel", IP: addr("10.9.0.5")}}}
			r := n.happen(cfg, rand.New(rand.NewPCG(seed, 100+order)), []int64{sec, 20 * sec, 600 * sec}[order%3])
			got := ""
			for _, d := range r.All() {
				ips := slices.Clone(d.IPs)
				slices.SortFunc(ips, netip.Addr.Compare)
				got += fmt.Sprintln(d.Key, d.MAC, ips, d.Declared)
			}
			for _, x := range cfg.Named {
				if d := r.ByIP(x.IP); keyOf(d) != x.Name || !d.Declared || d.MAC.IsZero() != (x.Name == "beyond" && n.hidden || x.Name == "camera" || x.Name == "tunnel") {
					t.Fatalf("seed %d, order %d: %s is %q", seed, order, x.IP, keyOf(d))
				}
			}
			for _, p := range cfg.Watch {
				if d := r.ByIP(p.Addr()); d == nil || !d.Declared {
					t.Fatalf("seed %d, order %d: %s is not declared", seed, order, p)
				}
			}
			if first == "" {
				first = got
			} else if got != first {
				t.Fatalf("seed %d, order %d: %s", seed, order, firstDifference(got, first))
			}
		}
	}
}
