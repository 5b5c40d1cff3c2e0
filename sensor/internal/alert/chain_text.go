// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/detect"
)

// Bounds of what the alert of a chain quotes.
const (
	maxLines  = 2  // alerts that a sentence of the narrative quotes
	maxQuoted = 30 // alerts in its reasons
)

// finding returns the incident as a whole as a finding. Its evidence quotes each alert by its title and the time at which it began, except
// alerts that another one has absorbed. The narrative is in the record of the incident.
func (in *incident) finding(p float64, stages int) *detect.Finding {
	ms := inTime(in.quoted())
	f := &detect.Finding{Rule: detect.RuleChain(), Device: in.device, Start: ms[0].at, End: ms[len(ms)-1].at, Key: chainKey(in).key,
		WindowS: 24 * 60 * 60, Severity: detect.High, Reliability: p, Count: 1, Continues: true}
	if p >= criticalAt {
		f.Severity = detect.Critical
	}
	for _, x := range ms {
		if len(f.Reasons) < maxQuoted {
			f.Reasons = append(f.Reasons, detect.Reason{Code: x.kind, Text: x.rule + ": " + x.title, Weight: x.weight()})
		}
		if len(f.Evidence) < maxEvidence {
			f.Evidence = append(f.Evidence, detect.Evidence{Kind: "finding", Time: x.at, Summary: fmt.Sprintf("%s %s %s (%s)", stamp(x.at), x.rule, x.title, x.sev),
				Data: map[string]any{"rule": x.rule, "device": detect.Clean(x.device, 200), "severity": x.sev.String()}})
		}
	}
	for _, x := range inTime(in.members) {
		f.Related = addAll(f.Related, x.related, maxRelated)
		f.Entities = addAll(f.Entities, []string{"device:" + x.device}, maxEntities)
	}
	f.Reasons = append(f.Reasons, detect.Reason{Code: "benign_if", Text: "each alert has its own harmless cause; one cause that explains them all is rare"})
	f.DeviceAddr, f.Title = in.addr(), in.headline(ms, f.Severity)
	f.Message = fmt.Sprintf("Expected: these alerts have separate causes. Seen: %s between %s and %s UTC, %s, P %.2f%s.",
		alertsOf(ms), stamp(ms[0].at), stampAfter(ms[0].at, ms[len(ms)-1].at), inStages(stages), float64(percent(p))/100, in.beginnings(ms))
	f.Recommendation = detect.ChainAdvice(in.device)
	return f
}

// quoted returns the findings that the text of the incident quotes: the open alerts as they were last reported, and the members whose alerts
// are closed but were not absorbed.
func (in *incident) quoted() []member {
	var out []member
	open := map[alertKey]bool{}
	for _, o := range in.alerts {
		if o.said.title == "" {
			continue // it is not raised yet
		}
		open[o.key] = true
		x := member{rule: o.key.rule, kind: o.f.Rule.Kind, device: o.key.device, key: o.key.key, addr: addrText(o.f.DeviceAddr), title: o.said.title,
			brief: o.said.brief, at: o.said.at, sev: o.sev, r: o.standingP.reliability, q: o.standingP.quality, stage: o.f.Stage, standing: o.f.Standing, suppressed: o.by != "",
			external: o.f.Peer != nil && o.f.Peer.External, peers: farEnds(o.f), related: o.related}
		out = append(out, x)
	}
	for _, x := range in.members {
		if x.coveredBy == byItself && !open[x.id()] {
			out = append(out, x)
		}
	}
	if len(out) == 0 { // never, but a story has a beginning
		return in.members
	}
	for i := range out {
		if out[i].suppressed {
			out[i].title += " (suppressed)"
		}
	}
	return out
}

const dateLayout = "2006-01-02"

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(dateLayout + " 15:04:05") }

// stampAfter formats a time that follows another one: without the day if that is the same.
func stampAfter(first, ns int64) string {
	at := stamp(ns)
	if day := stamp(first)[:len(dateLayout)]; strings.HasPrefix(at, day) {
		return at[len(day)+1:]
	}
	return at
}

// alertsOf counts the alerts and the devices that they are about.
func alertsOf(ms []member) string {
	devices := map[string]bool{}
	for _, x := range ms {
		devices[x.device] = true
	}
	n := detect.Plural(len(ms), "alert", "alerts") + " about " + detect.Plural(len(devices), "device", "devices")
	if len(ms) >= maxMembers {
		return "at least " + n
	}
	return n
}

func inStages(n int) string {
	if n < 2 {
		return "in no typical order"
	}
	return fmt.Sprintf("%d attack stages in order", n)
}

// The parts of an intrusion.
var parts = [...]string{"first contact", "way in", "discovery", "spread", "outbound"}

// part returns the part of the intrusion to which an alert belongs, -1 if to none. A login to another device is the spread.
func (in *incident) part(x *member) int {
	switch {
	case x.stage == detect.StageNone || !x.notable():
		return -1
	case x.stage <= detect.StageLogin && x.device != in.key:
		return 3
	case x.stage <= detect.StageGuessed:
		return 0
	case x.stage == detect.StageLogin:
		return 1
	case x.stage == detect.StageDiscovery:
		return 2
	case x.stage <= detect.StageControl:
		return 3
	}
	return 4
}

