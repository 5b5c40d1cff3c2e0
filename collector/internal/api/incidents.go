// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// IncidentItem summarizes the alerts of one incident.
type IncidentItem struct {
	ID        string       `json:"id"`
	State     string       `json:"state" enum:"open,closed"`
	Severity  string       `json:"severity" doc:"the highest of its alerts"`
	RiskScore int          `json:"risk_score" doc:"the highest of its alerts"`
	Title     string       `json:"title"`
	First     schemas.Time `json:"first" doc:"first event"`
	Last      schemas.Time `json:"last" doc:"last event"`
	Alerts    int          `json:"alerts"`
	Open      int          `json:"open"`
	Devices   []string     `json:"devices" nullable:"false" doc:"device keys, at most 20"`
	Rules     []string     `json:"rules" nullable:"false" doc:"rule ids in the order of their first event, at most 20"`
	Sensors   []string     `json:"sensors" nullable:"false" doc:"at most 20"`
	Change    int64        `json:"change"`
}

func incidentOf(r store.IncidentRow) IncidentItem {
	return IncidentItem{
		ID: r.ID, State: r.State, Severity: r.Severity, RiskScore: r.RiskScore, Title: r.Title, First: r.First, Last: r.Last,
		Alerts: r.Alerts, Open: r.Open, Devices: list(r.Devices), Rules: list(r.Rules), Sensors: list(r.Sensors), Change: r.Change,
	}
}

// list returns an empty list for nil, which would be encoded as null.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

type incidentsInput struct {
	Paging
	Severity []string  `query:"severity" enum:"informational,low,medium,high,critical" doc:"any of these"`
	State    string    `query:"state" enum:"open,closed"`
	Device   string    `query:"device" maxLength:"512" doc:"device key of any of its alerts"`
	Sensor   string    `query:"sensor" maxLength:"512"`
	From     time.Time `query:"from" doc:"last event at or after"`
	To       time.Time `query:"to" doc:"first event before"`
	Q        string    `query:"q" maxLength:"512" doc:"words in any of its alerts"`
	Order    string    `query:"order" enum:"newest,oldest,risk" default:"newest"`
}

type incidentsOutput struct {
	Body struct {
		Incidents []IncidentItem `json:"incidents" nullable:"false"`
		Next      string         `json:"next,omitempty"`
	}
}

type incidentOutput struct {
	Body struct {
		IncidentItem
		Record *incidentJSON `json:"record,omitempty" doc:"what the sensor publishes of it: narrative, stages, devices and peers"`
		Story  []alertItem   `json:"story" nullable:"false" doc:"its alerts, oldest event first, at most 1000"`
		Next   string        `json:"next,omitempty" doc:"cursor for /alerts?incident=…&order=oldest if there are more"`
	}
}

func (a *API) incidentRoutes(h huma.API) {
	huma.Register(h, operation("list-incidents", "/incidents", "List incidents"), a.incidents)
	huma.Register(h, operation("get-incident", "/incidents/{id}", "An incident with its alerts in order"), a.incident)
}

func (a *API) incidents(ctx context.Context, in *incidentsInput) (*incidentsOutput, error) {
	f := store.IncidentFilter{
		Severity: in.Severity, State: in.State, Device: in.Device, Sensor: in.Sensor, From: since(in.From), To: since(in.To), Text: in.Q,
	}
	l, err := a.store.Incidents(ctx, f, in.page(in.Order))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &incidentsOutput{}
	out.Body.Next, out.Body.Incidents = l.Next, make([]IncidentItem, len(l.Incidents))
	for i, r := range l.Incidents {
		out.Body.Incidents[i] = incidentOf(r)
	}
	return out, nil
}

func (a *API) incident(ctx context.Context, in *idInput) (*incidentOutput, error) {
	row, err := a.store.Incident(ctx, in.ID)
	if err != nil {
		return nil, a.problem(err)
	}
	story, err := a.store.Alerts(ctx, store.AlertFilter{Incident: in.ID}, store.Page{Limit: 1000, Order: store.Oldest})
	if err != nil {
		return nil, a.problem(err)
	}
	out := &incidentOutput{}
	if row.JSON != nil {
		record := incidentJSON(row.JSON)
		out.Body.Record = &record
	}
	out.Body.IncidentItem, out.Body.Story, out.Body.Next = incidentOf(row), items(story.Alerts), story.Next
	return out, nil
}
