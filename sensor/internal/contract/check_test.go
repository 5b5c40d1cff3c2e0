// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const sec = int64(1e9)

func addr(s string) packet.Addr { return packet.AddrOf(netip.MustParseAddr(s)) }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

var (
	devMAC  = packet.MAC{0xb8, 0xca, 0x3a, 0, 0, 0x17}
	peerMAC = packet.MAC{0xb8, 0xca, 0x3a, 0, 0, 0x18}
)

// flow returns an answered session that from opened to to.
func flow(from, to string, proto uint8, port uint16) *session.View {
	v := &session.View{Proto: proto, HasPorts: proto == 6 || proto == 17, Basis: session.BasisSYN, State: session.Established}
	v.Initiator = session.Endpoint{Addr: addr(from), MAC: devMAC, Port: 40000, TTL: 64}
	v.Responder = session.Endpoint{Addr: addr(to), MAC: peerMAC, Port: port, TTL: 64}
	v.Packets = [2]uint64{3, 3}
	if proto == 1 {
		v.ICMPType = 8
	}
	return v
}

// known returns a registry in which from has opened a session to to, and the devices of both ends.
func known(cfg device.Config, from, to string) (r *device.Registry, a, b *device.Device) {
	r = device.New(cfg)
	a, b = r.Session(device.StateChanged, flow(from, to, 6, 80), nil, 0)
	return r, a, b
}

func inventory(expect Expect) *Inventory {
	return &Inventory{
		Zones: []Zone{{"cams", []netip.Prefix{prefix("10.30.0.0/16")}}},
		Infrastructure: Infrastructure{
			DNS: []Host{{Prefix: prefix("10.0.0.53/32")}}, NTP: []Host{{Name: "*.ntp.example.net"}}, Syslog: []Host{},
			Admin: []Host{{Prefix: prefix("10.0.0.9/32")}},
		},
		Devices: []Entry{{
			Name: "srv", Match: Match{MAC: devMAC}, Expect: expect, HasExpect: true,
			Allow: []Rule{
				{Text: "https", Peer: Peer{Name: "*.example.com"}, Proto: "tcp", Ports: [][2]uint16{{443, 443}, {8000, 8010}}},
				{Text: "cams", Peer: Peer{Zone: "cams"}, Proto: "udp"},
				{Text: "peer", Peer: Peer{Device: "other"}, Proto: "tcp", Ports: [][2]uint16{{9, 9}}},
				{Text: "ssh in", Direction: session.In, Peer: Peer{Prefix: prefix("10.0.0.9/32")}, Proto: "tcp", Ports: [][2]uint16{{22, 22}}},
			},
			Maintenance: []Window{{Days: [7]bool{0: true}, From: 120, To: 240, Zone: time.UTC}},
		}, {Name: "other", Match: Match{IP: netip.MustParseAddr("10.0.0.2")}}},
	}
}

func app(name string) *fingerprint.App { return &fingerprint.App{Name: name} }

