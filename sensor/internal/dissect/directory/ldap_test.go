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
