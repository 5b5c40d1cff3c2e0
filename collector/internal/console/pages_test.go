// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sample"
	"stillwatch/schemas"
)

// TestPagesOfStory checks the content of the pages for the records of a replayed story.
func TestPagesOfStory(t *testing.T) {
	b := newFixture(t)
	s := replay(t, "S1")
	last := len(s.alerts) - 1
	s.alerts[last].SuppressedBy = "known-scanner"
	b.apply(t, s.alerts, s.devices)
	c := b.as(t, auth.Viewer)
	a := s.alerts[0]
	session, absorbed := "", a
	for _, v := range s.alerts {
		if v.AbsorbedBy != "" {
			absorbed = v
		}
		if v.Session != nil {
			session = v.Session.CommunityID
		}
	}
	for _, tc := range []struct {
		path string
		want []string
	}{
		{"/", []string{"srv-legacy-07", "Silent devices that opened sessions", "Newest alerts"}},
		{"/alerts", []string{"srv-legacy-07 relays sessions of ", "D01", "alerts</p>"}},
		{"/alerts?severity=critical", []string{"logged in to srv-legacy-07", "match the filter"}},
		{"/alerts?rule=D13&state=open", []string{"scans its network by ARP"}},
		{"/alerts/" + absorbed.ID, []string{"closed, because <a href=\"/alerts/" + absorbed.AbsorbedBy + "\">another alert</a> explains it"}},
		{"/alerts/" + s.alerts[last].ID, []string{"suppressed by the policy <bdi>known-scanner</bdi>"}},
		{"/alerts?q=nothing+like+this", []string{"No alert matches."}},
		{"/alerts/" + a.ID, []string{"Expected</h2>", "Seen</h2>", "What to do</h2>", "No admin port of srv-legacy-07 can be reached from outside.", "<ol><li><bdi>Block the port at the firewall", "Harmless if", "203.0.113.66", "Record as JSON"}},
		{"/incidents", []string{"srv-legacy-07", "D13", "D08"}},
		{"/incidents/" + a.IncidentID, []string{"Alerts in time order", "What to do</h2><ol><li><bdi>", "later", "similar alert", "Tuesday, 10 March 2026"}},
		{"/devices?q=legacy", []string{"srv-legacy-07", "silent"}},
		{"/devices?role=camera&expect=server_only", []string{"cam-01"}},
		{"/device?key=srv-legacy-07", []string{"expected: silent", "pened sessions in", "vendor", "Dell", "SSH-2.0-OpenSSH_9.6", "22/tcp", ":00 opened ", "<dt>Silence</dt>", " watched (", "bytes sent", "opened sessions in the hours from"}},
		{"/sensors", []string{"Packet loss", "Missing records", "0 %"}},
		{"/search?q=" + url.QueryEscape(session), []string{"Community ID"}},
		{"/search?q=cam-01", []string{"<h1><bdi>cam-01</bdi>"}},
		{"/search?q=" + a.ID, []string{"What to do</h2>"}},
		{"/search?q=" + a.IncidentID, []string{"Alerts in time order"}},
		{"/search?q=203.0.113.66", []string{"203.0.113.66"}},
	} {
		body := b.get(t, c, tc.path)
		for _, w := range tc.want {
			if !strings.Contains(body, w) {
				t.Errorf("%s has no %q", tc.path, w)
			}
		}
	}
}

// TestSuppressionFilter lists the alerts that a policy suppresses, and the others. A value that the filter does not have is refused.
func TestSuppressionFilter(t *testing.T) {
	b := newFixture(t)
	s := replay(t, "S1")
	last := s.alerts[len(s.alerts)-1]
	last.SuppressedBy = "known-scanner"
	b.apply(t, s.alerts, nil)
	c := b.as(t, auth.Viewer)
	link := `href="/alerts/` + last.ID + `"`
	for path, want := range map[string]bool{"/alerts": true, "/alerts?suppressed=true": true, "/alerts?suppressed=false": false, "/alerts?suppressed=": true} {
		if body := b.get(t, c, path); strings.Contains(body, link) != want {
			t.Errorf("%s: the suppressed alert is listed: %v, want %v", path, !want, want)
		}
	}
	if body := b.get(t, c, "/alerts?suppressed=true"); !strings.Contains(body, "1 alert match") || !strings.Contains(body, `value="true" selected>suppressed`) {
		t.Errorf("the list of suppressed alerts has others, or does not say what it shows: %.3000s", body)
	}
	for path, want := range map[string]string{
		"/alerts?suppressed=maybe": "Invalid value &#34;maybe&#34; of suppressed. Use true or false.",
		"/alerts?state=ajar":       "Invalid value &#34;ajar&#34; of state. Use open or closed.",
	} {
		if status, body := b.fetch(t, c, path); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d, and no %q", path, status, want)
		}
	}
}

