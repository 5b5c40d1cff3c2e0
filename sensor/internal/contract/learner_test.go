// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

const (
	monday = int64(1772409600) * 1e9 // 2026-03-02 00:00:00 UTC
	minute = int64(60e9)
	hour   = 60 * minute
	day    = 24 * hour
)

// learnFixture has devices whose contracts are learned, and a clock.
type learnFixture struct {
	l    *Learner
	book *Registry
	now  int64
	x    *rand.Rand
}

func newLearnFixture(cfg LearnConfig) *learnFixture {
	l := NewLearner(cfg)
	return &learnFixture{l: l, book: New(nil, Config{Learner: l}), now: monday, x: rand.New(rand.NewPCG(1, 2))}
}

func testDevice(n byte) *device.Device {
	return &device.Device{ID: uint32(n), Key: fmt.Sprintf("device-%d", n), IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, n})}}
}

func (r *learnFixture) view(d *device.Device, dir session.Dir, far string, length int64) *session.View {
	p := netip.MustParseAddrPort(far)
	own, other := session.Endpoint{Addr: packet.AddrOf(d.IPs[0]), Port: 40000}, session.Endpoint{Addr: packet.AddrOf(p.Addr()), Port: p.Port()}
	v := &session.View{Proto: 6, HasPorts: true, Start: r.now, End: r.now + length, Basis: session.BasisSYN, State: session.Closed, Initiator: own, Responder: other}
	if dir == session.In {
		own.Port, other.Port = p.Port(), 50000
		v.Initiator, v.Responder = other, own
	}
	return v
}

// out has d open a session, by name unless that is "".
func (r *learnFixture) out(d *device.Device, name, far string) {
	v := r.view(d, session.Out, far, 0)
	_, breach := r.book.RoleBreach(d, v, nil)
	x := r.book.ContactOf(session.Out, v, "tls", name, nil)
	r.l.Use(d, &x, v, breach)
}

func (r *learnFixture) in(d *device.Device, far string) {
	v := r.view(d, session.In, far, 0)
	x := r.book.ContactOf(session.In, v, "http", "", nil)
	r.l.Use(d, &x, v, false)
}

func (r *learnFixture) wait(ns int64) {
	r.now += ns
	r.l.Tick(r.now)
}

// days has something happen at 09, 10 and 11 h on each of some days.
func (r *learnFixture) days(n int, f func(day, i int)) {
	for d := range n {
		for i := range 3 {
			r.now = monday + (r.now-monday)/day*day + int64(9+i)*hour
			f(d, i)
		}
		r.now = monday + ((r.now-monday)/day+1)*day
		r.l.Tick(r.now)
	}
}

func (r *learnFixture) entries(d *device.Device) (out []string) {
	if c := r.l.Of(d); c != nil {
		for _, e := range c.Entries(false) {
			out = append(out, e.Key.String())
		}
	}
	return out
}

func (r *learnFixture) want(t *testing.T, d *device.Device, s State, want ...string) {
	t.Helper()
	if c := r.l.Of(d); c == nil || c.State != s {
		t.Fatalf("%+v, want state %s", c, s)
	}
	if got := r.entries(d); !slices.Equal(got, want) {
		t.Errorf("learned\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const cloud = "out tcp 443 tls to cloud.example.net"

func TestLifeOfAContract(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	use := func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") }
	r.days(1, use)
	r.want(t, d, Learning) // three sessions on one day
	r.days(1, use)
	r.want(t, d, Learning, cloud)
	r.days(4, use)
	r.want(t, d, Learning, cloud)
	r.days(2, use) // the second weekend day, and seven days
	r.want(t, d, Review, cloud)
	r.days(7, use)
	r.want(t, d, Armed, cloud)
	r.days(89, func(int, int) {})
	k := &Contact{Key: Key{Proto: 6, Port: 443, App: "tls", Peer: PeerKey{Kind: ByName, Text: "cloud.example.net"}}}
	if got, _ := r.l.Of(d).Evaluate(k, r.now); got != Allows {
		t.Errorf("%d after 89 days", got)
	}
	r.days(2, func(int, int) {})
	if got, e := r.l.Of(d).Evaluate(k, r.now); got != WasAllowed || e.Last != monday+14*day+11*hour {
		t.Errorf("%d, last used %d", got, (e.Last-monday)/hour)
	}
}

// TestLearningEnds has devices whose behavior is known early, late and never.
func TestLearningEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		fresh func(day, i int) bool // whether something new is seen
		days  int                   // until review
		unmet string
	}{
		{"nothing new", func(int, int) bool { return false }, 8, ""},
		{"one new name on the second day, few sessions", func(day, i int) bool { return day == 1 && i == 0 }, 9, ""},
		{"a new name each day", func(_, i int) bool { return i == 0 }, 31, "learning ended after 30 days, and 33.3 % of the sessions were of a kind seen once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, d, n := newLearnFixture(DefaultLearnConfig()), testDevice(1), 0
			for day := range 40 {
				r.days(1, func(_, i int) {
					if name := "cloud.example.net"; c.fresh(day, i) {
						n++
						r.out(d, fmt.Sprintf("host%d.shop%d.example", n, n), "198.51.100.9:443")
					} else {
						r.out(d, name, "198.51.100.7:443")
					}
				})
				if r.l.Of(d).State == Review {
					if day+1 != c.days {
						t.Errorf("review after %d days", day+1)
					}
					break
				}
			}
			r.want(t, d, Review, cloud)
			if got := r.l.Of(d).Unmet; got != c.unmet {
				t.Errorf("%q, want %q", got, c.unmet)
			}
		})
	}
}

