// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "xmeye",
	Signs: "header with a known message, then JSON",
	Reads: "logins (TCP), actions, identity",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 240, Looks: LooksXMEye, New: NewXMEye},
	},
	Datagrams: []protocol.Datagram{
		{Order: 50, First: "\xff\xff", Looks: LooksXMEyeDatagram, New: XMEyeDiscovery.New},
	},
})

// xmHead is the length of the header of XMEye, and xmSize the offset of the length of the message in it.
const xmHead, xmSize = 20, 16

// NewXMEye returns a dissector of XMEye.
func NewXMEye() dissect.Stream { return newStream("xmeye", xmHead, xmSize, (*dialogue).sofia) }

// sofiaBody is what is read of the JSON of a message of Xiongmai.
type sofiaBody struct {
	name           []byte // of the request: what it is about
	user, password []byte // the password is a short hash
	code           int    // the result; 0 if there is none
	device         *dissect.DeviceInfo
}

// sofia reads a message of Xiongmai. The header has the number of the message at offset 14; an answer has the number of its request plus one.
func (d *dialogue) sofia(dir int, head, body []byte, sink dissect.Sink) {
	const login, backdoor, systemInfo = 1000, 1009, 1021
	b := readSofia(body)
	switch message := binary.LittleEndian.Uint16(head[14:]); {
	case dir == dissect.FromClient && message == login:
		d.ask(request{id: login, hint: logins.Hint(b.user), check: logins.SofiaCheck(b.user, b.password), proof: true}, sink)
	case dir == dissect.FromClient && message == backdoor && b.code == 100:
		sink(&backdoorOfXiongmai)
	case dir == dissect.FromClient:
		d.do(uint32(message), sofiaCall(message, b.name), sink)
	case message == login+1 || sofiaAnswers(message):
		o := sofiaLogin(b.code)
		if message != systemInfo {
			b.device = nil
		}
		d.answer(answer{id: uint32(message) - 1, proof: o, plain: o, action: sofiaResult(b.code), device: b.device}, sink)
	}
}

// backdoorOfXiongmai is message 1009 of a client: recorders take what follows as if it had logged in.
var backdoorOfXiongmai = dissect.Exploit{ID: "xiongmai-login", CVE: "CVE-2024-3765", Product: "recorders of Xiongmai"}

func readSofia(body []byte) (b sofiaBody) {
	parse.JSONMembers(body, func(depth int, key, value []byte) {
		switch {
		case parse.FoldEqual(key, "username"):
			b.user = value
		case parse.FoldEqual(key, "password"):
			b.password = value
		case depth == 1 && parse.FoldEqual(key, "name"):
			b.name = value
		case depth == 1 && parse.FoldEqual(key, "ret"):
			b.code, _ = parse.Number(value)
		case depth == 2:
			b.describe(key, value)
		}
	})
	return b
}

// describe notes a member of SystemInfo, message 1021.
func (b *sofiaBody) describe(key, value []byte) {
	switch {
	case parse.FoldEqual(key, "devicemodel"):
		b.info().Model = announce.Text(value)
	case parse.FoldEqual(key, "hardware") && b.info().Model == "":
		b.info().Model = announce.Text(value)
	case parse.FoldEqual(key, "serialno"):
		b.info().Serial = announce.Text(value)
	case parse.FoldEqual(key, "softwareversion"):
		b.info().Firmware = announce.Text(value)
	case parse.FoldEqual(key, "buildtime"):
		b.info().FirmwareDate = announce.Date(value)
	case parse.FoldEqual(key, "digchannel"):
		b.info().Digital, _ = parse.Number(value)
	case parse.FoldEqual(key, "videoinchannel"):
		if n, _ := parse.Number(value); n > 1 { // the one input of a camera is its own sensor
			b.info().Analog = n
		}
	}
}

func (b *sofiaBody) info() *dissect.DeviceInfo {
	if b.device == nil {
		b.device = &dissect.DeviceInfo{Vendor: "Xiongmai"}
	}
	return b.device
}

