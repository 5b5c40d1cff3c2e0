// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dvrip",
	Signs: "first message of a client, or its answer",
	Ports: "37777, 37778 without the magic number; UDP: 5050",
	Reads: "logins (TCP), actions, identity",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 230, Looks: LooksDVRIP, New: NewDVRIP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 60, First: "\xa3\xa3\xb3\xb3", Looks: LooksDVRIPDatagram, New: DVRIPDiscovery.New},
	},
})

// dvripBinary is set in the ids of the binary messages of DVRIP, so that they differ from those of JSON calls.
const dvripBinary = 1 << 31

// NewDVRIP returns a dissector of DVRIP.
func NewDVRIP() dissect.Stream { return newStream("dvrip", 32, 4, (*dialogue).dvrip) }

// dvrip reads a message of Dahua's binary protocol. a0 is a login with name and password in the header or behind it, or a request for the
// challenge; b0 answers it, with the result in bytes 8 and 9; f6 contains JSON. The other requests have a type in byte 8, which their answers
// repeat (TaniDVR; depthsecurity/dahua_dvr_auth_bypass).
func (d *dialogue) dvrip(dir int, head, body []byte, sink dissect.Sink) {
	const askChallenge = 1
	switch kind := head[0]; {
	case kind == 0xf6:
		d.rpc(dir, head, body, sink)
	case dir == dissect.FromClient && kind == 0xa0:
		user, password := dvripPair(head, body)
		proof := head[1] != askChallenge && len(user) > 0
		d.ask(request{id: dvripBinary, hint: logins.Hint(user), check: logins.SofiaCheck(user, password), proof: proof}, sink)
	case dir == dissect.FromServer && kind == 0xb0:
		o := dvripOutcome(head)
		if parse.FoldContains(body, "realm:") {
			o = dissect.OutcomeUnknown // the challenge
		}
		d.answer(answer{id: dvripBinary, proof: o}, sink)
	case dir == dissect.FromClient:
		d.do(dvripID(head), dvripCall(head), sink)
	case kind == 0xb3 || kind == 0xb4 || kind == 0xb6 || kind == 0xb8:
		d.answer(dvripAnswer(head, body), sink)
	}
}

// dvripPair returns the name and the hash: eight bytes each in the header, or behind it, separated by "&&".
func dvripPair(head, body []byte) (user, password []byte) {
	if user, password, ok := bytes.Cut(body, []byte("&&")); ok {
		return user, password
	}
	return bytes.TrimRight(head[8:16], "\x00"), bytes.TrimRight(head[16:24], "\x00")
}

func dvripOutcome(head []byte) dissect.Outcome {
	switch {
	case head[8] == 0:
		return dissect.OutcomeSuccess
	case head[8] == 1 && (head[9] == 0 || head[9] == 1 || head[9] == 4): // wrong password, no such user, locked
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// dvripID returns the id by which a request and its answer are paired: both without the bit that tells an answer, and the type.
func dvripID(head []byte) uint32 { return dvripBinary | uint32(head[0]&0xf)<<8 | uint32(head[8]) }

// Types of the messages a4 and a6.
const (
	dvripSerial  = 7
	dvripVersion = 8
	dvripModel   = 11
)

// dvripAnswer reads an answer. That there is data is the result of a request for data; nothing published says what an answer to a change
// looks like.
func dvripAnswer(head, body []byte) answer {
	a := answer{id: dvripID(head)}
	text := announce.Text(bytes.TrimRight(body, "\x00"))
	if text == "" || head[0] == 0xb6 && dvripUsers(head[8]).Changes() {
		return a
	}
	a.action = dissect.OutcomeSuccess
	if head[0] != 0xb4 {
		return a
	}
	a.device = &dissect.DeviceInfo{Vendor: "Dahua"}
	switch head[8] {
	case dvripSerial:
		a.device.Serial = text
	case dvripVersion:
		version, date, _ := bytes.Cut(body, []byte(","))
		a.device.Firmware, a.device.FirmwareDate = announce.Text(version), announce.Date(date)
	case dvripModel:
		a.device.Model = text
	default:
		a.device = nil
	}
	return a
}

// The binary messages of DVRIP that are known.
var (
	dvripView       = Call{"11 monitor", "", dissect.ActionView, 0}
	dvripReadConfig = Call{"a3 configuration", "", dissect.ActionRead, 0}
	dvripReadSystem = Call{"a4 system information", "", dissect.ActionRead, saysDevice}
	dvripReadTitles = Call{"a8 channel names", "", dissect.ActionRead, 0}
	dvripReadUsers  = Call{"a6 users", "", dissect.ActionRead, 0}
	dvripAddUser    = Call{"a6 add user", "", dissect.ActionUsers, 0}
	dvripDeleteUser = Call{"a6 delete user", "", dissect.ActionUsers, 0}
	dvripModifyUser = Call{"a6 modify password", "", dissect.ActionUsers, 0}
	dvripClearLog   = Call{"60 clear log", "", dissect.ActionConfiguration, 0}
)

func dvripCall(head []byte) *Call {
	switch head[0] {
	case 0x11:
		return &dvripView
	case 0x60:
		if head[8] == 0x90 {
			return &dvripClearLog
		}
	case 0xa3:
		return &dvripReadConfig
	case 0xa4:
		return &dvripReadSystem
	case 0xa6:
		return dvripUsers(head[8])
	case 0xa8:
		return &dvripReadTitles
	}
	return nil
}

// dvripUsers returns what a message a6 of a type does.
func dvripUsers(kind byte) *Call {
	switch kind {
	case 6:
		return &dvripAddUser
	case 7:
		return &dvripDeleteUser
	case 10:
		return &dvripModifyUser
	}
	return &dvripReadUsers
}
