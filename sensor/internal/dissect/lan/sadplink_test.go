// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// field pads a text with zeros.
func field(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }

// sadpFrame returns a frame of an operation.
func sadpFrame(op byte, data string) []byte {
	return []byte("\x21\x02\x01\x42\x00\x00\x00\x07\x06\x04" + string([]byte{op, 0}) + "\x12\x34" + chassisMAC + "\xc0\x00\x02\x07" +
		"\x02\x00\x5e\x10\x00\x09" + "\xc0\x00\x02\x08" + "\xff\xff\xff\x00" + data)
}

func sadpReply(serial, model string) []byte {
	data := field(serial, 64) + field("V5.4.5build 170124", 48) + field("V7.3 build 170101", 48) + field("2024-02-29 10:11:12", 48)
	if model != "" {
		data += strings.Repeat("\x00", 312-len(data)) + field(model, 24)
	}
	return sadpFrame(4, data)
}

func TestSADPOverEthernet(t *testing.T) {
	src, dst := [6]byte([]byte(chassisMAC)), [6]byte{2, 0, 0x5e, 0x10, 0, 9}
	a, b := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	reply := func(serial, model string) *dissect.NeighborMessage {
		return &dissect.NeighborMessage{EtherSrc: src, DeviceInfo: dissect.DeviceInfo{Protocol: "sadp", MAC: src, IP: a, Vendor: "Hikvision", Model: model, Serial: serial,
			Firmware: "V5.4.5build 170124", FirmwareDate: "2017-01-24", Booted: time.Date(2024, 2, 29, 10, 11, 12, 0, time.UTC)}}
	}
	change := func(name string, kind dissect.ActionKind) *dissect.LinkAction {
		return &dissect.LinkAction{DeviceAction: dissect.DeviceAction{Protocol: "sadp", Action: name, Kind: kind}, EtherSrc: src, EtherDst: dst, Src: a, Dst: b}
	}
	const serial = "DS-2CD2042WD-I20160101AAWR012345678"
	for name, c := range map[string]struct {
		frame []byte
		want  dissect.Fact
	}{
		"reply":                             {sadpReply("0123", "DS-7608NI-K2"), reply("0123", "DS-7608NI-K2")},
		"reply, model in the serial number": {sadpReply(serial, ""), reply(serial, "DS-2CD2042WD-I")},
		"a reply without data":              {sadpFrame(4, ""), &dissect.NeighborMessage{EtherSrc: src, DeviceInfo: dissect.DeviceInfo{Protocol: "sadp", MAC: src, IP: a, Vendor: "Hikvision"}}},
		"a new address":                     {sadpFrame(6, field("", 40)), change("update", dissect.ActionNetwork)},
		"new network parameters":            {sadpFrame(0x10, ""), change("modifyNetParam", dissect.ActionNetwork)},
		"default password":                  {sadpFrame(0x0a, field("key", 40)), change("reset", dissect.ActionReset)},
		"inquiry":                           {sadpFrame(3, field("", 28)), nil},
		"answers to changes":                {sadpFrame(7, ""), nil},
		"another marker":                    {append([]byte{0x22}, sadpFrame(6, "")[1:]...), nil},
		"cut":                               {sadpFrame(6, "")[:37], nil},
		"nothing":                           {nil, nil},
	} {
		f, ok := ParseSADP(c.frame, src, dst)
		if ok != (c.want != nil) || ok && !reflect.DeepEqual(f, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, f, c.want)
		}
	}
}

func FuzzSADPOverEthernet(f *testing.F) {
	f.Add(sadpReply("DS-2CD2042WD-I20160101AAWR012345678", "DS-1"))
	f.Add(sadpFrame(6, ""))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		x, ok := ParseSADP(b, [6]byte{}, [6]byte{})
		if m, is := x.(*dissect.NeighborMessage); ok != (x != nil) || is && len(m.Serial)+len(m.Model)+len(m.Firmware) > 4096 {
			t.Fatalf("%+v", x)
		}
	})
}
