// SPDX-License-Identifier: Apache-2.0

package device

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
	"stillwatch/sensor/internal/watchtime"
)

func snapshotConfig(limit int) Config {
	return Config{MaxDevices: limit, WatchMACs: []packet.MAC{mac(3)}, Watch: []netip.Prefix{netip.MustParsePrefix("10.0.2.0/30")},
		Named: []Named{{Name: "srv", IP: netip.MustParseAddr("10.0.1.1")}, {Name: "cam", MAC: mac(5)}}}
}

// happen plays one random event.
func happen(r *Registry, x *rand.Rand, at int64) {
	addr := func() string { return fmt.Sprintf("10.0.%d.%d", x.IntN(4), 1+x.IntN(6)) }
	now := at * sec
	switch x.IntN(10) {
	case 0:
		r.Link(arp(addr(), mac(byte(x.IntN(8)))), now)
	case 1:
		m := mac(byte(x.IntN(8)))
		d := &dissect.DHCPMessage{Type: []string{"request", "ack"}[x.IntN(2)], ClientMAC: m, YourIP: netip.MustParseAddr(addr()),
			Hostname: []string{"axis-00408c000001", "", "DESKTOP-1"}[x.IntN(3)], VendorClass: "MSFT 5.0"}
		v := talk{from: "0.0.0.0", to: "255.255.255.255", fromMAC: m, toMAC: packet.MAC{255, 255, 255, 255, 255, 255}, port: 67, proto: protoUDP, at: at}.view()
		a, b := r.Session(Opened, v, nil, now)
		r.Fact(v, d, session.Out, a, b, now)
	case 2:
		m, a := mac(byte(x.IntN(8))), made("fd00", mac(byte(x.IntN(8))))
		r.Link(advertise(a, m), now)
		r.Link(detectDuplicates(made("fe80", m), m), now)
		r.Link(&dissect.NDMessage{Type: 134, Src: netip.MustParseAddr("fe80::1"), EtherSrc: mac(9), Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}}, now)
	default:
		k := talk{from: addr(), to: addr(), fromMAC: mac(byte(x.IntN(8))), toMAC: mac(byte(x.IntN(8))), port: []uint16{22, 80, 443, 554}[x.IntN(4)],
			answered: x.IntN(3) > 0, ttl: []uint8{64, 63}[x.IntN(2)], at: at}
		if x.IntN(5) == 0 {
			k.to = "198.51.100.7"
		}
		v := k.view()
		a, b := play(r, k)
		facts := []dissect.Fact{
			&dissect.RTSPExchange{Method: "PLAY", Status: 200, Realm: "AXIS_00408C123456", UserAgent: "VLC"}, &dissect.TLSClientHello{SNI: "www.example.com"},
			&dissect.ServiceAnnouncement{Service: "_axis-video._tcp", Host: "axis.local.", TXT: map[string]string{"md": "P3225", "manufacturer": "Axis", "fv": "9.80.1"}},
			&dissect.DeviceInfo{Protocol: "sadp", MAC: mac(2), Model: "DS-2CD1043G2-I", Firmware: "V5.7.1", FirmwareDate: "2023-01-31"},
			&dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_9.6"}, &dissect.HTTPExchange{Status: 200, URI: "/axis-cgi/param.cgi", UserAgent: "curl/8"},
		}
		r.Fact(v, facts[x.IntN(len(facts))], session.Dir(x.IntN(2)), a, b, now)
	}
}

// dump returns the state of a registry as text.
func dump(r *Registry) string {
	var b strings.Builder
	for _, d := range r.All() {
		x := *d
		x.Evidence, x.claims, x.node = nil, nil, lruNode{often: d.node.often}
		fmt.Fprintf(&b, "%+v", x)
		for _, c := range d.claims {
			fmt.Fprint(&b, " ", c)
		}
		for _, ip := range d.IPs {
			y := *r.bindings[packet.AddrOf(ip)]
			fmt.Fprint(&b, " ", y.dev.ID, y.mac, y.strong, y.direct, y.assumed, y.last)
		}
		fmt.Fprintln(&b, r.pulls[d.ID])
	}
	var macs []packet.MAC
	for m := range r.links {
		macs = append(macs, m)
	}
	slices.SortFunc(macs, func(a, b packet.MAC) int { return bytes.Compare(a[:], b[:]) })
	for _, m := range macs {
		l := *r.links[m]
		fmt.Fprintln(&b, m, keyOf(l.dev), l.router, l.proxy, l.proxy6, l.addrs, l.last, l.foreign)
	}
	fmt.Fprintln(&b, r.nextID, r.nextDay, r.dayBegan, r.round, r.announced, r.onLink.Contains(netip.MustParseAddr("2001:db8:1::5")), len(r.bindings))
	return b.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "\n" + g[i] + "\nwant\n" + w[i]
		}
	}
	return fmt.Sprint(len(g), " lines, want ", len(w))
}

