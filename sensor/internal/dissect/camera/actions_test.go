// SPDX-License-Identifier: Apache-2.0

package camera_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// xmAsk and xmSay are a request of Xiongmai about a name, and an answer with a result.
func xmAsk(message uint16, name string) turn {
	return client(xm(message, fmt.Sprintf(`{ "Name" : "%s", "%s" : { "Action" : "x" }, "SessionID" : "0x1" }`, name, name)))
}

func xmSay(message uint16, code int) turn {
	return server(xm(message, fmt.Sprintf(`{ "Name" : "x", "Ret" : %d, "SessionID" : "0x1" }`, code)))
}

// call and reply are messages of DHIP.
func call(id int, method, params string) turn {
	return client(dhip(fmt.Sprintf(`{"method":"%s","params":%s,"id":%d,"session":7}`, method, params, id)))
}

func reply(id int, rest string) turn { return server(dhip(fmt.Sprintf(`{"id":%d,%s}`, id, rest))) }

// binaryDVRIP is a message of DVRIP without the mark at the end of its header.
func binaryDVRIP(first, kind byte, body string) string {
	b := make([]byte, 32)
	b[0], b[8] = first, kind
	binary.LittleEndian.PutUint32(b[4:], uint32(len(body)))
	return string(b) + body
}

// baichuan is a message of class 0x6414 or, with a status, 0.
func baichuan(number, repeated uint32, status uint16, body string) string {
	b := append([]byte("\xf0\xde\xbc\x0a"), make([]byte, 20)...)
	binary.LittleEndian.PutUint32(b[4:], number)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[12:], repeated)
	binary.LittleEndian.PutUint16(b[16:], status)
	if status == 0 {
		binary.LittleEndian.PutUint16(b[18:], 0x6414)
	}
	return string(b) + body
}

const legacyLogin = "\xf0\xde\xbc\x0a\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x01\x01\xdc\x14\x65abcd"

// actions are the actions among facts, one a line: protocol, action, kind, result, hint.
func actions(facts []dissect.Fact) (lines []string) {
	for _, a := range dissecttest.FactsOf[dissect.DeviceAction](facts) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s, %s: %s %s %s", a.Protocol, a.Action, a.Kind, a.Result, a.UserHint)))
	}
	return lines
}

