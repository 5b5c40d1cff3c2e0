// SPDX-License-Identifier: Apache-2.0

// Package recog matches banners against the databases of Recog (https://github.com/rapid7/recog): XML files with regular expressions and
// what a match says about the software, the operating system and the hardware. The files are the operator's; none are part of this
// project.
package recog

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a directory of databases. That of Recog 3 has some 60 files with 4,700 patterns.
const (
	maxFile     = 16 << 20
	maxFiles    = 500
	maxPatterns = 100_000
)

// DB is a directory of databases, compiled. It is not changed after Load.
type DB struct {
	lists map[string][]*pattern // by what a database matches, in the order of preference
	count int
}

// pattern is one fingerprint.
type pattern struct {
	re      *regexp.Regexp
	literal string // in lower case; a text without it cannot match; "" if there is none
	params  []param
}

// param is a value that a match yields: the text of a group, or value if group is 0.
type param struct {
	group       int
	name, value string
}

// Match is what a match says. What is not known is "".
type Match struct {
	Service, ServiceVersion string  // product, with its vendor if the name does not begin with it
	OS, OSVersion           string  // the same
	OSVendor                string  // vendor of the operating system
	Vendor, Product, Device string  // of the hardware: vendor, product, kind of device
	Certainty               float64 // of the hardware, 0 to 1
}

// xmlDatabase is a file: <fingerprints matches="ssh.banner" preference="0.90">.
type xmlDatabase struct {
	Matches    string `xml:"matches,attr"`
	Preference string `xml:"preference,attr"`
}

type xmlFingerprint struct {
	Pattern string `xml:"pattern,attr"`
	Flags   string `xml:"flags,attr"`
	Params  []struct {
		Pos   string `xml:"pos,attr"`
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	} `xml:"param"`
}

// database is a file that was read.
type database struct {
	matches    string
	preference float64
	patterns   []*pattern
}

// Load reads all files *.xml of a directory. The error names the file and the line.
func Load(dir string) (*DB, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	switch {
	case err != nil:
		return nil, err
	case len(files) == 0:
		return nil, fmt.Errorf("%s: no file *.xml", dir)
	case len(files) > maxFiles:
		return nil, fmt.Errorf("%s: %d files, at most %d are read", dir, len(files), maxFiles)
	}
	var all []*database
	count := 0
	for _, file := range files { // Glob sorts them
		x, err := loadFile(file)
		if err != nil {
			return nil, err
		}
		if count += len(x.patterns); count > maxPatterns {
			return nil, fmt.Errorf("%s: more than %d patterns in the directory", file, maxPatterns)
		}
		all = append(all, x)
	}
	slices.SortStableFunc(all, func(a, b *database) int { return cmp.Compare(b.preference, a.preference) })
	db := &DB{lists: map[string][]*pattern{}, count: count}
	for _, x := range all {
		db.lists[x.matches] = append(db.lists[x.matches], x.patterns...)
	}
	return db, nil
}

// Patterns returns the number of patterns.
func (db *DB) Patterns() int { return db.count }

func loadFile(file string) (*database, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: larger than %d MiB", file, maxFile>>20)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parse(file, string(text))
}

// parse reads a database. The error names the file and the line.
func parse(file, text string) (*database, error) {
	x := &database{preference: 0.5}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		line, _ := d.InputPos()
		if err != nil {
			if x.matches != "" && d.InputOffset() >= int64(len(text)) && !isSyntax(err) {
				return x, nil
			}
			if x.matches == "" && !isSyntax(err) {
				err = errors.New("no element <fingerprints matches=…>")
			}
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if err := x.element(file, d, start); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
	}
}

func isSyntax(err error) bool {
	var s *xml.SyntaxError
	return errors.As(err, &s)
}

func (x *database) element(file string, d *xml.Decoder, start xml.StartElement) error {
	switch start.Name.Local {
	case "fingerprints":
		var a xmlDatabase
		for _, at := range start.Attr {
			switch at.Name.Local {
			case "matches":
				a.Matches = at.Value
			case "preference":
				a.Preference = at.Value
			}
		}
		if a.Matches == "" {
			a.Matches = strings.TrimSuffix(filepath.Base(file), ".xml") // as Recog does
		}
		x.matches = a.Matches
		if p, err := strconv.ParseFloat(a.Preference, 64); err == nil {
			x.preference = p
		}
		return nil
	case "fingerprint":
		if x.matches == "" {
			return errors.New("<fingerprint> outside of <fingerprints>")
		}
		var f xmlFingerprint
		if err := d.DecodeElement(&f, &start); err != nil {
			return err
		}
		p, err := compile(&f)
		if err == nil {
			x.patterns = append(x.patterns, p)
		}
		return err
	}
	return fmt.Errorf("unexpected element <%s>", start.Name.Local)
}

