// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page and its style
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

//go:embed page.html
var pageText string

//go:embed page.css
var styleText string

// Limits of the page. The JSON has more, and the totals count everything.
const (
	rowsAlerts    = 500
	rowsExplained = 200
	rowsDevices   = 500
	rowsTimeline  = 1000
	rowsIncidents = 100
	rowsPauses    = 100
	rowsDamage    = 200
	maxLocal      = 8 // services, addresses and findings of one device
)

// view is what the page shows.
type view struct {
	*Report
	CSS      template.CSS
	Policy   template.HTML // the element meta with the Content-Security-Policy
	Custody  custody
	Severity []count
	Cases    []*incidentView
	Shown    []*alertView // alerts that tell something of their own
	Others   []*alertView // alerts that others absorb, and suppressed ones
	Times    []moment
	Rows     []*deviceView
	Unseen   []unseen
	Glossary []term

	MoreIncidents, MoreAlerts, MoreOthers, MoreTimes, MoreDevices uint64

	zone    *time.Location
	absorbs map[string]bool // alerts that absorb others
	numbers map[string]int  // of the incidents on the page, from 1
}

// custody is what the page holds for a check of captures.
type custody struct {
	Captures []Capture `json:"captures"`
	Report   string    `json:"report_sha256"` // seal of the JSON
}

type count struct {
	Name string
	N    uint64
}

type incidentView struct {
	*schemas.Incident
	Number  int
	Picture *picture
}

type alertView struct {
	*schemas.Alert
	Incident int // number; 0: none on the page
	Why      string
}

type moment struct {
	At       schemas.Time
	Class    string
	Text     string
	Device   string
	Incident int
}

type deviceView struct {
	*schemas.Device
	Involved bool
	Alerts   int
}

type term struct{ Name, Text string }

// page returns the page without its seal.
func (r *Report) page() ([]byte, error) {
	zone, err := time.LoadLocation(r.Case.Zone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	sealed, err := seal(body, nil)
	if err != nil {
		return nil, err
	}
	v := &view{Report: r, CSS: template.CSS(styleText), Custody: custody{r.Captures, sealed.SHA256}, Glossary: glossary(), zone: zone, absorbs: map[string]bool{}, numbers: map[string]int{}} //nolint:gosec // the style is part of the program
	sum := sha256.Sum256([]byte(styleText))
	v.Policy = template.HTML(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-` + base64.StdEncoding.EncodeToString(sum[:]) + `'">`) //nolint:gosec // no text of others
	v.fill()
	t, err := template.New("page").Funcs(v.funcs()).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, err
	}
	return cleanLines(b.String()), nil
}

// cleanLines removes what could make one text look like another, wherever it comes from; html/template keeps texts out of the markup.
func cleanLines(page string) []byte {
	lines := strings.Split(page, "\n")
	for i, l := range lines {
		lines[i] = terminal.Clean(strings.TrimRight(l, " \t\r"))
	}
	lines = slices.CompactFunc(lines, func(a, b string) bool { return a == "" && b == "" })
	return []byte(strings.Join(lines, "\n"))
}

func (v *view) funcs() template.FuncMap {
	return template.FuncMap{
		"time":     func(t schemas.Time) string { return v.at(t).Format("2006-01-02 15:04:05 MST") },
		"timePtr":  v.timePtr,
		"grouped":  terminal.Grouped,
		"counted":  terminal.Counted,
		"bytes":    terminal.Bytes,
		"size":     func(n int64) string { return terminal.Grouped(uint64(max(n, 0))) },
		"percent":  func(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) },
		"part":     part,
		"command":  command,
		"chance":   func(p float64) string { return fmt.Sprintf("%.0f %%", 100*p) },
		"addrs":    func(d *schemas.Device) string { return list(d.IPs, netip.Addr.String) },
		"services": services,
		"mac":      macText,
		"steps":    steps,
		"span":     func(a, b schemas.Time) string { return terminal.Duration(time.Duration(b - a)) },
		"plain":    func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	}
}

func (v *view) at(t schemas.Time) time.Time { return time.Unix(0, int64(t)).In(v.zone) }

func (v *view) timePtr(t *schemas.Time) string {
	if t == nil {
		return "never"
	}
	return v.at(*t).Format("2006-01-02 15:04:05 MST")
}

// fill computes what the page shows.
func (v *view) fill() {
	for _, name := range append(severities(), "suppressed") {
		if n := v.Totals.BySeverity[name]; n > 0 {
			v.Severity = append(v.Severity, count{name, n})
		}
	}
	byIncident := map[string][]*schemas.Alert{}
	for _, a := range v.Report.Alerts {
		byIncident[a.IncidentID] = append(byIncident[a.IncidentID], a)
		v.absorbs[a.AbsorbedBy] = true
	}
	for i, in := range v.Incidents[:min(len(v.Incidents), rowsIncidents)] {
		v.numbers[in.ID] = i + 1
		v.Cases = append(v.Cases, &incidentView{in, i + 1, v.draw(in, byIncident[in.ID])})
	}
	v.MoreIncidents = v.Totals.Incidents - min(v.Totals.Incidents, uint64(len(v.Cases)))
	v.fillAlerts()
	v.fillDevices()
	v.fillTimes()
	v.Unseen = v.unseen()
}

