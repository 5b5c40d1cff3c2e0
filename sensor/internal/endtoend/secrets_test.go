// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// planted makes secrets that appear nowhere else, and keeps what each was used for.
type planted struct {
	use map[string]string // by secret
}

// new returns the secret of a use: the same in every run.
func (p *planted) new(use string) string {
	sum := sha256.Sum256([]byte(use))
	secret := "Zq9" + hex.EncodeToString(sum[:])[:13]
	p.use[secret] = use
	return secret
}

// forms are the spellings of a secret that are looked for: as it is, without its first and last character, in other cases, in hexadecimal,
// escaped, reversed, and in Base64 at each of the three alignments.
func forms(secret string) (all [][]byte) {
	all = append(all, []byte(secret[1:len(secret)-1]), []byte(strings.ToUpper(secret)), []byte(hex.EncodeToString([]byte(secret))), []byte(strings.ToUpper(hex.EncodeToString([]byte(secret)))))
	var escaped, wide strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&escaped, "%%%02x", c)
		wide.WriteString(string([]byte{c, 0}))
	}
	all = append(all, []byte(escaped.String()), []byte(wide.String()), []byte(url.QueryEscape(secret)))
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		text = strings.TrimRight(text, "=")
		all = append(all, []byte(text[4*min(shift, 1):len(text)-2]))
	}
	return all
}

// found returns the uses of the secrets that are in a text.
func (p *planted) found(text []byte) (uses []string) {
	for secret, use := range p.use {
		for _, form := range forms(secret) {
			if i := bytes.Index(text, form); i >= 0 {
				uses = append(uses, fmt.Sprintf("%s: …%q…", use, text[max(i-40, 0):min(i+40, len(text))]))
				break
			}
		}
	}
	return uses
}

// exchange is a session with a server. Turns that start with "<" are sent by the server.
type exchange struct {
	port  uint16
	turns []string
}