func TestCameraActions(t *testing.T) {
	in := []turn{xmLogin("admin", "tlJwpbo6"), xmReply(100)}
	dahuaIn := []turn{client(dhip(dissecttest.RPCLogin)), server(dhip(`{"id":2,"result":true}`))}
	large := strings.Repeat("x", dissect.HeadLimit)
	for name, tc := range map[string]struct {
		turns []turn
		want  []string
	}{
		"xm: moved": {slices.Concat(in, []turn{xmAsk(1400, "OPPTZControl"), xmSay(1401, 100)}), []string{"xmeye, OPPTZControl: move success in"}},
		"xm: all kinds": {[]turn{xmAsk(1413, "OPMonitor"), xmSay(1414, 100), xmAsk(1420, "OPPlayBack"), xmSay(1421, 107), xmAsk(1450, "OPMachine"), xmSay(1451, 100), xmAsk(1450, "OPDefaultConfig"), xmSay(1451, 522),
			xmAsk(1450, "OPTimeSetting"), xmSay(1451, 100), xmAsk(1450, "OPOther"), xmSay(1451, 103), xmAsk(1488, "ModifyPassword"), xmSay(1489, 203), xmAsk(1520, "OPSystemUpgrade"), xmSay(1521, 511),
			xmAsk(1042, "NetWork.NetCommon"), xmSay(1043, 100), xmAsk(1040, "NetWork.NetCommon"), xmSay(1041, 150), xmAsk(1040, "NetWork.NetNTP"), xmSay(1041, 100), xmAsk(1040, "Simplify.Encode.[0]"), xmSay(1041, 100),
			xmAsk(1040, "Detect.MotionDetect"), xmSay(1041, 100)}, []string{
			"xmeye, OPMonitor claim: view success", "xmeye, OPPlayBack: view failure", "xmeye, OPMachine: reboot success", "xmeye, OPDefaultConfig: reset success", "xmeye, OPTimeSetting: time success",
			"xmeye, system: configuration failure", "xmeye, ModifyPassword: users failure", "xmeye, OPSystemUpgrade: upgrade success", "xmeye, get: read success", "xmeye, set NetWork: network success",
			"xmeye, set NetWork.NetNTP: time success", "xmeye, set Simplify.Encode: video success", "xmeye, set: configuration success"}},
		"xm: not answered":               {[]turn{xmAsk(1450, "OPMachine"), server(xm(1007, `{"Ret":100}`))}, []string{"xmeye, OPMachine: reboot unknown"}},
		"xm: the answer has no code":     {[]turn{xmAsk(1450, "OPMachine"), server(xm(1451, `{}`))}, []string{"xmeye, OPMachine: reboot unknown"}},
		"xm: a code within the data":     {[]turn{xmAsk(1042, "Users"), server(xm(1043, `{"Ret":100,"Users":[{"Ret":203}]}`))}, []string{"xmeye, get: read success"}},
		"xm: the answer is not readable": {[]turn{client(xm(1450, "")), server(xm(1451, ""))}, []string{"xmeye, system: configuration unknown"}},
		"xm: keep-alives are no action":  {[]turn{client(xm(1006, `{"Name":"KeepAlive"}`)), xmSay(1007, 100)}, nil},
		"xm: behind a stream of pictures": {slices.Concat(in, []turn{xmAsk(1410, "OPMonitor"), server(xm(1412, large)), xmAsk(1400, "OPPTZControl")}),
			[]string{"xmeye, OPMonitor: view unknown in", "xmeye, OPPTZControl: move unknown in"}},
		"xm: more than wait": {slices.Concat(slices.Repeat([]turn{xmAsk(1400, "OPPTZControl")}, 20), []turn{xmAsk(1450, "OPMachine"), xmSay(1451, 100)}),
			slices.Concat(slices.Repeat([]string{"xmeye, OPPTZControl: move unknown"}, 5), []string{"xmeye, OPMachine: reboot success"}, slices.Repeat([]string{"xmeye, OPPTZControl: move unknown"}, 15))},
		"dhip: a setting, a reboot": {slices.Concat(dahuaIn, []turn{call(3, "configManager.setConfig", `{"name":"Network","table":{"eth0":{"IPAddress":"10.0.0.9"}}}`), reply(3, `"params":{"options":null},"result":true`),
			call(4, "magicBox.reboot", "null"), reply(4, `"error":{"code":268894211,"message":"x"},"result":false`)}),
			[]string{"dhip, configManager.setConfig: network success in", "dhip, magicBox.reboot: reboot failure in"}},
		"dhip: all kinds": {[]turn{call(1, "userManager.addUser", `{"user":{"Name":"x","Password":"y"}}`), call(2, "ptz.start", `{"code":"Up"}`), call(3, "upgrader.start", "{}"), call(4, "configManager.restoreExcept", "{}"),
			call(5, "global.setCurrentTime", `{"time":"x"}`), call(6, "configManager.getConfig", `{"name":"All"}`), call(7, "configManager.setConfig", `{"table":{"name":"Network"},"name":"NTP"}`), call(8, "configManager.setConfig", `{"name":"Encode"}`),
			call(9, "configManager.setConfig", `{"name":"Alarm"}`), reply(9, `"result":true`), reply(1, `"result":true`)}, []string{
			"dhip, configManager.setConfig: configuration success", "dhip, userManager.addUser: users success", "dhip, ptz.start: move unknown", "dhip, upgrader.*: upgrade unknown", "dhip, configManager.restore*: reset unknown",
			"dhip, global.setCurrentTime: time unknown", "dhip, configManager.getConfig: read unknown", "dhip, configManager.setConfig: time unknown", "dhip, configManager.setConfig: video unknown"}},
		"dhip: the answer is seen first":   {[]turn{reply(5, `"result":true`), call(5, "magicBox.reboot", "null")}, []string{"dhip, magicBox.reboot: reboot success"}},
		"dhip: several at once":            {[]turn{call(5, "system.multicall", `[{"method":"magicBox.getDeviceType","id":6},{"method":"magicBox.reboot","id":7},{"method":"ptz.start","id":8}]`), reply(5, `"result":true`)}, []string{"dhip, magicBox.reboot: reboot success"}},
		"dhip: keep-alives are no action":  {[]turn{call(5, "global.keepAlive", `{"timeout":300}`), reply(5, `"result":true`)}, nil},
		"dhip: a method in the parameters": {[]turn{call(5, "global.keepAlive", `{"x":{"method":"magicBox.reboot"}}`), reply(5, `"result":true`)}, nil},
		"dvrip: in JSON": {[]turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), server(dvrip(0xb0, 0, "\x00\x08", "")), client(dvrip(0xf6, 0, "", `{"method":"ptz.stop","id":160}`)), server(dvrip(0xf6, 0, "", `{"id":160,"result":true}`))},
			[]string{"dvrip, ptz.stop: move success in"}},
		"dvrip: users without a login": {[]turn{client(binaryDVRIP(0xa6, 9, "")), server(binaryDVRIP(0xb6, 9, "1:admin:xx:1")), client(binaryDVRIP(0xa6, 10, "admin:Intel:a:b")), server(binaryDVRIP(0xb6, 10, "x")), client(binaryDVRIP(0xa6, 6, "9:x:y")), client(binaryDVRIP(0xa6, 7, "x"))},
			[]string{"dvrip, a6 users: read success", "dvrip, a6 modify password: users unknown", "dvrip, a6 add user: users unknown", "dvrip, a6 delete user: users unknown"}},
		"dvrip: pictures, log": {[]turn{client(dvrip(0xa0, 5, "", "admin&&AB12")), client(binaryDVRIP(0x11, 1, "")), client(binaryDVRIP(0x60, 0x90, "")), client(binaryDVRIP(0x60, 1, "")), client(binaryDVRIP(0xa3, 'c', "")), server(binaryDVRIP(0xb3, 'c', "smtp&&x"))},
			[]string{"dvrip, a3 configuration: read success in", "dvrip, 11 monitor: view unknown in", "dvrip, 60 clear log: configuration unknown in"}},
		"baichuan": {[]turn{client(legacyLogin), client(baichuan(23, 1, 0, "")), server(baichuan(23, 1, 200, "")), client(baichuan(18, 2, 0, "\x01\x02")), server(baichuan(18, 3, 200, "")), server(baichuan(18, 2, 400, "")),
			client(baichuan(59, 4, 0, "x")), client(baichuan(93, 5, 0, "")), server(baichuan(93, 5, 200, ""))},
			[]string{"baichuan, Reboot: reboot success", "baichuan, PtzControl: move failure", "baichuan, write UserList: users unknown"}},
		"baichuan, the message ends early": {[]turn{client(legacyLogin), client(baichuan(23, 1, 0, "abc")[:24])}, []string{"baichuan, Reboot: reboot unknown"}},
		"baichuan, another magic number":   {[]turn{client(legacyLogin), client("\xf0\xde\xbc\x0b" + baichuan(23, 1, 0, "")[4:])}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 37777}, tc.turns)
			if got := actions(facts); !slices.Equal(got, tc.want) {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestCameraDeviceInfo(t *testing.T) {
	const systemInfo = `{ "Name" : "SystemInfo", "Ret" : 100, "SessionID" : "0x6", "SystemInfo" : { "BuildTime" : "2019-03-05 11:12:13", "DigChannel" : 8, %s "HardWare" : "NBD8008", "SerialNo" : "0123abcd", "SoftWareVersion" : "V4.03.R11", "VideoInChannel" : %d } }`
	for name, tc := range map[string]struct {
		turns []turn
		want  dissect.DeviceInfo
	}{
		"xm": {[]turn{xmAsk(1020, "SystemInfo"), server(xm(1021, fmt.Sprintf(systemInfo, "", 1)))},
			dissect.DeviceInfo{Protocol: "xmeye", Vendor: "Xiongmai", Model: "NBD8008", Serial: "0123abcd", Firmware: "V4.03.R11", FirmwareDate: "2019-03-05", Digital: 8}},
		"xm, a model": {[]turn{xmAsk(1020, "SystemInfo"), server(xm(1021, fmt.Sprintf(systemInfo, `"DeviceModel" : "AHB7\u0000\n",`, 16)))},
			dissect.DeviceInfo{Protocol: "xmeye", Vendor: "Xiongmai", Model: `AHB7\u0000\n`, Serial: "0123abcd", Firmware: "V4.03.R11", FirmwareDate: "2019-03-05", Digital: 8, Analog: 16}},
		"dhip, version": {[]turn{call(2, "magicBox.getSoftwareVersion", "null"), reply(2, `"params":{"version":{"Build":20201019,"BuildDate":"2020-10-19","Version":"2.800.R"}},"result":true`)},
			dissect.DeviceInfo{Protocol: "dhip", Vendor: "Dahua", Firmware: "2.800.R", FirmwareDate: "2020-10-19"}},
		"dhip, type":     {[]turn{call(2, "magicBox.getDeviceType", "null"), reply(2, `"params":{"type":"IPC-HX1"},"result":true`)}, dissect.DeviceInfo{Protocol: "dhip", Vendor: "Dahua", Model: "IPC-HX1"}},
		"dhip, class":    {[]turn{call(2, "magicBox.getDeviceClass", "null"), reply(2, `"params":{"type":"NVR"},"result":true`)}, dissect.DeviceInfo{Protocol: "dhip", Vendor: "Dahua", Class: "NVR"}},
		"dhip, serial":   {[]turn{call(2, "magicBox.getSerialNo", "null"), reply(2, `"params":{"sn":"1A2B"},"result":true`)}, dissect.DeviceInfo{Protocol: "dhip", Vendor: "Dahua", Serial: "1A2B"}},
		"dhip, system":   {[]turn{call(2, "magicBox.getSystemInfo", "null"), reply(2, `"params":{"deviceType":"31","processor":"x","serialNumber":"1A2B","updateSerial":"IPC-HX1"},"result":true`)}, dissect.DeviceInfo{Protocol: "dhip", Vendor: "Dahua", Model: "IPC-HX1", Serial: "1A2B"}},
		"dvrip, serial":  {[]turn{client(binaryDVRIP(0xa4, 7, "")), server(binaryDVRIP(0xb4, 7, "1A2B\x00\x00"))}, dissect.DeviceInfo{Protocol: "dvrip", Vendor: "Dahua", Serial: "1A2B"}},
		"dvrip, version": {[]turn{client(binaryDVRIP(0xa4, 8, "")), server(binaryDVRIP(0xb4, 8, "2.608.R,build:2012-03-04"))}, dissect.DeviceInfo{Protocol: "dvrip", Vendor: "Dahua", Firmware: "2.608.R", FirmwareDate: "2012-03-04"}},
	} {
		t.Run(name, func(t *testing.T) {
			facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 37777}, tc.turns)
			if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(got) != 1 || got[0] != tc.want {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// TestNoDeviceInfo plays answers that say nothing of the device.
func TestNoDeviceInfo(t *testing.T) {
	for name, turns := range map[string][]turn{
		"dhip, another method": {call(2, "configManager.getConfig", `{"name":"General"}`), reply(2, `"params":{"name":"x","table":{"Version":"1"}},"result":true`)},
		"dhip, not asked":      {call(3, "magicBox.getDeviceType", "null"), reply(2, `"params":{"type":"x"},"result":true`)},
		"xm, another message":  {xmAsk(1042, "SystemInfo"), server(xm(1043, `{"Ret":100,"SystemInfo":{"SerialNo":"1"}}`))},
		"dvrip, another type":  {client(binaryDVRIP(0xa4, 26, "")), server(binaryDVRIP(0xb4, 26, "FTP:1"))},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 37777}, turns)
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzCameraActions(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewXMEye, []turn{xmAsk(1450, "OPMachine"), xmSay(1451, 100), xmAsk(1020, "SystemInfo"), server(xm(1021, `{"Ret":100,"SystemInfo":{"SerialNo":"1"}}`))})
}

func FuzzDHIPActions(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewDHIP, []turn{call(1, "magicBox.getDeviceType", "null"), reply(1, `"params":{"type":"x"},"result":true`)}, []turn{call(5, "system.multicall", `[{"method":"magicBox.reboot","id":7}]`)})
}

func FuzzDVRIPActions(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewDVRIP, []turn{client(binaryDVRIP(0xa4, 8, "")), server(binaryDVRIP(0xb4, 8, "2.608.R,build:2012-03-04")), client(binaryDVRIP(0xa6, 10, "x"))})
}

func FuzzBaichuan(f *testing.F) {
	dissecttest.FuzzStream(f, camera.NewBaichuan, []turn{client(legacyLogin), client(baichuan(23, 1, 0, "")), server(baichuan(23, 1, 200, ""))})
}

// Message 1009 of a client is how recorders of Xiongmai are entered without a password; the answer of the device to 1008 is not.
func TestXMBackdoor(t *testing.T) {
	attack := `{ "Ret" : 100, "SessionID" : "0x0" }`
	for _, c := range []struct {
		turns []turn
		want  int
	}{
		{[]turn{client(xm(1009, attack)), xmSay(1010, 100)}, 1},
		{[]turn{client(xm(1009, `{ "Name" : "x" }`)), xmSay(1010, 100)}, 0},
		{[]turn{client(xm(1008, `{ "Name" : "x" }`)), server(xm(1009, attack))}, 0},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 34567}, c.turns)
		if got := len(dissecttest.FactsOf[dissect.Exploit](facts)); got != c.want {
			t.Errorf("%d exploits, want %d", got, c.want)
		}
	}
}
