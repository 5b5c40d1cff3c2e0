// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stillwatch/internal/testlab/wording"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// truth checks the texts of alerts against the fields of their records, and those of a chain against the alerts that it quotes.
type truth struct {
	t    *testing.T
	last map[string]*schemas.Alert // last revision of each alert so far, by id

	words []wording.Rule
}

// TestTextsOfAlertsMatchTheirRecords checks every text of every revision of every alert of the stories.
func TestTextsOfAlertsMatchTheirRecords(t *testing.T) {
	root := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata")
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5", "benign"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(root, name)
			r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "input.pcap"))
			n := checkTruth(t, r.out)
			if quiet := name == "benign"; (n == 0) != quiet {
				t.Errorf("%d revisions", n)
			}
			consistent(t, "--silent", "10.20.0.0/16", filepath.Join(dir, "input.pcap"))
		})
	}
}

// TestTextsOfAlertsInTheCorpus does the same for the captures of the corpus; with -short, for a sample of them.
func TestTextsOfAlertsInTheCorpus(t *testing.T) {
	root := filepath.Join(testneed.Corpus(t), "captures")
	files, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var revisions atomic.Int64
	t.Run("captures", func(t *testing.T) {
		for i, file := range files {
			if info, err := os.Stat(file); err != nil || info.IsDir() || testing.Short() && i%10 != 0 {
				continue
			}
			t.Run(strings.TrimPrefix(file, root+"/"), func(t *testing.T) {
				t.Parallel()
				r := run1(t, "replay", "--log-level", "error", "--silent", "10.0.0.0/8", "--silent", "192.168.0.0/16", "--silent", "172.16.0.0/12", file)
				revisions.Add(int64(checkTruth(t, r.out)))
			})
		}
	})
	if revisions.Load() == 0 {
		t.Error("no alert in the whole corpus")
	}
}

func checkTruth(t *testing.T, out string) (revisions int) {
	t.Helper()
	tr := &truth{t, map[string]*schemas.Alert{}, wording.Rules(t)}
	for text := range strings.Lines(out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		tr.last[a.ID] = &a
		revisions++
		tr.form(&a)
		tr.times(&a)
		tr.addresses(&a)
		tr.ports(&a)
		tr.names(&a)
		tr.counts(&a)
		tr.session(&a)
		if a.Rule.ID == chainRule {
			tr.chain(&a)
		}
	}
	return revisions
}

func (tr *truth) wrong(a *schemas.Alert, format string, args ...any) {
	tr.t.Helper()
	tr.t.Errorf("%s revision %d: %s\n\t%s\n\t%s", a.Rule.ID, a.Revision, fmt.Sprintf(format, args...), a.Title, a.Message)
}

// statements returns the texts that state facts, which a recommendation does not.
func statements(a *schemas.Alert) []string {
	all := []string{a.Title, a.Message}
	for _, r := range a.Reasons {
		all = append(all, r.Text)
	}
	for _, e := range a.Evidence {
		all = append(all, e.Summary)
	}
	return all
}

const nouns = `source|host|address|port|attempt|failed connection attempt|connection attempt|failure|failed login|login|SYN|device|new device|alert|stage|time|session|request|echo request`

var (
	onePlural   = regexp.MustCompile(`\b1 (?:` + nouns + `)(?:s|es)\b`)
	manySingle  = regexp.MustCompile(`\b(?:0|[2-9]|[1-9]\d+) (?:` + nouns + `)\b`)
	placeholder = regexp.MustCompile(`%!|<nil>|invalid IP|\{(?:then )?(?:inspect|contain|renew)\}| {2}|\(\)| ,`)
	timeText    = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
	addressText = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	portText    = regexp.MustCompile(`\b(\d+)/(?:tcp|udp|sctp)\b`)
	sinceCount  = regexp.MustCompile(`since (` + timeText.String() + `) UTC (?:it sent |it has tried |at least )?(\d+) (?:failed connection attempt|connection attempt|failed login|SYN|request|echo request|time)s?\b`)
	countSince  = regexp.MustCompile(`(\d+) (?:failed login)s? since (` + timeText.String() + `)`)
	carried     = regexp.MustCompile(`so far ([\d.]+ [kMG]?B) out and ([\d.]+ [kMG]?B) in`)
	sentBytes   = regexp.MustCompile(`it sent ([\d.]+ [kMG]?B) to .* and received ([\d.]+ [kMG]?B)\.$`)
	quoted      = regexp.MustCompile(`((?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d) (D\d\d) (.*)`)
	chainHead   = regexp.MustCompile(`Seen: (?:at least )?(\d+) alerts? about (\d+) devices? between (\S+ \S+) and (\S+(?: \S+)?) UTC, .*?, P (\d\.\d\d)(?:: (.*))?\.$`)
	beginning   = regexp.MustCompile(`^(?:first contact|way in|discovery|spread|outbound) at ((?:\d{4}-\d\d-\d\d )?)(\d\d:\d\d:\d\d)$`)
)

