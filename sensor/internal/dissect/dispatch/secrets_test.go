// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestNoSecretInFacts sends a password in every known way, and looks for it in the facts.
func TestNoSecretInFacts(t *testing.T) {
	const secret = "Tr0ub4dor"
	ports := dissect.Ports{Client: 37777, Server: 8080}
	basic := "Authorization: Basic " + dissecttest.EncodeBase64("admin:"+secret)
	for name, turns := range map[string][]turn{
		"basic":               {client(request("GET / HTTP/1.1", basic)), server(dissecttest.EmptyOK)},
		"unknown scheme":      {client(request("GET / HTTP/1.1", "Authorization: "+secret)), server(dissecttest.EmptyOK)},
		"bearer":              {client(request("GET / HTTP/1.1", "Authorization: Bearer "+secret, "Cookie: s="+secret, "X-Auth-Token: "+secret)), server(dissecttest.EmptyOK)},
		"query":               {client(request("GET /cgi?user=admin&pwd=" + secret + "&x=1 HTTP/1.1")), server(dissecttest.EmptyOK)},
		"query, escaped":      {client(request("GET /cgi?p%61ssword=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"session":             {client(request("GET /cgi;jsessionid=" + secret + "?a=b HTTP/1.1")), server(dissecttest.EmptyOK)},
		"array name":          {client(request("GET /cgi?login[password]=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"in the path":         {client(request("DESCRIBE rtsp://10.0.0.1/user=admin_password="+secret+"_channel=1.sdp RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"user info":           {client(request("DESCRIBE rtsp://admin:"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"with a slash":        {client(request("DESCRIBE rtsp://admin:a/"+secret+"@10.0.0.1/ RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))},
		"rtsp basic":          {client(request("DESCRIBE rtsp://10.0.0.1/ RTSP/1.0", "CSeq: 1", basic)), server(request("RTSP/1.0 401 No", "CSeq: 1"))},
		"form":                {client(request("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 29") + "user=admin&password=" + secret), server(dissecttest.EmptyOK)},
		"form in JSON":        {client(request("POST /login HTTP/1.1", "Content-Type: application/json", "Content-Length: 24") + `{"password":"` + secret + `"}`), server(dissecttest.EmptyOK)},
		"SOAP":                {client(request("POST /onvif HTTP/1.1", "Content-Type: application/soap+xml", "Content-Length: 96") + `<UsernameToken><Password Type="x#PasswordText">` + secret + "</Password></UsernameToken><s:Body><a/>"), server(dissecttest.EmptyOK)},
		"proxy":               {client(request("CONNECT h:443 HTTP/1.1", "Proxy-"+basic)), server("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")},
		"ftp":                 {server("220 FTP\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("331 ?\r\n530 no\r\n")},
		"telnet":              {server("\xff\xfb\x01login: "), client("a\r\n"), server("Password: "), client(secret + "\r\n"), server("# ")},
		"smtp plain":          {server("220 SMTP\r\n"), client("EHLO x\r\nAUTH PLAIN " + dissecttest.PlainAuth("a", secret) + "\r\n"), server("250 x\r\n235 ok\r\n")},
		"smtp login":          {server("220 SMTP\r\n"), client("AUTH LOGIN\r\n"), server("334 x\r\n"), client(dissecttest.EncodeBase64("a") + "\r\n"), server("334 x\r\n"), client(dissecttest.EncodeBase64(secret) + "\r\n"), server("235 ok\r\n")},
		"pop3":                {server("+OK POP3\r\n"), client("USER a\r\nPASS " + secret + "\r\n"), server("+OK\r\n+OK\r\n")},
		"imap":                {server("* OK x\r\n"), client("1 LOGIN a " + secret + "\r\n"), server("1 OK\r\n")},
		"mqtt":                {client("\x10\x20\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01a\x00\x01b\x00\x09" + secret), server("\x20\x02\x00\x00")},
		"socks":               {client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x09" + secret), server("\x01\x00")},
		"irc":                 {client("PASS " + secret + "\r\nNICK a\r\n")},
		"redis":               {client("*2\r\n$4\r\nAUTH\r\n$9\r\n" + secret + "\r\n")},
		"redis, user":         {client("*3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$9\r\n" + secret + "\r\n"), server("+OK\r\n")},
		"mqtt accepted":       {client(dissecttest.MQTTConnect("a", secret)), server("\x20\x02\x00\x00")},
		"ldap":                {client("\x30\x15\x02\x01\x01\x60\x10\x02\x01\x03\x04\x00\x80\x09" + secret)},
		"rpc2, new account":   {client(body("POST /RPC2", `{"method":"userManager.addUser","params":{"user":{"Name":"x","Password":"`+secret+`"}},"id":1}`)), server(body("HTTP/1.1 200 OK", `{"id":1,"params":{"name":"`+secret+`"},"result":true}`))},
		"isapi, new account":  {client(body("POST /ISAPI/Security/users", "<User><userName>x</userName><password>"+secret+"</password></User>")), server(dissecttest.EmptyOK)},
		"onvif, new account":  {client(body("POST /onvif", `<Envelope><Body><CreateUsers xmlns="http://www.onvif.org/ver10/device/wsdl"><User><Username>x</Username><Password>`+secret+"</Password></User></CreateUsers></Body></Envelope>")), server(dissecttest.EmptyOK)},
		"dahua, new account":  {client(request("GET /cgi-bin/userManager.cgi?action=addUser&user.Name=x&user.Password=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"dahua, as a form":    {client(body("POST /cgi-bin/configManager.cgi", "Email.Password="+secret+"&action=setConfig")), server(dissecttest.EmptyOK)},
		"vapix, new account":  {client(request("GET /axis-cgi/pwdgrp.cgi?action=add&user=x&pwd=" + secret + " HTTP/1.1")), server(dissecttest.EmptyOK)},
		"vapix, read":         {client(request("GET /axis-cgi/param.cgi?action=list HTTP/1.1")), server(body("HTTP/1.1 200 OK", "root.Brand.Brand=AXIS\nroot.Network.PPPoE.Password="+secret))},
		"isapi, read":         {client(request("GET /ISAPI/System/deviceInfo HTTP/1.1")), server(body("HTTP/1.1 200 OK", "<DeviceInfo><model>x</model><password>"+secret+"</password></DeviceInfo>"))},
		"dhip, new account":   {client(dahua(`{"method":"userManager.addUser","params":{"user":{"Name":"x","Password":"` + secret + `"}},"id":1}`)), server(dahua(`{"id":1,"params":{"password":"` + secret + `"},"result":true}`))},
		"xm, new password":    {client(sofia(1488, `{"EncryptType":"MD5","NewPassWord":"`+secret+`","PassWord":"`+secret+`","UserName":"admin"}`)), server(sofia(1489, `{"Ret":100}`))},
		"xm, read":            {client(sofia(1042, `{"Name":"NetWork.`+secret+`"}`)), server(sofia(1043, `{"Ret":100,"SystemInfo":{"Password":"`+secret+`"}}`))},
		"dvrip, new password": {client("\xa6\x00\x00\x00\x18\x00\x00\x00\x0a" + strings.Repeat("\x00", 23) + "admin:Intel:" + secret + ":xx"), server("\xb6\x00\x00\x00\x0b\x00\x00\x00\x0a" + strings.Repeat("\x00", 23) + secret + ":x")},
		"dvrip, users":        {client("\xa6\x00\x00\x00\x00\x00\x00\x00\x09" + strings.Repeat("\x00", 23)), server("\xb6\x00\x00\x00\x0b\x00\x00\x00\x09" + strings.Repeat("\x00", 23) + secret + ":x")},
		"stratum":             {client(`{"method":"mining.authorize","params":["w","` + secret + `"]}` + "\n")},
	} {
		text := dissecttest.Dump(dispatchtest.Play(t, ports, turns, 0)) + dissecttest.Dump(dispatchtest.Play(t, ports, turns, 1))
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

// body is an HTTP message with a body.
func body(line, text string) string {
	if !strings.HasPrefix(line, "HTTP/") {
		line += " HTTP/1.1"
	}
	return request(line, fmt.Sprint("Content-Length: ", len(text))) + text
}

// dahua is a message of DHIP.
func dahua(text string) string {
	b := append([]byte("\x20\x00\x00\x00DHIP"), make([]byte, 24)...)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(text)))
	return string(b) + text
}

// sofia is a message of Xiongmai.
func sofia(number uint16, text string) string {
	b := append([]byte{0xff}, make([]byte, 19)...)
	binary.LittleEndian.PutUint16(b[14:], number)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(text)))
	return string(b) + text
}
