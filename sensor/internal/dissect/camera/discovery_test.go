// SPDX-License-Identifier: Apache-2.0

package camera_test

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/camera"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

var (
	deviceMAC = [6]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x07}
	deviceIP  = netip.MustParseAddr("192.0.2.7")
)

const macText = "02:00:5e:10:00:07"

// replies are answers to a search, in messages that the tests make.
var replies = map[string]struct {
	port    uint16
	message string
	want    dissect.DeviceInfo
}{
	"sadp camera": {37020, dissecttest.SADPMatch("DS-2CD1043G2-I", "V5.7.1build 230131", 0, 1), dissect.DeviceInfo{
		Protocol: "sadp", MAC: deviceMAC, IP: deviceIP, Vendor: "Hikvision", Model: "DS-2CD1043G2-I", Serial: "DS-2CD1043G2-I20230131AAWR012345678",
		Firmware: "V5.7.1build 230131", FirmwareDate: "2023-01-31", Booted: time.Date(2024, 2, 29, 10, 11, 12, 0, time.UTC), Digital: 1, Activated: dissect.OutcomeSuccess}},
	"sadp, not activated": {37020, "<?xml version=\"1.0\"?><ProbeMatch><Uuid>1</Uuid><Types>inquiry</Types><DeviceDescription>DS-7608NI-K2</DeviceDescription>" +
		"<DigitalChannelNum>8</DigitalChannelNum><Activated>false</Activated><BootTime>1970-01-01 00:00:09</BootTime></ProbeMatch>",
		dissect.DeviceInfo{Protocol: "sadp", Vendor: "Hikvision", Model: "DS-7608NI-K2", Digital: 8, Activated: dissect.OutcomeFailure}},
	"dhip camera": {37810, dhip(dissecttest.NotifyDevInfo("IPC", "IPC-HFW2431S", "2.800.0000000.5.R, Build Date: 2020-03-20", 1, 0)), dissect.DeviceInfo{
		Protocol: "dhip", MAC: deviceMAC, IP: deviceIP, Vendor: "Dahua", Model: "IPC-HFW2431S", Class: "IPC", Name: "Door", Serial: "1A00123PAZ00001",
		Firmware: "2.800.0000000.5.R", FirmwareDate: "2020-03-20", Analog: 1, Activated: dissect.OutcomeSuccess}},
	"dhip, quote missing": {37810, dhip(`{ "mac" : "02:00:5e:10:00:07", "method" : "client.notifyDevInfo", "params" : { "deviceInfo" : { "DeviceClass" : "NVR", "DeviceType" : "DH\/NVR4208", "Version" : "3.215, "RemoteVideoInputChannels" : 8, "Vendor" : "Gera\u00e7\u00e3o", "Init" : 1 } } }` + "\n"),
		dissect.DeviceInfo{Protocol: "dhip", MAC: deviceMAC, Vendor: "Geração", Model: "DH/NVR4208", Class: "NVR", Firmware: "3.215", Digital: 8, Activated: dissect.OutcomeFailure}},
	"dvrip": {5050, dvripFound("HCVR", "HCVR4108HS", "Name:Shop\r\nDevice:HCVR4108HS-S3\r\n\r\nSerialNo:2F00123\r\n"), dissect.DeviceInfo{
		Protocol: "dvrip", MAC: deviceMAC, IP: deviceIP, Vendor: "Dahua", Model: "HCVR4108HS-S3", Class: "HCVR", Name: "Shop", Serial: "2F00123"}},
	"xmeye": {34569, xm(1531, `{ "NetWork.NetCommon" : { "BuildDate" : "2019-02-28 17:30:58", "ChannelNum" : 4, "HostIP" : "0x070200C0", "HostName" : "LocalHost", "MAC" : "02:00:5e:10:00:07", "SN" : "0123456789abcdef", "Version" : "V4.03.R11" }, "Ret" : 100 }`+"\n\x00"),
		dissect.DeviceInfo{Protocol: "xmeye", MAC: deviceMAC, IP: deviceIP, Vendor: "Xiongmai", Name: "LocalHost", Serial: "0123456789abcdef", Firmware: "V4.03.R11", FirmwareDate: "2019-02-28", Analog: 4}},
	"bosch": {1758, `<?xml version="1.0"?><root><device><deviceType>urn:a</deviceType><friendlyName>FLEXIDOME IP 4000i</friendlyName><unitName>Gate</unitName><serialNumber>044123</serialNumber><physAddress>02-00-5e-10-00-07</physAddress><unitIPAddress>192.0.2.7</unitIPAddress><RCPPort>1756</RCPPort></device></root>`,
		dissect.DeviceInfo{Protocol: "bosch", MAC: deviceMAC, IP: deviceIP, Vendor: "Bosch", Model: "FLEXIDOME IP 4000i", Class: "urn:a", Name: "Gate", Serial: "044123"}},
	"bosch, binary": {1758, "\x99\x39\xa4\x27ID12" + string(deviceMAC[:]) + "\x03\xff\xc0\x00\x02\x07\xff\xff\xff\x00\xc0\x00\x02\x01\x00\x03\x00\x71",
		dissect.DeviceInfo{Protocol: "bosch", MAC: deviceMAC, IP: deviceIP, Vendor: "Bosch"}},
	"sony": {2380, "\x02MAC:02-00-5e-10-00-07\xffMODEL:SNC-EM641\xffSERIAL:3300123\xffIPADR:192.0.2.7\xffSOFTVERSION:2.7.2\xff\x03",
		dissect.DeviceInfo{Protocol: "sony", MAC: deviceMAC, IP: deviceIP, Vendor: "Sony", Model: "SNC-EM641", Serial: "3300123", Firmware: "2.7.2"}},
	"panasonic": {10669, panasonic("\x00\x20\x00\x04\xc0\x00\x02\x07" + "\x00\xa7\x00\x10" + padded("WV-S1131", 16) + "\x00\xa8\x00\x10" + padded("S1131", 16) + "\x00\xa9\x00\x10" + padded("4.30", 16) + "\xff\xff\x12\x34"),
		dissect.DeviceInfo{Protocol: "panasonic", MAC: deviceMAC, IP: deviceIP, Vendor: "Panasonic", Model: "WV-S1131", Firmware: "4.30"}},
	"hanwha": {7711, hanwha("XND-6080"), dissect.DeviceInfo{Protocol: "hanwha", MAC: deviceMAC, IP: deviceIP, Vendor: "Hanwha", Model: "XND-6080"}},
	"ubiquiti": {10001, ubiquiti("\x01\x00", "\x02\x00\x0a"+string(deviceMAC[:])+"\xc0\x00\x02\x07", "\x03\x00\x05v4.30", "\x0b\x00\x04Roof", "\x0c\x00\x03UVC", "\x14\x00\x06UVC G3"),
		dissect.DeviceInfo{Protocol: "ubiquiti", MAC: deviceMAC, IP: deviceIP, Vendor: "Ubiquiti", Model: "UVC G3", Class: "UVC", Name: "Roof", Firmware: "v4.30"}},
	"ubiquiti 2": {10001, ubiquiti("\x02\x06", "\x01\x00\x06"+string(deviceMAC[:]), "\x15\x00\x04U7LT"),
		dissect.DeviceInfo{Protocol: "ubiquiti", MAC: deviceMAC, Vendor: "Ubiquiti", Model: "U7LT"}},
	"foscam": {10000, foscam("02005E100007"), dissect.DeviceInfo{Protocol: "foscam", MAC: deviceMAC, IP: deviceIP, Vendor: "Foscam", Model: "FI8910W", Serial: "02005E100007", Firmware: "11.37.2.65"}},
	"vivotek": {10000, "\x07\x4a\x5d\x8f\x1c\x01\x0aIB9365-HT1\x02\x06" + string(deviceMAC[:]) + "\x03\x04\xc0\x00\x02\x07\x04\x1b\x06\x02\x50\x00\x09\x06IB9365",
		dissect.DeviceInfo{Protocol: "vivotek", MAC: deviceMAC, IP: deviceIP, Vendor: "Vivotek", Model: "IB9365", Name: "IB9365-HT1"}},
	"pppp login":          {32100, pppp(0x10, "DGOG", "ABCDE", ""), dissect.DeviceInfo{Protocol: "pppp", Class: "DGOG"}},
	"pppp login, key":     {32100, pppp(0x14, "TNPUSAC", "ABCDE", "192.0.2.7:secret"), dissect.DeviceInfo{Protocol: "pppp", Class: "TNPUSAC"}},
	"tuya, in clear text": {6666, tuyaClear, dissect.DeviceInfo{Protocol: "tuya", IP: deviceIP, Vendor: "Tuya", Class: "keydeadbeef12345", Serial: "eb0123456789abcdefghij"}},
	"tuya 3.3":            {6667, unhex(tuya33), dissect.DeviceInfo{Protocol: "tuya", IP: deviceIP, Vendor: "Tuya", Class: "keydeadbeef12345", Serial: "eb0123456789abcdefghij"}},
	"tuya 3.5":            {6667, unhex(tuya35), dissect.DeviceInfo{Protocol: "tuya", IP: deviceIP, Vendor: "Tuya", Class: "keydeadbeef12345", Serial: "eb0123456789abcdefghij"}},
	"edimax, registration of a plug": {8765, edimax(5, edimaxRegister), dissect.DeviceInfo{
		Protocol: "edimax", MAC: deviceMAC, IP: deviceIP, Vendor: "EDIMAX", Model: "SP-1101W", Class: "SmartPlug", Serial: "02005E100007", Firmware: "1.09"}},
	"edimax, in clear text, no product": {8765, edimax(0, `<param><code value="1010" /><model value="IC-3116W" /><id value="02005E100007" /><type value="IPCam"></param>`),
		dissect.DeviceInfo{Protocol: "edimax", MAC: deviceMAC, Model: "IC-3116W", Class: "IPCam", Serial: "02005E100007"}},
	"pppp announcement": {32108, pppp(0x31, "VSTABCDE", "ABCDE", ""), dissect.DeviceInfo{Protocol: "pppp", Class: "VSTABCDE"}},
}

