// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"stillwatch/internal/testneed"
)

// Limits of docs/style.md.
const (
	maxTitle     = 90
	maxSentences = 2
)

var (
	sentenceEnd = regexp.MustCompile(`[.!?](?:\s|$)`)
	threeSteps  = regexp.MustCompile(`^1\. \S.*[.!?] 2\. \S.*[.!?] 3\. \S.*[.!?]$`)
	unfilled    = regexp.MustCompile(`%!|<nil>|\{[a-z ]*\}| {2}|\(\)`)
	onHost      = regexp.MustCompile(`(?i)\bprocess(?:es)?\b|\bnetstat\b|\bss -|\bEDR\b|\bmemory\b`)
)

// appliances are the roles of devices on which nobody can list processes.
var appliances = map[string]bool{"camera": true, "nvr": true, "network_gear": true, "phone": true, "printer": true, "iot": true, "iot_hub": true}

// Alert returns what is wrong with the texts of an alert about a device of the given role.
func Alert(rules []Rule, title, message, recommendation, role string) (wrong []string) {
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if n := utf8.RuneCountInString(title); n < 1 || n > maxTitle {
		fail("the title has %d characters: %q", n, title)
	}
	if n := len(sentenceEnd.FindAllString(message, -1)); n < 1 || n > maxSentences || !strings.HasSuffix(message, ".") {
		fail("the message has %d sentences: %q", n, message)
	}
	return append(wrong, Steps(rules, recommendation, role, title, message)...)
}

// Steps returns what is wrong with a recommendation for a device of the given role, and which words of it and of the other texts are ruled out.
func Steps(rules []Rule, recommendation, role string, others ...string) (wrong []string) {
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !threeSteps.MatchString(recommendation) || strings.Contains(recommendation, "4. ") {
		fail("the recommendation has not three numbered steps: %q", recommendation)
	}
	if appliances[role] {
		if word := onHost.FindString(recommendation); word != "" {
			fail("%q in the recommendation for the role %s: %q", word, role, recommendation)
		}
	}
	for _, text := range append(others, recommendation) {
		wrong = append(wrong, words(rules, text)...)
	}
	return wrong
}

// checked has the results of words by checkedText. Most texts differ from earlier ones in numbers only, and the patterns are slow.
var checked sync.Map

type checkedText struct {
	rules *Rule
	text  string
}

// words checks the words of a text. Digits count as zeros.
func words(rules []Rule, text string) (wrong []string) {
	text = strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return '0'
		}
		return r
	}, text)
	key := checkedText{text: text}
	if len(rules) > 0 {
		key.rules = &rules[0]
	}
	if known, ok := checked.Load(key); ok {
		return known.([]string)
	}
	if word := unfilled.FindString(text); word != "" {
		wrong = append(wrong, fmt.Sprintf("%q in %q", word, text))
	}
	for i := range rules {
		for _, m := range rules[i].Find(text) {
			wrong = append(wrong, fmt.Sprintf("%q -> %s: %q", m.Text, m.Instead, text))
		}
	}
	checked.Store(key, wrong)
	return wrong
}

// Rules returns the word list of the repository. Every call returns the same one.
func Rules(t testing.TB) []Rule {
	t.Helper()
	theRules.Lock()
	defer theRules.Unlock()
	if theRules.list != nil {
		return theRules.list
	}
	list, err := os.ReadFile(filepath.Join(testneed.Root(t), List))
	if err != nil {
		t.Fatal(err)
	}
	if theRules.list, err = Parse(string(list)); err != nil {
		t.Fatal(err)
	}
	return theRules.list
}

var theRules struct {
	sync.Mutex
	list []Rule
}
