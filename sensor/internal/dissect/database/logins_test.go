// SPDX-License-Identifier: Apache-2.0

package database_test

import (
	"encoding/binary"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/database"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func mysqlPacket(number byte, body string) string {
	return string([]byte{byte(len(body)), 0, 0, number}) + body
}

func mysqlAnswer(user string) turn {
	return client(mysqlPacket(1, "\x05\xa2\x3a\x00"+string(make([]byte, 28))+user+"\x00\x03abcmysql_native_password\x00"))
}

func pgMessage(tag, body string) string {
	return tag + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func pgAuth(method uint32, rest string) string {
	return pgMessage("R", string(binary.BigEndian.AppendUint32(nil, method))+rest)
}

func TestDatabaseLogins(t *testing.T) {
	const (
		denied = "\xff\x15\x04#28000Access denied"
		ok     = "\x00\x00\x00\x02\x00\x00\x00"
		wrong  = "SFATAL\x00C28P01\x00Mno\x00\x00"
	)
	start := client(pgMessage("", "\x00\x03\x00\x00user\x00root\x00database\x00a\x00\x00"))
	ssl := client("\x00\x00\x00\x08\x04\xd2\x16\x2f")
	proof := func(protocol string, r dissect.Outcome) []dissect.Login {
		return []dissect.Login{{Protocol: protocol, UserHint: "ot", Result: r}}
	}
	for name, tc := range map[string]struct {
		app   string
		turns []turn
		want  []dissect.Login
	}{
		"mysql: in":                       {"mysql", []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root"), server(mysqlPacket(2, ok))}, proof("mysql", dissect.OutcomeSuccess)},
		"mysql: wrong":                    {"mysql", []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root"), server(mysqlPacket(2, denied))}, proof("mysql", dissect.OutcomeFailure)},
		"mysql: another method, wrong":    {"mysql", []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root"), server(mysqlPacket(2, "\xfecaching_sha2_password\x00abc")), client(mysqlPacket(3, "hash")), server(mysqlPacket(4, "\x01\x04") + mysqlPacket(6, denied))}, proof("mysql", dissect.OutcomeFailure)},
		"mysql: no such database":         {"mysql", []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root"), server(mysqlPacket(2, "\xff\x14\x04#42000x"))}, proof("mysql", dissect.OutcomeUnknown)},
		"mysql: nothing more":             {"mysql", []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root")}, proof("mysql", dissect.OutcomeUnknown)},
		"mysql: the server is seen first": {"mysql", []turn{server(dissecttest.MySQLGreeting + mysqlPacket(2, ok)), mysqlAnswer("root")}, proof("mysql", dissect.OutcomeSuccess)},
		"postgresql: md5, in":             {"postgresql", []turn{ssl, server("N"), start, server(pgAuth(5, "salt")), client(pgMessage("p", "md5abc\x00")), server(pgAuth(0, "") + pgMessage("Z", "I"))}, proof("postgresql", dissect.OutcomeSuccess)},
		"postgresql: SCRAM, wrong": {"postgresql", []turn{start, server(pgAuth(10, "SCRAM-SHA-256\x00\x00")), client(pgMessage("p", "SCRAM-SHA-256\x00\x00\x00\x00\x03n,,")), server(pgAuth(11, "r=x")), client(pgMessage("p", "c=biws")),
			server(pgMessage("E", wrong))}, proof("postgresql", dissect.OutcomeFailure)},
		"postgresql: in clear text":             {"postgresql", []turn{start, server(pgAuth(3, "")), client(pgMessage("p", "root\x00")), server(pgAuth(0, ""))}, []dissect.Login{dissecttest.CleartextLogin("postgresql", "ot", dissect.OutcomeSuccess, true)}},
		"postgresql: trusted":                   {"postgresql", []turn{start, server(pgAuth(0, ""))}, proof("postgresql", dissect.OutcomeSuccess)},
		"postgresql: asked, and gone":           {"postgresql", []turn{start, server(pgAuth(10, "SCRAM-SHA-256\x00\x00"))}, nil},
		"postgresql: no rule for the client":    {"postgresql", []turn{start, server(pgMessage("E", "SFATAL\x00C28000\x00\x00"))}, nil},
		"postgresql: proof, then another error": {"postgresql", []turn{start, server(pgAuth(5, "salt")), client(pgMessage("p", "md5a\x00")), server(pgMessage("E", "SFATAL\x00C3D000\x00\x00"))}, proof("postgresql", dissect.OutcomeUnknown)},
	} {
		facts := dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns, 0)
		if name != "mysql: the server is seen first" {
			facts = dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns)
		}
		got := dissecttest.FactsOf[dissect.Login](facts)
		if dissecttest.AppOf(facts) != tc.app || len(got) != len(tc.want) || len(got) > 0 && got[0] != tc.want[0] {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzMySQL(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewMySQL, []turn{server(dissecttest.MySQLGreeting), mysqlAnswer("root"), server(mysqlPacket(2, "\xff\x15\x04#28000x"))})
}

func FuzzPostgres(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewPostgres,
		[]turn{client(pgMessage("", "\x00\x03\x00\x00user\x00root\x00\x00")), server(pgAuth(5, "salt")), client(pgMessage("p", "md5a\x00")), server(pgAuth(0, ""))}, versions["postgresql"].turns)
}

func FuzzRedis(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewRedis,
		[]turn{client(dissecttest.RedisArray("PING") + dissecttest.RedisArray("AUTH", "a") + "AUTH b\r\n"), server("*2\r\n$1\r\na\r\n%0\r\n-WRONGPASS no\r\n>1\r\n+a\r\n+OK\r\n")},
		versions["redis, INFO"].turns, versions["redis, HELLO"].turns)
}