// TestNeverLearned has an intruder use what a device of 14 days does besides.
func TestNeverLearned(t *testing.T) {
	for _, c := range []struct {
		name string
		role device.Role
		day  func(r *learnFixture, d *device.Device, day, i int)
	}{
		{"one day of 14", device.Unknown, func(r *learnFixture, d *device.Device, day, i int) {
			if day == 5 {
				r.out(d, "c2.example.org", "203.0.113.9:443")
			}
		}},
		{"what the role forbids", device.Camera, func(r *learnFixture, d *device.Device, _, i int) { r.out(d, "host.example.org", "203.0.113.9:23") }},
		{"an admin port from outside", device.Unknown, func(r *learnFixture, d *device.Device, _, i int) { r.in(d, "203.0.113.9:22") }},
		{"a regular call to a bare address", device.Unknown, func(r *learnFixture, d *device.Device, _, i int) { r.out(d, "", "203.0.113.9:8443") }},
		{"while an incident is open", device.Unknown, func(r *learnFixture, d *device.Device, _, i int) {
			r.l.Incident(d, r.now)
			r.out(d, "c2.example.org", "203.0.113.9:443")
		}},
		{"in the hour before an incident", device.Unknown, func(r *learnFixture, d *device.Device, _, i int) {
			r.out(d, "c2.example.org", "203.0.113.9:443")
			r.now += 50 * minute
			r.l.Incident(d, r.now)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
			d.Role, d.Level = c.role, device.Identified
			r.days(14, func(day, i int) { c.day(r, d, day, i) })
			if got := r.entries(d); len(got) > 0 {
				t.Errorf("learned %q", got)
			}
		})
	}
	// The same without the reason for doubt.
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	r.days(7, func(day, i int) {
		r.out(d, "c2.example.org", "203.0.113.9:443")
		r.out(d, "host.example.org", "203.0.113.9:23")
		r.in(d, "10.0.0.9:22")
	})
	r.now = monday
	r.irregular(d, 80)
	r.wait(9*day - (r.now - monday))
	r.want(t, d, Review, "out tcp 443 tls to c2.example.org", "out tcp 23 tls to host.example.org", "out tcp 8443 tls to 203.0.113.0/24", "in tcp 22 http from inside")
}

// irregular has d call an address without a name n times at random, every 1.8 hours on average.
func (r *learnFixture) irregular(d *device.Device, n int) {
	for range n {
		r.now += int64(r.x.ExpFloat64() * 1.8 * float64(hour))
		r.out(d, "", "203.0.113.9:8443")
	}
}

