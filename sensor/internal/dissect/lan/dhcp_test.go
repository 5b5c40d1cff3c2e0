// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func withoutOptions(m dissect.DHCPMessage) dissect.DHCPMessage {
	m.Options = nil
	return m
}

func TestDHCP(t *testing.T) {
	mac := [6]byte{2, 0, 0, 0, 0, 7}
	long := strings.Repeat("x", 200)
	overloaded := dissecttest.DHCPPacket(53, "\x03", 52, "\x03")
	const serverName, file, fixed = 44, 108, 240 // offsets of the fields
	dissecttest.DHCPOptions(overloaded[:file], 12, "cam-7", 255, "")
	dissecttest.DHCPOptions(overloaded[:serverName], 60, "AXIS,Network Camera,M1065", 255, "")
	for name, tc := range map[string]struct {
		data []byte
		want *dissect.DHCPMessage
	}{
		"request": {
			dissecttest.DHCPPacket(53, "\x03", 0, "", 50, "\x0a\x00\x00\x09", 54, "\x0a\x00\x00\x01", 55, "\x01\x03\x06", 61, "\x01abcdef", 77, "\x03iot", 161, "https://m/x.json", 51, "\x00\x00\x0e\x10", 12, "ca\x00m"),
			&dissect.DHCPMessage{Type: "request", ClientMAC: mac, RequestedIP: netip.MustParseAddr("10.0.0.9"), ServerID: netip.MustParseAddr("10.0.0.1"),
				ParamList: []byte{1, 3, 6}, ClientID: []byte("\x01abcdef"), UserClass: "iot", MUDURL: "https://m/x.json", LeaseSeconds: 3600, Hostname: "ca.m"},
		},
		"option in two parts": {dissecttest.DHCPPacket(53, "\x01", 60, long, 12, "a", 60, "yy"), &dissect.DHCPMessage{Type: "discover", ClientMAC: mac, VendorClass: long + "yy", Hostname: "a"}},
		"overload":            {overloaded, &dissect.DHCPMessage{Type: "request", ClientMAC: mac, Hostname: "cam-7", VendorClass: "AXIS,Network Camera,M1065"}},
		"name in option 81":   {dissecttest.DHCPPacket(53, "\x01", 81, "\x04\x00\x00\x03cam\x03lan\x00"), &dissect.DHCPMessage{Type: "discover", ClientMAC: mac, Hostname: "cam.lan"}},
		"enterprise number":   {dissecttest.DHCPPacket(53, "\x01", 124, "\x00\x00\x01\x70\x01x"), &dissect.DHCPMessage{Type: "discover", ClientMAC: mac, Vendor: "Axis"}},
		"option cut":          {append(dissecttest.DHCPPacket(53, "\x01")[:fixed+3], 12, 50, 'x'), &dissect.DHCPMessage{Type: "discover", ClientMAC: mac}},
		"servers": {dissecttest.DHCPPacket(53, "\x05", 6, "\x0a\x00\x00\x35\x00\x00\x00\x00\x08\x08\x08\x08\x01", 42, strings.Repeat("\x0a\x00\x00\x7b", 9), 7, "\x0a\x00\x00"),
			&dissect.DHCPMessage{Type: "ack", ClientMAC: mac, Resolvers: []netip.Addr{netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("8.8.8.8")},
				Clocks: slices.Repeat([]netip.Addr{netip.MustParseAddr("10.0.0.123")}, 8)}},
		"unknown type": {dissecttest.DHCPPacket(53, "\xc8"), &dissect.DHCPMessage{ClientMAC: mac}},
		"no magic":     {make([]byte, 300), nil},
	} {
		facts := dissecttest.FactsOf[dissect.DHCPMessage](dispatchtest.Datagrams(dissect.Ports{Client: 68, Server: 67}, tc.data))
		switch {
		case tc.want != nil && len(facts) == 1 && string(facts[0].Options) != string(tc.data[fixed:min(len(tc.data), fixed+1024)]):
			t.Errorf("%s: options %x", name, facts[0].Options)
		case tc.want == nil && len(facts) != 0:
			t.Errorf("%s: read %+v", name, facts)
		case tc.want != nil && (len(facts) != 1 || !reflect.DeepEqual(withoutOptions(facts[0]), *tc.want)):
			t.Errorf("%s: got %+v", name, facts)
		}
	}
}

func TestDHCPv6(t *testing.T) {
	option := func(code byte, v string) string { return string([]byte{0, code, 0, byte(len(v))}) + v }
	duid := "\x00\x03\x00\x01\x02\x00\x00\x00\x00\x05"
	addr := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x09"
	solicit := "\x01\x00\x00\x01" + option(1, duid) + option(3, strings.Repeat("\x00", 12)+option(5, addr+"\x00\x00\x00\x01\x00\x00\x00\x01")) +
		option(6, "\x00\x17\x00\x18") + option(16, "\x00\x00\x01\x37\x00\x04MSFT") + option(39, "\x00\x03cam\x00") + option(112, "https://m")
	want := dissect.DHCPv6Message{Type: "solicit", DUID: []byte(duid), MAC: [6]byte{2, 0, 0, 0, 0, 5}, Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::9")},
		FQDN: "cam", VendorClass: "MSFT", EnterpriseID: 311, MUDURL: "https://m", OptionRequest: []uint16{23, 24}}
	byNumber := "\x01\x00\x00\x01" + option(1, "\x00\x02\x00\x00\x3a\x8cabcd")
	relayed := want
	relayed.Type, relayed.MAC = "relay-forw", [6]byte{2, 0, 0, 0, 0, 6}
	relay := "\x0c\x00" + strings.Repeat("\x00", 32) + option(79, "\x00\x01\x02\x00\x00\x00\x00\x06") + option(9, solicit)
	nested := solicit
	for range 20 {
		nested = "\x0c\x00" + strings.Repeat("\x00", 32) + "\x00\x09" + string([]byte{byte(len(nested) >> 8), byte(len(nested))}) + nested
	}
	taken := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x08" + strings.Repeat("\x00", 8) // lifetimes of zero: it is taken back
	reply := "\x07\x00\x00\x01" + option(3, strings.Repeat("\x00", 12)+option(5, taken)+option(5, addr+"\x00\x00\x00\x01\x00\x00\x00\x01"))
	leased := dissect.DHCPv6Message{Type: "reply", Addrs: want.Addrs}
	for data, want := range map[string]dissect.DHCPv6Message{solicit: want, relay: relayed, nested: {Type: "relay-forw"}, reply: leased,
		byNumber: {Type: "solicit", DUID: []byte("\x00\x02\x00\x00\x3a\x8cabcd"), Vendor: "MikroTik"}} {
		got := dissecttest.FactsOf[dissect.DHCPv6Message](dispatchtest.Datagrams(dissect.Ports{Client: 546, Server: 547}, []byte(data)))
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}
