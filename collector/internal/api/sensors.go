// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

type sensorItem struct {
	ID        string       `json:"id"`
	Site      string       `json:"site,omitempty"`
	Version   string       `json:"version,omitempty"`
	Iface     string       `json:"iface,omitempty"`
	Capture   string       `json:"capture,omitempty"`
	BootID    string       `json:"boot_id,omitempty" doc:"the latest run"`
	Seq       uint64       `json:"seq" doc:"highest sequence number of that run"`
	OneWay    bool         `json:"one_way" doc:"the mirror shows one direction only"`
	LossRatio float64      `json:"loss_ratio" doc:"ratio of packets lost by the capture, 0 to 1, at the latest alert"`
	MaxLoss   float64      `json:"max_loss_ratio"`
	FirstSeen time.Time    `json:"first_seen"`
	LastSeen  time.Time    `json:"last_seen" doc:"when the last alert was stored"`
	LastEvent schemas.Time `json:"last_event"`
	Alerts    int64        `json:"alerts" doc:"records received"`
	Missing   int64        `json:"missing" doc:"records with a sequence number that were not received"`
	Boots     int          `json:"boots" doc:"number of runs"`
	State     string       `json:"state" enum:"running,stopped,unheard,unknown" doc:"unheard: no status for two minutes; unknown: it has never sent one, as in a replay"`
	HeardAt   *time.Time   `json:"heard_at,omitempty" doc:"when the last status was stored"`
	Status    statusJSON   `json:"status,omitempty" doc:"the last status"`
}

func sensorOf(r store.SensorRow) sensorItem {
	i := sensorItem{
		ID: r.ID, Site: r.Site, Version: r.Version, Iface: r.Iface, Capture: r.Capture, BootID: r.BootID, Seq: r.Seq, OneWay: r.OneWay,
		LossRatio: r.LossRatio, MaxLoss: r.MaxLoss, FirstSeen: r.FirstSeen.UTC(), LastSeen: r.LastSeen.UTC(), LastEvent: r.LastEvent,
		Alerts: r.Alerts, Missing: r.Missing, Boots: r.Boots, State: r.State(time.Now()), Status: r.Status,
	}
	if !r.Heard.IsZero() {
		at := r.Heard.UTC()
		i.HeardAt = &at
	}
	return i
}

type bootItem struct {
	BootID    string      `json:"boot_id"`
	FirstSeen time.Time   `json:"first_seen"`
	LastSeen  time.Time   `json:"last_seen"`
	MaxSeq    uint64      `json:"max_seq"`
	Received  uint64      `json:"received"`
	Missing   uint64      `json:"missing"`
	Gaps      [][2]uint64 `json:"gaps" nullable:"false" doc:"first and last number of each gap, at most 20"`
	Replay    bool        `json:"replay"`
}

type sensorsOutput struct {
	Body struct {
		Sensors []sensorItem `json:"sensors" nullable:"false"`
	}
}

type bootsOutput struct {
	Body struct {
		Boots []bootItem `json:"boots" nullable:"false" doc:"latest first, at most 100"`
	}
}

type sensorInput struct {
	ID string `path:"id" maxLength:"512"`
}

type overviewOutput struct {
	Body struct {
		OpenBySeverity map[string]int `json:"open_by_severity"`
		OpenAlerts     int            `json:"open_alerts"`
		Alerts         int            `json:"alerts"`
		OpenIncidents  int            `json:"open_incidents"`
		Incidents      int            `json:"incidents"`
		Devices        int            `json:"devices"`
		ByExpect       map[string]int `json:"devices_by_expect"`
		Spoke          int            `json:"spoke" doc:"devices that are expected to be silent and have an open alert"`
		Sensors        int            `json:"sensors"`
		Missing        int64          `json:"missing" doc:"records with a sequence number that were not received"`
		DeadLetters    int            `json:"dead_letters"`
		LastChange     int64          `json:"last_change"`
	}
}

type deadItem struct {
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Reason    string    `json:"reason"`
	Key       []byte    `json:"key" doc:"base64"`
	Value     []byte    `json:"value" doc:"base64, truncated to 64 KiB"`
	Size      int       `json:"size" doc:"of the original value, in bytes"`
	At        time.Time `json:"at"`
}

type deadOutput struct {
	Body struct {
		Records []deadItem `json:"dead_letters" nullable:"false"`
		Next    string     `json:"next,omitempty"`
	}
}

func (a *API) sensorRoutes(h huma.API) {
	huma.Register(h, operation("overview", "/overview", "Summary counts"), a.overview)
	huma.Register(h, operation("list-sensors", "/sensors", "List sensors with their losses"), a.sensors)
	huma.Register(h, operation("list-boots", "/sensors/{id}/boots", "List the runs of a sensor and the gaps in their sequence numbers"), a.boots)
	dead := operation("list-dead-letters", "/dead-letters", "List rejected records in the dead-letter queue, newest first (analyst)")
	dead.Metadata[needs] = auth.Analyst
	huma.Register(h, dead, a.deadLetters)
}

func (a *API) overview(ctx context.Context, _ *struct{}) (*overviewOutput, error) {
	o, err := a.store.Overview(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &overviewOutput{}
	b := &out.Body
	b.OpenBySeverity, b.OpenAlerts, b.Alerts, b.OpenIncidents, b.Incidents = o.OpenBySeverity, o.OpenAlerts, o.Alerts, o.OpenIncidents, o.Incidents
	b.Devices, b.ByExpect, b.Spoke, b.Sensors, b.Missing = o.Devices, o.ByExpect, o.Spoke, o.Sensors, o.Missing
	b.DeadLetters, b.LastChange = o.DeadLetters, o.LastChange
	return out, nil
}

func (a *API) sensors(ctx context.Context, _ *struct{}) (*sensorsOutput, error) {
	rows, err := a.store.Sensors(ctx)
	if err != nil {
		return nil, a.problem(err)
	}
	out := &sensorsOutput{}
	out.Body.Sensors = make([]sensorItem, len(rows))
	for i, r := range rows {
		out.Body.Sensors[i] = sensorOf(r)
	}
	return out, nil
}

func (a *API) boots(ctx context.Context, in *sensorInput) (*bootsOutput, error) {
	rows, err := a.store.Boots(ctx, in.ID)
	if err == nil && len(rows) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, a.problem(err)
	}
	out := &bootsOutput{}
	out.Body.Boots = make([]bootItem, len(rows))
	for i, r := range rows {
		out.Body.Boots[i] = bootItem{
			BootID: r.BootID, FirstSeen: r.FirstSeen.UTC(), LastSeen: r.LastSeen.UTC(), MaxSeq: r.MaxSeq, Received: r.Received,
			Missing: r.Missing, Gaps: list(r.Gaps), Replay: r.Replay,
		}
	}
	return out, nil
}

func (a *API) deadLetters(ctx context.Context, in *Paging) (*deadOutput, error) {
	l, err := a.store.DeadLetters(ctx, in.page(""))
	if err != nil {
		return nil, a.problem(err)
	}
	out := &deadOutput{}
	out.Body.Next, out.Body.Records = l.Next, make([]deadItem, len(l.Records))
	for i, d := range l.Records {
		out.Body.Records[i] = deadItem{
			Topic: d.Topic, Partition: d.Partition, Offset: d.Offset, Reason: d.Reason, Key: d.Key, Value: d.Value, Size: d.Size, At: d.At.UTC(),
		}
	}
	return out, nil
}
