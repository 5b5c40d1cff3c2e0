// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func md5Text(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// mysqlProof is the answer of mysql_native_password to the salt of mysqlSalted.
func mysqlProof(password string) string {
	once := sha1.Sum([]byte(password))
	twice := sha1.Sum(once[:])
	sum := sha1.Sum(append([]byte(mysqlSalt), twice[:]...))
	for i := range sum {
		sum[i] ^= once[i]
	}
	return string(sum[:])
}

const mysqlSalt = "abcdefghijklmnopqrst"

// proofSessions are sessions in which root or admin proves to know a password; last is the server's answer.
func proofSessions(password string, accepted bool) map[string][]turn {
	pick := func(yes, no string) turn {
		if accepted {
			return server(yes)
		}
		return server(no)
	}
	mysql := func(number byte, body string) string { return string([]byte{byte(len(body)), 0, 0, number}) + body }
	upper := func(s string) string { return strings.ToUpper(md5Text(s)) }
	rpc := `{"id":2,"method":"global.login","params":{"password":"` + upper("admin:12:"+upper("admin:Login to 3:"+password)) + `","userName":"admin"}}`
	digest := `Digest username="admin", realm="x", nonce="n", uri="/", qop=auth, nc=00000001, cnonce="c", response="` +
		md5Text(md5Text("admin:x:"+password)+":n:00000001:c:auth:"+md5Text("DESCRIBE:/")) + `"`
	return map[string][]turn{
		"dhip": {client(dahua(dissecttest.RPCFirstLogin)), server(dahua(dissecttest.RPCChallenge)), client(dahua(rpc)),
			pick(dahua(`{"id":2,"result":true}`), dahua(`{"id":2,"error":{"code":268632085},"result":false}`))},
		"rpc2": {client(body("POST /RPC2_Login", dissecttest.RPCFirstLogin)), server(body("HTTP/1.1 200 OK", dissecttest.RPCChallenge)), client(body("POST /RPC2_Login", rpc)),
			pick(body("HTTP/1.1 200 OK", `{"id":2,"result":true}`), body("HTTP/1.1 200 OK", `{"id":2,"error":{"code":268632085},"result":false}`))},
		"rtsp": {client(request("DESCRIBE rtsp://h/ RTSP/1.0", "CSeq: 1", "Authorization: "+digest)), pick(request("RTSP/1.0 200 OK", "CSeq: 1"), request("RTSP/1.0 401 No", "CSeq: 1"))},
		"mysql": {server(mysql(0, "\x0a5.7.1\x00\x01\x00\x00\x00"+mysqlSalt[:8]+"\x00"+strings.Repeat("\x00", 7)+"\x15"+strings.Repeat("\x00", 10)+mysqlSalt[8:]+"\x00mysql_native_password\x00")),
			client(mysql(1, "\x05\xa2\x3a\x00"+strings.Repeat("\x00", 28)+"root\x00\x14"+mysqlProof(password)+"mysql_native_password\x00")),
			pick(mysql(2, "\x00\x00\x00\x02\x00\x00\x00"), mysql(2, "\xff\x15\x04#28000Access denied"))},
		"postgresql": {client("\x00\x00\x00\x13\x00\x03\x00\x00user\x00root\x00\x00"), server("R\x00\x00\x00\x0c\x00\x00\x00\x05salt"),
			client("p\x00\x00\x00\x28md5" + md5Text(md5Text(password+"root")+"salt") + "\x00"), pick("R\x00\x00\x00\x08\x00\x00\x00\x00", "E\x00\x00\x00\x17SFATAL\x00C28P01\x00Mno\x00\x00")},
		"pop3": {server("+OK POP3 <1.2@h>\r\n"), client("APOP root " + md5Text("<1.2@h>"+password) + "\r\n"), pick("+OK in\r\n", "-ERR no\r\n")},
	}
}

// TestProofsOfDefaultPasswords checks that proofs are computed again, and only if they were accepted.
func TestProofsOfDefaultPasswords(t *testing.T) {
	for _, tc := range []struct {
		password string
		accepted bool
	}{{"admin", true}, {"admin", false}, {"Tr0ub4dor", true}} {
		for name, turns := range proofSessions(tc.password, tc.accepted) {
			facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 8080}, turns)
			got, result := false, dissect.OutcomeUnknown
			for _, f := range facts {
				switch f := f.(type) {
				case *dissect.Login:
					got, result = f.DefaultCredentials, f.Result
				case *dissect.HTTPExchange:
					got, result = f.DefaultCredentials, f.AuthResult
				case *dissect.RTSPExchange:
					got, result = f.DefaultCredentials, f.AuthResult
				}
			}
			want := map[bool]dissect.Outcome{true: dissect.OutcomeSuccess, false: dissect.OutcomeFailure}[tc.accepted]
			if result != want || got != (tc.accepted && tc.password == "admin") {
				t.Errorf("%s, %+v: %v, default %v\n%s", name, tc, result, got, dissecttest.Dump(facts))
			}
		}
	}
}
