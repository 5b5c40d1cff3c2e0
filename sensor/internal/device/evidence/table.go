// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"stillwatch/sensor/internal/datafile"
)

// The table of evidence, without the rows of banners. Its header describes the format.
//
//go:embed evidence.tsv
var tableText string

// vote is what a row says about a role. points are decibans and may be negative.
type vote struct {
	role   Role
	points float64
}

// rule is one row of the table. The zero rule says nothing.
type rule struct {
	source Source
	text   string         // in lower case, with the character that selects how to match; the domain for Name
	re     *regexp.Regexp // instead of text if the row has one

	roles        []vote
	vendor       string // "$1" is the first group of re
	vendorPoints float64
	model        string // "$1" is the first group of re
	modelPoints  float64

	firmware       string // "$1", or "$1|$2" with the date of the build
	firmwarePoints float64
}

// namesVendor reports whether the value names the vendor.
func (r *rule) namesVendor() bool { return strings.Contains(r.vendor, "$") }

// Table is the whole table, indexed.
type Table struct {
	Head     datafile.Head
	version  int
	bySource [numSources][]*rule // in the order of the file
	byDomain map[string]*rule    // of Name
}

// InUse holds the table in use. The embedded one is parsed at the first use. The tests of this package find an error in it.
var InUse = datafile.NewSlot(func() *Table {
	t, err := Parse([]byte(tableText))
	if err != nil {
		panic(err)
	}
	return t
})

func rules() *Table { return InUse.Get() }

// Embedded returns the file of evidence that is part of the program.
func Embedded() []byte { return []byte(tableText) }

// Rows returns the number of rows.
func (t *Table) Rows() int {
	n := len(t.byDomain)
	for _, list := range t.bySource {
		n += len(list)
	}
	return n
}

// Version returns the version of the table. It changes with the rows of either file.
func Version() int { return rules().version }

