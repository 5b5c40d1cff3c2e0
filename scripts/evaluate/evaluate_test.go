// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// TestStory evaluates one story with a fresh sensor, twice.
func TestStory(t *testing.T) {
	root, dir := testneed.Root(t), t.TempDir()
	sensor, err := testneed.Program(t.TempDir(), "sensor")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "scripts", "stories", "testdata", "S4"), filepath.Join(dir, "S4")); err != nil {
		t.Fatal(err)
	}
	stories, err := readStories(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := &options{sensor: sensor, jobs: 2}
	results, err := evaluate(o, dir, stories)
	if err != nil {
		t.Fatal(err)
	}
	clean, twice, oneWay := &results[0], &results[len(results)-2], &results[len(results)-4]
	if clean.expected < 9 || clean.byRule != clean.expected || clean.loud != 1 || clean.false != [5]int{} {
		t.Errorf("unchanged: %+v", clean)
	}
	if twice.change != "all frames twice" || twice.byRule != clean.byRule || oneWay.change != "answers only" || oneWay.byRule >= clean.byRule {
		t.Errorf("%s: %d, %s: %d, unchanged: %d alerts", twice.change, twice.byRule, oneWay.change, oneWay.byRule, clean.byRule)
	}
	again, err := evaluate(o, dir, stories)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := table("stories", results), table("stories", again); a != b {
		t.Errorf("another table:\n%s\n%s", a, b)
	}
}

