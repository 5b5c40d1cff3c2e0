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
	maxLines  = 5  // alerts in its message
	maxQuoted = 30 // alerts in its reasons
)

// finding returns the incident as a whole as a finding. It quotes each alert by its title and the time at which it began.
func (in *incident) finding(p float64, stages int) *detect.Finding {
	ms := inTime(in.members)
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
		f.Related = addAll(f.Related, x.related, maxRelated)
		f.Entities = addAll(f.Entities, []string{"device:" + x.device}, maxEntities)
	}
	f.Reasons = append(f.Reasons, detect.Reason{Code: "benign_if", Text: "each alert has its own harmless cause; one cause that explains them all is rare"})
	f.DeviceAddr, f.Title = in.addr(), in.headline(f.Severity)
	f.Message = fmt.Sprintf("Expected: these alerts have separate causes. Seen: %s between %s and %s UTC, %s, P %.2f: %s.",
		alertsOf(ms), stamp(ms[0].at), stampAfter(ms[0].at, ms[len(ms)-1].at), inStages(stages), float64(percent(p))/100, strings.Join(lines(ms), "; "))
	f.Recommendation = detect.ChainAdvice(in.device)
	return f
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

// lines quotes the alerts for the message in the order of time. The strongest alert of each rule comes first, then those of further
// devices, up to maxLines.
func lines(ms []member) []string {
	var shown []member
	more := map[string]int{}
	for _, own := range []bool{true, false} { // one of each rule, then further devices
		for _, x := range byWeight(ms) {
			seen := slices.ContainsFunc(shown, func(y member) bool { return y.rule == x.rule && (own || y.device == x.device) })
			if x.strong() && !seen && len(shown) < maxLines {
				shown = append(shown, x)
			}
		}
	}
	for _, x := range ms {
		if x.strong() && !slices.ContainsFunc(shown, func(y member) bool { return y.is(x) }) {
			more[x.rule]++
		}
	}
	shown = inTime(shown)
	out := make([]string, len(shown))
	for i, x := range shown {
		out[i] = fmt.Sprintf("%s %s %s", stampAfter(ms[0].at, x.at), x.rule, x.title)
	}
	if len(shown) > 0 && len(more) > 0 {
		n := 0
		for _, k := range more {
			n += k
		}
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return out
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
// 203.0.113.66 by ssh; now scans, connects to mail.example.com". Acts that do not fit are left out, the last of detect.TitleOrder first.
func (in *incident) headline(sev detect.Severity) string {
	entry, since := in.entry(sev)
	acts := in.acts(since)
	who := detect.ShortLabel(in.device, in.addr())
	switch {
	case entry != "":
	case sev < detect.Critical:
		entry = "may be taken over"
	default:
		entry = "looks taken over"
	}
	title := who + " " + entry
	var kept []string
	for _, act := range acts {
		for _, last := range []string{" and ", ", "} {
			if longer := title + "; now " + joined(append(slices.Clone(kept), act), last); detect.Fits(longer) {
				kept = append(kept, act)
				break
			}
		}
	}
	for _, last := range []string{" and ", ", "} {
		if longer := title + "; now " + joined(kept, last); len(kept) > 0 && detect.Fits(longer) {
			return longer
		}
	}
	return detect.Fit(title)
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

func joined(list []string, last string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + last + list[len(list)-1]
}

// entry describes how the intruder got in, and when, by the strongest alert about that.
func (in *incident) entry(sev detect.Severity) (text string, at int64) {
	for _, stage := range []detect.Stage{detect.StageLogin, detect.StageGuessed} {
		for _, x := range byWeight(in.members) {
			if x.stage != stage || x.device != in.key || x.brief == "" || !x.strong() {
				continue
			}
			if stage == detect.StageLogin && sev < detect.Critical {
				return "probably " + x.brief, x.at
			}
			return x.brief, x.at
		}
	}
	return "", 0
}

// acts lists what the device has done since then, in the order of detect.TitleOrder. Of findings that share a session or a peer, one is
// enough.
func (in *incident) acts(since int64) []string {
	var own []member
	for _, x := range byWeight(in.members) {
		if x.stage > detect.StageLogin && x.at >= since && x.device == in.key && x.brief != "" && x.strong() {
			own = append(own, x)
		}
	}
	slices.SortStableFunc(own, func(a, b member) int { return detect.TitleOrder(a.rule) - detect.TitleOrder(b.rule) })
	var told []member
	var acts []string
	for _, x := range own {
		if !slices.ContainsFunc(told, func(y member) bool { return y.rule == x.rule || x.shares(&y) }) {
			told, acts = append(told, x), append(acts, x.brief)
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
