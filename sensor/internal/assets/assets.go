// SPDX-License-Identifier: Apache-2.0

// Package assets knows the data files of the sensor: those that are part of the program, and those that the operator has put into a folder
// instead. It checks them in full before anything uses them.
package assets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"stillwatch/sensor/internal/datafile"
	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/lifecycle"
)

// asset is a data file that can be replaced.
type asset struct {
	name, file, what string
	embedded         func() []byte                // nil: none is part of the program
	limit            int64                        // bytes of the file
	read             func([]byte) (*table, error) // checks a file
	clear            func()                       // uses what is part of the program

	// seal returns what is stored of a file of secrets; nil: the file as it is, which is no secret.
	seal func([]byte) ([]byte, error)
}

// table is a data file that was checked.
type table struct {
	head datafile.Head
	rows int
	use  func()
}

const (
	maxTable = 4 << 20
	maxMMDB  = 256 << 20
)

// list returns the assets in the order in which they are shown.
func list() []asset {
	return []asset{
		{"address blocks", "oui.zst", "owners of MAC addresses", enrich.EmbeddedOUI, datafile.MaxPacked, func(b []byte) (*table, error) {
			x, err := enrich.ParseOUI(b)
			return tableOf(x, err, func(x *enrich.OUI) (datafile.Head, int) { return x.Head, x.Rows() }, enrich.Blocks)
		}, func() { enrich.Blocks.Set(nil) }, nil},
		{"vendors", "vendors.tsv", "what the owner of a MAC address makes: devices, boards, chips", enrich.EmbeddedVendors, maxTable, func(b []byte) (*table, error) {
			x, err := enrich.ParseVendors(b)
			return tableOf(x, err, func(x *enrich.Vendors) (datafile.Head, int) { return x.Head, x.Rows() }, enrich.Listed)
		}, func() { enrich.Listed.Set(nil) }, nil},
		{"evidence", "evidence.tsv", "what observations say about a device, with the names of vendor clouds", evidence.Embedded, maxTable, func(b []byte) (*table, error) {
			x, err := evidence.Parse(b)
			return tableOf(x, err, func(x *evidence.Table) (datafile.Head, int) { return x.Head, x.Rows() }, evidence.InUse)
		}, func() { evidence.InUse.Set(nil) }, nil},
		{"countries", "country.zst", "countries of addresses", enrich.EmbeddedCountries, datafile.MaxPacked, func(b []byte) (*table, error) {
			x, err := enrich.ParseCountries(b)
			return tableOf(x, err, func(x *enrich.Countries) (datafile.Head, int) { return x.Head, x.Rows() }, enrich.ByAddress)
		}, func() { enrich.ByAddress.Set(nil) }, nil},
		{"releases", "releases.tsv", "releases of products, and the end of their support", lifecycle.EmbeddedReleases, maxTable, func(b []byte) (*table, error) {
			x, err := lifecycle.ParseReleases(b)
			return tableOf(x, err, func(x *lifecycle.Releases) (datafile.Head, int) { return x.Head, x.Rows() }, lifecycle.Known)
		}, func() { lifecycle.Known.Set(nil) }, nil},
		{"exploited", "exploited.tsv", "vulnerabilities of devices that are exploited", lifecycle.EmbeddedExploited, maxTable, func(b []byte) (*table, error) {
			x, err := lifecycle.ParseExploited(b)
			return tableOf(x, err, func(x *lifecycle.Exploited) (datafile.Head, int) { return x.Head, x.Rows() }, lifecycle.InTheWild)
		}, func() { lifecycle.InTheWild.Set(nil) }, nil},
		{"default credentials", "credentials.tsv", "names and passwords that vendors publish", logins.EmbeddedDefaults, maxTable, func(b []byte) (*table, error) {
			x, err := logins.ParseDefaults(b)
			return tableOf(x, err, func(x *logins.Defaults) (datafile.Head, int) { return x.Head, x.Rows() }, logins.InUse)
		}, func() { logins.InUse.Set(nil) }, logins.SealDefaults},
		{"resolvers", "resolvers.tsv", "public resolvers that answer encrypted DNS", enrich.EmbeddedResolvers, maxTable, func(b []byte) (*table, error) {
			x, err := enrich.ParseResolvers(b)
			return tableOf(x, err, func(x *enrich.Resolvers) (datafile.Head, int) { return x.Head, x.Rows() }, enrich.PublicResolvers)
		}, func() { enrich.PublicResolvers.Set(nil) }, nil},
		{"country database", "country.mmdb", "MaxMind DB of the operator, before the table of countries", nil, maxMMDB, func(b []byte) (*table, error) {
			return mmdb(b, enrich.OperatorCountries)
		}, func() { enrich.OperatorCountries.Set(nil) }, nil},
		{"ASN database", "asn.mmdb", "MaxMind DB of the operator: autonomous systems of addresses", nil, maxMMDB, func(b []byte) (*table, error) {
			return mmdb(b, enrich.OperatorASN)
		}, func() { enrich.OperatorASN.Set(nil) }, nil},
	}
}

