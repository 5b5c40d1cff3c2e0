// SPDX-License-Identifier: Apache-2.0

// Package sigma translates Sigma rules (https://github.com/SigmaHQ/sigma-specification) about network traffic into custom rules. What has no
// counterpart in what the sensor sees is refused with the reason.
package sigma

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/customrule"
)

// Translation is one Sigma rule of a file.
type Translation struct {
	Title string
	Rule  *customrule.Rule // without an id; nil if Err is set
	Err   error            // why it does not translate
}

// Translate reads the Sigma rules of a file. The error is about the file; that of each rule is in its Translation.
func Translate(name string, src []byte) (all []Translation, err error) {
	docs, err := config.ParseAny(name, src)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		m, ok := d.([]config.Pair)
		if !ok {
			return nil, fmt.Errorf("%s: a Sigma rule must be a mapping", name)
		}
		x := Translation{Title: oneLine(text(m, "title"), 100)}
		if x.Rule, x.Err = translate(m); x.Err != nil {
			x.Rule = nil
		}
		all = append(all, x)
	}
	return all, nil
}

// translate returns the custom rule of one Sigma rule.
func translate(m []config.Pair) (*customrule.Rule, error) {
	if text(m, "title") == "" || get(m, "detection") == nil {
		return nil, errors.New("it is no Sigma rule: title and detection are needed")
	}
	if get(m, "action") != nil || get(m, "correlation") != nil {
		return nil, errors.New("collections and correlations are not supported")
	}
	on, err := kindOf(get(m, "logsource"))
	if err != nil {
		return nil, err
	}
	detection, ok := get(m, "detection").([]config.Pair)
	if !ok {
		return nil, errors.New("detection must be a mapping")
	}
	t := &translator{on: on, detection: detection}
	when, err := t.condition(get(detection, "condition"))
	if err != nil {
		return nil, err
	}
	r := &customrule.Rule{Name: oneLine(text(m, "title"), 60), On: on, When: when, Severity: "medium", Count: 1, Within: customrule.DefaultSpan, PerPair: true, Source: source(m)}
	if level := text(m, "level"); slices.Contains(config.Severities(), level) {
		r.Severity = level
	}
	tags, _ := get(m, "tags").([]any)
	for _, tag := range tags {
		s, _ := tag.(string)
		if id := strings.ToUpper(strings.TrimPrefix(s, "attack.")); technique.MatchString(id) && len(r.Attack) < 8 {
			r.Attack = append(r.Attack, id)
		}
	}
	if err := r.Compile(); err != nil {
		return nil, err
	}
	return r, nil
}

var technique = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

// source names the Sigma rule and its author, whom its license wants to be named.
func source(m []config.Pair) string {
	s := strings.TrimSpace("Sigma " + text(m, "id"))
	if a := text(m, "author"); a != "" {
		s += " by " + a
	}
	return oneLine(s, 200)
}

// kindOf returns the kind of event that a log source is about.
func kindOf(logsource any) (customrule.On, error) {
	m, _ := logsource.([]config.Pair)
	category, product, service := text(m, "category"), text(m, "product"), text(m, "service")
	switch category {
	case "dns", "dns_query":
		return customrule.OnDNS, nil
	case "firewall", "network_connection":
		return customrule.Opened, nil
	case "proxy", "webserver":
		return customrule.OnHTTP, nil
	}
	if product == "zeek" {
		switch service {
		case "dns":
			return customrule.OnDNS, nil
		case "conn":
			return customrule.Ended, nil
		case "http":
			return customrule.OnHTTP, nil
		case "ssl", "x509":
			return customrule.OnTLS, nil
		}
	}
	return "", fmt.Errorf("the sensor has no log source with category %q, product %q, service %q", category, product, service)
}

func get(m []config.Pair, key string) any {
	for _, p := range m {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

func text(m []config.Pair, key string) string {
	s, _ := get(m, key).(string)
	return s
}

// oneLine returns a text in one line of at most limit characters.
func oneLine(s string, limit int) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return string(r)
}