// beginnings lists the parts in the order of their first alerts, with the times of these: ": first contact at 13:00:00, way in at 13:09:22";
// "" if no alert belongs to a part.
func (in *incident) beginnings(ms []member) string {
	var seen [len(parts)]bool
	var texts []string
	for _, x := range ms {
		if i := in.part(&x); i >= 0 && !seen[i] {
			seen[i] = true
			texts = append(texts, parts[i]+" at "+stampAfter(ms[0].at, x.at))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + strings.Join(texts, ", ")
}

// lines returns the alerts that a sentence quotes: the strongest one of each rule first.
func lines(ms []member) (shown []member) {
	for _, again := range []bool{false, true} {
		for _, x := range ms {
			seen := slices.ContainsFunc(shown, func(y member) bool { return y.rule == x.rule && !again || y.is(x) })
			if !seen && len(shown) < maxLines {
				shown = append(shown, x)
			}
		}
	}
	return shown
}

func (x *member) is(y member) bool {
	return x.rule == y.rule && x.device == y.device && x.key == y.key && x.stage == y.stage
}

func byWeight(ms []member) []member {
	out := slices.Clone(ms)
	slices.SortStableFunc(out, func(a, b member) int { return cmp.Or(compare(b, a), cmp.Compare(a.at, b.at)) })
	return out
}

// headline returns the title of a chain: who was attacked, by whom, and what the device has done since: "srv-7 taken over from
// 203.0.113.66 by ssh after 12 guesses; scans 254 hosts, connects to mail.example.com". Acts that do not fit are left out, the last of
// detect.TitleOrder first.
func (in *incident) headline(ms []member, sev detect.Severity) string {
	entry, guesses, since := in.entry(ms, sev)
	who := detect.ShortLabel(in.device, in.addr())
	switch {
	case entry != "":
	case sev < detect.Critical:
		entry = "may be taken over"
	default:
		entry = "looks taken over"
	}
	title := who + " " + entry
	var kept, long []string
	for _, act := range in.acts(ms, since) {
		brief := act
		if strings.HasPrefix(act, "scans ") || strings.HasPrefix(act, "pings ") {
			brief, _, _ = strings.Cut(act, " ")
		}
		if detect.Fits(withActs(title, append(slices.Clone(kept), brief))) {
			kept, long = append(kept, brief), append(long, act)
		}
	}
	if detect.Fits(withActs(title+guesses, kept)) {
		title += guesses
	}
	for i := range kept {
		if fuller := slices.Concat(kept[:i], long[i:i+1], kept[i+1:]); detect.Fits(withActs(title, fuller)) {
			kept = fuller
		}
	}
	return detect.Fit(withActs(title, kept))
}

func withActs(title string, acts []string) string {
	if len(acts) == 0 {
		return title
	}
	return title + "; " + strings.Join(acts, ", ")
}

// addr returns the address that the device of the incident had in its strongest alert.
func (in *incident) addr() (a netip.Addr) {
	for _, x := range byWeight(in.members) {
		if x.device == in.key && x.addr != "" {
			a, _ = netip.ParseAddr(x.addr)
			break
		}
	}
	return a
}

// entry describes how the intruder got in, after how many guesses, and when, by the strongest alert about that.
func (in *incident) entry(ms []member, sev detect.Severity) (text, guesses string, at int64) {
	for _, stage := range []detect.Stage{detect.StageLogin, detect.StageGuessed} {
		for _, x := range byWeight(ms) {
			if x.stage != stage || x.device != in.key || x.brief == "" || !x.strong() {
				continue
			}
			text, _, _ = strings.Cut(x.brief, detect.AfterGuesses)
			for _, y := range in.members {
				if rest, ok := strings.CutPrefix(y.brief, text); ok && y.device == in.key && strings.HasPrefix(rest, detect.AfterGuesses) {
					guesses = rest
				}
			}
			if stage == detect.StageLogin && sev < detect.Critical {
				text = "probably " + text
			}
			return text, guesses, x.at
		}
	}
	return "", "", 0
}

// acts lists what the device has done since then, in the order of detect.TitleOrder. Of findings that share a session or a peer, one is
// enough.
func (in *incident) acts(ms []member, since int64) []string {
	var own []member
	for _, x := range byWeight(ms) {
		if x.stage > detect.StageLogin && x.at >= since && x.device == in.key && x.brief != "" && x.strong() {
			own = append(own, x)
		}
	}
	slices.SortStableFunc(own, func(a, b member) int { return detect.TitleOrder(a.rule) - detect.TitleOrder(b.rule) })
	var quoted []member
	var acts []string
	for _, x := range own {
		if x.rule != "D08" && !slices.ContainsFunc(quoted, func(y member) bool { return y.rule == x.rule || x.shares(&y) }) {
			quoted, acts = append(quoted, x), append(acts, x.brief)
		}
	}
	if n := in.reached(since); n > 0 {
		acts = slices.Insert(acts, min(1, len(acts)), fmt.Sprintf("logs in to %s", detect.Plural(n, "device", "devices")))
	}
	return acts
}

// reached returns how many other devices were logged in to from this one since then.
func (in *incident) reached(since int64) int {
	seen := map[string]bool{}
	for _, x := range in.members {
		if x.rule == "D08" && x.device != in.key && x.at >= since && slices.Contains(x.peers, in.key) {
			seen[x.device] = true
		}
	}
	return len(seen)
}
