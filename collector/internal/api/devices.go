// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

type deviceItem struct {
	Key       string        `json:"key"`
	FromAlert bool          `json:"from_alert" doc:"there is no device record yet: this one was made from an alert"`
	Open      int           `json:"open" doc:"open alerts"`
	Alerts    int           `json:"alerts"`
	Severity  string        `json:"severity,omitempty" doc:"the highest of its open alerts"`
	RiskScore int           `json:"risk_score" doc:"the highest of its open alerts"`
	LastAlert *schemas.Time `json:"last_alert,omitempty"`
	Change    int64         `json:"change"`
	Device    deviceJSON    `json:"device" doc:"the record"`
}

func deviceOf(r store.DeviceRow) (deviceItem, error) {
	d := deviceItem{
		Key: r.Key, FromAlert: r.FromAlert, Open: r.Open, Alerts: r.Alerts, Severity: r.Severity, RiskScore: r.RiskScore,
		Change: r.Change, Device: deviceJSON(r.JSON),
	}
	if r.LastAlert != 0 {
		d.LastAlert = &r.LastAlert
	}
	if len(d.Device) == 0 {
		return d, store.ErrNotFound
	}
	return d, nil
}

type devicesInput struct {
	Paging
	Role   []string `query:"role" maxItems:"20" doc:"any of these"`
	Expect []string `query:"expect" enum:"silent,server_only,allowlist,normal" doc:"any of these"`
	Alerts bool     `query:"alerts" doc:"only those with an open alert"`
	Q      string   `query:"q" maxLength:"512" doc:"text in key, MAC, address, host name, vendor, model or role"`
	Order  string   `query:"order" enum:"newest,oldest" default:"newest" doc:"by last_seen"`
}

type devicesOutput struct {
	Body struct {
		Devices []deviceItem `json:"devices" nullable:"false"`
		Next    string       `json:"next,omitempty"`
	}
}

// KeyInput is the path parameter of a device.
type KeyInput struct {
	Key string `path:"key" maxLength:"1024"`
}

type deviceOutput struct{ Body deviceItem }

type hoursInput struct {
	KeyInput
	From time.Time `query:"from" doc:"default: seven days before to"`
	To   time.Time `query:"to" doc:"default: the hour after the device was last seen"`
}

type hourItem struct {
	Hour   schemas.Time `json:"hour" doc:"start of the hour"`
	Opened int          `json:"opened" doc:"sessions that the device is known to have opened"`
	Alerts int          `json:"alerts"`
}

type hoursOutput struct {
	Body struct {
		From  schemas.Time `json:"from"`
		To    schemas.Time `json:"to"`
		Hours []hourItem   `json:"hours" nullable:"false" doc:"hours in which the device opened sessions; it was silent in the others"`
	}
}

func (a *API) deviceRoutes(h huma.API) {
	huma.Register(h, operation("list-devices", "/devices", "List devices"), a.devices)
	huma.Register(h, operation("get-device", "/devices/{key}", "A device"), a.device)
	huma.Register(h, operation("device-hours", "/devices/{key}/hours", "The hours in which a device opened sessions, in at most 366 days"), a.hours)
}

func (a *API) devices(ctx context.Context, in *devicesInput) (*devicesOutput, error) {
	f := store.DeviceFilter{Role: in.Role, Expect: in.Expect, Text: in.Q, Alerts: in.Alerts}
	l, err := a.store.Devices(ctx, f, in.page(in.Order))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &devicesOutput{}
	out.Body.Next, out.Body.Devices = l.Next, make([]deviceItem, len(l.Devices))
	for i, r := range l.Devices {
		if out.Body.Devices[i], err = deviceOf(r); err != nil {
			return nil, a.problem(err)
		}
	}
	return out, nil
}

func (a *API) device(ctx context.Context, in *KeyInput) (*deviceOutput, error) {
	row, err := a.store.Device(ctx, in.Key)
	if err != nil {
		return nil, a.problem(err)
	}
	d, err := deviceOf(row)
	if err != nil {
		return nil, a.problem(err)
	}
	return &deviceOutput{Body: d}, nil
}

const longestSpan = 366 * 24 * time.Hour

func (a *API) hours(ctx context.Context, in *hoursInput) (*hoursOutput, error) {
	row, err := a.store.Device(ctx, in.Key)
	if err != nil {
		return nil, a.problem(err)
	}
	to := in.To
	if to.IsZero() {
		to = time.Unix(0, int64(max(row.Device.LastSeen, row.LastAlert))).UTC().Truncate(time.Hour).Add(time.Hour)
	}
	from := in.From
	if from.IsZero() {
		from = to.Add(-7 * 24 * time.Hour)
	}
	if !from.Before(to) || to.Sub(from) > longestSpan {
		return nil, huma.Error400BadRequest("from must be before to, by at most 366 days")
	}
	hours, err := a.store.DeviceHours(ctx, in.Key, schemas.TimeOf(from), schemas.TimeOf(to))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &hoursOutput{}
	out.Body.From, out.Body.To, out.Body.Hours = schemas.TimeOf(from), schemas.TimeOf(to), make([]hourItem, len(hours))
	for i, v := range hours {
		out.Body.Hours[i] = hourItem{Hour: v.Hour, Opened: v.Opened, Alerts: v.Alerts}
	}
	return out, nil
}
