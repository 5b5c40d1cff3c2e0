// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const sec = int64(1e9)

func ip(s string) packet.Addr { return packet.AddrOf(netip.MustParseAddr(s)) }

func mac(last byte) packet.MAC { return packet.MAC{0x00, 0x40, 0x8c, 0, 0, last} }

// talk is one session in a test table.
type talk struct {
	from, to       string
	fromMAC, toMAC packet.MAC
	port           uint16
	proto          uint8 // 0: TCP
	answered       bool
	ttl, ttlBack   uint8
	at             int64 // seconds
}

func (k talk) view() *session.View {
	v := &session.View{Start: k.at * sec, End: k.at * sec, Proto: k.proto, HasPorts: true, Basis: session.BasisSYN}
	if v.Proto == 0 {
		v.Proto = protoTCP
	}
	v.Initiator = session.Endpoint{Addr: ip(k.from), MAC: k.fromMAC, Port: 40000, TTL: k.ttl}
	v.Responder = session.Endpoint{Addr: ip(k.to), MAC: k.toMAC, Port: k.port}
	v.Packets[0] = 1
	if k.answered {
		v.Packets[1], v.State = 1, session.Established
	}
	return v
}

// play passes a session to the registry as the pipeline does: opened, then a change of state.
func play(r *Registry, k talk) (a, b *Device) {
	v := k.view()
	opened := *v
	opened.Packets[1], opened.State = 0, session.Attempted
	a, b = r.Session(Opened, &opened, nil, opened.Start)
	if k.answered {
		a, b = r.Session(StateChanged, v, nil, v.Start)
	}
	return a, b
}

func keyOf(d *Device) string {
	if d == nil {
		return ""
	}
	return d.Key
}

func keys(r *Registry) (out []string) {
	for _, d := range r.All() {
		out = append(out, d.Key)
	}
	return out
}

func arp(from string, m packet.MAC) *dissect.ARPMessage {
	return &dissect.ARPMessage{SenderIP: netip.MustParseAddr(from), SenderMAC: m, EtherSrc: m}
}

