// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"testing"
	"time"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// monday9 is a Monday, 09:00 UTC.
var monday9 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixNano()

func peerKey(t *testing.T, s string) PeerKey {
	t.Helper()
	p, err := ParsePeer(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolicyEntries(t *testing.T) {
	_, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	hours, err := ParseHours("mon-fri 00-06")
	if err != nil {
		t.Fatal(err)
	}
	out := PolicyMatch{Proto: "tcp", Port: 443, AnyPeer: true}
	with := func(change func(m *PolicyMatch)) PolicyMatch {
		m := out
		change(&m)
		return m
	}
	peer := func(s string) PolicyMatch {
		return with(func(m *PolicyMatch) { m.AnyPeer, m.Peer = false, peerKey(t, s) })
	}
	far := flow("10.0.0.1", "198.51.100.1", 6, 443)
	for _, c := range []struct {
		name string
		m    PolicyMatch
		dir  session.Dir
		v    *session.View
		app  string
		peer string
		want bool
	}{
		{"any peer", out, session.Out, far, "", "", true},
		{"other port", out, session.Out, flow("10.0.0.1", "198.51.100.1", 6, 8443), "", "", false},
		{"other protocol", out, session.Out, flow("10.0.0.1", "198.51.100.1", 17, 443), "", "", false},
		{"other direction", out, session.In, far, "", "", false},
		{"application", with(func(m *PolicyMatch) { m.App = "tls" }), session.Out, far, "tls", "", true},
		{"other application", with(func(m *PolicyMatch) { m.App = "tls" }), session.Out, far, "ssh", "", false},
		{"hours", with(func(m *PolicyMatch) { m.Hours = hours }), session.Out, far, "", "", false},
		{"name", peer("api.example.com"), session.Out, far, "", "api.example.com", true},
		{"other name", peer("api.example.com"), session.Out, far, "", "api.example.org", false},
		{"no name", peer("api.example.com"), session.Out, far, "", "", false},
		{"domain", peer("*.example.com"), session.Out, far, "", "a.b.example.com", true},
		{"network", peer("198.51.100.0/24"), session.Out, far, "", "", true},
		{"other network", peer("203.0.113.0/24"), session.Out, far, "", "", false},
		{"zone", peer("zone cams"), session.Out, flow("10.0.0.1", "10.30.4.4", 6, 443), "", "", true},
		{"outside", peer("outside"), session.Out, far, "", "", true},
		{"inside", peer("inside"), session.Out, far, "", "", false},
	} {
		inv := inventory(Silent)
		inv.Devices[0].Allow = nil
		b := New(inv, Config{})
		if v := b.Check(d, c.dir, c.v, app(c.app), c.peer, nil, monday9); c.dir == session.Out && (v.Allowed || v.Entry != "") {
			t.Fatalf("%s: allowed without a policy", c.name)
		}
		b.SetPolicies([]Policy{{ID: "p", Device: Selector{Key: d.Key}, Entry: &PolicyEntry{PolicyMatch: c.m, Text: "entry"}}})
		if v := b.Check(d, c.dir, c.v, app(c.app), c.peer, nil, monday9); (v.Entry == "entry") != c.want || c.dir == session.Out && v.Allowed != c.want {
			t.Errorf("%s: %+v", c.name, v)
		}
		b.SetPolicies(nil)
		if v := b.Check(d, c.dir, c.v, app(c.app), c.peer, nil, monday9); v.Entry != "" {
			t.Errorf("%s: %+v after the policy was taken back", c.name, v)
		}
	}
}

// TestPolicyExpectations checks that the most exact policy counts, then the newest, and that policies come before what else is declared.
func TestPolicyExpectations(t *testing.T) {
	_, d, _ := known(device.Config{}, "10.0.0.1", "10.0.0.2")
	of := func(id string, created int64, x Expect, s Selector) Policy {
		return Policy{ID: id, Created: created, Expect: x, Device: s}
	}
	ip := Selector{Match: Match{IP: netip.MustParseAddr("10.0.0.1")}}
	wide := Selector{Match: Match{Prefix: prefix("10.0.0.0/8")}}
	near := Selector{Match: Match{Prefix: prefix("10.0.0.0/24")}}
	mac := Selector{Match: Match{MAC: devMAC}}
	for _, c := range []struct {
		name   string
		all    []Policy
		want   Expect
		source string
	}{
		{"none", nil, Silent, FromInventory},
		{"about another device", []Policy{of("a", 1, Normal, Selector{Key: "other"}), of("b", 1, Normal, Selector{Match: Match{Role: device.Camera}})}, Silent, FromInventory},
		{"one", []Policy{of("a", 1, Normal, ip)}, Normal, FromPolicy},
		{"the longest prefix", []Policy{of("a", 9, Normal, wide), of("b", 1, ServerOnly, near)}, ServerOnly, FromPolicy},
		{"the address before the prefix", []Policy{of("a", 9, Normal, near), of("b", 1, ServerOnly, ip)}, ServerOnly, FromPolicy},
		{"the MAC before the address", []Policy{of("a", 9, Normal, ip), of("b", 1, ServerOnly, mac)}, ServerOnly, FromPolicy},
		{"the key before the MAC", []Policy{of("a", 9, Normal, mac), of("b", 1, ServerOnly, Selector{Key: d.Key})}, ServerOnly, FromPolicy},
		{"the newest of two", []Policy{of("a", 1, Normal, ip), of("b", 2, Allowlist, ip)}, Allowlist, FromPolicy},
	} {
		b := New(inventory(Silent), Config{Silent: []netip.Prefix{prefix("10.0.0.1/32")}})
		b.SetPolicies(c.all)
		if x, source := b.Expect(d, 0); x != c.want || source != c.source {
			t.Errorf("%s: %v by %s, want %v by %s", c.name, x, source, c.want, c.source)
		}
	}
	b := New(nil, Config{})
	b.SetPolicies([]Policy{of("a", 1, Silent, wide)})
	if v := b.Check(d, session.Out, flow("10.0.0.1", "198.51.100.1", 6, 443), nil, "", nil, 0); v.Allowed || v.Broken != "silent (by a policy): opens nothing but infrastructure" {
		t.Errorf("without an inventory: %+v", v)
	}
}

func TestArmAndForgetByPolicy(t *testing.T) {
	l := NewLearner(DefaultLearnConfig())
	d := &device.Device{Key: "mac:a", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	find := func(key string) *device.Device {
		if key == d.Key {
			return d
		}
		return nil
	}
	k := Key{Dir: session.Out, Proto: 6, Port: 443, Peer: peerKey(t, "api.example.com")}
	l.Use(d, &Contact{Key: k}, flow("10.0.0.1", "198.51.100.1", 6, 443), false)
	sel := Selector{Match: Match{Prefix: prefix("10.0.0.0/24")}}
	l.ArmBy(&sel, false, find, 0)
	c := l.Of(d)
	if c.State != Learning {
		t.Errorf("a contract that has learned nothing is %s", c.State)
	}
	if _, err := l.Approve(d.Key, k, 0); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func()
		want State
	}{
		{func() { l.ArmBy(&Selector{Key: "mac:b"}, false, find, 0) }, Learning},
		{func() { l.ArmBy(&sel, false, find, 0) }, Armed},
		{func() { l.ArmBy(&sel, true, find, 0) }, Frozen},
		{func() { l.ArmBy(&sel, false, find, 0) }, Frozen},
		{func() { l.ForgetBy(&Selector{Match: Match{MAC: packet.MAC{9}}}, nil, find, 0) }, Frozen},
		{func() {
			l.ForgetBy(&sel, &PolicyMatch{Proto: "udp", Either: true, AnyPeer: true}, find, 0)
			if len(c.Entries(true)) != 1 {
				t.Error("an entry that the match does not name is deleted")
			}
			l.ForgetBy(&sel, &PolicyMatch{Proto: "tcp", Port: 443, Peer: k.Peer}, find, 0)
			if len(c.Entries(true)) != 0 {
				t.Error("the entry that the match names is still there")
			}
		}, Frozen},
		{func() { l.ForgetBy(&sel, nil, find, 0) }, Learning},
	} {
		if step.do(); c.State != step.want {
			t.Errorf("%s, want %s", c.State, step.want)
		}
	}
	(*Learner)(nil).ArmBy(&sel, false, find, 0)
	(*Learner)(nil).ForgetBy(&sel, nil, find, 0)
}
