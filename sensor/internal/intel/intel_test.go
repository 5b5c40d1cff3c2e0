// SPDX-License-Identifier: Apache-2.0

package intel

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
)

const now = int64(1772409600) * 1e9 // 2026-03-02 00:00:00 UTC

// load writes lists into a folder and loads them.
func load(t testing.TB, files map[string]string) (*Set, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		at := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return Load(dir)
}

const (
	plain = `# Addresses of controllers
# Last updated: 2026-02-20 10:00:00 UTC
198.51.100.7
203.0.113.0/24 scanners
2001:db8:1::/48
198[.]51[.]100[.]8:4444
evil.example.net   # Mirai
*.worse.example.org
hxxps://bad.example.com/drop/x.sh
d41d8cd98f00b204e9800998ecf8427e
t13d1516h2_8daaf6152771_b186095e22b6
10.0.0.1
co.uk
da39a3ee5e6b4b0d3255bfef95601890afd80709
`
	table = `"first_seen","dst_ip","dst_port","malware","expires"
"2026-02-01 10:00:00","198.51.100.20","443","Dridex, second wave","2026-03-01 23:59:59"
"2026-02-01 10:00:00","198.51.100.21","443","Dridex","2026-03-03"
`
	misp = `{"response": [{"Event": {"info": "Camera botnet", "date": "2026-02-11", "Attribute": [
 {"type": "ip-dst|port", "value": "198.51.100.30|8080", "to_ids": true}, {"type": "ip-dst", "value": "198.51.100.31", "to_ids": false}, {"type": "md5", "value": "aa", "to_ids": true}],
 "Object": [{"Attribute": [{"type": "domain|ip", "value": "cnc.example.net|198.51.100.32", "to_ids": true}]}]}}]}`
	stix = `{"type": "bundle", "id": "bundle--1", "objects": [
 {"type": "identity", "name": "somebody"},
 {"type": "indicator", "name": "C2 server", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '198.51.100.40' OR domain-name:value = 'stix.example.net']", "modified": "2026-02-27T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"},
 {"type": "indicator", "name": "net", "pattern_type": "stix", "pattern": "[ipv4-addr:value ISSUBSET '192.0.2.0/25']", "modified": "2026-02-01T00:00:00Z"},
 {"type": "indicator", "name": "both", "pattern_type": "stix", "pattern": "[ipv4-addr:value = '198.51.100.41' AND url:value = 'http://x.example.net/']"},
 {"type": "indicator", "name": "old", "pattern_type": "stix", "revoked": true, "pattern": "[ipv4-addr:value = '198.51.100.42']"}]}`
)

