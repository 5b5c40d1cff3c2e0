// SPDX-License-Identifier: Apache-2.0

// Package intel reads lists of indicators (threat intelligence) and looks addresses, names and fingerprints up in them. Lists are plain
// text, CSV, MISP events or STIX 2.1 bundles.
package intel

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// Limits of the lists of one folder.
const (
	maxEntries = 20_000_000
	maxFeeds   = 1000
	maxLabels  = 1_000_000
	maxFile    = 1 << 30 // bytes
	maxLabel   = 120     // characters
)

// Kind is what an indicator describes.
type Kind uint8

// The kinds.
const (
	Addr        Kind = iota // an address or a prefix
	Domain                  // a name, with all names below it
	Host                    // a name alone, as the host of a URL
	JA3                     // of a TLS client
	JA4                     // of a TLS client
	Certificate             // SHA-256 of a certificate
	numKinds
)

// String returns the name of a kind as messages use it.
func (k Kind) String() string {
	return [numKinds]string{"address", "domain", "host", "JA3", "JA4", "certificate"}[k]
}

// Feed is one list.
type Feed struct {
	Name    string // of its file, without the extension
	Date    string // YYYY-MM-DD: from its content, else of the last change of its file
	Entries int
	Skipped int // indicators of kinds that the sensor does not see, such as hashes of files, and public suffixes
}

// Match is an indicator that was found.
type Match struct {
	Feed, Date string // name and date of the list
	Label      string // what the list says of it, "" if nothing
	Kind       Kind
	Value      string // what was looked up
}

// entry is one indicator: 24 bytes, so that ten million take 240 MB.
type entry struct {
	hash  uint64 // of kind and value
	until int64  // end of its validity, seconds since the epoch; 0: no end
	label uint32 // index in Set.labels
	feed  uint16
}

// Set is the content of all lists of a folder. The zero value and nil are empty. It does not change once it is loaded.
type Set struct {
	Feeds    []Feed
	seed     maphash.Seed
	entries  []entry // sorted by hash, then by feed
	prefixes *bart.Table[entry]
	labels   []string
	total    int // indicators
}

// Load reads all lists of a folder, in the order of their names. An empty name is an empty set. The error names each file and line that is
// wrong.
func Load(dir string) (*Set, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	b := newBuilder()
	var errs []error
	for _, f := range files {
		if f.IsDir() || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if err := b.file(filepath.Join(dir, f.Name())); err != nil {
			errs = append(errs, err)
		}
	}
	return b.set(), errors.Join(errs...)
}

// Len returns the number of indicators.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.total
}

// Lookup returns the indicator of a value that is not an address or a name; now is the capture clock, in nanoseconds.
func (s *Set) Lookup(k Kind, value string, now int64) (Match, bool) {
	if s == nil || value == "" {
		return Match{}, false
	}
	h := s.hash(k, value)
	i, found := slices.BinarySearchFunc(s.entries, h, func(e entry, h uint64) int { return cmp.Compare(e.hash, h) })
	for ; found && i < len(s.entries) && s.entries[i].hash == h; i++ {
		if e := &s.entries[i]; e.valid(now) {
			return s.match(e, k, value), true
		}
	}
	return Match{}, false
}

// Address returns the indicator of an address: the address itself, else the longest prefix that has it.
func (s *Set) Address(a netip.Addr, now int64) (Match, bool) {
	if s == nil || !a.IsValid() {
		return Match{}, false
	}
	a = a.Unmap().WithZone("")
	if len(s.entries) > 0 {
		var room [64]byte
		if m, ok := s.Lookup(Addr, string(a.AppendTo(room[:0])), now); ok {
			return m, true
		}
	}
	if e, ok := s.prefixes.Lookup(a); ok && e.valid(now) {
		return s.match(&e, Addr, a.String()), true
	}
	return Match{}, false
}

// Name returns the indicator of a DNS name: of the name, or of a domain above it.
func (s *Set) Name(name string, now int64) (Match, bool) {
	if s == nil || len(s.entries) == 0 {
		return Match{}, false
	}
	name = normal(name)
	if m, ok := s.Lookup(Host, name, now); ok {
		return m, true
	}
	for rest := name; strings.Contains(rest, "."); {
		if m, ok := s.Lookup(Domain, rest, now); ok {
			m.Value = name
			return m, true
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return Match{}, false
}

func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func (e *entry) valid(now int64) bool { return e.until == 0 || now/1e9 < e.until }

func (s *Set) hash(k Kind, value string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	_ = h.WriteByte(byte(k))
	_, _ = h.WriteString(value)
	return h.Sum64()
}

func (s *Set) match(e *entry, k Kind, value string) Match {
	f := &s.Feeds[e.feed]
	return Match{Feed: f.Name, Date: f.Date, Label: s.labels[e.label], Kind: k, Value: value}
}

// AgeDays returns how old the list of a match is at now (capture clock, nanoseconds), 0 if its date is later.
func (m *Match) AgeDays(now int64) int {
	at, err := time.Parse(time.DateOnly, m.Date)
	if err != nil {
		return 0
	}
	return max(int((now/1e9-at.Unix())/(24*60*60)), 0)
}

// Text describes a match for a reader: "abuse-list of 2026-03-01 (Mirai)".
func (m *Match) Text() string {
	text := fmt.Sprintf("%s of %s", m.Feed, m.Date)
	if m.Label != "" {
		text += " (" + m.Label + ")"
	}
	return text
}
