// SPDX-License-Identifier: Apache-2.0

// Command fit-identity measures how well the sensor identifies the devices of labelled captures, and fits the weights of its table of
// evidence to them. It prints Markdown tables.
//
//	fit-identity --truth devices.jsonl --captures DIR [--external SET] [--sensor FILE] [--table evidence.tsv] [--write FILE]
//
// The truth has one JSON object a line: capture (path below --captures), source (the set), mac or ip of the device, group (its type), and
// what is known of it: role, vendor, model, firmware, each a text or a list of accepted texts.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
)

type options struct {
	sensor, truth, captures, external, table, write string
	minTypes                                        int
	sigma                                           float64
}

func main() {
	var o options
	flag.StringVar(&o.sensor, "sensor", "bin/stillwatch-sensor", "the sensor")
	flag.StringVar(&o.truth, "truth", "", "labels of devices (JSON Lines)")
	flag.StringVar(&o.captures, "captures", "", "directory of the captures")
	flag.StringVar(&o.external, "external", "", "the set (source) whose devices are hosts of the Internet")
	flag.StringVar(&o.table, "table", "sensor/internal/device/evidence/evidence.tsv", "table of evidence of the sensor")
	flag.StringVar(&o.write, "write", "", "write the fitted table to this file")
	flag.IntVar(&o.minTypes, "min-types", 5, "types of devices that a row must be seen on to be fitted")
	flag.Float64Var(&o.sigma, "sigma", 2, "standard deviation of the prior of a weight around its present value, in decibans")
	flag.Parse()
	if err := run(&o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fit-identity:", err)
		os.Exit(1)
	}
}

func run(o *options, w io.Writer) error {
	if o.truth == "" || o.captures == "" {
		return errors.New("--truth and --captures are required")
	}
	if !(o.sigma > 0) {
		return errors.New("--sigma: want a positive number")
	}
	t, err := readTable(o.table)
	if err != nil {
		return err
	}
	labels, err := readLabels(o.truth)
	if err != nil {
		return err
	}
	samples, err := replayAll(o, labels, t)
	if err != nil {
		return err
	}
	if err := check(samples); err != nil {
		return err
	}
	report(o, w, t, samples)
	if o.write == "" {
		return nil
	}
	return t.write(o.write, fit(candidates(t, samples, o.minTypes), samples, o.sigma))
}

// check returns an error if the scheme of this program does not give the verdicts of the sensor. Records have points with one digit after
// the point, which may move a probability by one percent.
func check(samples []*sample) error {
	for _, s := range samples {
		v := s.weigh(nil, nil)
		if s.seen && (v.level != "unknown") != (s.record.Role != "unknown") || s.Probability > 0 && math.Abs(v.p[v.best]-s.Probability) > 0.01 {
			return fmt.Errorf("%s, %s: %s %.4f, but the sensor says %s %.4f", s.Capture, s.Key, roles[v.best], v.p[v.best], s.record.Role, s.Probability)
		}
	}
	return nil
}

// report prints all tables.
func report(o *options, w io.Writer, t *table, samples []*sample) {
	counts := perType(samples)
	one := func(*sample) float64 { return 1 }
	balanced := func(s *sample) float64 { return counts[s] }
	title := func(s string) { fmt.Fprintf(w, "\n## %s\n\n", s) }

	title("Vendor, model, firmware")
	printFields(w, samples)
	for _, by := range []struct {
		name  string
		count func(*sample) float64
	}{{"each device counts", one}, {"each type of device counts once", balanced}} {
		all := weighAll(samples, nil, by.count)
		q := qualityOf(all)
		title("Roles: " + by.name)
		printConfusion(w, all)
		fmt.Fprintln(w)
		printLevels(w, all)
		fmt.Fprintln(w)
		printBins(w, &q)
	}

	estimates := candidates(t, samples, o.minTypes)
	rows, left := leaveOut(t, samples, o.minTypes, o.sigma, balanced)
	fitted := fit(estimates, samples, o.sigma)
	title("Types that are left out")
	printLeftOut(w, rows)
	title("Present and fitted weights: each type of device counts once")
	printQuality(w, []string{"present weights", "fitted to the other types", "fitted to all (not a fair test)"},
		[]quality{qualityOf(weighAll(samples, nil, balanced)), qualityOf(left), qualityOf(weighAll(samples, fitted, balanced))})
	title(fmt.Sprintf("Weights of rows that are seen on at least %d types", o.minTypes))
	printWeights(w, estimates)
	title("Rows by data and by judgment")
	printSources(w, t, samples, o.minTypes)
}
