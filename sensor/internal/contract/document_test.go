// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"stillwatch/internal/testlab/mutate"
)

// TestDocumentRoundTrip exports contracts, imports them elsewhere, and compares.
func TestDocumentRoundTrip(t *testing.T) {
	r := newLearnFixture(DefaultLearnConfig())
	r.days(9, func(int, int) {
		r.out(testDevice(1), "cloud.example.net", "198.51.100.7:443")
		r.in(testDevice(1), "10.0.0.9:554")
		r.out(testDevice(2), "", "10.0.0.9:22")
	})
	h, _ := ParseHours("mon-fri 08-18")
	k, _ := ParseKey("out icmp to 203.0.113.0/24")
	e, err := r.l.Approve("device-2", k, r.now)
	if err != nil {
		t.Fatal(err)
	}
	e.Hours, e.Refuse = h, true
	b, err := yaml.Marshal(r.l.Export(""))
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	again := newLearnFixture(DefaultLearnConfig())
	if err := again.l.Import(d, r.now); err != nil {
		t.Fatal(err)
	}
	want := []string{"device-1: review", "device-1: out tcp 443 tls to cloud.example.net (learned)", "device-1: in tcp 554 http from inside (learned)",
		"device-2: review", "device-2: out tcp 22 tls to 10.0.0.9 (learned)", "device-2: out icmp to 203.0.113.0/24 (approved), hours mon-fri 08-18, refused"}
	for _, l := range []*Learner{r.l, again.l} {
		got, sorted := l.Export("").Lines(), slices.Clone(want)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(sorted))) {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if err := r.l.Import(d, r.now); err != nil || r.l.Of(testDevice(1)).Entries(false)[0].Uses != 27 {
		t.Errorf("an import of the same takes the counts away: %v, %+v", err, r.l.Of(testDevice(1)).Entries(false)[0])
	}
}

func TestBadDocuments(t *testing.T) {
	for text, want := range map[string]string{
		"contracts: [{device: a, state: asleep, entries: []}]":                                                                                          "unknown state",
		"contracts: [{device: a, state: armed, entries: [{entry: out tcp to x.example, from: learned}]}]":                                               "an entry looks like",
		"contracts: [{device: a, state: armed, entries: [{entry: out tcp 1 to *.github.io, from: learned}]}]":                                           "many owners",
		"contracts: [{device: a, state: armed, entries: [{entry: out tcp 1 to x.example, from: me}]}]":                                                  "none of",
		"contracts: [{device: a, state: armed, why: 1}]":                                                                                                "why",
		"contracts: [{device: a, state: armed}, {device: a, state: armed}]":                                                                             "one contract for each device",
		"contracts: [{device: a, state: too_varied, entries: [{entry: out tcp 1 to x.example, from: learned}]}]":                                        "has no entries",
		"contracts: [{device: a, state: armed, entries: [{entry: out tcp 1 to x.example, from: learned}, {entry: out tcp 1 to x.example, from: mud}]}]": "there twice",
	} {
		l := NewLearner(DefaultLearnConfig())
		d, err := ParseDocument([]byte(text))
		if err == nil {
			err = l.Import(d, monday)
		}
		if err == nil || !strings.Contains(err.Error(), want) || len(l.devices) > 0 {
			t.Errorf("%s: %v, and %d devices", text, err, len(l.devices))
		}
	}
}

// TestAnalyst arms, freezes and forgets.
func TestAnalyst(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	r.days(3, func(day, i int) {
		r.out(d, "cloud.example.net", "198.51.100.7:443")
		if day == 2 && i == 0 {
			r.out(d, "once.example.org", "198.51.100.8:443")
		}
	})
	if err := r.l.Arm(d.Key, false, r.now); err != nil {
		t.Fatal(err)
	}
	r.want(t, d, Armed, cloud)
	if x, source := r.book.Expect(d, r.now); x != Allowlist || source != FromLearned {
		t.Errorf("%s by %s", x, source)
	}
	if err := r.l.Arm(d.Key, true, r.now); err != nil {
		t.Fatal(err)
	}
	r.wait(200 * day)
	if r.want(t, d, Frozen, cloud); r.l.Of(d).Entries(false)[0].Stale {
		t.Error("a frozen entry has aged")
	}
	if err := r.l.Forget(d.Key, r.now); err != nil {
		t.Fatal(err)
	}
	r.want(t, d, Learning)
	if _, err := r.l.Approve("nobody", Key{}, r.now); err == nil || r.l.Arm("nobody", false, r.now) == nil || r.l.Forget("nobody", r.now) == nil {
		t.Error("a device without a contract is accepted")
	}
}

// TestImportKeepsCandidates imports what was exported while a contract is learned, and learns on as if nothing had happened.
func TestImportKeepsCandidates(t *testing.T) {
	r, d := newLearnFixture(DefaultLearnConfig()), testDevice(1)
	r.days(3, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	r.out(d, "once.example.org", "198.51.100.8:443")
	was := len(r.l.Of(d).Entries(true))
	if err := r.l.Import(r.l.Export(""), r.now); err != nil {
		t.Fatal(err)
	}
	if is := len(r.l.Of(d).Entries(true)); was != 2 || is != was || r.l.Counts().Entries != 2 {
		t.Errorf("%d candidates, then %d, and %+v", was, is, r.l.Counts())
	}
	r.days(9, func(int, int) { r.out(d, "cloud.example.net", "198.51.100.7:443") })
	r.want(t, d, Review, cloud)
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"out tcp 443 tls to *.example.com", "in tcp 554 from inside", "out udp dynamic rtp to 203.0.113.0/24", "out icmp to AS64500 DE", "out 47 to device nvr"} {
		f.Add(s)
	}
	mutate.Fuzz(f, func(t *testing.T, s string) {
		if k, err := ParseKey(s); err == nil && k.String() != s {
			t.Errorf("%q is %q", s, k)
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte("contracts: [{device: a, state: armed, entries: [{entry: out tcp 443 to x.example, from: learned, hours: mon 08-09}]}]"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		d, err := ParseDocument(b)
		if err != nil {
			return
		}
		l := NewLearner(DefaultLearnConfig())
		if l.Import(d, monday) == nil {
			_ = l.Export("")
		}
	})
}
