// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
)

var emitted = regexp.MustCompile(`"emitted_at":"[^"]*",?|"boot_id":"[^"]*",?`)

func TestCardsOnATerminal(t *testing.T) {
	r := onTerminal(t, 72, nil, "replay", "--silent", "10.20.10.17", write(t, sample(t), "a.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.out)
	}
	for _, want := range []string{"\x1b[", "D01", "198.51.100.23", "incident", "benign if", "1 capture", "1 expected to be silent, 1 of them spoke"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not on the screen", want)
		}
	}
	styles := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for line := range strings.Lines(styles.ReplaceAllString(r.out, "")) {
		if _, after, ok := strings.Cut(line, eraseLine); ok {
			line = after
		}
		if n := columns(strings.TrimSuffix(line, "\n")); n > 72 {
			t.Errorf("%d columns on a screen of 72: %q", n, line)
		}
	}
}

func TestNoColourWhereItIsNotWanted(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	for _, c := range []struct {
		name string
		env  []string
		args []string
	}{{"NO_COLOR", []string{"NO_COLOR=1"}, nil}, {"flag", nil, []string{"--no-color"}}} {
		t.Run(c.name, func(t *testing.T) {
			r := onTerminal(t, 100, c.env, append([]string{"replay", "--silent", "10.20.10.17", path}, c.args...)...)
			if text := strings.ReplaceAll(r.out, eraseLine, ""); strings.Contains(text, "\x1b") || !strings.Contains(text, "D01") {
				t.Errorf("screen:\n%q", text)
			}
		})
	}
}

func TestDumbTerminalGetsNoEscape(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	for _, args := range [][]string{{"replay", "--silent", "10.20.10.17", path}, {"devices", path}} {
		if r := onTerminal(t, 100, []string{"TERM=dumb"}, args...); strings.ContainsAny(r.out, "\x1b\r") || !strings.Contains(r.out, "10.20.10.17") {
			t.Errorf("%s: screen:\n%q", args[0], r.out)
		}
	}
}

func TestSummaryWithoutCardsWhenAlertsGoToAFile(t *testing.T) {
	file := t.TempDir() + "/alerts"
	r := onTerminal(t, 100, nil, "replay", "--alerts", file, "--silent", "10.20.10.17", write(t, sample(t), "a.pcap"))
	if strings.Contains(r.out, "benign if") || !strings.Contains(r.out, "1 capture") {
		t.Errorf("screen:\n%s", r.out)
	}
	if len(records(t, schemas.KindAlert, read(t, file))) == 0 {
		t.Error("no alert in the file")
	}
}

// hostileAlert has what an attacker would like to put on a screen in every field that can come from the wire.
func hostileAlert() *schemas.Alert {
	bad := "x\x1b]0;owned\a\x1b[2J\u202egnp.exe\nFAKE LINE"
	port := uint16(443)
	return &schemas.Alert{
		ID: "id" + bad, Revision: 2, Action: "update", IncidentID: bad, Title: bad, Message: strings.Repeat(bad+" ", 9), Severity: "critical",
		RiskScore: 99, Confidence: 90,
		Rule:    schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Reasons: []schemas.AlertReason{{Code: "a", Text: bad}, {Code: "benign_if", Text: bad}},
		Device:  schemas.AlertDevice{Key: bad, IP: netip.MustParseAddr("10.0.0.1"), Vendor: bad, Model: bad, Expect: "silent"},
		Peer:    &schemas.AlertPeer{IP: netip.MustParseAddr("2001:db8::1"), Port: &port, Scope: "external", Domain: &schemas.Domain{Name: bad, Source: "dns"}},
		Session: &schemas.Session{Proto: "tcp", App: bad, State: "closed", Initiator: schemas.Endpoint{IP: netip.MustParseAddr("10.0.0.1"), Port: &port},
			Responder: schemas.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), Port: &port}},
		Recommendation: bad,
	}
}

func TestHostileTextOnACard(t *testing.T) {
	for _, width := range []int{leastWidth, 72, mostWidth} {
		var b bytes.Buffer
		if err := (&terminal{width: width}).card(&b, hostileAlert()); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\a\u202e") {
			t.Errorf("something of the wire reached the screen:\n%q", b.String())
		}
		for line := range strings.Lines(b.String()) {
			if strings.HasPrefix(line, "FAKE LINE") {
				t.Errorf("a line that is not ours:\n%s", b.String())
			}
			if n := columns(strings.TrimSuffix(line, "\n")); n > max(width, 64) {
				t.Errorf("%d columns, want at most %d: %q", n, width, line)
			}
		}
	}
}