// webSecrets are sessions of HTTP that contain a secret, by what the secret is.
func webSecrets(p *planted) map[string]exchange {
	all := map[string]exchange{}
	web := func(use string, request func(secret string) string, replies ...string) {
		if len(replies) == 0 {
			replies = []string{said(200, "ok")}
		}
		all[use] = exchange{80, append([]string{request(p.new(use))}, replies...)}
	}
	header := func(h string) func(string) string {
		return func(s string) string {
			return "GET /a HTTP/1.1\r\nHost: cam\r\n" + fmt.Sprintf(h, s) + "\r\n\r\n"
		}
	}
	target := func(f string) func(string) string {
		return func(s string) string { return "GET " + fmt.Sprintf(f, s) + " HTTP/1.1\r\nHost: cam\r\n\r\n" }
	}
	web("http basic", func(s string) string { return get(basic("ops:" + s)) })
	web("http basic, refused", func(s string) string { return get(basic("ops:" + s)) }, said(401, "", `WWW-Authenticate: Basic realm="x"`))
	web("http bearer", header("Authorization: Bearer %s"))
	web("http unknown scheme", header("Authorization: %s"))
	web("http cookie", header("Cookie: session=%s"))
	web("http api key", header("X-Api-Key: %s"))
	web("http proxy", func(s string) string {
		return "GET http://h/ HTTP/1.1\r\nHost: h\r\nProxy-Authorization: " + basic("ops:"+s) + "\r\n\r\n"
	})
	web("http referer", header("Referer: http://h/?password=%s"))
	web("http user agent", header("User-Agent: curl http://ops:%s@h/"))
	web("query password", target("/login?user=ops&password=%s"))
	web("query pwd, escaped name", target("/login?user=ops&p%%77d=%s"))
	web("query token", target("/api?access_token=%s"))
	web("url with user", target("http://ops:%s@h/"))
	web("path with password", target("/user=ops_password=%s_channel=1"))
	all["set-cookie"] = exchange{80, []string{"GET / HTTP/1.1\r\nHost: cam\r\n\r\n", said(200, "ok", "Set-Cookie: WebSession_1="+p.new("set-cookie"))}}
	all["location"] = exchange{80, []string{"GET / HTTP/1.1\r\nHost: cam\r\n\r\n", said(302, "", "Location: http://ops:"+p.new("location")+"@h/?password="+p.new("location"))}}
	form := func(s string) string {
		body := "user=ops&password=" + s
		return fmt.Sprintf("POST /login HTTP/1.1\r\nHost: cam\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	web("form", form)
	web("form in JSON", func(s string) string { return posted("/login", `{"username":"ops","password":"`+s+`"}`) })
	web("soap PasswordText", func(s string) string {
		return posted("/onvif/device_service", `<Envelope><Header><Security><UsernameToken><Username>ops</Username><Password Type="http://x#PasswordText">`+s+
			`</Password></UsernameToken></Security></Header><Body><GetUsers xmlns="http://www.onvif.org/ver10/device/wsdl"/></Body></Envelope>`)
	})
	web("onvif CreateUsers", func(s string) string {
		return posted("/onvif/device_service", `<Envelope><Body><CreateUsers xmlns="http://www.onvif.org/ver10/device/wsdl"><User><Username>x</Username><Password>`+s+`</Password></User></CreateUsers></Body></Envelope>`)
	})
	web("isapi users", func(s string) string {
		return posted("/ISAPI/Security/users", "<User><userName>x</userName><password>"+s+"</password></User>")
	})
	web("rpc2 login", func(s string) string {
		return posted("/RPC2_Login", `{"id":2,"method":"global.login","params":{"password":"`+s+`","userName":"admin"}}`)
	}, said(200, `{"result":true,"id":2}`))
	return all
}

// secretSessions are all sessions that contain a secret, by what the secret is.
func secretSessions(p *planted) map[string]exchange {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	all := webSecrets(p)
	rtsp := p.new("rtsp basic")
	all["rtsp basic"] = exchange{554, []string{"DESCRIBE rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\nAuthorization: " + basic("ops:"+rtsp) + "\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["rtsp url"] = exchange{554, []string{"DESCRIBE rtsp://ops:" + p.new("rtsp url") + "@h/ch1 RTSP/1.0\r\nCSeq: 1\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["rtsp digest"] = exchange{554, []string{"DESCRIBE rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"ops\", realm=\"x\", nonce=\"a\", uri=\"/\", response=\"" + p.new("rtsp digest") + "\"\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["sip digest"] = exchange{5060, []string{"REGISTER sip:h SIP/2.0\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest username=\"1001\", response=\"" + p.new("sip digest") + "\"\r\nContent-Length: 0\r\n\r\n", "<SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"}}
	all["ftp"] = exchange{21, []string{"<220 FTP\r\n", "USER ops\r\n", "<331 x\r\n", "PASS " + p.new("ftp") + "\r\n", "<230 ok\r\n"}}
	all["ftp, refused"] = exchange{21, []string{"<220 FTP\r\n", "USER ops\r\n", "<331 x\r\n", "PASS " + p.new("ftp, refused") + "\r\n", "<530 no\r\n"}}
	all["password as the name"] = exchange{21, []string{"<220 FTP\r\n", "USER " + p.new("password as the name") + "\r\n", "<331 x\r\n", "PASS x\r\n", "<230 ok\r\n"}}
	all["telnet"] = typed(p.new("telnet"))
	all["smtp plain"] = exchange{25, []string{"<220 SMTP\r\n", "EHLO x\r\n", "<250 x\r\n", "AUTH PLAIN " + b64("\x00ops\x00"+p.new("smtp plain")) + "\r\n", "<235 ok\r\n"}}
	all["smtp login"] = exchange{25, []string{"<220 SMTP\r\n", "EHLO x\r\n", "<250 x\r\n", "AUTH LOGIN\r\n", "<334 VXNlcm5hbWU6\r\n", b64("ops") + "\r\n", "<334 UGFzc3dvcmQ6\r\n", b64(p.new("smtp login")) + "\r\n", "<235 ok\r\n"}}
	all["pop3"] = exchange{110, []string{"<+OK POP3\r\n", "USER ops\r\n", "<+OK\r\n", "PASS " + p.new("pop3") + "\r\n", "<+OK\r\n"}}
	all["pop3 plain"] = exchange{110, []string{"<+OK POP3\r\n", "AUTH PLAIN\r\n", "<+ \r\n", b64("\x00ops\x00"+p.new("pop3 plain")) + "\r\n", "<+OK\r\n"}}
	all["imap"] = exchange{143, []string{"<* OK IMAP4 ready\r\n", "1 LOGIN ops \"" + p.new("imap") + "\"\r\n", "<1 OK\r\n"}}
	all["mqtt"] = exchange{1883, []string{mqttConnect("ops", p.new("mqtt")), "<\x20\x02\x00\x00"}}
	all["redis"] = exchange{6379, []string{"*2\r\n$4\r\nAUTH\r\n$16\r\n" + p.new("redis") + "\r\n", "<+OK\r\n"}}
	all["ldap"] = exchange{389, []string{"\x30\x1f\x02\x01\x01\x60\x1a\x02\x01\x03\x04\x03ops\x80\x10" + p.new("ldap"), "<\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"}}
	postgres := p.new("postgresql")
	all["postgresql"] = exchange{5432, []string{"\x00\x00\x00\x12\x00\x03\x00\x00user\x00ops\x00\x00", "<R\x00\x00\x00\x08\x00\x00\x00\x03", "p\x00\x00\x00\x15" + postgres + "\x00", "<R\x00\x00\x00\x08\x00\x00\x00\x00"}}
	all["dhip"] = exchange{37777, []string{dhip(`{"id":2,"method":"global.login","params":{"password":"` + p.new("dhip") + `","userName":"admin"}}`), "<" + dhip(`{"result":true,"id":2}`)}}
	all["xmeye"] = exchange{34567, []string{sofia(1000, `{"EncryptType":"MD5","PassWord":"`+p.new("xmeye")+`","UserName":"admin"}`), "<" + sofia(1001, `{"Ret":100}`)}}
	all["socks"] = exchange{1080, []string{"\x05\x01\x02", "<\x05\x02", "\x01\x03ops\x10" + p.new("socks"), "<\x01\x00"}}
	all["irc"] = exchange{6667, []string{"PASS " + p.new("irc") + "\r\nNICK ops\r\n"}}
	all["stratum"] = exchange{3333, []string{`{"id":1,"method":"mining.authorize","params":["w","` + p.new("stratum") + "\"]}\n"}}
	all["no protocol"] = exchange{9999, []string{"login ops password " + p.new("no protocol") + "\n", "<ok\n"}}
	return all
}

// typed is a Telnet login in which the client types the password in single characters.
func typed(secret string) exchange {
	turns := []string{"<\xff\xfb\x01\xff\xfb\x03", "<\r\nlogin: ", "ops\r\n", "<ops\r\nPassword: "}
	for _, c := range secret {
		turns = append(turns, string(c))
	}
	turns = append(turns, "\r\n", "<\r\nBusyBox v1.19.4\r\n~ # ")
	return exchange{23, turns}
}

func mqttConnect(user, password string) string {
	text := func(s string) string { return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s }
	body := text("MQTT") + "\x04\xc2\x00\x3c" + text("client") + text(user) + text(password)
	return "\x10" + string(byte(len(body))) + body
}

func sofia(message uint16, body string) string {
	b := append([]byte{0xff}, make([]byte, 19)...)
	binary.LittleEndian.PutUint16(b[14:], message)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	return string(b) + body
}

// snmp is a message of version 2c, or a trap.
func snmp(community string, pdu byte) []byte {
	body := append([]byte{2, 1, 1, 4, byte(len(community))}, community...)
	body = append(body, pdu, 11, 2, 1, 7, 2, 1, 0, 2, 1, 0, 0x30, 0)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// withSecrets is a capture of all sessions with secrets, each from outside and from inside.
func withSecrets(p *planted) *netsim.Net {
	n := netsim.New(1)
	n.Router("10.20.30.1", "00:1b:54:00:00:01")
	cam := n.Host("cam", silentAddr, silentMAC, netsim.Embedded)
	clients := []*netsim.Host{n.External("203.0.113.66", netsim.Linux, 10*time.Millisecond), n.Host("desk", "10.20.30.9", "00:1b:54:00:00:09", netsim.Linux)}
	at := began()
	all := secretSessions(p)
	for _, use := range slices.Sorted(maps.Keys(all)) {
		s := all[use]
		for _, from := range clients {
			at = talk(n, at.Add(time.Second), from, cam, s.port, time.Millisecond, s.turns...)
		}
	}
	for _, from := range clients {
		at = n.Exchange(at.Add(time.Second), from, cam, 161, snmp(p.new("snmp"), 0xa0), snmp(p.new("snmp"), 0xa2))
		at = n.UDP(at.Add(time.Second), cam, 40000, from, 162, snmp(p.new("snmp trap"), 0xa7))
		at = n.UDP(at.Add(time.Second), from, 40001, cam, 514, []byte("<38>sshd: password="+p.new("syslog")+" for ops"))
	}
	return n
}

// TestNoSecretIsWritten sends a secret in every known way and looks for it in all that the sensor writes: alerts, sessions, devices, standard
// output, the log at its lowest level, metrics, the state and the spool.
func TestNoSecretIsWritten(t *testing.T) {
	p := &planted{use: map[string]string{}}
	capture, dir := write(t, withSecrets(p), "secrets.pcap"), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := run1(t, "replay", "--silent", silentMAC, "--log-level", "debug", "--alerts", at("alerts"), "--sessions", at("sessions"), "--devices", at("devices"),
		"--state", at("state"), "--metrics-file", at("metrics"), "--kafka", "127.0.0.1:1", "--spool", at("spool"), "--kafka-patience", "1s", capture)
	if r.status != exitIncomplete { // the spool is not delivered
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	for _, use := range p.found([]byte(r.out + r.err)) {
		t.Errorf("on standard output or in the log: %s", use)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		for _, use := range p.found([]byte(read(t, path))) {
			t.Errorf("in %s: %s", filepath.Base(path), use)
		}
		return nil
	})
	if err != nil || files < 6 {
		t.Errorf("%d files were searched: %v", files, err)
	}
	for _, rule := range []string{`"D08"`, `"D26"`} {
		if !strings.Contains(read(t, at("alerts")), rule) {
			t.Errorf("the logins raised no alert of %s", rule)
		}
	}
}

// TestSecretsAreFound checks the search itself on the capture, where all secrets are.
func TestSecretsAreFound(t *testing.T) {
	p := &planted{use: map[string]string{}}
	raw, err := os.ReadFile(write(t, withSecrets(p), "secrets.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.found(raw)); n < len(p.use)-1 { // the one that is typed is in as many packets as it has characters
		t.Errorf("%d of %d secrets are found in the capture", n, len(p.use))
	}
	for secret := range p.use {
		for _, text := range []string{secret, "a" + secret + "b", base64.StdEncoding.EncodeToString([]byte("u:" + secret)), base64.StdEncoding.EncodeToString([]byte("ab:" + secret + "c")), hex.EncodeToString([]byte(secret))} {
			if len(p.found([]byte(text))) != 1 {
				t.Fatalf("%q is not found", text)
			}
		}
		break
	}
}
