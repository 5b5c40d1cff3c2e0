// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"strconv"
	"strings"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// alertRow is an alert in a list.
type alertRow struct {
	Key       verbatim // id and revision: rows with a new key are highlighted
	URL       verbatim
	Severity  string
	Risk      int
	Title     string
	Rule      string
	RuleName  string
	Kind      string
	At        schemas.Time // first observation
	Until     schemas.Time // last observation
	Device    string
	DeviceURL verbatim
	Peer      string
	Country   string
	State     string
	Count     int
	Replay    bool
	Incident  verbatim // its URL
	Expected  long
	Seen      long
}

func alertRows(rows []store.AlertRow) []alertRow {
	out := make([]alertRow, len(rows))
	for i := range rows {
		out[i] = rowOf(&rows[i])
	}
	return out
}

func rowOf(r *store.AlertRow) alertRow {
	a := &r.Alert
	row := alertRow{
		Key: verbatim(a.ID + "/" + strconv.Itoa(r.Revision)), URL: alertURL(a.ID), Severity: a.Severity, Risk: a.RiskScore, Title: a.Title,
		Rule: a.Rule.ID, RuleName: a.Rule.Name, Kind: a.Rule.Kind, At: firstSeen(a), Until: a.Dedupe.LastSeen, Device: a.Device.Key, DeviceURL: deviceURL(a.Device.Key),
		Peer: peerName(a.Peer), State: r.State, Count: a.Dedupe.Count, Replay: a.Time.Replay, Incident: incidentURL(a.IncidentID),
	}
	if a.Peer != nil && a.Peer.Geo != nil {
		row.Country = a.Peer.Geo.Country
	}
	row.Expected, row.Seen = split(a.Message)
	return row
}

// firstSeen returns when an alert was first observed. event_start of later revisions is that of the latest observation.
func firstSeen(a *schemas.Alert) schemas.Time {
	if f := a.Dedupe.FirstSeen; f != 0 && f < a.Time.EventStart {
		return f
	}
	return a.Time.EventStart
}

// split splits a message into what was expected and what was seen. A message of another form is all "seen".
func split(message string) (expected, seen long) {
	before, after, ok := strings.Cut(message, " Seen: ")
	if !ok || !strings.HasPrefix(before, "Expected") {
		return "", long(message)
	}
	if _, what, ok := strings.Cut(before, ": "); ok {
		before = what
	}
	return sentence(before), sentence(after)
}

// sentence returns s with a capital letter and a period.
func sentence(s string) long {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if c := s[0]; c >= 'a' && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return long(s)
}

// advice is what to do: numbered steps, or a text without.
type advice struct {
	Text  long
	Steps []long // nil if the text has none
}

// adviceOf splits "1. Do this. 2. Do that." into its steps. A text of another form, or with more than maxSteps, is not split.
func adviceOf(text string) advice {
	const maxSteps = 9
	whole := advice{Text: sentence(text)}
	rest, ok := strings.CutPrefix(text, "1. ")
	if !ok {
		return whole
	}
	var steps []long
	for n := 2; ; n++ {
		one, after, more := strings.Cut(rest, fmt.Sprintf(". %d. ", n))
		if strings.TrimSpace(one) == "" || n > maxSteps+1 {
			return whole
		}
		steps = append(steps, sentence(one))
		if !more {
			break
		}
		rest = after
	}
	if len(steps) < 2 {
		return whole
	}
	return advice{whole.Text, steps}
}

func peerName(p *schemas.AlertPeer) string {
	switch {
	case p == nil:
		return ""
	case p.Domain != nil:
		return p.Domain.Name
	case p.IP.IsValid():
		return p.IP.String()
	}
	return ""
}

// incidentRow is an incident in a list.
type incidentRow struct {
	URL     verbatim
	Devices []deviceLink
	store.IncidentRow
	Lasted int64 // seconds
}

type deviceLink struct {
	Name string
	URL  verbatim
}

func incidentRows(rows []store.IncidentRow) []incidentRow {
	out := make([]incidentRow, len(rows))
	for i, r := range rows {
		out[i] = incidentOf(r)
	}
	return out
}

func incidentOf(r store.IncidentRow) incidentRow {
	row := incidentRow{URL: incidentURL(r.ID), IncidentRow: r, Lasted: int64(r.Last-r.First) / 1e9}
	for _, key := range r.Devices {
		row.Devices = append(row.Devices, deviceLink{Name: key, URL: deviceURL(key)})
	}
	return row
}

// deviceRow is a device in a list.
type deviceRow struct {
	URL verbatim
	store.DeviceRow
}

func deviceRows(rows []store.DeviceRow) []deviceRow {
	out := make([]deviceRow, len(rows))
	for i, r := range rows {
		r.JSON = nil // not shown in lists
		out[i] = deviceRow{URL: deviceURL(r.Key), DeviceRow: r}
	}
	return out
}
