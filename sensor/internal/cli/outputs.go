// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
	"stillwatch/sensor/internal/terminal"
)

// outputs are the destinations of the records of a run.
type outputs struct {
	sinks       map[string]*publish.JSONLines // by option; those of folders by option and file
	order       []string                      // of the options
	cards       cardRenderer                  // shows alerts to a person; nil: no cards
	alertCounts *metrics.AlertCounts
	kafka       *publish.Publisher // nil: records go only to files
	state       *state.Store       // nil: no state file
	report      *caseReport        // nil: no case report
	sequencer   *publish.Sequencer
	begun       bool
	formats     *formatFiles                                  // nil: no other format than JSON Lines
	file        func(name string) (*publish.JSONLines, error) // opens an output

	// waiting are the alerts that were passed to the sink but are not written yet. An alert counts once it is written.
	waiting []*schemas.Alert
	counted uint64

	pipeline.Output
}

// cardRenderer shows alerts to a person: Add takes revisions, Finish writes the ones that were held back.
type cardRenderer interface {
	Add(a *schemas.Alert) error
	Finish() error
}

// openOutputs opens the output files. begin truncates them. Alerts without a file are shown as cards.
func openOutputs(n names, in []input, cards cardRenderer) (*outputs, error) {
	return open(n, in, &outputs{sequencer: publish.NewSequencer(true)}, cards, publish.Open)
}

// openLive is openOutputs for a live run: records are appended to the files, and written as soon as they are decided.
func openLive(n names, in []input, cards cardRenderer) (*outputs, error) {
	o := &outputs{sequencer: publish.NewSequencer(false)}
	o.Flush = o.flush
	return open(n, in, o, cards, publish.Append)
}

func open(n names, in []input, o *outputs, cards cardRenderer, file func(string) (*publish.JSONLines, error)) (*outputs, error) {
	if err := n.check(in, nil); err != nil {
		return nil, badUsage(err)
	}
	o.alertCounts, o.sinks, o.file = metrics.NewAlertCounts(), map[string]*publish.JSONLines{}, file
	err := o.open(n, cards)
	if err == nil {
		err = n.check(in, o.sinks)
	}
	if err != nil {
		o.discard()
		return nil, badUsage(err)
	}
	return o, nil
}

func (o *outputs) open(n names, cards cardRenderer) error {
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
	if n.incidents != "" {
		s, err := o.sink("--incidents", n.incidents)
		if err != nil {
			return err
		}
		o.Incident = o.stamped(publish.Incidents(s))
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
		o.cards = cards
		put = cards.Add
	}
	if err := o.openFormats(n.formats, n.zone); err != nil {
		return err
	}
	o.Alert = func(a *schemas.Alert) error {
		stamped := *a // the alert of the pipeline is not changed
		o.sequencer.Stamp(&stamped)
		o.waiting = append(o.waiting, &stamped)
		if o.kafka != nil {
			if err := o.kafka.Alert(&stamped); err != nil {
				return err
			}
		}
		err := put(&stamped)
		o.count()
		if err == nil && o.formats != nil {
			err = o.formats.set.Alert(&stamped)
		}
		return err
	}
	return nil
}

// publish also sends alerts, incidents and devices to Kafka, and sessions and the packets of alerts unless the settings say otherwise.
func (o *outputs) publish(p *publish.Publisher, cfg *pipeline.Config, to *publishTo) {
	o.kafka = p
	if !to.NoEvidence {
		o.Evidence = evidenceTo(p, cfg)
	}
	o.Device = both(p.Device, o.Device)
	o.Incident = both(o.stamped(p.Incident), o.Incident)
	if to.Sessions {
		o.Session = both(p.Session, o.Session)
	}
}

// stamped returns a function that passes on stamped copies of incidents.
func (o *outputs) stamped(put func(*schemas.Incident) error) func(*schemas.Incident) error {
	return func(i *schemas.Incident) error {
		stamped := *i // the incident of the pipeline is not changed
		o.sequencer.StampIncident(&stamped)
		return put(&stamped)
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

// begin truncates the files, or leaves them as they are if records are appended.
func (o *outputs) begin() error {
	for _, option := range o.order {
		if err := o.sinks[option].Empty(); err != nil {
			return badUsage(err)
		}
	}
	o.begun = true
	if o.formats != nil {
		return o.formats.set.Begin()
	}
	return nil
}

// count counts the alerts that are written. On a screen they are written at once.
func (o *outputs) count() {
	written := o.counted + uint64(len(o.waiting))
	if s := o.sinks["--alerts"]; s != nil {
		written = s.Records()
	}
	for len(o.waiting) > 0 && o.counted < written {
		o.alertCounts.Add(o.waiting[0])
		o.waiting = o.waiting[1:]
		o.counted++
	}
}

// manyCards reports whether so many cards are held back that the summary should come first.
func (o *outputs) manyCards() bool {
	held, ok := o.cards.(*terminal.IncidentCards)
	return ok && held.Many()
}

// flush writes buffered records.
func (o *outputs) flush() error {
	for _, option := range o.order {
		if err := o.sinks[option].Flush(); err != nil {
			return err
		}
	}
	o.count()
	return nil
}

// close writes held back cards and buffered records, and closes the files. Before begin it leaves the files unchanged. It leaves out
// errors that reported contains already.
func (o *outputs) close(reported error) error {
	var errs []error
	if o.state != nil {
		errs = append(errs, o.state.Close())
	}
	if !o.begun {
		o.discard()
		return errors.Join(errs...)
	}
	if o.cards != nil {
		errs = append(errs, o.cards.Finish())
	}
	if o.formats != nil {
		for _, err := range o.formats.end() {
			if !errors.Is(reported, err) {
				errs = append(errs, err)
				reported = errors.Join(reported, err)
			}
		}
	}
	for _, option := range o.order {
		if o.formats.optional(option) && o.sinks[option].Unused() {
			o.sinks[option].Discard()
			continue
		}
		if err := o.sinks[option].Close(); !errors.Is(reported, err) {
			errs = append(errs, err)
		}
	}
	o.count()
	return errors.Join(errs...)
}

// discard closes the files without writing to them.
func (o *outputs) discard() {
	for _, option := range o.order {
		o.sinks[option].Discard()
	}
	if o.formats != nil {
		o.formats.discard()
	}
}
