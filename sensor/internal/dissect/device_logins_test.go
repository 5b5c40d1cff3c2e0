// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func mqttString(s string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

func mqttPacket(first byte, body string) string {
	head := []byte{first}
	n := len(body)
	for ; n >= 0x80; n >>= 7 {
		head = append(head, byte(n)|0x80)
	}
	return string(append(head, byte(n))) + body
}

// mqttLogin is CONNECT of version 3.1.1 with user name and password.
func mqttLogin(user, password string) string {
	return mqttPacket(0x10, mqttString("MQTT")+"\x04\xc2\x00\x3c"+mqttString("client")+mqttString(user)+mqttString(password))
}

func redisArray(args ...string) string {
	s := "*" + string(rune('0'+len(args))) + "\r\n"
	for _, a := range args {
		s += "$" + string(rune('0'+len(a))) + "\r\n" + a + "\r\n"
	}
	return s
}

func TestDeviceLogins(t *testing.T) {
	v5 := mqttPacket(0x10, mqttString("MQTT")+"\x05\xc6\x00\x3c\x05\x11\x00\x00\x00\x0a"+mqttString("client")+"\x00"+mqttString("will/topic")+mqttString("gone")+mqttString("cam7")+mqttString("pw"))
	long := mqttPacket(0x10, mqttString("MQTT")+"\x04\xc2\x00\x3c"+mqttString(string(bytes.Repeat([]byte("c"), 200)))+mqttString("admin")+mqttString("admin"))
	for name, tc := range map[string]struct {
		app   string
		turns []turn
		want  []Login
	}{
		"mqtt accepted":              {"mqtt", []turn{client(mqttLogin("cam7", "pw")), server("\x20\x02\x00\x00")}, []Login{cleartextLogin("mqtt", "m7", OutcomeSuccess, false)}},
		"mqtt, a default pair":       {"mqtt", []turn{client(long), server("\x20\x02\x01\x00")}, []Login{cleartextLogin("mqtt", "in", OutcomeSuccess, true)}},
		"mqtt refused":               {"mqtt", []turn{client(mqttLogin("cam7", "pw")), server("\x20\x02\x00\x05")}, []Login{cleartextLogin("mqtt", "m7", OutcomeFailure, false)}},
		"mqtt, server away":          {"mqtt", []turn{client(mqttLogin("cam7", "pw")), server("\x20\x02\x00\x03")}, []Login{cleartextLogin("mqtt", "m7", OutcomeUnknown, false)}},
		"mqtt, no answer":            {"mqtt", []turn{client(mqttLogin("cam7", "pw"))}, []Login{cleartextLogin("mqtt", "m7", OutcomeUnknown, false)}},
		"mqtt 5 with a will":         {"mqtt", []turn{client(v5), server("\x20\x03\x00\x86\x00")}, []Login{cleartextLogin("mqtt", "m7", OutcomeFailure, false)}},
		"mqtt 5 accepted":            {"mqtt", []turn{client(v5), server("\x20\x03\x00\x00\x00")}, []Login{cleartextLogin("mqtt", "m7", OutcomeSuccess, false)}},
		"mqtt 5, a token alone":      {"mqtt", []turn{client(mqttPacket(0x10, mqttString("MQTT")+"\x05\x42\x00\x3c\x00"+mqttString("client")+mqttString("token"))), server("\x20\x03\x00\x87\x00")}, []Login{cleartextLogin("mqtt", "", OutcomeFailure, false)}},
		"mqtt without a user":        {"mqtt", []turn{client(mqttPacket(0x10, mqttString("MQTT")+"\x04\x02\x00\x3c"+mqttString("client"))), server("\x20\x02\x00\x00")}, nil},
		"mqtt, cut in the password":  {"mqtt", []turn{client(mqttPacket(0x10, mqttString("MQTT")+"\x04\xc2\x00\x3c"+mqttString("client")+mqttString("cam7")+"\x00\x09x")), server("\x20\x02\x00\x00")}, nil},
		"mqtt, a length without end": {"mqtt", []turn{client("\x10\xff\xff\xff\x7f" + mqttLogin("cam7", "pw")[2:]), server("\x20\x02\x00\x00")}, nil},
		"redis accepted":             {"redis", []turn{client(redisArray("AUTH", "pw") + redisArray("PING")), server("+OK\r\n+PONG\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeSuccess, false)}},
		"redis, user and password":   {"redis", []turn{client(redisArray("auth", "admin", "admin")), server("-WRONGPASS invalid\r\n")}, []Login{cleartextLogin("redis", "in", OutcomeFailure, true)}},
		"redis, old words":           {"redis", []turn{client(redisArray("AUTH", "pw")), server("-ERR invalid password\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeFailure, false)}},
		"redis, none was needed":     {"redis", []turn{client(redisArray("AUTH", "pw")), server("-ERR Client sent AUTH, but no password is set\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeUnknown, false)}},
		"redis 3":                    {"redis", []turn{client(redisArray("HELLO", "3", "AUTH", "joe", "pw")), server("%7\r\n")}, []Login{cleartextLogin("redis", "oe", OutcomeSuccess, false)}},
		"redis, behind a command":    {"redis", []turn{client(redisArray("PING") + redisArray("AUTH", "pw")), server("+PONG\r\n+OK\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeSuccess, false)}},
		"redis, behind long answers": {"redis", []turn{client(redisArray("HELLO", "3")), server("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n"), client(redisArray("GET", "a")), server("$9\r\n-WRONGPAS\r\n"),
			client(redisArray("AUTH", "pw")), server("-WRONGPASS no\r\n"), client(redisArray("GET", "b")), server("$-1\r\n"), client(redisArray("AUTH", "admin", "admin")), server("+OK\r\n")},
			[]Login{cleartextLogin("redis", "lt", OutcomeFailure, false), cleartextLogin("redis", "in", OutcomeSuccess, true)}},
		"redis, all at once": {"redis", []turn{client(redisArray("AUTH", "a") + redisArray("AUTH", "b") + redisArray("AUTH", "c")), server("-WRONGPASS no\r\n-WRONGPASS no\r\n+OK\r\n")},
			[]Login{cleartextLogin("redis", "lt", OutcomeFailure, false), cleartextLogin("redis", "lt", OutcomeFailure, false), cleartextLogin("redis", "lt", OutcomeSuccess, false)}},
		"redis, many arguments":        {"redis", []turn{client("*12\r\n" + strings.Repeat("$1\r\na\r\n", 12) + redisArray("AUTH", "b")), server("-NOAUTH no\r\n-WRONGPASS no\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeFailure, false)}},
		"redis 3, named, then pushed":  {"redis", []turn{client(redisArray("HELLO", "3", "SETNAME", "x", "AUTH", "joe", "pw")), server(">2\r\n+invalidate\r\n_\r\n-WRONGPASS no\r\n")}, []Login{cleartextLogin("redis", "oe", OutcomeFailure, false)}},
		"redis, refused before asked":  {"redis", []turn{server("-ERR max number of clients reached\r\n"), client(redisArray("AUTH", "pw"))}, nil},
		"redis, subscribed":            {"redis", []turn{client(redisArray("AUTH", "pw")), server("+OK\r\n"), client(redisArray("SUBSCRIBE", "a", "b") + redisArray("AUTH", "x")), server("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeSuccess, false)}},
		"redis, queued":                {"redis", []turn{client(redisArray("AUTH", "pw")), server("+QUEUED\r\n")}, []Login{cleartextLogin("redis", "lt", OutcomeUnknown, false)}},
		"redis, inline":                {"redis", []turn{client(redisArray("PING")), server("-NOAUTH no\r\n"), client("auth  joe pw\r\n\r\nAUTH x\r\n"), server("-WRONGPASS no\r\n+OK\r\n")}, []Login{cleartextLogin("redis", "oe", OutcomeFailure, false), cleartextLogin("redis", "lt", OutcomeSuccess, false)}},
		"redis, more than is believed": {"redis", []turn{client("*2\r\n$4\r\nAUTH\r\n$999999999\r\nx\r\n"), server("+OK\r\n")}, nil},
		"redis, cut":                   {"redis", []turn{client("*2\r\n$4\r\nAUTH\r\n$9\r\nx")}, nil},
		"nntp": {"nntp", []turn{server("200 news\r\n"), client("AUTHINFO USER joe\r\n"), server("381 more\r\n"), client("AUTHINFO PASS x\r\n"), server("481 no\r\n"),
			client("authinfo user guest\r\nauthinfo pass guest\r\n"), server("381 more\r\n281 in\r\n")}, []Login{cleartextLogin("nntp", "oe", OutcomeFailure, false), cleartextLogin("nntp", "st", OutcomeSuccess, true)}},
	} {
		facts := sameHoweverCut(t, Ports{40000, 119}, tc.turns)
		got := factsOf[Login](facts)
		if appOf(facts) != tc.app || len(got) != len(tc.want) {
			t.Errorf("%s:\n%s", name, dump(facts))
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: got %+v, want %+v", name, got[i], tc.want[i])
			}
		}
	}
}

// snmpOf is a message with one variable: version 0 or 1, community, kind, request-id, error-status.
func snmpOf(version byte, community string, pdu byte, id, status byte) string {
	element := func(tag byte, parts ...string) string {
		body := ""
		for _, p := range parts {
			body += p
		}
		return string([]byte{tag, byte(len(body))}) + body
	}
	integer := func(v byte) string { return element(2, string([]byte{v})) }
	name := element(6, "\x2b\x06\x01\x02\x01\x01\x05\x00")
	return element(0x30, integer(version), element(4, community),
		element(pdu, integer(id), integer(status), integer(0), element(0x30, element(0x30, name, "\x05\x00"))))
}

func TestSNMPLogin(t *testing.T) {
	const get, response, trap = 0xa0, 0xa2, 0xa7
	ask := func(community string) turn { return client(snmpOf(1, community, get, 7, 0)) }
	for name, tc := range map[string]struct {
		turns []turn
		want  []Login
	}{
		"public":            {[]turn{ask("public"), server(snmpOf(1, "public", response, 7, 0))}, []Login{cleartextLogin("snmp", "", OutcomeSuccess, true)}},
		"private, SNMP 1":   {[]turn{client(snmpOf(0, "private", 0xa3, 9, 0)), server(snmpOf(0, "private", response, 9, 0))}, []Login{cleartextLogin("snmp", "", OutcomeSuccess, true)}},
		"another community": {[]turn{ask("s3cret"), server(snmpOf(1, "s3cret", response, 7, 2))}, []Login{cleartextLogin("snmp", "", OutcomeSuccess, false)}},
		"told once":         {[]turn{ask("public"), server(snmpOf(1, "public", response, 7, 0)), ask("public"), server(snmpOf(1, "public", response, 7, 0))}, []Login{cleartextLogin("snmp", "", OutcomeSuccess, true)}},
		"the last of many":  {[]turn{ask("public"), client(snmpOf(1, "s3cret", get, 8, 0)), server(snmpOf(1, "s3cret", response, 8, 0))}, []Login{cleartextLogin("snmp", "", OutcomeSuccess, false)}},
		"not answered":      {[]turn{ask("public")}, nil},
		"answer to another": {[]turn{ask("public"), server(snmpOf(1, "public", response, 6, 0))}, nil},
		"its own answer":    {[]turn{ask("public"), client(snmpOf(1, "public", response, 7, 0))}, nil},
		"not authorised":    {[]turn{ask("public"), server(snmpOf(1, "public", response, 7, 16))}, nil},
		"a trap":            {[]turn{client(snmpOf(1, "public", trap, 7, 0)), server(snmpOf(1, "public", response, 7, 0))}, nil},
		"cut":               {[]turn{ask("public"), server(snmpOf(1, "public", response, 7, 0)[:20])}, nil},
	} {
		var c Conversation
		c.Reset(Ports{40000, 161}, nil)
		var facts []Fact
		for _, turn := range tc.turns {
			own := []byte(turn.data)
			more := c.Datagram(turn.dir, own, func(f Fact) { facts = append(facts, f) })
			clear(own)
			if !more {
				break
			}
		}
		got := factsOf[Login](facts)
		if appOf(facts) != "snmp" || len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
			t.Errorf("%s:\n%s", name, dump(facts))
		}
		if bytes.Contains([]byte(dump(facts)), []byte("s3cret")) {
			t.Errorf("%s: the community is in\n%s", name, dump(facts))
		}
	}
}

func FuzzSNMP(f *testing.F) {
	f.Add([]byte(snmpOf(1, "public", 0xa0, 7, 0)))
	f.Add([]byte("\x30\x84\x00\x00\x00\x03\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := readSNMP(b); ok && len(m.community) > len(b) {
			t.Fatalf("%+v", m)
		}
		looksSNMP(b, Ports{1, 161})
		looksKerberos(b, Ports{})
		looksLDAP(append([]byte{ldapMessage}, b...), false, Ports{})
	})
}

// TestQUICInTheMiddle checks that a repeated connection id tells QUIC, and that media which looks alike is not taken for it.
func TestQUICInTheMiddle(t *testing.T) {
	short := func(first byte, id string, n byte) []byte {
		return append(append([]byte{first}, id...), bytes.Repeat([]byte{n}, 30)...)
	}
	channel := func(n byte) []byte { // TURN channel data (RFC 8656 section 12.4) with RTP
		return append([]byte{0x40, 0x01, 0, 0x2c, 0x80, 0x60, 0, n, 0, 0, 0, n}, bytes.Repeat([]byte{n}, 36)...)
	}
	for name, tc := range map[string]struct {
		ports Ports
		data  [][]byte
		want  string
	}{
		"the same id":      {Ports{50000, 443}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgh", 2)}, "quic"},
		"another id":       {Ports{50000, 443}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgi", 2)}, ""},
		"another port":     {Ports{50000, 4433}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgh", 2)}, ""},
		"zeros":            {Ports{50000, 443}, [][]byte{short(0x41, "\x00\x00\x00\x00\x00\x00\x00\x00", 1), short(0x41, "\x00\x00\x00\x00\x00\x00\x00\x00", 2)}, ""},
		"no fixed bit":     {Ports{50000, 443}, [][]byte{short(0x01, "abcdefgh", 1), short(0x01, "abcdefgh", 2)}, ""},
		"too short":        {Ports{50000, 443}, [][]byte{short(0x41, "abcdefgh", 1)[:20], short(0x41, "abcdefgh", 2)[:20]}, ""},
		"media in a relay": {Ports{50000, 443}, [][]byte{channel(1), channel(2), channel(3)}, ""},
		"after five":       {Ports{50000, 443}, [][]byte{{1}, {1}, {1}, {1}, short(0x41, "abcdefgh", 1), short(0x41, "abcdefgh", 2)}, ""},
	} {
		if got := appOf(datagrams(tc.ports, tc.data...)); got != tc.want {
			t.Errorf("%s: named %q", name, got)
		}
	}
}

func TestSimpleHTTP(t *testing.T) {
	for s, want := range map[string]string{
		"GET /index.html\r\n": "http", "GET\r\n": "http", "GET /\n": "http", "GETTING\r\n": "", "GET me\r\n": "", "GET /\x01\r\n": "", "GET": "",
	} {
		if got := appOf(sameHoweverCut(t, Ports{40000, 80}, []turn{client(s)})); got != want {
			t.Errorf("%q: named %q", s, got)
		}
		if got := appOf(play(t, Ports{40000, 4444}, []turn{client(s)}, 0)); got != "" {
			t.Errorf("%q away from its port: named %q", s, got)
		}
	}
}
