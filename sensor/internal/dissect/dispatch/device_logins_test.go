// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"bytes"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestDeviceLogins(t *testing.T) {
	v5 := dissecttest.MQTTPacket(0x10, dissecttest.MQTTString("MQTT")+"\x05\xc6\x00\x3c\x05\x11\x00\x00\x00\x0a"+dissecttest.MQTTString("client")+"\x00"+dissecttest.MQTTString("will/topic")+dissecttest.MQTTString("gone")+dissecttest.MQTTString("cam7")+dissecttest.MQTTString("pw"))
	long := dissecttest.MQTTPacket(0x10, dissecttest.MQTTString("MQTT")+"\x04\xc2\x00\x3c"+dissecttest.MQTTString(string(bytes.Repeat([]byte("c"), 200)))+dissecttest.MQTTString("admin")+dissecttest.MQTTString("admin"))
	for name, tc := range map[string]struct {
		app   string
		turns []turn
		want  []dissect.Login
	}{
		"mqtt accepted":              {"mqtt", []turn{client(dissecttest.MQTTConnect("cam7", "pw")), server("\x20\x02\x00\x00")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeSuccess, false)}},
		"mqtt, a default pair":       {"mqtt", []turn{client(long), server("\x20\x02\x01\x00")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "in", dissect.OutcomeSuccess, true)}},
		"mqtt refused":               {"mqtt", []turn{client(dissecttest.MQTTConnect("cam7", "pw")), server("\x20\x02\x00\x05")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeFailure, false)}},
		"mqtt, server away":          {"mqtt", []turn{client(dissecttest.MQTTConnect("cam7", "pw")), server("\x20\x02\x00\x03")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeUnknown, false)}},
		"mqtt, no answer":            {"mqtt", []turn{client(dissecttest.MQTTConnect("cam7", "pw"))}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeUnknown, false)}},
		"mqtt 5 with a will":         {"mqtt", []turn{client(v5), server("\x20\x03\x00\x86\x00")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeFailure, false)}},
		"mqtt 5 accepted":            {"mqtt", []turn{client(v5), server("\x20\x03\x00\x00\x00")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "m7", dissect.OutcomeSuccess, false)}},
		"mqtt 5, a token alone":      {"mqtt", []turn{client(dissecttest.MQTTPacket(0x10, dissecttest.MQTTString("MQTT")+"\x05\x42\x00\x3c\x00"+dissecttest.MQTTString("client")+dissecttest.MQTTString("token"))), server("\x20\x03\x00\x87\x00")}, []dissect.Login{dissecttest.CleartextLogin("mqtt", "", dissect.OutcomeFailure, false)}},
		"mqtt without a user":        {"mqtt", []turn{client(dissecttest.MQTTPacket(0x10, dissecttest.MQTTString("MQTT")+"\x04\x02\x00\x3c"+dissecttest.MQTTString("client"))), server("\x20\x02\x00\x00")}, nil},
		"mqtt, cut in the password":  {"mqtt", []turn{client(dissecttest.MQTTPacket(0x10, dissecttest.MQTTString("MQTT")+"\x04\xc2\x00\x3c"+dissecttest.MQTTString("client")+dissecttest.MQTTString("cam7")+"\x00\x09x")), server("\x20\x02\x00\x00")}, nil},
		"mqtt, a length without end": {"mqtt", []turn{client("\x10\xff\xff\xff\x7f" + dissecttest.MQTTConnect("cam7", "pw")[2:]), server("\x20\x02\x00\x00")}, nil},
		"redis accepted":             {"redis", []turn{client(dissecttest.RedisArray("AUTH", "pw") + dissecttest.RedisArray("PING")), server("+OK\r\n+PONG\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeSuccess, false)}},
		"redis, user and password":   {"redis", []turn{client(dissecttest.RedisArray("auth", "admin", "admin")), server("-WRONGPASS invalid\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "in", dissect.OutcomeFailure, true)}},
		"redis, old words":           {"redis", []turn{client(dissecttest.RedisArray("AUTH", "pw")), server("-ERR invalid password\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeFailure, false)}},
		"redis, none was needed":     {"redis", []turn{client(dissecttest.RedisArray("AUTH", "pw")), server("-ERR Client sent AUTH, but no password is set\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeUnknown, false)}},
		"redis 3":                    {"redis", []turn{client(dissecttest.RedisArray("HELLO", "3", "AUTH", "joe", "pw")), server("%7\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "oe", dissect.OutcomeSuccess, false)}},
		"redis, behind a command":    {"redis", []turn{client(dissecttest.RedisArray("PING") + dissecttest.RedisArray("AUTH", "pw")), server("+PONG\r\n+OK\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeSuccess, false)}},
		"redis, behind long answers": {"redis", []turn{client(dissecttest.RedisArray("HELLO", "3")), server("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n"), client(dissecttest.RedisArray("GET", "a")), server("$9\r\n-WRONGPAS\r\n"),
			client(dissecttest.RedisArray("AUTH", "pw")), server("-WRONGPASS no\r\n"), client(dissecttest.RedisArray("GET", "b")), server("$-1\r\n"), client(dissecttest.RedisArray("AUTH", "admin", "admin")), server("+OK\r\n")},
			[]dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("redis", "in", dissect.OutcomeSuccess, true)}},
		"redis, all at once": {"redis", []turn{client(dissecttest.RedisArray("AUTH", "a") + dissecttest.RedisArray("AUTH", "b") + dissecttest.RedisArray("AUTH", "c")), server("-WRONGPASS no\r\n-WRONGPASS no\r\n+OK\r\n")},
			[]dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeSuccess, false)}},
		"redis, many arguments":        {"redis", []turn{client("*12\r\n" + strings.Repeat("$1\r\na\r\n", 12) + dissecttest.RedisArray("AUTH", "b")), server("-NOAUTH no\r\n-WRONGPASS no\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeFailure, false)}},
		"redis 3, named, then pushed":  {"redis", []turn{client(dissecttest.RedisArray("HELLO", "3", "SETNAME", "x", "AUTH", "joe", "pw")), server(">2\r\n+invalidate\r\n_\r\n-WRONGPASS no\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "oe", dissect.OutcomeFailure, false)}},
		"redis, refused before asked":  {"redis", []turn{server("-ERR max number of clients reached\r\n"), client(dissecttest.RedisArray("AUTH", "pw"))}, nil},
		"redis, subscribed":            {"redis", []turn{client(dissecttest.RedisArray("AUTH", "pw")), server("+OK\r\n"), client(dissecttest.RedisArray("SUBSCRIBE", "a", "b") + dissecttest.RedisArray("AUTH", "x")), server("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeSuccess, false)}},
		"redis, queued":                {"redis", []turn{client(dissecttest.RedisArray("AUTH", "pw")), server("+QUEUED\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeUnknown, false)}},
		"redis, inline":                {"redis", []turn{client(dissecttest.RedisArray("PING")), server("-NOAUTH no\r\n"), client("auth  joe pw\r\n\r\nAUTH x\r\n"), server("-WRONGPASS no\r\n+OK\r\n")}, []dissect.Login{dissecttest.CleartextLogin("redis", "oe", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("redis", "lt", dissect.OutcomeSuccess, false)}},
		"redis, more than is believed": {"redis", []turn{client("*2\r\n$4\r\nAUTH\r\n$999999999\r\nx\r\n"), server("+OK\r\n")}, nil},
		"redis, cut":                   {"redis", []turn{client("*2\r\n$4\r\nAUTH\r\n$9\r\nx")}, nil},
		"nntp": {"nntp", []turn{server("200 news\r\n"), client("AUTHINFO USER joe\r\n"), server("381 more\r\n"), client("AUTHINFO PASS x\r\n"), server("481 no\r\n"),
			client("authinfo user guest\r\nauthinfo pass guest\r\n"), server("381 more\r\n281 in\r\n")}, []dissect.Login{dissecttest.CleartextLogin("nntp", "oe", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("nntp", "st", dissect.OutcomeSuccess, true)}},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 119}, tc.turns)
		got := dissecttest.FactsOf[dissect.Login](facts)
		if dissecttest.AppOf(facts) != tc.app || len(got) != len(tc.want) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: got %+v, want %+v", name, got[i], tc.want[i])
			}
		}
	}
}
