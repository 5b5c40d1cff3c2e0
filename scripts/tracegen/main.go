// SPDX-License-Identifier: Apache-2.0

// Command tracegen writes a synthetic capture for benchmarks and load tests:
//
//	go run ./scripts/tracegen [-kind office] [-packets N] [-sessions N] [-devices N] [-seed 1] [-story FILE.pcap] -o FILE
//
// The same flags produce the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"stillwatch/internal/testlab/trace"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "tracegen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var c trace.Config
	set := flag.NewFlagSet("tracegen", flag.ContinueOnError)
	set.StringVar(&c.Kind, "kind", trace.Office, "one of "+strings.Join(trace.Kinds(), ", "))
	set.IntVar(&c.Packets, "packets", 0, "packets of an office or a flood; 0 is the default of the kind")
	set.IntVar(&c.Sessions, "sessions", 0, "sessions of the kinds office and sessions; 0 is the default")
	set.IntVar(&c.Devices, "devices", 0, "devices of the kind devices; 0 is the default")
	set.IntVar(&c.Seconds, "seconds", 0, "capture time; 0 is the default of the kind")
	set.Uint64Var(&c.Seed, "seed", 1, "another seed gives another trace of the same kind")
	story := set.String("story", "", "merge the packets of this pcap or pcapng file, moved into the time of the trace")
	out := set.String("o", "", "file to write, - for standard output")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *out == "" || set.NArg() > 0 {
		return errors.New("name one file with -o")
	}
	if *story != "" {
		var err error
		if c.Story, err = readStory(*story); err != nil {
			return err
		}
	}
	return write(*out, c)
}

func readStory(path string) ([]trace.Packet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return trace.ReadStory(f)
}

func write(path string, c trace.Config) (err error) {
	f := os.Stdout
	if path != "-" {
		if f, err = os.Create(path); err != nil {
			return err
		}
	}
	sum, err := trace.Write(f, c)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d packets, %d sessions, %d bytes\n", sum.Packets, sum.Sessions, sum.Bytes)
	return nil
}
