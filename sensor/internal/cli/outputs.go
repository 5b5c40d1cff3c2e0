// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
)

// outputs are the places that the records of a run go to.
type outputs struct {
	sinks     map[string]*publish.JSONLines // by option
	order     []string                      // of the options
	deck      cards                         // of the alerts that a person reads; nil if none does
	tally     *metrics.AlertCounts
	kafka     *publish.Publisher // nil: records go to files only
	state     *state.Store       // nil: nothing is kept over a restart
	sequencer *publish.Sequencer
	begun     bool
	file      func(name string) (*publish.JSONLines, error) // opens one

	// Alerts that the sink of alerts was given, and of which it has not yet said that they are written: those count as written that are.
	waiting []*schemas.Alert
	counted uint64

	pipeline.Output
}

// cards shows alerts to a person: Add takes revisions, Finish writes the ones that were held back.
type cards interface {
	Add(a *schemas.Alert) error
	Finish() error
}

// openOutputs opens what was asked for; what the files hold stays until begin. Alerts without a file are cards.
func openOutputs(n names, in []input, deck cards) (*outputs, error) {
	return open(n, in, &outputs{sequencer: publish.NewSequencer(true)}, deck, publish.Open)
}

// openLive is openOutputs for a run without an end: records are appended to the files, and written as soon as they are there.
func openLive(n names, in []input, deck cards) (*outputs, error) {
	o := &outputs{sequencer: publish.NewSequencer(false)}
	o.Flush = o.flush
	return open(n, in, o, deck, publish.Append)
}

func open(n names, in []input, o *outputs, deck cards, file func(string) (*publish.JSONLines, error)) (*outputs, error) {
	if err := n.check(in, nil); err != nil {
		return nil, badUsage(err)
	}
	o.tally, o.sinks, o.file = metrics.NewAlertCounts(), map[string]*publish.JSONLines{}, file
	err := o.open(n, deck)
	if err == nil {
		err = n.check(in, o.sinks)
	}
	if err != nil {
		o.discard()
		return nil, badUsage(err)
	}
	return o, nil
}

func (o *outputs) open(n names, deck cards) error {
	if n.sessions != "" {
		s, err := o.sink("--sessions", n.sessions)
		if err != nil {
			return err
		}
		o.Session = publish.Sessions(s)
	}
	if n.devices != "" {
		s, err := o.sink("--devices", n.devices)
		if err != nil {
			return err
		}
		o.Device = publish.Devices(s)
	}
	put := func(*schemas.Alert) error { return nil }
	switch {
	case n.alerts != "":
		s, err := o.sink("--alerts", n.alerts)
		if err != nil {
			return err
		}
		put = publish.Alerts(s)
	case !n.quiet:
		o.deck = deck
		put = deck.Add
	}
	o.Alert = func(a *schemas.Alert) error {
		stamped := *a // the pipeline's own stays as it is
		o.sequencer.Stamp(&stamped)
		o.waiting = append(o.waiting, &stamped)
		if o.kafka != nil {
			if err := o.kafka.Alert(&stamped); err != nil {
				return err
			}
		}
		err := put(&stamped)
		o.count()
		return err
	}
	return nil
}

// publish sends every record to Kafka too. Sessions only if they are wanted there.
func (o *outputs) publish(p *publish.Publisher, sessions bool) {
	o.kafka = p
	o.Device = both(p.Device, o.Device)
	if sessions {
		o.Session = both(p.Session, o.Session)
	}
}

func both[T any](first, second func(T) error) func(T) error {
	if second == nil {
		return first
	}
	return func(record T) error {
		if err := first(record); err != nil {
			return err
		}
		return second(record)
	}
}

func (o *outputs) sink(option, name string) (publish.Sink, error) {
	s, err := o.file(name)
	if err != nil {
		return nil, err
	}
	o.sinks[option], o.order = s, append(o.order, option)
	return s, nil
}

// begin empties the files: from here on they are those of this run.
func (o *outputs) begin() error {
	for _, option := range o.order {
		if err := o.sinks[option].Empty(); err != nil {
			return badUsage(err)
		}
	}
	o.begun = true
	return nil
}

// count takes alerts into the tally once they are written; what is on a screen is.
func (o *outputs) count() {
	written := o.counted + uint64(len(o.waiting))
	if s := o.sinks["--alerts"]; s != nil {
		written = s.Records()
	}
	for len(o.waiting) > 0 && o.counted < written {
		o.tally.Add(o.waiting[0])
		o.waiting = o.waiting[1:]
		o.counted++
	}
}

// flush writes what is buffered.
func (o *outputs) flush() error {
	for _, option := range o.order {
		if err := o.sinks[option].Flush(); err != nil {
			return err
		}
	}
	o.count()
	return nil
}

// close shows what is held back and writes what is buffered; before begin it leaves everything as it was. Errors that told says already
// are left out.
func (o *outputs) close(told error) error {
	var errs []error
	if o.state != nil {
		errs = append(errs, o.state.Close())
	}
	if !o.begun {
		o.discard()
		return errors.Join(errs...)
	}
	if o.deck != nil {
		errs = append(errs, o.deck.Finish())
	}
	for _, option := range o.order {
		if err := o.sinks[option].Close(); !errors.Is(told, err) {
			errs = append(errs, err)
		}
	}
	o.count()
	return errors.Join(errs...)
}

// discard lets go of files into which nothing was written.
func (o *outputs) discard() {
	for _, option := range o.order {
		o.sinks[option].Discard()
	}
}
