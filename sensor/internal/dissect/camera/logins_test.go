// SPDX-License-Identifier: Apache-2.0

package camera_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// dhip is a message of DHIP.
func dhip(body string) string {
	b := append([]byte("\x20\x00\x00\x00DHIP"), make([]byte, 24)...)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(body)))
	return string(b) + body
}

// xm is a message of Xiongmai's protocol.
func xm(message uint16, body string) string {
	b := make([]byte, 20)
	b[0] = 0xff
	binary.LittleEndian.PutUint16(b[14:], message)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	return string(b) + body
}

// dvrip is a message of DVRIP; result are its bytes 8 and 9.
func dvrip(first, second byte, result, body string) string {
	b := make([]byte, 32)
	b[0], b[1] = first, second
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	copy(b[8:], result)
	copy(b[24:], "\x05\x02\x00\x08\x00\x00\xa1\xaa")
	return string(b) + body
}

func xmLogin(user, password string) turn {
	return client(xm(1000, fmt.Sprintf(`{ "EncryptType" : "MD5", "LoginType" : "DVRIP-Web", "PassWord" : "%s", "UserName" : "%s" }`, password, user)+"\n\x00"))
}

func xmReply(code int) turn {
	return server(xm(1001, fmt.Sprintf(`{ "AliveInterval" : 20, "Ret" : %d, "SessionID" : "0x1" }`, code)+"\n\x00"))
}

func TestCameraLogins(t *testing.T) {
	const realm = "Realm:Login to 4K\r\nRandom:12\r\n\r\n"
	for name, tc := range map[string]struct {
		app   string
		turns []turn
		want  []dissect.Login
	}{
		"dhip: challenge, then in": {"dhip", []turn{client(dhip(dissecttest.RPCFirstLogin)), server(dhip(dissecttest.RPCChallenge)), client(dhip(dissecttest.RPCLogin)), server(dhip(`{"result":true,"params":{"keepAliveInterval":60},"id":2}`))},
			[]dissect.Login{{Protocol: "dhip", UserHint: "in", Result: dissect.OutcomeSuccess}}},
		"dhip: wrong, other calls between": {"dhip", []turn{client(dhip(`{"method":"magicBox.factory.instance","id":7}`)), server(dhip(`{"result":false,"id":7,"error":{"code":268632085}}`)),
			client(dhip(dissecttest.RPCLogin)), server(dhip(`{"id":3,"result":true}`) + dhip(`{"id":2,"error":{"code":268632085},"result":false}`))},
			[]dissect.Login{{Protocol: "dhip", UserHint: "in", Result: dissect.OutcomeFailure}}},
		"dhip: the answer is seen first": {"dhip", []turn{server(dhip(`{"id":2,"result":true}`)), client(dhip(dissecttest.RPCLogin))}, []dissect.Login{{Protocol: "dhip", UserHint: "in", Result: dissect.OutcomeSuccess}}},
		"dhip: let in without a proof":   {"dhip", []turn{client(dhip(dissecttest.RPCFirstLogin)), server(dhip(`{"id":1,"result":true}`))}, []dissect.Login{{Protocol: "dhip", UserHint: "in", Result: dissect.OutcomeSuccess}}},
		"dhip: no answer":                {"dhip", []turn{client(dhip(dissecttest.RPCFirstLogin)), server(dhip(dissecttest.RPCChallenge)), client(dhip(dissecttest.RPCLogin))}, []dissect.Login{{Protocol: "dhip", UserHint: "in"}}},
		"dhip: challenged again":         {"dhip", []turn{client(dhip(dissecttest.RPCLogin)), server(dhip(`{"id":2,"error":{"code":268632079},"result":false}`))}, []dissect.Login{{Protocol: "dhip", UserHint: "in"}}},
		"dhip: more than there is":       {"dhip", []turn{client("\x20\x00\x00\x00DHIP\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00" + dissecttest.RPCLogin), server(dhip(`{"id":2,"result":true}`))}, nil},
		"xm: wrong, no such user, in": {"xmeye", []turn{xmLogin("root", "OxhlwSG8"), xmReply(203), xmLogin("x", "y"), xmReply(205), xmLogin("admin", "tlJwpbo6"), xmReply(100)},
			[]dissect.Login{{Protocol: "xmeye", UserHint: "ot", Result: dissect.OutcomeFailure}, {Protocol: "xmeye", UserHint: "x", Result: dissect.OutcomeFailure}, {Protocol: "xmeye", UserHint: "in", Result: dissect.OutcomeSuccess, DefaultCredentials: true}}},
		"xm: not permitted":  {"xmeye", []turn{xmLogin("admin", "a"), xmReply(103)}, []dissect.Login{{Protocol: "xmeye", UserHint: "in"}}},
		"xm: another answer": {"xmeye", []turn{xmLogin("admin", "a"), server(xm(1007, `{"Ret":203}`)), xmReply(100)}, []dissect.Login{{Protocol: "xmeye", UserHint: "in", Result: dissect.OutcomeSuccess}}},
		"dvrip: challenge, then in": {"dvrip", []turn{client(dvrip(0xa0, 1, "", "")), server(dvrip(0xb0, 0, "\x01\x0a", realm)), client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x00\x08", ""))},
			[]dissect.Login{{Protocol: "dvrip", UserHint: "in", Result: dissect.OutcomeSuccess}}},
		"dvrip: wrong, then locked": {"dvrip", []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x01\x00", "")), client(dvrip(0xa0, 5, "", "admin&&AB13")), server(dvrip(0xb0, 0, "\x01\x04", ""))},
			[]dissect.Login{{Protocol: "dvrip", UserHint: "in", Result: dissect.OutcomeFailure}, {Protocol: "dvrip", UserHint: "in", Result: dissect.OutcomeFailure}}},
		"dvrip: in the header": {"dvrip", []turn{client(dvrip(0xa0, 0, "888888\x00\x00abcdefgh", "")), server(dvrip(0xb0, 0, "\x00\x08", ""))}, []dissect.Login{{Protocol: "dvrip", UserHint: "88", Result: dissect.OutcomeSuccess}}},
		"dvrip: in JSON":       {"dvrip", []turn{client(dvrip(0xf6, 0, "", dissecttest.RPCLogin)), server(dvrip(0xf6, 0, "", `{"id":2,"error":{"code":268632085},"result":false}`))}, []dissect.Login{{Protocol: "dvrip", UserHint: "in", Result: dissect.OutcomeFailure}}},
		"dvrip: in use":        {"dvrip", []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x03\x03", ""))}, []dissect.Login{{Protocol: "dvrip", UserHint: "in"}}},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns)
		got := dissecttest.FactsOf[dissect.Login](facts)
		if dissecttest.AppOf(facts) != tc.app || len(got) != len(tc.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: got %+v, want %+v", name, got[i], tc.want[i])
			}
		}
	}
}

func FuzzDHIP(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewDHIP, []turn{client(dhip(dissecttest.RPCFirstLogin)), server(dhip(dissecttest.RPCChallenge)), client(dhip(dissecttest.RPCLogin)), server(dhip(`{"id":2,"result":true}`))})
}

func FuzzDVRIP(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewDVRIP, []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x01\x00", ""))})
}

func FuzzXMEye(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewXMEye, []turn{xmLogin("admin", "tlJwpbo6"), xmReply(203)})
}
