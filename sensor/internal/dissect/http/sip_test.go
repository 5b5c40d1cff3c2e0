// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

func sipAsk(cseq string, fields ...string) turn {
	return client(request("REGISTER sip:192.0.2.1 SIP/2.0", append(fields, "CSeq: "+cseq+" REGISTER", "User-Agent: Yealink SIP-T46S 66.85.0.5", "Content-Length: 0")...))
}

func sipTell(status, cseq string, fields ...string) turn {
	return server(request("SIP/2.0 "+status, append(fields, "CSeq: "+cseq+" REGISTER", "Server: Asterisk PBX 18.10.0", "l: 0")...))
}

const (
	sipWants = `WWW-Authenticate: Digest algorithm=MD5, realm="asterisk", nonce="7"`
	sipProof = `Authorization: Digest username="1001", realm="asterisk", nonce="7", uri="sip:192.0.2.1", response="00000000000000000000000000000000", algorithm=MD5`
)

// sipSessions are registrations with their results.
var sipSessions = map[string]struct {
	turns []turn
	want  []dissect.Outcome
}{
	"in":        {[]turn{sipAsk("1"), sipTell("401 Unauthorized", "1", sipWants), sipAsk("2", sipProof), sipTell("100 Trying", "2"), sipTell("200 OK", "2")}, []dissect.Outcome{dissect.OutcomeSuccess}},
	"wrong":     {[]turn{sipAsk("1"), sipTell("401 Unauthorized", "1", sipWants), sipAsk("2", sipProof), sipTell("401 Unauthorized", "2", sipWants)}, []dissect.Outcome{dissect.OutcomeFailure}},
	"forbidden": {[]turn{sipAsk("2", sipProof), sipTell("403 Forbidden (Bad auth)", "2")}, []dissect.Outcome{dissect.OutcomeFailure}},
	"stale":     {[]turn{sipAsk("2", sipProof), sipTell("401 Unauthorized", "2", sipWants+", stale=true"), sipAsk("3", sipProof), sipTell("200 OK", "3")}, []dissect.Outcome{dissect.OutcomeUnknown, dissect.OutcomeSuccess}},
	"open":      {[]turn{sipAsk("1"), sipTell("200 OK", "1")}, nil},
	"another":   {[]turn{sipAsk("2", sipProof), sipTell("200 OK", "9"), sipTell("503 Service Unavailable", "2")}, []dissect.Outcome{dissect.OutcomeUnknown}},
}

func TestSIP(t *testing.T) {
	ports := dissect.Ports{Client: 5060, Server: 5060}
	for name, tc := range sipSessions {
		check := func(facts []dissect.Fact) {
			var got []dissect.Outcome
			for _, l := range dissecttest.FactsOf[dissect.Login](facts) {
				got = append(got, l.Result)
				if l.Protocol != "sip" || l.UserHint != "01" || l.CleartextCredentials {
					t.Errorf("%s: %+v", name, l)
				}
			}
			banners := dissecttest.FactsOf[dissect.Banner](facts)
			if !slices.Equal(got, tc.want) || dissecttest.AppOf(facts) != "sip" || !slices.Equal(banners, []dissect.Banner{
				{Protocol: "sip", Text: "Yealink SIP-T46S 66.85.0.5", Client: true}, {Protocol: "sip", Text: "Asterisk PBX 18.10.0"}}) {
				t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
			}
		}
		check(dispatchtest.PlayCut(t, ports, tc.turns))
		var c dispatch.Conversation
		c.Reset(ports, nil)
		var facts []dissect.Fact
		for _, x := range append([]turn{client("\r\n\r\n")}, tc.turns...) {
			c.Datagram(x.Dir, []byte(x.Data), func(f dissect.Fact) { facts = append(facts, f) })
		}
		check(facts)
	}
}

// TestSIPFlood checks that a session with many logins and no answers is not read for ever.
func TestSIPFlood(t *testing.T) {
	d, n, logins := http.NewSIPDatagrams(), 0, 0
	message := strings.Replace(sipAsk("2", sipProof).Data, "\r\n\r\n", "\r\n\r\nbody", 1)
	for d.Datagram(dissect.FromClient, []byte(message), func(f dissect.Fact) {
		if _, ok := f.(*dissect.Login); ok {
			logins++
		}
	}) {
		n++
	}
	if n > 64 || logins != 32 {
		t.Errorf("%d datagrams, %d logins", n, logins)
	}
}

func FuzzSIP(f *testing.F) {
	dissecttest.FuzzStream(f, http.NewSIP, sipSessions["in"].turns, sipSessions["stale"].turns)
}

func FuzzSIPDatagrams(f *testing.F) {
	for _, tc := range sipSessions {
		var b []byte
		for _, x := range tc.turns {
			b = append(b, dissecttest.Chunk(x)...)
		}
		f.Add(b)
	}
	dissecttest.FuzzDatagrams(f, http.NewSIPDatagrams, 512)
}