func sofiaLogin(code int) dissect.Outcome {
	switch code {
	case 100:
		return dissect.OutcomeSuccess
	case 106, 203, 205, 206: // wrong name or password, wrong password, no such user, locked
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// sofiaResult returns the result of a request other than a login, by the codes of alexshpilkin/dvrip.
func sofiaResult(code int) dissect.Outcome {
	switch code {
	case 0:
		return dissect.OutcomeUnknown
	case 100, 110, 111, 119, 150, 511, 514, 522, 602, 603: // done, search results, done after a reboot, upgrade, reset, import
		return dissect.OutcomeSuccess
	}
	return dissect.OutcomeFailure
}

// sofiaMessage is a message of Xiongmai with which a client asks for something.
type sofiaMessage struct {
	number uint16
	Call   // Setting is how the name in the message begins
}

// sofiaCall returns what a message does, or nil.
func sofiaCall(number uint16, name []byte) *Call {
	for i := range sofiaMessages {
		m := &sofiaMessages[i]
		if m.number == number && len(name) >= len(m.Setting) && string(name[:len(m.Setting)]) == m.Setting {
			return &m.Call
		}
	}
	return nil
}

// sofiaAnswers reports whether a message answers one of sofiaMessages.
func sofiaAnswers(number uint16) bool { return sofiaCall(number-1, nil) != nil }

// sofiaMessages are the messages as published clients name them (OpenIPC/python-dvr, alexshpilkin/dvrip). The last row of a number has no
// Setting.
var sofiaMessages = []sofiaMessage{
	{1020, Call{"SystemInfo", "", dissect.ActionRead, saysDevice}},
	{1040, Call{"set NetWork.NetNTP", "NetWork.NetNTP", dissect.ActionTime, 0}},
	{1040, Call{"set NetWork", "NetWork.", dissect.ActionNetwork, 0}},
	{1040, Call{"set Simplify.Encode", "Simplify.Encode", dissect.ActionVideo, 0}},
	{1040, Call{"set AVEnc", "AVEnc.", dissect.ActionVideo, 0}},
	{1040, Call{"set Camera", "Camera.", dissect.ActionVideo, 0}},
	{1040, Call{"set Record", "Record", dissect.ActionVideo, 0}},
	{1040, Call{"set Storage", "Storage.", dissect.ActionVideo, 0}},
	{1040, Call{"set System.TimeZone", "System.TimeZone", dissect.ActionTime, 0}},
	{1040, Call{"set", "", dissect.ActionConfiguration, 0}},
	{1042, Call{"get", "", dissect.ActionRead, 0}},
	{1044, Call{"get default", "", dissect.ActionRead, 0}},
	{1046, Call{"set ChannelTitle", "", dissect.ActionVideo, 0}},
	{1048, Call{"get ChannelTitle", "", dissect.ActionRead, 0}},
	{1050, Call{"set ChannelTitle dots", "", dissect.ActionVideo, 0}},
	{1360, Call{"get abilities", "", dissect.ActionRead, 0}},
	{1400, Call{"OPPTZControl", "", dissect.ActionMove, 0}},
	{1410, Call{"OPMonitor", "", dissect.ActionView, 0}},
	{1413, Call{"OPMonitor claim", "", dissect.ActionView, 0}},
	{1420, Call{"OPPlayBack", "", dissect.ActionView, 0}},
	{1424, Call{"OPPlayBack claim", "", dissect.ActionView, 0}},
	{1440, Call{"OPFileQuery", "", dissect.ActionRead, 0}},
	{1442, Call{"OPLogQuery", "", dissect.ActionRead, 0}},
	{1444, Call{"OPFileQuery by time", "", dissect.ActionRead, 0}},
	{1450, Call{"OPMachine", "OPMachine", dissect.ActionReboot, 0}},
	{1450, Call{"OPDefaultConfig", "OPDefaultConfig", dissect.ActionReset, 0}},
	{1450, Call{"OPTimeSetting", "OPTimeSetting", dissect.ActionTime, 0}},
	{1450, Call{"OPLogManager", "OPLogManager", dissect.ActionConfiguration, 0}},
	{1450, Call{"system", "", dissect.ActionConfiguration, 0}},
	{1452, Call{"OPTimeQuery", "", dissect.ActionRead, 0}},
	{1460, Call{"OPStorageManager", "", dissect.ActionVideo, 0}},
	{1470, Call{"get authorities", "", dissect.ActionRead, 0}},
	{1472, Call{"get users", "", dissect.ActionRead, 0}},
	{1474, Call{"get groups", "", dissect.ActionRead, 0}},
	{1476, Call{"AddGroup", "", dissect.ActionUsers, 0}},
	{1478, Call{"ModifyGroup", "", dissect.ActionUsers, 0}},
	{1480, Call{"DeleteGroup", "", dissect.ActionUsers, 0}},
	{1482, Call{"AddUser", "", dissect.ActionUsers, 0}},
	{1484, Call{"ModifyUser", "", dissect.ActionUsers, 0}},
	{1486, Call{"DeleteUser", "", dissect.ActionUsers, 0}},
	{1488, Call{"ModifyPassword", "", dissect.ActionUsers, 0}},
	{1520, Call{"OPSystemUpgrade", "", dissect.ActionUpgrade, 0}},
	{1522, Call{"OPSystemUpgrade data", "", dissect.ActionUpgrade, 0}},
	{1524, Call{"OPSystemUpgrade progress", "", dissect.ActionRead, 0}},
	{1525, Call{"OPVersionList", "", dissect.ActionRead, 0}},
	{1532, Call{"set NetWork.NetCommon", "", dissect.ActionNetwork, 0}},
	{1590, Call{"synchronize time", "", dissect.ActionTime, 0}},
}