func TestIdentity(t *testing.T) {
	gw, none := mac(0xfe), packet.MAC{}
	vrrp := packet.MAC{0, 0, 0x5e, 0, 1, 7}
	tests := []struct {
		what  string
		cfg   Config
		first []talk
		last  talk
		a, b  string
	}{
		{"both on the segment", Config{}, nil,
			talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:02"},
		{"a responder that was never heard is no device", Config{}, nil,
			talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2)}, "mac:00:40:8c:00:00:01", ""},
		{"external peer behind the gateway", Config{}, nil,
			talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, answered: true}, "mac:00:40:8c:00:00:01", ""},
		{"a host behind a MAC with an external address", Config{}, []talk{{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, answered: true}},
			talk{from: "10.9.0.1", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1), answered: true}, "ip:10.9.0.1@local", "mac:00:40:8c:00:00:01"},
		{"no MACs", Config{Site: "hq"}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", answered: true}, "ip:10.0.0.1@hq", "ip:10.0.0.2@hq"},
		{"one MAC on both ends", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: gw, toMAC: gw, answered: true}, "ip:10.0.0.1@local", "ip:10.0.0.2@local"},
		{"VRRP address", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: vrrp, answered: true}, "mac:00:40:8c:00:00:01", "ip:10.0.0.2@local"},
		{"routed time to live", Config{}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), ttl: 63, answered: true}, "ip:10.0.0.1@local", "mac:00:40:8c:00:00:02"},
		{"multicast and broadcast are no devices", Config{}, nil, talk{from: "10.0.0.1", to: "239.255.255.250", fromMAC: mac(1), toMAC: packet.MAC{1, 0, 0x5e, 0x7f, 0xff, 0xfa}, proto: 17}, "mac:00:40:8c:00:00:01", ""},
		{"DHCP client without address", Config{}, nil, talk{from: "0.0.0.0", to: "255.255.255.255", fromMAC: mac(1), toMAC: packet.MAC{255, 255, 255, 255, 255, 255}, port: 67, proto: 17}, "mac:00:40:8c:00:00:01", ""},
		{"loopback", Config{}, nil, talk{from: "127.0.0.1", to: "127.0.0.1"}, "", ""},
		{"declared external address", Config{Watch: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}}, nil,
			talk{from: "198.51.100.1", to: "203.0.113.9", fromMAC: mac(1), toMAC: gw, answered: true}, "mac:00:40:8c:00:00:01", ""},
		{"declared loopback and reserved addresses", Config{Watch: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("254.1.1.1/32")}}, nil,
			talk{from: "127.0.0.1", to: "254.1.1.1", answered: true}, "ip:127.0.0.1@local", "ip:254.1.1.1@local"},
		{"a declared group is still no device", Config{Watch: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, nil,
			talk{from: "10.0.0.1", to: "239.1.1.1", fromMAC: mac(1), proto: 17}, "mac:00:40:8c:00:00:01", ""},
		{"named by MAC", Config{Named: []Named{{Name: "cam-1", MAC: mac(1)}}}, nil, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2)}, "cam-1", ""},
		{"named by address, behind a router", Config{Named: []Named{{Name: "srv-1", IP: netip.MustParseAddr("10.9.0.1")}}},
			[]talk{{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw}}, talk{from: "10.9.0.1", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1)}, "srv-1", "mac:00:40:8c:00:00:01"},
		{"named by address, on the segment", Config{Named: []Named{{Name: "srv-1", IP: netip.MustParseAddr("10.0.0.1")}}}, nil,
			talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw}, "srv-1", ""},
		{"another MAC carries an address that its holder still uses", Config{}, []talk{{from: "10.0.0.1", to: "10.1.0.2", fromMAC: mac(1), toMAC: mac(8), answered: true}},
			talk{from: "10.0.0.1", to: "10.1.0.2", fromMAC: mac(9), toMAC: mac(2), answered: true, at: 1}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:08"},
		{"a replaced device takes over a quiet address", Config{}, []talk{{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(1), toMAC: mac(9), answered: true}},
			talk{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(3), toMAC: mac(9), answered: true, at: 3600}, "mac:00:40:8c:00:00:03", "mac:00:40:8c:00:00:09"},
		{"without a MAC a known address stays with its device", Config{}, []talk{{from: "10.0.0.1", to: "10.0.0.9", fromMAC: mac(1), toMAC: mac(9), answered: true}},
			talk{from: "10.0.0.1", to: "10.0.0.9", fromMAC: none, toMAC: none, answered: true, at: 1}, "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:09"},
	}
	for _, tt := range tests {
		r := New(tt.cfg)
		for _, k := range tt.first {
			play(r, k)
		}
		a, b := play(r, tt.last)
		if keyOf(a) != tt.a || keyOf(b) != tt.b {
			t.Errorf("%s: %q %q, want %q %q (all: %v)", tt.what, keyOf(a), keyOf(b), tt.a, tt.b, keys(r))
		}
	}
}

// Eight addresses behind one MAC make it a router, and each address a device.
func TestRouterByManyAddresses(t *testing.T) {
	r := New(Config{})
	gw := mac(0xfe)
	r.Link(arp("10.0.0.254", gw), 0)
	for i := range 8 {
		host := netip.AddrFrom4([4]byte{10, 7, 0, byte(i + 1)}).String()
		play(r, talk{from: "10.0.0.1", to: host, fromMAC: mac(1), toMAC: gw, port: 80, answered: true, at: int64(i)})
	}
	want := []string{"ip:10.7.0.1@local", "ip:10.7.0.2@local", "ip:10.7.0.3@local", "ip:10.7.0.4@local", "ip:10.7.0.5@local",
		"ip:10.7.0.6@local", "ip:10.7.0.7@local", "ip:10.7.0.8@local", "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:fe"}
	if got := keys(r); !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	d := r.ByMAC(gw)
	if !d.Router || len(d.Serves) != 0 || len(d.IPs) != 1 || d.IP().String() != "10.0.0.254" {
		t.Errorf("router: %+v", d)
	}
	if h := r.ByIP(netip.MustParseAddr("10.7.0.1")); h.ServesOn(80, "tcp") == nil {
		t.Errorf("the port of a split host was lost: %+v", h)
	}
	if d.Role != NetworkGear {
		t.Errorf("role of the router: %v", d.Role)
	}
}

