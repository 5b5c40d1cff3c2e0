// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/detect"
)

// severityWeight scales the reliability of a finding: reliabilities are stated for findings of high severity, and a detector
// that lowers the severity says with it that it is less sure that somebody is at work.
var severityWeight = [...]float64{1, 0.3, 0.6, 1, 1}

// weight is rᵢ·qᵢ of the chaining formula.
func (x member) weight() float64 { return min(max(x.r*x.q*severityWeight[x.sev], 0), 1) }

// Probability is P = 1 − Π(1 − rᵢ·qᵢ) over the rules of an incident, the strongest finding of each rule counting once. Informational
// and standing findings together make at most 0.6. stages is the number of stages that happened in a plausible order; each
// beyond the first halves the doubt that is left, but only where something other than informational and standing findings is.
func (in *incident) probability() (p float64, stages int) {
	strong, weak := map[string]float64{}, map[string]float64{}
	for _, x := range in.members {
		m := weak
		if x.strong() {
			m = strong
		}
		m[x.rule] = max(m[x.rule], x.weight())
	}
	doubt := noisyOr(strong)
	p = 1 - doubt*max(noisyOr(weak), 1-weakCeiling)
	stages = in.stages()
	if len(strong) > 0 {
		for range stages - 1 {
			p = 1 - (1-p)*stageBonus
		}
	}
	return p, stages
}

// noisyOr is Π(1 − w), multiplied in the order of the rules so that the same findings give the same last bit.
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

// stages is the length of the longest row of findings whose times and stages both rise: scanned, guessed, logged in, looked
// around, fanned out, took control, went out.
func (in *incident) stages() int {
	ms := slices.Clone(in.members)
	slices.SortStableFunc(ms, func(a, b member) int {
		switch {
		case a.at != b.at:
			return sign(a.at - b.at)
		default:
			return sign(int64(a.stage) - int64(b.stage))
		}
	})
	var best [detect.StageOutbound + 1]int
	longest := 0
	for _, x := range ms {
		if x.stage == detect.StageNone {
			continue
		}
		n := 1
		for s := detect.StageScanned; s < x.stage; s++ {
			n = max(n, best[s]+1)
		}
		best[x.stage] = max(best[x.stage], n)
		longest = max(longest, n)
	}
	return longest
}

func sign(n int64) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// serious counts the rules of an incident that say by themselves that something is wrong.
func (in *incident) serious() (rules int, high bool) {
	seen := map[string]bool{}
	for _, x := range in.members {
		if x.strong() && x.rule != detect.RuleChain().ID {
			seen[x.rule] = true
			high = high || x.sev >= detect.High
		}
	}
	return len(seen), high
}

// chain tells the incident as a whole (D42) once two rules speak, at least one of them with high severity, and the
// probability is high enough; and again when a rule joins or the severity rises.
func (m *Manager) chain(in *incident, c *detect.Context) {
	rules, high := in.serious()
	if rules < 2 || !high || in.device == nil {
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
	grew := len(in.members) > in.toldN || p >= criticalAt && in.toldP < criticalAt
	if !grew && p-in.toldP < minGrowth {
		return
	}
	in.toldP, in.toldN = p, len(in.members)
	c.Devices.Settle(in.device)
	m.tellChain(in, in.finding(p, stages, sev), sev, risk{p, 1}, grew, c)
}

// minGrowth is the rise of P below which nothing has changed.
const minGrowth = 1e-6

// tellChain begins the alert of an incident, or goes on with it: at once when a rule or a device has joined or it has become
// critical, else when a held back revision is due.
func (m *Manager) tellChain(in *incident, f *detect.Finding, sev detect.Severity, r risk, now bool, c *detect.Context) {
	k := alertKey{f.Rule.ID, in.key, f.Key}
	o := m.open[k]
	if o == nil {
		m.create(k, f, sev, in, c)
		m.open[k].standingP = r
		m.saved.alert(m.open[k])
		return
	}
	m.order.MoveToBack(o.list)
	m.saved.used(o)
	o.merge(f, sev, r, c)
	o.f, o.standingP = f, r
	if now {
		m.revise(o, c, "update")
	} else {
		m.hold(o)
	}
}

func (in *incident) finding(p float64, stages int, sev detect.Severity) *detect.Finding {
	ms := slices.Clone(in.members)
	slices.SortStableFunc(ms, func(a, b member) int { return sign(a.at - b.at) })
	f := &detect.Finding{Rule: detect.RuleChain(), Device: in.device, Start: ms[0].at, End: ms[len(ms)-1].at, Key: "incident " + in.id,
		WindowS: 24 * 60 * 60, Severity: sev, Reliability: p, Count: 1, Continues: true}
	var story []string
	for _, x := range ms {
		at := time.Unix(0, x.at).UTC().Format("2006-01-02 15:04:05")
		if x.strong() && len(story) < 12 {
			story = append(story, fmt.Sprintf("%s %s %s", at, x.rule, x.title))
		}
		if len(f.Reasons) < 30 {
			f.Reasons = append(f.Reasons, detect.Reason{Code: x.kind, Text: x.rule + ": " + x.title, Weight: x.weight()})
		}
		if len(f.Evidence) < maxEvidence {
			f.Evidence = append(f.Evidence, detect.Evidence{Kind: "finding", Time: x.at, Summary: fmt.Sprintf("%s %s %s (%s)", at, x.rule, x.title, x.sev),
				Data: map[string]any{"rule": x.rule, "device": detect.Clean(x.device, 200), "severity": x.sev.String()}})
		}
		f.Related = addAll(f.Related, x.related, maxRelated)
		f.Entities = addAll(f.Entities, []string{"device:" + x.device}, maxEntities)
	}
	f.Reasons = append(f.Reasons, detect.Reason{Code: "benign_if", Text: "each of the findings has an explanation of its own; one that explains them all is rare"})
	f.Title = fmt.Sprintf("%d findings about %s tell one story (P %.2f)", len(ms), detect.Label(in.device), p)
	f.Message = fmt.Sprintf("Expected: findings that have nothing to do with each other. Seen: %d stages of an intrusion in order, P %.3f. %s.",
		stages, p, strings.Join(story, "; "))
	f.Recommendation = "Read the findings in this order, decide whether the device was taken over, and isolate it if so. Look for the first login."
	return f
}
