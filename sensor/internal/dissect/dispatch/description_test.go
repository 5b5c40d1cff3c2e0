// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stillwatch/internal/testlab/docpage"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

// TestProtocolsPageIsCurrent compares the table and the order in docs/protocols.md with the registrations. With -args update it writes them.
func TestProtocolsPageIsCurrent(t *testing.T) {
	docpage.Check(t, "protocols.md", "protocols", "| protocol | transport | recognized by | port needed | read | login outcome |\n|---|---|---|---|---|---|\n"+strings.Join(Markdown(), "\n")+"\n")
	docpage.Check(t, "protocols.md", "order", strings.Join(Order(), "\n")+"\n")
}

// TestRegistrationsAreComplete checks what the documentation says of each protocol, and that it has an entry in some table.
func TestRegistrationsAreComplete(t *testing.T) {
	for i, p := range protocols {
		if i > 0 && protocols[i-1].Name == p.Name {
			t.Errorf("%s is registered by two families", p.Name)
		}
		if p.Signs == "" || !slices.Contains([]protocol.Login{protocol.LoginNone, protocol.LoginUnread, protocol.LoginExplicit, protocol.LoginInferred}, p.Login) {
			t.Errorf("%s: no sign or no login: %+v", p.Name, p)
		}
		if p.Beside == "" && len(transports(p.Name)) == 0 {
			t.Errorf("%s is in no table", p.Name)
		}
		// A dissector of DNS is part of the conversation.
		reads := func(s protocol.Stream) bool { return s.New != nil || s.NewFor != nil }
		if (slices.ContainsFunc(p.Streams, reads) || slices.ContainsFunc(p.Datagrams, func(d protocol.Datagram) bool { return d.New != nil })) && p.Reads == "" {
			t.Errorf("%s is read, but the registration does not say what", p.Name)
		}
		if reads := strings.Contains(p.Reads, "logins") || p.Name == "snmp"; reads != (p.Login == protocol.LoginExplicit || p.Login == protocol.LoginInferred) {
			t.Errorf("%s: reads %q, login %s", p.Name, p.Reads, p.Login)
		}
	}
}

// TestEveryRegistrationIsRead compares the registrations in the source with those that the tables were made of: a family that is missing in
// protocols would not be recognized.
func TestEveryRegistrationIsRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "*", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	registered := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		registered += strings.Count(string(text), "\nvar _ = Protocols.Add(")
	}
	if registered == 0 || registered != len(protocols) {
		t.Errorf("%d registrations in the source, %d in the tables", registered, len(protocols))
	}
}

// TestOrdersDiffer checks that the order of the entries of each table is stated and not an accident.
func TestOrdersDiffer(t *testing.T) {
	check := func(table string, order, before int, name string) {
		if order <= before {
			t.Errorf("%s: %s has the order %d behind %d", table, name, order, before)
		}
	}
	for dir, side := range [...]string{dissect.FromClient: "client", dissect.FromServer: "server"} {
		before := 0
		for _, p := range streamProtocols[dir] {
			check(side, p.Order, before, p.app.Name)
			before = p.Order
		}
	}
	before := 0
	for _, p := range datagramProtocols {
		check("datagrams", p.Order, before, p.app.Name)
		before = p.Order
	}
}

// TestDescribedPorts compares the ports in the description of a protocol with those to which its entries are bound.
func TestDescribedPorts(t *testing.T) {
	number := regexp.MustCompile(`\d+`)
	for _, p := range protocols {
		for _, d := range p.Datagrams {
			for _, port := range d.Ports {
				if !slices.Contains(number.FindAllString(p.Ports, -1), strconv.Itoa(int(port))) {
					t.Errorf("%s is bound to port %d, which its registration does not describe", p.Name, port)
				}
			}
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