// A restored registry is equal to the one that was saved, and behaves the same afterwards. The registry is saved in pieces between random
// events.
func TestRestoredRegistryIsTheSame(t *testing.T) {
	for seed := range uint64(300) {
		x := rand.New(rand.NewPCG(seed, 7))
		limit := 12 + 1000*int(seed%2)
		r := New(snapshotConfig(limit))
		parts := r.Parts()
		d, b := snapshottest.Disk{}, &snapshot.Batch{}
		at := int64(1772409600)
		for range 20 + x.IntN(150) {
			at += int64(x.IntN(600))
			if x.IntN(60) == 0 {
				at += 86400
			}
			r.Tick(at * sec)
			happen(r, x, at)
			if x.IntN(8) == 0 {
				for _, p := range parts {
					p.Drain(b, 1+x.IntN(4))
				}
				d.Apply(t, b)
			}
		}
		r.All()
		d.Drain(t, parts, 3)
		again := New(snapshotConfig(limit))
		d.Restore(t, again.Parts())
		again.Restored()
		if got, want := dump(again), dump(r); got != want {
			t.Fatalf("seed %d: %s", seed, firstDifference(got, want))
		}
		if limit == 12 { // the order of eviction is saved to the second of LastSeen only
			continue
		}
		y := rand.New(rand.NewPCG(seed, 8))
		z := rand.New(rand.NewPCG(seed, 8))
		for range 5 {
			happen(r, y, at)
			happen(again, z, at)
		}
		if got, want := dump(again), dump(r); got != want {
			t.Fatalf("seed %d, later: %s", seed, firstDifference(got, want))
		}
	}
}

// The inventory may have changed while the sensor was stopped.
func TestRestoreAppliesTheNewInventory(t *testing.T) {
	r := New(snapshotConfig(12))
	parts := r.Parts()
	play(r, talk{from: "10.0.1.1", to: "10.0.3.3", fromMAC: mac(1), toMAC: mac(5), answered: true, at: 1})
	play(r, talk{from: "10.0.3.1", to: "10.0.3.3", fromMAC: mac(7), toMAC: mac(5), answered: true, at: 1})
	d := snapshottest.Disk{}
	d.Drain(t, parts, 100)
	if got := keys(r); !slices.Equal(got, []string{"cam", "mac:00:40:8c:00:00:07", "srv"}) {
		t.Fatalf("%v", got)
	}
	again := New(Config{Named: []Named{{Name: "server-1", IP: netip.MustParseAddr("10.0.1.1")}, {Name: "desk", MAC: mac(7)}}})
	d.Restore(t, again.Parts())
	if got := keys(again); !slices.Equal(got, []string{"desk", "mac:00:40:8c:00:00:05", "server-1"}) {
		t.Errorf("%v", got)
	}
	if d := again.ByKey("mac:00:40:8c:00:00:05"); d.Declared || !again.ByKey("desk").Declared {
		t.Error("what is declared is not what the inventory declares")
	}
}

// Devices that came and were evicted between two snapshots leave nothing to write.
func TestEvictedDevicesAreNotSaved(t *testing.T) {
	r := New(Config{MaxDevices: 100})
	parts := r.Parts()
	d := snapshottest.Disk{}
	for i := range uint32(5000) {
		v := &session.View{Start: int64(i), End: int64(i), Proto: protoUDP, HasPorts: true, Packets: [2]uint64{1, 0}}
		v.Initiator = session.Endpoint{Addr: packet.AddrFrom4(binary.BigEndian.AppendUint32(nil, 10<<24|i)), MAC: packet.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}}
		v.Responder = session.Endpoint{Addr: ip("10.255.255.1")}
		r.Session(Opened, v, nil, int64(i))
		if i == 2500 {
			d.Drain(t, parts, 1000)
		}
	}
	if s := r.saved; len(s.devices) > 101 || len(s.gone) > 101 || len(s.links) > 201 || len(s.goneMAC) > 201 {
		t.Errorf("%d devices, %d gone, %d links, %d gone", len(s.devices), len(s.gone), len(s.links), len(s.goneMAC))
	}
	d.Drain(t, parts, 1000)
	if n := len(d[devicesPart]); n != len(r.byKey) {
		t.Errorf("%d on disk, %d known", n, len(r.byKey))
	}
}

func FuzzRestore(f *testing.F) {
	r := New(snapshotConfig(12))
	parts := r.Parts()
	x := rand.New(rand.NewPCG(1, 2))
	for i := range int64(100) {
		happen(r, x, i)
	}
	known := snapshottest.Disk{}
	known.Drain(f, parts, 1000)
	var again *Registry
	snapshottest.Fuzz(f, func() []snapshot.Part {
		again = New(snapshotConfig(12))
		return again.Parts()
	}, known, func(t *testing.T) {
		again.Restored()
		for i := range int64(20) {
			again.Tick((200 + i*86400) * sec)
			happen(again, x, 200+i*86400)
		}
		again.All()
		d := snapshottest.Disk{}
		d.Drain(t, again.Parts(), 100)
	})
}

