// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/remote"
)

// vncSessions are handshakes of VNC; proof is a challenge or the answer to it.
var vncSessions = map[string]struct {
	turns  []turn
	banner string
	want   []dissect.Login
}{
	"3.8, in": {[]turn{server("RFB 003.008\n"), client("RFB 003.008\n"), server("\x02\x02\x10"), client("\x02"), server(proof), client(proof), server("\x00\x00\x00\x00")},
		"RFB 003.008, security 2 16", []dissect.Login{{Protocol: "vnc", Result: dissect.OutcomeSuccess}}},
	"3.8, wrong": {[]turn{server("RFB 003.008\n"), client("RFB 003.008\n"), server("\x01\x02"), client("\x02"), server(proof), client(proof), server("\x00\x00\x00\x01\x00\x00\x00\x02no")},
		"RFB 003.008, security 2", []dissect.Login{{Protocol: "vnc", Result: dissect.OutcomeFailure}}},
	"3.3, in": {[]turn{server("RFB 003.008\n"), client("RFB 003.003\n"), server("\x00\x00\x00\x02" + proof), client(proof), server("\x00\x00\x00\x00")},
		"RFB 003.008, security 2", []dissect.Login{{Protocol: "vnc", Result: dissect.OutcomeSuccess}}},
	"3.3, open":   {[]turn{server("RFB 003.003\n"), client("RFB 003.003\n"), server("\x00\x00\x00\x01"), client("\x01")}, "RFB 003.003, security 1", nil},
	"open":        {[]turn{server("RFB 003.889\n"), client("RFB 003.889\n"), server("\x02\x01\x1e"), client("\x01"), server("\x00\x00\x00\x00")}, "RFB 003.889, security 1 30", nil},
	"other login": {[]turn{server("RFB 005.000\n"), client("RFB 003.008\n"), server("\x01\x05"), client("\x05"), server(proof)}, "RFB 005.000, security 5", nil},
	"refused":     {[]turn{server("RFB 003.008\n"), client("RFB 003.008\n"), server("\x00\x00\x00\x00\x09Too many!")}, "", nil},
	"no answer": {[]turn{server("RFB 003.008\n"), client("RFB 003.008\n"), server("\x01\x02"), client("\x02"), server(proof), client(proof)},
		"RFB 003.008, security 2", []dissect.Login{{Protocol: "vnc"}}},
}

var proof = strings.Repeat("p", 16)

func TestVNC(t *testing.T) {
	for name, tc := range vncSessions {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 9000}, tc.turns)
		banners, got := dissecttest.FactsOf[dissect.Banner](facts), dissecttest.FactsOf[dissect.Login](facts)
		text := ""
		for _, b := range banners {
			text += b.Text
		}
		if text != tc.banner || len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] || dissecttest.AppOf(facts) != "vnc" {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzVNC(f *testing.F) {
	dissecttest.FuzzStream(f, remote.NewVNC, vncSessions["3.8, in"].turns, vncSessions["3.3, in"].turns, vncSessions["refused"].turns)
}
