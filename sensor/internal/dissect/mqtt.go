// SPDX-License-Identifier: Apache-2.0

package dissect

// mqttStream reads the login of MQTT: CONNECT with a user name or a password, and CONNACK (MQTT 3.1.1 and 5.0, sections 3.1 and 3.2).
type mqttStream struct {
	login attempt
	done  [2]bool
}

func openMQTT(*Conversation) streamDissector { return &mqttStream{login: attempt{protocol: "mqtt"}} }

const (
	mqttConnect = 0x10
	mqttConnAck = 0x20
)

// looksMQTT tells CONNECT by the protocol name (MQTT 3.1.1 section 3.1.2.1).
func looksMQTT(head []byte, _ bool, _ Ports) verdict {
	if head[0] != mqttConnect {
		return no
	}
	n, _, v := mqttHead(head)
	if v != yes {
		return v
	}
	if n == len(head) {
		return maybe
	}
	return startsWithAny(head[n:], "\x00\x04MQTT", "\x00\x06MQIsdp")
}

// looksMQTTServer takes CONNACK only where MQTT is expected: four bytes say too little.
func looksMQTTServer(head []byte, _ bool, ports Ports) verdict {
	if !ports.has(1883) {
		return no
	}
	return startsWithAny(head, "\x20\x02\x00", "\x20\x02\x01")
}

// mqttHead reads the fixed header: type, and length of the rest in up to 4 bytes of 7 bits (section 2.2.3).
func mqttHead(b []byte) (n, size int, v verdict) {
	for n = 1; n < len(b) && n <= 4; n++ {
		size |= int(b[n]&0x7f) << (7 * (n - 1))
		if b[n]&0x80 == 0 {
			return n + 1, size, yes
		}
	}
	if n > 4 {
		return 0, 0, no
	}
	return 0, 0, maybe
}

func (m *mqttStream) feed(dir int, head []byte, final bool, sink Sink) int {
	if m.done[dir] {
		return 0
	}
	n, size, v := mqttHead(head)
	switch {
	case v == maybe && !final:
		return len(head) + 1
	case v == yes && n+size > len(head) && !final && n+size <= headLimit:
		return n + size
	}
	m.done[dir] = true
	whole := v == yes && n+size <= len(head)
	switch {
	case dir == FromClient && whole && head[0] == mqttConnect:
		m.connect(head[n : n+size])
	case dir == FromServer && whole && head[0] == mqttConnAck && size >= 2:
		m.login.result(mqttOutcome(head[n+1]), sink)
	case dir == FromServer:
		m.login.result(OutcomeUnknown, sink)
	}
	return 0
}

// connect reads the user name and the password, which come after the client's name and its last will (section 3.1.3).
func (m *mqttStream) connect(b []byte) {
	const userFlag, passwordFlag, willFlag, version5 = 0x80, 0x40, 0x04, 5
	r := tlsReader{b: b}
	r.vec16() // protocol name
	version, flags := r.u8(), r.u8()
	r.u16() // keep alive
	properties := func() {
		if version == version5 {
			mqttProperties(&r)
		}
	}
	properties()
	r.vec16() // client name
	if flags&willFlag != 0 {
		properties()
		r.vec16()
		r.vec16()
	}
	if flags&(userFlag|passwordFlag) == 0 {
		return
	}
	var user, password []byte
	if flags&userFlag != 0 {
		user = r.vec16()
	}
	if flags&passwordFlag != 0 { // version 5 has it without a user name, too: a token
		password = r.vec16()
	}
	if !r.bad {
		m.login.name(user)
		m.login.password(password)
	}
}

// mqttProperties reads over properties (MQTT 5.0 section 2.2.2).
func mqttProperties(r *tlsReader) {
	size := 0
	for shift := 0; shift < 28; shift += 7 {
		c := r.u8()
		size |= (c & 0x7f) << shift
		if c&0x80 == 0 {
			break
		}
	}
	r.bytes(size)
}

// mqttOutcome reads the return code of 3.1.1 (section 3.2.2.3) or the reason code of 5.0 (section 3.2.2.2).
func mqttOutcome(code byte) Outcome {
	switch code {
	case 0:
		return OutcomeSuccess
	case 4, 5, 0x86, 0x87: // bad user name or password, not authorised
		return OutcomeFailure
	}
	return OutcomeUnknown
}