// many returns a registry of n cameras that sent packets and a banner.
func many(n int) *Registry {
	r := New(Config{})
	r.Parts()
	for i := range uint32(n) {
		v := &session.View{Start: int64(i), End: int64(i), Proto: protoTCP, HasPorts: true, State: session.Established, Packets: [2]uint64{3, 3}}
		v.Initiator = session.Endpoint{Addr: ip("10.255.255.1"), MAC: mac(9), Port: 40000, TTL: 64}
		v.Responder = session.Endpoint{Addr: packet.AddrFrom4(binary.BigEndian.AppendUint32(nil, 10<<24|i)), MAC: packet.MAC{0x00, 0x40, 0x8c, byte(i >> 16), byte(i >> 8), byte(i)}, Port: 554, TTL: 64}
		a, b := r.Session(StateChanged, v, nil, int64(i))
		r.Fact(v, &dissect.RTSPExchange{Method: "DESCRIBE", Status: 200, Realm: "AXIS_00408C123456", Server: "AXIS P3225 RTSP"}, session.In, a, b, int64(i))
		r.Fact(v, &dissect.HTTPExchange{Status: 200, URI: "/axis-cgi/param.cgi", Server: "Apache"}, session.In, a, b, int64(i))
	}
	return r
}

// BenchmarkDrain writes 20 thousand of 100 thousand devices that have changed, as much as one tick writes.
func BenchmarkDrain(b *testing.B) {
	const some = 20_000
	r := many(100_000)
	var batch snapshot.Batch
	for b.Loop() {
		batch.Reset()
		if r.drainDevices(&batch, some) < some {
			b.StopTimer()
			for _, d := range r.byKey {
				r.changed(d)
			}
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/some, "ns/device")
	b.ReportMetric(float64(batch.Size())/float64(max(batch.Len(), 1)), "B/device")
}

// BenchmarkRestore restores 100 thousand devices.
func BenchmarkRestore(b *testing.B) {
	d := snapshottest.Disk{}
	r := many(100_000)
	var batch snapshot.Batch
	r.drainDevices(&batch, 1<<30)
	d.Apply(b, &batch)
	for b.Loop() {
		again := New(Config{})
		parts := again.Parts()
		parts[1].Restore(d.Records(devicesPart))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/device")
}

// Every field of a device and of a link is saved, except those that are derived.
func TestEveryFieldIsSaved(t *testing.T) {
	r := New(Config{})
	r.Parts()
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), at: 1})
	leave := func(reflect.Value) {}
	how := snapshottest.Instead{reflect.TypeFor[evidence.Claims](): leave, reflect.TypeFor[[]Evidence](): leave, reflect.TypeFor[*Device](): leave, reflect.TypeFor[*watchtime.Clock](): leave}
	encode := func() []byte {
		c := snapshot.Writer(nil)
		r.walkDevice(c, d, &keptDevice{})
		return c.Bytes()
	}
	want := []string{"ID", // the key of the record
		"clock",          // of the registry
		"Serves[].Proto", // saved as one bit, and this test sets a value other than tcp and udp
		"parts",          // counted again
		"IPs", "IPs[]",   // the addresses, without their scopes
		"Evidence", "claims", // TestRestoredRegistryIsTheSame checks the claims; Evidence is made from them
		"node.prev", "node.next", "node.queued", "node.event", "node.mark.place", "node.mark.kept"}
	if got := snapshottest.Forgotten(d, encode, how); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("of a device %q are not saved, want %q", got, want)
	}
	l := r.links[mac(1)]
	how[reflect.TypeFor[*Device]()] = func(v reflect.Value) { v.Set(reflect.ValueOf(&Device{ID: 77})) }
	encode = func() []byte {
		c := snapshot.Writer(nil)
		r.walkLink(c, l)
		return c.Bytes()
	}
	l.foreign = &foreign{n: routerForeign}
	how[reflect.TypeFor[*foreign]()] = func(v reflect.Value) { v.Set(reflect.ValueOf(&foreign{n: 1})) }
	if got, want := snapshottest.Forgotten(l, encode, how), []string{"mac[]", "place", "kept"}; !slices.Equal(got, want) {
		t.Errorf("of a MAC %q are not saved, want %q", got, want)
	}
	b := r.bindings[ip("10.0.0.1")]
	encode = func() []byte {
		c := snapshot.Writer(nil)
		r.walkAddresses(c, d, &keptDevice{})
		return c.Bytes()
	}
	if got, want := snapshottest.Forgotten(b, encode, how), []string{"dev"}; !slices.Equal(got, want) { // whose address it is
		t.Errorf("of a binding %q are not saved, want %q", got, want)
	}
}
