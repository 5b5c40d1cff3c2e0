// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"errors"
	"testing"
)

func attempts(n int) Config {
	return Config{Params: func(rule string, into any) error {
		if p, ok := into.(*CallbackParams); ok {
			p.Attempts = n
		}
		return nil
	}}
}

// TestReconfigureKeepsState changes a threshold between two attempts: those before it count.
func TestReconfigureKeepsState(t *testing.T) {
	w := declared(t, entry("srv", "10.0.0.5", 0))
	reconfigure := func(c Config) {
		t.Helper()
		ds, err := Reconfigure(w.dets, c)
		if err != nil {
			t.Fatal(err)
		}
		w.dets = ds
	}
	reconfigure(attempts(9))
	try := func(n int) {
		for range n {
			w.attempt("10.0.0.5", "198.51.100.9:4444")
			w.wait(30 * second)
		}
	}
	try(6)
	if got := w.reported("D06"); len(got) != 0 {
		t.Fatalf("too early: %q", got)
	}
	reconfigure(attempts(7))
	try(1)
	if got := w.reported("D06"); len(got) != 1 {
		t.Errorf("told %q", got)
	}
}

// TestReconfigureEnablesAndDisablesRules switches one off and on again, and changes nothing when a parameter is wrong.
func TestReconfigureEnablesAndDisablesRules(t *testing.T) {
	all, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	without, err := Reconfigure(all, Config{Enabled: func(rule string) bool { return rule != "D06" }})
	if err != nil || len(without) != len(all)-1 {
		t.Fatalf("%v, %d of %d detectors", err, len(without), len(all))
	}
	again, err := Reconfigure(without, Config{})
	if err != nil || len(again) != len(all) {
		t.Fatalf("%v, %d of %d detectors", err, len(again), len(all))
	}
	for i, d := range again {
		if kept := d == all[i]; kept != (d.Rule().ID != "D06") {
			t.Errorf("%s: kept is %v", d.Rule().ID, kept)
		}
	}
	wrong := errors.New("wrong")
	if _, err := Reconfigure(all, Config{Params: func(string, any) error { return wrong }}); !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
}
