// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"net/http"
	"time"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

type sensorView struct {
	store.SensorRow
	Runs   []store.BootRow
	State  string
	Status *schemas.Status // nil: it has never sent one
}

func (k *Console) sensors(w http.ResponseWriter, r *http.Request) error {
	rows, err := k.store.Sensors(r.Context())
	if err != nil {
		return err
	}
	o, err := k.totals.get(r.Context(), k.store)
	if err != nil {
		return err
	}
	body := struct {
		Sensors     []sensorView
		DeadLetters int
	}{DeadLetters: o.DeadLetters}
	for _, s := range rows {
		v := sensorView{SensorRow: s, State: s.State(time.Now())}
		if len(s.Status) > 0 {
			v.Status = new(schemas.Status)
			if err := json.Unmarshal(s.Status, v.Status); err != nil {
				return err
			}
		}
		if v.Runs, err = k.store.Boots(r.Context(), s.ID); err != nil {
			return err
		}
		v.Runs = v.Runs[:min(len(v.Runs), 10)]
		body.Sensors = append(body.Sensors, v)
	}
	return k.show(w, r, http.StatusOK, "sensors", page{Title: "Sensors", Nav: "sensors", Live: true, Body: body})
}

// deadLetters shows the records in the dead-letter queue.
func (k *Console) deadLetters(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	list, err := k.store.DeadLetters(r.Context(), store.Page{Cursor: q.Get("cursor"), Limit: 50})
	if err != nil {
		return err
	}
	type record struct {
		store.DeadLetter
		Key, Value string
	}
	body := struct {
		Records     []record
		Next, First verbatim
	}{Next: next(q, "/dead-letters", list.Next), First: first(q, "/dead-letters")}
	for _, d := range list.Records {
		body.Records = append(body.Records, record{DeadLetter: d, Key: string(d.Key), Value: string(d.Value)})
	}
	return k.show(w, r, http.StatusOK, "deadletters", page{Title: "Dead-letter queue", Nav: "sensors", Body: body})
}