func TestDeckShowsLastRevisionsByIncident(t *testing.T) {
	var b bytes.Buffer
	d := newDeck(&terminal{width: 80}, &b)
	put := func(id, incident, title string) {
		t.Helper()
		if err := d.add(&schemas.Alert{ID: id, IncidentID: incident, Title: title}); err != nil {
			t.Fatal(err)
		}
	}
	put("1", "A", "first, early")
	put("2", "B", "second")
	put("3", "A", "third")
	put("1", "A", "first, late")
	put("4", "", "alone")
	put("5", "", "alone too")
	if err := d.deal(len(d.order)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		for _, title := range []string{"first, early", "first, late", "second", "third", "alone too", "alone"} {
			if line == title+"\n" {
				got = append(got, title)
			}
		}
	}
	if want := "[first, late third second alone alone too]"; fmt.Sprint(got) != want {
		t.Errorf("shown %v, want %s", got, want)
	}
}

func TestIncidentBeginsWithItsChain(t *testing.T) {
	var b bytes.Buffer
	d := newDeck(&terminal{width: 80}, &b)
	for i, rule := range []string{"D07", "D01", "D42"} {
		a := &schemas.Alert{ID: rule, IncidentID: "A", Title: "title of " + rule, Rule: schemas.AlertRule{ID: rule}, Device: schemas.AlertDevice{Key: "srv"}}
		a.Time.EventStart, a.Time.EventEnd = schemas.Time(i*1e9), schemas.Time(i*2e9)
		if err := d.add(a); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.deal(3); err != nil {
		t.Fatal(err)
	}
	if want := "Incident A: 3 alerts on 1 device, 1970-01-01 00:00:00 to 1970-01-01 00:00:04 UTC\n"; !strings.HasPrefix(strings.ReplaceAll(b.String(), "\n", " "), strings.ReplaceAll(want, "\n", " ")) {
		t.Errorf("begins with\n%.200s\nwant\n%s", b.String(), want)
	}
	at := func(rule string) int { return strings.Index(b.String(), "title of "+rule) }
	if at("D42") > at("D07") || at("D07") > at("D01") {
		t.Errorf("the order is not D42, D07, D01:\n%s", b.String())
	}
}

func TestDeckIsBounded(t *testing.T) {
	var b bytes.Buffer
	d := newDeck(&terminal{width: 80}, &b)
	const alerts = deckSize*2 + 10
	for i := range alerts {
		if err := d.add(&schemas.Alert{ID: fmt.Sprint(i), IncidentID: fmt.Sprint(i % 7), Title: fmt.Sprintf("title-%d-", i)}); err != nil {
			t.Fatal(err)
		}
		if len(d.order) > deckSize || len(d.byID) != len(d.order) {
			t.Fatalf("%d alerts held", len(d.order))
		}
	}
	if err := d.deal(len(d.order)); err != nil {
		t.Fatal(err)
	}
	for i := range alerts {
		if n := strings.Count(b.String(), fmt.Sprintf("title-%d-", i)); n != 1 {
			t.Fatalf("alert %d is shown %d times", i, n)
		}
	}
}

func TestProgressLine(t *testing.T) {
	cases := []struct {
		name string
		p    pipeline.Progress
		took time.Duration
		want string
	}{
		{"half", pipeline.Progress{Packets: 2_000_000, BytesRead: 50, BytesTotal: 100, Alerts: 3}, 2 * time.Second, "[##########..........]  50 %, 2 Mpackets, 1 M/s, 2 s left, 3 alerts"},
		{"nothing yet", pipeline.Progress{BytesTotal: 100}, 0, "[....................]   0 %, 0 packets, 0 /s, 0 alerts"},
		{"a pipe", pipeline.Progress{Packets: 10, BytesRead: 5000, Alerts: 1}, time.Second, "10 packets, 10 /s, 1 alert"},
		{"a file that grew", pipeline.Progress{Packets: 10, BytesRead: 200, BytesTotal: 100}, time.Second, "[####################] 100 %, 10 packets, 10 /s, 0 alerts"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := progressLine(c.p, c.took); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