func TestCheck(t *testing.T) {
	group := func(port uint16, bytes uint64) *session.View {
		v := flow("10.0.0.1", "239.1.1.1", 17, port)
		v.Responder.MAC, v.IPBytes[0] = packet.MAC{1, 0, 0x5e, 1, 1, 1}, bytes
		return v
	}
	midstream := flow("10.0.0.1", "198.51.100.1", 6, 443)
	midstream.Basis = session.BasisFirstPacket
	unreachable := flow("10.0.0.1", "198.51.100.1", 1, 0)
	unreachable.ICMPType = 3
	tests := []struct {
		what   string
		expect Expect
		v      *session.View
		app    *fingerprint.App
		name   string
		want   Verdict // Broken: "x" stands for any
	}{
		{"normal may do anything", Normal, flow("10.0.0.1", "198.51.100.1", 6, 6667), nil, "", Verdict{Allowed: true}},
		{"silent opens outside", Silent, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "", Verdict{Broken: "x"}},
		{"silent opens inside", Silent, flow("10.0.0.1", "10.0.0.77", 6, 445), nil, "", Verdict{Broken: "x"}},
		{"server_only opens", ServerOnly, flow("10.0.0.1", "198.51.100.1", 17, 9999), nil, "", Verdict{Broken: "x"}},
		{"a rule by name", Silent, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "a.example.com", Verdict{Allowed: true, Entry: "https"}},
		{"a rule by name, in the range", Allowlist, flow("10.0.0.1", "198.51.100.1", 6, 8005), nil, "A.B.Example.com.", Verdict{Allowed: true, Entry: "https"}},
		{"a rule by name, other port", Silent, flow("10.0.0.1", "198.51.100.1", 6, 8011), nil, "a.example.com", Verdict{Broken: "x"}},
		{"the wildcard is not the name itself", Silent, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "example.com", Verdict{Broken: "x"}},
		{"a name that only ends alike", Silent, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "evilexample.com", Verdict{Broken: "x"}},
		{"a rule by zone", Silent, flow("10.0.0.1", "10.30.1.1", 17, 5000), nil, "", Verdict{Allowed: true, Entry: "cams"}},
		{"a rule by zone, other protocol", Silent, flow("10.0.0.1", "10.30.1.1", 6, 5000), nil, "", Verdict{Broken: "x"}},
		{"a rule by device", Silent, flow("10.0.0.1", "10.0.0.2", 6, 9), nil, "", Verdict{Allowed: true, Entry: "peer"}},
		{"a rule for the way in does not open the way out", Silent, flow("10.0.0.1", "10.0.0.9", 6, 22), nil, "", Verdict{Broken: "x"}},
		{"pinned DNS", Silent, flow("10.0.0.1", "10.0.0.53", 17, 53), app("dns"), "", Verdict{Allowed: true, Infrastructure: true}},
		{"DNS elsewhere", Silent, flow("10.0.0.1", "8.8.8.8", 17, 53), app("dns"), "", Verdict{Broken: "x"}},
		{"another protocol on the DNS port", Silent, flow("10.0.0.1", "10.0.0.53", 6, 53), app("ssh"), "", Verdict{Broken: "x"}},
		{"NTP by name", Silent, flow("10.0.0.1", "203.0.113.3", 17, 123), app("ntp"), "1.ntp.example.net", Verdict{Allowed: true, Infrastructure: true}},
		{"NTP without a name", Silent, flow("10.0.0.1", "203.0.113.3", 17, 123), app("ntp"), "", Verdict{Broken: "x"}},
		{"DHCP is not pinned", Silent, flow("10.0.0.1", "10.0.0.254", 17, 67), app("dhcp"), "", Verdict{Allowed: true, Infrastructure: true}},
		{"an empty list of syslog servers", Silent, flow("10.0.0.1", "10.0.0.5", 17, 514), nil, "", Verdict{Broken: "x"}},
		{"discovery", Silent, group(1900, 300), nil, "", Verdict{Allowed: true, Infrastructure: true}},
		{"a stream to a group", Silent, group(5004, 1<<20), nil, "", Verdict{Broken: "x"}},
		{"ping", Silent, flow("10.0.0.1", "198.51.100.1", 1, 0), nil, "", Verdict{Broken: "x"}},
		{"an ICMP error opens nothing", Silent, unreachable, nil, "", Verdict{Allowed: true, Infrastructure: true}},
		{"caught in the middle", Silent, midstream, nil, "", Verdict{Allowed: true}},
	}
	for _, tt := range tests {
		inv := inventory(tt.expect)
		r, d, _ := known(device.Config{Named: inv.Named()}, "10.0.0.1", "10.0.0.2")
		b := New(inv, Config{})
		peer := r.ByIP(tt.v.Responder.Addr.Netip())
		got := b.Check(d, session.Out, tt.v, tt.app, tt.name, peer, 0)
		if got.Broken != "" {
			if got.Allowed || !strings.HasPrefix(got.Broken, tt.expect.String()) {
				t.Errorf("%s: %+v", tt.what, got)
			}
			got.Broken = "x"
		}
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, got, tt.want)
		}
	}
}

func TestAnsweringKeepsSilence(t *testing.T) {
	inv := inventory(Silent)
	_, _, d := known(device.Config{}, "10.0.0.2", "10.0.0.1")
	b := New(inv, Config{Silent: []netip.Prefix{prefix("10.0.0.1/32")}})
	if x, source := b.Expect(d, 0); x != Silent || source != FromInventory {
		t.Fatalf("%v %v", x, source)
	}
	v := flow("198.51.100.9", "10.0.0.1", 6, 22)
	if got := b.Check(d, session.In, v, nil, "", nil, 0); !got.Allowed || got.Broken != "" {
		t.Errorf("an answer: %+v", got)
	}
}

