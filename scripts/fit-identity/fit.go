// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// The fit is a maximum a posteriori estimate of a multinomial logistic regression: the prior of each weight is the present one, with a
// standard deviation of sigma decibans. Each type of device counts once, however often it was captured. Order and number of steps are fixed,
// so the same data gives the same weights.
const (
	steps     = 200
	maxChange = 6.0  // decibans
	maxWeight = 60.0 // as the sensor allows
	perDB     = math.Ln10 / 10
)

// estimate is a fitted weight.
type estimate struct {
	param
	present, fitted, stderr float64
	devices, types          int
}

// seenOn returns how many devices, and which types of devices, have evidence for each row.
func seenOn(samples []*sample) (devices map[*row]int, types map[*row]map[string]bool) {
	devices, types = map[*row]int{}, map[*row]map[string]bool{}
	for _, s := range samples {
		done := map[*row]bool{}
		for _, c := range s.votes {
			if done[c.row] {
				continue
			}
			done[c.row] = true
			devices[c.row]++
			if types[c.row] == nil {
				types[c.row] = map[string]bool{}
			}
			types[c.row][s.kind()] = true
		}
	}
	return devices, types
}

// candidates returns the weights that at least minTypes types of devices have evidence for, in the order of the table.
func candidates(t *table, samples []*sample, minTypes int) (all []*estimate) {
	devices, types := seenOn(samples)
	for _, r := range t.rows {
		if len(types[r]) < minTypes || r.line < 0 {
			continue
		}
		for _, v := range r.votes {
			all = append(all, &estimate{param: param{r, v.role}, present: v.points, fitted: v.points, devices: devices[r], types: len(types[r])})
		}
	}
	return all
}

// perType returns the weight of each sample that makes each type count once.
func perType(samples []*sample) map[*sample]float64 {
	n := map[string]float64{}
	for _, s := range samples {
		n[s.kind()]++
	}
	m := map[*sample]float64{}
	for _, s := range samples {
		m[s] = 1 / n[s.kind()]
	}
	return m
}

// fit returns the weights that explain the samples best, and sets the estimates.
func fit(all []*estimate, samples []*sample, sigma float64) weights {
	w := weights{}
	for _, e := range all {
		w[e.param] = e.present
	}
	counts := perType(samples)
	for range steps {
		slope, curve := map[param]float64{}, map[param]float64{}
		for _, s := range samples {
			if len(s.label.Role) > 0 {
				s.slopes(w, counts[s], slope, curve)
			}
		}
		for _, e := range all {
			g := slope[e.param] - (w[e.param]-e.present)/(sigma*sigma)
			h := curve[e.param] + 1/(sigma*sigma)
			x := w[e.param] + 0.5*g/h
			w[e.param] = e.bound(x)
			e.stderr = 1 / math.Sqrt(h)
		}
	}
	for _, e := range all {
		e.fitted = e.bound(math.Round(w[e.param]))
		w[e.param] = e.fitted
	}
	return w
}

// bound keeps a weight near the present one, on its side of zero.
func (e *estimate) bound(x float64) float64 {
	x = min(max(x, e.present-maxChange, -maxWeight), e.present+maxChange, maxWeight)
	if e.present > 0 {
		return max(x, 1)
	}
	return min(x, -1)
}

// slopes adds how the logarithm of the probability of the right role changes with each weight (first derivative, and the second with its
// sign changed, without the terms between weights).
func (s *sample) slopes(w weights, count float64, slope, curve map[param]float64) {
	v := s.weigh(w, nil)
	correct := 0.0
	for r := range roles {
		if s.wants(r) {
			correct += v.p[r]
		}
	}
	for _, c := range s.votes {
		for _, x := range c.row.votes {
			if v.capped[x.role] && c.group <= announced {
				continue
			}
			k := param{c.row, x.role}
			d := perDB * c.share * v.scores[x.role][c.group].slope(w.of(c.row, x)*c.share)
			p, target := v.p[x.role], 0.0
			if s.wants(x.role) {
				target = p / max(correct, 1e-12)
			}
			slope[k] += count * d * (target - p)
			curve[k] += count * d * d * p * (1 - p)
		}
	}
}

func (s *sample) wants(role int) bool { return slices.Contains(s.label.Role, roles[role]) }
