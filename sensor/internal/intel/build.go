// SPDX-License-Identifier: Apache-2.0

package intel

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gaissmai/bart"
	"golang.org/x/net/publicsuffix"
)

// builder collects the indicators of all lists.
type builder struct {
	s      *Set
	label  map[string]uint32
	prefix map[netip.Prefix]bool
}

func newBuilder() *builder {
	return &builder{s: &Set{seed: maphash.MakeSeed(), prefixes: new(bart.Table[entry]), labels: []string{""}}, label: map[string]uint32{"": 0}, prefix: map[netip.Prefix]bool{}}
}

func (b *builder) set() *Set {
	slices.SortStableFunc(b.s.entries, func(x, y entry) int { return cmp.Compare(x.hash, y.hash) })
	b.s.entries = slices.Clip(b.s.entries)
	for _, f := range b.s.Feeds {
		b.s.total += f.Entries
	}
	return b.s
}

// file reads one list. Its format is recognized by its content.
func (b *builder) file(path string) error {
	if len(b.s.Feeds) >= maxFeeds {
		return fmt.Errorf("%s: more than %d lists", path, maxFeeds)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return fmt.Errorf("%s: it is no regular file of at most %d bytes", path, maxFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	b.s.Feeds = append(b.s.Feeds, Feed{Name: clean(strings.TrimSuffix(name, filepath.Ext(name))), Date: info.ModTime().UTC().Format(time.DateOnly)})
	if err := b.parse(text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// parse reads the content of the newest feed.
func (b *builder) parse(text []byte) error {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch head := bytes.TrimLeftFunc(text, unicode.IsSpace); {
	case len(head) > 0 && (head[0] == '{' || head[0] == '['):
		return b.json(head)
	default:
		return b.lines(text)
	}
}

func (b *builder) feed() *Feed { return &b.s.Feeds[len(b.s.Feeds)-1] }

// isoDate finds a date in a comment of a list: "# Last updated: 2026-03-01 12:00 UTC".
var isoDate = regexp.MustCompile(`\b20\d\d-[01]\d-[0-3]\d`)

// lines reads a plain list, with one indicator a line, or CSV with a head. Lines that start with # or ; are comments.
func (b *builder) lines(text []byte) error {
	var columns *columns
	// Room for all at once: a table of hundreds of megabytes that grows step by step is there twice.
	b.s.entries = slices.Grow(b.s.entries, max(0, min(bytes.Count(text, []byte("\n"))+1, maxEntries-len(b.s.entries))))
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(make([]byte, 0, 64<<10), 1<<20)
	dated := false
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		switch {
		case line == "":
		case line[0] == '#' || line[0] == ';':
			if date := isoDate.FindString(line); date != "" && !dated {
				b.feed().Date, dated = date, true
			}
			if columns == nil {
				columns = headOf(strings.TrimLeft(line, "#; "))
			}
		case columns == nil && b.feed().Entries == 0 && headOf(line) != nil:
			columns = headOf(line)
		case columns != nil && strings.ContainsAny(line, ",\t"):
			if err := b.row(columns, line); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		default:
			value, label := line, ""
			if i := strings.IndexAny(line, " \t,;#"); i > 0 {
				value, label = line[:i], strings.TrimLeft(line[i:], " \t,;#")
			}
			if err := b.add(value, label, 0); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("a line is longer than a megabyte: %w", err)
	}
	return nil
}

var (
	md5Form    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
	otherHash  = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{96}|[0-9a-f]{128})$`)
	ja4Form    = regexp.MustCompile(`^[tqd][0-9sd]{2}[di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$`)
	nameForm   = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}$`)
)

// add adds an indicator whose kind follows from its form. until is the end of its validity, in seconds since the epoch.
func (b *builder) add(value, label string, until int64) error {
	v := refang(strings.ToLower(strings.Trim(value, `"' `)))
	switch {
	case v == "":
		return nil
	case md5Form.MatchString(v):
		return b.put(JA3, v, label, until)
	case sha256Form.MatchString(v):
		return b.put(Certificate, v, label, until)
	case otherHash.MatchString(v):
		b.feed().Skipped++
		return nil
	case ja4Form.MatchString(v):
		return b.put(JA4, v, label, until)
	case strings.Contains(v, "://"):
		u, err := url.Parse(v)
		if err != nil || u.Hostname() == "" {
			return fmt.Errorf("%q is no URL", clean(value))
		}
		return b.host(u.Hostname(), Host, label, until)
	}
	if p, err := netip.ParsePrefix(v); err == nil {
		return b.network(p.Masked(), label, until)
	}
	if a, err := netip.ParseAddrPort(v); err == nil {
		v = a.Addr().String()
	}
	if host, _, ok := strings.Cut(v, "/"); ok {
		return b.host(host, Host, label, until)
	}
	return b.host(v, Domain, label, until)
}

// refang undoes the usual ways to write an indicator so that nobody can click on it: 198[.]51[.]100[.]1, hxxp://.
func refang(v string) string {
	v = strings.NewReplacer("[.]", ".", "(.)", ".", "[dot]", ".", "[:]", ":").Replace(v)
	if rest, ok := strings.CutPrefix(v, "hxxp"); ok {
		return "http" + rest
	}
	return v
}

// host adds an address or a name.
func (b *builder) host(v string, k Kind, label string, until int64) error {
	if a, err := netip.ParseAddr(v); err == nil {
		a = a.Unmap().WithZone("")
		if !a.IsGlobalUnicast() || a.IsPrivate() {
			b.feed().Skipped++ // lists of bogons are no threat intelligence
			return nil
		}
		return b.put(Addr, a.String(), label, until)
	}
	v = normal(strings.TrimPrefix(v, "*."))
	if !nameForm.MatchString(v) {
		return fmt.Errorf("%q is no address, prefix, domain, URL, JA3, JA4 or SHA-256", clean(v))
	}
	if k == Domain {
		if suffix, _ := publicsuffix.PublicSuffix(v); suffix == v {
			b.feed().Skipped++ // everybody's names are below it
			return nil
		}
	}
	return b.put(k, v, label, until)
}

func (b *builder) put(k Kind, v, label string, until int64) error {
	if len(b.s.entries) >= maxEntries {
		return fmt.Errorf("more than %d indicators in all lists together", maxEntries)
	}
	b.s.entries = append(b.s.entries, b.entry(b.s.hash(k, v), label, until))
	b.feed().Entries++
	return nil
}

func (b *builder) entry(hash uint64, label string, until int64) entry {
	return entry{hash: hash, until: until, label: b.intern(label), feed: uint16(len(b.s.Feeds) - 1)}
}

// network adds a prefix. The first list that has it keeps it. Prefixes shorter than /8, or /16 of IPv6, are refused as mistakes.
func (b *builder) network(p netip.Prefix, label string, until int64) error {
	switch a := p.Addr(); {
	case p.IsSingleIP():
		return b.host(a.String(), Domain, label, until)
	case a.Is4() && p.Bits() < 8 || a.Is6() && p.Bits() < 16:
		return fmt.Errorf("%s is too large a part of the Internet for an indicator", p)
	case !a.IsGlobalUnicast() || a.IsPrivate():
		b.feed().Skipped++
		return nil
	case len(b.prefix) >= maxEntries:
		return fmt.Errorf("more than %d prefixes", maxEntries)
	}
	if !b.prefix[p] {
		b.prefix[p] = true
		b.s.prefixes.Insert(p, b.entry(0, label, until))
	}
	b.feed().Entries++
	return nil
}

func (b *builder) intern(label string) uint32 {
	label = clean(label)
	if n, ok := b.label[label]; ok {
		return n
	}
	if len(b.s.labels) >= maxLabels {
		return 0
	}
	n := uint32(len(b.s.labels))
	b.s.labels = append(b.s.labels, label)
	b.label[label] = n
	return n
}

// clean makes a text of a list safe to show: one line of printable characters.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxLabel {
		s = string(r[:maxLabel-1]) + "…"
	}
	return s
}