func TestInfrastructureWithoutInventory(t *testing.T) {
	_, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	b := New(nil, Config{Silent: []netip.Prefix{prefix("10.0.0.0/24")}})
	tests := []struct {
		v    *session.View
		app  *fingerprint.App
		want bool
	}{
		{flow("10.0.0.1", "8.8.8.8", 17, 53), app("dns"), true},
		{flow("10.0.0.1", "8.8.8.8", 17, 53), nil, true},
		{flow("10.0.0.1", "8.8.8.8", 17, 53), app("tls"), false},
		{flow("10.0.0.1", "203.0.113.1", 17, 123), app("ntp"), true},
		{flow("10.0.0.1", "10.0.0.5", 17, 514), nil, true},
		{flow("10.0.0.1", "203.0.113.1", 17, 514), nil, false},
		{flow("10.0.0.1", "203.0.113.1", 6, 443), app("tls"), false},
	}
	for _, tt := range tests {
		got := b.Check(d, session.Out, tt.v, tt.app, "", nil, 0)
		if got.Allowed != tt.want || got.Infrastructure != tt.want {
			t.Errorf("port %d, %+v: %+v", tt.v.Responder.Port, tt.app, got)
		}
	}
}

// A device may have addresses that were not declared: sessions from those break no expectation.
func TestSilenceOfOneAddress(t *testing.T) {
	r, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	r.Session(device.Opened, flow("10.0.1.1", "10.0.0.2", 6, 80), nil, 0)
	b := New(nil, Config{Silent: []netip.Prefix{prefix("10.0.0.1/32")}})
	if got := b.Check(d, session.Out, flow("10.0.1.1", "10.0.0.2", 6, 80), nil, "", nil, 0); !got.Allowed {
		t.Errorf("the other address: %+v", got)
	}
	if got := b.Check(d, session.Out, flow("10.0.0.1", "10.0.0.2", 6, 80), nil, "", nil, 0); got.Allowed {
		t.Errorf("the declared address: %+v", got)
	}
}

func TestMaintenanceWindow(t *testing.T) {
	inv := inventory(Silent)
	_, d, _ := known(device.Config{Named: inv.Named()}, "10.0.0.1", "10.0.0.2")
	b := New(inv, Config{})
	sunday := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC).UnixNano()
	if v := b.Check(d, session.Out, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "", nil, sunday); !v.Maintenance || v.Allowed {
		t.Errorf("in the window: %+v", v)
	}
	if v := b.Check(d, session.Out, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "", nil, sunday+2*3600*sec); v.Maintenance {
		t.Errorf("after the window: %+v", v)
	}
}

func TestMostExactEntryCounts(t *testing.T) {
	inv := &Inventory{Devices: []Entry{
		{Name: "vendor", Match: Match{Vendor: "dell"}}, {Name: "wide", Match: Match{Prefix: prefix("10.0.0.0/8")}},
		{Name: "narrow", Match: Match{Prefix: prefix("10.0.0.0/24")}}, {Name: "ip", Match: Match{IP: netip.MustParseAddr("10.0.0.1")}},
		{Name: "mac", Match: Match{MAC: devMAC}},
	}}
	for _, want := range []string{"mac", "ip", "narrow", "wide", "vendor"} {
		_, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
		if e := New(inv, Config{}).Entry(d); e == nil || e.Name != want {
			t.Errorf("%+v, want %s", e, want)
		}
		inv.Devices = inv.Devices[:len(inv.Devices)-1]
	}
}

func TestExpectFromIdleness(t *testing.T) {
	r, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	b := New(nil, Config{})
	day := int64(dayNs)
	open := func(at int64) {
		v := flow("10.0.0.1", "198.51.100.1", 6, 443)
		v.Start, v.End = at, at
		r.Session(device.Opened, v, nil, at)
	}
	steps := []struct {
		what string
		at   int64
		open bool
		want Expect
	}{
		{"nothing known", 1 * day, false, Normal},
		{"after a week", 7 * day, false, Silent},
		{"the session that breaks it is still held against it", 8 * day, true, Silent},
		{"and the others of that day", 8*day + day/2, true, Silent},
		{"after that it is a device that talks", 9*day + day/4, true, Normal},
		{"a pause of a day makes no silence", 11 * day, true, Normal},
		{"another week", 19 * day, false, Silent},
	}
	for _, s := range steps {
		if s.open {
			open(s.at)
		}
		if x, source := b.Expect(d, s.at); x != s.want || (x == Silent) != (source == FromIdle) {
			t.Errorf("%s: %v (%s), want %v", s.what, x, source, s.want)
		}
	}
}