// TestRolesLearn has devices of each role that has a template do what the template does not forbid: it is learned.
func TestRolesLearn(t *testing.T) {
	for _, x := range roleTemplates {
		r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
		d.Role, d.Level = x.role, device.Identified
		r.days(8, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
		r.want(t, d, Review, cloud)
	}
}

func TestNamesOfOneDomain(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  []string
	}{
		{[]string{"a.cdn.example.com", "b.cdn.example.com"}, []string{"out tcp 443 tls to a.cdn.example.com", "out tcp 443 tls to b.cdn.example.com"}},
		{[]string{"a.example.com", "B.example.com.", "x.c.example.com", "example.com"}, []string{"out tcp 443 tls to example.com", "out tcp 443 tls to *.example.com"}},
		{[]string{"a.github.io", "b.github.io", "c.github.io"}, []string{"out tcp 443 tls to a.github.io", "out tcp 443 tls to b.github.io", "out tcp 443 tls to c.github.io"}},
		{[]string{"198.51.100.7", "printer", "evil\n.example.com", "ok.example.com"}, []string{"out tcp 443 tls to ok.example.com"}}, // no names, and a regular call
	} {
		r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
		r.days(3, func(day, i int) {
			for _, n := range c.names {
				r.out(d, n, "198.51.100.7:443")
			}
		})
		r.want(t, d, Learning, c.want...)
	}
}

func TestTooVaried(t *testing.T) {
	cfg := DefaultLearnConfig()
	cfg.MaxEntries, cfg.MaxTotal, cfg.MaxDevices = 50, 120, 4
	r := newLearnFixture(cfg)
	for n := range byte(6) {
		for i := range 45 {
			r.out(testDevice(n), fmt.Sprintf("h%d.d%d.example", i, i), "198.51.100.7:443")
		}
	}
	for i := range 10 {
		r.out(testDevice(0), fmt.Sprintf("new%d.e%d.example", i, i), "198.51.100.7:443")
	}
	for n, want := range map[byte]State{0: TooVaried, 1: Learning, 2: TooVaried, 3: TooVaried} {
		if got := r.l.Of(testDevice(n)).State; got != want {
			t.Errorf("device %d is %s, want %s", n, got, want)
		}
	}
	if got := r.l.Counts(); got.Contracts != 4 || got.Entries > 120 || got.Refused != 90 || got.TooVaried != 3 {
		t.Errorf("%+v", got)
	}
	if r.l.Wants(testDevice(0), r.now) || !r.l.Wants(testDevice(9), r.now) {
		t.Error("Wants does not tell a device that varies too much from a new one")
	}
	guest := testDevice(9)
	guest.FirstSeen = r.now
	if r.l.Wants(guest, r.now+hour) || !r.l.Wants(guest, r.now+day) {
		t.Error("a contract does not begin on the second day of a device")
	}
}

// TestLongSessions counts a session that never ends on each of its days.
func TestLongSessions(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	v := r.view(d, session.Out, "198.51.100.7:443", 9*day)
	x := r.book.ContactOf(session.Out, v, "tls", "cloud.example.net", nil)
	r.l.Use(d, &x, v, false)
	r.wait(10 * day)
	r.want(t, d, Review, cloud)
	if e := r.l.Of(d).Entries(false)[0]; e.Days != 10 || e.Uses != 10 {
		t.Errorf("%d uses on %d days", e.Uses, e.Days)
	}
}

// TestRestoredContractsContinue saves and restores at random, and checks that both Learners know the same afterwards.
func TestRestoredContractsContinue(t *testing.T) {
	for seed := range uint64(30) {
		x := rand.New(rand.NewPCG(seed, 1))
		r := newLearnFixture(DefaultLearnConfig())
		parts, disk := r.l.Parts(), snapshottest.Disk{}
		for range 400 {
			r.random(x)
			if x.IntN(20) == 0 {
				disk.Drain(t, parts, 1+x.IntN(5))
			}
		}
		disk.Drain(t, parts, 3)
		again := newLearnFixture(DefaultLearnConfig())
		disk.Restore(t, again.l.Parts())
		again.now = r.now
		y, z := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 2))
		for range 200 {
			r.random(y)
			again.random(z)
		}
		if got, want := again.l.text(), r.l.text(); got != want {
			t.Fatalf("seed %d:\n%s\nwant\n%s", seed, got, want)
		}
	}
}

func (r *learnFixture) random(x *rand.Rand) {
	d := testDevice(byte(x.IntN(4)))
	switch x.IntN(12) {
	case 0:
		r.l.Incident(d, r.now)
	case 1:
		r.l.Move(d.Key, testDevice(byte(x.IntN(5))))
	case 2:
		r.in(d, "10.0.0.9:554")
	case 3:
		r.out(d, "", fmt.Sprintf("203.0.113.%d:8443", x.IntN(200)))
	default:
		r.out(d, fmt.Sprintf("h%d.d%d.example", x.IntN(4), x.IntN(3)), "198.51.100.7:443")
	}
	r.wait(int64(x.IntN(300)) * minute)
}