// Parse reads a table and adds the embedded rows of banners behind its own. An error names the line.
func Parse(text []byte) (*Table, error) {
	head, _, err := datafile.ParseHead(text)
	if err != nil {
		return nil, err
	}
	t := &Table{Head: head, byDomain: map[string]*rule{}}
	seen := map[string]int{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		err := t.add(strings.Split(line, "\t"), seen, n)
		if err == nil && len(line) > maxTableLine {
			err = fmt.Errorf("more than %d bytes", maxTableLine)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if t.version == 0 {
		return nil, errors.New("no version row")
	}
	banners, err := parseBanners("banners.yaml", bannersText)
	if err == nil {
		err = t.addBanners("banners.yaml", banners)
	}
	return t, err
}

// Bounds of the table: an operator may replace it.
const (
	maxTableRows = 20_000
	maxTableLine = 1 << 10
)

// add adds a row. seen maps source and match of the rows before to their lines.
func (t *Table) add(cells []string, seen map[string]int, line int) error {
	if cells[0] == "version" {
		return t.setVersion(cells[1:])
	}
	if t.version == 0 {
		return errors.New("the version row must come first")
	}
	if len(seen) >= maxTableRows {
		return fmt.Errorf("more than %d rows", maxTableRows)
	}
	r, err := parseRule(cells)
	if err != nil {
		return err
	}
	key := cells[0] + "\t" + strings.ToLower(cells[1])
	if first := seen[key]; first != 0 {
		return fmt.Errorf("same source and match as line %d", first)
	}
	seen[key] = line
	if r.source == Name {
		t.byDomain[r.text] = r
	} else {
		t.bySource[r.source] = append(t.bySource[r.source], r)
	}
	return nil
}

func (t *Table) setVersion(cells []string) (err error) {
	if t.version != 0 || len(cells) != 1 {
		return errors.New("want one version row with one number")
	}
	if t.version, err = strconv.Atoi(cells[0]); err != nil || t.version < 1 {
		return fmt.Errorf("version %q: want a number from 1", cells[0])
	}
	return nil
}

const columns = 6

// plainFirmware is the weight of a firmware in a row without a model, in decibans.
const plainFirmware = 20

func parseRule(cells []string) (*rule, error) {
	if len(cells) != columns {
		return nil, fmt.Errorf("%d columns, want %d separated by tabs", len(cells), columns)
	}
	for i, c := range cells {
		if c == "" || c != strings.TrimSpace(c) {
			return nil, fmt.Errorf("column %d: empty or with space around it; write - for none", i+1)
		}
		if c == "-" {
			cells[i] = ""
		}
	}
	source, ok := parseSource(cells[0])
	if !ok {
		return nil, fmt.Errorf("unknown source %q", cells[0])
	}
	r := &rule{source: source, firmware: cells[5]}
	var err error
	if err = r.setMatch(cells[1]); err != nil {
		return nil, err
	}
	if r.roles, err = parseRoles(cells[2]); err != nil {
		return nil, err
	}
	if r.vendor, r.vendorPoints, err = weighted(cells[3]); err != nil {
		return nil, fmt.Errorf("vendor: %w", err)
	}
	if r.model, r.modelPoints, err = weighted(cells[4]); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if r.firmware != "" {
		r.firmwarePoints = cmp.Or(r.modelPoints, plainFirmware)
	}
	return r, r.check()
}

func parseSource(name string) (Source, bool) {
	for i := range sources {
		if sources[i].name == name {
			return Source(i), true
		}
	}
	return 0, false
}

// setMatch sets what a value has to match.
func (r *rule) setMatch(text string) (err error) {
	expr, isRegexp := strings.CutPrefix(text, "~")
	switch {
	case isRegexp:
		if r.source == Name || r.source == HTTPURI || r.source == HTTPRequest {
			return errors.New("no regular expressions for this source: its results are not cached")
		}
		if r.re, err = regexp.Compile("(?i)" + expr); err != nil {
			return fmt.Errorf("match: %w", err)
		}
		return nil
	case strings.Trim(text, "^=") == "":
		return errors.New("nothing to match")
	case r.source == Name && (strings.ToLower(text) != text || strings.ContainsAny(text, "^= /") || strings.Count(text, ".") >= maxLabels):
		return fmt.Errorf("%q: want a domain in lower case with at most %d labels", text, maxLabels)
	}
	r.text = strings.ToLower(text)
	return nil
}

// check reports a row that says nothing or names a group that its match does not have.
func (r *rule) check() error {
	if len(r.roles) == 0 && r.vendor == "" && r.model == "" && r.firmware == "" {
		return errors.New("neither a role nor a vendor nor a model nor a firmware")
	}
	groups := 0
	if r.re != nil {
		groups = r.re.NumSubexp()
	}
	for _, s := range []string{r.vendor, r.model, r.firmware} {
		for ; s != ""; s = s[1:] {
			if s[0] == '$' && (len(s) < 2 || s[1] < '1' || int(s[1]-'0') > groups) {
				return fmt.Errorf("no group %.2q in the match", s)
			}
		}
	}
	return nil
}

// parseRoles reads "camera+25 nvr+23".
func parseRoles(s string) (votes []vote, err error) {
	for _, part := range strings.Fields(s) {
		at := strings.IndexAny(part, "+-")
		if at < 0 {
			return nil, fmt.Errorf("role %q: want a role and its weight, as in camera+25", part)
		}
		role, ok := ParseRole(part[:at])
		if !ok || role == Unknown || slices.ContainsFunc(votes, func(v vote) bool { return v.role == role }) {
			return nil, fmt.Errorf("role %q: unknown or given twice", part[:at])
		}
		points, err := parsePoints(part[at:])
		if err != nil {
			return nil, err
		}
		votes = append(votes, vote{role, points})
	}
	return votes, nil
}

// weighted reads "Axis +35".
func weighted(s string) (name string, points float64, err error) {
	if s == "" {
		return "", 0, nil
	}
	at := strings.LastIndexByte(s, ' ')
	if at < 0 {
		return "", 0, fmt.Errorf("%q: want a name and its weight, as in Axis +35", s)
	}
	points, err = parsePoints(s[at+1:])
	return s[:at], points, err
}

const maxPoints = 60

// parsePoints reads a weight in decibans with its sign.
func parsePoints(s string) (float64, error) {
	p, err := strconv.ParseFloat(s, 64)
	if err != nil || s[0] != '+' && s[0] != '-' || p == 0 || !(math.Abs(p) <= maxPoints) {
		return 0, fmt.Errorf("weight %q: want a number with its sign, from -%d to +%d", s, maxPoints, maxPoints)
	}
	return p, nil
}
