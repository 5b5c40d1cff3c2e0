// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// made returns the address under a prefix that is made from a MAC.
func made(prefix string, m packet.MAC) string {
	a := netip.MustParseAddr(prefix + "::").As16()
	copy(a[8:], []byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	return netip.AddrFrom16(a).String()
}

func advertise(a string, m packet.MAC) *dissect.NDMessage {
	return &dissect.NDMessage{Type: 136, Src: netip.MustParseAddr(a), Target: netip.MustParseAddr(a), EtherSrc: m, TargetLink: m}
}

// detectDuplicates is the solicitation that a host sends before it uses an address.
func detectDuplicates(a string, m packet.MAC) *dissect.NDMessage {
	return &dissect.NDMessage{Type: 135, Src: netip.IPv6Unspecified(), Target: netip.MustParseAddr(a), EtherSrc: m}
}

func says(r *Registry, from string, m packet.MAC, f dissect.Fact, at int64) {
	v := talk{from: from, to: "ff02::fb", fromMAC: m, toMAC: packet.MAC{0x33, 0x33, 0, 0, 0, 0xfb}, port: 5353, proto: protoUDP, ttl: 255, at: at}.view()
	a, b := r.Session(FactRead, v, nil, at*sec)
	r.Fact(v, f, session.Out, a, b, at*sec)
}

func announcement(name string, addrs ...string) *dissect.DNSMessage {
	m := &dissect.DNSMessage{MDNS: true, Response: true}
	for i, a := range addrs {
		if i%2 == 1 {
			name = strings.ToUpper(name) // names have no case
		}
		m.Answers = append(m.Answers, dissect.DNSAnswer{Name: name, TTL: 120, Addr: netip.MustParseAddr(a)})
	}
	return m
}

func addresses(d *Device) (list []string) {
	for _, a := range d.IPs {
		list = append(list, a.String())
	}
	slices.Sort(list)
	return list
}

// One station has its addresses of both versions, however each is learned: link-local, made from the MAC, temporary, leased, announced.
func TestAllAddressesOfOneDevice(t *testing.T) {
	const local, temporary, leased, other = "fe80::1:2:3:4", "fd00::a:b:c:d", "fd00::99", "10.0.0.8"
	m := mac(7)
	steps := []func(r *Registry, at int64){
		func(r *Registry, at int64) { r.Link(arp("10.0.0.7", m), at*sec) },
		func(r *Registry, at int64) {
			play(r, talk{from: made("fd00", m), to: "fd00::1", fromMAC: m, toMAC: mac(1), port: 443, ttl: 64, at: at})
		},
		func(r *Registry, at int64) { r.Link(advertise(local, m), at*sec) },
		func(r *Registry, at int64) { r.Link(detectDuplicates(temporary, m), at*sec) },
		func(r *Registry, at int64) {
			says(r, "10.0.0.7", m, announcement("cam.local", "10.0.0.7", other), at)
		},
		func(r *Registry, at int64) {
			play(r, talk{from: local, to: "ff02::1:2", fromMAC: m, toMAC: packet.MAC{0x33, 0x33, 0, 1, 0, 2}, port: 547, proto: protoUDP, ttl: 64, at: at})
			v := talk{from: "fe80::1", to: local, fromMAC: mac(1), toMAC: m, port: 546, proto: protoUDP, ttl: 64, at: at}.view()
			a, b := r.Session(FactRead, v, nil, at*sec)
			r.Fact(v, &dissect.DHCPv6Message{Type: "reply", MAC: mac(99), Addrs: []netip.Addr{netip.MustParseAddr(leased)}}, session.Out, a, b, at*sec)
		},
	}
	want := []string{"10.0.0.7", other, leased, made("fd00", m), temporary, local}
	slices.Sort(want)
	for first := range steps {
		r := New(Config{})
		for i := range steps {
			steps[(first+i)%len(steps)](r, int64(i+1))
		}
		for i := range steps { // what needs another step first is repeated in any capture
			steps[i](r, int64(100+i))
		}
		if d := r.ByMAC(m); d == nil || !slices.Equal(addresses(d), want) {
			t.Errorf("from step %d: %v, want %v", first, addresses(d), want)
		}
		if r.ByMAC(mac(99)) != nil {
			t.Errorf("from step %d: the MAC in the DUID became a device", first)
		}
	}
}

// What a station only says about itself takes no address from another, and ends when another sends from the address.
func TestAssumedAddressYields(t *testing.T) {
	const host, taken, other = "fd00::5", "fd00::6", "10.0.0.9"
	r := New(Config{})
	play(r, talk{from: taken, to: "fd00::1", fromMAC: mac(2), toMAC: mac(1), port: 443, ttl: 64, at: 1})
	for _, a := range []string{host, taken, "2001:db8::5", "ff02::1", "fd00::7"} {
		r.Link(detectDuplicates(a, mac(3)), 2*sec)
	}
	liar := r.ByMAC(mac(3))
	if got := addresses(liar); !slices.Equal(got, []string{host, "fd00::7"}) {
		t.Fatalf("it has %v", got)
	}
	says(r, "10.0.0.3", mac(3), announcement("other.local", other), 3) // not its own name
	says(r, "10.0.0.3", mac(3), announcement("liar.local", "10.0.0.3", "198.51.100.1", "10.0.0.255"), 3)
	if r.ByIP(netip.MustParseAddr(other)) != nil || r.ByIP(netip.MustParseAddr("198.51.100.1")) != nil || len(liar.IPs) != 3 {
		t.Errorf("it has %v", addresses(liar))
	}
	play(r, talk{from: host, to: "fd00::1", fromMAC: mac(4), toMAC: mac(1), port: 443, ttl: 64, at: 4})
	play(r, talk{from: "fd00::7", to: "fd00::1", fromMAC: mac(9), toMAC: mac(1), port: 443, ttl: 63, at: 4})
	if d := r.ByIP(netip.MustParseAddr(host)); d != r.ByMAC(mac(4)) || d == liar {
		t.Errorf("%s is of %s", host, keyOf(d))
	}
	if d := r.ByIP(netip.MustParseAddr("fd00::7")); keyOf(d) != "ip:fd00::7@local" {
		t.Errorf("fd00::7 is of %s", keyOf(d))
	}
	if l := r.links[mac(3)]; l.router || l.proxy {
		t.Error("assumed addresses made it a router")
	}
}

// Hosts behind a proxy of Neighbor Discovery, or a repeater, are devices of their own.
func TestNeighborDiscoveryProxy(t *testing.T) {
	proxy, a, b := mac(0x10), mac(0x11), mac(0x12)
	own := made("fe80", proxy)
	tests := []struct {
		what  string
		addrs []string
		cfg   Config
		want  []string // addresses that remain at the MAC
	}{
		{"a proxy", []string{own, made("fd00", a), made("fd00", b), made("fe80", a)}, Config{}, []string{own}},
		{"one changed MAC", []string{own, made("fd00", a), made("fe80", a), "fd00::1:2:3:4"}, Config{}, []string{"fd00::1:2:3:4", made("fd00", a), own, made("fe80", a)}},
		{"a declared MAC", []string{own, made("fd00", a), made("fd00", b)}, Config{WatchMACs: []packet.MAC{proxy}}, []string{made("fd00", a), made("fd00", b), own}},
	}
	for _, tt := range tests {
		for _, reversed := range []bool{false, true} {
			addrs := slices.Clone(tt.addrs)
			if reversed {
				slices.Reverse(addrs)
			}
			r := New(tt.cfg)
			for i, a := range addrs {
				r.Link(advertise(a, proxy), int64(i)*sec)
			}
			slices.Sort(tt.want)
			if got := addresses(r.ByMAC(proxy)); !slices.Equal(got, tt.want) {
				t.Errorf("%s, reversed %v: %v, want %v", tt.what, reversed, got, tt.want)
			}
			for _, a := range addrs {
				if d := r.ByIP(netip.MustParseAddr(a)); d == nil || d == r.ByMAC(proxy) != slices.Contains(tt.want, a) {
					t.Errorf("%s, reversed %v: %s is of %s", tt.what, reversed, a, keyOf(d))
				}
			}
		}
	}
}

// A proxy without addresses made from MACs is recognized by their number; the host that shows its own MAC on its segment keeps it.
func TestNeighborDiscoveryProxyOfMany(t *testing.T) {
	proxy, host := mac(0x10), mac(0x11)
	seen := made("fd00:0:0:1", host)
	r := New(Config{})
	for i := range 30 {
		r.Link(advertise(packet.Addr{0xfd, 8: 0x10, 15: byte(i + 1)}.Netip().String(), proxy), int64(i)*sec)
	}
	if d := r.ByMAC(proxy); d == nil || len(d.IPs) != 0 || r.Stats().Devices != 31 {
		t.Errorf("%v, %d devices", d, r.Stats().Devices)
	}
	r.Link(advertise(seen, host), 40*sec)
	r.Link(advertise(seen, proxy), 41*sec)
	play(r, talk{from: seen, to: "fd00::1", fromMAC: proxy, toMAC: mac(1), port: 443, ttl: 64, at: 42})
	if d := r.ByIP(netip.MustParseAddr(seen)); d == nil || d != r.ByMAC(host) {
		t.Errorf("%s is of %s", seen, keyOf(d))
	}
}

// The vendor of a device behind a router is read from an address that is made from its MAC.
func TestVendorOfEmbeddedMAC(t *testing.T) {
	r := New(Config{})
	axis := packet.MAC{0x00, 0x40, 0x8c, 1, 2, 3}
	a, router := made("fd00", axis), packet.MAC{0x00, 0x1b, 0x21, 0, 0, 1}
	play(r, talk{from: a, to: "fd00:0:0:9::1", fromMAC: router, toMAC: mac(1), port: 443, ttl: 63, at: 1})
	d := r.ByIP(netip.MustParseAddr(a))
	if keyOf(d) != "ip:"+a+"@local" || d.Vendor != "Axis" || !d.MAC.IsZero() {
		t.Fatalf("%s %q %v", keyOf(d), d.Vendor, d.MAC)
	}
	play(r, talk{from: a, to: "fd00::1", fromMAC: axis, toMAC: mac(1), port: 443, ttl: 64, at: 2}) // on its own segment
	d = r.ByIP(netip.MustParseAddr(a))
	n := 0
	for _, e := range d.Evidence {
		if e.Source == "oui" {
			n++
		}
	}
	if d.MAC != axis || n != 1 {
		t.Errorf("%s has %d observations of its vendor", keyOf(d), n)
	}
}