// A flood with forged external sources must not make the sender a router.
func TestForgedSourcesMakeNoRouter(t *testing.T) {
	r := New(Config{})
	play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})
	for i := range 100 {
		play(r, talk{from: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}).String(), to: "198.51.100.9", fromMAC: mac(1), toMAC: mac(0xfe), at: int64(i)})
	}
	if d := r.ByMAC(mac(1)); d == nil || d.Router || !d.HasIP(netip.MustParseAddr("10.0.0.1")) {
		t.Errorf("%+v", d)
	}
}

// Both sides of a router are captured: the same packets with two pairs of MACs must not make identities flap.
func TestBothSidesOfARouter(t *testing.T) {
	r := New(Config{})
	near, far := mac(0xfd), mac(0xfe)
	seen := map[string]bool{}
	for i := range int64(50) {
		a, b := play(r, talk{from: "10.1.0.1", to: "10.2.0.1", fromMAC: mac(1), toMAC: near, port: 80, answered: true, at: 2 * i})
		c, d := play(r, talk{from: "10.1.0.1", to: "10.2.0.1", fromMAC: far, toMAC: mac(2), port: 80, answered: true, at: 2*i + 1})
		if i > 2 {
			seen[keyOf(a)+" "+keyOf(b)], seen[keyOf(c)+" "+keyOf(d)] = true, true
		}
	}
	if len(seen) != 1 {
		t.Errorf("identities flap: %v", seen)
	}
}

func TestBindingsMove(t *testing.T) {
	r := New(Config{})
	a := netip.MustParseAddr("10.0.0.5")
	r.Link(arp("10.0.0.5", mac(1)), 0)
	if d := r.ByIP(a); keyOf(d) != "mac:00:40:8c:00:00:01" {
		t.Fatalf("ARP: %q", keyOf(d))
	}
	// Traffic alone does not move a fresh binding.
	if d, _ := play(r, talk{from: "10.0.0.5", to: "10.0.0.9", fromMAC: mac(2), toMAC: mac(9), at: 10}); keyOf(d) != "mac:00:40:8c:00:00:01" {
		t.Errorf("traffic: %q", keyOf(d))
	}
	// ARP does.
	r.Link(arp("10.0.0.5", mac(2)), 20*sec)
	if d := r.ByIP(a); keyOf(d) != "mac:00:40:8c:00:00:02" || r.ByMAC(mac(1)).HasIP(a) {
		t.Errorf("ARP by another: %q", keyOf(d))
	}
	// DHCP does too.
	ack := &dissect.DHCPMessage{Type: "ack", ClientMAC: mac(3), YourIP: a}
	r.Fact(talk{from: "10.0.0.254", to: "10.0.0.5"}.view(), ack, session.In, nil, nil, 30*sec)
	if d := r.ByIP(a); keyOf(d) != "mac:00:40:8c:00:00:03" {
		t.Errorf("DHCP: %q", keyOf(d))
	}
	// An ARP message whose sender differs from that of the frame binds nothing.
	forged := arp("10.0.0.5", mac(4))
	forged.EtherSrc = mac(7)
	if d := r.Link(forged, 40*sec); keyOf(d) != "mac:00:40:8c:00:00:07" || keyOf(r.ByIP(a)) != "mac:00:40:8c:00:00:03" {
		t.Errorf("forged ARP: %q %q", keyOf(d), keyOf(r.ByIP(a)))
	}
	// A probe (RFC 5227) claims nothing.
	probe := arp("0.0.0.0", mac(8))
	probe.Probe = true
	if d := r.Link(probe, 50*sec); keyOf(d) != "mac:00:40:8c:00:00:08" || len(d.IPs) != 0 {
		t.Errorf("probe: %+v", d)
	}
}

// A gateway that sent packets before its ARP was seen is one device, also when its binding is old.
func TestGatewayIsOneDevice(t *testing.T) {
	r := New(Config{})
	gw := mac(0xfe)
	play(r, talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, answered: true})
	play(r, talk{from: "10.0.0.1", to: "10.0.0.254", fromMAC: mac(1), toMAC: gw, proto: 17, port: 53, answered: true, at: 1})
	r.Link(arp("10.0.0.254", gw), 2*sec)
	play(r, talk{from: "10.0.0.1", to: "10.0.0.254", fromMAC: mac(1), toMAC: gw, proto: 17, port: 53, answered: true, at: 30 * 86400})
	want := []string{"mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:fe"}
	if got := keys(r); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if d := r.ByMAC(gw); d.ServesOn(53, "udp") == nil || d.FirstSeen != 1*sec {
		t.Errorf("what was known was lost: %+v", d)
	}
}

