// SPDX-License-Identifier: Apache-2.0

// Command robustness replays captures as they are and with faults of the mirror port, compares alerts and counts, and prints a Markdown table.
//
//	robustness --sensor PROGRAM [--stories FOLDER] [--captures FOLDER --truth FILE,FILE] [-v]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stillwatch/internal/testlab/distort"
)

// input is a capture with the options of its replay.
type input struct {
	path string
	args []string
}

func main() {
	sensor := flag.String("sensor", "bin/stillwatch-sensor", "the program to measure")
	stories := flag.String("stories", "scripts/stories/testdata", "the story captures; none if empty")
	captures := flag.String("captures", "", "folder of more captures")
	truth := flag.String("truth", "", "JSON Lines files, separated by commas, whose lines name a capture in that folder and the args of its replay")
	only := flag.String("only", "", "replay only captures whose path contains this")
	seeds := flag.Uint64("seeds", 1, "how often to apply each fault, with other random numbers")
	keep := flag.String("keep", "", "write the captures with faults to this folder")
	verbose := flag.Bool("v", false, "print each difference to standard error")
	flag.Parse()
	if err := run(os.Stdout, *sensor, *stories, *captures, *truth, *only, *keep, *seeds, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "robustness:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, sensor, stories, captures, truth, only, keep string, seeds uint64, verbose bool) error {
	inputs, err := listStories(stories)
	if err != nil {
		return err
	}
	if truth != "" {
		for _, file := range strings.Split(truth, ",") {
			more, err := listTruth(file, captures)
			if err != nil {
				return err
			}
			inputs = append(inputs, more...)
		}
	}
	inputs = slices.DeleteFunc(unique(inputs), func(x input) bool { return !strings.Contains(x.path, only) })
	if len(inputs) == 0 {
		return fmt.Errorf("no captures: name a folder with --stories or --captures")
	}
	all := distort.All()
	sums := make([]distort.Difference, len(all))
	for _, x := range inputs {
		for seed := range seeds {
			if err := measure(&x, sensor, all, sums, keep, seed+1, verbose); err != nil {
				return fmt.Errorf("%s: %w", x.path, err)
			}
		}
	}
	fmt.Fprintf(w, "Captures: %d.\n\n| fault | same alerts (Jaccard) | more severe | of them high | packets | bytes |\n|---|--:|--:|--:|--:|--:|\n", len(inputs))
	for i, s := range sums {
		packets, bytes := "", ""
		if all[i].Twice || s.Packets.Part == 0 {
			packets, bytes = fmt.Sprintf("± %.2f %%", 100*s.Packets.Of()), fmt.Sprintf("± %.2f %%", 100*s.Bytes.Of())
		}
		fmt.Fprintf(w, "| %s | %.2f | %d | %d | %s | %s |\n", all[i].Name, s.Jaccard(), len(s.Raised), len(s.NewHigh()), packets, bytes)
	}
	return nil
}

func listStories(dir string) (all []input, err error) {
	if dir == "" {
		return nil, nil
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "input.pcap"))
	for _, f := range found {
		all = append(all, input{f, []string{"--inventory", filepath.Join(filepath.Dir(f), "inventory.yaml")}})
	}
	return all, err
}

func listTruth(file, captures string) (all []input, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var l struct {
			Capture string
			Args    []string
		}
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, input{filepath.Join(captures, l.Capture), l.Args})
	}
	return all, nil
}

func unique(all []input) (once []input) {
	for _, x := range all {
		if !slices.ContainsFunc(once, func(y input) bool { return x.path == y.path && slices.Equal(x.args, y.args) }) {
			once = append(once, x)
		}
	}
	return once
}

func measure(x *input, sensor string, all []distort.Distortion, sums []distort.Difference, keep string, seed uint64, verbose bool) error {
	c, err := distort.Read(x.path)
	if err != nil {
		return err
	}
	clean, err := distort.Replay(sensor, c, x.args...)
	if err != nil {
		return err
	}
	for i := range all {
		bad := all[i].Apply(c, seed)
		if keep != "" {
			if err := write(bad, keep, x.path, all[i].Name); err != nil {
				return err
			}
		}
		faulty, err := distort.Replay(sensor, bad, x.args...)
		if err != nil {
			return err
		}
		d := distort.Compare(clean, faulty)
		sums[i].Add(d)
		if verbose {
			fmt.Fprintf(os.Stderr, "%s %v, %s: Jaccard %.2f, packets %.2f %%\n", x.path, x.args, all[i].Name, d.Jaccard(), 100*d.Packets.Of())
			for _, r := range d.Raised {
				fmt.Fprintf(os.Stderr, "  %+v: %q, was %q\n", r.Alert, r.Is, r.Was)
			}
			for _, a := range d.Missing {
				fmt.Fprintf(os.Stderr, "  %+v: missing, was %q\n", a, clean.Alerts[a])
			}
		}
	}
	return nil
}

// write writes a capture with a fault to a folder, under a name made of its path and the fault.
func write(c *distort.Capture, dir, path, fault string) error {
	name := strings.NewReplacer("/", "_", " ", "_", ",", "", "%", "", ":", "_").Replace(strings.TrimSuffix(path, filepath.Ext(path)) + "_" + fault)
	f, err := os.Create(filepath.Join(dir, name+".pcap"))
	if err != nil {
		return err
	}
	_, err = c.WriteTo(f)
	return errors.Join(err, f.Close())
}
