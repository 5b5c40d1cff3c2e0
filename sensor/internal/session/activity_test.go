// SPDX-License-Identifier: Apache-2.0

package session

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// mature plays a session that has carried enough to be followed, and moves the clock until it is.
func (w *wire) mature(tab *Table) {
	w.play(tab, "cS sSA cA cA:"+strings.Repeat("x", 1500)+" sA:"+strings.Repeat("y", 1500))
	w.time += tab.cfg.FollowAge * 1e9
	w.time = (w.time/1e9/activitySeconds + 1) * activitySeconds * 1e9
	tab.Advance(w.time / 1e9)
}

func TestActivity(t *testing.T) {
	for _, swap := range []bool{false, true} {
		r := &recorder{}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		w := newWire()
		w.swapTheAddrs = swap
		w.mature(tab)
		start := w.time
		w.play(tab, "cA:abc cA sA:defgh") // one bin
		w.time += 1e9
		w.play(tab, "sA:ij")
		w.time += 1e9
		w.play(tab, "cA sA") // no payload
		w.time = start + (activitySeconds-1)*1e9
		if tab.Advance(w.time / 1e9); len(r.active) != 0 {
			t.Errorf("reported too early: %q", r.active)
		}
		w.time = start + activitySeconds*1e9
		tab.Advance(w.time / 1e9)
		w.time += 5e9
		w.play(tab, "cA:z cF sF cA")
		tab.Flush(1<<20, w.time)
		at := start/1e9 + activitySeconds
		want := []string{fmt.Sprintf("1 at %d: out [3 5]", at), fmt.Sprintf("1 at %d: in [0 2]", at), fmt.Sprintf("1 at %d: out [1 0]", at+5)}
		if !slices.Equal(r.active, want) {
			t.Errorf("swapped %v: %q, want %q", swap, r.active, want)
		}
	}
}

// TestActivityNotFollowed plays sessions that are not followed.
func TestActivityNotFollowed(t *testing.T) {
	much := strings.Repeat("x", 1400)
	for name, script := range map[string]string{
		"little":          "cS sSA cA cA:a sA:b",
		"one direction":   "cS sSA cA cA:" + much + " cA:" + much + " cA:" + much,
		"already over":    "cS sSA cA cA:" + much + " sA:" + much + " cF sF cA",
		"already refused": "cS sSA cA cA:" + much + " sA:" + much + " sR",
	} {
		r := &recorder{}
		tab := New(DefaultConfig(), r)
		r.tab = tab
		w := newWire()
		w.play(tab, script)
		w.time += tab.cfg.FollowAge * 1e9
		w.play(tab, "cA:q")
		if len(tab.follow.all) != 0 {
			t.Errorf("%s: it is followed", name)
		}
	}
}

// TestActivityIsBounded floods the table of followed sessions: the one that was idle longest makes room, and what it carried is reported.
func TestActivityIsBounded(t *testing.T) {
	r := &recorder{}
	cfg := DefaultConfig()
	cfg.MaxFollowed = 4
	tab := New(cfg, r)
	r.tab = tab
	for i := range 20 {
		w := newWire()
		w.num, w.client, w.time = uint64(100*i), uint16(1000+i), w.time+int64(i)*2*cfg.FollowAge*1e9
		w.mature(tab)
		w.play(tab, "cA:abc")
	}
	if n := len(tab.follow.all); n != 4 || tab.Stats.FollowEvicted != 16 {
		t.Errorf("%d followed, %d evicted, want 4 and 16", n, tab.Stats.FollowEvicted)
	}
	tab.Flush(1<<20, tab.wheel.now*1e9)
	if len(tab.follow.all) != 0 || len(r.active) != 20 {
		t.Errorf("%d followed at the end, %d reports of 20 sessions", len(tab.follow.all), len(r.active))
	}
}

// TestActivityCarriesEveryByte compares the bins with the counts of the session, for random traffic and for ticks at every second and at few.
func TestActivityCarriesEveryByte(t *testing.T) {
	for seed := range uint64(20) {
		var logs [2][]string
		for pass, every := range []bool{true, false} {
			rng := rand.New(rand.NewPCG(seed, 0))
			r := &recorder{}
			tab := New(DefaultConfig(), r)
			r.tab = tab
			w := newWire()
			w.mature(tab)
			start := w.time
			before := tab.at(tab.follow.all[0].r).counts
			for range 300 {
				next := w.time + rng.Int64N(3e9)
				for s := w.time/1e9 + 1; every && s <= next/1e9; s++ {
					tab.Advance(s)
				}
				w.time = next
				w.play(tab, string("cs"[rng.IntN(2)])+"A:"+strings.Repeat("x", 1+rng.IntN(1400)))
			}
			tab.Flush(1<<20, w.time)
			var sum [2]uint64
			for _, l := range r.active {
				var id, at, a, b uint64
				var dir string
				if _, err := fmt.Sscanf(strings.NewReplacer("[", "", "]", "").Replace(l), "%d at %d: %s %d %d", &id, &at, &dir, &a, &b); err != nil {
					t.Fatal(err)
				}
				sum[0], sum[1] = sum[0]+a, sum[1]+b
			}
			v := r.ended[0]
			if want := [2]uint64{v.PayloadBytes[0] - before[0].payload, v.PayloadBytes[1] - before[1].payload}; sum != want || w.time == start {
				t.Errorf("seed %d: the bins have %v bytes, the session %v", seed, sum, want)
			}
			logs[pass] = r.active
		}
		if !slices.Equal(logs[0], logs[1]) {
			t.Errorf("seed %d: the reports depend on the ticks", seed)
		}
	}
}
