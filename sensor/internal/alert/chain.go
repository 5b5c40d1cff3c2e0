// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"slices"

	"stillwatch/sensor/internal/detect"
)

// severityWeight scales the reliability of a finding. Reliability is stated for findings of high severity; a detector that lowers the
// severity is less certain of an attack.
var severityWeight = [...]float64{1, 0.3, 0.6, 1, 1}

// weight returns rᵢ·qᵢ of the chaining formula.
func (x member) weight() float64 {
	if x.suppressed {
		return 0
	}
	return min(max(x.r*x.q*severityWeight[x.sev], 0), 1)
}

// shares reports whether two findings may show the same thing: the same session, or the same device and peer.
func (x *member) shares(y *member) bool {
	if common(x.related, y.related) || x.device == y.device && common(x.peers, y.peers) {
		return true
	}
	return x.isPeerOf(y) && y.isPeerOf(x)
}

func (x *member) isPeerOf(y *member) bool {
	return slices.Contains(y.peers, x.device) || slices.Contains(y.peers, x.addr)
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// independent returns the members that are independent evidence, the strongest first. What an alert of another rule explains is a part of
// that. Each rule counts once, and of findings that
// share a session, or device and peer, only the strongest. Among equals, the one that shares something with the fewest others comes
// first.
func (in *incident) independent() []member {
	ms := slices.DeleteFunc(slices.Clone(in.members), func(x member) bool { return x.suppressed || x.coveredBy == explained })
	rivals := make(map[int]int, len(ms)) // by place in in.members
	place := make([]int, len(ms))
	for i := range ms {
		place[i] = i
		for j := range ms {
			if i != j && ms[i].rule != ms[j].rule && ms[i].shares(&ms[j]) {
				rivals[i]++
			}
		}
	}
	slices.SortStableFunc(place, func(i, j int) int {
		x, y := ms[i], ms[j]
		return cmp.Or(b2i(y.strong())-b2i(x.strong()), compare(y, x), cmp.Compare(rivals[i], rivals[j]))
	})
	var out []member
	for _, i := range place {
		x := &ms[i]
		if !slices.ContainsFunc(out, func(y member) bool { return y.rule == x.rule || x.shares(&y) }) {
			out = append(out, *x)
		}
	}
	return out
}

// probability returns P = 1 − Π(1 − rᵢ·qᵢ) over the independent findings of an incident. Informational and standing findings together
// contribute at most 0.6. stages is the number of stages that happened in a plausible order. Each stage after the first halves the
// remaining doubt, but only if there are findings that are neither informational nor standing.
func (in *incident) probability() (p float64, stages int) {
	strong, weak := map[string]float64{}, map[string]float64{}
	for _, x := range in.independent() {
		if x.strong() {
			strong[x.rule] = x.weight()
		} else {
			weak[x.rule] = x.weight()
		}
	}
	doubt := noisyOr(strong)
	p = 1 - doubt*max(noisyOr(weak), 1-weakCeiling)
	stages = stagesOf(slices.DeleteFunc(slices.Clone(in.members), func(x member) bool { return x.suppressed }))
	if len(strong) > 0 {
		for range stages - 1 {
			p = 1 - (1-p)*stageBonus
		}
	}
	return p, stages
}

// noisyOr returns Π(1 − w), multiplied in the order of the rules so that the same findings yield the same last bit.
func noisyOr(weights map[string]float64) float64 {
	rules := make([]string, 0, len(weights))
	for r := range weights {
		rules = append(rules, r)
	}
	slices.Sort(rules)
	p := 1.0
	for _, r := range rules {
		p *= 1 - weights[r]
	}
	return p
}

// stagesOf returns the length of the longest sequence of findings in which both time and stage rise: scanned, guessed, logged in,
// discovery, fan-out, control, outbound.
func stagesOf(members []member) int {
	ms := inTime(members)
	best := make([]int, len(ms))
	longest := 0
	for i := range ms {
		x := &ms[i]
		if x.stage == detect.StageNone || x.coveredBy == explained && x.stage >= detect.StageLogin {
			continue // what explains a call is the stage; guesses that a login explains came before it
		}
		best[i] = 1
		for j := range ms[:i] {
			y := &ms[j]
			if best[j] >= best[i] && y.stage < x.stage && x.follows(y) {
				best[i] = best[j] + 1
			}
		}
		longest = max(longest, best[i])
	}
	return longest
}

// follows reports whether two findings can be two stages: they show different sessions and different peers. What an intruder does to a
// device and what the device then does may involve the same peer. A scan of a host and the call to it are one stage.
func (x *member) follows(y *member) bool {
	if common(x.related, y.related) {
		return false
	}
	return !x.shares(y) || x.device == y.device && y.stage < detect.StageDiscovery
}

// inTime returns the members in the order of their times, and of their stages if the times are equal.
func inTime(members []member) []member {
	ms := slices.Clone(members)
	slices.SortStableFunc(ms, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.stage, b.stage))
	})
	return ms
}

