// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// agent returns a registry with a device whose user agent is known; that evidence has a half-life of 30 days.
func agent(t *testing.T) (*Registry, *Device) {
	t.Helper()
	r := New(Config{})
	k := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}
	r.Tick(0)
	d, _ := play(r, k)
	f := &dissect.HTTPExchange{UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0"}
	r.Fact(k.view(), f, session.Out, d, nil, k.view().Start)
	if len(d.Evidence) != 2 || d.Evidence[0].Points != 16 {
		t.Fatalf("the evidence is %v", d.Evidence)
	}
	return r, d
}

// A device is weighed for a new day at its next use, whichever that is, with the result that it would have had at the tick.
func TestDeviceIsWeighedAtItsNextUse(t *testing.T) {
	ask := map[string]func(r *Registry, d *Device){
		"all":     func(r *Registry, d *Device) { r.All() },
		"key":     func(r *Registry, d *Device) { r.ByKey(d.Key) },
		"MAC":     func(r *Registry, d *Device) { r.ByMAC(d.MAC) },
		"address": func(r *Registry, d *Device) { r.ByIP(d.IP()) },
		"kept":    func(r *Registry, d *Device) { r.Settle(d) },
		"session": func(r *Registry, d *Device) {
			v := talk{from: "10.0.0.1", to: "10.0.0.3", fromMAC: mac(1), toMAC: mac(3), port: 80, at: 91 * 86400}.view()
			r.Session(Progress, v, nil, v.Start)
		},
		"ARP": func(r *Registry, d *Device) {
			r.Link(&dissect.ARPMessage{Request: true, SenderMAC: [6]byte(d.MAC), EtherSrc: [6]byte(d.MAC), SenderIP: d.IP()}, 91*dayNs)
		},
	}
	r0, now := New(Config{}), int64(90*dayNs)
	_, want := agent(t)
	r0.weigh(want, now)
	for how, fn := range ask {
		r, d := agent(t)
		before := slices.Clone(d.Evidence)
		r.Tick(now)
		if !slices.Equal(d.Evidence, before) {
			t.Errorf("%s: weighed at the tick", how)
		}
		fn(r, d)
		if d.Role != want.Role || d.Level != want.Level || d.Probability != want.Probability || !slices.Equal(d.Evidence, want.Evidence) {
			t.Errorf("%s: %v %v %v, want %v %v %v", how, d.Role, d.Probability, d.Evidence, want.Role, want.Probability, want.Evidence)
		}
	}
	if len(want.Evidence) != 2 || want.Evidence[1].Points != 2 {
		t.Errorf("the user agent has not faded: %v", want.Evidence)
	}
}

// A device that was dropped is not weighed, and does not come back.
func TestDroppedDeviceIsNotWeighed(t *testing.T) {
	r, d := agent(t)
	before := slices.Clone(d.Evidence)
	r.drop(d)
	r.Tick(90 * dayNs)
	r.Settle(d)
	r.touch(d, true)
	if !slices.Equal(d.Evidence, before) || r.often.front == d {
		t.Error("a device that is gone was weighed or is back")
	}
	r.Settle(nil)
	(*Registry)(nil).Settle(d)
}

// Devices with the same evidence share it.
func TestEvidenceIsShared(t *testing.T) {
	r := New(Config{})
	for i := range byte(50) {
		r.station(r.linkOf(packet.MAC{0, 0x40, 0x8c, 1, 2, i}, 0), 0)
	}
	all := r.All()
	for _, d := range all {
		if len(d.Evidence) == 0 || &d.Evidence[0] != &all[0].Evidence[0] || d.claims[0].Statement != all[0].claims[0].Statement {
			t.Fatalf("%s: %v", d.Key, d.Evidence)
		}
	}
}

// The cache of addresses has the current bindings.
func TestAddrCacheFollowsBindings(t *testing.T) {
	r := New(Config{MaxDevices: 3})
	for i := range 1000 {
		a, m := packet.AddrFrom4([]byte{10, 0, byte(i >> 4), byte(i % 7)}), mac(byte(i%5+1))
		v := &session.View{Start: int64(i), End: int64(i), Proto: protoUDP, HasPorts: true, Packets: [2]uint64{1, 0}}
		v.Initiator = session.Endpoint{Addr: a, MAC: m, Port: 1}
		v.Responder = session.Endpoint{Addr: ip("10.255.255.1"), MAC: mac(0xfe), Port: 2}
		r.Session(Opened, v, nil, int64(i)*dayNs/100)
		for j := range r.addrs {
			if p := &r.addrs[j]; p.isFilled && p.bound != r.bindings[p.addr] {
				t.Fatalf("step %d: %v has another binding in the cache", i, p.addr)
			}
		}
	}
}
