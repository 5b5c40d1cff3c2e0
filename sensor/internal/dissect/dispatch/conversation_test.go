// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// openings are first bytes by which protocols are recognized.
var openings = map[string]struct {
	ports dissect.Ports
	first turn
}{
	"tls":        {dissect.Ports{Client: 1, Server: 9000}, client(dissecttest.TLSHelloStart)},
	"ssh":        {dissect.Ports{Client: 1, Server: 9000}, server("SSH-2.0-dropbear\r\n")},
	"http":       {dissect.Ports{Client: 1, Server: 9000}, client("GET / HTTP/1.1\r\n\r\n")},
	"rtsp":       {dissect.Ports{Client: 1, Server: 9000}, server("RTSP/1.0 400 Bad\r\n\r\n")},
	"sip":        {dissect.Ports{Client: 1, Server: 9000}, client("OPTIONS sip:a@b SIP/2.0\r\n")},
	"telnet":     {dissect.Ports{Client: 1, Server: 9000}, server("\xff\xfd\x18")},
	"smtp":       {dissect.Ports{Client: 1, Server: 25}, server("220 mx\r\n")},
	"ftp":        {dissect.Ports{Client: 1, Server: 21}, server("220 x\r\n")},
	"pop3":       {dissect.Ports{Client: 1, Server: 9000}, server("+OK POP3 ready\r\n")},
	"imap":       {dissect.Ports{Client: 1, Server: 9000}, server("* OK x\r\n")},
	"mqtt":       {dissect.Ports{Client: 1, Server: 9000}, client("\x10\x10\x00\x04MQTT\x04")},
	"smb":        {dissect.Ports{Client: 1, Server: 9000}, client("\x00\x00\x00\x90\xfeSMB")},
	"postgresql": {dissect.Ports{Client: 1, Server: 9000}, client("\x00\x00\x00\x08\x04\xd2\x16\x2f")},
	"rdp":        {dissect.Ports{Client: 1, Server: 9000}, client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00")},
	"socks":      {dissect.Ports{Client: 1, Server: 9000}, client("\x05\x01\x00\x05\x01\x00\x03\x01a\x01\xbb")},
	"redis":      {dissect.Ports{Client: 1, Server: 9000}, client("*1\r\n$4\r\nPING\r\n")},
	"ldap":       {dissect.Ports{Client: 1, Server: 9000}, client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")},
	"vnc":        {dissect.Ports{Client: 1, Server: 9000}, server("RFB 003.008\n")},
	"nntp":       {dissect.Ports{Client: 1, Server: 119}, server("200 news ready\r\n")},
	"mysql":      {dissect.Ports{Client: 1, Server: 9000}, server("\x4a\x00\x00\x00\x0a5.7.1\x00abcdefgh")},
	"mongodb":    {dissect.Ports{Client: 1, Server: 9000}, client("\x3a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00")},
	"dhip":       {dissect.Ports{Client: 1, Server: 9000}, client("\x20\x00\x00\x00DHIP")},
	"dvrip":      {dissect.Ports{Client: 1, Server: 37777}, client("\xa0\x01\x00\x00" + strings.Repeat("\x00", 28))},
	"xmeye":      {dissect.Ports{Client: 1, Server: 9000}, client("\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x02\x00\x00\x00{}")},
	"baichuan":   {dissect.Ports{Client: 1, Server: 9000}, client("\xf0\xde\xbc\x0a\x01\x00")},
	"adb":        {dissect.Ports{Client: 1, Server: 9000}, client("CNXN\x00\x00\x00\x01\x00\x10\x00\x00\x07\x00\x00\x00\x32\x02\x00\x00\xbc\xb1\xa7\xb1")},
	"bittorrent": {dissect.Ports{Client: 1, Server: 9000}, client("\x13BitTorrent protocol")},
	"xmpp":       {dissect.Ports{Client: 1, Server: 9000}, client("<?xml version='1.0'?><stream:stream to='a'>")},
	"irc":        {dissect.Ports{Client: 1, Server: 9000}, client("NICK bot\r\nUSER a 8 * :b\r\n")},
	"shell":      {dissect.Ports{Client: 1, Server: 9000}, client("uid=0(root) gid=0(root)\n")},
	"stratum":    {dissect.Ports{Client: 1, Server: 9000}, client(`{"id":1,"method":"mining.subscribe","params":[]}` + "\n")},
	"modbus":     {dissect.Ports{Client: 1, Server: 502}, client("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01")},
	"kerberos":   {dissect.Ports{Client: 1, Server: 9000}, client("\x00\x00\x00\x40\x6a\x3e\x30\x3c\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\x00\x00\x00\x00")},
	"stun":       {dissect.Ports{Client: 1, Server: 9000}, client("\x00\x01\x00\x00\x21\x12\xa4\x42")},
}

func TestStreamNames(t *testing.T) {
	for name, o := range openings {
		if got := dissecttest.AppOf(dispatchtest.PlayCut(t, o.ports, []turn{o.first})); got != name {
			t.Errorf("%s: named %q", name, got)
		}
		// A session captured from its middle may have its endpoints the wrong way round.
		o.first.Dir ^= 1
		if got := dissecttest.AppOf(dispatchtest.Play(t, dissect.Ports{Client: o.ports.Server, Server: o.ports.Client}, []turn{o.first}, 0)); got != name {
			t.Errorf("%s the wrong way round: named %q", name, got)
		}
	}
}

func TestUnknownStreamsAreNotNamed(t *testing.T) {
	for _, s := range []string{
		"hello world\r\n", "GETTING STARTED\r\n", "$ uname -a\r\n", "uid=0\n", "\x00\x00\x00\x00\x00\x00\x00\x00", "+OK\r\n",
		"USER joe\r\n", "{\"a\":1}\n", "\xff\xff\xff\xff\xff\xff", "\x05\x01", "\x30\x84\x00\x00", "<?xml version='1.0'?><a/>", "220", "PASS x\r\n",
		"POST me the news\r\n", strings.Repeat("A", 9000), strings.Repeat("\x00", 9000), "GET /" + strings.Repeat("\x01", 40) + "\r\n",
	} {
		for dir := range 2 {
			if got := dissecttest.AppOf(dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 4444}, []turn{{Dir: dir, Data: s}}, 0)); got != "" {
				t.Errorf("%.20q from %d is named %q", s, dir, got)
			}
		}
	}
}

