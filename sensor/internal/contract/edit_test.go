// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// TestEveryEntryCanBeDeleted deletes entries of each provenance, a candidate and a proposed one.
func TestEveryEntryCanBeDeleted(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	r.days(8, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	r.want(t, d, Review, cloud)
	c := r.l.Of(d)
	approved, mud := key(t, "out tcp 22 to 10.0.0.9"), key(t, "out tcp any to inside")
	if _, err := r.l.Approve(d.Key, approved, r.now); err != nil {
		t.Fatal(err)
	}
	if err := r.l.ImportMUD(d.Key, []*LearnedEntry{{Key: mud, From: ProvMUD, Learned: true}}, r.now); err != nil {
		t.Fatal(err)
	}
	v := r.view(d, session.Out, "198.51.100.9:8443", 0)
	x := r.book.ContactOf(session.Out, v, "tls", "new.example.net", nil)
	r.l.Propose(c, &x, v, "")
	if got := len(c.Entries(true)); got != 4 || !c.Proposed(c.entries[x.Key]) {
		t.Fatalf("%d entries", got)
	}
	for _, e := range c.Entries(true) {
		if err := r.l.Delete(d.Key, e.Key); err != nil {
			t.Error(err)
		}
		if err := r.l.Delete(d.Key, e.Key); err == nil || !strings.Contains(err.Error(), "no entry") {
			t.Errorf("deleted twice: %v", err)
		}
	}
	if n := len(c.Entries(true)); n != 0 || r.l.Counts().Entries != 0 || !c.Empty() {
		t.Errorf("%d entries are left, %d are counted", n, r.l.Counts().Entries)
	}
	r.days(40, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	r.want(t, d, Armed) // nothing is learned again
}

func key(t *testing.T, s string) Key {
	t.Helper()
	k, err := ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestDrift checks what explains a session outside a contract, and that it is only proposed.
func TestDrift(t *testing.T) {
	for _, c := range []struct {
		name, peer, far string
		firmware        string
		role            device.Role
		after           int64 // days since the firmware has changed
		incident        bool
		want            string
	}{
		{"another name of the domain", "cdn.example.net", "198.51.100.9:443", "1.0", device.Unknown, 0, false, "another name of a domain that it knows"},
		{"a new name", "c2.example.org", "203.0.113.9:443", "1.0", device.Unknown, 0, false, ""},
		{"a new name after an update", "cdn.vendor.example", "203.0.113.9:443", "2.0", device.Unknown, 1, false, `new firmware "2.0" since 2026-03-10`},
		{"an address after an update", "", "203.0.113.9:443", "2.0", device.Unknown, 1, false, ""},
		{"a host inside after an update", "", "10.0.0.99:443", "2.0", device.Unknown, 1, false, `new firmware "2.0" since 2026-03-10`},
		{"long after an update", "cdn.vendor.example", "203.0.113.9:443", "2.0", device.Unknown, 8, false, ""},
		{"what the role forbids", "cdn.vendor.example", "203.0.113.9:23", "2.0", device.Camera, 1, false, ""},
		{"during an incident", "cdn.example.net", "198.51.100.9:443", "2.0", device.Unknown, 1, true, ""},
	} {
		r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
		d.Firmware, d.Role, d.Level = "1.0", c.role, device.Identified
		r.days(8, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
		d.Firmware = c.firmware
		r.out(d, "cloud.example.net", "198.51.100.7:443")
		r.wait(c.after * day)
		if c.incident {
			r.l.Incident(d, r.now)
		}
		k := r.l.Of(d)
		v := r.view(d, session.Out, c.far, 0)
		x := r.book.ContactOf(session.Out, v, "", c.peer, nil)
		result, _ := k.Evaluate(&x, r.now)
		why := r.l.Explains(k, d, &x, result, r.now)
		if why != c.want {
			t.Errorf("%s: %q, want %q", c.name, why, c.want)
		}
		before := r.entries(d)
		r.l.Propose(k, &x, v, why)
		for range 30 {
			r.l.Use(d, &x, v, false)
			r.wait(day)
		}
		if result, _ = k.Evaluate(&x, r.now); result == Allows || !slices.Equal(r.entries(d), before) {
			t.Errorf("%s: the contract has changed by itself: %q", c.name, r.entries(d))
		}
		if _, proposed := k.entries[x.Key]; proposed == c.incident || k.Outside == 0 && k.State == Review {
			t.Errorf("%s: proposed %v, %d outside, %s", c.name, proposed, k.Outside, k.State)
		}
	}
}

// TestProposalsAreBounded proposes more entries than a contract may have, and waits until they are too old.
func TestProposalsAreBounded(t *testing.T) {
	cfg := DefaultLearnConfig()
	cfg.MaxEntries = 10
	r, d := newLearnFixture(cfg), testDevice(1)
	r.days(8, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	c := r.l.Of(d)
	for i := range 30 {
		v := r.view(d, session.Out, "203.0.113.9:443", 0)
		x := r.book.ContactOf(session.Out, v, "", string(rune('a'+i%26))+".x.example", nil)
		r.l.Propose(c, &x, v, "")
	}
	if n := len(c.Entries(true)); n != 10 || c.Outside != 30 {
		t.Errorf("%d entries, %d sessions outside", n, c.Outside)
	}
	r.days(100, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	r.want(t, d, Armed, cloud)
	if n := len(c.Entries(true)); n != 1 {
		t.Errorf("%d entries after 100 days", n)
	}
}
