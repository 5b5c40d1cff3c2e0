// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// ber returns an element of BER with a length of one or two bytes.
func ber(tag byte, parts ...string) string {
	body := ""
	for _, p := range parts {
		body += p
	}
	if len(body) < 0x80 {
		return string([]byte{tag, byte(len(body))}) + body
	}
	return string([]byte{tag, 0x82, byte(len(body) >> 8), byte(len(body))}) + body
}

func number(v byte) string { return ber(2, string([]byte{v})) }

// variable is a text, or with the tag of an object identifier an encoded identifier.
func variable(name string, tag byte, value string) string {
	return ber(0x30, ber(6, name), ber(tag, value))
}

func snmpPDU(pdu byte, id byte, variables ...string) string {
	return ber(0x30, number(1), ber(4, "s3cret"), ber(pdu, number(id), number(0), number(0), ber(0x30, variables...)))
}

const (
	hikvisionID = "\x2b\x06\x01\x04\x01\x82\xb1\x7d\x01"     // 1.3.6.1.4.1.39165.1
	dahuaID     = "\x2b\x06\x01\x04\x01\xbd\xaa\x31\x03\x01" // 1.3.6.1.4.1.1004849.3.1
	ciscoID     = "\x2b\x06\x01\x04\x01\x09\x01\x84\x04"     // 1.3.6.1.4.1.9.1.516
)

// v3 returns a message of version 3 of an agent with an engine id.
func v3(engine string) string {
	return ber(0x30, number(3), ber(0x30, number(7), ber(2, "\x05\xdc"), ber(4, "\x00"), number(3)),
		ber(4, ber(0x30, ber(4, engine), number(0), number(0), ber(4), ber(4), ber(4))), ber(0x30))
}

