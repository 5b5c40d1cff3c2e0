// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"testing"
)

const helloHead = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"

// openings are the first bytes by which protocols are told.
var openings = map[string]struct {
	ports Ports
	first turn
}{
	"tls":        {Ports{1, 9000}, client(helloHead)},
	"ssh":        {Ports{1, 9000}, server("SSH-2.0-dropbear\r\n")},
	"http":       {Ports{1, 9000}, client("GET / HTTP/1.1\r\n\r\n")},
	"rtsp":       {Ports{1, 9000}, server("RTSP/1.0 400 Bad\r\n\r\n")},
	"sip":        {Ports{1, 9000}, client("OPTIONS sip:a@b SIP/2.0\r\n")},
	"telnet":     {Ports{1, 9000}, server("\xff\xfd\x18")},
	"smtp":       {Ports{1, 25}, server("220 mx\r\n")},
	"ftp":        {Ports{1, 21}, server("220 x\r\n")},
	"pop3":       {Ports{1, 9000}, server("+OK POP3 ready\r\n")},
	"imap":       {Ports{1, 9000}, server("* OK x\r\n")},
	"mqtt":       {Ports{1, 9000}, client("\x10\x10\x00\x04MQTT\x04")},
	"smb":        {Ports{1, 9000}, client("\x00\x00\x00\x90\xfeSMB")},
	"postgresql": {Ports{1, 9000}, client("\x00\x00\x00\x08\x04\xd2\x16\x2f")},
	"rdp":        {Ports{1, 9000}, client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00")},
	"socks":      {Ports{1, 9000}, client("\x04\x01\x00\x50\x0a\x00\x00\x01\x00")},
	"redis":      {Ports{1, 9000}, client("*1\r\n$4\r\nPING\r\n")},
	"ldap":       {Ports{1, 9000}, client("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")},
	"vnc":        {Ports{1, 9000}, server("RFB 003.008\n")},
	"nntp":       {Ports{1, 119}, server("200 news ready\r\n")},
	"mysql":      {Ports{1, 9000}, server("\x4a\x00\x00\x00\x0a5.7.1\x00abcdefgh")},
	"mongodb":    {Ports{1, 9000}, client("\x3a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00")},
	"dhip":       {Ports{1, 9000}, client("\x20\x00\x00\x00DHIP")},
	"dvrip":      {Ports{1, 37777}, client("\xa0\x01\x00\x00" + strings.Repeat("\x00", 28))},
	"xmeye":      {Ports{1, 9000}, client("\xff\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x02\x00\x00\x00{}")},
	"baichuan":   {Ports{1, 9000}, client("\xf0\xde\xbc\x0a\x01\x00")},
	"adb":        {Ports{1, 9000}, client("CNXN\x00\x00\x00\x01\x00\x10\x00\x00\x07\x00\x00\x00\x32\x02\x00\x00\xbc\xb1\xa7\xb1")},
	"bittorrent": {Ports{1, 9000}, client("\x13BitTorrent protocol")},
	"xmpp":       {Ports{1, 9000}, client("<?xml version='1.0'?><stream:stream to='a'>")},
	"irc":        {Ports{1, 9000}, client("NICK bot\r\nUSER a 8 * :b\r\n")},
	"stratum":    {Ports{1, 9000}, client(`{"id":1,"method":"mining.subscribe","params":[]}` + "\n")},
	"modbus":     {Ports{1, 502}, client("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01")},
	"kerberos":   {Ports{1, 9000}, client("\x00\x00\x00\x40\x6a\x3e\x30\x3c\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\x00\x00\x00\x00")},
	"stun":       {Ports{1, 9000}, client("\x00\x01\x00\x00\x21\x12\xa4\x42")},
}

func TestOpenings(t *testing.T) {
	for name, o := range openings {
		if got := appOf(sameHoweverCut(t, o.ports, []turn{o.first})); got != name {
			t.Errorf("%s: named %q", name, got)
		}
		// A session caught in the middle may have its ends the wrong way round.
		o.first.dir ^= 1
		if got := appOf(play(t, Ports{o.ports.Server, o.ports.Client}, []turn{o.first}, 0)); got != name {
			t.Errorf("%s the wrong way round: named %q", name, got)
		}
	}
}

func TestNoFalseNames(t *testing.T) {
	for _, s := range []string{
		"hello world\r\n", "GETTING STARTED\r\n", "$ uname -a\r\n", "uid=0(root) gid=0(root)\n", "\x00\x00\x00\x00\x00\x00\x00\x00", "+OK\r\n",
		"USER joe\r\n", "{\"a\":1}\n", "\xff\xff\xff\xff\xff\xff", "\x05\x01", "\x30\x84\x00\x00", "<?xml version='1.0'?><a/>", "220", "PASS x\r\n",
		"POST me the news\r\n", strings.Repeat("A", 9000), strings.Repeat("\x00", 9000), "GET /" + strings.Repeat("\x01", 40) + "\r\n",
	} {
		for dir := range 2 {
			if got := appOf(play(t, Ports{40000, 4444}, []turn{{dir, s}}, 0)); got != "" {
				t.Errorf("%.20q from %d is named %q", s, dir, got)
			}
		}
	}
}

func TestDatagramNames(t *testing.T) {
	for name, tc := range map[string]struct {
		ports Ports
		data  string
	}{
		"ssdp":       {Ports{1, 1900}, "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n\r\n"},
		"wsd":        {Ports{1, 3702}, `<?xml version="1.0"?><e:Envelope xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery">`},
		"sadp":       {Ports{1, 37020}, `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>`},
		"dhip":       {Ports{1, 37810}, "\x20\x00\x00\x00DHIP\x00\x00"},
		"xmeye":      {Ports{1, 34569}, "\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfa\x05\x00\x00\x00\x00"},
		"snmp":       {Ports{1, 161}, "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x04\x01\x02\x03\x04\x02\x01\x00\x02\x01\x00\x30\x0b\x30\x09\x06\x05\x2b\x06\x01\x02\x01\x05\x00"},
		"sip":        {Ports{1, 9999}, "REGISTER sip:x SIP/2.0\r\n\r\n"},
		"stun":       {Ports{1, 9999}, "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"},
		"tftp":       {Ports{1, 69}, "\x00\x01fw.bin\x00octet\x00"},
		"syslog":     {Ports{1, 514}, "<13>Jan  1 00:00:00 cam app: x"},
		"wireguard":  {Ports{1, 51820}, "\x01\x00\x00\x00" + strings.Repeat("x", 144)},
		"radius":     {Ports{1, 1812}, "\x01\x01\x00\x19" + strings.Repeat("x", 16) + "\x01\x05abc"},
		"bittorrent": {Ports{1, 6881}, "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"},
		"rtcp":       {Ports{1, 5005}, "\x80\xc9\x00\x01abcd"},
		"ike":        {Ports{500, 500}, "abcdefgh\x00\x00\x00\x00\x00\x00\x00\x00\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x1c"},
		"ntp":        {Ports{1, 123}, "\x23" + strings.Repeat("\x00", 47)},
		"nbns":       {Ports{137, 137}, "\x00\x01\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00\x20" + strings.Repeat("CA", 16) + "\x00\x00\x20\x00\x01"},
		"llmnr":      {Ports{1, 5355}, "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03abc\x00\x00\x01\x00\x01"},
		"dhcpv6":     {Ports{546, 547}, "\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"},
		"tuya":       {Ports{1, 6666}, "\x00\x00\x55\xaa\x00\x00\x00\x00\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\xaa\x55"},
		"":           {Ports{1, 9999}, "some text that is of no protocol"},
	} {
		if got := appOf(datagrams(tc.ports, []byte(tc.data))); got != name {
			t.Errorf("%s: named %q", name, got)
		}
	}
}

func TestSIPKeepAlive(t *testing.T) {
	for _, s := range []string{"\r\n\r\n", "\r\n", "hello"} {
		if got := appOf(datagrams(Ports{5060, 5060}, []byte(s))); got != "sip" {
			t.Errorf("%q: named %q", s, got)
		}
		if got := appOf(datagrams(Ports{5061, 9000}, []byte(s))); got != "" {
			t.Errorf("%q away from its port: named %q", s, got)
		}
	}
}

// TestTunnels checks that TLS behind a proxy or an upgrade is handed on from its first byte.
func TestTunnels(t *testing.T) {
	hello := string(tlsHelloOf(t, &tls.Config{ServerName: "h"}))
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
		"adb":                   {client(adbMessageOf("CNXN", "host::\x00")), server(adbMessageOf("STLS", "")), client(adbMessageOf("STLS", "")), client(hello)},
		"adb, greeted by the device": {client(adbMessageOf("CNXN", "host::\x00")), server(adbMessageOf("CNXN", "device::\x00")),
			client(adbMessageOf("SYNC", "")), client(adbMessageOf("STLS", "") + hello)},
		"ldap": {client(ldapStartTLSRequest), server(ldapStartTLSAnswer), client(hello)},
		"ldap, after a search": {client("\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x63\x07\x04\x00\x0a\x01\x00\x0a\x01"), server("\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"),
			client(strings.Replace(ldapStartTLSRequest, "\x01\x01w", "\x01\x02w", 1)), server(strings.Replace(ldapStartTLSAnswer, "\x01\x01x", "\x01\x02x", 1)), client(hello)},
		"mysql":                      {server(mysqlGreeting), client("\x20\x00\x00\x01\x05\xae\x3f\x20" + strings.Repeat("\x00", 28)), client(hello)},
		"xmpp":                       {client("<stream:stream to='a'>"), server("<stream:features><starttls xmlns='urn'><required/></starttls></stream:features>"), client("<starttls xmlns='urn'/>"), server("<proceed xmlns='urn'/>"), client(hello)},
		"xmpp, with closing tags":    {client("<stream:stream to='a'>"), client("<starttls xmlns='urn'></starttls>"), server("<proceed xmlns='urn'></proceed>"), client(hello)},
		"irc":                        {client("CAP LS 302\r\n"), server(":s CAP * LS :tls\r\n"), client("STARTTLS\r\n"), server(":s 670 * :go\r\n"), client(hello)},
		"irc, greeted by the server": {server("NOTICE AUTH :hello\r\n"), client("STARTTLS\r\n"), server(":s 670 * :go\r\n"), client(hello)},
		"rdp": {client("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"),
			server("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"), client(hello)},
	} {
		facts := sameHoweverCut(t, Ports{1, 9000}, turns)
		name, _, _ = strings.Cut(name, ",")
		if n := len(factsOf[TLSClientHello](facts)); n != 1 || appOf(facts) != name {
			t.Errorf("%s: %d hellos, named %q", name, n, appOf(facts))
		}
	}
}

