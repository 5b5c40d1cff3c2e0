// SPDX-License-Identifier: Apache-2.0

package industrial_test

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/industrial"
)

// enipMessage returns a message with its header of 24 bytes.
func enipMessage(command byte, body string) string {
	return string([]byte{command, 0, byte(len(body)), byte(len(body) >> 8)}) + strings.Repeat("\x00", 20) + body
}

// identity returns an answer to ListIdentity: count, item, version, socket address, vendor, type, product, revision, status, serial, name, state.
func identity(vendor byte, name string) string {
	item := "\x01\x00" + "\x00\x02\xaf\x12\xc0\x00\x02\x0b\x00\x00\x00\x00\x00\x00\x00\x00" + string([]byte{vendor, 0}) + "\x0e\x00\x37\x00\x14\x0b\x60\x00" +
		"\x78\x56\x34\x12" + string([]byte{byte(len(name))}) + name + "\x03"
	return enipMessage(0x63, "\x01\x00\x0c\x00"+string([]byte{byte(len(item)), 0})+item)
}

var controller = dissect.DeviceInfo{
	Protocol: "enip", IP: netip.MustParseAddr("192.0.2.11"), Vendor: "Rockwell Automation", Class: "Programmable Logic Controller", Model: "1756-EN2T/B",
	Firmware: "20.11", Serial: "12345678",
}

func TestIdentity(t *testing.T) {
	request := enipMessage(0x63, "")
	unknown := controller
	unknown.Vendor, unknown.Model = "", "x.y"
	for name, tc := range map[string]struct {
		answer string
		want   []dissect.DeviceInfo
	}{
		"a controller":               {identity(1, "1756-EN2T/B"), []dissect.DeviceInfo{controller}},
		"an unknown vendor":          {identity(250, "x\x07y"), []dissect.DeviceInfo{unknown}},
		"services":                   {enipMessage(0x04, "\x01\x00\x00\x01\x14\x00\x01\x00\x20\x00Communications\x00\x00"), nil},
		"an identity without device": {enipMessage(0x63, "\x00\x00"), nil},
		"an identity that is cut":    {enipMessage(0x63, identity(1, "x")[24:50]), nil},
	} {
		ports := dissect.Ports{Client: 40000, Server: 44818}
		facts := dispatchtest.PlayCut(t, ports, []dissecttest.Turn{dissecttest.Client(request), dissecttest.Server(tc.answer)})
		checkDevices(t, name+", TCP", facts, tc.want)
		checkDevices(t, name+", UDP", dispatchtest.Datagrams(ports, []byte(request), []byte(tc.answer)), tc.want)
	}
}

func checkDevices(t *testing.T, name string, facts []dissect.Fact, want []dissect.DeviceInfo) {
	t.Helper()
	got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
	if dissecttest.AppOf(facts) != "enip" || len(got) != len(want) {
		t.Fatalf("%s:\n%s", name, dissecttest.Dump(facts))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got[i], want[i])
		}
	}
}

// TestIdentityEndsTheReading checks that a session is read no longer than needed.
func TestIdentityEndsTheReading(t *testing.T) {
	d := industrial.NewENIPDatagrams()
	sink := func(dissect.Fact) {}
	if !d.Datagram(0, []byte(enipMessage(0x63, "")), sink) || d.Datagram(1, []byte(identity(1, "x")), sink) {
		t.Error("reads on after the identity, or stops before")
	}
}

func FuzzENIP(f *testing.F) {
	dissecttest.FuzzStream(f, industrial.NewENIP,
		[]dissecttest.Turn{dissecttest.Client(enipMessage(0x63, "")), dissecttest.Server(identity(1, "1756-EN2T/B"))},
		[]dissecttest.Turn{dissecttest.Server(enipMessage(0x63, "\x01\x00\x0c\x00\xff\xff"))})
}

func FuzzENIPDatagrams(f *testing.F) {
	f.Add(dissecttest.Chunk(dissecttest.Server(identity(1, "1756-EN2T/B"))))
	f.Add(dissecttest.Chunk(dissecttest.Client(enipMessage(0x63, ""))))
	dissecttest.FuzzDatagrams(f, industrial.NewENIPDatagrams, 16)
}