// Announcements of one device in the three forms of Tuya: in clear text, with AES-ECB, with AES-GCM.
const (
	tuyaClear = "\x00\x00\x55\xaa\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x64\x00\x00\x00\x00" +
		`{"ip":"192.0.2.7","gwId":"eb0123456789abcdefghij","productKey":"keydeadbeef12345","x":1}` + "abcd\x00\x00\xaa\x55"
	tuya33 = "000055aa00000000000000130000009c0000000046aa8a35a8c9739c5ff8eb5592f4a2782e1dda99c857713243309a3dd0a67db815d32d2c32b01eb30fa9ec847e426daa1a7bcb75ef5bb8eb330ad344dd0b1068" +
		"68c2c8903dec4bff0294046f69a2112cb14d42dae779bd097a678398617166722d16b4b1340947344633f527076b8ea3fd71d3338e31948df2759a94e9133ae1bcc651832dd9b60158654b01a12a9a52478af7700000aa55"
	tuya35 = "0000669900000000000100000013000000a8303132333435363738396162042ce52c1986e9abb3bec8436999f7323135da23a0a49f4e733ae5b26ee6488d090bd0a42a6029371f8f625f45caa6e0bfcc5ee6d11229" +
		"a9cb6eeaa324384ec7794b9463ee2641a38e8f61439b8c73b7a26adfd5792c990f33df7b544cbc3ce500b0e94575431aab9ac2b80f3218e0955936657fa23d468e2ba97ff902e90c3b33e91de0a43510045969b2966eca9231bb2408ae2fc15de0e7d7314c00009966"
)