// text writes all that a Learner knows.
func (l *Learner) text() string {
	var b strings.Builder
	for n := range byte(6) {
		c := l.Of(testDevice(n))
		if c == nil {
			continue
		}
		w := snapshot.Writer(nil)
		c.walk(w)
		fmt.Fprintf(&b, "%s %x\n", c.Device, w.Bytes())
		for _, e := range c.Entries(true) {
			w := snapshot.Writer(nil)
			e.walk(w)
			fmt.Fprintf(&b, "  %s %x\n", e.Key, w.Bytes())
		}
	}
	fmt.Fprint(&b, l.day, l.watched, l.Counts())
	return b.String()
}

func TestContractsAreSavedWhole(t *testing.T) {
	e := &LearnedEntry{Key: Key{Peer: PeerKey{Kind: ByName, Text: "a.example"}}, gaps: gaps{n: maxGaps}}
	encode := func() []byte { w := snapshot.Writer(nil); e.walk(w); return w.Bytes() }
	got := slices.DeleteFunc(snapshottest.Forgotten(e, encode, snapshottest.Instead{reflect.TypeFor[Key](): func(v reflect.Value) { v.Set(reflect.ValueOf(Key{Proto: 9})) }}), func(f string) bool { return f == "changed" || strings.HasPrefix(f, "Key") })
	c := &Learned{}
	head := func() []byte { w := snapshot.Writer(nil); c.walk(w); return w.Bytes() }
	got = append(got, slices.DeleteFunc(snapshottest.Forgotten(c, head, snapshottest.Instead{reflect.TypeFor[map[Key]*LearnedEntry](): func(reflect.Value) {}}), func(f string) bool { return f == "changed" || f == "Device" || f == "entries" || f == "declared" })...)
	if len(got) > 0 {
		t.Errorf("not saved: %q", got)
	}
}

func FuzzRestore(f *testing.F) {
	r := newLearnFixture(DefaultLearnConfig())
	parts, disk := r.l.Parts(), snapshottest.Disk{}
	r.days(9, func(day, i int) {
		r.out(testDevice(1), "cloud.example.net", "198.51.100.7:443")
		r.out(testDevice(2), "", "203.0.113.9:8443")
	})
	disk.Drain(f, parts, 5)
	var l *Learner
	snapshottest.Fuzz(f, func() []snapshot.Part { l = NewLearner(DefaultLearnConfig()); return l.Parts() }, disk, func(t *testing.T) {
		again := &learnFixture{l: l, book: r.book, now: r.now}
		again.days(3, func(day, i int) { again.out(testDevice(1), "cloud.example.net", "198.51.100.7:443") })
		_ = l.text()
	})
}

func FuzzParsePeer(f *testing.F) {
	for _, s := range []string{"device nvr-1", "zone cameras", "a.example.com", "*.example.com", "*.github.io", "AS64500 DE", "AS1", "203.0.113.0/24", "10.0.0.1", "2001:db8::/48", "inside", "outside", "anyone", "manufacturer v.example", "model https://v.example/cam"} {
		f.Add(s)
	}
	mutate.Fuzz(f, func(t *testing.T, s string) {
		p, err := ParsePeer(s)
		if err != nil {
			return
		}
		if again, err := ParsePeer(p.String()); err != nil || again != p {
			t.Errorf("%q is %+v, and again %+v (%v)", s, p, again, err)
		}
	})
}

func TestHours(t *testing.T) {
	for _, s := range []string{"mon-fri 08-18", "sun 00-24", "sun-sat 22-24", "sun 01-02, sun 04-06, mon-tue 00-01"} {
		h, err := ParseHours(s)
		if err != nil || h.String() != s {
			t.Errorf("%q is %q, %v", s, h, err)
		}
	}
	for _, s := range []string{"", "mon", "mon 18-08", "fri-mon 08-09", "mon 00-25", "day 01-02"} {
		if _, err := ParseHours(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	h, _ := ParseHours("mon 09-10")
	if !h.Has(monday+9*hour) || h.Has(monday+10*hour) || h.Has(monday+day+9*hour) {
		t.Error("the window does not hold")
	}
}
