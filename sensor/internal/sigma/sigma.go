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
	t := &translator{on: on, detection: detection, counted: counted{1, customrule.DefaultSpan, true, ""}}
	condition := get(detection, "condition")
	_, t.top = condition.(string)
	when, err := t.condition(condition)
	if err != nil {
		return nil, err
	}
	r := &customrule.Rule{Name: oneLine(text(m, "title"), 60), On: on, When: when, Severity: "medium", Source: source(m),
		Count: t.counted.n, Within: t.counted.within, PerPair: t.counted.pair, About: t.counted.about}
	if level := text(m, "level"); slices.Contains(config.Severities(), level) {
		r.Severity = level
	}
	r.Attack = techniques(get(m, "tags"))
	if err := r.Compile(); err != nil {
		return nil, err
	}
	return r, nil
}

var technique = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

// tactics are the names of the tactics of ATT&CK for Enterprise in tags of Sigma rules.
var tactics = map[string]string{
	"reconnaissance": "TA0043", "resource_development": "TA0042", "initial_access": "TA0001", "execution": "TA0002", "persistence": "TA0003",
	"privilege_escalation": "TA0004", "defense_evasion": "TA0005", "credential_access": "TA0006", "discovery": "TA0007", "lateral_movement": "TA0008",
	"collection": "TA0009", "exfiltration": "TA0010", "command_and_control": "TA0011", "impact": "TA0040",
}

// techniques returns the techniques of MITRE ATT&CK in the tags of a rule. If the tags name one tactic, it is that of the techniques for Enterprise;
// if they name several, they do not say which technique belongs to which.
func techniques(tags any) (ids []string) {
	list, _ := tags.([]any)
	var named []string
	for _, tag := range list {
		s, _ := tag.(string)
		s, _ = strings.CutPrefix(strings.ToLower(s), "attack.")
		if id := strings.ToUpper(s); technique.MatchString(id) && len(ids) < 8 {
			ids = append(ids, id)
		} else if ta := tactics[strings.ReplaceAll(s, "-", "_")]; ta != "" {
			named = append(named, ta)
		}
	}
	for i, id := range ids {
		if len(named) == 1 && !strings.HasPrefix(id, "T0") {
			ids[i] = named[0] + "/" + id
		}
	}
	return ids
}

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