// chunks cuts fuzzing input into turns: a byte that tells direction and length, then the data.
func chunks(b []byte) (turns []turn) {
	for len(b) > 1 && len(turns) < 64 {
		n := min(int(b[0]>>1)+1, len(b)-1)
		turns = append(turns, turn{int(b[0] & 1), string(b[1 : 1+n])})
		b = b[1+n:]
	}
	return turns
}

func chunk(t turn) (b []byte) {
	for data := t.data; len(data) > 0; {
		n := min(len(data), 128)
		b = append(append(b, byte(n-1)<<1|byte(t.dir)), data[:n]...)
		data = data[n:]
	}
	return b
}

func FuzzConversation(f *testing.F) {
	for _, o := range openings {
		f.Add(o.ports.Server, chunk(o.first))
	}
	for _, turns := range [][]turn{
		{client(request("POST /a HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n"), server("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>x</title>")},
		{client(request("CONNECT a:1 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), client(helloHead)},
		{server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))},
		{server("login: "), client("root\r\n"), server("Password: "), client("root\r\n"), server("# ")},
		{server("220 x\r\n"), client("AUTH TLS\r\n"), server("234 go\r\n"), client(helloHead)},
		{client(ldapStartTLSRequest), server(ldapStartTLSAnswer), client(helloHead)},
		{server(mysqlGreeting), client("\x20\x00\x00\x01\x05\xae\x3f\x20" + strings.Repeat("\x00", 28) + helloHead)},
		{client(mqttLogin("cam", "x")), server("\x20\x02\x00\x05")},
		{client("*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n"), server("+OK\r\n")},
	} {
		var b []byte
		for _, t := range turns {
			b = append(b, chunk(t)...)
		}
		f.Add(uint16(23), b)
	}
	f.Fuzz(func(t *testing.T, port uint16, b []byte) {
		turns := chunks(b)
		facts := play(t, Ports{40000, port}, turns, 0)
		if limit := 8 + len(b); len(facts) > limit {
			t.Fatalf("%d facts of %d bytes", len(facts), len(b))
		}
		// How a turn is cut must not matter. (An SSH login is judged by the sizes of segments, so that is left out.)
		if appOf(facts) == "ssh" {
			return
		}
		if cut := play(t, Ports{40000, port}, turns, 1); dump(cut) != dump(facts) {
			t.Fatalf("cut into bytes:\n%s\nat once:\n%s", dump(cut), dump(facts))
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
	f.Add(uint16(53), framed(string(dnsResponse(f)), string(dnsResponse(f))))
	f.Add(uint16(5353), framed(string(dnsResponse(f))))
	f.Add(uint16(67), framed(string(dhcpPacket(53, "\x01", 55, "\x01\x03\x06", 12, "cam"))))
	f.Add(uint16(547), framed("\x01\x00\x00\x01\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"))
	f.Add(uint16(123), framed("\x23"+strings.Repeat("\x00", 47)))
	f.Add(uint16(161), framed("\x30\x26\x02\x01\x01\x04\x06public\xa0\x19"))
	f.Fuzz(func(t *testing.T, port uint16, b []byte) {
		var c Conversation
		c.Reset(Ports{40000, port}, nil)
		for len(b) >= 2 {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			facts := 0
			if !c.Datagram(n&1, bytes.Clone(b[2:2+n]), func(Fact) { facts++ }) {
				break
			}
			if facts > 2+maxServices {
				t.Fatalf("%d facts of one datagram", facts)
			}
			b = b[2+n:]
		}
	})
}