// form checks lengths, words, steps and plurals, and that no placeholder is left.
func (tr *truth) form(a *schemas.Alert) {
	tr.t.Helper()
	for _, wrong := range wording.Alert(tr.words, a.Title, a.Message, a.Recommendation, a.Device.Role) {
		tr.wrong(a, "%s", wrong)
	}
	for _, s := range append(statements(a), a.Recommendation) {
		for _, re := range []*regexp.Regexp{onePlural, manySingle, placeholder} {
			if bad := re.FindString(s); bad != "" {
				tr.wrong(a, "%q in %q", bad, s)
			}
		}
	}
}

func secondOf(tr *truth, text string) int64 {
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		tr.t.Fatal(err)
	}
	return at.Unix()
}

func seconds(t schemas.Time) int64 { return time.Unix(0, int64(t)).Unix() }

// times checks that the times in the texts lie within the time of the alert.
func (tr *truth) times(a *schemas.Alert) {
	tr.t.Helper()
	from, to := seconds(a.Time.EventStart), max(seconds(a.Time.EventEnd), seconds(a.Time.DetectedAt))
	for i, s := range statements(a) {
		for _, text := range timeText.FindAllString(s, -1) {
			at := secondOf(tr, text)
			if a.Rule.ID == "D02" && i > 1 && at < from { // the time of the last session before the silence
				if q, _ := a.Evidence[0].Data["quiet_s"].(float64); at != from-int64(q) && at != from-int64(q)-1 {
					tr.wrong(a, "%s is not %v s before %d", text, q, from)
				}
				continue
			}
			if at < from || at > to {
				tr.wrong(a, "%s is outside of %s to %s", text, a.Time.EventStart, a.Time.EventEnd)
			}
		}
	}
}

// addresses checks that every address in a text is in the record.
func (tr *truth) addresses(a *schemas.Alert) {
	tr.t.Helper()
	if a.Rule.ID == chainRule { // chain checks its lines
		return
	}
	known := map[string]bool{a.Device.IP.String(): true}
	if a.Peer != nil {
		known[a.Peer.IP.String()] = true
	}
	if s := a.Session; s != nil {
		known[s.Initiator.IP.String()], known[s.Responder.IP.String()] = true, true
	}
	for _, e := range a.Entities {
		known[strings.TrimPrefix(e, "ip:")] = true
	}
	for _, s := range statements(a) {
		for _, text := range addressText.FindAllString(s, -1) {
			if _, err := netip.ParseAddr(text); err == nil && !known[text] {
				tr.wrong(a, "%s is not in the record", text)
			}
		}
	}
}

// ports checks that every port in title and message is that of the session, the peer or the key.
func (tr *truth) ports(a *schemas.Alert) {
	tr.t.Helper()
	if a.Session == nil || a.Session.Responder.Port == nil || a.Rule.ID == "D13" {
		return
	}
	for _, s := range []string{a.Title, a.Message} {
		for _, m := range portText.FindAllStringSubmatch(s, -1) {
			if p, _ := strconv.Atoi(m[1]); p != int(*a.Session.Responder.Port) {
				tr.wrong(a, "%s, and the session is to port %d", m[0], *a.Session.Responder.Port)
			}
		}
	}
}

