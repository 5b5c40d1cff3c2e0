// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/lan"
)

// dceRPC is a message of DCE RPC with an authentication behind it.
func dceRPC(kind byte, authentication string) string {
	b := append([]byte("\x05\x00"+string([]byte{kind})+"\x03\x10\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00interface"), authentication...)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(b)))
	binary.LittleEndian.PutUint16(b[10:], uint16(len(authentication)))
	return string(b)
}

// TestDCERPC reads who both sides are; sessions without NTLM have a name only.
func TestDCERPC(t *testing.T) {
	const bind, bindAck, request, auth3 = 11, 12, 0, 16
	for name, c := range map[string]struct {
		turns []turn
		want  []dissect.DeviceInfo
	}{
		"NTLM": {[]turn{client(dceRPC(bind, "")), server(dceRPC(bindAck, dissecttest.NTLMChallenge("SRV1", "srv1.corp.example", 17763))), client(dceRPC(auth3, dissecttest.NTLMAuthenticate("PC1", 22631)))},
			[]dissect.DeviceInfo{windowsServer, windowsClient}},
		"none":            {[]turn{client(dceRPC(bind, "")), server(dceRPC(bindAck, "")), client(dceRPC(request, ""))}, nil},
		"behind the data": {[]turn{client(dceRPC(bind, "") + "NTLMSSP\x00\x03\x00\x00\x00")}, nil},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 49668}, c.turns)
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); dissecttest.AppOf(facts) != "dcerpc" || !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzDCERPC(f *testing.F) {
	dissecttest.FuzzStream(f, lan.NewDCERPC, []turn{client(dceRPC(11, "")), server(dceRPC(12, dissecttest.NTLMChallenge("SRV1", "srv1.corp.example", 17763)))})
}

func TestBJNP(t *testing.T) {
	id := "MFG:Canon;CMD:BJL,BJRaster3;CLS:PRINTER;MDL:MX850 series;"
	answer := "BJNP\x82\x30\x00\x00\x00\x07\x00\x01\x00\x00\x00" + string([]byte{byte(2 + len(id)), 0, byte(2 + len(id))}) + id
	want := dissect.DeviceInfo{Protocol: "bjnp", Vendor: "Canon", Model: "MX850 series", Class: "PRINTER"}
	for message, infos := range map[string]int{answer: 1, "BJNP\x02" + answer[5:]: 0, "BJNP\x82\x01" + answer[6:]: 0, "BJNP\x02\x01\x00\x00\x17\xa4\x00\x00\x00\x00\x00\x00": 0} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 8612}, []byte(message))
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if dissecttest.AppOf(facts) != "bjnp" || len(got) != infos || infos > 0 && got[0] != want {
			t.Errorf("%q:\n%s", message, dissecttest.Dump(facts))
		}
	}
}

func FuzzBJNP(f *testing.F) {
	f.Add(dissecttest.Chunk(server("BJNP\x82\x30\x00\x00\x00\x07\x00\x01\x00\x00\x00\x0c\x00\x0aMFG:C;MDL:")))
	dissecttest.FuzzDatagrams(f, lan.BJNP.New, 16)
}