const edimaxRegister = `<param>
<code value="1010" />
<model value="SP-1101W" />
<id value="02005E100007" />
<type value="SmartPlug" />
<alias value="Coffee" />
<lanip value="192.0.2.7" />
<devfwver value="1.09#010001" />
<productid value="EDIMAX#SP-1101W#1.0#1.09" />
</param>`

// edimax returns a message whose bits are rotated by n.
func edimax(n int, text string) string {
	b := []byte(text)
	for i := range b {
		b[i] = bits.RotateLeft8(b[i], -n)
	}
	b[0] = '<' + byte(n)
	return string(b)
}

// unhex returns the bytes of a hexadecimal text.
func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// padded returns s with NUL bytes up to n bytes.
func padded(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }

func dvripFound(kind, model, lines string) string {
	b := make([]byte, 120)
	b[0], b[2] = 0xb3, byte(len(macText)+len(model))
	copy(b[40:], kind)
	copy(b[56:], deviceIP.AsSlice())
	return string(b) + macText + model + lines
}

func panasonic(fields string) string {
	b := make([]byte, 53)
	b[1] = 1
	binary.BigEndian.PutUint16(b[2:], uint16(1+len(fields)))
	copy(b[6:], deviceMAC[:])
	return string(b) + fields
}

func hanwha(model string) string {
	b := make([]byte, 262)
	b[0] = 0x0b
	copy(b[19:], macText)
	copy(b[37:], "192.0.2.7")
	copy(b[109:], model)
	return string(b)
}

