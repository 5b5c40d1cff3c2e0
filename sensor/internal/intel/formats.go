// SPDX-License-Identifier: Apache-2.0

package intel

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns are the places of the columns of a CSV list; -1 if it has none.
type columns struct {
	comma                rune
	value, label, expiry int
}

// The names of columns, as the public lists use them.
var (
	valueColumns  = []string{"indicator", "ioc", "ioc_value", "value", "ip", "ip_address", "dst_ip", "address", "src", "domain", "hostname", "url", "ja3", "ja3_md5", "ja4", "sha256", "prefix", "cidr", "network"}
	labelColumns  = []string{"label", "malware", "malware_printable", "threat", "tags", "comment", "description", "listingreason", "listing_reason", "reason", "name", "category"}
	expiryColumns = []string{"expires", "valid_until", "expiration", "expiry"}
)

// headOf returns the columns of a line that is the head of a CSV list, nil if it is none.
func headOf(line string) *columns {
	c := &columns{comma: ','}
	if strings.Contains(line, "\t") {
		c.comma = '\t'
	}
	fields := strings.Split(line, string(c.comma))
	if len(fields) < 2 {
		return nil
	}
	for i, f := range fields {
		fields[i] = strings.ReplaceAll(strings.ToLower(strings.Trim(f, "\"' ")), " ", "_")
	}
	find := func(names []string) int {
		for _, n := range names {
			if i := slices.Index(fields, n); i >= 0 {
				return i
			}
		}
		return -1
	}
	c.value, c.label, c.expiry = find(valueColumns), find(labelColumns), find(expiryColumns)
	if c.value < 0 {
		return nil
	}
	return c
}

func (b *builder) row(c *columns, line string) error {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = c.comma, true, true, -1
	fields, err := r.Read()
	if err != nil {
		return err
	}
	at := func(i int) string {
		if i < 0 || i >= len(fields) {
			return ""
		}
		return strings.TrimSpace(fields[i])
	}
	until, err := timeOf(at(c.expiry))
	if err != nil {
		return err
	}
	return b.add(at(c.value), at(c.label), until)
}

// timeOf reads a time: RFC 3339, a date, a date with a time, or seconds since the epoch; 0 for "".
func timeOf(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Unix(), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return n, nil
	}
	return 0, fmt.Errorf("%q is no time: write it as 2026-03-01T12:00:00Z", clean(s))
}

// mispEvent is what is read of a MISP event.
type mispEvent struct {
	Info      string          `json:"info"`
	Date      string          `json:"date"`
	Attribute []mispAttribute `json:"Attribute"`
	Object    []struct {
		Attribute []mispAttribute `json:"Attribute"`
	} `json:"Object"`
}

type mispAttribute struct {
	Type  string `json:"type"`
	Value string `json:"value"`
	ToIDS *bool  `json:"to_ids"`
}

type mispBox struct {
	Event *mispEvent `json:"Event"`
}

// stixObject is what is read of an object of a STIX 2.1 bundle.
type stixObject struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Pattern     string `json:"pattern"`
	PatternType string `json:"pattern_type"`
	ValidUntil  string `json:"valid_until"`
	Modified    string `json:"modified"`
	Revoked     bool   `json:"revoked"`
}

// json reads a MISP event, the response of a MISP search, a list of events, or a STIX bundle.
func (b *builder) json(text []byte) error {
	var doc struct {
		mispBox
		Type     string          `json:"type"`
		Objects  []stixObject    `json:"objects"`
		Response json.RawMessage `json:"response"`
	}
	var boxes []mispBox
	err := error(nil)
	if text[0] == '[' {
		err = json.Unmarshal(text, &boxes)
	} else {
		err = json.Unmarshal(text, &doc)
	}
	if err == nil && doc.Response != nil {
		err = json.Unmarshal(doc.Response, &boxes)
	}
	if err != nil {
		var at *json.SyntaxError
		if errors.As(err, &at) {
			return fmt.Errorf("byte %d: %w", at.Offset, err)
		}
		return err
	}
	if doc.Type == "bundle" {
		return b.stix(doc.Objects)
	}
	if doc.Event != nil {
		boxes = append(boxes, doc.mispBox)
	}
	events := 0
	for _, box := range boxes {
		if box.Event != nil {
			events++
			if err := b.misp(box.Event); err != nil {
				return err
			}
		}
	}
	if events == 0 {
		return errors.New("it has neither a MISP event nor a STIX bundle")
	}
	return nil
}

// mispTypes are the types of attributes whose value, or one part of it, is an indicator of network traffic.
var mispTypes = map[string]bool{"ip-dst": true, "ip-src": true, "ip-dst|port": true, "ip-src|port": true, "domain": true, "hostname": true, "hostname|port": true, "domain|ip": true,
	"url": true, "uri": false, "ja3-fingerprint-md5": true, "ja4-plus": true, "x509-fingerprint-sha256": true}

func (b *builder) misp(e *mispEvent) error {
	if isoDate.MatchString(e.Date) && (b.feed().Entries == 0 || e.Date > b.feed().Date) {
		b.feed().Date = e.Date
	}
	all := e.Attribute
	for _, o := range e.Object {
		all = append(all, o.Attribute...)
	}
	for _, a := range all {
		if !mispTypes[a.Type] || a.ToIDS != nil && !*a.ToIDS {
			b.feed().Skipped++
			continue
		}
		value, second, _ := strings.Cut(a.Value, "|")
		if err := b.add(value, e.Info, 0); err != nil {
			return fmt.Errorf("attribute of type %s: %w", clean(a.Type), err)
		}
		if a.Type == "domain|ip" {
			if err := b.add(second, e.Info, 0); err != nil {
				return fmt.Errorf("attribute of type %s: %w", clean(a.Type), err)
			}
		}
	}
	return nil
}

// stixTerm finds the comparisons of a STIX pattern that are read: [ipv4-addr:value = '198.51.100.1']. Only OR may join them: an indicator
// that needs two things at once is not read.
var stixTerm = regexp.MustCompile(`(ipv4-addr:value|ipv6-addr:value|domain-name:value|url:value|x509-certificate:hashes\.'SHA-256'|network-traffic:extensions\.'tls-ext'\.ja3_hash)\s*(?:=|ISSUBSET)\s*'([^']+)'`)

var stixJoin = regexp.MustCompile(`\b(AND|FOLLOWEDBY|NOT|REPEATS|WITHIN)\b`)

func (b *builder) stix(objects []stixObject) error {
	newest := ""
	for i := range objects {
		o := &objects[i]
		if o.Type != "indicator" {
			continue
		}
		terms := stixTerm.FindAllStringSubmatch(o.Pattern, -1)
		if len(terms) == 0 || o.Revoked || o.PatternType != "" && o.PatternType != "stix" || stixJoin.MatchString(o.Pattern) {
			b.feed().Skipped++
			continue
		}
		until, err := timeOf(o.ValidUntil)
		if err != nil {
			return fmt.Errorf("object %d: valid_until: %w", i+1, err)
		}
		for _, t := range terms {
			if err := b.add(t[2], o.Name, until); err != nil {
				return fmt.Errorf("object %d: %w", i+1, err)
			}
		}
		newest = max(newest, isoDate.FindString(o.Modified))
	}
	if newest != "" {
		b.feed().Date = newest
	}
	return nil
}
