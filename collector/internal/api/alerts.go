// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// Paging holds the parameters of every list. It is exported because huma ignores unexported embedded fields.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"1024" doc:"next of the previous page; empty for the first page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"maximum number of items"`
}

func (p Paging) page(order string) store.Page {
	o := store.Order(order)
	if order == "newest" {
		o = store.Newest
	}
	return store.Page{Cursor: p.Cursor, Limit: p.Limit, Order: o}
}

// AlertQuery holds the filter parameters of alerts.
type AlertQuery struct {
	Severity    []string  `query:"severity" enum:"informational,low,medium,high,critical" doc:"any of these"`
	Rule        []string  `query:"rule" maxItems:"50" doc:"any of these rule ids (D01) or kinds (unexpected_outbound)"`
	Device      string    `query:"device" maxLength:"512" doc:"device key"`
	Peer        string    `query:"peer" maxLength:"512" doc:"address or domain name of the peer"`
	IP          string    `query:"ip" maxLength:"64" doc:"an IP address in the alert"`
	MAC         string    `query:"mac" maxLength:"32" doc:"a MAC address in the alert"`
	CommunityID string    `query:"community_id" maxLength:"64" doc:"of its session or of a related one"`
	Incident    string    `query:"incident" maxLength:"64"`
	Sensor      string    `query:"sensor" maxLength:"512"`
	State       string    `query:"state" enum:"open,closed"`
	Replay      string    `query:"replay" enum:"true,false" doc:"only replays, or only live"`
	Suppressed  string    `query:"suppressed" enum:"true,false" doc:"only alerts that a policy suppresses, or only others"`
	From        time.Time `query:"from" doc:"event_start at or after"`
	To          time.Time `query:"to" doc:"event_start before"`
	MinRisk     int       `query:"min_risk" minimum:"0" maximum:"100"`
	Q           string    `query:"q" maxLength:"512" doc:"all words must occur; the last may be a prefix"`
}

func (q AlertQuery) filter() store.AlertFilter {
	f := store.AlertFilter{
		Severity: q.Severity, Rule: q.Rule, Device: q.Device, Peer: q.Peer, IP: q.IP, MAC: q.MAC, CommunityID: q.CommunityID,
		Incident: q.Incident, Sensor: q.Sensor, State: q.State, From: since(q.From), To: since(q.To), MinRisk: q.MinRisk, Text: q.Q,
	}
	if q.Replay != "" {
		replay := q.Replay == "true"
		f.Replay = &replay
	}
	if q.Suppressed != "" {
		suppressed := q.Suppressed == "true"
		f.Suppressed = &suppressed
	}
	return f
}

// since converts a time; an absent time becomes 0, which does not restrict.
func since(t time.Time) schemas.Time {
	if t.IsZero() {
		return 0
	}
	return schemas.TimeOf(t)
}

type alertItem struct {
	ID       string    `json:"id"`
	Revision int       `json:"revision"`
	State    string    `json:"state" enum:"open,closed"`
	Change   int64     `json:"change" doc:"number of the last change, as in the event stream"`
	Stored   time.Time `json:"stored" doc:"when this revision was stored"`
	Alert    alertJSON `json:"alert" doc:"the record"`
}

func item(r store.AlertRow) alertItem {
	return alertItem{ID: r.Alert.ID, Revision: r.Revision, State: r.State, Change: r.Change, Stored: r.Stored.UTC(), Alert: alertJSON(r.JSON)}
}

func items(rows []store.AlertRow) []alertItem {
	out := make([]alertItem, len(rows))
	for i, r := range rows {
		out[i] = item(r)
	}
	return out
}

type alertsInput struct {
	Paging
	AlertQuery
	Order string `query:"order" enum:"newest,oldest,risk" default:"newest"`
}

type alertsOutput struct {
	Body struct {
		Alerts []alertItem `json:"alerts" nullable:"false"`
		Next   string      `json:"next,omitempty" doc:"cursor of the next page; absent on the last page"`
	}
}

type alertOutput struct{ Body alertItem }

type revisionsOutput struct {
	Body struct {
		Revisions []alertItem `json:"revisions" nullable:"false" doc:"lowest revision first"`
	}
}

type idInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) alertRoutes(h huma.API) {
	huma.Register(h, operation("list-alerts", "/alerts", "List alerts"), a.alerts)
	huma.Register(h, operation("get-alert", "/alerts/{id}", "An alert at its latest revision"), a.alert)
	huma.Register(h, operation("list-revisions", "/alerts/{id}/revisions", "List the revisions of an alert"), a.revisions)
}

func (a *API) alerts(ctx context.Context, in *alertsInput) (*alertsOutput, error) {
	list, err := a.store.Alerts(ctx, in.filter(), in.page(in.Order))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &alertsOutput{}
	out.Body.Alerts, out.Body.Next = items(list.Alerts), list.Next
	return out, nil
}

func (a *API) alert(ctx context.Context, in *idInput) (*alertOutput, error) {
	row, err := a.store.Alert(ctx, in.ID)
	if err != nil {
		return nil, a.problem(err)
	}
	return &alertOutput{Body: item(row)}, nil
}

func (a *API) revisions(ctx context.Context, in *idInput) (*revisionsOutput, error) {
	rows, err := a.store.Revisions(ctx, in.ID)
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, a.problem(err)
	}
	out := &revisionsOutput{}
	out.Body.Revisions = items(rows)
	return out, nil
}