func ubiquiti(head string, fields ...string) string {
	body := strings.Join(fields, "")
	return head + string([]byte{byte(len(body) >> 8), byte(len(body))}) + body
}

func foscam(id string) string {
	b := make([]byte, 23+64)
	copy(b, "MO_I\x01")
	b[15] = 64
	copy(b[23:], id)
	copy(b[36:], "FI8910W")
	copy(b[57:], deviceIP.AsSlice())
	copy(b[77:], "\x0b\x25\x02\x41")
	return string(b)
}

// pppp returns a message with the id of a device.
func pppp(kind byte, prefix, check, rest string) string {
	id := padded(prefix, 8) + "\x00\x01\x02\x03" + padded(check, 8)
	return "\xf1" + string([]byte{kind, 0, byte(len(id) + len(rest))}) + id + rest
}

// What a client asks for names the device too, but is not from it.
func TestPPPPOfClients(t *testing.T) {
	for _, message := range []string{"\xf1\x00\x00\x00", "\xf1\x30\x00\x00", pppp(0x20, "TNPUSAC", "ABCDE", ""), pppp(0x12, "TNPUSAC", "ABCDE", ""), pppp(0x10, "TN1USAC", "ABCDE", ""),
		pppp(0x10, "TNPUSAC", "", ""), pppp(0x10, "\x80", "\x90", "")} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 32100}, []byte(message))
		if got := dissecttest.FactsOf[dissect.DeviceInfo](facts); len(got) != 0 || dissecttest.AppOf(facts) != "pppp" {
			t.Errorf("%q:\n%s", message, dissecttest.Dump(facts))
		}
	}
}

// Two peers use any ports. What only resembles their messages is not named.
func TestPPPPBetweenPeers(t *testing.T) {
	for message, want := range map[string]string{
		pppp(0x41, "TNPUSAC", "ABCDE", ""):                 "pppp",
		pppp(0x42, "TNPUSAC", "ABCDE", "\x01\x05\x00\x00"): "pppp",
		"\xf1\xd0\x00\x05\xd1\x01\x00\x00x":                "pppp",
		"\xf1\xd1\x00\x08\xd1\x00\x00\x02\x00\x01\x00\x02": "pppp",
		"\xf1\xe0\x00\x00":                                 "pppp",
		pppp(0x41, "TNPUSAC", "ABCDE", "\x01"):             "",
		pppp(0x41, "tnpusac", "ABCDE", ""):                 "",
		pppp(0x10, "TNPUSAC", "ABCDE", ""):                 "",
		"\xf1\xd0\x00\x05\xd2\x01\x00\x00x":                "",
		"\xf1\xd0\x00\x04\xd1\x01\x00\x00x":                "",
		"\xf1\xd1\x00\x06\xd1\x00\x00\x02\x00\x01":         "",
		"\xf1\xe2\x00\x00":                                 "",
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 51000}, []byte(message))
		if got := dissecttest.AppOf(facts); got != want {
			t.Errorf("%q: named %q", message, got)
		}
	}
}

