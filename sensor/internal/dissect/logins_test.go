// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"encoding/base64"
	"strings"
	"testing"
)

func plainAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func cleartextLogin(protocol, hint string, r Outcome, defaults bool) Login {
	return Login{Protocol: protocol, UserHint: hint, Result: r, DefaultCredentials: defaults, CleartextCredentials: true}
}

var loginCases = map[string]struct {
	ports  Ports
	turns  []turn
	app    string
	banner string
	want   []Login
}{
	"ftp: wrong, then right": {
		Ports{4000, 21},
		[]turn{
			server("220-Welcome\r\n220 Camera FTP server (vsFTPd 2.0.5)\r\n"), client("USER root\r\n"), server("331 Password\r\n"), client("PASS nope\r\n"), server("530 Login incorrect.\r\n"),
			client("user root\r\n"), server("331 Password\r\n"), client("pass root\r\n"), server("230-Hello\r\n230 In.\r\n"), client("QUIT\r\n"),
		}, "ftp", "Welcome Camera FTP server (vsFTPd 2.0.5)",
		[]Login{cleartextLogin("ftp", "ot", OutcomeFailure, false), cleartextLogin("ftp", "ot", OutcomeSuccess, true)},
	},
	"ftp: named by the command": {
		Ports{4000, 2100},
		[]turn{server("220 ready\r\n"), client("USER admin\r\n"), server("331 ?\r\n"), client("PASS 12345\r\n")},
		"ftp", "ready", []Login{cleartextLogin("ftp", "in", OutcomeUnknown, true)},
	},
	"ftp: anonymous": {
		Ports{4000, 21},
		[]turn{server("220 x\r\n"), client("USER anonymous\r\n"), server("331 ?\r\n"), client("PASS me@\r\n"), server("230 ok\r\n")},
		"ftp", "x", []Login{{Protocol: "ftp", UserHint: "us", Result: OutcomeSuccess}},
	},
	"smtp: plain refused, login accepted": {
		Ports{4000, 587},
		[]turn{
			server("220 mx ESMTP Postfix\r\n"), client("EHLO me\r\n"), server("250-mx\r\n250 AUTH PLAIN LOGIN\r\n"), client("AUTH PLAIN " + plainAuth("joe", "x1") + "\r\n"), server("535 no\r\n"),
			client("AUTH LOGIN\r\n"), server("334 VXNlcm5hbWU6\r\n"), client(b64("joe") + "\r\n"), server("334 UGFzc3dvcmQ6\r\n"), client(b64("x2") + "\r\n"), server("235 ok\r\n"),
		}, "smtp", "mx ESMTP Postfix", []Login{cleartextLogin("smtp", "oe", OutcomeFailure, false), cleartextLogin("smtp", "oe", OutcomeSuccess, false)},
	},
	"pop3": {
		Ports{4000, 110},
		[]turn{server("+OK Dovecot ready.\r\n"), client("USER joe\r\nPASS a\r\n"), server("+OK\r\n-ERR no\r\n"), client("AUTH PLAIN\r\n"), server("+ \r\n"), client(plainAuth("guest", "guest") + "\r\n"), server("+OK in\r\n")},
		"pop3", "Dovecot ready.", []Login{cleartextLogin("pop3", "oe", OutcomeFailure, false), cleartextLogin("pop3", "st", OutcomeSuccess, true)},
	},
	"pop3: LOGIN, CRAM-MD5 and PASS, refused, then in": {
		Ports{4000, 110},
		[]turn{
			server("+OK Dovecot ready.\r\n"), client("AUTH LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client(b64("joe") + "\r\n"), server("+ UGFzc3dvcmQ6\r\n"), client(b64("x1") + "\r\n"), server("-ERR no\r\n"),
			client("AUTH CRAM-MD5\r\n"), server("+ PDE4OTY+\r\n"), client(b64("joe 0011") + "\r\n"), server("-ERR no\r\n"), client("USER joe\r\n"), server("+OK\r\n"), client("PASS a\r\n"), server("-ERR no\r\n"),
			client("AUTH SCRAM-SHA-1 " + b64("n,,n=joe") + "\r\n"), server("+ cj14\r\n"), client("Yz1i\r\n"), server("+ dj14\r\n"), client("\r\n"), server("+OK in\r\n"),
		}, "pop3", "Dovecot ready.",
		[]Login{cleartextLogin("pop3", "oe", OutcomeFailure, false), {Protocol: "pop3", Result: OutcomeFailure}, cleartextLogin("pop3", "oe", OutcomeFailure, false), {Protocol: "pop3", Result: OutcomeSuccess}},
	},
	"imap: no such mechanism, then CRAM-MD5, LOGIN given up, LOGIN": {
		Ports{4000, 143},
		[]turn{
			server("* OK hello\r\n"), client("a1 AUTHENTICATE GSSAPI\r\n"), server("a1 NO no such mechanism\r\n"), client("a2 AUTHENTICATE CRAM-MD5\r\n"), server("+ PDE4OTY+\r\n"), client(b64("joe 0011") + "\r\n"), server("a2 NO wrong\r\n"),
			client("a3 AUTHENTICATE LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client("*\r\n"), server("a3 BAD given up\r\n"), client("a4 AUTHENTICATE LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client(b64("joe") + "\r\n"),
			server("+ UGFzc3dvcmQ6\r\n"), client(b64("x1") + "\r\n"), server("a4 OK in\r\n"),
		}, "imap", "hello", []Login{{Protocol: "imap", Result: OutcomeFailure}, cleartextLogin("imap", "oe", OutcomeSuccess, false)},
	},
	"pop3: no such mechanism, and given up": {
		Ports{4000, 110},
		[]turn{
			server("+OK ready.\r\n"), client("AUTH GSSAPI\r\n"), server("-ERR no\r\n"), client("AUTH LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client("*\r\n"), server("-ERR gone\r\n"),
			client("AUTH LOGIN " + b64("joe") + "\r\n"), server("+ UGFzc3dvcmQ6\r\n"), client(b64("x1") + "\r\n"), server("+OK in\r\n"),
		}, "pop3", "ready.", []Login{cleartextLogin("pop3", "oe", OutcomeSuccess, false)},
	},
	"imap": {
		Ports{4000, 143},
		[]turn{server("* OK [CAPABILITY IMAP4rev1] hello\r\n"), client("a1 LOGIN \"joe\" \"p w\"\r\n"), server("a1 NO wrong\r\n"), client("a2 AUTHENTICATE PLAIN\r\n"), server("+\r\n"), client(plainAuth("joe", "y") + "\r\n"), server("* CAPABILITY\r\na2 OK in\r\n")},
		"imap", "[CAPABILITY IMAP4rev1] hello", []Login{cleartextLogin("imap", "oe", OutcomeFailure, false), cleartextLogin("imap", "oe", OutcomeSuccess, false)},
	},
	"telnet: asked again, said incorrect, then a prompt": {
		Ports{4000, 23},
		[]turn{
			server("\xff\xfd\x01\xff\xfb\x03"), client("\xff\xfc\x01\xff\xfa\x18\x00xterm\xff\xf0"), server("BusyBox v1.1\r\n\r\ncam login: "), client("root\r\n"), server("root\r\nPassword: "), client("abc\r\n"),
			server("\r\nLogin incorrect\r\ncam login: "), client("r\xff\xf1oot\r\x00"), server("Password: "), client("xc3511\r\x00"), server("\r\nLast login: yesterday\r\n# "), client("ls\r\n"),
		}, "telnet", "BusyBox v1.1", []Login{cleartextLogin("telnet", "ot", OutcomeFailure, false), cleartextLogin("telnet", "ot", OutcomeSuccess, true)},
	},
	"telnet: the client goes on, whatever the server thinks of it": {
		Ports{4000, 2323},
		[]turn{server("Username: "), client("admin\n"), server("Password:"), client("zz\n"), server("Welcome\r\n"), client("enable\n")},
		"telnet", "", []Login{cleartextLogin("telnet", "in", OutcomeUnknown, false)},
	},
	"telnet: nobody knows": {
		Ports{4000, 23},
		[]turn{server("login: "), client("admin\n"), server("Password:"), client("\n"), server("\r\n")},
		"telnet", "", []Login{cleartextLogin("telnet", "in", OutcomeUnknown, true)},
	},
}

func TestLogins(t *testing.T) {
	for name, tc := range loginCases {
		t.Run(name, func(t *testing.T) {
			facts := sameHoweverCut(t, tc.ports, tc.turns)
			got := factsOf[Login](facts)
			if appOf(facts) != tc.app || len(got) != len(tc.want) {
				t.Fatalf("facts:\n%s", dump(facts))
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("got  %+v\nwant %+v", got[i], tc.want[i])
				}
			}
			if b := factsOf[Banner](facts); tc.banner != "" && (len(b) != 1 || b[0].Text != tc.banner || b[0].Protocol != tc.app) {
				t.Errorf("banner %+v", b)
			}
		})
	}
}

// TestNoSecretInFacts sends a password in every way that is known, and looks for it in what was read.
func TestNoSecretInFacts(t *testing.T) {
	const secret = "Tr0ub4dor"
	basic := "Authorization: Basic " + b64("admin:"+secret)
	for name, turns := range map[string][]turn{
		"basic":          {client(request("GET / HTTP/1.1", basic)), server(okEmpty)},
		"unknown scheme": {client(request("GET / HTTP/1.1", "Authorization: "+secret)), server(okEmpty)},
		"bearer":         {client(request("GET / HTTP/1.1", "Authorization: Bearer "+secret, "Cookie: s="+secret, "X-Auth-Token: "+secret)), server(okEmpty)},
		"query":          {client(request("GET /cgi?user=admin&pwd=" + secret + "&x=1 HTTP/1.1")), server(okEmpty)},
		"query, escaped": {client(request("GET /cgi?p%61ssword=" + secret + " HTTP/1.1")), server(okEmpty)},
		"session":        {client(request("GET /cgi;jsessionid=" + secret + "?a=b HTTP/1.1")), server(okEmpty)},
		"array name":     {client(request("GET /cgi?login[password]=" + secret + " HTTP/1.1")), server(okEmpty)},
		"in the path":    {client(request("DESCRIBE rtsp://10.0.0.1/user=admin_password="+secret+"_channel=1.sdp RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"user info":      {client(request("DESCRIBE rtsp://admin:"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"with a slash":   {client(request("DESCRIBE rtsp://admin:a/"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"rtsp basic":     {client(request("DESCRIBE rtsp://10.0.0.1/ RTSP/1.0", "CSeq: 1", basic)), server(request("RTSP/1.0 401 No", "CSeq: 1"))},
		"form":           {client(request("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 29") + "user=admin&password=" + secret), server(okEmpty)},
		"form in JSON":   {client(request("POST /login HTTP/1.1", "Content-Type: application/json", "Content-Length: 24") + `{"password":"` + secret + `"}`), server(okEmpty)},
		"SOAP":           {client(request("POST /onvif HTTP/1.1", "Content-Type: application/soap+xml", "Content-Length: 96") + `<UsernameToken><Password Type="x#PasswordText">` + secret + "</Password></UsernameToken><s:Body><a/>"), server(okEmpty)},
		"proxy":          {client(request("CONNECT h:443 HTTP/1.1", "Proxy-"+basic)), server("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")},
		"ftp":            {server("220 FTP\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("331 ?\r\n530 no\r\n")},
		"telnet":         {server("\xff\xfb\x01login: "), client("a\r\n"), server("Password: "), client(secret + "\r\n"), server("# ")},
		"smtp plain":     {server("220 SMTP\r\n"), client("EHLO x\r\nAUTH PLAIN " + plainAuth("a", secret) + "\r\n"), server("250 x\r\n235 ok\r\n")},
		"smtp login":     {server("220 SMTP\r\n"), client("AUTH LOGIN\r\n"), server("334 x\r\n"), client(b64("a") + "\r\n"), server("334 x\r\n"), client(b64(secret) + "\r\n"), server("235 ok\r\n")},
		"pop3":           {server("+OK POP3\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("+OK\r\n+OK\r\n")},
		"imap":           {server("* OK x\r\n"), client("1 LOGIN a " + secret + "\r\n"), server("1 OK\r\n")},
		"mqtt":           {client("\x10\x20\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x01b\x00\x09" + secret), server("\x20\x02\x00\x00")},
		"socks":          {client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x09" + secret), server("\x01\x00")},
		"irc":            {client("PASS " + secret + "\r\nNICK a\r\n")},
		"redis":          {client("*2\r\n$4\r\nAUTH\r\n$9\r\n" + secret + "\r\n")},
		"redis, user":    {client("*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$9\r\n" + secret + "\r\n"), server("+OK\r\n")},
		"mqtt accepted":  {client(mqttLogin("a", secret)), server("\x20\x02\x00\x00")},
		"ldap":           {client("\x30\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x00\x80\x09" + secret)},
		"stratum":        {client(`{"method":"mining.authorize","params":["w","` + secret + `"]}` + "\n")},
	} {
		text := dump(play(t, Ports{4000, 8080}, turns, 0)) + dump(play(t, Ports{4000, 8080}, turns, 1))
		if text == "" {
			t.Errorf("%s: nothing was read", name)
		}
		for _, form := range []string{secret, secret[:len(secret)-1], b64(secret), strings.TrimRight(b64("admin:"+secret), "=")} {
			if strings.Contains(text, form) {
				t.Errorf("%s: the password is in\n%s", name, text)
			}
		}
	}
}

func TestMaskURI(t *testing.T) {
	for in, want := range map[string]string{
		"/a?user=admin&pwd=x&n=1": "/a?user=admin&pwd=***&n=1",
		"/a?TOKEN=x;b=2":          "/a?TOKEN=***;b=2",
		"/a?pwd=&b=2":             "/a?pwd=&b=2",
		"/System/configurationFile?auth=YWRtaW46MTEK": "/System/configurationFile?auth=YWRtaW46MTEK",
		"rtsp://10.0.0.1:554/a@b":                     "rtsp://10.0.0.1:554/a@b",
		"rtsp://u:p@10.0.0.1/a":                       "rtsp://***@10.0.0.1/a",
		"rtsp://u:p@x@10.0.0.1/a":                     "rtsp://***@10.0.0.1/a",
		"http://[2001:db8::1]:80/a@b":                 "http://[2001:db8::1]:80/a@b",
		"/a?loginuse=admin&loginpas=888888":           "/a?loginuse=admin&loginpas=***",
		"/\x00\x1b[2J":                                "/..[2J",
		"/a?channel=1&subtype=0":                      "/a?channel=1&subtype=0",
	} {
		if got := maskURI([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