// A device that claims an external address by ARP must not make the address internal for others.
func TestClaimedExternalAddress(t *testing.T) {
	r := New(Config{})
	r.Link(arp("203.0.113.7", mac(6)), 0)
	_, b := play(r, talk{from: "10.0.0.1", to: "203.0.113.7", fromMAC: mac(1), toMAC: mac(0xfe), port: 443, answered: true, at: 1})
	if b != nil || r.Internal(netip.MustParseAddr("203.0.113.7")) {
		t.Errorf("%q", keyOf(b))
	}
	// Its own sessions belong to it.
	if a, _ := play(r, talk{from: "203.0.113.7", to: "10.0.0.1", fromMAC: mac(6), toMAC: mac(1), answered: true, at: 2}); keyOf(a) != "mac:00:40:8c:00:00:06" {
		t.Errorf("%q", keyOf(a))
	}
}

// A flood of forged next hops fills a table, and idle ones are dropped again.
func TestForgedNextHopsAreDropped(t *testing.T) {
	r := New(Config{MaxDevices: 100})
	flood := func(i int, at int64) {
		m := packet.MAC{2, 1, 0, 0, byte(i >> 8), byte(i)}
		play(r, talk{from: "203.0.113.1", to: "10.0.0.1", fromMAC: m, toMAC: mac(1), at: at})
	}
	for i := range 1000 {
		flood(i, 1)
	}
	if n := len(r.links); n > 200 || r.Stats().LinksRefused == 0 {
		t.Fatalf("%d links, %+v", n, r.Stats())
	}
	if d, _ := play(r, talk{from: "10.0.0.9", to: "10.0.0.8", fromMAC: mac(9), toMAC: mac(8), at: 3600}); keyOf(d) != "mac:00:40:8c:00:00:09" {
		t.Errorf("an hour later: %q", keyOf(d))
	}
}

// A gateway without captured ARP keeps the one address from which it sent packets of its own.
func TestGatewayKeepsItsOwnAddress(t *testing.T) {
	r := New(Config{})
	gw := mac(0xfe)
	play(r, talk{from: "10.0.0.254", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1), ttl: 64, answered: true})
	play(r, talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: gw, ttl: 64, answered: true, at: 1})
	play(r, talk{from: "10.7.0.1", to: "10.0.0.1", fromMAC: gw, toMAC: mac(1), ttl: 63, answered: true, at: 2})
	want := []string{"ip:10.7.0.1@local", "mac:00:40:8c:00:00:01", "mac:00:40:8c:00:00:fe"}
	if got := keys(r); !slices.Equal(got, want) || r.ByMAC(gw).IP().String() != "10.0.0.254" {
		t.Errorf("%v, %v", got, r.ByMAC(gw).IPs)
	}
}

func TestProxyARP(t *testing.T) {
	r := New(Config{})
	for i := range byte(20) {
		r.Link(arp(netip.AddrFrom4([4]byte{10, 0, 0, i + 1}).String(), mac(9)), int64(i)*sec)
	}
	d := r.ByMAC(mac(9))
	if !d.Router || len(d.IPs) != 0 || keyOf(r.ByIP(netip.MustParseAddr("10.0.0.20"))) != "ip:10.0.0.20@local" {
		t.Errorf("%+v %q", d, keyOf(r.ByIP(netip.MustParseAddr("10.0.0.20"))))
	}
}

