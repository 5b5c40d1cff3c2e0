// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stillwatch/collector/internal/sanitize"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// most is the highest exact count of a list: counting everything would take longer than rendering the page.
const most = 10_000

// form holds the current values of a filter form.
type form map[string]verbatim

func formOf(q url.Values, names ...string) form {
	f := form{}
	for _, n := range names {
		f[n] = verbatim(q.Get(n))
	}
	return f
}

// choice is an option of a filter.
type choice struct {
	Value string
	On    bool
}

func choices(all, chosen []string) []choice {
	out := make([]choice, len(all))
	for i, v := range all {
		out[i] = choice{Value: v}
		for _, c := range chosen {
			out[i].On = out[i].On || c == v
		}
	}
	return out
}

type alertsBody struct {
	Form       form
	Severities []choice
	Alerts     []alertRow
	Devices    []deviceRow // matching the search
	Count      int
	More       bool // alerts than Count
	Filtered   bool
	Details    bool // show the "More filters" section
	Next       verbatim
	First      verbatim
}

func (k *Console) alerts(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := alertFilter(q)
	if err != nil {
		k.message(w, r, http.StatusBadRequest, err.Error())
		return nil
	}
	order := orderOf(q.Get("order"))
	list, err := k.store.Alerts(r.Context(), f, store.Page{Cursor: q.Get("cursor"), Limit: 50, Order: order})
	if err != nil {
		return err
	}
	n, err := k.store.CountAlerts(r.Context(), f, most+1)
	if err != nil {
		return err
	}
	body := alertsBody{
		Form:       formOf(q, "q", "state", "suppressed", "rule", "device", "peer", "ip", "community_id", "incident", "sensor", "from", "to", "order"),
		Severities: choices(severities, q["severity"]), Alerts: alertRows(list.Alerts), Count: min(n, most), More: n > most,
		Filtered: filtered(q), Next: next(q, "/alerts", list.Next), First: first(q, "/alerts"),
	}
	for _, name := range []string{"rule", "device", "peer", "ip", "community_id", "incident", "sensor", "from", "to"} {
		body.Details = body.Details || q.Get(name) != ""
	}
	if text := q.Get("q"); text != "" && q.Get("cursor") == "" {
		devices, err := k.store.Devices(r.Context(), store.DeviceFilter{Text: text}, store.Page{Limit: 6})
		if err != nil {
			return err
		}
		body.Devices = deviceRows(devices.Devices)
	}
	live := q.Get("cursor") == ""
	return k.show(w, r, http.StatusOK, "alerts", page{Title: "Alerts", Nav: "alerts", Live: live, Query: verbatim(q.Get("q")), Body: body})
}

// alertFilter parses the filter of a request. Its error is shown to the user.
func alertFilter(q url.Values) (store.AlertFilter, error) {
	f := store.AlertFilter{
		Severity: known(q["severity"], severities), Device: q.Get("device"), Peer: q.Get("peer"), IP: q.Get("ip"),
		CommunityID: q.Get("community_id"), Incident: q.Get("incident"), Sensor: q.Get("sensor"), Text: q.Get("q"),
	}
	if rule := q.Get("rule"); rule != "" {
		f.Rule = []string{rule}
	}
	var err error
	if f.State, err = oneOf(q, "state", "open", "closed"); err != nil {
		return f, err
	}
	suppressed, err := oneOf(q, "suppressed", "true", "false")
	if err != nil {
		return f, err
	}
	if suppressed != "" {
		yes := suppressed == "true"
		f.Suppressed = &yes
	}
	if f.From, err = parseTime(q.Get("from")); err != nil {
		return f, err
	}
	f.To, err = parseTime(q.Get("to"))
	return f, err
}

// oneOf returns the value of a parameter, which must be absent or one of two.
func oneOf(q url.Values, name, a, b string) (string, error) {
	v := q.Get(name)
	if v != "" && v != a && v != b {
		return "", choiceError{name, v, a + " or " + b}
	}
	return v, nil
}

// choiceError is a value that a filter does not have.
type choiceError struct{ name, value, want string }

func (e choiceError) Error() string {
	return "Invalid value " + strconv.Quote(sanitize.Text(e.value, 40, false)) + " of " + e.name + ". Use " + e.want + "."
}

type timeError string

func (e timeError) Error() string {
	return "Invalid time " + strconv.Quote(string(e)) + ". Use the form 2026-03-10T13:00, in UTC."
}

// parseTime parses the value of a datetime-local field, as UTC, or an RFC 3339 time.
func parseTime(s string) (schemas.Time, error) {
	if s == "" {
		return 0, nil
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return schemas.TimeOf(t), nil
		}
	}
	return 0, timeError(sanitize.Text(s, 40, false))
}

// known returns the values that are in all.
func known(values, all []string) []string {
	var out []string
	for _, c := range choices(all, values) {
		if c.On {
			out = append(out, c.Value)
		}
	}
	return out
}

func orderOf(s string) store.Order {
	switch s {
	case "oldest":
		return store.Oldest
	case "risk":
		return store.Riskiest
	}
	return store.Newest
}

// filtered reports whether a request has filters.
func filtered(q url.Values) bool {
	for name, v := range q {
		if name != "order" && name != "cursor" && len(v) > 0 && v[0] != "" {
			return true
		}
	}
	return false
}

// next returns the URL of the next page of a list.
func next(q url.Values, path, cursor string) verbatim {
	if cursor == "" {
		return ""
	}
	return with(q, path, cursor)
}

// first returns the URL of the first page of a list, "" on the first page.
func first(q url.Values, path string) verbatim {
	if q.Get("cursor") == "" {
		return ""
	}
	return with(q, path, "")
}

func with(q url.Values, path, cursor string) verbatim {
	out := url.Values{}
	for name, v := range q {
		if name != "cursor" && len(v) > 0 && v[0] != "" {
			out[name] = v
		}
	}
	if cursor != "" {
		out.Set("cursor", cursor)
	}
	if len(out) == 0 {
		return verbatim(path)
	}
	return verbatim(path + "?" + out.Encode())
}
