// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/lan"
)

func framed(message string) string {
	return string([]byte{0, 0, byte(len(message) >> 8), byte(len(message))}) + message
}

// smb1 returns a message of version 1 with Unicode.
func smb1(command byte, body string) string {
	return framed("\xffSMB" + string([]byte{command}) + "\x00\x00\x00\x00\x98\x03\x80" + strings.Repeat("\x00", 20) + body)
}

func smb2(command byte, body string) string {
	return framed("\xfeSMB\x40\x00\x00\x00\x00\x00\x00\x00" + string([]byte{command, 0}) + strings.Repeat("\x00", 50) + body)
}

func smb2Answer(dialect string) string {
	return smb2(0, "\x41\x00\x01\x00"+dialect+"\x00\x00"+"\x04\x03\x02\x01\x06\x05\x08\x07abcdefgh"+strings.Repeat("\x00", 40))
}

const (
	oldDialects = "\x00\x0c\x00\x02NT LM 0.12\x00"
	allDialects = "\x00\x22\x00\x02NT LM 0.12\x00\x02SMB 2.002\x00\x02SMB 2.???\x00"
	smb1Chosen  = "\x11\x00\x00\x03"
)

var (
	windowsServer = dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "srv1.corp.example", Firmware: "10.0.17763"}
	windowsClient = dissect.DeviceInfo{Protocol: "ntlm", Class: "Windows", Name: "PC1", Firmware: "10.0.22631"}
)

var smbCases = map[string]struct {
	turns []dissecttest.Turn
	want  []dissect.DeviceInfo
}{
	"version 3": {[]dissecttest.Turn{
		dissecttest.Client(smb1(0x72, allDialects)), dissecttest.Server(smb2Answer("\xff\x02")), dissecttest.Client(smb2(0, "\x24\x00")), dissecttest.Server(smb2Answer("\x11\x03")),
		dissecttest.Client(smb2(1, "\x19\x00"+"NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2")), dissecttest.Server(smb2(1, "\x09\x00"+dissecttest.NTLMChallenge("SRV1", "srv1.corp.example", 17763))),
		dissecttest.Client(smb2(1, "\x19\x00"+dissecttest.NTLMAuthenticate("PC1", 22631))), dissecttest.Server(smb2(1, "\x09\x00"))},
		[]dissect.DeviceInfo{{Protocol: "smb", Class: "SMB3.1.1", Serial: "01020304-0506-0708-6162-636465666768"}, windowsServer, windowsClient}},
	"version 1 only": {[]dissecttest.Turn{dissecttest.Client(smb1(0x72, allDialects)), dissecttest.Server(smb1(0x72, smb1Chosen)),
		dissecttest.Client(smb1(0x73, "\x0d")), dissecttest.Server(smb1(0x73, "\x03\xff\x00\x00\x00\x00\x00\x30\x00\x00"+dissecttest.UTF16("Unix\x00Samba 3.0.20-Debian\x00WORKGROUP\x00")))},
		[]dissect.DeviceInfo{{Protocol: "smb", Class: "SMB1_only"}, {Protocol: "smb", Class: "SMB1", Description: "Unix Samba 3.0.20-Debian"}}},
	"version 1 asked for": {[]dissecttest.Turn{dissecttest.Client(smb1(0x72, oldDialects)), dissecttest.Server(smb1(0x72, smb1Chosen)),
		dissecttest.Server(smb1(0x73, "\x04\xff\x00\x00\x00\x00\x00\x02\x00\x30\x00ab"+"\x00"+dissecttest.UTF16("Windows 5.1\x00Windows 2000 LAN Manager\x00")))},
		[]dissect.DeviceInfo{{Protocol: "smb", Class: "SMB1"}, {Protocol: "smb", Class: "SMB1", Description: "Windows 5.1 Windows 2000 LAN Manager"}}},
	"a message that is cut": {[]dissecttest.Turn{dissecttest.Client(smb1(0x72, allDialects)), dissecttest.Server(smb2Answer("\x11\x03")[:60])}, nil},
	"a short message":       {[]dissecttest.Turn{dissecttest.Client(smb1(0x72, oldDialects)), dissecttest.Server(framed("\xffSMB\x72"))}, nil},
}

func TestSMB(t *testing.T) {
	for name, tc := range smbCases {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 445}, tc.turns)
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if dissecttest.AppOf(facts) != "smb" || len(got) != len(tc.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s:\ngot  %+v\nwant %+v", name, got[i], tc.want[i])
			}
		}
		if strings.Contains(dissecttest.Dump(facts), "SECRET") {
			t.Errorf("%s: a secret is in\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzSMB(f *testing.F) {
	var seeds [][]dissecttest.Turn
	for _, tc := range smbCases {
		seeds = append(seeds, tc.turns)
	}
	for _, tc := range smbLoginCases() {
		seeds = append(seeds, tc.Turns)
	}
	dissecttest.FuzzStream(f, lan.NewSMB, seeds...)
}
