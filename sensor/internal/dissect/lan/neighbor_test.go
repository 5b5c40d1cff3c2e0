// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// lldpTLV returns a field of LLDP.
func lldpTLV(kind byte, value string) string {
	return string([]byte{kind<<1 | byte(len(value)>>8), byte(len(value))}) + value
}

// cdpTLV returns a field of CDP or FDP.
func cdpTLV(kind byte, value string) string {
	return string([]byte{0, kind, byte((len(value) + 4) >> 8), byte(len(value) + 4)}) + value
}

func edpTLV(kind byte, value string) string {
	return string([]byte{0x99, kind, 0, byte(len(value) + 4)}) + value
}

const (
	chassisMAC = "\x02\x00\x5e\x10\x00\x07"
	snapCDP    = "\x00\x00\x0c\x20\x00"
	snapFDP    = "\x00\xe0\x52\x20\x00"
	snapEDP    = "\x00\xe0\x2b\x00\xbb"
	cdpHead    = "\x02\xb4\x00\x00"
	iosText    = "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE2, RELEASE SOFTWARE (fc1)\nCopyright"
	iosLine    = "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE2, RELEASE SOFTWARE (fc1) Copyright"
	cdpAddr    = "\x00\x00\x00\x01\x01\x01\xcc\x00\x04\xc0\x00\x02\x07"
)

var (
	chassis  = lldpTLV(1, "\x04"+chassisMAC)
	lldpHead = chassis + lldpTLV(2, "\x05eth0") + lldpTLV(3, "\x00\x78")
	edpHead  = "\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00" + chassisMAC
)

const (
	rootID   = "\x10\x00\x02\x00\x5e\x10\x00\x01"
	bridgeID = "\x80\x00" + chassisMAC
)

// bpdu returns a BPDU of the bridge, with its version and type and the id of the root.
func bpdu(kind, root string) string {
	return "\x00\x00" + kind + "\x3c" + root + "\x00\x00\x00\x04" + bridgeID + "\x80\x07" + "\x00\x01\x14\x00\x02\x00\x0f\x00"
}