// TestIncidentPageTellsTheStory checks the page of an incident before and after its record arrives.
func TestIncidentPageTellsTheStory(t *testing.T) {
	b := newFixture(t)
	s := replay(t, "S2")
	b.apply(t, s.alerts, nil)
	c := b.as(t, auth.Viewer)
	last := s.incidents[len(s.incidents)-1]
	path := "/incidents/" + last.ID
	if body := b.get(t, c, path); strings.Contains(body, "What happened</h2>") {
		t.Error("there is a narrative without a record")
	}
	b.tell(t, s.incidents)
	body := b.get(t, c, path)
	want := []string{"What happened</h2>", html.EscapeString(last.Title)}
	for _, n := range last.Narrative {
		want = append(want, html.EscapeString(n.Text))
	}
	for _, step := range adviceOf(last.Recommendation).Steps {
		want = append(want, html.EscapeString(string(step)))
	}
	for _, w := range want {
		if !strings.Contains(body, w) {
			t.Errorf("the page has no %q", w)
		}
	}
	if len(want) < 2+3+3 {
		t.Errorf("the record tells only %q", want)
	}
}

func TestAdvice(t *testing.T) {
	for text, want := range map[string][]long{
		"": nil, "Check /readyz of the sensor.": nil, "1. ": nil, "1. Only one.": nil, "2. Two. 3. Three.": nil, "1. . 2. Two.": nil, "1. One. 2. ": nil,
		"1. One. 2. Two. 3. Three.":                               {"One.", "Two.", "Three."},
		"1. one 2. still one. 2. Version 3. 1 of 10.0.0.1. 4. No": {"One 2. still one.", "Version 3. 1 of 10.0.0.1. 4. No."},
		"1. <b>a</b>. 2. \"><script>":                             {"<b>a</b>.", "\"><script>."},
		"1. a\n. 2. b\x00\u202e":                                  {"A.", "B\x00\u202e."},
	} {
		if got := adviceOf(text); !slices.Equal(got.Steps, want) || got.Text != sentence(text) {
			t.Errorf("%q: %q", text, got)
		}
	}
	many := "1"
	for n := 2; n < 1000; n++ {
		many += fmt.Sprintf(". x. %d", n)
	}
	if got := adviceOf(many + ". x"); got.Steps != nil {
		t.Errorf("%d steps", len(got.Steps))
	}
}

// TestHostileAdvice checks that steps are sanitized and escaped.
func TestHostileAdvice(t *testing.T) {
	b := newFixture(t)
	a := sample.Alert(1)
	a.Recommendation = "1. <script>alert(1)</script>. 2. a\u202eb."
	b.apply(t, []*schemas.Alert{a}, nil)
	c := b.as(t, auth.Viewer)
	for _, path := range []string{"/alerts/" + a.ID, "/incidents/" + a.IncidentID} {
		body := b.get(t, c, path)
		checkPage(t, path, body)
		if !strings.Contains(body, "<ol><li><bdi>&lt;script&gt;alert(1)&lt;/script&gt;.</bdi></li><li><bdi>") {
			t.Errorf("%s has no list of steps", path)
		}
	}
}

// TestPagesWithoutRecords checks the pages of an empty database and of missing records.
func TestPagesWithoutRecords(t *testing.T) {
	b := newFixture(t)
	c := b.as(t, auth.Admin)
	for path, want := range map[string]int{
		"/": 200, "/alerts": 200, "/incidents": 200, "/devices": 200, "/sensors": 200, "/dead-letters": 200, "/admin": 200, "/search?q=": 200,
		"/alerts/" + alertID(1): 404, "/incidents/" + alertID(1): 404, "/device?key=nobody": 404, "/device": 404, "/nothing": 404,
		"/alerts?cursor=xyz": 400, "/alerts?from=yesterday": 400, "/assets/none.js": 404,
	} {
		if got, body := b.fetch(t, c, path); got != want {
			t.Errorf("GET %s: %d, want %d: %.200s", path, got, want, body)
		}
	}
}

// TestPagesHaveChangeNumber checks that a page has the number of the last change that it shows, so that no change between the page and
// its event stream is lost.
func TestPagesHaveChangeNumber(t *testing.T) {
	b := newFixture(t)
	c := b.as(t, auth.Viewer)
	if body := b.get(t, c, "/alerts"); !strings.Contains(body, `data-after="0"`) {
		t.Error("the change number of an empty database is not 0")
	}
	s := replay(t, "S5")
	b.apply(t, s.alerts, s.devices)
	last, err := b.store.LastChange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if body := b.get(t, c, "/alerts"); last == 0 || !strings.Contains(body, fmt.Sprintf(`data-after="%d"`, last)) {
		t.Errorf("the change number of the page is not %d", last)
	}
}
