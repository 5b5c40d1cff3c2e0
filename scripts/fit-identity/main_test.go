// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rowsOfTest = `# Date: 2026-01-02
version	3
oui	=Axis	camera+15	-	-	-
hostname	~^(cam-\d+)	camera+14 iot-3	X +30	$1 +12	-
http_server	^boa	iot+6 camera+5	-	-	-
name	axis.com	camera+10	-	-	-
name	fw.axis.com	camera+16	-	-	-
`

func testTable(t *testing.T) *table {
	t.Helper()
	file := filepath.Join(t.TempDir(), "evidence.tsv")
	if err := os.WriteFile(file, []byte(rowsOfTest), 0o600); err != nil {
		t.Fatal(err)
	}
	banners := "version: 1\nbanners:\n  http_realm:\n    - {\"match\": \"=cam\", \"roles\": \"camera+20\", \"vendor\": \"X +20\", \"examples\": [\"cam\"]}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "banners.yaml"), []byte(banners), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := readTable(file)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestFindAndShare(t *testing.T) {
	x := testTable(t)
	for _, tt := range []struct {
		o     observation
		match string
		share float64
	}{
		{observation{"oui", "Axis Communications AB", "role=camera +15, vendor=Axis +15", 15}, "=Axis", 1},
		{observation{"hostname", "CAM-12", "role=camera +7, role=iot -2, vendor=X +15", 15}, `~^(cam-\d+)`, 0.5},
		{observation{"http_server", "Boa/0.9", "role=iot +6, role=camera +5", 6}, "^boa", 1},
		{observation{"name", "a.fw.axis.com", "role=camera +8", 8}, "fw.axis.com", 0.5},
		{observation{"http_realm", "cam", "role=camera +20", 20}, "=cam", 1},
		{observation{"name", "notaxis.com", "", 0}, "", 0},
	} {
		r := x.find(&tt.o)
		if r == nil || tt.match == "" {
			if r != nil || tt.match != "" {
				t.Errorf("%s %q: row %v, want %q", tt.o.Source, tt.o.Value, r, tt.match)
			}
			continue
		}
		if got := r.share(&tt.o); r.match != tt.match || math.Abs(got-tt.share) > 1e-9 {
			t.Errorf("%s %q: row %q, share %g, want %q, %g", tt.o.Source, tt.o.Value, r.match, got, tt.match, tt.share)
		}
	}
}

// The derivatives that the fit follows are those of the logarithm of the probability, also where a group is limited.
func TestSlopes(t *testing.T) {
	x := testTable(t)
	s := &sample{label: label{Role: oneOrMore{"camera"}}}
	for i, share := range []float64{1, 0.9, 1, 0.7, 1} {
		s.votes = append(s.votes, cast{x.rows[i], []int{0, 0, 2, 4, 4}[i], share})
	}
	slope, curve := map[param]float64{}, map[param]float64{}
	s.slopes(nil, 1, slope, curve)
	logP := func(w weights) float64 { return math.Log(s.weigh(w, nil).p[1]) }
	checked := 0
	for _, r := range x.rows[:5] {
		for _, v := range r.votes {
			k, h := param{r, v.role}, 1e-6
			want := (logP(weights{k: v.points + h}) - logP(weights{k: v.points - h})) / (2 * h)
			if math.Abs(slope[k]-want) > 1e-6 || curve[k] < 0 {
				t.Errorf("%s %s: slope %g, want %g; curve %g", r, roles[v.role], slope[k], want, curve[k])
			}
			checked++
		}
	}
	if checked != 7 {
		t.Errorf("%d weights", checked)
	}
}

// Rows that are wrong on many types lose weight, within the limits; rows that few types have keep theirs.
func TestFitShrinks(t *testing.T) {
	x := testTable(t)
	var samples []*sample
	for i := range 40 {
		l := label{Group: string(rune('a' + i)), Role: oneOrMore{"iot"}}
		samples = append(samples, &sample{label: l, votes: []cast{{x.rows[1], 0, 1}, {x.rows[2], 2, 1}}})
	}
	samples[0].votes = append(samples[0].votes, cast{x.rows[3], 4, 1})
	all := candidates(x, samples, 5)
	if len(all) != 4 {
		t.Fatalf("%d weights, want those of two rows", len(all))
	}
	w, again := fit(all, samples, 2), fit(all, samples, 2)
	for _, e := range all {
		if w[e.param] != again[e.param] || math.Abs(e.fitted-e.present) > maxChange || e.stderr <= 0 || e.stderr > 2 || e.devices != 40 {
			t.Errorf("%+v", *e)
		}
	}
	if camera := all[0]; camera.fitted >= camera.present || all[2].fitted <= all[2].present {
		t.Errorf("camera %g, iot %g", camera.fitted, all[2].fitted)
	}
	if got := w.of(x.rows[3], x.rows[3].votes[0]); got != 10 {
		t.Errorf("a row of one type has %g", got)
	}
	if all[1].fitted >= 0 {
		t.Errorf("a vote against a role became one for it: %g", all[1].fitted)
	}
}

func TestQuality(t *testing.T) {
	x := testTable(t)
	s := &sample{label: label{Role: oneOrMore{"camera"}}, votes: []cast{{x.rows[4], 4, 1}}}
	wrong := &sample{label: label{Role: oneOrMore{"iot"}}, votes: s.votes}
	q := qualityOf(weighAll([]*sample{s, wrong, {}}, nil, func(*sample) float64 { return 1 }))
	p := s.weigh(nil, nil).p[1]
	if q.all != 2 || q.wrong != 1 || q.unknown != 0 || math.Abs(q.ece-(p-0.5)) > 1e-9 || q.brier <= 0 {
		t.Errorf("%+v, p %g", q, p)
	}
	none := qualityOf(weighAll([]*sample{{label: s.label}}, nil, func(*sample) float64 { return 1 }))
	if none.unknown != 1 || none.ece != 0 {
		t.Errorf("%+v", none)
	}
}

func TestWrite(t *testing.T) {
	x := testTable(t)
	file := filepath.Join(t.TempDir(), "new.tsv")
	if err := x.write(file, weights{param{x.rows[1], 1}: 12}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("version\t3", "version\t4", "camera+14", "camera+12").Replace(rowsOfTest)
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestCheckComparesWithTheSensor(t *testing.T) {
	x := testTable(t)
	s := &sample{seen: true, votes: []cast{{x.rows[4], 4, 1}}, record: record{Role: "camera"}}
	s.Probability = s.weigh(nil, nil).p[1]
	if err := check([]*sample{s}); err != nil {
		t.Error(err)
	}
	s.Probability -= 0.02
	if check([]*sample{s}) == nil {
		t.Error("another probability passed")
	}
	s.record.Role, s.Probability = "unknown", 0
	if check([]*sample{s}) == nil {
		t.Error("another role passed")
	}
}