func tableOf[T any](x *T, err error, about func(*T) (datafile.Head, int), slot *datafile.Slot[T]) (*table, error) {
	if err != nil {
		return nil, err
	}
	head, rows := about(x)
	if rows == 0 {
		return nil, errors.New("no rows")
	}
	return &table{head, rows, func() { slot.Set(x) }}, nil
}

func mmdb(b []byte, slot *datafile.Slot[enrich.MMDB]) (*table, error) {
	x, err := enrich.ParseMMDB(b)
	return tableOf(x, err, func(x *enrich.MMDB) (datafile.Head, int) { return x.Head, x.Rows() }, slot)
}

// Info describes a data file in use.
type Info struct {
	Name, What            string
	Date, License, Source string
	Rows                  int
	File                  string // of the operator; "" if it is part of the program
}

// Describe reads and checks all data files, those of a folder and the embedded ones for the rest, and describes them.
func Describe(dir string) (all []Info, err error) {
	if dir != "" {
		unlock, err := lock(dir, false)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	for _, a := range list() {
		t, file, err := a.load(dir)
		if err != nil {
			return nil, err
		}
		if t != nil {
			all = append(all, Info{a.name, a.what, t.head.Date, t.head.License, t.head.Source, t.rows, file})
		}
	}
	return append(all, suffixes()), nil
}

// suffixes describes the list of public suffixes, which is part of a Go module and changes with it.
func suffixes() Info {
	version := publicsuffix.List.String() // "publicsuffix.org's public_suffix_list.dat, git revision … (2026-02-06T…)"
	x := Info{Name: "public suffixes", What: "domains below which anybody can register a name", License: "MPL-2.0", Source: version}
	if _, after, ok := strings.Cut(version, "("); ok && len(after) >= len(time.DateOnly) {
		x.Date = after[:len(time.DateOnly)]
	}
	return x
}

// Set is the data files of a folder, checked.
type Set struct{ use []func() }

// Load reads and checks the data files of a folder, "" for none. Nothing uses them before Use. Other files are ignored.
func Load(dir string) (*Set, error) {
	s := &Set{}
	if dir != "" {
		unlock, err := lock(dir, false)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	for _, a := range list() {
		use := a.clear
		if dir != "" {
			t, file, err := a.load(dir)
			if err != nil {
				return nil, err
			}
			if file != "" {
				use = t.use
			}
		}
		s.use = append(s.use, use)
	}
	return s, nil
}

// Use makes everything use the set from now on, and the embedded files for the rest. What was decided before stays.
func (s *Set) Use() {
	for _, use := range s.use {
		use()
	}
}

// load returns the file of the folder, or else the embedded one; nil if there is neither.
func (a *asset) load(dir string) (t *table, file string, err error) {
	var b []byte
	if dir != "" {
		file = filepath.Join(dir, committed, a.file)
		if b, err = readFile(file, a.limit); errors.Is(err, fs.ErrNotExist) {
			file = filepath.Join(dir, a.file)
			b, err = readFile(file, a.limit)
		}
	}
	switch {
	case dir == "" || errors.Is(err, fs.ErrNotExist):
		if a.embedded == nil {
			return nil, "", nil
		}
		t, err = a.read(a.embedded())
		return t, "", err
	case err != nil:
		return nil, file, err
	}
	t, err = a.read(b)
	if a.seal != nil {
		clear(b)
	}
	if err != nil {
		return nil, file, fmt.Errorf("%s: %w", file, err)
	}
	return t, file, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", name)
	}
	return bounded(f, name, st.Size(), limit)
}

// bounded reads all of r, which may have at most limit bytes. With the right size it reads into one buffer: a file of secrets leaves no copy.
func bounded(r io.Reader, name string, size, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(size, limit)) + 2*bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%s: more than %d MiB", name, limit>>20)
	}
	return b.Bytes(), nil
}

// names lists the names of the files.
func names() string {
	var all []string
	for _, a := range list() {
		all = append(all, a.file)
	}
	return strings.Join(all, ", ")
}