func TestDiscoveryReplies(t *testing.T) {
	for name, tc := range replies {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: tc.port, Server: 40000}, []byte(tc.message))
		got := dissecttest.FactsOf[dissect.DeviceInfo](facts)
		if len(got) != 1 || got[0] != tc.want || dissecttest.AppOf(facts) != tc.want.Protocol {
			t.Errorf("%s:\n%swant %+v", name, dissecttest.Dump(facts), tc.want)
		}
	}
}

func TestDiscoveryActions(t *testing.T) {
	sadp := func(types string) string {
		return `<?xml version="1.0" encoding="utf-8"?><Probe><Uuid>1</Uuid><Types>` + types + `</Types><MAC>02-00-5e-10-00-07</MAC><Password>s3cret</Password></Probe>`
	}
	call := func(method string) string {
		return dhip(`{"method":"` + method + `","params":{"userName":"admin","pwd":"s3cret"},"id":1,"mac":"` + macText + `"}`)
	}
	action := func(protocol, name string, kind dissect.ActionKind, hint string) *dissect.DeviceAction {
		return &dissect.DeviceAction{Protocol: protocol, Action: name, Kind: kind, UserHint: hint}
	}
	for message, want := range map[string]*dissect.DeviceAction{
		sadp("inquiry"):                   nil,
		sadp("inquiry_v31"):               nil,
		sadp("getcode"):                   nil,
		sadp("activate"):                  action("sadp", "activate", dissect.ActionUsers, ""),
		sadp("exchangecode"):              action("sadp", "exchangecode", dissect.ActionUsers, ""),
		sadp("setChannelDefaultPassword"): action("sadp", "setChannelDefaultPassword", dissect.ActionUsers, ""),
		sadp("SetVerificationCode"):       action("sadp", "SetVerificationCode", dissect.ActionUsers, ""),
		sadp("reset"):                     action("sadp", "reset", dissect.ActionReset, ""),
		sadp("RestoreInactive"):           action("sadp", "restoreInactive", dissect.ActionReset, ""),
		sadp("GUIDReset"):                 action("sadp", "GUIDReset", dissect.ActionReset, ""),
		sadp("MailReset"):                 action("sadp", "MailReset", dissect.ActionReset, ""),
		sadp("AnswerReset"):               action("sadp", "AnswerReset", dissect.ActionReset, ""),
		sadp("update"):                    action("sadp", "update", dissect.ActionNetwork, ""),
		sadp("EHomeEnable"):               action("sadp", "EHomeEnable", dissect.ActionNetwork, ""),
		sadp("SetHCPlatform"):             action("sadp", "SetHCPlatform", dissect.ActionNetwork, ""),
		sadp("ezvizUnbind"):               action("sadp", "ezvizUnbind", dissect.ActionNetwork, ""),
		sadp("setBindList"):               action("sadp", "setBindList", dissect.ActionConfiguration, ""),
		sadp("deviceTypeCustom"):          action("sadp", "deviceTypeCustom", dissect.ActionConfiguration, ""),
		strings.ReplaceAll(sadp("update"), "Probe>", "ProbeMatch>"): nil, // the answer of the device
		call("DHDiscover.search"):                                   nil,
		call("DHDiscover.setConfig"):                                action("dhip", "DHDiscover.setConfig", dissect.ActionNetwork, "in"),
		call("DevInit.account"):                                     action("dhip", "DevInit.account", dissect.ActionUsers, "in"),
		call("DevInit.leAction"):                                    action("dhip", "DevInit.leAction", dissect.ActionConfiguration, "in"),
		call("PasswdFind.resetPassword"):                            action("dhip", "PasswdFind.resetPassword", dissect.ActionReset, "in"),
		call("Security.modifyPwdOutSession"):                        action("dhip", "Security.modifyPwdOutSession", dissect.ActionUsers, "in"),
		xm(1530, ""):                                                nil,
		xm(1532, `{ "EncryptType" : "MD5", "NetWork.NetCommon" : { "HostIP" : "0x070200C0" }, "PassWord" : "s3cret", "UserName" : "admin" }`): action("xmeye", "NetWork.NetCommon", dissect.ActionNetwork, "in"),
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 37020}, []byte(message))
		got := dissecttest.FactsOf[dissect.DeviceAction](facts)
		if want == nil && len(got) > 0 || want != nil && (len(got) != 1 || got[0] != *want) || len(dissecttest.FactsOf[dissect.DeviceInfo](facts)) > 0 {
			t.Errorf("%q:\n%swant %+v", message, dissecttest.Dump(facts), want)
		}
		if strings.Contains(dissecttest.Dump(facts), "s3cret") {
			t.Errorf("%q: the password is in\n%s", message, dissecttest.Dump(facts))
		}
	}
}

