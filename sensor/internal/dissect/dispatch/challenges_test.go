// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func sha256Text(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// vncAnswer is the answer to a challenge of VNC.
func vncAnswer(challenge, password string) string {
	var key [8]byte
	copy(key[:], password)
	for i := range key {
		key[i] = bits.Reverse8(key[i])
	}
	c, err := des.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, 16)
	c.Encrypt(out, []byte(challenge))
	c.Encrypt(out[8:], []byte(challenge[8:]))
	return string(out)
}

// ber is an element of BER with a short length.
func ber(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string([]byte{tag, byte(len(body))}) + body
}

// login is a session in which a client proves to know a password, or sends it.
type login struct {
	turns   []turn
	clear   bool   // the password is sent
	factory string // a default password in this protocol
	hint    string
}

// mailLogins are logins of mail. no and yes are the server's last words.
func mailLogins(password string, accepted bool) map[string]login {
	pick := func(yes, no string) turn {
		if accepted {
			return server(yes + "\r\n")
		}
		return server(no + "\r\n")
	}
	const challenge = "<1896.697170952@cam.example>"
	mac := hmac.New(md5.New, []byte(password))
	mac.Write([]byte(challenge))
	cram := client(dissecttest.EncodeBase64(fmt.Sprintf("admin %x", mac.Sum(nil))) + "\r\n")
	asked := dissecttest.EncodeBase64(challenge) + "\r\n"
	return map[string]login{
		"smtp cram-md5": {[]turn{server("220 x ESMTP\r\n"), client("EHLO x\r\n"), server("250 AUTH CRAM-MD5\r\n"), client("AUTH CRAM-MD5\r\n"), server("334 " + asked), cram,
			pick("235 in", "535 no")}, false, "admin", "in"},
		"imap cram-md5": {[]turn{server("* OK IMAP4\r\n"), client("a AUTHENTICATE CRAM-MD5\r\n"), server("+ " + asked), cram, pick("a OK in", "a NO no")}, false, "admin", "in"},
		"pop3 cram-md5": {[]turn{server("+OK POP3\r\n"), client("AUTH CRAM-MD5\r\n"), server("+ " + asked), cram, pick("+OK in", "-ERR no")}, false, "admin", "in"},
		"pop3":          {[]turn{server("+OK POP3\r\n"), client("USER admin\r\n"), server("+OK\r\n"), client("PASS " + password + "\r\n"), pick("+OK in", "-ERR no")}, true, "admin", "in"},
		"imap":          {[]turn{server("* OK IMAP4\r\n"), client("a LOGIN admin " + password + "\r\n"), pick("a OK in", "a NO no")}, true, "admin", "in"},
		"smtp plain":    {[]turn{server("220 x ESMTP\r\n"), client("EHLO x\r\n"), server("250 AUTH PLAIN\r\n"), client("AUTH PLAIN " + dissecttest.PlainAuth("admin", password) + "\r\n"), pick("235 in", "535 no")}, true, "admin", "in"},
	}
}