// neighborCases are announcements and what they say.
var neighborCases = map[string]struct {
	lldp bool
	body string
	want *dissect.NeighborMessage // nil: nothing
}{
	"switch": {true, lldpHead + lldpTLV(5, "sw1") + lldpTLV(6, iosText) + lldpTLV(7, "\x00\x14\x00\x04") +
		lldpTLV(8, "\x05\x01\xc0\x00\x02\x07\x02\x00\x00\x00\x01\x00") + "\x00\x00", &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{
		MAC: [6]byte([]byte(chassisMAC)), IP: netip.MustParseAddr("192.0.2.7"), Name: "sw1", Class: "bridge", Description: iosLine, Firmware: "12.2(25)SEE2"}}},
	"telephone with inventory": {true, lldpHead + lldpTLV(7, "\x00\x24\x00\x24") + lldpTLV(127, "\x00\x12\xbb\x06boot 1") + lldpTLV(127, "\x00\x12\xbb\x074.1.2") +
		lldpTLV(127, "\x00\x12\xbb\x08S123") + lldpTLV(127, "\x00\x12\xbb\x09Polycom") + lldpTLV(127, "\x00\x12\xbb\x0aVVX 310"), &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{
		MAC: [6]byte([]byte(chassisMAC)), Class: "bridge,telephone", Firmware: "4.1.2", Serial: "S123", Vendor: "Polycom", Model: "VVX 310"}}},
	"MUD URL": {true, lldpTLV(1, "\x05\x01\xc0\x00\x02\x07") + lldpTLV(127, "\x00\x00\x5e\x01https://v.example/light.json") + lldpTLV(127, "\x00\x00\x5e\x02other"),
		&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{IP: netip.MustParseAddr("192.0.2.7")}, MUDURL: "https://v.example/light.json"}},
	"LLDP that is cut":         {true, chassis + lldpTLV(5, "sw1")[:4], &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{MAC: [6]byte([]byte(chassisMAC))}}},
	"LLDP without its chassis": {true, lldpTLV(5, "sw1"), nil},
	"CDP": {false, snapCDP + cdpHead + cdpTLV(1, "sw2.example") + cdpTLV(2, cdpAddr) + cdpTLV(4, "\x00\x00\x00\x28") + cdpTLV(5, iosText) + cdpTLV(6, "cisco WS-C2960-24TT-L"),
		&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{IP: netip.MustParseAddr("192.0.2.7"), Name: "sw2.example", Class: "bridge", Description: iosLine, Firmware: "12.2(25)SEE2",
			Model: "cisco WS-C2960-24TT-L"}}},
	"CDP 1 with a system name": {false, snapCDP + "\x01\xb4\x00\x00" + cdpTLV(1, "SEP0001") + cdpTLV(4, "\x00\x00\x00\x90") + cdpTLV(0x14, "phone") + cdpTLV(6, "Cisco IP Phone 7960"),
		&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Name: "phone", Class: "telephone,station", Model: "Cisco IP Phone 7960"}}},
	"CDP with a length of zero": {false, snapCDP + cdpHead + cdpTLV(1, "sw2") + "\x00\x06\x00\x00" + cdpTLV(6, "x"), &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Name: "sw2"}}},
	"CDP of another version":    {false, snapCDP + "\x03\xb4\x00\x00" + cdpTLV(1, "sw2"), nil},
	"FDP": {false, snapFDP + "\x01\xb4\x00\x00" + cdpTLV(1, "fes") + cdpTLV(4, "\x00\x00\x00\x01") + cdpTLV(5, "Foundry Networks, Inc. Router, IronWare Version 04.1.01dT53 Compiled") + cdpTLV(6, "FES2402"),
		&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{Name: "fes", Class: "router", Description: "Foundry Networks, Inc. Router, IronWare Version 04.1.01dT53 Compiled", Firmware: "04.1.01dT53", Model: "FES2402"}}},
	"EDP": {false, snapEDP + edpHead + edpTLV(1, "summit\x00") + edpTLV(2, strings.Repeat("\x00", 12)+"\x0c\x05\x03\x04"+strings.Repeat("\x00", 16)) + edpTLV(0, ""),
		&dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{MAC: [6]byte([]byte(chassisMAC)), Name: "summit", Firmware: "12.5.3.4"}}},
	"EDP without fields":               {false, snapEDP + edpHead + edpTLV(0, ""), nil},
	"spanning tree":                    {false, llcSTP + bpdu("\x00\x00", rootID), &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{MAC: [6]byte([]byte(chassisMAC)), Class: "bridge"}}},
	"rapid, root":                      {false, llcSTP + bpdu("\x02\x02", bridgeID), &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{MAC: [6]byte([]byte(chassisMAC)), Class: "root_bridge"}}},
	"PVST":                             {false, snapPVST + bpdu("\x02\x02", rootID) + "\x00\x00\x00\x02\x00\x0a", &dissect.NeighborMessage{DeviceInfo: dissect.DeviceInfo{MAC: [6]byte([]byte(chassisMAC)), Class: "bridge"}}},
	"topology change":                  {false, llcSTP + "\x00\x00\x00\x80", nil},
	"spanning tree that is cut":        {false, llcSTP + bpdu("\x00\x00", rootID)[:34], nil},
	"spanning tree of a group address": {false, llcSTP + strings.Replace(bpdu("\x00\x00", rootID), chassisMAC, "\x03"+chassisMAC[1:], 1), nil},
	"of another protocol":              {false, "\x00\x80\xc2\x00\x07abcdefgh", nil},
	"nothing":                          {false, "", nil},
}

func TestParseNeighbor(t *testing.T) {
	src := [6]byte{2, 0, 0, 0, 0, 1}
	for name, tc := range neighborCases {
		m, ok := ParseNeighbor([]byte(tc.body), tc.lldp, src)
		if ok != (tc.want != nil) {
			t.Errorf("%s: ok %v", name, ok)
			continue
		}
		if !ok {
			continue
		}
		want := *tc.want
		want.EtherSrc, want.Protocol = src, m.Protocol
		if !reflect.DeepEqual(*m, want) || m.Protocol == "" {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, *m, want)
		}
	}
}

func FuzzNeighbor(f *testing.F) {
	for _, tc := range neighborCases {
		f.Add([]byte(tc.body), tc.lldp)
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte, lldp bool) {
		m, ok := ParseNeighbor(b, lldp, [6]byte{})
		if ok && (m.Protocol == "" || len(m.Name)+len(m.Model)+len(m.Description)+len(m.MUDURL) > 4096) {
			t.Fatalf("%+v", m)
		}
	})
}
