// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestHellosOfBothSidesAfterUpgrade checks that both hellos are read from the offsets at which each side changed to TLS.
func TestHellosOfBothSidesAfterUpgrade(t *testing.T) {
	hello := string(dissecttest.TLSHello(t, &tls.Config{ServerName: "h"}))
	answer := string(dissecttest.TLSRecords([]byte("\x02\x00\x00\x26\x03\x03"+strings.Repeat("r", 32)+"\x00\xc0\x2f\x00"), 100))
	for name, turns := range map[string][]turn{
		"adb":   {client(dissecttest.ADBMessage("CNXN", "host::")), server(dissecttest.ADBMessage("CNXN", "device::")), client(dissecttest.ADBMessage("STLS", "")), server(dissecttest.ADBMessage("STLS", "")), client(hello), server(answer)},
		"ldap":  {client(dissecttest.LDAPStartTLSRequest), server(dissecttest.LDAPStartTLSResponse), client(hello), server(answer)},
		"mysql": {server(dissecttest.MySQLGreeting), client("\x20\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("\x00", 28)), client(hello), server(answer)},
		"xmpp":  {client("<stream:stream to='a'><starttls/>"), server("<stream:stream><proceed/>"), client(hello), server(answer)},
		"irc":   {client("NICK a\r\nSTARTTLS\r\n"), server(":s 670 a :go\r\n"), client(hello), server(answer)},
		"nntp":  {server("201 x\r\n"), client("CAPABILITIES\r\n"), server("101 list\r\nSTARTTLS\r\n.\r\n"), client("STARTTLS\r\n"), server("382 go\r\n"), client(hello), server(answer)},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 119}, turns)
		hellos, answers := dissecttest.FactsOf[dissect.TLSClientHello](facts), dissecttest.FactsOf[dissect.TLSServerHello](facts)
		if len(hellos) != 1 || len(answers) != 1 || hellos[0].SNI != "h" || answers[0].Cipher != 0xc02f || dissecttest.AppOf(facts) != name {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// TestNoTLSWithoutAgreement checks that nothing is read as TLS if a server did not agree or a message is forged.
func TestNoTLSWithoutAgreement(t *testing.T) {
	hello := string(dissecttest.TLSHello(t, &tls.Config{ServerName: "h"}))
	for name, turns := range map[string][]turn{
		"adb, cut off":           {client(dissecttest.ADBMessage("CNXN", "host::")[:27])},
		"adb, no complement":     {client(dissecttest.ADBMessage("CNXN", "") + strings.Repeat("STLS", 6) + hello)},
		"adb, endless payload":   {client(dissecttest.ADBMessage("CNXN", "")[:12] + "\xff\xff\xff\x7f" + dissecttest.ADBMessage("CNXN", "")[16:] + hello)},
		"adb, too many messages": {client(strings.Repeat(dissecttest.ADBMessage("SYNC", ""), 1) + strings.Repeat(dissecttest.ADBMessage("CNXN", ""), 20) + dissecttest.ADBMessage("STLS", "") + hello)},
		"ldap, code 2":           {client(dissecttest.LDAPStartTLSRequest), server(strings.Replace(dissecttest.LDAPStartTLSResponse, "\x0a\x01\x00", "\x0a\x01\x02", 1)), client(hello)},
		"ldap, another number":   {client(dissecttest.LDAPStartTLSRequest), server(strings.Replace(dissecttest.LDAPStartTLSResponse, "\x01\x01x", "\x01\x07x", 1)), client(hello)},
		"ldap, another name":     {client(strings.Replace(dissecttest.LDAPStartTLSRequest, "20037", "20036", 1)), server(dissecttest.LDAPStartTLSResponse), client(hello)},
		"ldap, protected":        {client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00\x00\x00\x00\x40" + hello), server(dissecttest.LDAPStartTLSResponse)},
		"ldap, length of 4 GB":   {client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00\x30\x84\xff\xff\xff\xff" + hello)},
		"mysql, no TLS":          {server(dissecttest.MySQLGreeting), client("\x20\x00\x00\x01\x00\x00\x00\x00" + strings.Repeat("\x00", 28)), client(hello)},
		"mysql, a login":         {server(dissecttest.MySQLGreeting), client("\x30\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("a", 44)), client(hello)},
		"xmpp, in clear text":    {client("<stream:stream to='a'><auth mechanism='PLAIN'>x</auth>"), server("<stream:stream><success/>"), client(hello)},
		"xmpp, too late":         {client("<stream:stream to='a'>" + strings.Repeat(" ", 4096) + "<starttls/>" + hello)},
		"irc, refused":           {client("NICK a\r\nSTARTTLS\r\n"), server(":s 691 a :no\r\n"), client(hello)},
		"irc, not asked":         {client("NICK a\r\n"), server(":s 670 a :go\r\n"), client(hello)},
		"irc, after the welcome": {client("NICK a\r\n"), server(":s 001 a :hi\r\n"), client("STARTTLS\r\n"), server(":s 670 a :go\r\n"), client(hello)},
		"nntp, refused":          {server("200 x\r\n"), client("STARTTLS\r\n"), server("580 no\r\n"), client(hello)},
		"nntp, an article":       {server("200 x\r\n"), client("ARTICLE 1\r\nSTARTTLS\r\n"), server("220 1\r\n382 go\r\n"), client(hello)},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 119}, turns)
		if n := len(dissecttest.FactsOf[dissect.TLSClientHello](facts)); n != 0 {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzUpgradesToTLS(f *testing.F) {
	ports := dissect.Ports{Client: 40000, Server: 119}
	for _, turns := range [][]turn{
		{client(dissecttest.ADBMessage("CNXN", "host::")), server(dissecttest.ADBMessage("STLS", "")), client(dissecttest.ADBMessage("STLS", "") + dissecttest.TLSHelloStart)},
		{client(dissecttest.LDAPStartTLSRequest), server(dissecttest.LDAPStartTLSResponse), client(dissecttest.TLSHelloStart)},
		{server(dissecttest.MySQLGreeting), client("\x20\x00\x00\x01\x00\x08\x00\x00" + strings.Repeat("\x00", 28) + dissecttest.TLSHelloStart)},
		{client("<stream:stream to='a'><starttls></starttls>"), server("<proceed/>"), client(dissecttest.TLSHelloStart)},
		{client("NICK a\r\nSTARTTLS\r\n"), server(":s 670 a :go\r\n"), client(dissecttest.TLSHelloStart)},
		{server("201 x\r\n"), client("AUTHINFO USER a\r\nAUTHINFO PASS b\r\nSTARTTLS\r\n"), server("381 x\r\n281 ok\r\n382 go\r\n"), client(dissecttest.TLSHelloStart)},
		{client(dissecttest.MQTTConnect("a", "b")), server("\x20\x02\x00\x00")},
		{client("*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$1\r\na\r\n$1\r\nb\r\n"), server("%1\r\n")},
	} {
		var b []byte
		for _, t := range turns {
			b = append(b, dissecttest.Chunk(t)...)
		}
		f.Add(b)
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		turns := dissecttest.Chunks(b)
		facts, cut := dispatchtest.Play(t, ports, turns, 0), dispatchtest.Play(t, ports, turns, 1)
		if dissecttest.AppOf(facts) != "ssh" && dissecttest.Dump(facts) != dissecttest.Dump(cut) { // the result of an SSH login depends on the sizes of segments
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", dissecttest.Dump(cut), dissecttest.Dump(facts))
		}
	})
}