// snmpInfoCases are datagrams with their direction and what is reported at the end.
var snmpInfoCases = map[string]struct {
	request, answer string
	want            *dissect.DeviceInfo
}{
	"system": {snmpPDU(0xa0, 7, variable(oidSystem+"\x01\x00", 5, "")),
		snmpPDU(0xa2, 7, variable(oidSystem+"\x01\x00", 4, iosText), variable(oidSystem+"\x02\x00", 6, ciscoID), variable(oidSystem+"\x05\x00", 4, "sw1.example")),
		&dissect.DeviceInfo{Description: iosLine, Firmware: "12.2(25)SEE2", Class: "1.3.6.1.4.1.9.1.516", Vendor: "Cisco", Name: "sw1.example"}},
	"camera": {snmpPDU(0xa1, 7), snmpPDU(0xa2, 7, variable(oidSystem+"\x02\x00", 6, hikvisionID)),
		&dissect.DeviceInfo{Class: "1.3.6.1.4.1.39165.1", Vendor: "Hikvision"}},
	"a number of three bytes": {snmpPDU(0xa1, 7), snmpPDU(0xa2, 7, variable(oidSystem+"\x02\x00", 6, dahuaID)),
		&dissect.DeviceInfo{Class: "1.3.6.1.4.1.1004849.3.1", Vendor: "Dahua"}},
	"printer": {snmpPDU(0xa0, 7), snmpPDU(0xa2, 7, variable(oidDevice+"\x01", 4, "HP LaserJet 4250"), variable(oidPrinter+"\x11\x01", 4, "CNXYZ")),
		&dissect.DeviceInfo{Model: "HP LaserJet 4250", Serial: "CNXYZ"}},
	"entity": {snmpPDU(0xa5, 7), snmpPDU(0xa2, 7, variable(oidEntity+"\x0d\x01", 4, "WS-C2960"), variable(oidEntity+"\x0d\x02", 4, "module"),
		variable(oidEntity+"\x0a\x01", 4, "15.0"), variable(oidEntity+"\x0b\x01", 4, "FOC1"), variable(oidEntity+"\x0c\x01", 4, "Cisco")),
		&dissect.DeviceInfo{Model: "WS-C2960", Firmware: "15.0", Serial: "FOC1", Vendor: "Cisco"}},
	"trap of version 2": {snmpPDU(0xa7, 7, variable(oidTrap, 6, ciscoID)), "", &dissect.DeviceInfo{Class: "1.3.6.1.4.1.9.1.516", Vendor: "Cisco"}},
	"trap of version 1": {ber(0x30, number(0), ber(4, "s3cret"), ber(0xa4, ber(6, hikvisionID), ber(0x40, "\xc0\x00\x02\x07"), number(6), number(1), ber(0x43, "\x01"),
		ber(0x30, variable(oidSystem+"\x05\x00", 4, "cam")))), "", &dissect.DeviceInfo{Class: "1.3.6.1.4.1.39165.1", Vendor: "Hikvision", Name: "cam"}},
	"engine with a MAC address":    {v3(""), v3("\x80\x00\x00\x09\x03" + chassisMAC), &dissect.DeviceInfo{Vendor: "Cisco", MAC: [6]byte([]byte(chassisMAC))}},
	"engine with an address":       {v3(""), v3("\x80\x00\x3a\x8c\x01\xc0\x00\x02\x07"), &dissect.DeviceInfo{Vendor: "MikroTik", IP: netip.MustParseAddr("192.0.2.7")}},
	"engine before RFC 3411":       {v3(""), v3("\x00\x00\x00\x09\x03" + chassisMAC + "\x00"), &dissect.DeviceInfo{Vendor: "Cisco"}},
	"engine that the client names": {v3("\x80\x00\x00\x09\x03" + chassisMAC), "", nil},
	"engine of a software":         {v3(""), v3("\x80\x00\x1f\x88\x80abcdefgh"), nil},
	"answer to another":            {snmpPDU(0xa0, 7), snmpPDU(0xa2, 8, variable(oidSystem+"\x05\x00", 4, "x")), nil},
	"request with a value":         {snmpPDU(0xa3, 7, variable(oidSystem+"\x05\x00", 4, "x")), "", nil},
	"an identifier that is cut":    {snmpPDU(0xa0, 7), snmpPDU(0xa2, 7, variable(oidSystem+"\x02\x00", 6, ciscoID[:8]), variable(oidSystem+"\x02\x00", 6, "")), nil},
	"variables that are cut":       {snmpPDU(0xa0, 7), ber(0x30, number(1), ber(4, "x"), ber(0xa2, number(7), number(0), number(0), "\x30\x05\x30\x20")), nil},
}

func TestSNMPIdentity(t *testing.T) {
	for name, tc := range snmpInfoCases {
		d := NewSNMP()
		var got []dissect.DeviceInfo
		sink := func(f dissect.Fact) {
			if x, ok := f.(*dissect.DeviceInfo); ok {
				got = append(got, *x)
			}
		}
		for range 2 { // the second time nothing is new
			d.Datagram(dissect.FromClient, []byte(tc.request), sink)
			if tc.answer != "" {
				d.Datagram(dissect.FromServer, []byte(tc.answer), sink)
			}
		}
		if tc.want == nil {
			if len(got) > 0 {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		want := *tc.want
		want.Protocol = "snmp"
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

func FuzzSNMPIdentity(f *testing.F) {
	for _, tc := range snmpInfoCases {
		f.Add([]byte(tc.request), []byte(tc.answer))
	}
	mutate.Fuzz(f, func(t *testing.T, request, answer []byte) {
		d, n := NewSNMP(), 0
		sink := func(f dissect.Fact) {
			if x, ok := f.(*dissect.DeviceInfo); ok {
				if n++; n > maxSNMPInfos || len(x.Class) > 512 || len(x.Model) > 512 {
					t.Fatalf("%d: %+v", n, x)
				}
			}
		}
		d.Datagram(dissect.FromClient, request, sink)
		d.Datagram(dissect.FromServer, answer, sink)
	})
}
