// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pinned reads the list of techniques: id to domain and tactics.
func pinned(t *testing.T) map[string][2]string {
	t.Helper()
	b, err := os.ReadFile("testdata/attack.tsv")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string][2]string{}
	for line := range strings.Lines(string(b)) {
		v := strings.Split(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(v) != 4 {
			t.Fatalf("%q has not four columns", line)
		}
		m[v[0]] = [2]string{v[1], v[2]}
	}
	return m
}

func TestTechniquesAreOnThePinnedList(t *testing.T) {
	list := pinned(t)
	for _, r := range Rules() {
		for _, a := range r.Attack {
			p, ok := list[a.Technique]
			if !ok || p[0] != a.Domain || !slices.Contains(strings.Split(p[1], ","), a.Tactic) {
				t.Errorf("%s: %+v, the list has %v", r.ID, a, p)
			}
		}
	}
}

// TestPinnedListSaysWhatItIs: the list names its versions with their dates, its source and its license, and the documentation the same versions.
func TestPinnedListSaysWhatItIs(t *testing.T) {
	list, err := os.ReadFile("testdata/attack.tsv")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`Enterprise (\d+\.\d+) of \d{4}-\d\d-\d\d and ATT&CK for ICS (\d+\.\d+) of \d{4}-\d\d-\d\d: https://`).FindStringSubmatch(string(list))
	if m == nil || !strings.Contains(string(list), "# License: ") {
		t.Fatal("the list does not name its versions, its source and its license")
	}
	if want := fmt.Sprintf("`enterprise` (%s) and `ics` (%s)", m[1], m[2]); !strings.Contains(string(page), want) {
		t.Errorf("docs/alerts.md does not have %s", want)
	}
}

func TestRulesAreInOrderAndDistinct(t *testing.T) {
	kind := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	last := ""
	for _, r := range Rules() {
		if r.ID <= last || !kind.MatchString(r.Kind) || r.Name == "" || r.Version < 1 || r.Reliability < 0 || r.Reliability > 1 {
			t.Errorf("%+v after %s", r, last)
		}
		last = r.ID
	}
	dets, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	rules := slices.DeleteFunc(Rules(), func(r Rule) bool { return r.ID == RuleChain().ID })
	for i, d := range dets {
		if d.Rule().ID != rules[i].ID {
			t.Errorf("detector %d is %s, the rule is %s", i, d.Rule().ID, rules[i].ID)
		}
		if Parameters()[d.Rule().ID] == nil {
			t.Errorf("%s has no parameters", d.Rule().ID)
		}
	}
	if len(dets) != len(rules) { // the chain is the alert manager's
		t.Errorf("%d detectors, %d rules", len(dets), len(rules))
	}
}

// A watch shows each event to those that look at its kind, once and in the order of the rules.
func TestWatchFollowsTheRules(t *testing.T) {
	dets, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]Kind{}
	for k, ds := range NewWatch(dets) {
		last := ""
		for _, d := range ds {
			id := d.Rule().ID
			if id <= last {
				t.Errorf("kind %d: %s after %s", k, id, last)
			}
			last, shown[id] = id, append(shown[id], Kind(k))
		}
	}
	for _, d := range dets {
		want := slices.Sorted(slices.Values(d.Kinds()))
		_, other := d.(PolicyWatcher) // it looks at no events
		if got := shown[d.Rule().ID]; !slices.Equal(got, want) || len(want) == 0 && !other {
			t.Errorf("%s is shown %v, it looks at %v", d.Rule().ID, got, want)
		}
	}
}

func TestConfiguration(t *testing.T) {
	dets, err := New(Config{
		Enabled: func(rule string) bool { return rule == "D06" || rule == "D13" },
		Params: func(rule string, into any) error {
			if p, ok := into.(*CallbackParams); ok {
				p.Attempts = 2
			}
			return nil
		}})
	if err != nil || len(dets) != 2 || dets[0].(*callback).p.Attempts != 2 || dets[0].(*callback).p.Hours != 3 {
		t.Errorf("%v %+v", err, dets)
	}
	all, err := Describe(Config{})
	some, err2 := Describe(Config{Params: func(_ string, into any) error {
		if p, ok := into.(*CallbackParams); ok {
			p.Attempts = 2
		}
		return nil
	}})
	if err != nil || err2 != nil || strings.Count(string(all), "\n") != len(Rules())-1 || string(all) == string(some) {
		t.Errorf("%v %v\n%s", err, err2, all)
	}
	bad := errors.New("line 3")
	if _, err := New(Config{Params: func(string, any) error { return bad }}); !errors.Is(err, bad) || !strings.Contains(err.Error(), "D01") {
		t.Errorf("the error is %v", err)
	}
}

func TestTableEvictsLeastRecentlyUsed(t *testing.T) {
	tab := newTable[int, string](3)
	for i := range 3 {
		*tab.put(i, int64(i)) = "v"
	}
	tab.get(0, 10)
	tab.put(3, 11)
	if tab.get(1, 12) != nil || tab.get(0, 12) == nil || tab.len() != 3 || tab.evicted() != 1 {
		t.Errorf("%d entries, %d evicted", tab.len(), tab.evicted())
	}
	tab.expire(12)
	if tab.len() != 1 {
		t.Errorf("%d entries are left", tab.len())
	}
}

func TestInsertTimeKeepsOrderWindowAndLimit(t *testing.T) {
	var ts []int64
	for _, at := range []int64{5, 3, 9, 7, 1, 20} {
		ts = insertTime(ts, at, 15, 4)
	}
	if !slices.Equal(ts, []int64{5, 7, 9, 20}) {
		t.Error(ts)
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\x1b[2Jb": "a\ufffd[2Jb", "a\u202eb": "a\ufffdb", "\xff": "\ufffd", "abcdefghijk": "abcdefgh…"} {
		if got := Clean(in, 8); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSizesAndSpans(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 2_500_000: "2.5 MB", 3e9: "3.0 GB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for ns, want := range map[int64]string{-5: "0 s", 59 * second: "59 s", 61 * second: "1 min 1 s", 3 * hour: "3 h", 49 * hour: "2 d 1 h"} {
		if got := span(ns); got != want {
			t.Errorf("%d: %s", ns, got)
		}
	}
}
