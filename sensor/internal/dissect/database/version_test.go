// SPDX-License-Identifier: Apache-2.0

package database_test

import (
	"encoding/binary"
	"strconv"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/database"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func tds(kind byte, body string) string {
	return string([]byte{kind, 1, 0, byte(8 + len(body)), 0, 0, 1, 0}) + body
}

func tns(kind byte, body string) string {
	return string([]byte{0, byte(8 + len(body)), 0, 0, kind, 0, 0, 0}) + body
}

func mongo(op uint32, body string) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	b = append(b, "\x07\x00\x00\x00\x00\x00\x00\x00"...)
	return string(binary.LittleEndian.AppendUint32(b, op)) + body
}

func bson(members string) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(len(members)+5))) + members + "\x00"
}

func bulk(s string) string { return "$" + strconv.Itoa(len(s)) + "\r\n" + s + "\r\n" }

const (
	prelogin   = "\x00\x00\x06\x00\x06\xff"
	tnsConnect = "\x00\x3a\x00\x00\x01\x00\x00\x00\x01\x3a\x01\x2c\x0c\x41\x20\x00\xff\xff\x7f\x08\x00\x00\x01\x00\x00\x00\x00\x3a\x00\x00"
	refusal    = "\x22\x00\x00\x40(DESCRIPTION=(TMP=)(VSNNUM=186647552)(ERR=12514))"
	opMsg      = 2013
	isMaster   = "\x01isMaster\x00\x00\x00\x00\x00\x00\x00\xf0\x3f"
)

var (
	mongoAsk   = mongo(opMsg, "\x00\x00\x00\x00\x00"+bson("\x10hello\x00\x01\x00\x00\x00"))
	mongoHello = mongo(opMsg, "\x00\x00\x00\x00\x00"+bson(isMaster+"\x03top\x00"+bson("\x02version\x00\x02\x00\x00\x00x\x00")+"\x10maxWireVersion\x00\x15\x00\x00\x00"))
	mongoBuild = mongo(opMsg, "\x00\x00\x00\x00\x00"+bson("\x02version\x00\x06\x00\x00\x007.0.5\x00"))
	redisInfo  = bulk("# Server\r\nredis_version:7.2.4\r\nredis_git_sha1:0\r\n")
	redisHello = "%2\r\n" + bulk("server") + bulk("redis") + bulk("version") + bulk("6.0.9")
)

// versions are sessions with the version that the server states; "" if it states none.
var versions = map[string]struct {
	app, want string
	turns     []turn
}{
	"mysql":       {"mysql", "5.7.1", []turn{server(dissecttest.MySQLGreeting)}},
	"mysql error": {"mysql", "", []turn{server(mysqlPacket(0, "\xff\x10\x04Too many connections"))}},
	"postgresql": {"postgresql", "16.2 (Debian 16.2-1)", []turn{client(pgMessage("", "\x00\x03\x00\x00user\x00root\x00\x00")), server(pgAuth(0, "") +
		pgMessage("S", "client_encoding\x00UTF8\x00") + pgMessage("S", "server_version\x0016.2 (Debian 16.2-1)\x00") + pgMessage("Z", "I"))}},
	"postgresql, none":    {"postgresql", "", []turn{client(pgMessage("", "\x00\x03\x00\x00user\x00root\x00\x00")), server(pgAuth(0, "") + pgMessage("Z", "I") + pgMessage("S", "server_version\x009\x00"))}},
	"mssql":               {"mssql", "15.0.4123", []turn{client(tds(0x12, prelogin+"\x09\x00\x00\x00\x00\x00")), server(tds(4, prelogin+"\x0f\x00\x10\x1b\x00\x00"))}},
	"mssql, no version":   {"mssql", "", []turn{client(tds(0x12, prelogin+"\x09\x00\x00\x00\x00\x00")), server(tds(4, "\x01\x00\x06\x00\x06\xff\x0f\x00\x10\x1b\x00\x00"))}},
	"oracle":              {"oracle", "release 11, VSNNUM 186647552", []turn{client(tnsConnect), server(tns(4, refusal))}},
	"oracle, accepted":    {"oracle", "", []turn{client(tnsConnect), server(tns(2, refusal))}},
	"mongodb":             {"mongodb", "wire version 21", []turn{client(mongoAsk), server(mongoHello)}},
	"mongodb, build":      {"mongodb", "7.0.5", []turn{client(mongoAsk), server(mongoBuild + mongoHello)}},
	"mongodb, compressed": {"mongodb", "7.0.5", []turn{client(mongoAsk), server(mongo(2012, "\xdd\x07\x00\x00\x00\x00\x00\x00\x01") + mongoBuild)}},
	"redis, INFO":         {"redis", "7.2.4", []turn{client(dissecttest.RedisArray("PING") + dissecttest.RedisArray("INFO")), server("+PONG\r\n" + redisInfo)}},
	"redis, HELLO":        {"redis", "6.0.9", []turn{client(dissecttest.RedisArray("HELLO", "3")), server(redisHello)}},
	"redis, a value":      {"redis", "", []turn{client(dissecttest.RedisArray("GET", "a")), server(redisInfo)}},
}

func TestVersionsOfServers(t *testing.T) {
	for name, tc := range versions {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 3306}, tc.turns)
		got := dissecttest.FactsOf[dissect.Banner](facts)
		if dissecttest.AppOf(facts) != tc.app || tc.want == "" && len(got) != 0 || tc.want != "" && (len(got) != 1 || got[0] != dissect.Banner{Protocol: tc.app, Text: tc.want}) {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

func FuzzMSSQL(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewMSSQL, versions["mssql"].turns, versions["mssql, no version"].turns)
}

func FuzzOracle(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewOracle, versions["oracle"].turns)
}

func FuzzMongoDB(f *testing.F) {
	dissecttest.FuzzStream(f, database.NewMongoDB, versions["mongodb"].turns, versions["mongodb, build"].turns, versions["mongodb, compressed"].turns)
}
