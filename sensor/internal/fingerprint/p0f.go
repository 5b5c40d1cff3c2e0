// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// P0f is a file of p0f 3 signatures (p0f.fp): those of TCP and MTU. The format is described in p0f's docs/README, section 5. Signatures of
// HTTP are skipped.
type P0f struct {
	requests, responses []p0fSignature
	mtu                 map[int]string
}

// P0fLabel is what a signature stands for.
type P0fLabel struct {
	Generic bool   // a signature of last resort
	Class   string // win, unix, other; "!" is a program that writes its own packets
	Name    string // Linux
	Flavor  string // "3.11 and newer"; may be ""
}

// String returns name and flavor.
func (l *P0fLabel) String() string { return strings.TrimSpace(l.Name + " " + l.Flavor) }

// p0fSignature is one line of [tcp:request] or [tcp:response]. Negative numbers mean any.
type p0fSignature struct {
	label     *P0fLabel
	version   int // 4, 6
	ttl       int
	anyTTL    bool // any TTL up to ttl
	ipOptions int
	mss       int
	window    int
	unit      windowUnit
	scale     int
	layout    string // kinds of the options
	padding   int    // bytes behind the end of the list
	quirks    quirks
	payload   int // 0, 1
}

// windowUnit is how the window of a signature is written.
type windowUnit uint8

const (
	windowBytes windowUnit = iota
	windowMSS              // a multiple of the segment size
	windowMTU              // a multiple of the MTU
	windowModulo
)

const (
	maxP0fFile = 4 << 20
	maxP0fLine = 4096
	// maxDistance is the largest number of routers between the sender and the sensor, as in p0f.
	maxDistance = 35
)

// LoadP0f reads a file of signatures. The error names the file and the line.
func LoadP0f(path string) (*P0f, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.Size() > maxP0fFile:
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxP0fFile>>20)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseP0f(path, text)
}

// ParseP0f reads signatures; errors name the file and the line.
func ParseP0f(file string, text []byte) (*P0f, error) {
	r := p0fReader{file: P0f{mtu: map[int]string{}}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxP0fLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
	}
	return &r.file, nil
}

// Signatures returns the number of signatures.
func (p *P0f) Signatures() int { return len(p.requests) + len(p.responses) + len(p.mtu) }

// p0fReader is the state of ParseP0f.
type p0fReader struct {
	file    P0f
	section string
	label   *P0fLabel
	link    string // label of [mtu]
}

func (r *p0fReader) line(line string) error {
	if name, ok := strings.CutPrefix(line, "["); ok {
		if name, ok = strings.CutSuffix(name, "]"); !ok {
			return fmt.Errorf("section %q without ]", line)
		}
		switch name {
		case "tcp:request", "tcp:response", "mtu", "http:request", "http:response":
		default:
			return fmt.Errorf("unknown section [%s]", name)
		}
		r.section, r.label, r.link = name, nil, ""
		return nil
	}
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return fmt.Errorf("%q: want key = value", line)
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	switch {
	case r.section == "" && key != "classes":
		return fmt.Errorf("key %q before the first section", key)
	case key == "classes" || key == "sys" || key == "ua_os" || strings.HasPrefix(r.section, "http:"):
		return nil
	case key == "label":
		return r.setLabel(value)
	case key == "sig":
		return r.signature(value)
	}
	return fmt.Errorf("unknown key %q", key)
}

func (r *p0fReader) setLabel(value string) error {
	if r.section == "mtu" {
		if r.link = value; value == "" {
			return fmt.Errorf("empty label")
		}
		return nil
	}
	f := strings.SplitN(value, ":", 4)
	if len(f) != 4 || f[0] != "s" && f[0] != "g" || f[1] == "" || f[2] == "" {
		return fmt.Errorf("label %q: want s or g, class, name and flavor, separated by colons", value)
	}
	r.label = &P0fLabel{Generic: f[0] == "g", Class: f[1], Name: f[2], Flavor: f[3]}
	return nil
}

