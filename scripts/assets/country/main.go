// SPDX-License-Identifier: Apache-2.0

// Command country builds the embedded table of countries by address from the two CSV files of the npm package
// @ip-location-db/geo-whois-asn-country, each row of which is "first address,last address,country".
//
//	go run ./scripts/assets/country -date 2026-06-17 -source PACKAGE@VERSION IPV4.csv IPV6.csv OUT.zst
//
// Of IPv6 addresses the upper 64 bits count: no network is smaller. The same input produces the same output, byte for byte.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"stillwatch/scripts/assets/internal/pack"
)

func main() {
	h := pack.Head{License: "CC0-1.0 as packaged; registry data of the NRO (CC BY 4.0)"}
	flag.StringVar(&h.Date, "date", "", "date of the data, YYYY-MM-DD")
	flag.StringVar(&h.Source, "source", "", "package and version")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: country -date DATE -source PACKAGE IPV4.csv IPV6.csv OUT.zst")
		os.Exit(2)
	}
	if err := build(h, flag.Arg(0), flag.Arg(1), flag.Arg(2)); err != nil {
		fmt.Fprintln(os.Stderr, "country:", err)
		os.Exit(1)
	}
}

func build(h pack.Head, v4, v6, out string) error {
	four, err := read(v4, func(a netip.Addr) uint64 { b := a.As4(); return uint64(binary.BigEndian.Uint32(b[:])) })
	if err != nil {
		return err
	}
	six, err := read(v6, func(a netip.Addr) uint64 { b := a.As16(); return binary.BigEndian.Uint64(b[:8]) })
	if err != nil {
		return err
	}
	return pack.Write(out, h, encode(four, six))
}

// network is a range of addresses, both ends included.
type network struct {
	first, last uint64
	country     string
}

// read returns the ranges of a file in ascending order. It refuses ranges that overlap.
func read(file string, number func(netip.Addr) uint64) (all []network, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		cells := strings.Split(in.Text(), ",")
		if len(cells) != 3 || len(cells[2]) != 2 {
			return nil, fmt.Errorf("%s:%d: want first address, last address, country", file, n)
		}
		first, err := netip.ParseAddr(cells[0])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		last, err := netip.ParseAddr(cells[1])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		all = append(all, network{number(first), number(last), cells[2]})
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b network) int {
		if a.first < b.first {
			return -1
		} else if a.first > b.first {
			return 1
		}
		return 0
	})
	return all, nil
}

// change is an address from which on another country applies; country 0 is none.
type change struct {
	at      uint64
	country byte
}

// changes returns where the country changes. Where ranges share 64 bits the first one counts.
func changes(all []network, index map[string]byte) (out []change) {
	add := func(at uint64, c byte) {
		if len(out) > 0 && out[len(out)-1].at == at {
			out = out[:len(out)-1]
		}
		if len(out) == 0 || out[len(out)-1].country != c {
			out = append(out, change{at, c})
		}
	}
	next := uint64(0) // the first address that no range before covers
	for _, n := range all {
		if n.last < next {
			continue
		}
		first := max(n.first, next)
		if first > next {
			add(next, 0)
		}
		add(first, index[n.country])
		if next = n.last + 1; next == 0 {
			return out
		}
	}
	add(next, 0)
	return out
}

// encode returns the table: the number of countries and their codes, then for IPv4 and IPv6 the number of changes, the difference of each
// to the one before, and the country of each (0 is none). The numbers are varints.
func encode(four, six []network) []byte {
	var codes []string
	for _, n := range append(slices.Clone(four), six...) {
		codes = append(codes, n.country)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	index := map[string]byte{}
	out := binary.AppendUvarint(nil, uint64(len(codes)))
	for i, c := range codes {
		out = append(out, c...)
		index[c] = byte(i + 1)
	}
	for _, all := range [][]network{four, six} {
		cs := changes(all, index)
		out = binary.AppendUvarint(out, uint64(len(cs)))
		last := uint64(0)
		for _, c := range cs {
			out = binary.AppendUvarint(out, c.at-last)
			last = c.at
		}
		for _, c := range cs {
			out = append(out, c.country)
		}
	}
	return out
}
