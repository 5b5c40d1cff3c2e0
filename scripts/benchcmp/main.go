// SPDX-License-Identifier: Apache-2.0

// Command benchcmp runs programs in turn, several times, and prints the medians of their cost as rows of a
// Markdown table. Because they run in turn, other load on the machine affects all of them equally.
//
//	benchcmp [-n 5] [-packets N] [-trace NAME] [-head] NAME PROGRAM ARG... -- NAME PROGRAM ARG...
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// contestant is a program with its measurements.
type contestant struct {
	name string
	args []string
	runs []measure
}

// measure is the cost of one run.
type measure struct {
	wall, user, sys time.Duration
	rss             int64 // maximum resident size, bytes
}

func main() {
	n := flag.Int("n", 5, "runs of each program, after one to warm up")
	packets := flag.Float64("packets", 0, "packets in the trace, for the rate")
	trace := flag.String("trace", "", "name of the trace, for the first column")
	head := flag.Bool("head", false, "print only the head of the table")
	flag.Parse()
	if *head {
		printHead(os.Stdout)
		return
	}
	all, err := split(flag.Args())
	if err == nil {
		err = measureAll(all, *n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchcmp:", err)
		os.Exit(1)
	}
	printRows(os.Stdout, *trace, *packets, all)
}

// split splits the arguments at "--".
func split(args []string) (all []*contestant, err error) {
	for len(args) > 0 {
		end := slices.Index(args, "--")
		part := args
		if end >= 0 {
			part, args = args[:end], args[end+1:]
		} else {
			args = nil
		}
		if len(part) < 2 {
			return nil, errors.New("each program needs a name and a command")
		}
		all = append(all, &contestant{name: part[0], args: part[1:]})
	}
	if len(all) == 0 {
		return nil, errors.New("no program given")
	}
	return all, nil
}

// measureAll runs the programs in turn. The first round warms the page cache and does not count.
func measureAll(all []*contestant, n int) error {
	for round := range n + 1 {
		for _, c := range all {
			m, err := once(c.args)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				c.runs = append(c.runs, m)
			}
		}
	}
	return nil
}

func once(args []string) (m measure, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	m.wall = time.Since(began)
	if err != nil {
		return m, fmt.Errorf("%w: %.300s", err, out)
	}
	m.user, m.sys = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.rss = use.Maxrss << 10 // Linux reports KiB
	}
	return m, nil
}

func printHead(w io.Writer) {
	fmt.Fprintln(w, "| trace | program | wall s | CPU s (user + system) | max RSS MB | packets/s | wall, to the first |")
	fmt.Fprintln(w, "|---|---|---:|---:|---:|---:|---:|")
}

func printRows(w io.Writer, trace string, packets float64, all []*contestant) {
	first := median(all[0].runs, func(m measure) float64 { return m.wall.Seconds() })
	for _, c := range all {
		wall := median(c.runs, func(m measure) float64 { return m.wall.Seconds() })
		user := median(c.runs, func(m measure) float64 { return m.user.Seconds() })
		sys := median(c.runs, func(m measure) float64 { return m.sys.Seconds() })
		rss := median(c.runs, func(m measure) float64 { return float64(m.rss) / 1e6 })
		fmt.Fprintf(w, "| %s | %s | %.2f | %.2f (%.2f + %.2f) | %.0f | %.2f M | %.2f |\n",
			trace, c.name, wall, user+sys, user, sys, rss, packets/wall/1e6, wall/first)
	}
}

// median returns the median of a figure over the runs, of which there is at least one.
func median(runs []measure, of func(measure) float64) float64 {
	if len(runs) == 0 {
		return 0
	}
	xs := make([]float64, len(runs))
	for i, m := range runs {
		xs[i] = of(m)
	}
	slices.Sort(xs)
	if k := len(xs) / 2; len(xs)%2 == 0 {
		return (xs[k-1] + xs[k]) / 2
	} else {
		return xs[k]
	}
}
