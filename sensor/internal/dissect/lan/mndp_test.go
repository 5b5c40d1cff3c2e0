// SPDX-License-Identifier: Apache-2.0

package lan_test

import (
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/lan"
)

const (
	mndpMAC   = "\x00\x01\x00\x06\x02\x00\x5e\x10\x00\x07"
	mndpBoard = "\x00\x00\x00\x05" + mndpMAC + "\x00\x05\x00\x04gate\x00\x07\x00\x0f6.49.7 (stable)\x00\x08\x00\x08MikroTik\x00\x0a\x00\x04\x10\x00\x00\x00" +
		"\x00\x0c\x00\x09RB951G-2H\x00\x11\x00\x04\xc0\x00\x02\x07"
)

func TestMNDP(t *testing.T) {
	want := dissect.DeviceInfo{Protocol: "mndp", MAC: [6]byte{2, 0, 0x5e, 0x10, 0, 7}, IP: netip.MustParseAddr("192.0.2.7"), Vendor: "MikroTik", Model: "RB951G-2H", Name: "gate", Firmware: "6.49.7 (stable)"}
	for message, tc := range map[string]struct {
		port  uint16
		app   string
		infos int
	}{
		mndpBoard:                      {5678, "mndp", 1},
		"\x00\x00\x00\x00":             {5678, "mndp", 0},
		mndpBoard + "\x00":             {5678, "", 0},
		mndpBoard[4:]:                  {5678, "", 0},
		mndpBoard + "\x00\x01\x00\x01": {5678, "", 0},
		mndpBoard[:4] + mndpBoard[14:]: {5678, "", 0},
		mndpBoard + " ":                {5679, "", 0},
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: tc.port}, []byte(message))
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if dissecttest.AppOf(facts) != tc.app || len(got) != tc.infos || tc.infos > 0 && got[0] != want {
			t.Errorf("%q:\n%s", message, dissecttest.Dump(facts))
		}
	}
}

func FuzzMNDP(f *testing.F) {
	f.Add(dissecttest.Chunk(client(mndpBoard)))
	dissecttest.FuzzDatagrams(f, lan.MNDP.New, 16)
}