func TestLookups(t *testing.T) {
	s, err := load(t, map[string]string{"a-plain.txt": plain, "b-table.csv": table, "c-misp.json": misp, "d-stix.json": stix, ".hidden": "nonsense"})
	if err != nil {
		t.Fatal(err)
	}
	found := func(m Match, ok bool) string {
		if !ok {
			return ""
		}
		return m.Kind.String() + ": " + m.Text()
	}
	addr := func(text string) string { return found(s.Address(netip.MustParseAddr(text), now)) }
	name := func(text string) string { return found(s.Name(text, now)) }
	for _, c := range []struct{ what, got, want string }{
		{"an address", addr("198.51.100.7"), "address: a-plain of 2026-02-20"},
		{"mapped into IPv6", addr("::ffff:198.51.100.7"), "address: a-plain of 2026-02-20"},
		{"another address", addr("198.51.100.9"), ""},
		{"in a prefix", addr("203.0.113.77"), "address: a-plain of 2026-02-20 (scanners)"},
		{"in a prefix of IPv6", addr("2001:db8:1:2::3"), "address: a-plain of 2026-02-20"},
		{"with a port, written apart", addr("198.51.100.8"), "address: a-plain of 2026-02-20"},
		{"a domain", name("evil.example.net"), "domain: a-plain of 2026-02-20 (Mirai)"},
		{"below a domain", name("a.b.EVIL.example.net."), "domain: a-plain of 2026-02-20 (Mirai)"},
		{"above a domain", name("example.net"), ""},
		{"beside a domain", name("notevil.example.net"), ""},
		{"with a star", name("x.worse.example.org"), "domain: a-plain of 2026-02-20"},
		{"the host of a URL", name("bad.example.com"), "host: a-plain of 2026-02-20"},
		{"below the host of a URL", name("www.bad.example.com"), ""},
		{"JA3", found(s.Lookup(JA3, "d41d8cd98f00b204e9800998ecf8427e", now)), "JA3: a-plain of 2026-02-20"},
		{"JA4", found(s.Lookup(JA4, "t13d1516h2_8daaf6152771_b186095e22b6", now)), "JA4: a-plain of 2026-02-20"},
		{"a private address", addr("10.0.0.1"), ""},
		{"a public suffix", name("shop.co.uk"), ""},
		{"an entry that has expired", addr("198.51.100.20"), ""},
		{"an entry that has not", addr("198.51.100.21"), "address: b-table of 2026-01-31 (Dridex)"},
		{"MISP, with a port", addr("198.51.100.30"), "address: c-misp of 2026-02-11 (Camera botnet)"},
		{"MISP, not for detection", addr("198.51.100.31"), ""},
		{"MISP, the address of a pair", addr("198.51.100.32"), "address: c-misp of 2026-02-11 (Camera botnet)"},
		{"MISP, the name of a pair", name("cnc.example.net"), "domain: c-misp of 2026-02-11 (Camera botnet)"},
		{"STIX", addr("198.51.100.40"), "address: d-stix of 2026-02-27 (C2 server)"},
		{"STIX, joined by OR", name("stix.example.net"), "domain: d-stix of 2026-02-27 (C2 server)"},
		{"STIX, a prefix", addr("192.0.2.9"), "address: d-stix of 2026-02-27 (net)"},
		{"STIX, joined by AND", addr("198.51.100.41"), ""},
		{"STIX, revoked", addr("198.51.100.42"), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
	if f := s.Feeds[0]; f.Entries != 9 || f.Skipped != 3 {
		t.Errorf("%+v, want 9 entries, 3 skipped", f)
	}
	m := Match{Date: "2026-02-20"}
	if n := m.AgeDays(now); n != 10 {
		t.Errorf("age %d days, want 10", n)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.txt", "198.51.100.7\nwhat is this\n", "a.txt: line 2: \"what\" is no address"},
		{"a.txt", "0.0.0.0/0\n", "line 1: 0.0.0.0/0 is too large"},
		{"a.csv", "ip,expires\n198.51.100.7,soon\n", "line 2: \"soon\" is no time"},
		{"a.json", "{\"type\": \"bundle\", ", "a.json: byte"},
		{"a.json", "{\"other\": 1}", "neither a MISP event nor a STIX bundle"},
		{"a.json", `{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '1.2.3']"}]}`, "object 1: "},
		{"a.txt", "http://%zz/\n", "is no URL"},
	} {
		_, err := load(t, map[string]string{c.name: c.text})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing folder is accepted")
	}
	if s, err := Load(""); err != nil || s.Len() != 0 {
		t.Errorf("%v, %v", s, err)
	}
	var none *Set
	if _, ok := none.Address(netip.MustParseAddr("1.2.3.4"), now); ok {
		t.Error("an empty set has an address")
	}
	if _, ok := none.Name("x.example", now); ok {
		t.Error("an empty set has a name")
	}
}

// Labels come from others: they are shown as one printable line.
func TestLabelsAreCleaned(t *testing.T) {
	s, err := load(t, map[string]string{"a.txt": "198.51.100.7 red \x1b[31malert\u202e" + strings.Repeat("x", 500) + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := s.Address(netip.MustParseAddr("198.51.100.7"), now)
	if len([]rune(m.Label)) > maxLabel || strings.ContainsAny(m.Label, "\x1b\u202e") || !strings.HasPrefix(m.Label, "red ") {
		t.Errorf("label %q", m.Label)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{plain, table, misp, stix, "[]", "{}", "\xef\xbb\xbf198.51.100.7", "ip\tlabel\n1.1.1.1\tx"} {
		f.Add([]byte(seed))
	}
	mutate.Fuzz(f, func(t *testing.T, text []byte) {
		b := newBuilder()
		b.s.Feeds = append(b.s.Feeds, Feed{Name: "f"})
		_ = b.parse(text) // an error is fine
		s := b.set()
		s.Address(netip.MustParseAddr("198.51.100.7"), now)
		s.Name("a.evil.example.net", now)
		if s.Len() < 0 || s.Len() > len(text) {
			t.Errorf("%d entries in %d bytes", s.Len(), len(text))
		}
	})
}

// BenchmarkLoad reads ten million indicators, addresses and names. The set takes 240 MB. With -benchtime 1x, the largest resident memory of the
// process, which /usr/bin/time -v prints, is that of one load.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	f, err := os.Create(filepath.Join(dir, "a.txt"))
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range 6_000_000 {
		fmt.Fprintf(w, "%d.%d.%d.%d\n", 20+i>>24, i>>16&255, i>>8&255, i&255)
	}
	for i := range 4_000_000 {
		fmt.Fprintf(w, "h%07x.bad%d.example\n", i, i%9973)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Load(dir)
		if err != nil || s.Len() != 10_000_000 {
			b.Fatal(s.Len(), err)
		}
		b.ReportMetric(float64(cap(s.entries))*24/1e6, "MB")
	}
}

func BenchmarkAddress(b *testing.B) {
	s, err := load(b, map[string]string{"a.txt": plain})
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("192.0.2.200")
	for b.Loop() {
		s.Address(a, now)
	}
}
