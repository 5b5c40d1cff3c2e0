// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/match"
)

// sample is what begins a session of a protocol.
type sample struct {
	name string
	port uint16 // of the server
	data string
}

// anyPort is the port of the samples that need none.
const anyPort = 9000

const (
	isoRequest = "\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc1\x02\x01\x00\xc2\x02\x01\x02\xc0\x01\x0a"
	rpcHead    = "\x80\x00\x00\x28"
	winboxKey  = "0123456789abcdef0123456789abcdef\x01"
	dceBind    = "\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00\x02\x00\x00\x00\xd0\x16\xd0\x16"
	zeros      = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

func rpc(program string) string {
	return "abcd\x00\x00\x00\x00\x00\x00\x00\x02" + program + "\x00\x00\x00\x03\x00\x00\x00\x00" + zeros + zeros
}

// streamSamples are first bytes of clients.
var streamSamples = []sample{
	{"rtmp", anyPort, "\x03\x00\x01\x02\x03\x00\x00\x00\x00" + strings.Repeat("abcdefgh", 191)},
	{"rtmp", 1935, "\x03\x00\x01\x02\x03\x09\x00\x7c\x02" + strings.Repeat("abcdefgh", 191)},
	{"zabbix", anyPort, "ZBXD\x01\x0a" + zeros[:7] + "proc.num[]"},
	{"rsync", anyPort, "@RSYNCD: 31.0\n"},
	{"pjl", anyPort, "\x1b%-12345X@PJL INFO ID\r\n"},
	{"x11", anyPort, "l\x00\x0b\x00\x00\x00\x12\x00\x10\x00\x00\x00"},
	{"git", anyPort, "0032git-upload-pack /project.git\x00host=myserver.com\x00"},
	{"pptp", anyPort, "\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01\x00\x00\x01\x00"},
	{"kafka", anyPort, "\x00\x00\x00\x15\x00\x12\x00\x00\x00\x00\x00\x81\x00\x07rdkafka\x00"},
	{"h323", anyPort, "\x03\x00\x00\x14\x08\x02\x77\xf4\x05\x04\x03\x80\x90\xa5\x7e\x00\x03\x05\x20\xa8"},
	{"ldp", anyPort, "\x00\x01\x00\x20\x0a\x00\x00\x01\x00\x00\x02\x00\x00\x16\x00\x00\x00\x02"},
	{"synchrophasor", anyPort, "\xaa\x41\x00\x12\x00\xf1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\xd7\xd0"},
	{"dcerpc", anyPort, dceBind},
	{"kasa", anyPort, "\x00\x00\x00\x05\xd0\xf2\x81\xf8\x8b"},
	{"dnp3", anyPort, "\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x21"},
	{"s7comm", anyPort, isoRequest + "\x03\x00\x00\x19\x02\xf0\x80\x32\x01"},
	{"s7comm", anyPort, "\x03\x00\x00\x19\x02\xf0\x80\x32\x03"},
	{"s7comm-plus", anyPort, isoRequest + "\x03\x00\x00\x19\x02\xf0\x80\x72\x01"},
	{"enip", anyPort, "\x65\x00\x04\x00" + zeros + "\x00\x00\x00\x00" + zeros + "\x01\x00\x00\x00"},
	{"enip", 44818, "\x63\x00\x00\x00" + zeros + zeros + "\x00\x00\x00\x00"},
	{"iec104", anyPort, "\x68\x04\x07\x00\x00\x00"},
	{"iec104", 2404, "\x68\x0e\x00\x00\x00\x00\x64\x01\x06\x00\x01\x00\x00\x00\x00\x14"},
	{"iec104", 2404, "\x68\x04\x01\x00\x02\x00"},
	{"opcua", anyPort, "HELF\x39\x00\x00\x00\x00\x00\x00\x00"},
	{"knx", anyPort, "\x06\x10\x02\x05\x00\x1a"},
	{"fins", anyPort, "FINS\x00\x00\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"bgp", anyPort, strings.Repeat("\xff", 16) + "\x00\x1d\x01\x04"},
	{"bitcoin", anyPort, "\xf9\xbe\xb4\xd9version\x00\x00\x00\x00\x00\x66\x00\x00\x00"},
	{"bitcoin", anyPort, "\x0b\x11\x09\x07sendcmpct\x00\x00\x00"},
	{"amqp", anyPort, "AMQP\x00\x00\x09\x01"},
	{"amqp", 5672, "\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x28\x00\xce"},
	{"mssql", anyPort, "\x12\x01\x00\x2f\x00\x00\x01\x00\x00\x00\x1a\x00\x06\x01\x00\x20\x00\x01"},
	{"mssql", anyPort, "\x10\x01\x00\x90\x00\x00\x01\x00\x88\x00\x00\x00\x04\x00\x00\x74\x00\x10"},
	{"mssql", anyPort, "\x01\x01\x00\xbe\x00\x00\x01\x00\x16\x00\x00\x00\x12\x00\x00\x00\x02\x00"},
	{"oracle", anyPort, "\x00\xe1\x00\x00\x01\x00\x00\x00\x01\x3a\x01\x2c\x0c\x41\x20\x00\xff\xff\x7f\x08\x00\x00\x01\x00\x00\xa7\x00\x3a\x00\x00"},
	{"nfs", anyPort, rpcHead + rpc("\x00\x01\x86\xa3")},
	{"portmap", anyPort, rpcHead + rpc("\x00\x01\x86\xa0")},
	{"rpc", anyPort, rpcHead + rpc("\x00\x01\x86\xa5")},
	{"memcached", 11211, "stats\r\n"},
	{"memcached", 11211, "\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03" + zeros + "\x00\x00\x00\x00key"},
	{"winbox", 8291, "\x27\x06admin\x00" + winboxKey},
	{"winbox", 8291, "\x68\x01\x00\x66M2\x05\x00"},
	{"hartip", 5094, "\x01\x00\x00\x00\x00\x02\x00\x0d\x01\x00\x00\xea\x60"},
	{"ge-srtp", 18245, strings.Repeat("\x00", 56)},
	{"diameter", anyPort, "\x01\x00\x00\x60\x80\x00\x01\x01\x00\x00\x00\x00abcdefgh\x00\x00\x01\x08\x40\x00\x00\x10"},
	{"diameter", 3868, "\x01\x00\x00\x60\xc0\x00\x01\x10\x00\x00\x00\x04abcdefgh\x00\x00\x01\x07\x40\x00\x00\x10"},
	{"modbus", 502, "\x00\x00\x00\x00\x00\x04\x00\x5a\x00\x02"},
}

// datagramSamples are first datagrams.
var datagramSamples = []sample{
	{"bittorrent", anyPort, "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n"},
	{"bjnp", anyPort, "BJNP\x02\x01\x00\x00\x17\xa4" + zeros[:6]},
	{"kasa", anyPort, "\xd0\xf2\x81\xf8\x8b\xff\x9a\xf7\xd5\xef\x94\xb6\xd1\xb4\xc0\x9f\xec\x95\xe6\x8f\xe1\x87\xe8\xca\xf0\x8b\xf6\x8b\xf6"},
	{"mgcp", anyPort, "RQNT 1 *@gateway.example MGCP 0.1\r\nR: l/hd(n)\r\n"},
	{"ipmi", anyPort, "\x06\x00\xff\x07\x00" + zeros + "\x09\x20\x18\xc8\x81\x00\x38\x8e\x04\xb5"},
	{"ipmi", anyPort, "\x06\x00\xff\x07\x06\x10" + zeros + "\x04\x00abcd"},
	{"ipmi", anyPort, "\x06\x00\xff\x06\x00\x00\x11\xbe\x80\x00\x00\x00"},
	{"dropbox", 17500, `{"host_int": 1, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [1]}`},
	{"natpmp", 5351, "\x00\x00"},
	{"natpmp", 5351, "\x00\x02\x00\x00\x1f\x90\x1f\x90\x00\x00\x0e\x10"},
	{"natpmp", 5351, "\x00\x82\x00\x00\x00\x00\x00\x01\x1f\x90\x1f\x90\x00\x00\x0e\x10"},
	{"natpmp", 5351, "\x02\x01\x00\x00" + zeros + zeros + "abcd"},
	{"stun", 3478, "\x00\x01\x00\x08" + zeros + zeros + "\x00\x03\x00\x04\x00\x00\x00\x00"},
	{"rip", 520, "\x02\x02\x00\x00\x00\x02\x00\x00\x0a\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"rip", 521, "\x01\x01\x00\x00" + zeros + zeros + "\x00\x00\x00\x10"},
	{"l2tp", 1701, "\xc8\x02\x00\x14" + zeros + "\x80\x08\x00\x00\x00\x00\x00\x01"},
	{"dcerpc", anyPort, "\x04\x00\x20\x00\x10\x00\x00\x00" + strings.Repeat("u", 66) + "\x04\x00\x00\x00\x00\x00abcd"},
	{"ldp", anyPort, "\x00\x01\x00\x1e\x0a\x00\x00\x01\x00\x00\x01\x00\x00\x14\x00\x00\x00\x00\x04\x00\x00\x04\x00\x0f\x00\x00\x04\x01\x00\x04\x0a\x00\x00\x01"},
	{"synchrophasor", anyPort, "\xaa\x41\x00\x12\x00\xf1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\xd7\xd0"},
	{"dnp3", anyPort, "\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x21"},
	{"enip", 44818, "\x63\x00\x00\x00" + zeros + zeros + "\x00\x00\x00\x00"},
	{"enip", anyPort, "\x02\x00\x02\x80\x08\x00abcd\x01\x00\x00\x00\xb1\x00\x02\x00ab"},
	{"hsrp", 1985, "\x00\x00\x10\x03\x0a\x64\x01\x00cisco\x00\x00\x00\xc0\x00\x02\x01"},
	{"capwap", 5246, "\x00\x10\x02\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x08\x00\x00\x14\x00\x01\x00"},
	{"ptp", 319, "\x00\x02\x00\x2c" + strings.Repeat("\x00", 40)},
	{"hartip", 5094, "\x01\x00\x00\x00\x00\x02\x00\x0d\x01\x00\x00\xea\x60"},
	{"fins", 9600, "\x80\x00\x02\x00\x01\x00\x00\x02\x00\x01\x05\x01"},
	{"memcached", 11211, "\x00\x00\x00\x00\x00\x01\x00\x00stats\r\n"},
	{"coap", 5683, "\x44\x01\x12\x34abcd\xbb.well-known\x04core"},
	{"coap", 5683, "\x60\x00\x12\x34"},
	{"coap", 5683, "\x40\x02\x12\x34\xd1\x01a\xffpayload"},
	{"knx", anyPort, "\x06\x10\x02\x01\x00\x0e\x08\x01\xc0\xa8\x00\x01\x0e\x57"},
	{"bacnet", anyPort, "\x81\x0b\x00\x0c\x01\x20\xff\xff\x00\xff\x10\x08"},
	{"bacnet", anyPort, "\x81\x04\x00\x0e\xc0\xa8\x00\x01\xba\xc0\x01\x00\x10\x08"},
	{"bacnet", 47808, "\x81\x05\x00\x06\x00\x3c"},
	{"sflow", anyPort, "\x00\x00\x00\x05\x00\x00\x00\x01\xc0\xa8\x00\x01" + zeros + "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x04abcd"},
	{"netflow", anyPort, "\x00\x05\x00\x01\x00\x00\x00\x01\x60\x00\x00\x00" + strings.Repeat("\x00", 60)},
	{"netflow", anyPort, "\x00\x09\x00\x01\x00\x00\x00\x01\x60\x00\x00\x00" + zeros + "\x01\x00\x00\x08abcd"},
	{"ipfix", anyPort, "\x00\x0a\x00\x18\x60\x00\x00\x00" + zeros + "\x01\x00\x00\x08abcd"},
	{"nfs", anyPort, rpc("\x00\x01\x86\xa3")},
	{"nfs", 2049, "abcd\x00\x00\x00\x01" + zeros + "\x00\x00\x00\x00\x00\x00\x00\x00"},
	{"portmap", anyPort, rpc("\x00\x01\x86\xa0")},
	{"portmap", 111, "abcd\x00\x00\x00\x01" + zeros + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x01"},
	{"rpc", anyPort, rpc("\x00\x01\x86\xa5")},
}

// nameOf returns the protocol of a session that begins with data from the client.
func nameOf(tcp bool, port uint16, data ...string) (name string) {
	var c Conversation
	c.Reset(dissect.Ports{Client: 40000, Server: port}, nil)
	sink := func(f dissect.Fact) {
		if id, ok := f.(*dissect.AppID); ok {
			name = id.Name
		}
	}
	for _, d := range data {
		if tcp {
			c.Stream(dissect.FromClient, []byte(d), true, sink)
		} else if !c.Datagram(dissect.FromClient, []byte(d), sink) {
			break
		}
	}
	return name
}

func TestNamesOfSamples(t *testing.T) {
	for _, tcp := range []bool{true, false} {
		for _, s := range samplesOf(tcp) {
			if got := nameOf(tcp, s.port, s.data); got != s.name {
				t.Errorf("%s, TCP %v, %.20q: named %q", s.name, tcp, s.data, got)
			}
		}
	}
}

func samplesOf(tcp bool) []sample {
	if tcp {
		return streamSamples
	}
	return datagramSamples
}

// TestDamagedSamplesAreNotNamed changes what recognizes a protocol: each damage must take the name away.
func TestDamagedSamplesAreNotNamed(t *testing.T) {
	for _, tc := range []struct {
		tcp        bool
		port       uint16
		what, data string
	}{
		{true, anyPort, "rtmp without zeros off its port", "\x03\x00\x01\x02\x03\x09\x00\x7c\x02" + strings.Repeat("abcdefgh", 191)},
		{true, 1935, "half a handshake", "\x03\x00\x01\x02\x03\x00\x00\x00\x00abcd"},
		{true, anyPort, "ZBXD as text", "ZBXD is text"},
		{true, anyPort, "@RSYNCD as text", "@RSYNCD\n"},
		{true, anyPort, "x11 of another version", "l\x00\x0a\x00\x00\x00\x12\x00"},
		{true, anyPort, "git with another command", "0032git-upload-packs /a"},
		{true, anyPort, "pptp with another cookie", "\x00\x9c\x00\x01\x1a\x2b\x3c\x4e\x00\x01\x00\x00"},
		{true, anyPort, "kafka with a name of bytes", "\x00\x00\x00\x15\x00\x12\x00\x00\x00\x00\x00\x81\x00\x03\x01\x02\x03"},
		{true, anyPort, "kafka with a later request", "\x00\x00\x00\x15\x00\x01\x00\x00\x00\x00\x00\x81\x00\x07rdkafka"},
		{true, anyPort, "an answer of Q.931", "\x03\x00\x00\x14\x08\x02\xf7\xf4\x07\x04"},
		{true, anyPort, "ldp with another length", "\x00\x01\x00\x21\x0a\x00\x00\x01\x00\x00\x02\x00\x00\x16"},
		{true, anyPort, "synchrophasor with a wrong checksum", "\xaa\x41\x00\x12\x00\xf1\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\xd7\xd1"},
		{true, 135, "dcerpc with another representation", "\x05\x00\x0b\x03\x11\x00\x00\x00\x48\x00\x00\x00\x02\x00\x00\x00"},
		{true, 135, "dcerpc without room for its authentication", "\x05\x00\x0b\x03\x10\x00\x00\x00\x10\x00\x09\x00\x02\x00\x00\x00"},
		{true, 9999, "kasa that is longer", "\x00\x00\xff\x05\xd0\xf2\x81\xf8\x8b"},
		{false, 9999, "kasa that is cut", "\xd0\xf2\x81\xf8\x8b"},
		{false, 8612, "bjnp of another length", "BJNP\x02\x01\x00\x00\x17\xa4" + zeros[:7]},
		{false, anyPort, "mgcp without its version", "RQNT 1 *@gateway.example\r\n"},
		{false, 623, "ipmi of another length", "\x06\x00\xff\x07\x00" + zeros + "\x02\x20\x18\xc8\x81\x00"},
		{false, 623, "an acknowledgement", "\x06\x00\x01\x87" + zeros},
		{false, 17500, "JSON", `{"host": 1}`},
		{false, anyPort, "natpmp off its port", "\x00\x02\x00\x00\x1f\x90\x1f\x90\x00\x00\x0e\x10"},
		{false, 5351, "natpmp of another length", "\x00\x02\x00\x00\x1f\x90"},
		{false, 3478, "an attribute that does not fit", "\x00\x01\x00\x08" + zeros + zeros + "\x00\x03\x00\x05\x00\x00\x00\x00"},
		{false, 520, "rip with half an entry", "\x02\x02\x00\x00" + zeros + "\x00\x00"},
		{false, 1701, "l2tp of another length", "\xc8\x02\x00\x15" + zeros},
		{false, 34964, "dcerpc of another length", "\x04\x00\x20\x00\x10\x00\x00\x00" + strings.Repeat("u", 66) + "\x05\x00\x00\x00\x00\x00abcd"},
		{false, 646, "ldp of another length", "\x00\x01\x00\x1f\x0a\x00\x00\x01\x00\x00\x01\x00\x00\x14" + zeros + zeros + "abcd"},
		{true, 20000, "dnp3 with a wrong checksum", "\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x22"},
		{true, 102, "MMS", isoRequest + "\x03\x00\x00\x19\x02\xf0\x80\x0d\x01"},
		{true, 102, "two requests", isoRequest + isoRequest + "\x03\x00\x00\x19\x02\xf0\x80\x32\x01"},
		{true, anyPort, "ListIdentity off its port", "\x63\x00\x00\x00" + zeros + zeros + "\x00\x00\x00\x00"},
		{true, 44818, "options that are not zero", "\x6f\x00\x00\x00" + zeros + zeros + "\x01\x00\x00\x00"},
		{true, anyPort, "data of iec104 off its port", "\x68\x0e\x00\x00\x00\x00\x64\x01\x06\x00\x01\x00\x00\x00\x00\x14"},
		{true, 2404, "text", "hello world"},
		{true, anyPort, "HELF as text", "HELFEN SIE\r\n"},
		{true, anyPort, "bgp of type 9", strings.Repeat("\xff", 16) + "\x00\x1d\x09\x04"},
		{true, anyPort, "bitcoin with a capital letter", "\xf9\xbe\xb4\xd9Version\x00\x00\x00\x00\x00"},
		{true, anyPort, "bitcoin with text behind the zeros", "\xf9\xbe\xb4\xd9ver\x00ion\x00\x00\x00\x00\x00"},
		{true, anyPort, "AMQP as text", "AMQP is a protocol"},
		{true, anyPort, "prelogin without a version", "\x12\x01\x00\x2f\x00\x00\x01\x00\x01\x00\x1a\x00\x06\x01\x00\x20\x00\x01"},
		{true, anyPort, "login7 of another length", "\x10\x01\x00\x90\x00\x00\x01\x00\x77\x00\x00\x00\x04\x00\x00\x74\x00\x10"},
		{true, anyPort, "oracle with a checksum", "\x00\xe1\x00\x01\x01\x00\x00\x00\x01\x3a\x01\x2c\x0c\x41\x20\x00\xff\xff\x7f\x08\x00\x00\x01\x00\x00\xa7\x00\x3a"},
		{true, anyPort, "version 3 of RPC", rpcHead + strings.Replace(rpc("\x00\x01\x86\xa3"), "\x00\x02", "\x00\x03", 1)},
		{true, anyPort, "memcached off its port", "stats\r\n"},
		{true, 11211, "text", "hello\r\n"},
		{true, anyPort, "winbox off its port", "\x27\x06admin\x00" + winboxKey},
		{true, 8291, "a name without its end", "\x27\x06adminx" + winboxKey},
		{true, 18245, "55 zeros", strings.Repeat("\x00", 55)},
		{true, anyPort, "diameter of an application", "\x01\x00\x00\x60\xc0\x00\x01\x10\x00\x00\x00\x04abcdefgh\x00\x00\x01\x07\x40\x00\x00\x10"},
		{false, 20000, "dnp3 with a wrong checksum", "\x05\x64\x05\xc0\x01\x00\x00\x04\xe9\x22"},
		{false, 319, "version 1 of PTP", "\x00\x01\x00\x2c" + strings.Repeat("\x00", 40)},
		{false, 5094, "another length", "\x01\x00\x00\x00\x00\x02\x00\x0e\x01\x00\x00\xea\x60"},
		{false, anyPort, "fins off its port", "\x80\x00\x02\x00\x01\x00\x00\x02\x00\x01\x05\x01"},
		{false, anyPort, "coap off its port", "\x60\x00\x12\x34"},
		{false, 5683, "a token longer than the datagram", "\x48\x01\x12\x34abcd"},
		{false, 5683, "a marker without a payload", "\x40\x01\x12\x34\xff"},
		{false, 5683, "class 3", "\x40\x61\x12\x34"},
		{false, anyPort, "another length", "\x06\x10\x02\x01\x00\x0f\x08\x01\xc0\xa8\x00\x01\x0e\x57"},
		{false, anyPort, "bacnet without a message", "\x81\x05\x00\x06\x00\x3c"},
		{false, anyPort, "sFlow of another address", "\x00\x00\x00\x05\x00\x00\x00\x03" + strings.Repeat("\x00", 60)},
		{false, anyPort, "a record too few", "\x00\x05\x00\x02\x00\x00\x00\x01\x60\x00\x00\x00" + strings.Repeat("\x00", 60)},
		{false, anyPort, "a set that does not fit", "\x00\x0a\x00\x18\x60\x00\x00\x00" + zeros + "\x01\x00\x00\x09abcd"},
		{false, anyPort, "an answer of RPC off the ports", "abcd\x00\x00\x00\x01" + zeros + zeros},
	} {
		if got := nameOf(tc.tcp, tc.port, tc.data); got != "" {
			t.Errorf("%s: named %q", tc.what, got)
		}
	}
}

// TestLookAlikes sends what is of other protocols, or of none, to the port of each protocol that was recognized by its bytes.
func TestLookAlikes(t *testing.T) {
	x := rand.New(rand.NewPCG(1, 2))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(x.Uint32())
		}
		return string(b)
	}
	for _, tcp := range []bool{true, false} {
		for _, s := range samplesOf(tcp) {
			for data, want := range map[string]string{
				string(dissecttest.TLSHelloStart): "tls", "GET / HTTP/1.1\r\nHost: a\r\n\r\n": "http", "SSH-2.0-x\r\n": "ssh",
				"some text that is of no protocol\r\n": "", "{\"a\": 1}\n": "", random(4): "", random(64): "", random(1200): "",
			} {
				if !tcp {
					want = ""
				}
				if got := nameOf(tcp, s.port, data); got != want {
					t.Errorf("TCP %v, port %d, %.16q: named %q", tcp, s.port, data, got)
				}
			}
			if query := string(dissecttest.DNSResponse(t)); !tcp && nameOf(false, s.port, query) != "dns" {
				t.Errorf("DNS at port %d: named %q", s.port, nameOf(false, s.port, query))
			}
		}
	}
}

// FuzzStreamRecognizers checks that no more bytes turn a Yes or a No into something else: names must not depend on how a stream is cut.
func FuzzStreamRecognizers(f *testing.F) {
	for _, s := range streamSamples {
		f.Add([]byte(s.data), s.port)
	}
	for _, s := range []string{dissecttest.TLSHelloStart, "GET / HTTP/1.1\r\n\r\n", "220 x\r\n", "* OK x\r\n", "\xff\xfd\x18", dissecttest.MySQLGreeting, ":\f0 NOTICE * :x"} {
		f.Add([]byte(s), uint16(anyPort))
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte, port uint16) {
		ports := dissect.Ports{Client: 40000, Server: port}
		for dir := range streamProtocols {
			for i := range streamProtocols[dir] {
				checkMonotone(t, &streamProtocols[dir][i], b, ports)
			}
		}
	})
}

func checkMonotone(t *testing.T, p *streamProtocol, b []byte, ports dissect.Ports) {
	t.Helper()
	before := match.Maybe
	for n := 1; n <= min(len(b), 512); n++ {
		v := p.looks(b[:n:n], false, ports)
		if before != match.Maybe && v != before {
			t.Fatalf("%q of %d bytes to port %d: verdict %d, one byte before %d", p.app.Name, n, ports.Server, v, before)
		}
		before = v
	}
}

// TestRecognizersDecideEarly checks that no recognizer of a stream waits for the whole head, that none depends on what is far behind, and that
// none allocates.
func TestRecognizersDecideEarly(t *testing.T) {
	const enough = 8192 + 64 // a request line may be that long
	fillers := []string{"\x00", "\xff", "a", "\r\n", "a b ", "\x01\x02\x03\x04\x05"}
	begins := []string{"", "GET /", "\x30\x82", "<?xml ", "NICK ", "{", "220-", ":a", "\x05\x09", "\x10"}
	for _, s := range streamSamples {
		begins = append(begins, s.data, s.data[:len(s.data)/2])
	}
	for _, begin := range begins {
		for _, fill := range fillers {
			head := append([]byte(begin), bytes.Repeat([]byte(fill), dissect.HeadLimit/len(fill))...)[:dissect.HeadLimit]
			for dir := range streamProtocols {
				for i := range streamProtocols[dir] {
					checkEarly(t, &streamProtocols[dir][i], head, enough)
				}
			}
		}
	}
}

func checkEarly(t *testing.T, p *streamProtocol, head []byte, enough int) {
	t.Helper()
	for _, port := range []uint16{anyPort, 102, 502, 2404, 5672, 8291, 11211, 18245, 44818} {
		ports := dissect.Ports{Client: 40000, Server: port}
		early, late := p.looks(head[:enough:enough], false, ports), p.looks(head, false, ports)
		if early == match.Maybe || early != late {
			t.Errorf("%q, %.16q to port %d: verdict %d at %d bytes, %d at the end", p.app.Name, head, port, early, enough, late)
		}
	}
	if n := testing.AllocsPerRun(1, func() { p.looks(head, false, dissect.Ports{Server: anyPort}) }); n > 0 {
		t.Errorf("%q, %.16q: %.0f allocations", p.app.Name, head, n)
	}
}

// TestRecognizersOfDatagramsDoNotAllocate runs all of them on all samples, and on large datagrams that begin alike.
func TestRecognizersOfDatagramsDoNotAllocate(t *testing.T) {
	for _, s := range datagramSamples {
		for _, data := range [][]byte{[]byte(s.data), []byte(s.data + strings.Repeat("\x00", 1400)), []byte(s.data[:min(4, len(s.data))] + strings.Repeat("\x01", 1400))} {
			for i := range datagramProtocols {
				p := &datagramProtocols[i]
				ports := dissect.Ports{Client: 40000, Server: s.port}
				if n := testing.AllocsPerRun(1, func() { p.Fits(data, ports) }); n > 0 {
					t.Errorf("%s, %.16q: %.0f allocations", p.app.Name, data, n)
				}
			}
		}
	}
}