// names checks that title and message name the device, and the peer if the alert is about one.
func (tr *truth) names(a *schemas.Alert) {
	tr.t.Helper()
	if strings.HasPrefix(a.Device.Key, "sensor:") || a.Device.Key == "" {
		return
	}
	said := a.Title + a.Message
	if !strings.Contains(said, a.Device.Key) && !strings.Contains(said, a.Device.IP.String()) && !strings.Contains(said, a.Device.MAC.String()) {
		tr.wrong(a, "does not name %s (%s)", a.Device.Key, a.Device.IP)
	}
	if slices.Contains([]string{"D01", "D02", "D06", "D08", "D18"}, a.Rule.ID) && a.Peer != nil && a.Dedupe.Key != "more" &&
		!strings.Contains(a.Message, a.Peer.IP.String()) {
		tr.wrong(a, "does not name the peer %s", a.Peer.IP)
	}
}

// counts checks that a number of observations is the count of the alert, if both count from the same time.
func (tr *truth) counts(a *schemas.Alert) {
	tr.t.Helper()
	check := func(when, number string) {
		n, _ := strconv.Atoi(number)
		if same := secondOf(tr, when) == seconds(a.Dedupe.FirstSeen); same && n != a.Dedupe.Count || n > a.Dedupe.Count {
			tr.wrong(a, "%s since %s, and the alert counts %d since %s", number, when, a.Dedupe.Count, a.Dedupe.FirstSeen)
		}
	}
	for _, m := range sinceCount.FindAllStringSubmatch(a.Message, -1) {
		check(m[1], m[2])
	}
	for _, m := range countSince.FindAllStringSubmatch(a.Message, -1) {
		check(m[2], m[1])
	}
}

func carriedText(n uint64) string {
	switch f := float64(n); {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", f/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", f/1e6)
	default:
		return fmt.Sprintf("%.1f GB", f/1e9)
	}
}

// session checks what the texts say about answers and bytes against the session, or against the counters.
func (tr *truth) session(a *schemas.Alert) {
	tr.t.Helper()
	if m := sentBytes.FindStringSubmatch(a.Message); m != nil && a.Rule.ID == "D18" {
		out, _ := a.Evidence[0].Data["bytes_out"].(float64)
		in, _ := a.Evidence[0].Data["bytes_in"].(float64)
		if m[1] != carriedText(uint64(out)) || m[2] != carriedText(uint64(in)) || !strings.Contains(a.Title, m[1]) {
			tr.wrong(a, "%v B out and %v B in were counted", out, in)
		}
	}
	s := a.Session
	if s == nil || a.Rule.ID != "D01" {
		return
	}
	answered := s.State != "attempted" && s.State != "rejected"
	if said := strings.Contains(a.Message, "which answered"); said != (answered && s.PacketsIn > 0) {
		tr.wrong(a, "the session is %s with %d packets in", s.State, s.PacketsIn)
	}
	if strings.Contains(a.Message, "which refused") != (s.State == "rejected") {
		tr.wrong(a, "the session is %s", s.State)
	}
	if m := carried.FindStringSubmatch(a.Message); m != nil && (m[1] != carriedText(s.PayloadBytesOut) || m[2] != carriedText(s.PayloadBytesIn)) {
		tr.wrong(a, "the session carried %d and %d B", s.PayloadBytesOut, s.PayloadBytesIn)
	}
}

// beginnings checks that an alert of the incident began at each time that the message names, in the order of time.
func (tr *truth) beginnings(a *schemas.Alert, first string, parts []string) {
	tr.t.Helper()
	var last int64
	for _, text := range parts {
		m := beginning.FindStringSubmatch(text)
		if m == nil {
			tr.wrong(a, "the part %q", text)
			return
		}
		if m[1] == "" { // the day on which the first alert began
			m[1] = first[:len("2006-01-02 ")]
		}
		at, known := secondOf(tr, m[1]+m[2]), false
		for _, x := range tr.last {
			known = known || x.IncidentID == a.IncidentID && x.Rule.ID != chainRule && seconds(x.Dedupe.FirstSeen) == at
		}
		if !known || at < last {
			tr.wrong(a, "no alert of the incident began at %s%s, or it is out of order", m[1], m[2])
		}
		last = at
	}
}

