// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"stillwatch/sensor/internal/session"
)

// Document is the exported form of learned contracts. Devices and entries are sorted, and nothing in it changes with every session, so that a
// line-by-line comparison shows what matters.
type Document struct {
	Contracts []DeviceDocument `yaml:"contracts"`
}

// DeviceDocument is the contract of one device.
type DeviceDocument struct {
	Device  string          `yaml:"device"`
	State   string          `yaml:"state"`
	Entries []EntryDocument `yaml:"entries"`
}

// EntryDocument is one entry.
type EntryDocument struct {
	Entry  string `yaml:"entry"` // as Key.String writes it
	From   string `yaml:"from"`
	Hours  string `yaml:"hours,omitempty"`
	Refuse bool   `yaml:"refuse,omitempty"`
	Stale  bool   `yaml:"stale,omitempty"`
	Note   string `yaml:"note,omitempty"` // the ACE of a MUD file
}

// MaxDocument is the size of a document that is read, in bytes.
const MaxDocument = 64 << 20

// All returns the contracts, sorted by device.
func (l *Learner) All() (out []*Learned) {
	for _, key := range slices.Sorted(maps.Keys(l.devices)) {
		out = append(out, l.devices[key])
	}
	return out
}

// Export returns the document of the contracts of all devices, or of one.
func (l *Learner) Export(device string) (d Document) {
	for _, c := range l.All() {
		if device != "" && c.Device != device {
			continue
		}
		x := DeviceDocument{Device: c.Device, State: c.State.String(), Entries: []EntryDocument{}}
		for _, e := range c.Entries(false) {
			y := EntryDocument{Entry: e.Key.String(), From: e.From.String(), Refuse: e.Refuse, Stale: e.Stale, Note: e.Note}
			if e.Hours != (Hours{}) {
				y.Hours = e.Hours.String()
			}
			x.Entries = append(x.Entries, y)
		}
		d.Contracts = append(d.Contracts, x)
	}
	return d
}

// Lines returns the document as lines of which each has a meaning by itself, for a comparison.
func (d Document) Lines() (out []string) {
	for _, c := range d.Contracts {
		out = append(out, fmt.Sprintf("%s: %s", c.Device, c.State))
		for _, e := range c.Entries {
			line := fmt.Sprintf("%s: %s (%s)", c.Device, e.Entry, e.From)
			if e.Hours != "" {
				line += ", hours " + e.Hours
			}
			if e.Refuse {
				line += ", refused"
			}
			if e.Stale {
				line += ", stale"
			}
			out = append(out, line)
		}
	}
	return out
}

// ParseDocument reads a document. Unknown keys are errors.
func ParseDocument(b []byte) (d Document, err error) {
	if len(b) > MaxDocument {
		return d, fmt.Errorf("the document is larger than %d bytes", MaxDocument)
	}
	if err := yaml.UnmarshalWithOptions(b, &d, yaml.Strict()); err != nil {
		return Document{}, errors.New(yaml.FormatError(err, false, false)) // without the source: it may be anything
	}
	return d, nil
}

// change is what an import does to one contract.
type change struct {
	device  string
	state   State
	entries map[Key]*LearnedEntry
}

// Import replaces the contracts of the devices in a document. Entries keep their counts if they stay, and a contract that is still learned
// keeps its candidates. After an error nothing has changed.
func (l *Learner) Import(d Document, now int64) error {
	var changes []change
	seen := map[string]bool{}
	devices, total := len(l.devices), l.total
	for _, x := range d.Contracts {
		if x.Device == "" || seen[x.Device] {
			return fmt.Errorf("device %q: a document has one contract for each device", x.Device)
		}
		seen[x.Device] = true
		c, err := x.parse()
		if err != nil {
			return fmt.Errorf("device %q: %w", x.Device, err)
		}
		if l.devices[x.Device] == nil {
			devices++
		}
		total += len(c.entries)
		changes = append(changes, c)
	}
	if devices > l.cfg.MaxDevices || total > l.cfg.MaxTotal {
		return fmt.Errorf("%d contracts with %d entries are too many: the limits are %d and %d", devices, total, l.cfg.MaxDevices, l.cfg.MaxTotal)
	}
	for i := range changes {
		l.replace(&changes[i], now)
	}
	return nil
}

