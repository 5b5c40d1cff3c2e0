// SPDX-License-Identifier: Apache-2.0

package announce_test

import (
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestNTLM(t *testing.T) {
	challenge := dissecttest.NTLMChallenge("SRV1", "srv1.corp.example", 17763)
	for name, tc := range map[string]struct {
		b    string
		want *dissect.DeviceInfo
	}{
		"challenge":            {challenge, &dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "srv1.corp.example", Firmware: "10.0.17763"}},
		"in SPNEGO":            {"\xa1\x81\xab\x30" + challenge, &dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "srv1.corp.example", Firmware: "10.0.17763"}},
		"of Samba":             {dissecttest.NTLMChallenge("NAS", "", 0), &dissect.DeviceInfo{Protocol: "ntlm", Name: "NAS"}},
		"answer of the client": {dissecttest.NTLMAuthenticate("PC1", 22631), &dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "PC1", Firmware: "10.0.22631"}},
		"first message":        {"NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2", nil},
		"names that are cut":   {challenge[:60], &dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Firmware: "10.0.17763"}},
		"no message":           {"NTLMSSP", nil},
	} {
		got := announce.NTLM([]byte(tc.b))
		if (got == nil) != (tc.want == nil) || got != nil && *got != *tc.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, tc.want)
		}
		if got != nil && strings.Contains(dissecttest.Dump([]dissect.Fact{got}), "SECRET") {
			t.Errorf("%s: a secret is in %+v", name, got)
		}
	}
	if got := announce.NTLMToken([]byte(dissecttest.EncodeBase64(challenge))); got == nil || got.Name != "srv1.corp.example" {
		t.Errorf("in Base64: %+v", got)
	}
}

func FuzzNTLM(f *testing.F) {
	f.Add([]byte(dissecttest.NTLMChallenge("SRV1", "srv1.corp.example", 17763)))
	f.Add([]byte(dissecttest.NTLMAuthenticate("PC1", 22631)))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if d := announce.NTLM(b); d != nil && (d.Protocol != "ntlm" || len(d.Name) > 128) {
			t.Fatalf("%+v", d)
		}
		announce.NTLMToken(b)
	})
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE2, RELEASE": "12.2(25)SEE2",
		"HP J9280A ProCurve Switch 2510G-48, revision Y.11.12, ROM N.10.02":                     "",
		"Brother NC-8300w, Firmware Ver.1.05  (12.10.26),MID 8CE-401":                           "1.05",
		"Software: Windows Version 6.3 (Build 17763 Multiprocessor Free)":                       "6.3",
		"firmware: V5.4.1":   "5.4.1",
		"conversions of all": "",
		"":                   "",
	} {
		if got := announce.Version([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
