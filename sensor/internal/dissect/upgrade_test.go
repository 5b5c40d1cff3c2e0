// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"crypto/tls"
	"encoding/binary"
	"strings"
	"testing"
)

const (
	ldapStartTLSRequest = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + ldapStartTLS
	ldapStartTLSAnswer  = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
	mysqlGreeting       = "\x0e\x00\x00\x00\x0a5.7.1\x00abcdefg"
)

// adbMessageOf is a message with this command and payload, both arguments zero.
func adbMessageOf(command, payload string) string {
	b := append([]byte(command), make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, ^binary.LittleEndian.Uint32(b))
	return string(b) + payload
}

// TestUpgradeBothWays checks that both hellos are read behind the offsets at which each side turned.
func TestUpgradeBothWays(t *testing.T) {
	hello := string(tlsHelloOf(t, &tls.Config{ServerName: "h"}))
	answer := string(tlsRecords([]byte("\x02\x00\x00\x26\x03\x03"+strings.Repeat("r", 32)+"\x00\xc0\x2f\x00"), 100))
	for name, turns := range map[string][]turn{
		"adb":   {client(adbMessageOf("CNXN", "host::")), server(adbMessageOf("CNXN", "device::")), client(adbMessageOf("STLS", "")), server(adbMessageOf("STLS", "")), client(hello), server(answer)},
		"ldap":  {client(ldapStartTLSRequest), server(ldapStartTLSAnswer), client(hello), server(answer)},
		"mysql": {server(mysqlGreeting), client("\x20\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("\x00", 28)), client(hello), server(answer)},
		"xmpp":  {client("<stream:stream to='a'><starttls/>"), server("<stream:stream><proceed/>"), client(hello), server(answer)},
		"irc":   {client("NICK a\r\nSTARTTLS\r\n"), server(":s 670 a :go\r\n"), client(hello), server(answer)},
		"nntp":  {server("201 x\r\n"), client("CAPABILITIES\r\n"), server("101 list\r\nSTARTTLS\r\n.\r\n"), client("STARTTLS\r\n"), server("382 go\r\n"), client(hello), server(answer)},
	} {
		facts := sameHoweverCut(t, Ports{40000, 119}, turns)
		hellos, answers := factsOf[TLSClientHello](facts), factsOf[TLSServerHello](facts)
		if len(hellos) != 1 || len(answers) != 1 || hellos[0].SNI != "h" || answers[0].Cipher != 0xc02f || appOf(facts) != name {
			t.Errorf("%s:\n%s", name, dump(facts))
		}
	}
}

// TestUpgradeRefused checks that nothing is taken for TLS where a server did not agree, or a message is not what it says.
func TestUpgradeRefused(t *testing.T) {
	hello := string(tlsHelloOf(t, &tls.Config{ServerName: "h"}))
	for name, turns := range map[string][]turn{
		"adb, cut off":           {client(adbMessageOf("CNXN", "host::")[:27])},
		"adb, no complement":     {client(adbMessageOf("CNXN", "") + strings.Repeat("STLS", 6) + hello)},
		"adb, endless payload":   {client(adbMessageOf("CNXN", "")[:12] + "\xff\xff\xff\x7f" + adbMessageOf("CNXN", "")[16:] + hello)},
		"adb, too many messages": {client(strings.Repeat(adbMessageOf("SYNC", ""), 1) + strings.Repeat(adbMessageOf("CNXN", ""), 20) + adbMessageOf("STLS", "") + hello)},
		"ldap, code 2":           {client(ldapStartTLSRequest), server(strings.Replace(ldapStartTLSAnswer, "\x0a\x01\x00", "\x0a\x01\x02", 1)), client(hello)},
		"ldap, another number":   {client(ldapStartTLSRequest), server(strings.Replace(ldapStartTLSAnswer, "\x01\x01x", "\x01\x07x", 1)), client(hello)},
		"ldap, another name":     {client(strings.Replace(ldapStartTLSRequest, "20037", "20036", 1)), server(ldapStartTLSAnswer), client(hello)},
		"ldap, protected":        {client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00\x00\x00\x00\x40" + hello), server(ldapStartTLSAnswer)},
		"ldap, length of 4 GB":   {client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00\x30\x84\xff\xff\xff\xff" + hello)},
		"mysql, no TLS":          {server(mysqlGreeting), client("\x20\x00\x00\x01\x00\x00\x00\x00" + strings.Repeat("\x00", 28)), client(hello)},
		"mysql, a login":         {server(mysqlGreeting), client("\x30\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("a", 44)), client(hello)},
		"xmpp, in clear":         {client("<stream:stream to='a'><auth mechanism='PLAIN'>x</auth>"), server("<stream:stream><success/>"), client(hello)},
		"xmpp, too late":         {client("<stream:stream to='a'>" + strings.Repeat(" ", maxXMPPHead) + "<starttls/>" + hello)},
		"irc, refused":           {client("NICK a\r\nSTARTTLS\r\n"), server(":s 691 a :no\r\n"), client(hello)},
		"irc, not asked":         {client("NICK a\r\n"), server(":s 670 a :go\r\n"), client(hello)},
		"irc, after the welcome": {client("NICK a\r\n"), server(":s 001 a :hi\r\n"), client("STARTTLS\r\n"), server(":s 670 a :go\r\n"), client(hello)},
		"nntp, refused":          {server("200 x\r\n"), client("STARTTLS\r\n"), server("580 no\r\n"), client(hello)},
		"nntp, an article":       {server("200 x\r\n"), client("ARTICLE 1\r\nSTARTTLS\r\n"), server("220 1\r\n382 go\r\n"), client(hello)},
	} {
		facts := sameHoweverCut(t, Ports{40000, 119}, turns)
		if n := len(factsOf[TLSClientHello](facts)); n != 0 {
			t.Errorf("%s:\n%s", name, dump(facts))
		}
	}
}

// TestXMPPCost checks that a stream which comes byte by byte is not searched from its start each time.
func TestXMPPCost(t *testing.T) {
	var x xmppStream
	head := []byte("<stream:stream to='a'>" + strings.Repeat("<starttl ", 400))
	for n := range head {
		x.feed(FromClient, head[:n+1], false, func(Fact) {})
		if behind := n + 1 - x.scanned[FromClient]; behind > len("<starttls") {
			t.Fatalf("%d bytes are searched again at %d", behind, n)
		}
	}
}

func FuzzTurnsToTLS(f *testing.F) {
	ports := Ports{40000, 119}
	for _, turns := range [][]turn{
		{client(adbMessageOf("CNXN", "host::")), server(adbMessageOf("STLS", "")), client(adbMessageOf("STLS", "") + helloHead)},
		{client(ldapStartTLSRequest), server(ldapStartTLSAnswer), client(helloHead)},
		{server(mysqlGreeting), client("\x20\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("\x00", 28) + helloHead)},
		{client("<stream:stream to='a'><starttls></starttls>"), server("<proceed/>"), client(helloHead)},
		{client("NICK a\r\nSTARTTLS\r\n"), server(":s 670 a :go\r\n"), client(helloHead)},
		{server("201 x\r\n"), client("AUTHINFO USER a\r\nAUTHINFO PASS b\r\nSTARTTLS\r\n"), server("381 x\r\n281 ok\r\n382 go\r\n"), client(helloHead)},
		{client(mqttLogin("a", "b")), server("\x20\x02\x00\x00")},
		{client("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n"), server("%1\r\n")},
	} {
		var b []byte
		for _, t := range turns {
			b = append(b, chunk(t)...)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		turns := chunks(b)
		facts, cut := play(t, ports, turns, 0), play(t, ports, turns, 1)
		if appOf(facts) != "ssh" && dump(facts) != dump(cut) { // an SSH login is judged by the sizes of segments
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", dump(cut), dump(facts))
		}
	})
}