// A reset follows a search from the same port of the client.
func TestActionAfterManySearches(t *testing.T) {
	search, reset := []byte(`<Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>`), []byte(`<Probe><Uuid>2</Uuid><Types>reset</Types></Probe>`)
	var all [][]byte
	for range 10 * announce.MaxInfos {
		all = append(all, search)
	}
	facts := dispatchtest.Datagrams(dissect.Ports{Client: 40000, Server: 37020}, append(all, reset)...)
	if got := dissecttest.FactsOf[dissect.DeviceAction](facts); len(got) != 1 {
		t.Errorf("facts:\n%s", dissecttest.Dump(facts))
	}
}

// The bytes decide, not the port: these are of other protocols, or damaged.
func TestNoDiscovery(t *testing.T) {
	other := func(message string, at int, b byte) string {
		x := []byte(message)
		x[at] = b
		return string(x)
	}
	reply := func(name string) string { return replies[name].message }
	for name, tc := range map[string]struct {
		port    uint16
		message string
	}{
		"XML of another protocol":          {37020, `<?xml version="1.0"?><Probe><Types>reset</Types></Probe>`},
		"XML with one element of Bosch":    {1758, `<?xml version="1.0"?><root><physAddress>02-00-5e-10-00-07</physAddress></root>`},
		"magic of Bosch, wrong length":     {1758, reply("bosch, binary") + "x"},
		"Sony without an end":              {2380, "\x02MAC:02-00-5e-10-00-07\xffMODEL:SNC-EM641\xff"},
		"Sony with another field":          {2380, "\x02MACRO:x\xff\x03"},
		"Panasonic on another port":        {10671, reply("panasonic")},
		"Panasonic with another length":    {10669, reply("panasonic") + "x"},
		"Hanwha without a MAC address":     {7711, other(reply("hanwha"), 20, 'x')},
		"Hanwha without an address":        {7711, other(reply("hanwha"), 37, 'x')},
		"Hanwha, cut":                      {7711, reply("hanwha")[:261]},
		"Ubiquiti on another port":         {10002, reply("ubiquiti")},
		"Ubiquiti with another length":     {10001, reply("ubiquiti") + "x"},
		"Ubiquiti, fields do not fill it":  {10001, "\x01\x00\x00\x04\x03\x00\x05v"},
		"Ubiquiti of another version":      {10001, "\x03\x00\x00\x00"},
		"Foscam with another length":       {10000, reply("foscam") + "x"},
		"Foscam, encrypted":                {10000, other(reply("foscam"), 6, 1)},
		"Foscam, a search":                 {10000, other(reply("foscam"), 4, 0)},
		"Vivotek with another magic":       {10000, other(reply("vivotek"), 2, 0)},
		"Tuya, an app asks":                {6667, "\x00\x00\x55\xaa\x00\x00\x00\x00\x00\x00\x00\x25\x00\x00\x00\x18" + `{"from":"app"}  ` + "abcd\x00\x00\xaa\x55"},
		"Tuya 3.5, damaged":                {6667, other(unhex(tuya35), 40, 'x')},
		"Tuya 3.3, damaged":                {6667, other(unhex(tuya33), 20, 'x')},
		"Edimax, another message":          {8765, edimax(5, strings.Replace(edimaxRegister, "1010", "1060", 1))},
		"Edimax, no model":                 {8765, edimax(5, strings.Replace(edimaxRegister, "model", "modem", 1))},
		"Edimax, another rotation":         {8765, other(edimax(5, edimaxRegister), 0, '<'+4)},
		"Edimax, value without an end":     {8765, edimax(5, strings.SplitAfter(edimaxRegister, "SP-")[0])},
		"Vivotek, a search":                {10000, reply("vivotek")[:5]},
		"XMEye, keep-alive":                {34569, xm(1006, "{}")},
		"XMEye, nothing said":              {34569, xm(1531, `{ "Ret" : 100 }`)},
		"DHIP, another call":               {37810, dhip(`{"method":"client.notifyEventStream","params":{"DeviceType":"x"}}`)},
		"DHIP, nothing said":               {37810, dhip(`{"method":"client.notifyDevInfo"}`)},
		"older discovery, on another port": {5051, reply("dvrip")},
		"older discovery, no MAC address":  {5050, other(reply("dvrip"), 120, 'x')},
		"older discovery, a search":        {5050, "\xa3\x01\x00\x01" + strings.Repeat("\x00", 28)},
	} {
		facts := dispatchtest.Datagrams(dissect.Ports{Client: tc.port, Server: 40000}, []byte(tc.message))
		if len(dissecttest.FactsOf[dissect.DeviceInfo](facts))+len(dissecttest.FactsOf[dissect.DeviceAction](facts)) > 0 {
			t.Errorf("%s:\n%s", name, dissecttest.Dump(facts))
		}
	}
}

