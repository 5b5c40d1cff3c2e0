// SPDX-License-Identifier: Apache-2.0

// Command evaluate replays labelled captures with the sensor, unchanged and as a worse mirror would have delivered them, with and without an
// inventory. It writes what the sensor found into a page of the documentation:
//
//	go run ./scripts/evaluate --sensor bin/stillwatch-sensor --page docs/evaluation.md
//
// The same sensor and captures give the same page.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
)

// options are the flags.
type options struct {
	sensor, stories, corpus, page string
	jobs                          int
}

func main() {
	var o options
	flag.StringVar(&o.sensor, "sensor", "bin/stillwatch-sensor", "the sensor to evaluate")
	flag.StringVar(&o.stories, "stories", "scripts/stories/testdata", "folder of the story captures")
	flag.StringVar(&o.corpus, "corpus", "../shared/corpus", "folder with captures/ and truth/; left out if it does not exist")
	flag.StringVar(&o.page, "page", "docs/evaluation.md", "page whose tables are written")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "replays at the same time")
	flag.Parse()
	if flag.NArg() > 0 || o.jobs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "evaluate:", err)
		os.Exit(1)
	}
}

func run(o *options) error {
	if _, err := os.Stat(o.sensor); err != nil {
		return fmt.Errorf("no sensor: %w (make build)", err)
	}
	page, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "evaluate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	stories, err := readStories(o.stories)
	if err != nil {
		return err
	}
	evasions, err := writeEvasions(dir)
	if err != nil {
		return err
	}
	text := string(page)
	for _, s := range []struct {
		name    string
		samples []sample
	}{{"stories", stories}, {"evasions", evasions}} {
		results, err := evaluate(o, dir, s.samples)
		if err != nil {
			return err
		}
		if text, err = replaceTable(text, s.name, table(s.name, results)); err != nil {
			return fmt.Errorf("%s: %w", o.page, err)
		}
	}
	public, err := readCorpus(o.corpus)
	if err != nil {
		return err
	}
	if len(public) == 0 {
		fmt.Fprintf(os.Stderr, "evaluate: no public captures in %s: their table stays as it is\n", o.corpus)
	} else {
		results, err := evaluate(o, dir, public)
		if err != nil {
			return err
		}
		if text, err = replaceTable(text, "public", table("public", results)); err != nil {
			return fmt.Errorf("%s: %w", o.page, err)
		}
	}
	return os.WriteFile(o.page, []byte(text), 0o644)
}

// result is what the sensor made of a set of captures under one condition.
type result struct {
	change    string
	inventory bool
	score
}

// evaluate replays samples under every condition. The order of the results is that of the conditions.
func evaluate(o *options, dir string, samples []sample) ([]result, error) {
	var results []result
	for _, c := range changes() {
		scores := make([]score, len(samples))
		for _, inventory := range []bool{true, false} {
			errs := make([]error, len(samples))
			var wg sync.WaitGroup
			slots := make(chan struct{}, o.jobs)
			for i := range samples {
				if !inventory && len(samples[i].inventory) == 0 {
					continue // the same replay as before
				}
				wg.Add(1)
				slots <- struct{}{}
				go func() {
					defer func() { <-slots; wg.Done() }()
					scores[i], errs[i] = samples[i].replay(o.sensor, dir, &c, inventory)
				}()
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "evaluate: %d captures, %s, %s inventory\n", len(samples), c.name, with(inventory))
			r := result{change: c.name, inventory: inventory}
			for i := range scores {
				r.add(&scores[i])
			}
			results = append(results, r)
		}
	}
	return results, nil
}
