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
	Name:  "dhip",
	Signs: "`20 00 00 00 DHIP`",
	Reads: "logins (TCP), actions, identity",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 220, Looks: LooksDHIP, New: NewDHIP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 40, First: "\x20\x20", Looks: LooksDHIPDatagram, New: DHIPDiscovery.New},
	},
})

// RPCMessage is what is read of a message of Dahua's JSON calls: over HTTP (RPC2, RPC2_Login), DHIP or DVRIP. A login takes two calls: the
// first contains no proof and is refused with a challenge, the second contains a hash.
type RPCMessage struct {
	id       int
	Call     *Call  // what the call does; nil if it is not known, and of an answer
	Login    bool   // a call of global.login
	User     []byte // a slice of the message
	Password []byte
	realm    []byte // of the challenge in an answer
	random   []byte
	answered bool // an answer
	ok       bool
	code     int // of the error
	device   *dissect.DeviceInfo
}

// ReadRPC reads a message of Dahua's JSON calls.
func ReadRPC(b []byte) (m RPCMessage) {
	m.id = -1
	var method, setting []byte
	var inner *Call // the first call of system.multicall that changes the device, or else the first known one
	parse.JSONMembers(b, func(depth int, key, value []byte) {
		switch {
		case depth == 1 && parse.FoldEqual(key, "method"):
			method = value
		case depth == 1 && parse.FoldEqual(key, "id"):
			m.id, _ = parse.Number(value)
		case depth == 1 && parse.FoldEqual(key, "result") && (string(value) == "true" || string(value) == "false"):
			m.answered, m.ok = true, string(value) == "true"
		case depth == 2 && parse.FoldEqual(key, "username"):
			m.User = value
		case depth == 2 && parse.FoldEqual(key, "password"):
			m.Password = value
		case depth == 2 && parse.FoldEqual(key, "realm"):
			m.realm = value
		case depth == 2 && parse.FoldEqual(key, "random"):
			m.random = value
		case depth == 2 && parse.FoldEqual(key, "code"):
			m.code, _ = parse.Number(value)
		case depth == 2 && parse.FoldEqual(key, "name"):
			setting = value
		case depth == 3 && parse.FoldEqual(key, "method"):
			if c := rpcCall(value, nil); c != nil && (inner == nil || !inner.Changes() && c.Changes()) {
				inner = c
			}
		}
		m.describe(depth, key, value)
	})
	m.Login = string(method) == "global.login"
	if m.Call = rpcCall(method, setting); string(method) == "system.multicall" {
		m.Call = inner
	}
	return m
}

// describe notes what an answer to a call of magicBox says of the device.
func (m *RPCMessage) describe(depth int, key, value []byte) {
	switch {
	case depth == 2 && parse.FoldEqual(key, "type"), depth == 2 && parse.FoldEqual(key, "updateserial"):
		m.info().Model = announce.Text(value)
	case depth == 2 && parse.FoldEqual(key, "sn"), depth == 2 && parse.FoldEqual(key, "serialnumber"):
		m.info().Serial = announce.Text(value)
	case depth == 2 && parse.FoldEqual(key, "name"):
		m.info().Name = announce.Text(value)
	case depth == 3 && parse.FoldEqual(key, "version"):
		m.info().Firmware = announce.Text(value)
	case depth == 3 && parse.FoldEqual(key, "builddate"):
		m.info().FirmwareDate = announce.Date(value)
	}
}

func (m *RPCMessage) info() *dissect.DeviceInfo {
	if m.device == nil {
		m.device = &dissect.DeviceInfo{Vendor: "Dahua"}
	}
	return m.device
}

// Outcome returns the result of a login from its answer. proof reports whether a password or its hash was sent.
func (m *RPCMessage) Outcome(proof bool) dissect.Outcome {
	const accounts, challenge = 0x1003, 0x1003000f // the errors about accounts, and the challenge among them
	switch {
	case !m.answered:
	case m.ok:
		return dissect.OutcomeSuccess
	case proof && m.code>>16 == accounts && m.code != challenge:
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// Result returns the result of a call other than a login from its answer.
func (m *RPCMessage) Result() dissect.Outcome {
	switch {
	case !m.answered:
		return dissect.OutcomeUnknown
	case m.ok:
		return dissect.OutcomeSuccess
	}
	return dissect.OutcomeFailure
}

// Device returns what an answer says of the device, or nil.
func (m *RPCMessage) Device() *dissect.DeviceInfo { return m.device }

// HasProof reports whether a login contains a password or a hash of it.
func (m *RPCMessage) HasProof() bool { return len(bytes.TrimSpace(m.Password)) > 0 }

// Challenge returns the challenge in an answer to a login; both are empty if there is none, or if it is too long to be one.
func (m *RPCMessage) Challenge() (realm, random string) {
	const most = 128
	if len(m.realm) > most || len(m.random) > most {
		return "", ""
	}
	return string(m.realm), string(m.random)
}

// Detach drops what is a slice of the message.
func (m *RPCMessage) Detach() { m.User, m.Password, m.realm, m.random = nil, nil, nil, nil }

// Check returns the check of the proof in a login that answers a challenge.
func (m *RPCMessage) Check(realm, random string) logins.Check {
	if !m.HasProof() {
		return logins.Check{}
	}
	return logins.DahuaCheck(m.User, logins.ProofOf(m.Password), realm, random)
}

// dhipHead is the length of the header of DHIP, and dhipSize the offset of the length of the message in it.
const dhipHead, dhipSize = 32, 16

// NewDHIP returns a dissector of DHIP.
func NewDHIP() dissect.Stream { return newStream("dhip", dhipHead, dhipSize, (*dialogue).rpc) }

// rpc reads a message of DHIP, or of the JSON calls within DVRIP.
func (d *dialogue) rpc(dir int, _, body []byte, sink dissect.Sink) {
	m := ReadRPC(body)
	id := uint32(m.id) &^ dvripBinary
	switch {
	case dir == dissect.FromClient && m.Login:
		proof := m.HasProof()
		d.ask(request{id: id, hint: logins.Hint(m.User), check: m.Check(d.realm, d.random), proof: proof}, sink)
	case dir == dissect.FromClient:
		d.do(id, m.Call, sink)
	case m.answered:
		if realm, random := m.Challenge(); random != "" {
			d.realm, d.random = realm, random
		}
		d.answer(answer{id: id, proof: m.Outcome(true), plain: m.Outcome(false), action: m.Result(), device: m.device}, sink)
	}
}