// fuzz feeds a discovery protocol with the replies, whole and cut. The datagrams of a session may be of other protocols than the first.
func fuzz(f *testing.F, p *announce.Protocol) {
	for _, x := range replies {
		for data := x.message; len(data) > 0; data = data[:len(data)/2] {
			f.Add([]byte(data))
		}
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		d := p.New()
		for range 2 {
			d.Datagram(dissect.FromClient, b, func(x dissect.Fact) {
				info, ok := x.(*dissect.DeviceInfo)
				if ok && (info.Protocol == "" || len(info.Model) > 256 || strings.ContainsAny(info.Model+info.Serial+info.Name+info.Firmware, "\x00\n\x1b")) {
					t.Errorf("%+v", info)
				}
			})
		}
	})
}

func FuzzSADP(f *testing.F) { fuzz(f, &camera.SADP) }

func FuzzDHIPDiscovery(f *testing.F) { fuzz(f, &camera.DHIPDiscovery) }

func FuzzDVRIPDiscovery(f *testing.F) { fuzz(f, &camera.DVRIPDiscovery) }

func FuzzXMEyeDiscovery(f *testing.F) { fuzz(f, &camera.XMEyeDiscovery) }

func FuzzBosch(f *testing.F) { fuzz(f, &camera.Bosch) }

func FuzzSony(f *testing.F) { fuzz(f, &camera.Sony) }

func FuzzPanasonic(f *testing.F) { fuzz(f, &camera.Panasonic) }

func FuzzHanwha(f *testing.F) { fuzz(f, &camera.Hanwha) }

func FuzzUbiquiti(f *testing.F) { fuzz(f, &camera.Ubiquiti) }

func FuzzFoscam(f *testing.F) { fuzz(f, &camera.Foscam) }

func FuzzPPPP(f *testing.F) { fuzz(f, &camera.PPPP) }

func FuzzEdimax(f *testing.F) { fuzz(f, &camera.Edimax) }

func FuzzTuya(f *testing.F) { fuzz(f, &camera.Tuya) }

func FuzzVivotek(f *testing.F) { fuzz(f, &camera.Vivotek) }
