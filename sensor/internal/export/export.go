// SPDX-License-Identifier: Apache-2.0

// Package export writes the records of a replay in the formats of other programs: CSV, Zeek logs, Parquet, Timesketch, log2timeline and the EVE
// format of Suricata. The same records give the same bytes: the times are those of the capture clock, and what differs between two runs (the
// time of emission, the boot ID) is left out.
package export

import (
	"errors"
	"time"

	"stillwatch/schemas"
)

// A Format writes records in one format. It does not keep a session after Session returns.
type Format interface {
	// Begin writes what comes before the first record.
	Begin() error
	Session(*schemas.Session) error
	Device(*schemas.Device) error
	// Alert and Incident are called with the last revision of each, after the last session.
	Alert(*schemas.Alert) error
	Incident(*schemas.Incident) error
	// End writes what comes after the last record.
	End() error
}

// A Sink writes whole lines to a file.
type Sink interface {
	// Head writes lines that are no record.
	Head(lines []byte) error
	// Put writes one record, with a final newline. It does not retain the bytes.
	Put(line []byte) error
}

// Zone is the time zone in which formats write times that are read by people.
type Zone = *time.Location

// maxHeld bounds the alerts, and the incidents, whose last revision is awaited.
const maxHeld = 10000

// Set writes records in several formats. Sessions and devices are written at once; of alerts and incidents only the last revision, at the end.
// Above 10,000 alerts, the older half is written early, as it is then, and written again with a higher revision if it changes.
type Set struct {
	formats   []Format
	alerts    latest[schemas.Alert]
	incidents latest[schemas.Incident]
}

// NewSet returns a set of formats.
func NewSet(formats ...Format) *Set {
	s := &Set{formats: formats}
	s.alerts = latest[schemas.Alert]{most: maxHeld, write: func(a *schemas.Alert) error { return s.each(func(f Format) error { return f.Alert(a) }) }}
	s.incidents = latest[schemas.Incident]{most: maxHeld, write: func(i *schemas.Incident) error { return s.each(func(f Format) error { return f.Incident(i) }) }}
	return s
}

// each calls do for every format, also after an error: the other formats are complete then.
func (s *Set) each(do func(Format) error) (err error) {
	for _, f := range s.formats {
		err = errors.Join(err, do(f))
	}
	return err
}

// Begin writes what comes before the first record.
func (s *Set) Begin() error { return s.each(Format.Begin) }

// Session writes a session.
func (s *Set) Session(r *schemas.Session) error {
	return s.each(func(f Format) error { return f.Session(r) })
}

// Device writes a device.
func (s *Set) Device(d *schemas.Device) error {
	return s.each(func(f Format) error { return f.Device(d) })
}

// Alert keeps a revision of an alert, which must not change afterwards.
func (s *Set) Alert(a *schemas.Alert) error { return s.alerts.put(a.ID, a) }

// Incident keeps a revision of an incident, which must not change afterwards.
func (s *Set) Incident(i *schemas.Incident) error { return s.incidents.put(i.ID, i) }

// End writes the alerts and incidents, and what comes after the last record.
func (s *Set) End() (errs []error) {
	errs = append(errs, s.alerts.flush(len(s.alerts.order)), s.incidents.flush(len(s.incidents.order)))
	for _, f := range s.formats {
		errs = append(errs, f.End())
	}
	return errs
}

// latest keeps the last revision of each record, in the order of the first revisions.
type latest[T any] struct {
	most  int
	write func(*T) error
	order []held[T]
	place map[string]int // id to place in order
}

type held[T any] struct {
	id     string
	record *T
}

func (l *latest[T]) put(id string, record *T) error {
	if i, ok := l.place[id]; ok {
		l.order[i].record = record
		return nil
	}
	if len(l.order) == l.most {
		if err := l.flush(l.most / 2); err != nil {
			return err
		}
	}
	if l.place == nil {
		l.place = map[string]int{}
	}
	l.place[id] = len(l.order)
	l.order = append(l.order, held[T]{id, record})
	return nil
}

// flush writes the n records that came first, and returns the first error.
func (l *latest[T]) flush(n int) (err error) {
	for _, h := range l.order[:n] {
		if e := l.write(h.record); err == nil {
			err = e
		}
	}
	l.order = append([]held[T](nil), l.order[n:]...)
	clear(l.place)
	for i, h := range l.order {
		l.place[h.id] = i
	}
	return err
}
