// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

// tpkt returns a message of RDP behind its header.
func tpkt(body string) string { return "\x03\x00\x00" + string(rune(4+len(body))) + body }

// rdpAsk returns the request of a client with a cookie and what follows it.
func rdpAsk(rest string) string {
	body := "\xe0\x00\x00\x00\x00\x00" + rest
	return tpkt(string(rune(len(body))) + body)
}

const (
	rdpWantsNLA = "\x01\x00\x08\x00\x03\x00\x00\x00"
	rdpChoice   = "\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00"
	rdpCookie   = "Cookie: mstshash=Administr\r\n"
)

// rdpCore returns the second message of a client with standard security: build and name in CS_CORE.
func rdpCore() string {
	name := "P\x00C\x007\x00" + strings.Repeat("\x00", 26)
	core := "\x01\xc0\x38\x00\x04\x00\x08\x00\x00\x04\x00\x03\x01\xca\x03\xaa\x07\x04\x00\x00\x61\x4a\x00\x00" + name
	b := "\x02\xf0\x80\x7f\x65Duca\x38" + core
	return "\x03\x00\x00" + string([]byte{byte(4 + len(b))}) + b
}

// rdpSessions are the beginnings of sessions; the user of each is Administr.
var rdpSessions = map[string]struct {
	turns []turn
	want  []dissect.Banner
}{
	"network login": {[]turn{client(rdpAsk(rdpCookie + rdpWantsNLA)), server(tpkt(rdpChoice + "\x02\x00\x00\x00"))},
		[]dissect.Banner{{Protocol: "rdp", Text: "security nla"}}},
	"refused": {[]turn{client(rdpAsk(rdpCookie)), server(tpkt("\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x05\x00\x00\x00"))},
		[]dissect.Banner{{Protocol: "rdp", Text: "refuses with code 5"}}},
	"standard security": {[]turn{client(rdpAsk(rdpCookie)), server(tpkt("\x06\xd0\x00\x00\x12\x34\x00")), client(rdpCore())},
		[]dissect.Banner{{Protocol: "rdp", Text: "security rdp"}, {Protocol: "rdp", Text: "build 19041, name PC7", Client: true}}},
	"standard security, cut": {[]turn{client(rdpAsk(rdpCookie)), server(tpkt("\x06\xd0\x00\x00\x12\x34\x00")), client(rdpCore()[:40])},
		[]dissect.Banner{{Protocol: "rdp", Text: "security rdp"}}},
}

func TestRDPInClear(t *testing.T) {
	for name, tc := range rdpSessions {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 9000}, tc.turns)
		got, users := dissecttest.FactsOf[dissect.Banner](facts), dissecttest.FactsOf[dissect.Login](facts)
		if !slices.Equal(got, tc.want) || len(users) != 1 || users[0] != (dissect.Login{Protocol: "rdp", UserHint: "tr"}) || dissecttest.AppOf(facts) != "rdp" {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzRDP(f *testing.F) {
	dissecttest.FuzzStream(f, remote.NewRDP,
		[]turn{client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"), server("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"), client(dissecttest.TLSHelloStart)},
		rdpSessions["standard security"].turns)
}
