// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

type incidentsBody struct {
	Form       form
	Severities []choice
	Incidents  []incidentRow
	Filtered   bool
	Next       verbatim
	First      verbatim
}

func (k *Console) incidents(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.IncidentFilter{Severity: known(q["severity"], severities), Device: q.Get("device"), Text: q.Get("q")}
	if s := q.Get("state"); s == "open" || s == "closed" {
		f.State = s
	}
	list, err := k.store.Incidents(r.Context(), f, store.Page{Cursor: q.Get("cursor"), Limit: 50, Order: orderOf(q.Get("order"))})
	if err != nil {
		return err
	}
	body := incidentsBody{
		Form: formOf(q, "q", "state", "device", "order"), Severities: choices(severities, q["severity"]), Incidents: incidentRows(list.Incidents),
		Filtered: filtered(q), Next: next(q, "/incidents", list.Next), First: first(q, "/incidents"),
	}
	return k.show(w, r, http.StatusOK, "incidents", page{Title: "Incidents", Nav: "incidents", Live: q.Get("cursor") == "", Body: body})
}

type incidentBody struct {
	Incident  incidentRow
	Do        advice                     // of the incident, or of the alert with the highest risk
	Chains    []alertRow                 // chain alerts, which summarize the incident, by descending risk
	Narrative []schemas.IncidentSentence // the narrative of the sensor, if it has published one
	Timeline  []step
	Next      verbatim
	AlertURL  verbatim
	Replay    bool
}

// step is a sequence of alerts of one rule about one device, such as a hundred login attempts.
type step struct {
	After int64 // seconds since the start of the previous step
	Day   string
	Head  alertRow
	Rest  []alertRow
	Total int // observations of all
	Until schemas.Time
}

func (k *Console) incident(w http.ResponseWriter, r *http.Request) error {
	in, err := k.store.Incident(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	cursor := r.URL.Query().Get("cursor")
	list, err := k.store.Alerts(r.Context(), store.AlertFilter{Incident: in.ID}, store.Page{Cursor: cursor, Limit: 500, Order: store.Oldest})
	if err != nil {
		return err
	}
	body := incidentBody{
		Incident: incidentOf(in), Next: next(r.URL.Query(), string(incidentURL(in.ID)), list.Next),
		AlertURL: listURL("/alerts", "incident", in.ID, "order", "oldest"),
	}
	if in.Record != nil {
		body.Narrative = in.Record.Narrative
	}
	body.Chains, body.Timeline = timeline(alertRows(list.Alerts))
	risk := -1
	for i := range list.Alerts {
		a := &list.Alerts[i].Alert
		body.Replay = body.Replay || a.Time.Replay
		if a.RiskScore > risk && a.Recommendation != "" {
			risk, body.Do = a.RiskScore, adviceOf(a.Recommendation)
		}
	}
	if in.Record != nil && in.Record.Recommendation != "" {
		body.Do = adviceOf(in.Record.Recommendation)
	}
	return k.show(w, r, http.StatusOK, "incident", page{Title: "Incident: " + in.Title, Nav: "incidents", Live: cursor == "", Body: body})
}

// timeline separates the alerts of an incident into chain alerts and steps in time order.
func timeline(rows []alertRow) (chains []alertRow, all []step) {
	var others []alertRow
	for _, row := range rows {
		if row.Kind != "chain" {
			others = append(others, row)
			continue
		}
		first, _, _ := strings.Cut(string(row.Seen), ": ") // the page shows the alerts that follow
		row.Seen = sentence(first)
		chains = append(chains, row)
	}
	slices.SortStableFunc(chains, func(a, b alertRow) int { return cmp.Compare(b.Risk, a.Risk) })
	slices.SortStableFunc(others, func(a, b alertRow) int { return cmp.Compare(a.At, b.At) })
	return chains[:min(len(chains), 5)], steps(others)
}

// steps groups alerts, which are in time order, into steps.
func steps(rows []alertRow) []step {
	var out []step
	for _, row := range rows {
		until := max(row.At, row.Until)
		if n := len(out) - 1; n >= 0 && out[n].Head.Rule == row.Rule && out[n].Head.Device == row.Device {
			c := &out[n]
			c.Rest, c.Total, c.Until = append(c.Rest, row), c.Total+row.Count, max(c.Until, until)
			continue
		}
		c := step{Head: row, Total: row.Count, Until: until}
		day := dayOf(row.At)
		if n := len(out) - 1; n >= 0 {
			c.After = int64(row.At-out[n].Head.At) / 1e9
			if dayOf(out[n].Head.At) == day {
				day = ""
			}
		}
		c.Day = day
		out = append(out, c)
	}
	return out
}

func dayOf(t schemas.Time) string { return layout(t, "Monday, 2 January 2006") }
