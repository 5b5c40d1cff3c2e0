// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/dissect"
)

// TestProtocolsPageIsCurrent compares the table of docs/protocols.md with the descriptions. With -args update it writes the table.
func TestProtocolsPageIsCurrent(t *testing.T) {
	page := filepath.Join(testneed.Root(t), "docs", "protocols.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- protocols -->\n", "<!-- end of protocols -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %s and %s", page, begin, end)
	}
	table := "| protocol | transport | recognized by | port needed | read | login outcome |\n|---|---|---|---|---|---|\n" + strings.Join(Markdown(), "\n") + "\n"
	want := before + begin + table + end + after
	switch {
	case want == string(text):
	case slices.Contains(flag.Args(), "update"):
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not current: run make golden", page)
	}
}

// TestDescriptionsAreComplete checks that every protocol of the tables has one description, with nothing left out, and that no description is
// of a protocol that the sensor does not know.
func TestDescriptionsAreComplete(t *testing.T) {
	described := map[string]*description{}
	for i := range descriptions {
		d := &descriptions[i]
		described[d.name] = d
		if i > 0 && descriptions[i-1].name >= d.name {
			t.Errorf("%s is not in its place", d.name)
		}
		if d.signs == "" || !slices.Contains([]loginKind{loginNone, loginUnread, loginExplicit, loginInferred}, d.login) {
			t.Errorf("%s: no sign or no login: %+v", d.name, d)
		}
		if d.beside == "" && len(transports(d.name)) == 0 {
			t.Errorf("%s is in no table", d.name)
		}
	}
	check := func(name string, read bool) {
		switch d := described[name]; {
		case name == "": // its dissector names the session
		case d == nil:
			t.Errorf("%s has no description", name)
		case read && d.reads == "":
			t.Errorf("%s is read, but the description does not say what", name)
		}
	}
	for dir := range streamProtocols {
		for _, p := range streamProtocols[dir] {
			check(p.app.Name, p.open != nil)
		}
	}
	for _, p := range datagramProtocols {
		check(p.app.Name, p.open != nil)
	}
}

// TestDescribedPorts compares the ports of the descriptions with those to which the tables bind.
func TestDescribedPorts(t *testing.T) {
	number := regexp.MustCompile(`\d+`)
	for _, p := range datagramProtocols {
		for _, port := range p.where {
			i := slices.IndexFunc(descriptions, func(d description) bool { return d.name == p.app.Name })
			if i < 0 || !slices.Contains(number.FindAllString(descriptions[i].ports, -1), strconv.Itoa(int(port))) {
				t.Errorf("%s is bound to port %d, which its description does not name", p.app.Name, port)
			}
		}
	}
}

// TestLoginsAreDescribed checks that a protocol whose logins are read has a dissector.
func TestLoginsAreDescribed(t *testing.T) {
	for _, d := range descriptions {
		if reads := strings.Contains(d.reads, "logins") || d.name == "snmp"; reads != (d.login == loginExplicit || d.login == loginInferred) {
			t.Errorf("%s: reads %q, login %s", d.name, d.reads, d.login)
		}
	}
}

// rtp returns a datagram of RTP.
func rtp(kind byte, number uint16, source string) string {
	return "\x80" + string([]byte{kind, byte(number >> 8), byte(number)}) + "\x00\x00\x12\x34" + source + "payload"
}

func TestRTP(t *testing.T) {
	for name, tc := range map[string]struct {
		want string
		data []string
	}{
		"three in a row":                   {"rtp", []string{rtp(0, 7, "abcd"), rtp(0, 8, "abcd"), rtp(0, 9, "abcd")}},
		"one is missing":                   {"rtp", []string{rtp(96, 7, "abcd"), rtp(96, 9, "abcd"), rtp(96, 10, "abcd")}},
		"the number passes its end":        {"rtp", []string{rtp(0, 65534, "abcd"), rtp(0, 65535, "abcd"), rtp(0, 0, "abcd")}},
		"something else first":             {"rtp", []string{"hello", "hello", rtp(0, 7, "abcd"), rtp(0, 8, "abcd"), rtp(0, 9, "abcd")}},
		"two":                              {"", []string{rtp(0, 7, "abcd"), rtp(0, 8, "abcd")}},
		"the same datagram":                {"", []string{rtp(0, 7, "abcd"), rtp(0, 7, "abcd"), rtp(0, 7, "abcd")}},
		"another source each time":         {"", []string{rtp(0, 7, "abcd"), rtp(0, 8, "abce"), rtp(0, 9, "abcf")}},
		"another type each time":           {"", []string{rtp(0, 7, "abcd"), rtp(3, 8, "abcd"), rtp(0, 9, "abcd")}},
		"numbers that fall":                {"", []string{rtp(0, 9, "abcd"), rtp(0, 8, "abcd"), rtp(0, 7, "abcd")}},
		"no source":                        {"", []string{rtp(0, 7, "\x00\x00\x00\x00"), rtp(0, 8, "\x00\x00\x00\x00"), rtp(0, 9, "\x00\x00\x00\x00")}},
		"a type that is not assigned":      {"", []string{rtp(80, 7, "abcd"), rtp(80, 8, "abcd"), rtp(80, 9, "abcd")}},
		"too late to be read to its end":   {"", []string{"a", "b", "c", rtp(0, 7, "abcd"), rtp(0, 8, "abcd"), rtp(0, 9, "abcd")}},
		"shorter than its list of sources": {"", []string{"\x8f" + rtp(0, 7, "abcd")[1:], "\x8f" + rtp(0, 8, "abcd")[1:], "\x8f" + rtp(0, 9, "abcd")[1:]}},
	} {
		if got := nameOf(false, anyPort, tc.data...); got != tc.want {
			t.Errorf("%s: named %q", name, got)
		}
	}
}

// TestRTPBothWays alternates the directions: four datagrams pass before one direction has three.
func TestRTPBothWays(t *testing.T) {
	var c Conversation
	c.Reset(dissect.Ports{Client: 40000, Server: anyPort}, nil)
	var name string
	sink := func(f dissect.Fact) { name = f.(*dissect.AppID).Name }
	n := 0
	for more := true; more && name == "" && n < 20; n++ {
		more = c.Datagram(n&1, []byte(rtp(8, uint16(n/2), "abc"+string(rune('d'+n&1)))), sink)
	}
	if name != "rtp" || n != 5 {
		t.Errorf("named %q after %d datagrams", name, n)
	}
}
