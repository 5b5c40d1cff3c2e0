// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
)

// outputs are the places that the records of a run go to.
type outputs struct {
	sinks []publish.Sink
	deck  *deck // of the alerts that a person reads; nil if none does
	tally *metrics.Tally
	kafka *publish.Publisher // nil: records go to files only
	stamp *publish.Stamp
	pipeline.Output
}

// names are the files that were asked for; an empty name means that the record is not wanted.
type names struct {
	alerts, sessions, devices, metrics string
	quiet                              bool // no alerts on standard output unless they are asked for
}

// useStdout sends alerts that have no file to standard output as JSON Lines, unless a terminal is to show them as cards.
func (n *names) useStdout(tty bool) {
	if n.alerts == "" && !n.quiet && (!tty || n.stdout()) {
		n.alerts = publish.Stdout
	}
}

// stdout reports whether records go to standard output.
func (n names) stdout() bool {
	return n.alerts == publish.Stdout || n.sessions == publish.Stdout || n.devices == publish.Stdout
}

// check refuses names that would destroy something: one file for two records, or a capture as an output.
func (n names) check(captures []string) error {
	if n.metrics == publish.Stdout {
		return errors.New("--metrics-file takes the name of a file: it is replaced as a whole at the end")
	}
	seen := map[string]string{}
	for _, f := range []struct{ option, name string }{
		{"--alerts", n.alerts}, {"--sessions", n.sessions}, {"--devices", n.devices}, {"--metrics-file", n.metrics},
	} {
		if f.name == "" || f.name == os.DevNull {
			continue
		}
		at, shown := f.name, f.name
		if f.name == publish.Stdout {
			shown = "standard output"
		}
		if abs, err := filepath.Abs(f.name); err == nil && f.name != publish.Stdout {
			at = abs
		}
		if other, ok := seen[at]; ok {
			return fmt.Errorf("%s and %s both write %s: give each a file of its own", other, f.option, shown)
		}
		seen[at] = f.option
		for _, c := range captures {
			if sameFile(f.name, c) {
				return fmt.Errorf("%s would overwrite the capture %s: give another file", f.option, c)
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil || a == publish.Stdout || b == publish.Stdout {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && x.Mode().IsRegular() && os.SameFile(x, y)
}

// openOutputs opens what was asked for. Alerts without a file are cards on a terminal.
func openOutputs(n names, t *terminal) (*outputs, error) {
	o := &outputs{tally: metrics.NewTally(), stamp: publish.NewStamp(true)}
	if err := o.open(n, t); err != nil {
		return nil, errors.Join(err, o.close(err))
	}
	return o, nil
}

func (o *outputs) open(n names, t *terminal) error {
	if n.sessions != "" {
		s, err := o.sink(n.sessions)
		if err != nil {
			return err
		}
		o.Session = publish.Sessions(s)
	}
	if n.devices != "" {
		s, err := o.sink(n.devices)
		if err != nil {
			return err
		}
		o.Device = publish.Devices(s)
	}
	put := func(*schemas.Alert) error { return nil }
	switch {
	case n.alerts != "":
		s, err := o.sink(n.alerts)
		if err != nil {
			return err
		}
		put = publish.Alerts(s)
	case !n.quiet:
		o.deck = newDeck(t, t.out)
		put = o.deck.add
	}
	o.Alert = func(a *schemas.Alert) error {
		stamped := *a // the pipeline's own stays as it is
		o.stamp.Alert(&stamped)
		o.tally.Add(&stamped)
		if o.kafka != nil {
			if err := o.kafka.Alert(&stamped); err != nil {
				return err
			}
		}
		return put(&stamped)
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

func (o *outputs) sink(name string) (publish.Sink, error) {
	s, err := publish.Create(name)
	if err != nil {
		return nil, badUsage(err)
	}
	o.sinks = append(o.sinks, s)
	return s, nil
}

// close shows what is held back and writes what is buffered. Errors that told says already are left out.
func (o *outputs) close(told error) error {
	var errs []error
	if o.deck != nil {
		errs = append(errs, o.deck.deal(len(o.deck.order)))
	}
	for _, s := range o.sinks {
		if err := s.Close(); !errors.Is(told, err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