func (r *p0fReader) signature(value string) error {
	if r.section == "mtu" {
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || r.link == "" {
			return fmt.Errorf("sig %q: want an MTU after a label", value)
		}
		if r.file.mtu[int(n)] == "" {
			r.file.mtu[int(n)] = r.link
		}
		return nil
	}
	if r.label == nil {
		return fmt.Errorf("sig before a label")
	}
	s, err := parseP0fSignature(value)
	if err != nil {
		return fmt.Errorf("sig %q: %w", value, err)
	}
	s.label = r.label
	if r.section == "tcp:response" {
		r.file.responses = append(r.file.responses, s)
	} else {
		r.file.requests = append(r.file.requests, s)
	}
	return nil
}

// parseP0fSignature reads ver:ittl:olen:mss:wsize,scale:olayout:quirks:pclass.
func parseP0fSignature(text string) (s p0fSignature, err error) {
	f := strings.Split(text, ":")
	if len(f) != 8 {
		return s, fmt.Errorf("%d fields, want 8 separated by colons", len(f))
	}
	number := func(what, text string, most int) int {
		if text == "*" {
			return -1
		}
		n, e := strconv.ParseUint(text, 10, 32)
		if (e != nil || int(n) > most) && err == nil {
			err = fmt.Errorf("%s %q: want a number up to %d or *", what, text, most)
		}
		return int(n)
	}
	s.version = number("version", f[0], 6)
	ttl, isMost := strings.CutSuffix(f[1], "-")
	s.ttl, s.anyTTL = number("TTL", ttl, 255), isMost
	s.ipOptions = number("length of IP options", f[2], 40)
	s.mss = number("segment size", f[3], 65535)
	window, scale, ok := strings.Cut(f[4], ",")
	if !ok {
		return s, fmt.Errorf("window %q: want window,scale", f[4])
	}
	s.scale = number("window scale", scale, 255)
	for unit, prefix := range [...]string{windowMSS: "mss*", windowMTU: "mtu*", windowModulo: "%"} {
		if rest, ok := strings.CutPrefix(window, prefix); ok && prefix != "" {
			window, s.unit = rest, windowUnit(unit)
		}
	}
	s.window = number("window", window, 65535)
	if s.unit != windowBytes && s.window < 1 && err == nil {
		err = fmt.Errorf("window %q: want a multiple from 1", f[4])
	}
	if e := s.setLayout(f[5]); e != nil && err == nil {
		err = e
	}
	if e := s.setQuirks(f[6]); e != nil && err == nil {
		err = e
	}
	switch f[7] {
	case "0":
	case "+":
		s.payload = 1
	case "*":
		s.payload = -1
	default:
		err = fmt.Errorf("payload class %q: want 0, + or *", f[7])
	}
	if s.version >= 0 && s.version != 4 && s.version != 6 && err == nil {
		err = fmt.Errorf("version %d: want 4, 6 or *", s.version)
	}
	if s.ttl < 1 && err == nil {
		err = fmt.Errorf("TTL %q: want 1 to 255", f[1])
	}
	return s, err
}

var p0fOptions = map[string]byte{"nop": optionNop, "mss": optionMSS, "ws": optionScale, "sok": 4, "sack": 5, "ts": optionTimes}

func (s *p0fSignature) setLayout(text string) error {
	if text == "" {
		return nil
	}
	var kinds []byte
	for _, name := range strings.Split(text, ",") {
		kind, ok := p0fOptions[name]
		if rest, isEnd := strings.CutPrefix(name, "eol+"); isEnd {
			n, err := strconv.ParseUint(rest, 10, 6)
			kind, s.padding, ok = optionEnd, int(n), err == nil
		} else if rest, isOther := strings.CutPrefix(name, "?"); isOther {
			n, err := strconv.ParseUint(rest, 10, 8)
			kind, ok = byte(n), err == nil
		}
		if !ok || len(kinds) == 40 {
			return fmt.Errorf("option %q is unknown, or there are more than 40", name)
		}
		kinds = append(kinds, kind)
	}
	s.layout = string(kinds)
	return nil
}

