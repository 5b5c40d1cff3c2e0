// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/policy"
)

const begin = schemas.Time(1_773_147_600_000_000_000) // 2026-03-10T13:00:00Z

func timeAt(seconds int64) *schemas.Time {
	t := begin + schemas.Time(seconds*1e9)
	return &t
}

// alertOf returns an alert about a session that cam-01 opened to 198.51.100.23.
func alertOf(id, severity string, seconds int64) *schemas.Alert {
	port := uint16(443)
	out := netip.MustParseAddr("198.51.100.23")
	return &schemas.Alert{
		Schema: schemas.AlertSchema, ID: id, Revision: 1, Action: "create", IncidentID: "incident", Severity: severity, Title: "cam-01 opened 443/tcp to 198.51.100.23",
		Message: "Expected: nothing.", Time: schemas.AlertTime{EventStart: *timeAt(seconds)}, Rule: schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound"},
		Device: schemas.AlertDevice{Key: "cam-01"}, Peer: &schemas.AlertPeer{IP: out, Port: &port, Scope: "external"},
		Session: &schemas.Session{Start: *timeAt(seconds), Initiator: schemas.Endpoint{IP: netip.MustParseAddr("10.20.30.11")}, Responder: schemas.Endpoint{IP: out, Port: &port}, Proto: "tcp"},
		Dedupe:  schemas.AlertDedupe{Count: 1},
	}
}

// reportOf returns a report with one incident of so many alerts.
func reportOf(alerts ...*schemas.Alert) *Report {
	c := NewCollector()
	in := &schemas.Incident{ID: "incident", Revision: 1, Title: "cam-01 taken over", Severity: "high", Time: schemas.IncidentTime{First: begin, Last: *timeAt(3600)},
		Narrative: []schemas.IncidentSentence{{Time: begin, Text: "cam-01 opened 443/tcp."}}, Stages: []schemas.IncidentStage{{Stage: "outbound", First: begin, Last: *timeAt(3600)}},
		Devices: []schemas.IncidentDevice{{Key: "cam-01", Part: "stepping_stone", IP: netip.MustParseAddr("10.20.30.11")}}, AlertsTotal: len(alerts)}
	for _, a := range alerts {
		in.Stages[0].Alerts = append(in.Stages[0].Alerts, a.ID)
		_ = c.Alert(a) // it cannot fail
	}
	_ = c.Incident(in)
	_ = c.Device(&schemas.Device{Schema: schemas.DeviceSchema, Key: "cam-01", Role: "camera", RoleLevel: "identified", Expect: "silent", IPs: []netip.Addr{netip.MustParseAddr("10.20.30.11")}})
	r := &Report{Schema: Schema, Case: Case{Zone: "UTC"}, Program: Program{Name: "stillwatch-sensor", Version: "1", Command: []string{"replay", "a.pcap"}},
		Captures: []Capture{{File: File{What: "capture", File: "a.pcap", Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}, Packets: 1, First: timeAt(0), Last: timeAt(1)}},
		Totals:   Totals{Packets: 1, First: timeAt(0), Last: timeAt(1), Devices: 1, Alerts: uint64(len(alerts)), BySeverity: map[string]uint64{"high": uint64(len(alerts))}}}
	c.Fill(r)
	return r
}

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile fills every text of a value with markup and control characters, at any depth.
func hostile(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			hostile(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				hostile(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			hostile(v.Index(i))
		}
	case reflect.String:
		v.SetString(v.String() + "<script>alert(1)</script><img src=x onerror=alert(1)>\" onload=\"x' --></svg></style></title>\x1b[2J\u202etxt\u200b\x00{{.}}")
	}
}

// TestHostileNames checks that no text of a record becomes markup, and that control characters and direction marks do not reach the page.
func TestHostileNames(t *testing.T) {
	clean := pageOf(t, reportOf(alertOf("a", "high", 1), alertOf("b", "high", 2)))
	r := reportOf(alertOf("a", "high", 1), alertOf("b", "high", 2))
	for _, x := range []any{r.Incidents, r.Alerts, r.Devices, r.Captures, &r.Program, &r.Quality} {
		hostile(reflect.ValueOf(x))
	}
	r.Case.Number, r.Case.Examiner, r.Quality.Damage = "</title><script>alert(1)</script>", "\x1b]0;x\a", []string{"<b>damage</b>"}
	page := pageOf(t, r)
	for i, c := range page {
		if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
			t.Errorf("character %U at %d", c, i)
		}
	}
	for _, p := range []string{clean, page} {
		scripts := 0
		doc, err := html.Parse(strings.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && slices.Contains([]string{"img", "iframe", "object"}, n.Data) {
				t.Errorf("the page has the element %s", n.Data)
			}
			if n.Data == "script" && n.Type == html.ElementNode {
				scripts++
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("the page has the attribute %s=%q", a.Key, a.Val)
				}
			}
		}
		if scripts != 1 { // the data for verify
			t.Errorf("the page has %d scripts", scripts)
		}
	}
	if s, err := Read([]byte(page)); err != nil || !s.Intact || len(s.Captures) != 1 {
		t.Errorf("the page is read back as %+v, %v", s, err)
	}
}

