// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"
	"slices"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/enrich"
)

// The example of docs/devices.md: the terms are those that the text explains, and the limit is one of them until the device answers.
func TestSumsOfTheExample(t *testing.T) {
	c := NewCache()
	cs := Claims{
		{c.Vendor(enrich.VendorOf([6]byte{0, 0x40, 0x8c, 0, 0, 1})), 0},
		{c.Lookup(VendorClass, "AXIS,Network Camera,P3225-LV,9.80.1"), 0},
	}
	for _, want := range []string{
		"role camera 13.0: base rate -7.0, link 39.5, limit of what anyone can forge -19.5",
		"role camera 56.5: base rate -7.0, link 39.5, banner 24.0",
	} {
		if got := text(cs.Sums(Camera, 0)[0]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		cs.Add(Claim{c.Lookup(HTTPRealm, "AXIS_00408C000001"), 0})
	}
	all := cs.Sums(Camera, 0)
	at := slices.IndexFunc(all, func(s Sum) bool { return s.Kind == "vendor" })
	if at < 0 || all[at].Value != cs.vendor(Camera, 0) || !slices.IsSortedFunc(all[:at], func(a, b Sum) int { return int(b.Points - a.Points) }) {
		t.Errorf("%+v", all)
	}
}

func text(s Sum) string {
	out := fmt.Sprintf("%s %s %.1f:", s.Kind, s.Value, s.Points)
	for i, x := range s.Terms {
		if i > 0 {
			out += ","
		}
		out += fmt.Sprintf(" %s %.1f", x.Name, x.Points)
	}
	return out
}

// What is shown is what was decided: each sum is the total that role compares, and its terms add up to it.
func FuzzSums(f *testing.F) {
	f.Add([]byte{0, 1, 2, 40, 80, 200})
	f.Add([]byte{255, 254, 3, 3, 17})
	byRole := rules()
	mutate.Fuzz(f, func(t *testing.T, picks []byte) {
		var cs Claims
		for i, p := range picks[:min(len(picks), MaxClaims)] {
			src := Source(int(p) % int(numSources))
			all := byRole.bySource[src]
			if len(all) == 0 {
				continue
			}
			r := all[(int(p)*31+i*7)%len(all)]
			cs.Add(Claim{&Statement{source: src, rule: r, value: fmt.Sprint(i), vendor: r.vendor, vendorPoints: r.vendorPoints}, int64(i)})
		}
		total := cs.totals(5)
		for _, s := range cs.Sums(Camera, 5) {
			sum := 0.0
			for _, x := range s.Terms {
				sum += x.Points
			}
			if !near(sum, s.Points) {
				t.Errorf("%+v", s)
			}
			if r, ok := ParseRole(s.Value); s.Kind == "role" && (!ok || !near(s.Points, total[r])) {
				t.Errorf("%+v, total %v", s, total)
			}
		}
	})
}
