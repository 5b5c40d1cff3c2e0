// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"encoding/binary"
	"fmt"
	"testing"
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
		want  []Login
	}{
		"dhip: challenge, then in": {"dhip", []turn{client(dhip(rpcHello)), server(dhip(rpcAsked)), client(dhip(rpcLogin)), server(dhip(`{"result":true,"params":{"keepAliveInterval":60},"id":2}`))},
			[]Login{{Protocol: "dhip", UserHint: "in", Result: OutcomeSuccess}}},
		"dhip: wrong, other calls between": {"dhip", []turn{client(dhip(`{"method":"magicBox.factory.instance","id":7}`)), server(dhip(`{"result":false,"id":7,"error":{"code":268632085}}`)),
			client(dhip(rpcLogin)), server(dhip(`{"id":3,"result":true}`) + dhip(`{"id":2,"error":{"code":268632085},"result":false}`))},
			[]Login{{Protocol: "dhip", UserHint: "in", Result: OutcomeFailure}}},
		"dhip: the answer is seen first": {"dhip", []turn{server(dhip(`{"id":2,"result":true}`)), client(dhip(rpcLogin))}, []Login{{Protocol: "dhip", UserHint: "in", Result: OutcomeSuccess}}},
		"dhip: let in without a proof":   {"dhip", []turn{client(dhip(rpcHello)), server(dhip(`{"id":1,"result":true}`))}, []Login{{Protocol: "dhip", UserHint: "in", Result: OutcomeSuccess}}},
		"dhip: no answer":                {"dhip", []turn{client(dhip(rpcHello)), server(dhip(rpcAsked)), client(dhip(rpcLogin))}, []Login{{Protocol: "dhip", UserHint: "in"}}},
		"dhip: challenged again":         {"dhip", []turn{client(dhip(rpcLogin)), server(dhip(`{"id":2,"error":{"code":268632079},"result":false}`))}, []Login{{Protocol: "dhip", UserHint: "in"}}},
		"dhip: more than there is":       {"dhip", []turn{client("\x20\x00\x00\x00DHIP\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00" + rpcLogin), server(dhip(`{"id":2,"result":true}`))}, nil},
		"xm: wrong, no such user, in": {"xmeye", []turn{xmLogin("root", "OxhlwSG8"), xmReply(203), xmLogin("x", "y"), xmReply(205), xmLogin("admin", "tlJwpbo6"), xmReply(100)},
			[]Login{{Protocol: "xmeye", UserHint: "ot", Result: OutcomeFailure}, {Protocol: "xmeye", UserHint: "x", Result: OutcomeFailure}, {Protocol: "xmeye", UserHint: "in", Result: OutcomeSuccess, DefaultCredentials: true}}},
		"xm: not permitted":  {"xmeye", []turn{xmLogin("admin", "a"), xmReply(103)}, []Login{{Protocol: "xmeye", UserHint: "in"}}},
		"xm: another answer": {"xmeye", []turn{xmLogin("admin", "a"), server(xm(1007, `{"Ret":203}`)), xmReply(100)}, []Login{{Protocol: "xmeye", UserHint: "in", Result: OutcomeSuccess}}},
		"dvrip: challenge, then in": {"dvrip", []turn{client(dvrip(0xa0, 1, "", "")), server(dvrip(0xb0, 0, "\x01\x0a", realm)), client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x00\x08", ""))},
			[]Login{{Protocol: "dvrip", UserHint: "in", Result: OutcomeSuccess}}},
		"dvrip: wrong, then locked": {"dvrip", []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x01\x00", "")), client(dvrip(0xa0, 5, "", "admin&&AB13")), server(dvrip(0xb0, 0, "\x01\x04", ""))},
			[]Login{{Protocol: "dvrip", UserHint: "in", Result: OutcomeFailure}, {Protocol: "dvrip", UserHint: "in", Result: OutcomeFailure}}},
		"dvrip: in the header": {"dvrip", []turn{client(dvrip(0xa0, 0, "888888\x00\x00abcdefgh", "")), server(dvrip(0xb0, 0, "\x00\x08", ""))}, []Login{{Protocol: "dvrip", UserHint: "88", Result: OutcomeSuccess}}},
		"dvrip: in JSON":       {"dvrip", []turn{client(dvrip(0xf6, 0, "", rpcLogin)), server(dvrip(0xf6, 0, "", `{"id":2,"error":{"code":268632085},"result":false}`))}, []Login{{Protocol: "dvrip", UserHint: "in", Result: OutcomeFailure}}},
		"dvrip: in use":        {"dvrip", []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x03\x03", ""))}, []Login{{Protocol: "dvrip", UserHint: "in"}}},
	} {
		facts := sameHoweverCut(t, Ports{40000, 80}, tc.turns)
		got := factsOf[Login](facts)
		if appOf(facts) != tc.app || len(got) != len(tc.want) {
			t.Errorf("%s:\n%s", name, dump(facts))
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
	fuzzStream(f, func() streamDissector { return openDHIP(nil) }, []turn{client(dhip(rpcHello)), server(dhip(rpcAsked)), client(dhip(rpcLogin)), server(dhip(`{"id":2,"result":true}`))})
}

func FuzzDVRIP(f *testing.F) {
	fuzzStream(f, func() streamDissector { return openDVRIP(nil) }, []turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x01\x00", ""))})
}

func FuzzXMEye(f *testing.F) {
	fuzzStream(f, func() streamDissector { return openXMEye(nil) }, []turn{xmLogin("admin", "tlJwpbo6"), xmReply(203)})
}
