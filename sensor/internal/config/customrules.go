// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"stillwatch/sensor/internal/customrule"
)

// maxRules bounds a file of rules, in bytes.
const maxRules = 4 << 20

// LoadRules reads the rules of the operator (docs/rules.md) from a file, or from all files *.yaml and *.yml of a folder in the order of their
// names. An empty path has none. The error has all mistakes of all files.
func LoadRules(path string) ([]*customrule.Rule, error) {
	if path == "" {
		return nil, nil
	}
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		if files, err = yamlFiles(path); err != nil {
			return nil, err
		}
	}
	var all []*customrule.Rule
	var errs []error
	for _, f := range files {
		src, err := readFile(f, maxRules)
		if err == nil {
			var rules []*customrule.Rule
			rules, err = ParseRules(f, src)
			all = append(all, rules...)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err := customrule.Check(all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func yamlFiles(dir string) (files []string, err error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if ext := filepath.Ext(f.Name()); !f.IsDir() && !strings.HasPrefix(f.Name(), ".") && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(dir, f.Name()))
		}
	}
	return files, nil
}

// ParseRules reads rules from src; messages use name as the file name.
func ParseRules(name string, src []byte) ([]*customrule.Rule, error) {
	d := newDocument(name, src, maxRules)
	r := &rulesReader{lines: map[string]int{}}
	if root := d.root(); root != nil {
		root.version()
		if root.find("rules") == nil {
			root.fail("rules is missing: a list of rules")
		}
		root.each("rules", func(v *value) {
			if m := v.doc.asMapping(v.node, "a rule"); m != nil {
				r.rule(m)
			}
		})
		root.done()
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return r.rules, nil
}

// rulesReader reads one document of rules.
type rulesReader struct {
	rules []*customrule.Rule
	lines map[string]int // of the rules, by id
}

var (
	ruleID      = regexp.MustCompile(`^C[0-9]{2,4}$`)
	techniqueID = regexp.MustCompile(`^(TA[0-9]{4}/)?T[0-9]{4}(\.[0-9]{3})?$`)
	withinForm  = regexp.MustCompile(`^([1-9][0-9]{0,5})(s|min|m|h|d)$`)
	placeholder = regexp.MustCompile(`\{[^}]*\}?`)
)

// Limits of the texts of a rule, in characters.
const (
	maxRuleName    = 60
	maxRuleTitle   = 90 // of the alert, with the names in it
	maxRuleMessage = 500
	maxRuleStep    = 200
	maxTechniques  = 8

	deviceRoom = 16 // what {device} takes at least in a title: an IPv4 address, or a name that is shortened
	peerRoom   = 21 // and {peer}: an IPv4 address with its port
)

var sentenceEnd = regexp.MustCompile(`[.!?]\s+\p{Lu}`)

func (r *rulesReader) rule(m *mapping) {
	x := &customrule.Rule{Severity: "medium", Count: 1, Within: customrule.DefaultSpan}
	r.id(m, x)
	m.text("name", &x.Name)
	if m.find("name") == nil {
		m.fail("a rule needs a name, which is in its alerts")
	}
	on := ""
	if m.choice("on", &on, customrule.Ons()); m.find("on") == nil {
		m.fail("a rule needs on, the kind of event: %s", strings.Join(customrule.Ons(), ", "))
	}
	x.On = customrule.On(on)
	m.choice("about", &x.About, []string{"client", "server"})
	m.choice("severity", &x.Severity, Severities())
	m.number("count", &x.Count, 1, customrule.MaxCount)
	within(m, x)
	per := "pair"
	m.choice("per", &per, []string{"device", "pair"})
	x.PerPair = per == "pair"
	m.text("title", &x.Title)
	m.text("message", &x.Message)
	m.text("source", &x.Source)
	ruleTexts(m, x)
	steps(m, x)
	attack(m, x)
	when(m, x)
	m.done()
	r.rules = append(r.rules, x)
}

func (r *rulesReader) id(m *mapping, x *customrule.Rule) {
	m.text("id", &x.ID)
	switch line := m.line(); {
	case m.find("id") == nil:
		m.fail("a rule needs an id: C and 2 to 4 digits, such as C001")
	case x.ID == "":
	case !ruleID.MatchString(x.ID):
		m.failKey("id", "%q is no id of a rule: write C and 2 to 4 digits, such as C001", x.ID)
	case r.lines[x.ID] > 0:
		m.failKey("id", "the rule in line %d has the id %s, too: give one of them another id", r.lines[x.ID], x.ID)
	default:
		r.lines[x.ID] = line
	}
}

// line returns the line of the first key.
func (m *mapping) line() int {
	if len(m.items) == 0 {
		return 0
	}
	return m.items[0].Key.GetToken().Position.Line
}

func within(m *mapping, x *customrule.Rule) {
	v := m.find("within")
	if v == nil {
		return
	}
	p := withinForm.FindStringSubmatch(v.string())
	if p == nil {
		v.fail("within must be a number with a unit: 30s, 10min, 24h or 7d")
		return
	}
	n, _ := strconv.Atoi(p[1]) // at most six digits
	x.Within = time.Duration(n) * map[string]time.Duration{"s": time.Second, "min": time.Minute, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[p[2]]
	if x.Within > customrule.MaxWithin {
		v.fail("within must be at most 7d")
	}
}

// ruleTexts checks the texts of a rule: their length, and the placeholders.
func ruleTexts(m *mapping, x *customrule.Rule) {
	for _, t := range []struct {
		key, text string
		limit     int
	}{{"name", x.Name, maxRuleName}, {"title", x.Title, math.MaxInt}, {"message", x.Message, maxRuleMessage}, {"source", x.Source, maxRuleStep}} {
		if n := len([]rune(t.text)); n > t.limit {
			m.failKey(t.key, "%s has %d characters, at most %d are allowed", t.key, n, t.limit)
		}
		if strings.ContainsAny(t.text, "\n\r\t") {
			m.failKey(t.key, "%s must be one line", t.key)
		}
	}
	titleLength(m, x.Title)
	if sentenceEnd.MatchString(x.Message) {
		m.failKey("message", "message must be one sentence: the alert adds a second one with what was seen")
	}
	for _, t := range [][2]string{{"title", x.Title}, {"message", x.Message}} {
		for _, p := range placeholder.FindAllString(t[1], -1) {
			if p != "{device}" && p != "{peer}" {
				m.failKey(t[0], "%s: there is no placeholder %s; write {device} or {peer}", t[0], p)
			}
		}
	}
}

// titleLength checks that a title fits with the names that replace its placeholders.
func titleLength(m *mapping, title string) {
	own := len([]rune(strings.NewReplacer("{device}", "", "{peer}", "").Replace(title)))
	most := maxRuleTitle - deviceRoom*strings.Count(title, "{device}") - peerRoom*strings.Count(title, "{peer}")
	if own > most {
		m.failKey("title", "title has %d characters beside the names, at most %d are allowed: the title of an alert has at most %d", own, max(most, 0), maxRuleTitle)
	}
}

func steps(m *mapping, x *customrule.Rule) {
	m.each("steps", func(v *value) {
		s := v.string()
		if n := len([]rune(s)); s == "" || n > maxRuleStep || strings.ContainsAny(s, "\n\r\t") {
			v.fail("a step must be one line of 1 to %d characters", maxRuleStep)
		}
		x.Steps = append(x.Steps, s)
	})
	if n := len(x.Steps); m.find("steps") != nil && n != 3 {
		m.failKey("steps", "steps must be three, found %d", n)
	}
}

func attack(m *mapping, x *customrule.Rule) {
	m.each("attack", func(v *value) {
		s := v.string()
		if !techniqueID.MatchString(s) {
			v.fail("%q is no technique of MITRE ATT&CK: write T1071, T1071.001, or with its tactic TA0011/T1071.001", s)
		}
		x.Attack = append(x.Attack, s)
	})
	if len(x.Attack) > maxTechniques {
		m.failKey("attack", "attack has %d techniques, at most %d are allowed", len(x.Attack), maxTechniques)
	}
}

// when compiles the expression, and reports a mistake where it is in the file.
func when(m *mapping, x *customrule.Rule) {
	v := m.find("when")
	if v == nil {
		m.fail("a rule needs when, the expression that must be true")
		return
	}
	if x.When = v.string(); v.failed || x.On == "" {
		return
	}
	err := x.Compile()
	var at *customrule.Error
	if !errors.As(err, &at) {
		if err != nil {
			v.fail("when: %s", err)
		}
		return
	}
	line, column := v.position(at.Line, at.Column)
	v.doc.bad = append(v.doc.bad, Problem{v.doc.file, line, column, shortened("when: " + at.Text), v.doc.line(line)})
}

// position returns where a place in a text is in the file. In a folded text, whose lines are joined, it is that of the text.
func (v *value) position(line, column int) (int, int) {
	t := v.node.GetToken().Position
	switch n := v.node.(type) {
	case *ast.LiteralNode:
		at := t.Line + line
		if strings.HasPrefix(n.Start.Value, "|") && at <= len(v.doc.lines) {
			text := string(v.doc.lines[at-1])
			return at, len(text) - len(strings.TrimLeft(text, " ")) + column
		}
	case *ast.StringNode:
		if source := v.doc.line(t.Line); line == 1 && t.Column <= len(source) && strings.HasPrefix(source[t.Column-1:], n.Value) {
			return t.Line, t.Column + column - 1
		} else if line == 1 && t.Column < len(source) && strings.HasPrefix(source[t.Column:], n.Value) { // in quotes
			return t.Line, t.Column + column
		}
	}
	return t.Line, t.Column
}

// FormatRules returns rules as a document that ParseRules reads, with what a translation sets: no texts and steps.
func FormatRules(rules []*customrule.Rule) []byte {
	var b bytes.Buffer
	b.WriteString("version: 1\nrules:\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "  - id: %s\n    name: %s\n    on: %s\n    when: %s\n    severity: %s\n", r.ID, quoted(r.Name), r.On, quoted(r.When), r.Severity)
		if r.About != "" {
			fmt.Fprintf(&b, "    about: %s\n", r.About)
		}
		if r.Count > 1 {
			fmt.Fprintf(&b, "    count: %d\n", r.Count)
		}
		if r.Within != customrule.DefaultSpan {
			fmt.Fprintf(&b, "    within: %ds\n", int(r.Within.Seconds()))
		}
		if !r.PerPair {
			b.WriteString("    per: device\n")
		}
		if len(r.Attack) > 0 {
			fmt.Fprintf(&b, "    attack: [%s]\n", strings.Join(r.Attack, ", "))
		}
		if r.Source != "" {
			fmt.Fprintf(&b, "    source: %s\n", quoted(r.Source))
		}
	}
	return b.Bytes()
}

// quoted returns a text in single quotes, in which YAML has no escapes.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
