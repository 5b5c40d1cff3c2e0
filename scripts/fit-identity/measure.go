// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// outcome is one verdict, with how much it counts.
type outcome struct {
	s *sample
	v *verdict
	n float64
}

// role returns the role that the device gets.
func (o *outcome) role() string {
	if o.v.level == "unknown" {
		return "unknown"
	}
	return roles[o.v.best]
}

func (o *outcome) isRight() bool { return o.role() != "unknown" && o.s.wants(o.v.best) }

// weighAll weighs the samples whose role is known.
func weighAll(samples []*sample, w weights, count func(*sample) float64) (all []*outcome) {
	for _, s := range samples {
		if len(s.label.Role) > 0 {
			all = append(all, &outcome{s, s.weigh(w, nil), count(s)})
		}
	}
	return all
}

// bin is one row of the reliability table: verdicts whose probability is in a range.
type bin struct{ n, said, right float64 }

// quality is how good the probabilities are.
type quality struct {
	brier, ece, logLoss           float64
	bins                          [10]bin
	verdicts, unknown, wrong, all float64
	sureWrong                     float64 // identified, but wrong
}

// qualityOf measures probabilities. Brier score: the squared distance from the truth over all roles and unknown, from 0 to 2. Expected
// calibration error: of devices with a role, the mean distance between the probability said and the share that is right, in ten bins.
func qualityOf(all []*outcome) (q quality) {
	for _, o := range all {
		q.all += o.n
		correct, other := 0.0, 0.0
		for r, p := range o.v.p {
			if o.s.wants(r) {
				correct += p
			} else {
				other += p * p
			}
		}
		q.brier += o.n * ((1-correct)*(1-correct) + other)
		q.logLoss -= o.n * math.Log(max(correct, 1e-12))
		if o.role() == "unknown" {
			q.unknown += o.n
			continue
		}
		p := o.v.p[o.v.best]
		b := &q.bins[min(int(p*10), 9)]
		b.n, b.said, q.verdicts = b.n+o.n, b.said+o.n*p, q.verdicts+o.n
		if o.isRight() {
			b.right += o.n
			continue
		}
		q.wrong += o.n
		if o.v.level == "identified" {
			q.sureWrong += o.n
		}
	}
	for i := range q.bins {
		q.ece += math.Abs(q.bins[i].said-q.bins[i].right) / max(q.verdicts, 1e-12)
	}
	q.brier, q.logLoss = q.brier/max(q.all, 1e-12), q.logLoss/max(q.all, 1e-12)
	return q
}

// leftOut is what happens to a type of device that the fit, or the table, has not seen.
type leftOut struct {
	kind, role  string
	devices     int
	now, fitted counts
	foreign     counts // with the rows only that other types have evidence for, too
}

// counts has the numbers of right, wrong and missing roles.
type counts struct{ right, wrong, unknown int }

func (t *counts) add(o *outcome) {
	switch {
	case o.isRight():
		t.right++
	case o.role() == "unknown":
		t.unknown++
	default:
		t.wrong++
	}
}

// kinds returns the types of devices whose role is known, in order.
func kinds(samples []*sample) (all []string) {
	for _, s := range samples {
		if k := s.kind(); len(s.label.Role) > 0 && !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// leaveOut fits without each type of device in turn and weighs that type. It also returns the outcomes with the weights of those fits.
func leaveOut(t *table, samples []*sample, minTypes int, sigma float64, count func(*sample) float64) (rows []leftOut, all []*outcome) {
	for _, kind := range kinds(samples) {
		var in, out []*sample
		for _, s := range samples {
			if s.kind() == kind {
				out = append(out, s)
			} else {
				in = append(in, s)
			}
		}
		w := fit(candidates(t, in, minTypes), in, sigma)
		others := map[*row]bool{}
		for _, s := range in {
			for _, c := range s.votes {
				others[c.row] = true
			}
		}
		l := leftOut{kind: kind}
		for _, s := range out {
			if len(s.label.Role) == 0 {
				continue
			}
			l.devices++
			l.role = s.label.Role[0]
			o := &outcome{s, s.weigh(w, nil), count(s)}
			all = append(all, o)
			l.fitted.add(o)
			l.now.add(&outcome{s, s.weigh(nil, nil), 1})
			l.foreign.add(&outcome{s, s.weigh(w, func(r *row) bool { return others[r] }), 1})
		}
		rows = append(rows, l)
	}
	return rows, all
}
