// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The rows of the table for banners, with examples. Its head describes the format.
//
//go:embed banners.yaml
var bannersText string

// bannerRow is one row; its cells are those of evidence.tsv. The examples are for the tests.
type bannerRow struct {
	Match    string   `json:"match"`
	Roles    string   `json:"roles"`
	Vendor   string   `json:"vendor"`
	Model    string   `json:"model"`
	Firmware string   `json:"firmware"`
	Examples []string `json:"examples"`
}

// bannersFile is the content of banners.yaml.
type bannersFile struct {
	version int
	sources []string // of each row
	rows    []bannerRow
	lines   []int // of each row
}

// versionStep separates the versions of both files in the version of the table.
const versionStep = 10_000

// parseBanners reads the rows of banners. It reads the one form of YAML that the file has, because a YAML parser takes longer than everything
// else at the start; a test compares both. An error names the file and the line.
func parseBanners(file, text string) (*bannersFile, error) {
	x := new(bannersFile)
	source, n := "", 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		var err error
		switch row, isRow := strings.CutPrefix(line, "    - "); {
		case line == "" || line[0] == '#':
		case isRow && source != "":
			err = x.add(source, row, n)
		case strings.HasPrefix(line, "version: ") && x.version == 0:
			x.version, err = strconv.Atoi(line[len("version: "):])
		case line == "banners:" && x.version > 0 && x.version < versionStep:
		case strings.HasPrefix(line, "  ") && strings.HasSuffix(line, ":") && x.version > 0:
			source = strings.TrimSuffix(line[2:], ":")
		default:
			err = errors.New("want a version, then the sources below banners, and below each its rows in the syntax of JSON")
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if x.version < 1 {
		return nil, fmt.Errorf("%s: no version", file)
	}
	return x, nil
}

func (x *bannersFile) add(source, text string, line int) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var row bannerRow
	if err := d.Decode(&row); err != nil {
		return err
	}
	if rest, _ := io.ReadAll(d.Buffered()); len(bytes.TrimSpace(rest)) > 0 {
		return fmt.Errorf("%q behind the row", rest)
	}
	if len(row.Examples) == 0 {
		return errors.New("no example")
	}
	x.sources, x.rows, x.lines = append(x.sources, source), append(x.rows, row), append(x.lines, line)
	return nil
}

// addBanners adds the rows of banners.
func (t *Table) addBanners(file string, x *bannersFile) error {
	seen := map[string]int{}
	for i, row := range x.rows {
		cells := []string{x.sources[i], row.Match, row.Roles, row.Vendor, row.Model, row.Firmware}
		for j, c := range cells {
			if c == "" {
				cells[j] = "-"
			}
		}
		if err := t.add(cells, seen, x.lines[i]); err != nil {
			return fmt.Errorf("%s:%d: %w", file, x.lines[i], err)
		}
	}
	t.version = t.version*versionStep + x.version
	return nil
}