// compile compiles a fingerprint. Parameters with a temporary name are kept, because others may refer to them.
func compile(f *xmlFingerprint) (*pattern, error) {
	if f.Pattern == "" {
		return nil, errors.New("<fingerprint> without a pattern")
	}
	expr := "(?m)" + f.Pattern // in Ruby, ^ and $ always match at the ends of lines
	for _, flag := range strings.FieldsFunc(f.Flags, func(c rune) bool { return c == ',' || c == '|' || c == ' ' }) {
		switch flag {
		case "REG_ICASE", "IGNORECASE":
			expr = "(?i)" + expr
		case "REG_DOT_NEWLINE", "REG_MULTILINE", "MULTILINE": // of Ruby: a dot matches the end of a line, too
			expr = "(?s)" + expr
		case "REG_LINE_ANY_CRLF":
		default:
			return nil, fmt.Errorf("pattern %q: unknown flag %q", f.Pattern, flag)
		}
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	p := &pattern{re: re, literal: required(expr)}
	for _, x := range f.Params {
		pos, err := strconv.Atoi(x.Pos)
		if err != nil || pos < 0 || pos > re.NumSubexp() {
			return nil, fmt.Errorf("pattern %q: no group %q", f.Pattern, x.Pos)
		}
		p.params = append(p.params, param{pos, x.Name, x.Value})
	}
	return p, nil
}

// required returns the longest literal that every match of an expression contains, in lower case.
func required(expr string) string {
	x, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return ""
	}
	return literal(x.Simplify())
}

func literal(x *syntax.Regexp) string {
	switch x.Op {
	case syntax.OpLiteral:
		return strings.ToLower(string(x.Rune))
	case syntax.OpCapture, syntax.OpPlus:
		return literal(x.Sub[0])
	case syntax.OpConcat:
		best := ""
		for _, sub := range x.Sub {
			if s := literal(sub); len(s) > len(best) {
				best = s
			}
		}
		return best
	}
	return ""
}

// Lookup returns what the first pattern that matches a text says; ok is false if none does. what names the texts as the databases do:
// "ssh.banner". db may be nil.
func (db *DB) Lookup(what, text string) (m Match, ok bool) {
	if db == nil || text == "" {
		return m, false
	}
	low := strings.ToLower(text)
	for _, p := range db.lists[what] {
		if !strings.Contains(low, p.literal) {
			continue
		}
		if groups := p.re.FindStringSubmatch(text); groups != nil {
			return p.match(groups), true
		}
	}
	return m, false
}

// match returns what a pattern says with these groups.
func (p *pattern) match(groups []string) Match {
	values := make(map[string]string, len(p.params))
	for _, x := range p.params {
		if x.group > 0 {
			x.value = strings.TrimSpace(groups[x.group])
		}
		if x.value != "" {
			values[x.name] = x.value
		}
	}
	get := func(names ...string) string {
		for _, name := range names {
			if v := values[name]; v != "" {
				return interpolate(v, values)
			}
		}
		return ""
	}
	m := Match{
		Service: product(get("service.vendor"), get("service.product", "service.family")), ServiceVersion: get("service.version"),
		OS: product(get("os.vendor"), get("os.product", "os.family")), OSVersion: get("os.version"), OSVendor: get("os.vendor"),
		Vendor: get("hw.vendor"), Product: get("hw.product", "hw.model", "hw.family"), Device: get("hw.device", "os.device", "service.device"), Certainty: 1,
	}
	if c, err := strconv.ParseFloat(get("hw.certainty", "os.certainty", "service.certainty"), 64); err == nil && c >= 0 && c <= 1 {
		m.Certainty = c
	}
	return m
}

// product returns the name of a product with its vendor.
func product(vendor, name string) string {
	if name == "" || strings.HasPrefix(strings.ToLower(name), strings.ToLower(vendor)) {
		return name
	}
	return vendor + " " + name
}

// interpolate replaces "{service.version}" by the value of that name.
func interpolate(v string, values map[string]string) string {
	before, rest, ok := strings.Cut(v, "{")
	if !ok {
		return v
	}
	name, after, ok := strings.Cut(rest, "}")
	if !ok {
		return v
	}
	return before + values[name] + after
}