// serious reports whether an incident is more than one observation: two independent findings that each indicate a problem, or two such
// findings that are stages of one attack, and at least one of high severity.
func (in *incident) serious() bool {
	strong := slices.DeleteFunc(slices.Clone(in.members), func(x member) bool { return !x.strong() })
	high := slices.ContainsFunc(strong, func(x member) bool { return x.sev >= detect.High })
	apart := 0
	for _, x := range in.independent() {
		if x.strong() {
			apart++
		}
	}
	return high && (apart >= 2 || stagesOf(strong) >= 2)
}

// kinds returns the number of pairs of rule and device in an incident.
func (in *incident) kinds() int {
	seen := map[[2]string]bool{}
	for _, x := range in.members {
		seen[[2]string{x.rule, x.device}] = true
	}
	return len(seen)
}

// chain raises an alert about the incident as a whole (D42) once it is serious and probable enough. It revises the alert when a rule
// or a device joins or the severity rises. Findings that add nothing return early, so a flood of them is cheap.
func (m *Manager) chain(in *incident, c *detect.Context) {
	if in.device == nil || !in.changed {
		return
	}
	in.changed = false
	if !in.serious() {
		return
	}
	p, stages := in.probability()
	if p < raiseAt {
		return
	}
	sev := detect.High
	if p >= criticalAt {
		sev = detect.Critical
	}
	if s, ok := m.cfg.Severity[detect.RuleChain().ID]; ok {
		sev = s
	}
	kinds := in.kinds()
	grew := kinds > in.reportedN || p >= criticalAt && in.reportedP < criticalAt
	if !grew && p-in.reportedP < minGrowth {
		return
	}
	in.reportedP, in.reportedN = p, kinds
	c.Devices.Settle(in.device)
	m.updateChain(in, in.finding(p, stages), sev, risk{p, 1}, grew, c)
}

// minGrowth is the smallest rise of P that counts as a change.
const minGrowth = 1e-6

// updateChain creates or revises the alert of an incident: at once if a rule or a device has joined or it has become critical, else
// when the postponed revision is due.
func (m *Manager) updateChain(in *incident, f *detect.Finding, sev detect.Severity, r risk, now bool, c *detect.Context) {
	k := chainKey(in)
	o := m.open[k]
	if o == nil {
		m.create(k, f, sev, in, c)
		m.open[k].standingP = r
		m.saved.add(m.open[k])
		return
	}
	m.order.MoveToBack(o.list)
	m.saved.used(o)
	o.merge(f, sev, r, c)
	o.f, o.standingP = f, r
	if m.suppress(o, f, c) || now {
		m.revise(o, c, "update")
	} else {
		m.postpone(o)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// chainKey returns the key of the alert about an incident.
func chainKey(in *incident) alertKey {
	return alertKey{detect.RuleChain().ID, in.key, "incident " + in.id}
}

// chainChanged postpones a revision of the chain of an incident whose quoted alerts have changed.
func (m *Manager) chainChanged(in *incident) {
	m.incidents.saved.add(in)
	if o := m.open[chainKey(in)]; o != nil {
		o.dirty = true
		m.order.MoveToBack(o.list)
		m.saved.used(o)
		m.postpone(o)
	}
}
