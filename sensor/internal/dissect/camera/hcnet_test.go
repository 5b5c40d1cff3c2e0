// SPDX-License-Identifier: Apache-2.0

package camera_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// hcAsk is a request of HCNetSDK with its checksum.
func hcAsk(command uint32, body string) string {
	b := append(make([]byte, 32), body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	b[4] = 90
	binary.BigEndian.PutUint32(b[12:], command)
	copy(b[16:], "\x0a\x00\x00\x05\x00\x01\x00\x00\x02\x00\x00\x00\x00\x01")
	return hcSummed(b, 8, 12)
}

// hcSay is an answer with a status.
func hcSay(status uint32, body string) string {
	b := append(make([]byte, 16), body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	binary.BigEndian.PutUint32(b[8:], status)
	return hcSummed(b, 4, 8)
}

func hcSummed(b []byte, at, from int) string {
	var sum uint32
	for _, c := range b[from:] {
		sum += uint32(c)
	}
	binary.BigEndian.PutUint32(b[at:], sum)
	return string(b)
}

// hcLoggedIn is the answer to a login of a camera.
func hcLoggedIn(serial string) string {
	return hcSay(1, "\x00\x00\x00\x01"+serial+strings.Repeat("\x00", 48-len(serial))+"\x1f\x01\x01\x00\x00\x00\x00\x00")
}

const hcSerial = "DS-2CD2042WD-I20160101AAWR012345678"

func TestHCNet(t *testing.T) {
	login := client(hcAsk(0x010000, "name and a hash"))
	for name, c := range map[string]struct {
		turns   []turn
		logins  []dissect.Login
		actions []string
		model   string
	}{
		"challenge, then in": {[]turn{login, server(hcSay(100, "challenge")), login, server(hcLoggedIn(hcSerial))},
			[]dissect.Login{{Protocol: "hcnet", Result: dissect.OutcomeSuccess}}, nil, "DS-2CD2042WD-I"},
		"wrong password": {[]turn{login, server(hcSay(100, "challenge")), login, server(hcSay(3, ""))}, []dissect.Login{{Protocol: "hcnet", Result: dissect.OutcomeFailure}}, nil, ""},
		"moved and started again": {[]turn{client(hcAsk(0x030203, "\x00\x00\x00\x01")), server(hcSay(1, "")), client(hcAsk(0x030900, "")), server(hcSay(5, ""))}, nil,
			[]string{"hcnet, PTZWITHSPEED: move success", "hcnet, REBOOT: reboot failure"}, ""},
		"settings": {[]turn{client(hcAsk(0x110030, "")), server(hcSay(1, hcSerial+hcSerial)), client(hcAsk(0x110031, "users")), server(hcSay(20, "")), client(hcAsk(0x0111ff, "")), server(hcSay(13, "")), client(hcAsk(0x110101, "")), server(hcSay(1, ""))}, nil,
			[]string{"hcnet, get configuration: read success", "hcnet, SET_USERCFG_V30: users unknown", "hcnet, set configuration: configuration success"}, ""},
		"media behind a request to view": {[]turn{client(hcAsk(0x030000, "")), server(hcSay(1, "") + hcSay(3, "media")), client(hcAsk(0x030900, ""))}, nil, []string{"hcnet, TCP_PREV: view success", "hcnet, REBOOT: reboot unknown"}, ""},
		"no model in the answer":         {[]turn{login, server(hcLoggedIn("12345"))}, []dissect.Login{{Protocol: "hcnet", Result: dissect.OutcomeSuccess}}, nil, ""},
		"a scanner":                      {[]turn{client("\x00\x00\x00\x20\x63" + strings.Repeat("\x00", 27)), server(hcSay(6, ""))}, nil, nil, ""},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 9000}, c.turns)
		model := ""
		if all := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(all) > 0 {
			model = all[0].Model
		}
		if dissecttest.AppOf(facts) != "hcnet" || !slices.Equal(dissecttest.FactsOf[dissect.Login](facts), c.logins) || !slices.Equal(actions(facts), c.actions) || model != c.model {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// TestLooksHCNet tells requests from what resembles them.
func TestLooksHCNet(t *testing.T) {
	wrongSum := []byte(hcAsk(0x010000, "a"))
	wrongSum[11]++
	for name, c := range map[string]struct {
		data string
		port uint16
		want string
	}{
		"checksum":                    {hcAsk(0x010000, "a"), 9000, "hcnet"},
		"port without the checksum":   {string(wrongSum), 8000, "hcnet"},
		"neither":                     {string(wrongSum), 9000, ""},
		"another version":             {strings.Replace(hcAsk(0x010000, "a"), "Z", "[", 1), 8000, ""},
		"another range of commands":   {hcAsk(0x7f0000, "a"), 8000, ""},
		"no command":                  {hcAsk(0, "a"), 8000, ""},
		"longer than a first request": {"\x00\x01" + hcAsk(0x010000, "a")[2:], 8000, ""},
		"cut":                         {hcAsk(0x010000, "abcdef")[:34], 9000, ""},
	} {
		if got := dissecttest.AppOf(dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: c.port}, []turn{client(c.data)})); got != c.want {
			t.Errorf("%s: named %q, want %q", name, got, c.want)
		}
	}
}

func FuzzHCNet(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewHCNet, []turn{client(hcAsk(0x010000, "a")), server(hcSay(100, "b")), client(hcAsk(0x010000, "a")), server(hcLoggedIn(hcSerial))},
		[]turn{client(hcAsk(0x030000, "")), server(hcSay(1, "")), client(hcAsk(0x110031, "")), server(hcSay(3, ""))})
}