// TestManyAlerts checks that a flood of alerts keeps neither the memory nor the page busy, does not push out the severe one, and that totals stay right.
func TestManyAlerts(t *testing.T) {
	const many = 20_000
	var all []*schemas.Alert
	for i := range many {
		severity := "low"
		if i == many/2 {
			severity = "critical"
		}
		all = append(all, alertOf(fmt.Sprintf("alert-%05d", i), severity, int64(i)))
	}
	r := reportOf(all...)
	if len(r.Alerts) != maxAlerts || r.Alerts[0].Severity != "critical" {
		t.Errorf("%d alerts, the first is %s", len(r.Alerts), r.Alerts[0].Severity)
	}
	page := pageOf(t, r)
	if want := "and 19,500 further alerts"; !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
	if len(page) > 2<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	// Alike sessions are one arrow.
	if n := strings.Count(page, "<polygon"); n != 1 || !strings.Contains(page, fmt.Sprintf("× %d", maxAlerts)) {
		t.Errorf("the picture has %d arrow heads", n)
	}
}

// TestManyHosts checks that a picture of many hosts and services stays readable: they share lanes and columns.
func TestManyHosts(t *testing.T) {
	var all []*schemas.Alert
	for i := range 400 {
		a := alertOf(fmt.Sprintf("alert-%03d", i), "high", int64(i))
		port := uint16(1000 + i)
		ip := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		a.Peer.IP, a.Session.Responder.IP, a.Session.Responder.Port = ip, ip, &port
		all = append(all, a)
	}
	r := reportOf(all...)
	v := &view{Report: r, zone: time.UTC, absorbs: map[string]bool{}}
	p := v.draw(r.Incidents[0], r.Alerts)
	if len(p.Lanes) > maxOutside+1+1 || len(p.Columns) > maxColumns || len(p.Columns) == 0 {
		t.Errorf("%d lanes, %d columns", len(p.Lanes), len(p.Columns))
	}
	n, labels := 0, []string(nil)
	for _, c := range p.Columns {
		n, labels = n+c.n, append(labels, c.Label)
	}
	if n != 400 || p.More > 0 || !slices.Contains(labels, "390 services") {
		t.Errorf("the picture shows %d sessions in columns of %q, and %d more columns", n, labels, p.More)
	}
}

func TestPauses(t *testing.T) {
	var q Quality
	q.FindPauses([]Capture{{First: timeAt(0), Last: timeAt(100)}, {First: timeAt(130), Last: timeAt(200)}, {}, {First: timeAt(150), Last: timeAt(160)}, {First: timeAt(500), Last: timeAt(600)}})
	if want := []Pause{{*timeAt(200), *timeAt(500)}}; !slices.Equal(q.Pauses, want) || q.PausesTotal != 1 {
		t.Errorf("%+v", q)
	}
}

// TestSeal checks that every change of a report is noticed, in both forms, and that a signature shows who wrote it.
func TestSeal(t *testing.T) {
	jwk, public, err := policy.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := policy.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := policy.ReadKey(jwk)
	if err != nil {
		t.Fatal(err)
	}
	r := reportOf(alertOf("a", "high", 1))
	var page, data, again bytes.Buffer
	for _, err := range []error{r.WriteHTML(&page, key), r.WriteJSON(&data, key), r.WriteHTML(&again, key)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(page.Bytes(), again.Bytes()) {
		t.Error("the same report is written in two ways")
	}
	for name, text := range map[string]string{"HTML": page.String(), "JSON": data.String()} {
		s, err := Read([]byte(text))
		if err != nil || !s.Intact || !s.SignedBy(public) || s.SignedBy(other) || s.Signer != policy.KeyID(public) || !reflect.DeepEqual(s.Captures, r.Captures) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		changes := map[string]string{
			"a title":      strings.ReplaceAll(text, "cam-01 taken over", "cam-01 untouched"),
			"a hash":       strings.ReplaceAll(text, "ba7816bf", "ca7816bf"),
			"a capture":    strings.ReplaceAll(text, "a.pcap", "b.pcap"),
			"a text added": strings.Replace(text, "<main>", "<main><p>No incident.</p>", 1) + "<p>x</p>",
			"a member":     strings.Replace(text, `"report":`, `"Report": {}, "report":`, 1),
			"twice":        strings.Replace(text, `"totals": {`, `"totals": {}, "totals": {`, 1),
		}
		for what, changed := range changes {
			if changed == text {
				continue // the other form has it
			}
			if s, err := Read([]byte(changed)); err == nil && (s.Intact || s.SignedBy(public)) {
				t.Errorf("%s: %s is not noticed", name, what)
			}
		}
	}
	if _, err := Read([]byte("<html></html>")); err == nil {
		t.Error("any page is a report")
	}
	if _, err := Read([]byte(`{"report":{}}`)); err == nil {
		t.Error("any JSON is a report")
	}
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same, changed, extra := put("copy.pcap", "abc"), put("b.pcap", "xyz"), put("extra.pcap", "extra")
	s := &Sealed{Captures: []Capture{
		{File: File{File: "/case/a.pcap", Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},
		{File: File{File: "/case/b.pcap", Size: 3, SHA256: "0000"}},
		{File: File{File: "/case/c.pcap", Size: 3, SHA256: "1111"}},
		{File: File{File: "fifo"}, Packets: 1},
		{File: File{File: "folder", Note: "not read"}},
	}}
	names, sums := []string{extra, changed, same}, map[string]Sum{}
	for _, n := range names {
		sums[n] = HashFile(t.Context(), n)
	}
	want := []Result{{"/case/a.pcap", OK, same}, {"/case/b.pcap", Changed, changed}, {"/case/c.pcap", Missing, ""}, {"fifo", NoHash, ""}, {extra, Unknown, extra}}
	if got := s.Compare(names, sums); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