func (x *DeviceDocument) parse() (change, error) {
	s, ok := ParseState(x.State)
	switch {
	case !ok:
		return change{}, fmt.Errorf("unknown state %q; the states are %s", x.State, strings.Join(stateNames[:], ", "))
	case s == TooVaried && len(x.Entries) > 0:
		return change{}, errors.New("a contract that is too_varied has no entries")
	case len(x.Entries) > EntriesLimit:
		return change{}, fmt.Errorf("more than %d entries", EntriesLimit)
	}
	c := change{x.Device, s, map[Key]*LearnedEntry{}}
	for _, y := range x.Entries {
		e, err := y.parse()
		if err != nil {
			return c, err
		}
		if c.entries[e.Key] != nil {
			return c, fmt.Errorf("%s is there twice", y.Entry)
		}
		c.entries[e.Key] = e
	}
	return c, nil
}

// replace makes a contract what a document says.
func (l *Learner) replace(x *change, now int64) {
	c := l.devices[x.device]
	if c == nil {
		c = &Learned{Device: x.device}
		c.reset(now)
		l.devices[x.device] = c
	}
	was := maps.Clone(c.entries)
	l.drop(c, func(e *LearnedEntry) bool { return e.Learned || x.state != Learning || x.entries[e.Key] != nil })
	if c.State == TooVaried && x.state != TooVaried {
		c.reset(now)
	}
	if c.State != x.state {
		c.enter(x.state, now)
		c.ByAnalyst = x.state == Armed || x.state == Frozen
	}
	for k, e := range x.entries {
		if o := was[k]; o != nil {
			kept := *o
			kept.From, kept.Learned, kept.Refuse, kept.Stale, kept.Hours, kept.Note = e.From, true, e.Refuse, e.Stale, e.Hours, e.Note
			e = &kept
		}
		l.add(c, e)
	}
	l.touch(c)
}

func (y EntryDocument) parse() (*LearnedEntry, error) {
	k, err := ParseKey(y.Entry)
	if err != nil {
		return nil, err
	}
	from := slices.Index(provenances[:], y.From)
	if from < 0 {
		return nil, fmt.Errorf("%s: from %q is none of %s", y.Entry, y.From, strings.Join(provenances[:], ", "))
	}
	e := &LearnedEntry{Key: k, From: Provenance(from), Learned: true, Refuse: y.Refuse, Stale: y.Stale, Note: y.Note}
	if y.Hours != "" {
		if e.Hours, err = ParseHours(y.Hours); err != nil {
			return nil, fmt.Errorf("%s: %w", y.Entry, err)
		}
	}
	return e, nil
}

// ParseKey reads the form that Key.String writes: "out tcp 443 tls to *.example.com".
func ParseKey(s string) (k Key, err error) {
	bad := fmt.Errorf(`%q: an entry looks like "out tcp 443 tls to api.example.com" or "in tcp 554 from inside"`, s)
	prep := " to "
	if strings.HasPrefix(s, "in ") {
		k.Dir, prep = session.In, " from "
	}
	head, peer, ok := strings.Cut(s, prep)
	words := strings.Fields(head)
	if !ok || len(words) < 2 || words[0] != [...]string{"out", "in"}[k.Dir] {
		return Key{}, bad
	}
	if k.Proto, ok = parseProto(words[1]); !ok {
		return Key{}, bad
	}
	words = words[2:]
	if hasPorts(k.Proto) {
		if len(words) == 0 {
			return Key{}, bad
		}
		if !k.parsePorts(words[0]) {
			return Key{}, bad
		}
		words = words[1:]
	}
	if len(words) > 1 {
		return Key{}, bad
	}
	k.App = strings.Join(words, "")
	if k.Peer, err = ParsePeer(peer); err != nil {
		return Key{}, fmt.Errorf("%q: %w", s, err)
	}
	if k.String() != s { // one form for each entry
		return Key{}, bad
	}
	return k, nil
}

// parsePorts reads "443", "8000-8010", "any" or "dynamic".
func (k *Key) parsePorts(s string) bool {
	switch s {
	case "dynamic":
		return true
	case "any":
		k.To = lastPort
		return true
	}
	from, to, dash := strings.Cut(s, "-")
	if !dash {
		to = from
	}
	a, e1 := strconv.ParseUint(from, 10, 16)
	z, e2 := strconv.ParseUint(to, 10, 16)
	if e1 != nil || e2 != nil || z == 0 || z < a {
		return false
	}
	*k = k.withPorts(uint16(a), uint16(z))
	return true
}

func parseProto(s string) (uint8, bool) {
	for _, p := range []uint8{anyProto, 1, 6, 17, 58, 132} {
		if protoName(p) == s {
			return p, true
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil
}