func (v *view) fillAlerts() {
	titles := map[string]string{}
	for _, a := range v.Report.Alerts {
		titles[a.ID] = a.Title
	}
	others := uint64(0)
	for _, a := range v.Report.Alerts {
		x := &alertView{Alert: a, Incident: v.numbers[a.IncidentID]}
		switch {
		case standsAlone(a) && len(v.Shown) < rowsAlerts:
			v.Shown = append(v.Shown, x)
		case !standsAlone(a):
			if others++; len(v.Others) < rowsExplained {
				x.Why = cmp.Or(titles[a.AbsorbedBy], a.AbsorbedBy)
				if a.SuppressedBy != "" {
					x.Why = "suppressed by the policy " + a.SuppressedBy
				}
				v.Others = append(v.Others, x)
			}
		}
	}
	slices.SortStableFunc(v.Others, func(a, b *alertView) int { return cmp.Compare(a.Time.EventStart, b.Time.EventStart) })
	v.MoreOthers = others - uint64(len(v.Others))
	if shown := uint64(len(v.Shown)) + others; v.Totals.Alerts > shown {
		v.MoreAlerts = v.Totals.Alerts - shown
	}
}

// fillDevices lists the devices that alerts or incidents are about, and then the others.
func (v *view) fillDevices() {
	alerts, involved := map[string]int{}, map[string]bool{}
	for _, a := range v.Shown {
		alerts[a.Device.Key]++
	}
	for _, i := range v.Incidents {
		for _, d := range i.Devices {
			involved[d.Key] = true
		}
	}
	for _, d := range v.Report.Devices {
		v.Rows = append(v.Rows, &deviceView{d, involved[d.Key] || alerts[d.Key] > 0, alerts[d.Key]})
	}
	slices.SortStableFunc(v.Rows, func(a, b *deviceView) int {
		switch {
		case a.Involved == b.Involved:
			return 0
		case a.Involved:
			return -1
		}
		return 1
	})
	v.Rows = v.Rows[:min(len(v.Rows), rowsDevices)]
	v.MoreDevices = v.Totals.Devices - min(v.Totals.Devices, uint64(len(v.Rows)))
}

// fillTimes lists in the order of time what happened, and where the captures begin and end.
func (v *view) fillTimes() {
	for _, a := range v.Shown {
		if a.Rule.Kind != chainKind { // it is about the others
			v.Times = append(v.Times, moment{a.Time.EventStart, a.Severity, a.Title, a.Device.Key, a.Incident})
		}
	}
	for _, p := range v.Quality.Pauses[:min(len(v.Quality.Pauses), rowsPauses)] {
		v.Times = append(v.Times, moment{At: p.From, Class: "capture", Text: "no capture covers the next " + terminal.Duration(time.Duration(p.To-p.From))})
	}
	if v.Totals.First != nil && v.Totals.Last != nil {
		v.Times = append(v.Times, moment{At: *v.Totals.First, Class: "capture", Text: "first packet of the captures"}, moment{At: *v.Totals.Last, Class: "capture", Text: "last packet of the captures"})
	}
	slices.SortStableFunc(v.Times, func(a, b moment) int { return cmp.Compare(a.At, b.At) })
	if n := len(v.Times) - rowsTimeline; n > 0 {
		v.MoreTimes, v.Times = uint64(n), v.Times[:rowsTimeline]
	}
}

// list joins texts, and counts those beyond maxLocal.
func list[T any](all []T, text func(T) string) string {
	var parts []string
	for _, x := range all[:min(len(all), maxLocal)] {
		parts = append(parts, text(x))
	}
	if n := len(all) - maxLocal; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, ", ")
}

func services(d *schemas.Device) string {
	return list(d.Serves, func(s schemas.Service) string {
		text := fmt.Sprintf("%d/%s", s.Port, s.Proto)
		if s.App != "" {
			text += " " + s.App
		}
		if s.External {
			text += " (to hosts outside)"
		}
		return text
	})
}

func macText(m schemas.MAC) string {
	if m == (schemas.MAC{}) {
		return ""
	}
	return net.HardwareAddr(m[:]).String()
}

// command quotes the arguments of a command line where a shell would need it.
func command(p Program) string {
	parts := []string{p.Name}
	for _, a := range p.Command {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$`*?&|;<>(){}[]!#~") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		parts = append(parts, a)
	}
	return strings.Join(parts, " ")
}

// steps splits a recommendation into its numbered steps.
func steps(s string) (all []string) {
	for i := 1; ; i++ {
		_, rest, ok := strings.Cut(s, fmt.Sprintf("%d. ", i))
		if !ok {
			break
		}
		step, _, _ := strings.Cut(rest, fmt.Sprintf(" %d. ", i+1))
		all = append(all, step)
		s = rest
	}
	if len(all) == 0 && s != "" {
		all = []string{s}
	}
	return all
}