// p0fQuirks are the names of the quirks, in the order of their bits.
var p0fQuirks = []string{"df", "id+", "id-", "ecn", "0+", "flow", "seq-", "ack+", "ack-", "uptr+", "urgf+", "pushf+", "ts1-", "ts2+", "opt+", "exws", "bad"}

func (s *p0fSignature) setQuirks(text string) error {
	if text == "" {
		return nil
	}
	for _, name := range strings.Split(text, ",") {
		i := slices.Index(p0fQuirks, name)
		if i < 0 {
			return fmt.Errorf("unknown quirk %q", name)
		}
		s.quirks |= 1 << i
	}
	return nil
}

// Match returns the label of the signature that fits a stack best, nil if none does: an exact one, a generic one, then one that differs in what
// a router on the way may change. p may be nil.
func (p *P0f) Match(s *Stack) *P0fLabel {
	if p == nil {
		return nil
	}
	list := p.requests
	if s.Answer {
		list = p.responses
	}
	var generic, fuzzy *P0fLabel
	for i := range list {
		x := &list[i]
		switch fits, exactly := x.match(s); {
		case !fits:
		case exactly && !x.label.Generic:
			return x.label
		case exactly && generic == nil:
			generic = x.label
		case !exactly && fuzzy == nil && x.label.Class != "!":
			fuzzy = x.label
		}
	}
	if generic != nil {
		return generic
	}
	return fuzzy
}

// Link returns the kind of link that the MTU of a stack stands for, "" if it is not known. p may be nil.
func (p *P0f) Link(s *Stack) string {
	if p == nil || s.mss == 0 {
		return ""
	}
	return p.mtu[s.mtu()]
}

// mtu returns the MTU that the segment size was derived from.
func (s *Stack) mtu() int {
	if s.v6 {
		return int(s.mss) + 60
	}
	return int(s.mss) + 40
}

// match reports whether a signature fits, and whether it does so exactly.
func (x *p0fSignature) match(s *Stack) (fits, exactly bool) {
	is := func(want, got int) bool { return want < 0 || want == got }
	version, payload := 4, 0
	if s.v6 {
		version = 6
	}
	if s.hasPayload {
		payload = 1
	}
	if !is(x.version, version) || !is(x.payload, payload) || !is(x.ipOptions, int(s.ipOptions)) || !is(x.mss, int(s.mss)) || !is(x.scale, int(s.scale)) ||
		x.layout != s.layout || x.padding != int(s.padding) || !x.fitsWindow(s) {
		return false, false
	}
	want := x.quirks
	if x.version < 0 { // quirks of the other version do not count
		if s.v6 {
			want &^= quirkDF | quirkIDPlus | quirkIDMinus
		} else {
			want &^= quirkFlow
		}
	}
	missing, extra := want&^s.quirks, s.quirks&^want
	if missing&^(quirkDF|quirkIDPlus) != 0 || extra&^(quirkIDMinus|quirkECN) != 0 {
		return false, false
	}
	distance := x.ttl - int(s.ttl)
	if x.anyTTL && distance < 0 {
		return false, false
	}
	return true, missing|extra == 0 && distance >= 0 && (x.anyTTL || distance <= maxDistance)
}

func (x *p0fSignature) fitsWindow(s *Stack) bool {
	w := int(s.window)
	switch {
	case x.window < 0:
		return true
	case x.unit == windowMSS:
		// A stack that sends time stamps may count without their 12 bytes.
		return s.mss > 0 && (w == x.window*int(s.mss) || strings.IndexByte(s.layout, optionTimes) >= 0 && w == x.window*(int(s.mss)-12))
	case x.unit == windowMTU:
		return s.mss > 0 && w == x.window*s.mtu()
	case x.unit == windowModulo:
		return w > 0 && w%x.window == 0
	}
	return w == x.window
}
