// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The roles as the sensor names them, in the order of its table of base rates; unknown comes first.
var roles = []string{"unknown", "camera", "nvr", "vms", "server", "workstation", "phone", "printer", "network_gear", "iot_hub", "iot"}

// vote is what a row says of one role.
type vote struct {
	role   int
	points float64
}

// row is one row of evidence.tsv that votes for roles.
type row struct {
	line   int // in evidence.tsv, from 0; -1: the row is in banners.yaml
	source string
	match  string
	re     *regexp.Regexp // nil: match is text
	votes  []vote
	other  map[string]float64 // weights of "vendor" and "model"
}

func (r *row) String() string { return r.source + " " + r.match }

// table is evidence.tsv with the lines that it was read from, and the rows of banners.yaml.
type table struct {
	lines []string
	rows  []*row
}

func readTable(file string) (*table, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := &table{lines: strings.Split(string(text), "\n")}
	for i, line := range t.lines {
		cells := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(cells) != 6 {
			continue
		}
		r, err := parseRow(cells)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		r.line = i
		t.rows = append(t.rows, r)
	}
	return t, t.readBanners(filepath.Join(filepath.Dir(file), "banners.yaml"))
}

// readBanners reads the rows of banners, which are in a file of their own: each is JSON on one line below its source. Their weights are not
// fitted.
func (t *table) readBanners(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	source := ""
	for i, line := range strings.Split(string(text), "\n") {
		object, isRow := strings.CutPrefix(line, "    - ")
		if name, ok := strings.CutSuffix(line, ":"); ok && !isRow {
			source = strings.TrimSpace(name)
		}
		if !isRow {
			continue
		}
		var x struct{ Match, Roles, Vendor, Model string }
		if err := json.Unmarshal([]byte(object), &x); err != nil {
			return fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		r, err := parseRow([]string{source, x.Match, x.Roles, cmp.Or(x.Vendor, "-"), cmp.Or(x.Model, "-")})
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		r.line = -1
		t.rows = append(t.rows, r)
	}
	return nil
}

func parseRow(cells []string) (*row, error) {
	r := &row{source: cells[0], match: cells[1], other: map[string]float64{}}
	if expr, ok := strings.CutPrefix(r.match, "~"); ok {
		re, err := regexp.Compile("(?i)" + expr)
		if err != nil {
			return nil, err
		}
		r.re = re
	}
	for _, part := range strings.Fields(strings.Trim(cells[2], "-")) {
		at := strings.IndexAny(part, "+-")
		if at < 0 {
			return nil, fmt.Errorf("role %q without a weight", part)
		}
		points, err := strconv.ParseFloat(part[at:], 64)
		role := slices.Index(roles, part[:at])
		if err != nil || role < 1 {
			return nil, fmt.Errorf("role %q", part)
		}
		r.votes = append(r.votes, vote{role, points})
	}
	for i, kind := range []string{"vendor", "model"} {
		if s := cells[3+i]; s != "-" {
			points, err := strconv.ParseFloat(s[strings.LastIndexByte(s, ' ')+1:], 64)
			if err != nil {
				return nil, fmt.Errorf("%s %q", kind, s)
			}
			r.other[kind] = points
		}
	}
	return r, nil
}

// sharedRows maps sources to that whose rows apply to them.
var sharedRows = map[string]string{"discovery_unchecked": "discovery", "discovery_foreign": "discovery", "system_answer": "system_text"}

// find returns the row that an observation matched: of a source the first, of domains the longest; nil if none.
func (t *table) find(o *observation) (best *row) {
	source, value := o.Source, strings.ToLower(o.Value)
	if s, ok := sharedRows[source]; ok {
		source = s
	}
	if source == "oui" { // matched by the short name of the vendor
		value = strings.ToLower(o.vendor())
	}
	for _, r := range t.rows {
		switch {
		case r.source != source:
		case source == "name":
			if (value == r.match || strings.HasSuffix(value, "."+r.match)) && (best == nil || len(r.match) > len(best.match)) {
				best = r
			}
		case r.re != nil && r.re.MatchString(o.Value), r.re == nil && contains(value, strings.ToLower(r.match)):
			return r
		}
	}
	return best
}

func contains(low, text string) bool {
	switch text[0] {
	case '^':
		return strings.HasPrefix(low, text[1:])
	case '=':
		return low == text[1:]
	}
	return strings.Contains(low, text)
}

// share returns which share of the weight of the row an observation has, from the points of its strongest part.
func (r *row) share(o *observation) float64 {
	most := 0.0
	for _, v := range r.votes {
		most = max(most, math.Abs(v.points))
	}
	for kind, points := range r.other {
		if strings.Contains(o.Says, kind+"=") {
			most = max(most, math.Abs(points))
		}
	}
	if r.source == "oui" {
		most = max(most, brandPoints)
	}
	return min(math.Abs(o.Points)/most, 1)
}

// brandPoints is the weight of the vendor of a MAC address that votes for a role.
const brandPoints = 15

// write writes the table with other weights and the next version.
func (t *table) write(file string, w weights) error {
	lines := slices.Clone(t.lines)
	for i, line := range lines {
		if v, ok := strings.CutPrefix(line, "version\t"); ok {
			n, err := strconv.Atoi(v)
			if err != nil {
				return err
			}
			lines[i] = "version\t" + strconv.Itoa(n+1)
		}
	}
	for _, r := range t.rows {
		if len(r.votes) == 0 || r.line < 0 {
			continue
		}
		var words []string
		for _, v := range r.votes {
			words = append(words, fmt.Sprintf("%s%+g", roles[v.role], w.of(r, v)))
		}
		cells := strings.Split(lines[r.line], "\t")
		cells[2] = strings.Join(words, " ")
		lines[r.line] = strings.Join(cells, "\t")
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644)
}
