// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

func percent(part, whole float64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*part/whole)
}

// printFields prints how many vendors, models and firmware versions are right.
func printFields(w io.Writer, samples []*sample) {
	fmt.Fprintln(w, "| field | expected | right | wrong | missing |\n|---|---:|---:|---:|---:|")
	for _, f := range []struct {
		name string
		want func(*sample) oneOrMore
		got  func(*sample) string
	}{
		{"vendor", func(s *sample) oneOrMore { return s.label.Vendor }, func(s *sample) string { return s.record.Vendor }},
		{"model", func(s *sample) oneOrMore { return s.label.Model }, func(s *sample) string { return s.record.Model }},
		{"firmware", func(s *sample) oneOrMore { return s.label.Firmware }, func(s *sample) string { return s.record.Firmware }},
	} {
		var expected, good, missing int
		for _, s := range samples {
			want, got := f.want(s), f.got(s)
			if len(want) == 0 {
				continue
			}
			expected++
			if got == "" {
				missing++
			} else if right(want, got) {
				good++
			}
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d |\n", f.name, expected, good, expected-good-missing, missing)
	}
}

// printConfusion prints which role the devices of each role get, and recall and precision of each role.
func printConfusion(w io.Writer, all []*outcome) {
	count := map[[2]string]float64{}
	total, said, correct := map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, o := range all {
		want := o.s.label.Role[0]
		if o.isRight() {
			want = o.role()
			correct[want] += o.n
		}
		count[[2]string{want, o.role()}] += o.n
		total[want] += o.n
		said[o.role()] += o.n
	}
	fmt.Fprint(w, "| role |")
	var columns []string
	for _, r := range slices.Concat(roles[1:], roles[:1]) {
		if said[r] > 0 || total[r] > 0 {
			columns = append(columns, r)
			fmt.Fprintf(w, " as %s |", r)
		}
	}
	fmt.Fprint(w, " recall | precision |\n|---|")
	for range len(columns) + 2 {
		fmt.Fprint(w, "---:|")
	}
	fmt.Fprintln(w)
	for _, r := range columns {
		if total[r] == 0 {
			continue
		}
		fmt.Fprintf(w, "| %s |", r)
		for _, c := range columns {
			fmt.Fprintf(w, " %g |", round(count[[2]string{r, c}]))
		}
		fmt.Fprintf(w, " %s | %s |\n", percent(correct[r], total[r]), percent(correct[r], said[r]))
	}
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// printLevels prints how many devices have each level, and how many of them the wrong role.
func printLevels(w io.Writer, all []*outcome) {
	fmt.Fprintln(w, "| level | devices | share | wrong role |\n|---|---:|---:|---:|")
	sum := 0.0
	for _, o := range all {
		sum += o.n
	}
	for _, level := range []string{"identified", "probable", "hint", "unknown"} {
		n, wrong := 0.0, 0.0
		for _, o := range all {
			if o.v.level != level {
				continue
			}
			n += o.n
			if level != "unknown" && !o.isRight() {
				wrong += o.n
			}
		}
		fmt.Fprintf(w, "| %s | %g | %s | %g |\n", level, round(n), percent(n, sum), round(wrong))
	}
}

// printQuality prints how good the probabilities of several runs are.
func printQuality(w io.Writer, names []string, runs []quality) {
	fmt.Fprintln(w, "| | Brier score | expected calibration error | log loss | wrong | identified, but wrong | unknown |\n|---|---:|---:|---:|---:|---:|---:|")
	for i, q := range runs {
		fmt.Fprintf(w, "| %s | %.4f | %.4f | %.4f | %g | %g | %g |\n", names[i], q.brier, q.ece, q.logLoss, round(q.wrong), round(q.sureWrong), round(q.unknown))
	}
}

// printBins prints the reliability table.
func printBins(w io.Writer, q *quality) {
	fmt.Fprintln(w, "| probability | devices | mean probability | right |\n|---|---:|---:|---:|")
	for i, b := range q.bins {
		if b.n > 0 {
			fmt.Fprintf(w, "| %.1f to %.1f | %g | %.3f | %.3f |\n", float64(i)/10, float64(i+1)/10, round(b.n), b.said/b.n, b.right/b.n)
		}
	}
}

// printLeftOut prints what becomes of types of devices that were left out.
func printLeftOut(w io.Writer, rows []leftOut) {
	fmt.Fprintln(w, "| left out | role | devices | right now | right, fitted without it | without its own rows: right | wrong | unknown |\n|---|---|---:|---:|---:|---:|---:|---:|")
	var sum, cameras leftOut
	for _, l := range rows {
		fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %d | %d | %d |\n", l.kind, l.role, l.devices, l.now.right, l.fitted.right, l.foreign.right, l.foreign.wrong, l.foreign.unknown)
		sum.plus(&l)
		if l.role == "camera" {
			cameras.plus(&l)
		}
	}
	for _, l := range []struct {
		name string
		*leftOut
	}{{"all", &sum}, {"cameras", &cameras}} {
		fmt.Fprintf(w, "| **%s** | | %d | %d | %d | %d | %d | %d |\n", l.name, l.devices, l.now.right, l.fitted.right, l.foreign.right, l.foreign.wrong, l.foreign.unknown)
	}
}

func (l *leftOut) plus(x *leftOut) {
	l.devices += x.devices
	for _, p := range [][2]*counts{{&l.now, &x.now}, {&l.fitted, &x.fitted}, {&l.foreign, &x.foreign}} {
		p[0].right, p[0].wrong, p[0].unknown = p[0].right+p[1].right, p[0].wrong+p[1].wrong, p[0].unknown+p[1].unknown
	}
}

// printWeights prints the proposal.
func printWeights(w io.Writer, all []*estimate) {
	fmt.Fprintln(w, "| row | role | devices | types | present dB | fitted dB | standard error |\n|---|---|---:|---:|---:|---:|---:|")
	for _, e := range all {
		fmt.Fprintf(w, "| `%s` | %s | %d | %d | %+g | %+g | %.1f |\n", strings.ReplaceAll(e.row.String(), "|", "\\|"), roles[e.role], e.devices, e.types, e.present, e.fitted, e.stderr)
	}
}

// printSources tells for each source how many rows with weights of roles the captures say something about. The weights of the others are
// judgments.
func printSources(w io.Writer, t *table, samples []*sample, minTypes int) {
	_, types := seenOn(samples)
	type count struct{ rows, fitted, few int }
	of, names, all := map[string]*count{}, []string(nil), &count{}
	for _, r := range t.rows {
		if len(r.votes) == 0 {
			continue
		}
		if of[r.source] == nil {
			of[r.source], names = &count{}, append(names, r.source)
		}
		for _, c := range [...]*count{of[r.source], all} {
			c.rows++
			switch n := len(types[r]); {
			case n >= minTypes && r.line >= 0:
				c.fitted++
			case n > 0:
				c.few++
			}
		}
	}
	fmt.Fprintf(w, "| source | rows | fitted: %d types or more | seen on fewer types | by judgment: never seen |\n|---|---:|---:|---:|---:|\n", minTypes)
	for _, n := range names {
		c := of[n]
		fmt.Fprintf(w, "| `%s` | %d | %d | %d | %d |\n", n, c.rows, c.fitted, c.few, c.rows-c.fitted-c.few)
	}
	fmt.Fprintf(w, "| **all** | %d | %d | %d | %d |\n", all.rows, all.fitted, all.few, all.rows-all.fitted-all.few)
}
