// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// element returns an element of BER with a length of two bytes.
func element(tag byte, body string) string {
	return string([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}) + body
}

// TestNTLMInLDAP plays a login by SASL with GSS-SPNEGO: both sides say who they are.
func TestNTLMInLDAP(t *testing.T) {
	bind := func(id byte, token string) dissecttest.Turn {
		return dissecttest.Client(element(0x30, "\x02\x01"+string([]byte{id})+element(0x60, "\x02\x01\x03\x04\x00"+element(0xa3, "\x04\x0aGSS-SPNEGO"+element(4, token)))))
	}
	answer := func(id byte, token string) dissecttest.Turn {
		return dissecttest.Server(element(0x30, "\x02\x01"+string([]byte{id})+element(0x61, "\x0a\x01\x0e\x04\x00\x04\x00"+element(0x87, token))))
	}
	facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 389}, []dissecttest.Turn{
		bind(1, "NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"), answer(1, dissecttest.NTLMChallenge("DC1", "dc1.corp.example", 17763)),
		bind(2, dissecttest.NTLMAuthenticate("PC1", 22631)), answer(2, "")})
	got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
	if dissecttest.AppOf(facts) != "ldap" || len(got) != 2 || got[0].Name != "dc1.corp.example" || got[1].Name != "PC1" || strings.Contains(dissecttest.Dump(facts), "SECRET") {
		t.Errorf("%s", dissecttest.Dump(facts))
	}
}

// TestBindsInLDAP plays binds with a password and those that are no login: without a password, and by SASL.
func TestBindsInLDAP(t *testing.T) {
	bind := func(id byte, name, password string) dissecttest.Turn {
		return dissecttest.Client(element(0x30, "\x02\x01"+string([]byte{id})+element(0x60, "\x02\x01\x03"+element(4, name)+element(0x80, password))))
	}
	result := func(id, code byte) dissecttest.Turn {
		return dissecttest.Server(element(0x30, "\x02\x01"+string([]byte{id})+element(0x61, "\x0a\x01"+string([]byte{code})+"\x04\x00\x04\x00")))
	}
	login := func(hint string, r dissect.Outcome, defaults bool) dissect.Login {
		return dissecttest.CleartextLogin("ldap", hint, r, defaults)
	}
	ports := dissect.Ports{Client: 40000, Server: 389}
	dispatchtest.CheckLogins(t, map[string]dispatchtest.LoginCase{
		"wrong, then right": {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, "uid=joe,ou=people", "x"), result(1, 49), bind(2, "uid=joe,ou=people", "y"), result(2, 0)},
			Want: []dissect.Login{login("oe", dissect.OutcomeFailure, false), login("oe", dissect.OutcomeSuccess, false)}},
		"anonymous":       {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, "", ""), result(1, 0)}},
		"no password":     {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, "cn=admin", ""), result(1, 0)}},
		"no answer":       {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, `CORP\joe`, "x")}, Want: []dissect.Login{login("oe", dissect.OutcomeUnknown, false)}},
		"busy":            {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, "joe@corp.example", "x"), result(1, 51)}, Want: []dissect.Login{login("oe", dissect.OutcomeUnknown, false)}},
		"another message": {Ports: ports, App: "ldap", Turns: []dissecttest.Turn{bind(1, "cn=joe", "x"), result(2, 0)}, Want: []dissect.Login{login("oe", dissect.OutcomeUnknown, false)}},
	})
}