func TestGlobalIPv6(t *testing.T) {
	r := New(Config{})
	m := mac(1)
	// An address of the station, by its EUI-64.
	own := "2001:db8::240:8cff:fe00:1"
	if d, _ := play(r, talk{from: own, to: "2001:db8:1::1", fromMAC: m, toMAC: mac(0xfe)}); keyOf(d) != "mac:00:40:8c:00:00:01" {
		t.Errorf("EUI-64: %q", keyOf(d))
	}
	// A prefix on the link, by a router advertisement.
	ra := &dissect.NDMessage{Type: 134, Src: netip.MustParseAddr("fe80::fe"), EtherSrc: mac(0xfe), SourceLink: mac(0xfe),
		Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8:5::/64"), netip.MustParsePrefix("2000::/3")}}
	r.Link(ra, 0)
	if d, _ := play(r, talk{from: "2001:db8:5::77", to: "2001:db8:1::1", fromMAC: mac(2), toMAC: mac(0xfe)}); keyOf(d) != "mac:00:40:8c:00:00:02" {
		t.Errorf("prefix on the link: %q", keyOf(d))
	}
	// Only for stations of this link: what is reached through the router is external, announced or not.
	play(r, talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(3), toMAC: mac(0xfe), answered: true})
	if _, b := play(r, talk{from: "10.0.0.1", to: "2001:db8:5::99", fromMAC: mac(3), toMAC: mac(0xfe), answered: true}); b != nil {
		t.Errorf("an announced prefix behind the router: %q", keyOf(b))
	}
	if r.Internal(netip.MustParseAddr("2606:4700::1")) || r.Internal(netip.MustParseAddr("2001:db8:5::99")) {
		t.Error("a router advertisement made addresses internal")
	}
}

func TestOriginations(t *testing.T) {
	r := New(Config{})
	opened := []talk{
		{port: 443}, {port: 53, proto: 17}, {port: 123, proto: 17}, {port: 9999, proto: 17},
	}
	for i, k := range opened {
		k.from, k.to, k.fromMAC, k.toMAC, k.at = "10.0.0.1", "198.51.100.1", mac(1), mac(0xfe), int64(i+1)
		play(r, k)
	}
	mid := talk{from: "10.0.0.1", to: "198.51.100.1", fromMAC: mac(1), toMAC: mac(0xfe), port: 80, at: 10}.view()
	mid.Basis = session.BasisFirstPacket
	r.Session(Opened, mid, nil, mid.Start)
	d := r.ByMAC(mac(1))
	if d.Originated != 2 || d.FirstOrigination != 1*sec || d.LastOrigination != 4*sec {
		t.Errorf("%d, first %d, last %d", d.Originated, d.FirstOrigination, d.LastOrigination)
	}
}

// A million MACs change a counter, not the memory. A declared device stays.
func TestRegistryIsBounded(t *testing.T) {
	r := New(Config{MaxDevices: 2000, WatchMACs: []packet.MAC{mac(1)}})
	play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})
	for i := range uint32(100_000) {
		m := packet.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		v := &session.View{Start: int64(i), End: int64(i), Proto: protoUDP, HasPorts: true, Packets: [2]uint64{1, 0}}
		v.Initiator = session.Endpoint{Addr: packet.AddrFrom4([]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), MAC: m, Port: 1}
		v.Responder = session.Endpoint{Addr: ip("10.255.255.1"), MAC: mac(0xfe), Port: 2}
		r.Session(Opened, v, nil, int64(i))
	}
	s := r.Stats()
	if s.Devices > 2000 || s.Merged != 0 || s.Created-s.Evicted != uint64(s.Devices) {
		t.Errorf("%+v", s)
	}
	if len(r.links) > 4000 || len(r.bindings) > 2000*MaxIPs {
		t.Errorf("%d links, %d bindings", len(r.links), len(r.bindings))
	}
	if r.ByMAC(mac(1)) == nil {
		t.Error("the declared device was dropped")
	}
}

// The same events give the same devices: nothing depends on the order of maps.
func TestSameEventsSameDevices(t *testing.T) {
	run := func() string {
		r := New(Config{})
		for i := range 400 {
			k := talk{fromMAC: mac(byte(i % 7)), toMAC: mac(byte(i%5 + 100)), port: uint16(i % 50), answered: i%3 > 0, at: int64(i)}
			k.from = netip.AddrFrom4([4]byte{10, 0, byte(i % 3), byte(i%30 + 1)}).String()
			k.to = netip.AddrFrom4([4]byte{10, 1, 0, byte(i%40 + 1)}).String()
			play(r, k)
		}
		var b strings.Builder
		for _, d := range r.All() {
			fmt.Fprintf(&b, "%d %s %v %v %v %v\n", d.ID, d.Key, d.IPs, d.Serves, d.Role, d.Evidence)
		}
		return b.String()
	}
	want := run()
	for range 5 {
		if got := run(); got != want {
			t.Fatalf("\n%s\nwant\n%s", got, want)
		}
	}
}
