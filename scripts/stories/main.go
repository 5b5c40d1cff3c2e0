// SPDX-License-Identifier: Apache-2.0

// Command stories writes the story captures: a quiet week in a small office, and an attack at its end.
//
//	go run ./scripts/stories -o scripts/stories/testdata
//
// The same seed produces the same bytes. Each story is a directory with input.pcap, inventory.yaml and README.md.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("o", "", "folder to write to")
	seed := flag.Uint64("seed", 1, "seed of every random choice")
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := writeAll(*out, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "stories:", err)
		os.Exit(1)
	}
}

func writeAll(dir string, seed uint64) error {
	for _, name := range storyNames() {
		files, err := render(name, seed)
		if err != nil {
			return fmt.Errorf("story %s: %w", name, err)
		}
		folder := filepath.Join(dir, name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(folder, f.name), f.data, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

type file struct {
	name string
	data []byte
}

// render returns the files of one story.
func render(name string, seed uint64) ([]file, error) {
	s := generate(name, seed)
	var pcap bytes.Buffer
	if _, err := s.office.WriteTo(&pcap); err != nil {
		return nil, err
	}
	return []file{
		{"input.pcap", pcap.Bytes()},
		{"inventory.yaml", []byte(s.office.inventory())},
		{"README.md", []byte(s.readme(name, pcap.Len()))},
	}, nil
}