func TestDatagramNames(t *testing.T) {
	for name, tc := range map[string]struct {
		ports dissect.Ports
		data  string
	}{
		"ssdp":       {dissect.Ports{Client: 1, Server: 1900}, "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n"},
		"wsd":        {dissect.Ports{Client: 1, Server: 3702}, `<?xml version="1.0"?><e:Envelope xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">`},
		"sadp":       {dissect.Ports{Client: 1, Server: 37020}, `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>`},
		"dhip":       {dissect.Ports{Client: 1, Server: 37810}, "\x20\x00\x00\x00DHIP\x00\x00"},
		"xmeye":      {dissect.Ports{Client: 1, Server: 34569}, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfa\x05\x00\x00\x00\x00"},
		"snmp":       {dissect.Ports{Client: 1, Server: 161}, "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x04\x01\x02\x03\x04\x02\x01\x00\x02\x01\x00\x30\x0b\x30\x09\x06\x05\x2b\x06\x01\x02\x01\x05\x00"},
		"sip":        {dissect.Ports{Client: 1, Server: 9999}, "REGISTER sip:x SIP/2.0\r\n\r\n"},
		"stun":       {dissect.Ports{Client: 1, Server: 9999}, "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"},
		"tftp":       {dissect.Ports{Client: 1, Server: 69}, "\x00\x01fw.bin\x00octet\x00"},
		"syslog":     {dissect.Ports{Client: 1, Server: 514}, "<13>Jan  1 00:00:00 cam app: x"},
		"wireguard":  {dissect.Ports{Client: 1, Server: 51820}, "\x01\x00\x00\x00" + strings.Repeat("x", 144)},
		"radius":     {dissect.Ports{Client: 1, Server: 1812}, "\x01\x01\x00\x19" + strings.Repeat("x", 16) + "\x01\x05abc"},
		"bittorrent": {dissect.Ports{Client: 1, Server: 6881}, "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"},
		"rtcp":       {dissect.Ports{Client: 1, Server: 5005}, "\x80\xc9\x00\x01abcd"},
		"ike":        {dissect.Ports{Client: 500, Server: 500}, "abcdefgh\x00\x00\x00\x00\x00\x00\x00\x00\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x1c"},
		"ntp":        {dissect.Ports{Client: 1, Server: 123}, "\x23" + strings.Repeat("\x00", 47)},
		"nbns":       {dissect.Ports{Client: 137, Server: 137}, "\x00\x01\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00\x20" + strings.Repeat("CA", 16) + "\x00\x00\x20\x00\x01"},
		"llmnr":      {dissect.Ports{Client: 1, Server: 5355}, "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03abc\x00\x00\x01\x00\x01"},
		"dhcpv6":     {dissect.Ports{Client: 546, Server: 547}, "\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"},
		"tuya":       {dissect.Ports{Client: 1, Server: 6666}, "\x00\x00\x55\xaa\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\xaa\x55"},
		"edimax":     {dissect.Ports{Client: 1, Server: 8765}, "<param><code value=\"3000\" /></param>"},
		"":           {dissect.Ports{Client: 1, Server: 9999}, "some text that is of no protocol"},
	} {
		if got := dissecttest.AppOf(dispatchtest.Datagrams(tc.ports, []byte(tc.data))); got != name {
			t.Errorf("%s: named %q", name, got)
		}
	}
}

func TestSIPKeepAlive(t *testing.T) {
	for _, s := range []string{"\r\n\r\n", "\r\n", "hello"} {
		if got := dissecttest.AppOf(dispatchtest.Datagrams(dissect.Ports{Client: 5060, Server: 5060}, []byte(s))); got != "sip" {
			t.Errorf("%q: named %q", s, got)
		}
		if got := dissecttest.AppOf(dispatchtest.Datagrams(dissect.Ports{Client: 5061, Server: 9000}, []byte(s))); got != "" {
			t.Errorf("%q away from its port: named %q", s, got)
		}
	}
}

// TestTLSBehindProxyOrUpgrade checks that TLS behind a proxy or an upgrade is read from its first byte.
func TestTLSBehindProxyOrUpgrade(t *testing.T) {
	hello := string(dissecttest.TLSHello(t, &tls.Config{ServerName: "h"}))
	for name, turns := range map[string][]turn{
		"http": {client(request("CONNECT h:443 HTTP/1.1")), server("HTTP/1.1 200 Connection established\r\n\r\n"), client(hello)},
		"smtp, through a proxy": {client(request("CONNECT mail:25 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), server("220 mail ESMTP\r\n"), client("EHLO a\r\n"),
			server("250-mail\r\n250 STARTTLS\r\n"), client("STARTTLS\r\n"), server("220 go\r\n"), client(hello)},
		"imap, through a proxy": {client(request("CONNECT mail:143 HTTP/1.1")), server("HTTP/1.0 200 OK\r\n\r\n* OK x\r\n"), client("a STARTTLS\r\n"), server("a OK\r\n"), client(hello)},
		"socks":                 {client("\x05\x01\x00"), server("\x05\x00"), client("\x05\x01\x00\x03\x01a\x01\xbb"), server("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"), client(hello)},
		"smtp":                  {server("220 SMTP\r\n"), client("STARTTLS\r\n"), server("220 go\r\n"), client(hello)},
		"ftp":                   {server("220 FTP\r\n"), client("AUTH TLS\r\n"), server("234 go\r\n"), client(hello)},
		"pop3":                  {server("+OK POP3\r\n"), client("STLS\r\n"), server("+OK\r\n"), client(hello)},
		"imap":                  {server("* OK x\r\n"), client("a STARTTLS\r\n"), server("a OK\r\n"), client(hello)},
		"postgresql":            {client("\x00\x00\x00\x08\x04\xd2\x16\x2f"), server("S"), client(hello)},
		"adb":                   {client(dissecttest.ADBMessage("CNXN", "host::\x00")), server(dissecttest.ADBMessage("STLS", "")), client(dissecttest.ADBMessage("STLS", "")), client(hello)},
		"adb, greeted by the device": {client(dissecttest.ADBMessage("CNXN", "host::\x00")), server(dissecttest.ADBMessage("CNXN", "device::\x00")),
			client(dissecttest.ADBMessage("SYNC", "")), client(dissecttest.ADBMessage("STLS", "") + hello)},
		"ldap": {client(dissecttest.LDAPStartTLSRequest), server(dissecttest.LDAPStartTLSResponse), client(hello)},
		"ldap, after a search": {client("\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x63\x07\x04\x00\x0a\x01\x00\x0a\x01"), server("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"),
			client(strings.Replace(dissecttest.LDAPStartTLSRequest, "\x01\x01w", "\x01\x02w", 1)), server(strings.Replace(dissecttest.LDAPStartTLSResponse, "\x01\x01x", "\x01\x02x", 1)), client(hello)},
		"mysql":                      {server(dissecttest.MySQLGreeting), client("\x20\x00\x00\x01\x05\xae\x3f\x20" + strings.Repeat("\x00", 28)), client(hello)},
		"xmpp":                       {client("<stream:stream to='a'>"), server("<stream:features><starttls xmlns='urn'><required/></starttls></stream:features>"), client("<starttls xmlns='urn'/>"), server("<proceed xmlns='urn'/>"), client(hello)},
		"xmpp, with closing tags":    {client("<stream:stream to='a'>"), client("<starttls xmlns='urn'></starttls>"), server("<proceed xmlns='urn'></proceed>"), client(hello)},
		"irc":                        {client("CAP LS 302\r\n"), server(":s CAP * LS :tls\r\n"), client("STARTTLS\r\n"), server(":s 670 * :go\r\n"), client(hello)},
		"irc, greeted by the server": {server("NOTICE AUTH :hello\r\n"), client("STARTTLS\r\n"), server(":s 670 * :go\r\n"), client(hello)},
		"rdp": {client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"),
			server("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"), client(hello)},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 1, Server: 9000}, turns)
		name, _, _ = strings.Cut(name, ",")
		if n := len(dissecttest.FactsOf[dissect.TLSClientHello](facts)); n != 1 || dissecttest.AppOf(facts) != name {
			t.Errorf("%s: %d hellos, named %q", name, n, dissecttest.AppOf(facts))
		}
	}
}

func FuzzConversation(f *testing.F) {
	for _, o := range openings {
		f.Add(o.ports.Server, dissecttest.Chunk(o.first))
	}
	for _, turns := range [][]turn{
		{client(request("POST /a HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"), server("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>x</title>")},
		{client(request("CONNECT a:1 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), client(dissecttest.TLSHelloStart)},
		{server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))},
		{server("login: "), client("root\r\n"), server("Password: "), client("root\r\n"), server("# ")},
		{server("220 x\r\n"), client("AUTH TLS\r\n"), server("234 go\r\n"), client(dissecttest.TLSHelloStart)},
		{client(dissecttest.LDAPStartTLSRequest), server(dissecttest.LDAPStartTLSResponse), client(dissecttest.TLSHelloStart)},
		{server(dissecttest.MySQLGreeting), client("\x20\x00\x00\x01\x05\xae\x3f\x20" + strings.Repeat("\x00", 28) + dissecttest.TLSHelloStart)},
		{client(dissecttest.MQTTConnect("cam", "x")), server("\x20\x02\x00\x05")},
		{client("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n"), server("+OK\r\n")},
	} {
		var b []byte
		for _, t := range turns {
			b = append(b, dissecttest.Chunk(t)...)
		}
		f.Add(uint16(23), b)
	}
	mutate.Fuzz(f, func(t *testing.T, port uint16, b []byte) {
		turns := dissecttest.Chunks(b)
		facts := dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: port}, turns, 0)
		if limit := 8 + len(b); len(facts) > limit {
			t.Fatalf("%d facts of %d bytes", len(facts), len(b))
		}
		// How a turn is cut must not matter. (The result of an SSH login depends on the sizes of segments, so SSH is left out.)
		if dissecttest.AppOf(facts) == "ssh" {
			return
		}
		if cut := dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: port}, turns, 1); dissecttest.Dump(cut) != dissecttest.Dump(facts) {
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", dissecttest.Dump(cut), dissecttest.Dump(facts))
		}
	})
}

func FuzzDatagram(f *testing.F) {
	framed := func(parts ...string) (b []byte) {
		for _, p := range parts {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
		}
		return b
	}
	f.Add(uint16(53), framed(string(dissecttest.DNSResponse(f)), string(dissecttest.DNSResponse(f))))
	f.Add(uint16(5353), framed(string(dissecttest.DNSResponse(f))))
	f.Add(uint16(67), framed(string(dissecttest.DHCPPacket(53, "\x01", 55, "\x01\x03\x06", 12, "cam"))))
	f.Add(uint16(547), framed("\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"))
	f.Add(uint16(123), framed("\x23"+strings.Repeat("\x00", 47)))
	f.Add(uint16(161), framed("\x30\x26\x02\x01\x01\x04\x06public\xa0\x19"))
	mutate.Fuzz(f, func(t *testing.T, port uint16, b []byte) {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 40000, Server: port}, nil)
		for len(b) >= 2 {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			facts := 0
			if !c.Datagram(n&1, bytes.Clone(b[2:2+n]), func(dissect.Fact) { facts++ }) {
				break
			}
			if facts > 2+32 {
				t.Fatalf("%d facts of one datagram", facts)
			}
			b = b[2+n:]
		}
	})
}
