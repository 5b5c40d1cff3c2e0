// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func post(target, body string, fields ...string) turn {
	return client(request("POST "+target+" HTTP/1.1", append(fields, fmt.Sprintf("Content-Length: %d", len(body)))...) + body)
}

func answer(status int, body string, fields ...string) turn {
	return server(request(fmt.Sprintf("HTTP/1.1 %d x", status), append(fields, fmt.Sprintf("content-length: %d", len(body)))...) + body)
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func isapiAnswer(status int) string {
	return fmt.Sprintf("<SessionLogin>\n<statusValue>%d</statusValue><lockStatus>unlock</lockStatus></SessionLogin>", status)
}

// TestLoginsByForm checks the results of the exchanges of one session, in order.
func TestLoginsByForm(t *testing.T) {
	chunked := "5\r\n" + dissecttest.ISAPILogin[:5] + "\r\n" + fmt.Sprintf("%x;a=b\r\n", len(dissecttest.ISAPILogin)-5) + dissecttest.ISAPILogin[5:] + "\r\n0\r\n\r\n"
	for name, tc := range map[string]struct {
		turns []turn
		want  string // first letters of the results
	}{
		"isapi: refused, then a session": {[]turn{
			client(request("GET /ISAPI/Security/sessionLogin/capabilities?username=admin HTTP/1.1")), answer(200, "<SessionLoginCap><sessionID>1</sessionID></SessionLoginCap>"),
			post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(401, isapiAnswer(401)), post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(200, isapiAnswer(200), "Set-Cookie: WebSession_1=a")}, "ufs"},
		"isapi: the status is in the body":   {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(200, isapiAnswer(401))}, "f"},
		"isapi: a session id alone":          {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(200, "<SessionUserCheck><sessionID>77</sessionID></SessionUserCheck>")}, "s"},
		"isapi: no word":                     {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(200, "")}, "u"},
		"isapi: not activated":               {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(403, "<ResponseStatus><statusCode>4</statusCode></ResponseStatus>")}, "u"},
		"isapi: in JSON, other path":         {[]turn{post("/isapi/security/SessionLogin?format=json", `{"SessionLogin":{"password":"9f","userName":"admin"}}`), answer(401, `{"statusValue": 401}`)}, "f"},
		"isapi: with a namespace":            {[]turn{post(dissecttest.ISAPITarget, strings.ReplaceAll(dissecttest.ISAPILogin, "<password>", `<password xmlns="x">`)), answer(401, "")}, "f"},
		"isapi: chunked, both ways, gzip":    {[]turn{client(request("POST "+dissecttest.ISAPITarget+" HTTP/1.1", "TRANSFER-ENCODING: chunked") + chunked), answer(200, zipped(isapiAnswer(401)), "content-encoding: gzip")}, "f"},
		"isapi: compressed request":          {[]turn{post(dissecttest.ISAPITarget, zipped(dissecttest.ISAPILogin), "Content-Encoding: gzip"), server(request("HTTP/1.1 200 OK", "transfer-encoding: Chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(isapiAnswer(200)), isapiAnswer(200)))}, "s"},
		"isapi: broken gzip":                 {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(200, "\x1f\x8bxx", "Content-Encoding: gzip")}, "u"},
		"isapi: until the end":               {[]turn{post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), server("HTTP/1.0 200 OK\r\n\r\n" + isapiAnswer(200))}, "s"},
		"isapi: the answer is seen first":    {[]turn{answer(200, isapiAnswer(401)), post(dissecttest.ISAPITarget, dissecttest.ISAPILogin)}, "f"},
		"isapi: pipelined":                   {[]turn{client(request("GET /a HTTP/1.1")), post(dissecttest.ISAPITarget, dissecttest.ISAPILogin), answer(404, ""), answer(401, isapiAnswer(401))}, "uf"},
		"dahua: challenge, then in":          {[]turn{post("/RPC2_Login", dissecttest.RPCFirstLogin), answer(200, dissecttest.RPCChallenge), post("/RPC2_Login", dissecttest.RPCLogin), answer(200, `{"id":2,"params":null,"result":true}`)}, "us"},
		"dahua: challenge, then wrong":       {[]turn{post("/RPC2_Login", dissecttest.RPCFirstLogin), answer(200, dissecttest.RPCChallenge), post("/RPC2_Login", dissecttest.RPCLogin), answer(200, `{"error":{"code":268632085},"id":2,"result":false}`)}, "uf"},
		"dahua: locked":                      {[]turn{post("/RPC2_Login", dissecttest.RPCLogin), answer(200, `{"result" : false, "error" : {"message":"x \"result\":true","code" : 268632081}}`)}, "f"},
		"dahua: no session":                  {[]turn{post("/RPC2_Login", dissecttest.RPCLogin), answer(200, `{"error":{"code":287637505},"result":false}`)}, "u"},
		"dahua: a challenge for the proof":   {[]turn{post("/RPC2_Login", dissecttest.RPCLogin), answer(200, dissecttest.RPCChallenge)}, "u"},
		"dahua: another call":                {[]turn{post("/RPC2_Login", `{"method":"global.keepAlive","params":{"password":"x"}}`), answer(200, `{"result":true}`)}, "u"},
		"dahua: chunked":                     {[]turn{post("/RPC2_Login", dissecttest.RPCLogin), server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"result\r\n7\r\n\":true}\r\n0\r\n\r\n")}, "s"},
		"onvif: refused by a fault":          {[]turn{post("/onvif", "<Envelope><UsernameToken/><Body><GetUsers/></Body>", "Content-Type: application/soap+xml"), answer(400, "<Fault><Value>ter:NotAuthorized</Value></Fault>")}, "f"},
		"onvif: another fault":               {[]turn{post("/onvif", "<Envelope><UsernameToken/><Body><GetUsers/></Body>", "Content-Type: application/soap+xml"), answer(500, "<Fault><Value>ter:ActionNotSupported</Value></Fault>")}, "u"},
		"onvif: nobody needs a password":     {[]turn{post("/onvif", "<Envelope><UsernameToken/><Body><GetSystemDateAndTime/></Body>", "Content-Type: application/soap+xml"), answer(200, "<a/>")}, "u"},
		"basic before digest":                {[]turn{client(request("GET /a HTTP/1.1", "Authorization: Basic YTpi")), answer(401, "", `WWW-Authenticate: Digest realm="x", nonce="1"`), client(request("GET /a HTTP/1.1", `Authorization: Digest username="a", nonce="1"`)), answer(200, "")}, "us"},
		"kept alive, refused once":           {[]turn{client(request("GET /a HTTP/1.1", "Authorization: Basic YTpi")), answer(200, ""), client(request("GET /a HTTP/1.1", "Authorization: Basic YTpi")), answer(401, "", "WWW-Authenticate: Basic realm=x"), client(request("GET /a HTTP/1.1", "Authorization: Basic YTpi")), answer(200, "")}, "sus"},
		"two challenges in two header lines": {[]turn{client(request("GET /a HTTP/1.1", "Authorization: Basic YTpi")), answer(401, "", `WWW-Authenticate: Digest realm="x", nonce="1"`, "www-authenticate: basic realm=x")}, "f"},
	} {
		got := ""
		for _, e := range dissecttest.FactsOf[dissect.HTTPExchange](dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns)) {
			if e.Status == 0 {
				continue
			}
			got += e.AuthResult.String()[:1]
			if e.AuthScheme == "session" && (e.AuthUserHint != "in" || e.CleartextCredentials) {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestRTSPBasicBeforeDigest(t *testing.T) {
	ask := func(n int, authorization string) turn {
		return client(request("DESCRIBE rtsp://10.0.0.5/ RTSP/1.0", fmt.Sprint("CSeq: ", n), "Authorization: "+authorization))
	}
	say := func(n, status int, fields ...string) turn {
		return server(request(fmt.Sprintf("RTSP/1.0 %d x", status), append(fields, fmt.Sprint("CSeq: ", n))...))
	}
	got := ""
	for _, e := range dissecttest.FactsOf[dissect.RTSPExchange](dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 554}, []turn{
		ask(1, "Basic YTpi"), say(1, 401, `WWW-Authenticate: Digest realm="x", nonce="1"`),
		ask(2, `Digest username="a", nonce="1"`), say(2, 200),
		ask(3, `Digest username="a", nonce="1"`), say(3, 401, `WWW-Authenticate: Digest realm="x", nonce="2"`),
		ask(4, `Digest username="a", nonce="2"`), say(4, 200),
		ask(5, `Digest username="b", nonce="2"`), say(5, 401, `WWW-Authenticate: Digest realm="x", nonce="3"`),
	})) {
		if e.Status != 0 {
			got += e.AuthResult.String()[:1]
		}
	}
	if got != "ususf" {
		t.Error(got)
	}
}
