// SPDX-License-Identifier: Apache-2.0

package main

import "math"

// The scheme of docs/devices.md, so that other weights can be tried without a replay. The program checks that it gives the probabilities of
// the sensor.
const (
	numGroups    = 5
	forgeableCap = 20
	linkGroup    = 0
	announced    = 1
)

var prior = []float64{0, -7, -13, -17, -7, -6, -7, -13, -10, -12, -7}

// weights are the weights that differ from the table.
type weights map[param]float64

// param is the weight of a row for a role.
type param struct {
	row  *row
	role int
}

func (w weights) of(r *row, v vote) float64 {
	if x, ok := w[param{r, v.role}]; ok {
		return x
	}
	return v.points
}

func odds(db float64) float64 { return math.Pow(10, db/10) }

// score adds up one group for one role.
type score struct{ best, sum, worst, minus float64 }

func (s *score) add(x float64) {
	if x > 0 {
		s.best, s.sum = max(s.best, x), s.sum+x
	} else {
		s.worst, s.minus = min(s.worst, x), s.minus+x
	}
}

func (s *score) total() float64 {
	return min(s.best+0.3*(s.sum-s.best), 1.25*s.best) + max(s.worst+0.3*(s.minus-s.worst), 1.25*s.worst)
}

// slope returns how much the total changes with a vote of x points.
func (s *score) slope(x float64) float64 {
	best, sum := s.best, s.sum
	if x <= 0 {
		best, sum = s.worst, s.minus
	}
	isCapped := 0.3*math.Abs(sum-best) >= 0.25*math.Abs(best)
	switch {
	case x == best && isCapped:
		return 1.25
	case x == best:
		return 1
	case isCapped:
		return 0
	}
	return 0.3
}

// verdict is the probability of each role, with the scores that made it.
type verdict struct {
	p      []float64 // of each role; [0] of unknown
	total  []float64
	scores [][numGroups]score
	capped []bool // link layer and announcements are limited
	best   int    // the most likely role, 0 if there is none
	level  string
}

// weigh returns the verdict on a device. use says which rows count; nil: all.
func (s *sample) weigh(w weights, use func(*row) bool) *verdict {
	v := &verdict{p: make([]float64, len(roles)), total: make([]float64, len(roles)), scores: make([][numGroups]score, len(roles)), capped: make([]bool, len(roles))}
	for _, c := range s.votes {
		if use != nil && !use(c.row) {
			continue
		}
		for _, x := range c.row.votes {
			v.scores[x.role][c.group].add(w.of(c.row, x) * c.share)
		}
	}
	mass := 0.0
	for r := range roles {
		g := &v.scores[r]
		forgeable, proof := g[linkGroup].total()+g[announced].total(), 0.0
		for i := announced + 1; i < numGroups; i++ {
			proof += g[i].total()
		}
		if v.capped[r] = proof <= 0 && forgeable > forgeableCap; v.capped[r] {
			forgeable = forgeableCap
		}
		v.total[r] = prior[r] + forgeable + proof
		v.p[r] = odds(v.total[r])
		mass += v.p[r]
	}
	second := 0.0
	for r := range roles {
		v.p[r] /= mass
		switch {
		case r == 0:
		case v.total[r] > v.total[v.best]:
			second, v.best = max(v.total[v.best], second), r
		default:
			second = max(second, v.total[r])
		}
	}
	v.level = levelOf(v.p[v.best], v.total[v.best]-second, v.best)
	return v
}

func levelOf(p, ahead float64, role int) string {
	switch {
	case role == 0 || p < 0.6:
		return "unknown"
	case p >= 0.99 && ahead >= 20:
		return "identified"
	case p >= 0.90 && ahead >= 10:
		return "probable"
	}
	return "hint"
}