// deviceLogins are logins to devices.
func deviceLogins(password string, accepted bool) map[string]login {
	pick := func(yes, no string) turn {
		if accepted {
			return server(yes)
		}
		return server(no)
	}
	bind := func(name string) []turn {
		return []turn{client(ber(0x30, "\x02\x01\x01", ber(0x60, "\x02\x01\x03", ber(4, name), ber(0x80, password)))),
			pick(ber(0x30, "\x02\x01\x01", ber(0x61, "\x0a\x01\x00\x04\x00\x04\x00")), ber(0x30, "\x02\x01\x01", ber(0x61, "\x0a\x01\x31\x04\x00\x04\x00")))}
	}
	sip := `Digest username="1001", realm="pbx", nonce="n", uri="sip:pbx", response="` + md5Text(md5Text("1001:pbx:"+password)+":n:"+md5Text("REGISTER:sip:pbx")) + `"`
	const challenge = "0123456789abcdef"
	mqtt := "\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x05admin\x00" + string([]byte{byte(len(password))}) + password
	isapi := func(cap, proof string) []turn {
		return []turn{client(request("GET /ISAPI/Security/sessionLogin/capabilities?username=admin HTTP/1.1")),
			server(body("HTTP/1.1 200 OK", "<SessionLoginCap><sessionID>7</sessionID><challenge>c1</challenge><iterations>100</iterations>"+cap+"</SessionLoginCap>")),
			client(body("POST /ISAPI/Security/sessionLogin?timeStamp=1", "<SessionLogin><userName>admin</userName><password>"+proof+"</password></SessionLogin>")),
			pick(body("HTTP/1.1 200 OK", "<SessionLogin><statusValue>200</statusValue></SessionLogin>"), body("HTTP/1.1 401 No", "<SessionLogin><statusValue>401</statusValue></SessionLogin>"))}
	}
	again := func(text string, times int) string {
		for range times {
			text = sha256Text(text)
		}
		return text
	}
	kept := sha256Text("admin" + "s1" + password)
	return map[string]login{
		"ldap":         {bind("cn=admin,dc=example,dc=org"), true, "admin", "in"},
		"ldap, by uid": {bind("uid=admin,ou=system"), true, "secret", "in"},
		"ldap, domain": {bind("admin@corp.example"), true, "admin", "in"},
		"sip": {[]turn{client(request("REGISTER sip:pbx SIP/2.0", "CSeq: 1 REGISTER", "Authorization: "+sip, "Content-Length: 0")),
			pick(request("SIP/2.0 200 OK", "CSeq: 1 REGISTER", "Content-Length: 0"), request("SIP/2.0 403 No", "CSeq: 1 REGISTER", "Content-Length: 0"))}, false, "1234", "01"},
		"vnc": {[]turn{server("RFB 003.008\n"), client("RFB 003.008\n"), server("\x01\x02"), client("\x02"), server(challenge), client(vncAnswer(challenge, password)), pick("\x00\x00\x00\x00", "\x00\x00\x00\x01")},
			false, "headless", ""},
		"mqtt":                {[]turn{client("\x10" + string([]byte{byte(len(mqtt))}) + mqtt), pick("\x20\x02\x00\x00", "\x20\x02\x00\x05")}, true, "admin", "in"},
		"isapi":               {isapi("<isIrreversible>false</isIrreversible>", again(sha256Text(password)+"c1", 99)), false, "12345", "in"},
		"isapi, irreversible": {isapi("<isIrreversible>true</isIrreversible><salt>s1</salt>", again(kept+"c1", 99)), false, "12345", "in"},
		"isapi, two salts":    {isapi("<isIrreversible>true</isIrreversible><salt>s1</salt><salt2>s2</salt2>", again(sha256Text("admin"+"s2"+kept)+"c1", 99)), false, "12345", "in"},
	}
}

// TestDefaultPasswordsOfLogins checks each login with a default password and with another one, accepted and refused.
func TestDefaultPasswordsOfLogins(t *testing.T) {
	for _, sessions := range []func(string, bool) map[string]login{mailLogins, deviceLogins} {
		for name, of := range sessions("", true) {
			for _, tc := range []struct {
				password          string
				accepted, factory bool
			}{{of.factory, true, true}, {of.factory, false, true}, {"Tr0ub4dor", true, false}, {"x" + of.factory, true, false}} {
				s := sessions(tc.password, tc.accepted)[name]
				facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 8080}, s.turns)
				got := loginOf(facts)
				want := dissect.Login{Protocol: got.Protocol, UserHint: of.hint, Result: dissect.OutcomeFailure, CleartextCredentials: of.clear}
				if tc.accepted {
					want.Result = dissect.OutcomeSuccess
				}
				want.DefaultCredentials = tc.factory && (tc.accepted || of.clear)
				if got != want {
					t.Errorf("%s, %+v: %+v\n%s", name, tc, got, dissecttest.Dump(facts))
				}
			}
		}
	}
}

// loginOf returns the last login of a session, which may be in an exchange of HTTP.
func loginOf(facts []dissect.Fact) (l dissect.Login) {
	for _, f := range facts {
		switch f := f.(type) {
		case *dissect.Login:
			l = *f
		case *dissect.HTTPExchange:
			l = dissect.Login{UserHint: f.AuthUserHint, Result: f.AuthResult, DefaultCredentials: f.DefaultCredentials, CleartextCredentials: f.CleartextCredentials}
		}
	}
	return l
}

// TestCostOfSessionLogin checks that a server cannot make the sensor hash without end.
func TestCostOfSessionLogin(t *testing.T) {
	for _, rounds := range []string{"0", "129", "99999999999999999999", "-5"} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{
			client(request("GET /ISAPI/Security/sessionLogin/capabilities?username=admin HTTP/1.1")),
			server(body("HTTP/1.1 200 OK", "<SessionLoginCap><challenge>c1</challenge><iterations>"+rounds+"</iterations></SessionLoginCap>")),
			client(body("POST /ISAPI/Security/sessionLogin", "<SessionLogin><userName>admin</userName><password>00</password></SessionLogin>")),
			server(body("HTTP/1.1 200 OK", "<SessionLogin><statusValue>200</statusValue></SessionLogin>"))})
		if l := loginOf(facts); l.Result != dissect.OutcomeSuccess || l.DefaultCredentials {
			t.Errorf("%s rounds: %+v", rounds, l)
		}
	}
}
