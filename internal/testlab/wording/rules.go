// SPDX-License-Identifier: Apache-2.0

// Package wording checks texts against the word list of the project, and the texts of alerts against docs/style.md.
package wording

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// List is the path of the word list, relative to the root of the repository.
const List = "scripts/prose.txt"

// Rule is a line of the word list.
type Rule struct {
	pattern *regexp.Regexp
	instead string
	InGo    bool // it also applies to comments and messages in Go files
}

// Parse reads a word list.
func Parse(list string) (rules []Rule, err error) {
	n := 0
	for line := range strings.Lines(list) {
		n++
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < 2 || len(fields) > 3 || len(fields) == 3 && fields[2] != "go" {
			return nil, fmt.Errorf("%s:%d: want a pattern, a tab, the better wording, and optionally a tab and go", List, n)
		}
		p, err := regexp.Compile(`(?i)\b(?:` + strings.ReplaceAll(fields[0], " ", `\s+`) + `)\b`)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", List, n, err)
		}
		rules = append(rules, Rule{pattern: p, instead: fields[1], InGo: len(fields) == 3})
	}
	return rules, nil
}

// Match is a place in a text that a rule rules out.
type Match struct {
	Line    int // from 0
	Text    string
	Instead string // the better wording
}

// Find returns the places in a text that the rule rules out.
func (r *Rule) Find(text string) (all []Match) {
	b := []byte(text)
	for _, at := range r.pattern.FindAllIndex(b, -1) {
		all = append(all, Match{bytes.Count(b[:at[0]], []byte("\n")), text[at[0]:at[1]], r.instead})
	}
	return all
}
