// SPDX-License-Identifier: Apache-2.0

// Command oui builds the embedded table of IEEE address blocks (MA-L, MA-M, MA-S) from the index.json of the npm
// package oui-data:
//
//	go run ./scripts/assets/oui -date 2026-08-26 -source PACKAGE@VERSION index.json OUT.zst
//
// The same input produces the same output, byte for byte.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"stillwatch/scripts/assets/internal/pack"
)

func main() {
	h := pack.Head{License: "facts of the IEEE registries; package under BSD-2-Clause"}
	flag.StringVar(&h.Date, "date", "", "date of the data, YYYY-MM-DD")
	flag.StringVar(&h.Source, "source", "", "package and version")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: oui -date DATE -source PACKAGE INDEX.json OUT.zst")
		os.Exit(2)
	}
	if err := build(h, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "oui:", err)
		os.Exit(1)
	}
}

func build(h pack.Head, in, out string) error {
	b, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	var index map[string]string
	if err := json.Unmarshal(b, &index); err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	table, err := encode(index)
	if err != nil {
		return err
	}
	return pack.Write(out, h, table)
}

type block struct{ prefix, name uint64 }

// encode returns the table: the number of names, each name preceded by its length, then for prefixes of 6, 7 and 9
// hex digits their number and pairs of (difference to the previous prefix, index of the name). All numbers are varints.
func encode(index map[string]string) ([]byte, error) {
	names := nameList(index)
	out := binary.AppendUvarint(nil, uint64(len(names)))
	for _, n := range names {
		out = binary.AppendUvarint(out, uint64(len(n)))
		out = append(out, n...)
	}
	for _, digits := range []int{6, 7, 9} {
		blocks, err := blocksOf(index, names, digits)
		if err != nil {
			return nil, err
		}
		out = binary.AppendUvarint(out, uint64(len(blocks)))
		last := uint64(0)
		for _, b := range blocks {
			out = binary.AppendUvarint(out, b.prefix-last)
			out = binary.AppendUvarint(out, b.name)
			last = b.prefix
		}
	}
	return out, nil
}

func blocksOf(index map[string]string, names []string, digits int) ([]block, error) {
	var blocks []block
	for k, v := range index {
		name := company(v)
		if len(k) != digits || name == "" {
			continue
		}
		p, err := strconv.ParseUint(k, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("prefix %q: %w", k, err)
		}
		blocks = append(blocks, block{p, uint64(sort.SearchStrings(names, name))})
	}
	slices.SortFunc(blocks, func(a, b block) int { return int(int64(a.prefix) - int64(b.prefix)) })
	return blocks, nil
}

func nameList(index map[string]string) []string {
	var names []string
	for _, v := range index {
		if n := company(v); n != "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// company returns the first line of an entry. It skips blocks that are only parents of smaller blocks, and private
// owners.
func company(entry string) string {
	name, _, _ := strings.Cut(entry, "\n")
	name = strings.Join(strings.Fields(strings.ReplaceAll(name, "，", ",")), " ")
	if name == "IEEE Registration Authority" || name == "Private" {
		return ""
	}
	return name
}
