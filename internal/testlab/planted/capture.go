// SPDX-License-Identifier: Apache-2.0

package planted

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// secretSessions are all sessions that contain a secret, by what the secret is.
func secretSessions(p *Secrets) map[string]exchange {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	all := webSecrets(p)
	maps.Copy(all, binarySecrets(p))
	rtsp := p.New("rtsp basic")
	all["rtsp basic"] = exchange{554, []string{"DESCRIBE rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\nAuthorization: " + basic("ops:"+rtsp) + "\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["rtsp url"] = exchange{554, []string{"DESCRIBE rtsp://ops:" + p.New("rtsp url") + "@h/ch1 RTSP/1.0\r\nCSeq: 1\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["rtsp digest"] = exchange{554, []string{"DESCRIBE rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Digest username=\"ops\", realm=\"x\", nonce=\"a\", uri=\"/\", response=\"" + p.New("rtsp digest") + "\"\r\n\r\n", "<RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"}}
	all["sip digest"] = exchange{5060, []string{"REGISTER sip:h SIP/2.0\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest username=\"1001\", response=\"" + p.New("sip digest") + "\"\r\nContent-Length: 0\r\n\r\n", "<SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"}}
	all["ftp"] = exchange{21, []string{"<220 FTP\r\n", "USER ops\r\n", "<331 x\r\n", "PASS " + p.New("ftp") + "\r\n", "<230 ok\r\n"}}
	all["ftp, refused"] = exchange{21, []string{"<220 FTP\r\n", "USER ops\r\n", "<331 x\r\n", "PASS " + p.New("ftp, refused") + "\r\n", "<530 no\r\n"}}
	all["password as the name"] = exchange{21, []string{"<220 FTP\r\n", "USER " + p.New("password as the name") + "\r\n", "<331 x\r\n", "PASS x\r\n", "<230 ok\r\n"}}
	all["telnet"] = typed(p.New("telnet"))
	all["smtp plain"] = exchange{25, []string{"<220 SMTP\r\n", "EHLO x\r\n", "<250 x\r\n", "AUTH PLAIN " + b64("\x00ops\x00"+p.New("smtp plain")) + "\r\n", "<235 ok\r\n"}}
	all["smtp login"] = exchange{25, []string{"<220 SMTP\r\n", "EHLO x\r\n", "<250 x\r\n", "AUTH LOGIN\r\n", "<334 VXNlcm5hbWU6\r\n", b64("ops") + "\r\n", "<334 UGFzc3dvcmQ6\r\n", b64(p.New("smtp login")) + "\r\n", "<235 ok\r\n"}}
	all["pop3"] = exchange{110, []string{"<+OK POP3\r\n", "USER ops\r\n", "<+OK\r\n", "PASS " + p.New("pop3") + "\r\n", "<+OK\r\n"}}
	all["pop3 plain"] = exchange{110, []string{"<+OK POP3\r\n", "AUTH PLAIN\r\n", "<+ \r\n", b64("\x00ops\x00"+p.New("pop3 plain")) + "\r\n", "<+OK\r\n"}}
	all["imap"] = exchange{143, []string{"<* OK IMAP4 ready\r\n", "1 LOGIN ops \"" + p.New("imap") + "\"\r\n", "<1 OK\r\n"}}
	all["mqtt"] = exchange{1883, []string{mqttConnect("ops", p.New("mqtt")), "<\x20\x02\x00\x00"}}
	all["redis"] = exchange{6379, []string{"*2\r\n$4\r\nAUTH\r\n$16\r\n" + p.New("redis") + "\r\n", "<+OK\r\n"}}
	all["ldap"] = exchange{389, []string{"\x30\x1f\x02\x01\x01\x60\x1a\x02\x01\x03\x04\x03ops\x80\x10" + p.New("ldap"), "<\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"}}
	postgres := p.New("postgresql")
	all["postgresql"] = exchange{5432, []string{"\x00\x00\x00\x12\x00\x03\x00\x00user\x00ops\x00\x00", "<R\x00\x00\x00\x08\x00\x00\x00\x03", "p\x00\x00\x00\x15" + postgres + "\x00", "<R\x00\x00\x00\x08\x00\x00\x00\x00"}}
	all["dhip"] = exchange{37777, []string{dhip(`{"id":2,"method":"global.login","params":{"password":"` + p.New("dhip") + `","userName":"admin"}}`), "<" + dhip(`{"result":true,"id":2}`)}}
	all["xmeye"] = exchange{34567, []string{sofia(1000, `{"EncryptType":"MD5","PassWord":"`+p.New("xmeye")+`","UserName":"admin"}`), "<" + sofia(1001, `{"Ret":100}`)}}
	all["socks"] = exchange{1080, []string{"\x05\x01\x02", "<\x05\x02", "\x01\x03ops\x10" + p.New("socks"), "<\x01\x00"}}
	all["dvrip"] = exchange{37777, []string{dvrip("\xa0\x00\x00\x60", "admin&&"+p.New("dvrip")), "<" + dvrip("\xb0\x00\x00\x58", "")}}
	all["vnc"] = exchange{5900, []string{"<RFB 003.008\n", "RFB 003.008\n", "<\x01\x02", "\x02", "<0123456789abcdef", p.New("vnc"), "<\x00\x00\x00\x00"}}
	all["smtp cram-md5"] = exchange{25, []string{"<220 SMTP\r\n", "EHLO x\r\n", "<250 x\r\n", "AUTH CRAM-MD5\r\n", "<334 PDE+\r\n", b64("admin "+p.New("smtp cram-md5")) + "\r\n", "<235 ok\r\n"}}
	all["imap plain"] = exchange{143, []string{"<* OK IMAP4 ready\r\n", "1 AUTHENTICATE PLAIN\r\n", "<+\r\n", b64("\x00ops\x00"+p.New("imap plain")) + "\r\n", "<1 OK\r\n"}}
	all["pop3 apop"] = exchange{110, []string{"<+OK POP3 <1@h>\r\n", "APOP admin " + p.New("pop3 apop") + "\r\n", "<+OK\r\n"}}
	all["nntp"] = exchange{119, []string{"<200 NNTP\r\n", "AUTHINFO USER ops\r\n", "<381 x\r\n", "AUTHINFO PASS " + p.New("nntp") + "\r\n", "<281 ok\r\n"}}
	all["sip digest, default user"] = exchange{5060, []string{"REGISTER sip:h SIP/2.0\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest username=\"1001\", realm=\"x\", nonce=\"n\", uri=\"sip:h\", response=\"" + p.New("sip digest, default user") + "\"\r\nContent-Length: 0\r\n\r\n", "<SIP/2.0 200 OK\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"}}
	all["irc"] = exchange{6667, []string{"PASS " + p.New("irc") + "\r\nNICK ops\r\n"}}
	all["stratum"] = exchange{3333, []string{`{"id":1,"method":"mining.authorize","params":["w","` + p.New("stratum") + "\"]}\n"}}
	all["no protocol"] = exchange{9999, []string{"login ops password " + p.New("no protocol") + "\n", "<ok\n"}}
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

// dhip is a message of DHIP.
func dhip(body string) string {
	b := append([]byte("\x20\x00\x00\x00DHIP"), make([]byte, 24)...)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(body)))
	return string(b) + body
}

// dvrip is a message of DVRIP that begins with kind.
func dvrip(kind, body string) string {
	b := append([]byte(kind), make([]byte, 28)...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	return string(b) + body
}

// The device of the capture that should be silent.
const (
	DeviceAddr = "10.20.30.40"
	DeviceMAC  = "b8:ca:3a:00:00:40"
)

// Began is when the capture starts.
var Began = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// Capture returns all sessions with secrets, each from outside and from inside, and when they ended.
func Capture(p *Secrets) (n *netsim.Net, cam *netsim.Host, at time.Time) {
	n = netsim.New(1)
	n.Router("10.20.30.1", "00:1b:54:00:00:01")
	cam = n.Host("cam", DeviceAddr, DeviceMAC, netsim.Embedded)
	clients := []*netsim.Host{n.External("203.0.113.66", netsim.Linux, 10*time.Millisecond), n.Host("desk", "10.20.30.9", "00:1b:54:00:00:09", netsim.Linux)}
	at = Began
	all := secretSessions(p)
	for _, use := range slices.Sorted(maps.Keys(all)) {
		s := all[use]
		for _, from := range clients {
			at = talk(n, at.Add(time.Second), from, cam, s.port, s.turns...)
		}
	}
	for _, from := range clients {
		at = n.Exchange(at.Add(time.Second), from, cam, 161, snmp(p.New("snmp"), 0xa0), snmp(p.New("snmp"), 0xa2))
		at = n.UDP(at.Add(time.Second), cam, 40000, from, 162, snmp(p.New("snmp trap"), 0xa7))
		at = n.UDP(at.Add(time.Second), from, 40001, cam, 514, []byte("<38>sshd: password="+p.New("syslog")+" for ops"))
	}
	return n, cam, at
}