// chain checks each line of a chain against the last revision of the alert that it quotes.
func (tr *truth) chain(a *schemas.Alert) {
	tr.t.Helper()
	head := chainHead.FindStringSubmatchIndex(a.Message)
	if head == nil {
		tr.wrong(a, "no summary")
		return
	}
	part := func(i int) string { return a.Message[head[2*i]:head[2*i+1]] }
	about, addrs, alerts := map[string]bool{}, map[netip.Addr]bool{}, 0
	for _, x := range tr.last {
		if x.IncidentID == a.IncidentID && x.Rule.ID != chainRule {
			alerts++
			about[x.Device.Key] = true
			addrs[x.Device.IP] = true
		}
	}
	if n, _ := strconv.Atoi(part(1)); n < 1 || n > alerts {
		tr.wrong(a, "the incident has %d alerts", alerts)
	}
	if n, _ := strconv.Atoi(part(2)); n < 1 || n > max(len(about), len(addrs)) { // of a MAC that turns out to be that of several devices, the alerts say so later
		tr.wrong(a, "the incident is about %d devices", len(about))
	}
	if p, _ := strconv.ParseFloat(part(5), 64); math.Abs(100*p-float64(a.RiskScore)) > 0.51 {
		tr.wrong(a, "the risk score is %d", a.RiskScore)
	}
	tr.headline(a)
	if head[12] >= 0 {
		tr.beginnings(a, part(3), strings.Split(part(6), ", "))
	}
	var lines []string
	for _, e := range a.Evidence {
		summary := e.Summary
		if i := strings.LastIndex(summary, " ("); i > 0 {
			summary = summary[:i]
		}
		lines = append(lines, summary)
	}
	for _, line := range lines {
		if m := quoted.FindStringSubmatch(line); m != nil {
			tr.quote(a, secondOf(tr, m[1]), m[2], m[3])
		} else {
			tr.wrong(a, "the line %q", line)
		}
	}
}

var (
	chainEntry   = regexp.MustCompile(`taken over from (\S+) by ([a-z0-9]+)`)
	chainAct     = regexp.MustCompile(`(sends [\d.]+ [kMG]?B to|connects to|keeps calling|calls) (\S+?)(?:,|$)`)
	chainActRule = map[string]string{"connects to": "D01", "calls": "D01", "keeps calling": "D06"}
)

// headline checks the title of a chain against the alerts of its device: how the intruder got in, and which hosts the device contacts.
func (tr *truth) headline(a *schemas.Alert) {
	tr.t.Helper()
	said := func(rules, words string) bool {
		words = strings.TrimPrefix(words, "…")
		for _, x := range tr.last {
			if x.IncidentID == a.IncidentID && x.Device.Key == a.Device.Key && strings.Contains(rules, x.Rule.ID) && strings.Contains(x.Message, words) {
				return true
			}
		}
		return false
	}
	if m := chainEntry.FindStringSubmatch(a.Title); m != nil && (!said("D08 D09", m[1]) || !said("D08 D09", " by "+m[2])) {
		tr.wrong(a, "nobody was let in from %s by %s", m[1], m[2])
	}
	if m := regexp.MustCompile(`after (\d+) guess`).FindStringSubmatch(a.Title); m != nil && !said("D09", "after "+m[1]+" failure") {
		tr.wrong(a, "no D09 alert counts %s guesses", m[1])
	}
	for _, m := range chainAct.FindAllStringSubmatch(a.Title, -1) {
		rule := chainActRule[m[1]]
		if size, ok := strings.CutPrefix(m[1], "sends "); ok {
			rule = "D18"
			if size = strings.TrimSuffix(size, " to"); !said(rule, size) {
				tr.wrong(a, "nobody sent %s", size)
			}
		}
		if peer, _, _ := strings.Cut(m[2], ":"); rule != "D01" || !strings.HasSuffix(peer, "hosts") {
			if !said(rule, peer) {
				tr.wrong(a, "no %s alert about %s", rule, m[2])
			}
		}
	}
}

func (tr *truth) quote(a *schemas.Alert, at int64, rule, title string) {
	tr.t.Helper()
	for _, x := range tr.last {
		if x.IncidentID == a.IncidentID && x.Rule.ID == rule && x.Title == title && seconds(x.Dedupe.FirstSeen) == at {
			return
		}
	}
	tr.wrong(a, "no %s alert is titled %q and began then", rule, title)
}
