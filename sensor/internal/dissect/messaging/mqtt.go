// SPDX-License-Identifier: Apache-2.0

// Package messaging reads the logins of MQTT, and TLS in XMPP. It recognizes AMQP and CoAP.
package messaging

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mqtt",
	Signs: "CONNECT with the name of the protocol; CONNACK",
	Ports: "1883 for CONNACK",
	Reads: "logins",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 130, Looks: LooksMQTT, New: NewMQTT},
		{From: protocol.Server, Order: 130, Looks: LooksMQTTServer, New: NewMQTT},
	},
})

// mqttStream reads the login of MQTT: CONNECT with a user name or a password, and CONNACK (MQTT 3.1.1 and 5.0, sections 3.1 and 3.2).
type mqttStream struct {
	login logins.Attempt
	done  [2]bool
}

// NewMQTT returns a dissector of MQTT.
func NewMQTT() dissect.Stream { return &mqttStream{login: logins.Attempt{Protocol: "mqtt"}} }

const (
	mqttConnect = 0x10
	mqttConnAck = 0x20
)

// LooksMQTT recognizes CONNECT by the protocol name (MQTT 3.1.1 section 3.1.2.1).
func LooksMQTT(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if head[0] != mqttConnect {
		return match.No
	}
	n, _, v := mqttHead(head)
	if v != match.Yes {
		return v
	}
	if n == len(head) {
		return match.Maybe
	}
	return match.AnyPrefix(head[n:], "\x00\x04MQTT", "\x00\x06MQIsdp")
}

// LooksMQTTServer accepts CONNACK only on the port of MQTT: four bytes prove too little.
func LooksMQTTServer(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(1883) {
		return match.No
	}
	return match.AnyPrefix(head, "\x20\x02\x00", "\x20\x02\x01")
}

// mqttHead reads the fixed header: the type, and the length of the rest in up to 4 bytes of 7 bits (section 2.2.3).
func mqttHead(b []byte) (n, size int, v match.Verdict) {
	for n = 1; n < len(b) && n <= 4; n++ {
		size |= int(b[n]&0x7f) << (7 * (n - 1))
		if b[n]&0x80 == 0 {
			return n + 1, size, match.Yes
		}
	}
	if n > 4 {
		return 0, 0, match.No
	}
	return 0, 0, match.Maybe
}

func (m *mqttStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if m.done[dir] {
		return 0
	}
	n, size, v := mqttHead(head)
	switch {
	case v == match.Maybe && !final:
		return len(head) + 1
	case v == match.Yes && n+size > len(head) && !final && n+size <= dissect.HeadLimit:
		return n + size
	}
	m.done[dir] = true
	whole := v == match.Yes && n+size <= len(head)
	switch {
	case dir == dissect.FromClient && whole && head[0] == mqttConnect:
		m.connect(head[n : n+size])
	case dir == dissect.FromServer && whole && head[0] == mqttConnAck && size >= 2:
		m.login.Result(mqttOutcome(head[n+1]), sink)
	case dir == dissect.FromServer:
		m.login.Result(dissect.OutcomeUnknown, sink)
	}
	return 0
}

// connect reads the user name and the password, which follow the client's name and its will (section 3.1.3).
func (m *mqttStream) connect(b []byte) {
	const userFlag, passwordFlag, willFlag, version5 = 0x80, 0x40, 0x04, 5
	r := parse.Reader{B: b}
	r.Vec16() // protocol name
	version, flags := r.U8(), r.U8()
	r.U16() // keep alive
	properties := func() {
		if version == version5 {
			mqttProperties(&r)
		}
	}
	properties()
	r.Vec16() // client name
	if flags&willFlag != 0 {
		properties()
		r.Vec16()
		r.Vec16()
	}
	if flags&(userFlag|passwordFlag) == 0 {
		return
	}
	var user, password []byte
	if flags&userFlag != 0 {
		user = r.Vec16()
	}
	if flags&passwordFlag != 0 { // version 5 allows a password without a user name: a token
		password = r.Vec16()
	}
	if !r.Bad {
		m.login.Name(user)
		m.login.Password(password)
	}
}

// mqttProperties skips properties (MQTT 5.0 section 2.2.2).
func mqttProperties(r *parse.Reader) {
	size := 0
	for shift := 0; shift < 28; shift += 7 {
		c := r.U8()
		size |= (c & 0x7f) << shift
		if c&0x80 == 0 {
			break
		}
	}
	r.Bytes(size)
}

// mqttOutcome reads the return code of 3.1.1 (section 3.2.2.3) or the reason code of 5.0 (section 3.2.2.2).
func mqttOutcome(code byte) dissect.Outcome {
	switch code {
	case 0:
		return dissect.OutcomeSuccess
	case 4, 5, 0x86, 0x87: // bad user name or password, not authorized
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}
