// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// A device that an event uses is not evicted to make room for the other endpoint of the same event.
func TestDevicesOfTheEventAreNotEvicted(t *testing.T) {
	const limit = 100
	r := New(Config{MaxDevices: limit})
	host := func(i int) talk {
		return talk{from: packet.AddrFrom4([]byte{10, 0, byte(i >> 8), byte(i)}).Netip().String(), to: "203.0.113.9",
			fromMAC: packet.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, toMAC: mac(0xfe), port: 80, at: int64(i)}
	}
	for i := 1; i < limit; i++ {
		k := host(i)
		play(r, k)
		k.at++
		play(r, k)
	}
	for i := 300; i < 400; i += 2 {
		k, other := host(i), host(i+1)
		k.to, k.toMAC, k.answered = other.from, other.fromMAC, true
		v := k.view()
		a, b := r.Session(StateChanged, v, nil, v.Start)
		if a == nil || b == nil || a == b {
			t.Fatalf("%s and %s are one", keyOf(a), keyOf(b))
		}
		if r.ByKey(a.Key) != a || r.ByKey(b.Key) != b {
			t.Fatalf("an end of the event was evicted: %s, %s", a.Key, b.Key)
		}
		if n := r.Stats().Devices; n > limit {
			t.Fatalf("%d devices of %d", n, limit)
		}
	}
}

// A registry of one device holds both devices of an event during the event, and one afterwards.
func TestRegistryOfOneDevice(t *testing.T) {
	r := New(Config{MaxDevices: 1})
	for i := range byte(50) {
		k := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(i), toMAC: mac(i + 100), port: 80, answered: true, at: int64(i) * 400}
		if a, b := play(r, k); a == nil || b == nil {
			t.Fatalf("session %d: %s, %s", i, keyOf(a), keyOf(b))
		}
		if n := r.Stats().Devices; n > 2 {
			t.Fatalf("%d devices", n)
		}
	}
}

// A declared MAC never becomes a router. Forged sources behind it must cost neither memory nor time.
func TestForgedSourcesOfADeclaredMAC(t *testing.T) {
	r := New(Config{WatchMACs: []packet.MAC{mac(1)}})
	for i := range uint32(20_000) {
		v := &session.View{Start: int64(i), End: int64(i), Proto: protoUDP, HasPorts: true, Packets: [2]uint64{1, 0}}
		v.Initiator = session.Endpoint{Addr: packet.AddrFrom4(binary.BigEndian.AppendUint32(nil, 0x0a000000+i)), MAC: mac(1), Port: 1, TTL: 64}
		v.Responder = session.Endpoint{Addr: ip("203.0.113.9"), MAC: mac(0xfe), Port: 2}
		r.Session(Opened, v, nil, int64(i))
		if l := r.links[mac(1)]; len(l.addrs) > maxLinkAddrs {
			t.Fatalf("%d addresses are kept of one MAC after %d", len(l.addrs), i)
		}
	}
	if d := r.ByMAC(mac(1)); d == nil || d.Router || len(d.IPs) > MaxIPs || len(r.bindings) > MaxIPs {
		t.Errorf("%+v, %d bindings", d, len(r.bindings))
	}
}
