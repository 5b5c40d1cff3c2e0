// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"bytes"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/lan"
)

func TestSNMPLogin(t *testing.T) {
	const get, response, trap = 0xa0, 0xa2, 0xa7
	ask := func(community string) turn { return client(lan.SNMPMessage(1, community, get, 7, 0)) }
	for name, tc := range map[string]struct {
		turns []turn
		want  []dissect.Login
	}{
		"public":            {[]turn{ask("public"), server(lan.SNMPMessage(1, "public", response, 7, 0))}, []dissect.Login{dissecttest.CleartextLogin("snmp", "", dissect.OutcomeSuccess, true)}},
		"private, SNMP 1":   {[]turn{client(lan.SNMPMessage(0, "private", 0xa3, 9, 0)), server(lan.SNMPMessage(0, "private", response, 9, 0))}, []dissect.Login{dissecttest.CleartextLogin("snmp", "", dissect.OutcomeSuccess, true)}},
		"another community": {[]turn{ask("s3cret"), server(lan.SNMPMessage(1, "s3cret", response, 7, 2))}, []dissect.Login{dissecttest.CleartextLogin("snmp", "", dissect.OutcomeSuccess, false)}},
		"reported once":     {[]turn{ask("public"), server(lan.SNMPMessage(1, "public", response, 7, 0)), ask("public"), server(lan.SNMPMessage(1, "public", response, 7, 0))}, []dissect.Login{dissecttest.CleartextLogin("snmp", "", dissect.OutcomeSuccess, true)}},
		"the last of many":  {[]turn{ask("public"), client(lan.SNMPMessage(1, "s3cret", get, 8, 0)), server(lan.SNMPMessage(1, "s3cret", response, 8, 0))}, []dissect.Login{dissecttest.CleartextLogin("snmp", "", dissect.OutcomeSuccess, false)}},
		"not answered":      {[]turn{ask("public")}, nil},
		"answer to another": {[]turn{ask("public"), server(lan.SNMPMessage(1, "public", response, 6, 0))}, nil},
		"its own answer":    {[]turn{ask("public"), client(lan.SNMPMessage(1, "public", response, 7, 0))}, nil},
		"not authorized":    {[]turn{ask("public"), server(lan.SNMPMessage(1, "public", response, 7, 16))}, nil},
		"a trap":            {[]turn{client(lan.SNMPMessage(1, "public", trap, 7, 0)), server(lan.SNMPMessage(1, "public", response, 7, 0))}, nil},
		"cut":               {[]turn{ask("public"), server(lan.SNMPMessage(1, "public", response, 7, 0)[:20])}, nil},
	} {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 40000, Server: 161}, nil)
		var facts []dissect.Fact
		for _, turn := range tc.turns {
			own := []byte(turn.Data)
			more := c.Datagram(turn.Dir, own, func(f dissect.Fact) { facts = append(facts, f) })
			clear(own)
			if !more {
				break
			}
		}
		got := dissecttest.FactsOf[dissect.Login](facts)
		if dissecttest.AppOf(facts) != "snmp" || len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
		if bytes.Contains([]byte(dissecttest.Dump(facts)), []byte("s3cret")) {
			t.Errorf("%s: the community is in\n%s", name, dissecttest.Dump(facts))
		}
	}
}
