// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestNoSecretInFacts sends a password in every known way, and looks for it in the facts.
func TestNoSecretInFacts(t *testing.T) {
	const secret = "Tr0ub4dor"
	basic := "Authorization: Basic " + dissecttest.EncodeBase64("admin:"+secret)
	for name, turns := range map[string][]turn{
		"basic":          {client(request("GET / HTTP/1.1", basic)), server(dissecttest.EmptyOK)},
		"unknown scheme": {client(request("GET / HTTP/1.1", "Authorization: "+secret)), server(dissecttest.EmptyOK)},
		"bearer":         {client(request("GET / HTTP/1.1", "Authorization: Bearer "+secret, "Cookie: s="+secret, "X-Auth-Token: "+secret)), server(dissecttest.EmptyOK)},
		"query":          {client(request("GET /cgi?user=admin&pwd=" + secret + "&x=1 HTTP/1.1")), server(dissecttest.EmptyOK)},
		"query, escaped": {client(request("GET /cgi?p%61ssword=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"session":        {client(request("GET /cgi;jsessionid=" + secret + "?a=b HTTP/1.1")), server(dissecttest.EmptyOK)},
		"array name":     {client(request("GET /cgi?login[password]=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"in the path":    {client(request("DESCRIBE rtsp://10.0.0.1/user=admin_password="+secret+"_channel=1.sdp RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"user info":      {client(request("DESCRIBE rtsp://admin:"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"with a slash":   {client(request("DESCRIBE rtsp://admin:a/"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"rtsp basic":     {client(request("DESCRIBE rtsp://10.0.0.1/ RTSP/1.0", "CSeq: 1", basic)), server(request("RTSP/1.0 401 No", "CSeq: 1"))},
		"form":           {client(request("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 29") + "user=admin&password=" + secret), server(dissecttest.EmptyOK)},
		"form in JSON":   {client(request("POST /login HTTP/1.1", "Content-Type: application/json", "Content-Length: 24") + `{"password":"` + secret + `"}`), server(dissecttest.EmptyOK)},
		"SOAP":           {client(request("POST /onvif HTTP/1.1", "Content-Type: application/soap+xml", "Content-Length: 96") + `<UsernameToken><Password Type="x#PasswordText">` + secret + "</Password></UsernameToken><s:Body><a/>"), server(dissecttest.EmptyOK)},
		"proxy":          {client(request("CONNECT h:443 HTTP/1.1", "Proxy-"+basic)), server("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")},
		"ftp":            {server("220 FTP\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("331 ?\r\n530 no\r\n")},
		"telnet":         {server("\xff\xfb\x01login: "), client("a\r\n"), server("Password: "), client(secret + "\r\n"), server("# ")},
		"smtp plain":     {server("220 SMTP\r\n"), client("EHLO x\r\nAUTH PLAIN " + dissecttest.PlainAuth("a", secret) + "\r\n"), server("250 x\r\n235 ok\r\n")},
		"smtp login":     {server("220 SMTP\r\n"), client("AUTH LOGIN\r\n"), server("334 x\r\n"), client(dissecttest.EncodeBase64("a") + "\r\n"), server("334 x\r\n"), client(dissecttest.EncodeBase64(secret) + "\r\n"), server("235 ok\r\n")},
		"pop3":           {server("+OK POP3\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("+OK\r\n+OK\r\n")},
		"imap":           {server("* OK x\r\n"), client("1 LOGIN a " + secret + "\r\n"), server("1 OK\r\n")},
		"mqtt":           {client("\x10\x20\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x01b\x00\x09" + secret), server("\x20\x02\x00\x00")},
		"socks":          {client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x09" + secret), server("\x01\x00")},
		"irc":            {client("PASS " + secret + "\r\nNICK a\r\n")},
		"redis":          {client("*2\r\n$4\r\nAUTH\r\n$9\r\n" + secret + "\r\n")},
		"redis, user":    {client("*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$9\r\n" + secret + "\r\n"), server("+OK\r\n")},
		"mqtt accepted":  {client(dissecttest.MQTTConnect("a", secret)), server("\x20\x02\x00\x00")},
		"ldap":           {client("\x30\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x00\x80\x09" + secret)},
		"stratum":        {client(`{"method":"mining.authorize","params":["w","` + secret + `"]}` + "\n")},
	} {
		text := dissecttest.Dump(dispatchtest.Play(t, dissect.Ports{Client: 4000, Server: 8080}, turns, 0)) + dissecttest.Dump(dispatchtest.Play(t, dissect.Ports{Client: 4000, Server: 8080}, turns, 1))
		if text == "" {
			t.Errorf("%s: nothing was read", name)
		}
		for _, form := range []string{secret, secret[:len(secret)-1], dissecttest.EncodeBase64(secret), strings.TrimRight(dissecttest.EncodeBase64("admin:"+secret), "=")} {
			if strings.Contains(text, form) {
				t.Errorf("%s: the password is in\n%s", name, text)
			}
		}
	}
}