func TestReadStories(t *testing.T) {
	stories, err := readStories(filepath.Join(testneed.Root(t), "scripts", "stories", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories {
		attack := s.name[0] == 'S' && s.name != "S5"
		if (len(s.wants) == 0) != (s.name == "benign") || (s.attack != 0) != attack || (s.attacked != nil) != attack || s.quiet < 50 {
			t.Errorf("%s: %d alerts, attack at %d on %v, %.1f device-days", s.name, len(s.wants), s.attack, s.attacked, s.quiet)
		}
	}
	i := slices.IndexFunc(stories, func(s sample) bool { return s.name == "S2" })
	w := stories[i].wants[slices.IndexFunc(stories[i].wants, func(w want) bool { return w.text == "D08 the cameras" })]
	if at := time.Date(2026, 3, 10, 22, 46, 0, 0, time.UTC).UnixNano(); w.rule != "D08" || len(w.who) != 12 || w.from != at {
		t.Errorf("%+v", w)
	}
}

func TestReadCorpus(t *testing.T) {
	dir := t.TempDir()
	if all, err := readCorpus(dir); err != nil || all != nil {
		t.Errorf("%v, %v without a corpus", all, err)
	}
	for name, text := range map[string]string{
		"malicious": `{"capture":"a/x.pcap","device_ip":"10.0.0.5","label":"C&C","match":"peer","dst":"192.0.2.1","port":50,"args":["--silent","10.0.0.5/32"]}
{"capture":"a/x.pcap","device_ip":"10.0.0.5","label":"disputed","match":"peer","dst":"192.0.2.2","dont_care":true}
{"capture":"a/x.pcap","device_ip":"10.0.0.5","label":"scan","match":"device","args":["--silent","10.0.0.5/32"]}
`,
		"benign": `{"capture":"a/x.pcap","scope":"peer","device_ip":"10.0.0.5","dst":"192.0.2.9"}
{"capture":"b/y.pcap","scope":"capture","device_days":1.5,"args":[]}
`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, "truth"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "truth", name+".jsonl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := readCorpus(dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d captures, %v", len(all), err)
	}
	bad, good := &all[0], &all[1]
	if len(bad.wants) != 2 || bad.wants[0].peer != netip.MustParseAddr("192.0.2.1") || bad.wants[1].peer.IsValid() || len(bad.inventory) != 2 || bad.benign {
		t.Errorf("malicious: %+v", bad)
	}
	if !good.benign || good.quiet != 1.5 || good.path != filepath.Join(dir, "captures", "b", "y.pcap") {
		t.Errorf("benign: %+v", good)
	}
}

// TestChanges applies each change to a capture of one session, an echo request with its reply, and ARP.
func TestChanges(t *testing.T) {
	n := netsim.New(1)
	r := n.Router("10.0.0.1", "00:1b:54:00:00:01")
	a := n.Host("a", "10.0.0.5", "b8:ca:3a:00:00:05", netsim.Linux)
	far := n.External("198.51.100.7", netsim.Linux, 20*time.Millisecond)
	at := n.ARP(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), a, r) // 2 frames
	at = n.Ping(at, a, far, 1, true)
	c := n.Dial(at.Add(time.Second), a, far, 443)
	for range 300 {
		c.Send([]byte("question")).Reply([]byte("answer"))
	}
	c.Close()
	path := filepath.Join(t.TempDir(), "all.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mine := 0
	for _, f := range n.Frames() {
		if f.Data[6] == 0xb8 { // sent by a
			mine++
		}
	}
	whole := len(n.Frames())
	for _, c := range changes()[1:] {
		to := filepath.Join(t.TempDir(), "changed.pcap")
		if err := c.apply("all", path, to); err != nil {
			t.Fatal(err)
		}
		_, frames, err := readCapture(to)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := whole, whole
		switch c.name {
		case "1 % lost":
			lo, hi = whole*97/100, whole-1
		case "5 % lost":
			lo, hi = whole*92/100, whole*98/100
		case "10 % lost":
			lo, hi = whole*85/100, whole*95/100
		case "requests only":
			lo, hi = mine+1, mine+1 // and the ARP reply
		case "answers only":
			lo, hi = whole-mine+1, whole-mine+1 // and the ARP request
		case "all frames twice":
			lo, hi = 2*whole, 2*whole
		}
		if len(frames) < lo || len(frames) > hi {
			t.Errorf("%s: %d of %d frames, want %d to %d", c.name, len(frames), whole, lo, hi)
		}
	}
}

func TestCompare(t *testing.T) {
	device := party{key: "cam", mac: "44:19:b6:00:00:01", ip: netip.MustParseAddr("10.0.0.5")}
	alert := func(rule, severity, key string, at int64) *raised {
		r := &raised{first: at}
		r.last.Rule.ID, r.last.Severity, r.last.Device.Key = rule, severity, key
		r.last.Time.EventStart, r.last.Time.EventEnd = schemas.Time(at), schemas.Time(at)
		return r
	}
	s := sample{name: "x", attack: 100e9, attacked: &device, quiet: 2, wants: []want{
		{rule: "D01", who: []party{device}, from: 100e9, text: "D01 cam"},
		{rule: "D18", who: []party{device}, from: 200e9, text: "D18 cam"},
		{rule: "D06", who: []party{device}, from: 200e9, text: "D06 cam"},
	}}
	absorbed := alert("D17", "low", "other", 5e9)
	absorbed.last.AbsorbedBy = "an id"
	x := s.compare([]*raised{alert("D01", "high", "cam", 103e9), alert("D18", "low", "cam", 150e9), alert("D13", "medium", "other", 50e9), absorbed, alert("D34", "informational", "cam", 1e9)})
	if x.expected != 3 || x.byRule != 2 || x.byAny != 3 || !slices.Equal(x.delays, []float64{3, 0}) || !slices.Equal(x.missed, []string{"x D06 cam"}) {
		t.Errorf("%+v", x)
	}
	if x.attacks != 1 || x.loud != 1 || x.days != 2 || x.false != [5]int{1, 0, 1, 0, 0} {
		t.Errorf("%+v", x)
	}
}

func TestReplaceTable(t *testing.T) {
	page, err := replaceTable("a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n", "x", "new\n")
	if want := "a\n<!-- begin: x -->\nnew\n<!-- end: x -->\nb\n"; err != nil || page != want {
		t.Errorf("%q, %v", page, err)
	}
	if _, err := replaceTable(page, "y", "new\n"); err == nil {
		t.Error("no error for a page without the table")
	}
}

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values  []float64
		q, want float64
	}{{nil, 0.5, 0}, {[]float64{3, 1, 2}, 0.5, 2}, {[]float64{4, 1, 2, 3}, 0.5, 2}, {[]float64{4, 1, 2, 3}, 0.9, 4}, {[]float64{5}, 1, 5}} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile %v of %v: %v, want %v", c.q, c.values, got, c.want)
		}
	}
}