// camera returns a device that its banners identify as a camera.
func camera(t *testing.T) (*device.Registry, *device.Device) {
	r, _, d := known(device.Config{}, "10.0.0.2", "10.0.0.1")
	v := flow("10.0.0.2", "10.0.0.1", 6, 554)
	r.Fact(v, &dissect.RTSPExchange{Method: "DESCRIBE", Status: 200, Realm: "AXIS_00408C123456", Server: "AXIS P3225 RTSP"}, session.In, nil, d, 0)
	r.Fact(v, &dissect.HTTPExchange{Status: 200, URI: "/axis-cgi/param.cgi", Realm: "AXIS_00408C123456"}, session.In, nil, d, 0)
	if d.Role != device.Camera || d.Level < device.Probable {
		t.Fatalf("%v %v", d.Role, d.Level)
	}
	return r, d
}

func TestRoleTemplates(t *testing.T) {
	_, d := camera(t)
	b := New(nil, Config{})
	breaches := []struct {
		v         *session.View
		app       *fingerprint.App
		breach    bool
		forbidden bool
	}{
		{flow("10.0.0.1", "198.51.100.1", 6, 22), nil, true, true},
		{flow("10.0.0.1", "198.51.100.1", 6, 2222), app("ssh"), true, true},
		{flow("10.0.0.1", "198.51.100.1", 6, 3333), app("stratum"), true, true},
		{flow("10.0.0.1", "198.51.100.1", 6, 6667), app("tls"), false, true},
		{flow("10.0.0.1", "198.51.100.1", 6, 443), app("tls"), false, true},
		{flow("10.0.0.2", "10.0.0.1", 6, 31337), nil, true, false},
		{flow("10.0.0.2", "10.0.0.1", 6, 554), app("rtsp"), false, false},
		{flow("10.0.0.2", "10.0.0.3", 6, 31337), nil, false, false},
	}
	for _, tt := range breaches {
		text, forbidden := b.RoleBreach(d, tt.v, tt.app)
		if (text != "") != tt.breach || text != "" && forbidden != tt.forbidden {
			t.Errorf("port %d %+v: %q %v", tt.v.Responder.Port, tt.app, text, forbidden)
		}
	}
}

func TestExpectNilDevice(t *testing.T) {
	b := New(nil, Config{})
	if x, s := b.Expect(nil, 0); x != Normal || s != FromDefault {
		t.Errorf("%v %s", x, s)
	}
	if v := b.Check(nil, session.Out, flow("10.0.0.1", "10.0.0.2", 6, 1), nil, "", nil, 0); !v.Allowed {
		t.Errorf("%+v", v)
	}
	if b.Entry(nil) != nil || b.Maintenance(nil, 0) || b.Zone(netip.MustParseAddr("10.0.0.1")) != "" {
		t.Error("something was found for nobody")
	}
}

func BenchmarkCheck(b *testing.B) {
	inv := inventory(Silent)
	r, d, _ := known(device.Config{Named: inv.Named()}, "10.0.0.1", "10.0.0.2")
	book := New(inv, Config{})
	v := flow("10.0.0.1", "198.51.100.1", 6, 443)
	peer := r.ByIP(v.Responder.Addr.Netip())
	for b.Loop() {
		book.Check(d, session.Out, v, nil, "a.example.org", peer, 0)
	}
}

// TestPinnedDHCP checks that a list of DHCP servers is about the servers: they may answer clients, and nobody else may.
func TestPinnedDHCP(t *testing.T) {
	_, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	for _, tt := range []struct {
		servers, to string
		port        uint16
		want        bool
	}{
		{"10.0.0.1/32", "10.0.0.99", 68, true},  // the server answers
		{"10.0.0.9/32", "10.0.0.99", 68, false}, // another host does
		{"10.0.0.99/32", "10.0.0.99", 67, true}, // a client asks the server
		{"10.0.0.9/32", "10.0.0.99", 67, false}, // or another host
	} {
		inv := &Inventory{Infrastructure: Infrastructure{DHCP: []Host{{Prefix: prefix(tt.servers)}}}}
		b := New(inv, Config{Silent: []netip.Prefix{prefix("10.0.0.1/32")}})
		if got := b.Check(d, session.Out, flow("10.0.0.1", tt.to, 17, tt.port), app("dhcp"), "", nil, 0); got.Allowed != tt.want {
			t.Errorf("servers %s, to %s port %d: %+v", tt.servers, tt.to, tt.port, got)
		}
	}
}
