// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"stillwatch/sensor/internal/datafile"
)

// The table of releases. Its header describes the format.
//
//go:embed releases.tsv
var releasesText []byte

// Release is a row of the table of releases.
type Release struct {
	Vendor   string // of a device, or the name of a program
	Model    string // pattern of models, or the distribution of a program
	Version  string
	Released time.Time // zero if not known
	Ended    time.Time // last day of support; zero if not known
	Source   string
}

// Releases is the table of releases.
type Releases struct {
	Head     datafile.Head
	rows     int
	devices  map[string][]Release // by vendor
	programs map[string][]Release // by name
}

// Rows returns the number of releases.
func (r *Releases) Rows() int { return r.rows }

// Known holds the table of releases in use. The embedded one is parsed at the first use. The tests of this package find an error in it.
var Known = datafile.NewSlot(func() *Releases {
	r, err := ParseReleases(releasesText)
	if err != nil {
		panic(err)
	}
	return r
})

// EmbeddedReleases returns the file of releases that is part of the program.
func EmbeddedReleases() []byte { return releasesText }

// ParseReleases reads a file of releases.
func ParseReleases(text []byte) (r *Releases, err error) {
	r = &Releases{devices: map[string][]Release{}, programs: map[string][]Release{}}
	if r.Head, _, err = datafile.ParseHead(text); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	return r, datafile.Rows(text, 7, func(cells []string) error {
		if key := strings.Join(cells[:4], "\t"); seen[key] {
			return fmt.Errorf("the same product as in a row before")
		} else {
			seen[key] = true
		}
		r.rows++
		return r.add(cells)
	})
}

func (r *Releases) add(cells []string) error {
	row := Release{Vendor: cells[1], Model: cells[2], Version: cells[3], Source: cells[6]}
	var err error
	if row.Released, err = date(cells[4]); err != nil {
		return err
	}
	if row.Ended, err = date(cells[5]); err != nil {
		return err
	}
	switch {
	case row.Vendor == "" || row.Model == "" || row.Version == "":
		return fmt.Errorf("an empty column; write - for none")
	case row.Released.IsZero() && row.Ended.IsZero():
		return fmt.Errorf("neither released nor ended")
	case !row.Ended.IsZero() && row.Ended.Before(row.Released):
		return fmt.Errorf("support ended before the release")
	case !strings.HasPrefix(row.Source, "https://"):
		return fmt.Errorf("source %.40q: want an address that begins with https://", row.Source)
	}
	if _, _, ok := parts(row.Version); !ok && row.Version != "*" {
		return fmt.Errorf("version %.40q: want numbers, or * for any", row.Version)
	}
	switch cells[0] {
	case "device":
		r.devices[row.Vendor] = append(r.devices[row.Vendor], row)
	case "program":
		r.programs[row.Vendor] = append(r.programs[row.Vendor], row)
	default:
		return fmt.Errorf("kind %.20q: want device or program", cells[0])
	}
	return nil
}

// date reads "2019-12-15" or "-".
func date(s string) (time.Time, error) {
	if s == "-" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1990 || t.Year() > 2100 {
		return time.Time{}, fmt.Errorf("date %.20q: want YYYY-MM-DD, or - for none", s)
	}
	return t, nil
}

// Device returns the first row for a device; nil if there is none. A row with a version needs the firmware.
func (r *Releases) Device(vendor, model, firmware string) *Release {
	list := r.devices[vendor]
	for i := range list {
		if x := &list[i]; model != "" && Glob(x.Model, model) && (x.Version == "*" || within(firmware, x.Version)) {
			return x
		}
	}
	return nil
}

// Program returns the first row for a program; nil if there is none. Rows of a distribution are for its versions only.
func (r *Releases) Program(p Product) *Release {
	distribution := p.Distribution
	if distribution == "" {
		distribution = "-"
	}
	list := r.programs[p.Name]
	for i := range list {
		if x := &list[i]; x.Model == distribution && (x.Version == "*" || within(p.Version, x.Version)) {
			return x
		}
	}
	return nil
}
