// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "snmp",
	Signs: "sequence of the length of the datagram, version, community or header of version 3",
	Ports: "161, 162 for a malformed request",
	Reads: "answered requests of versions 1 and 2c, identity",
	Login: protocol.LoginExplicit,
	Datagrams: []protocol.Datagram{
		{Order: 300, First: "00", Looks: LooksSNMP, New: NewSNMP},
	},
})

// snmpDatagrams reads the login that every request of SNMP 1 and 2c is. The community is a password in clear text: it is
// compared with the default ones and forgotten. An agent answers only if it is right (RFC 3584 section 5.2), so
// only answered requests are reported. What agents say of themselves in answers, traps and engine ids is reported, too.
type snmpDatagrams struct {
	count    int
	opener   int // who sent the first datagram
	client   int // who asked last
	asked    bool
	defaults bool
	id       uint32
	login    bool // was reported
	infos    []dissect.DeviceInfo
}

// NewSNMP returns a dissector of SNMP.
func NewSNMP() dissect.Datagrams { return new(snmpDatagrams) }

// maxSNMP is the number of datagrams without an answer after which a session is no longer read.
const maxSNMP = 16

// snmpMessage is what is read of a message of version 1 or 2c.
type snmpMessage struct {
	community []byte
	pdu       byte
	id, err   uint32 // request-id, error-status
	variables []byte // after the error-status; all of a trap of version 1
}

// LooksSNMP checks the structure of a message: a sequence of the right length, the version, then a community and a
// request (versions 1 and 2c) or the header of version 3 (RFC 3416, RFC 3412). On the ports of SNMP the request may be
// malformed.
func LooksSNMP(b []byte, ports dissect.Ports) bool {
	if len(b) < 12 || b[0] != 0x30 {
		return false
	}
	body, ok := parse.BERExact(b)
	if !ok || len(body) < 8 || body[0] != 2 || body[1] != 1 {
		return false
	}
	switch body[2] {
	case 0, 1:
		n := 5 + int(body[4])
		return body[3] == 4 && body[4] < 0x80 && n < len(body) && (body[n] >= 0xa0 && body[n] <= 0xa8 || ports.Has(161, 162))
	case 3:
		return body[3] == 0x30
	}
	return false
}

func (s *snmpDatagrams) Datagram(dir int, data []byte, sink dissect.Sink) bool {
	const get, next, response, set, bulk, inform, trap2 = 0xa0, 0xa1, 0xa2, 0xa3, 0xa5, 0xa6, 0xa7
	const authorizationError = 16
	if s.count++; s.count == 1 {
		s.opener = dir
	}
	m, ok := readSNMP(data)
	if !ok {
		if dir != s.opener { // of version 3: an answer has the engine id of the agent that sent it
			s.report(snmpEngine(data), sink)
		}
		return s.count < maxSNMP
	}
	switch m.pdu {
	case get, next, set, bulk:
		s.client, s.asked, s.id = dir, true, m.id
		s.defaults = logins.IsDefaultCommunity(m.community)
	case response:
		if !s.asked || dir == s.client || m.id != s.id || m.err == authorizationError {
			break
		}
		if !s.login {
			s.login = true
			sink(&dissect.Login{Protocol: "snmp", Result: dissect.OutcomeSuccess, DefaultCredentials: s.defaults, CleartextCredentials: true})
		}
		s.report(snmpVariables(m.variables), sink)
	case inform, trap2:
		s.report(snmpVariables(m.variables), sink)
	case snmpTrap1:
		s.report(snmpTrap(m.variables), sink)
	}
	return s.count < maxSNMP
}

// snmpTrap1 is the tag of a trap of version 1, which has another form than other messages.
const snmpTrap1 = 0xa4

// readSNMP reads a message of version 1 or 2c (RFC 1157 section 4, RFC 1901 section 3).
func readSNMP(b []byte) (m snmpMessage, ok bool) {
	const version2c = 1
	seq, _, ok := parse.BERTagged(b, 0x30)
	if !ok {
		return m, false
	}
	version, rest, ok := parse.BERInteger(seq, 2)
	if !ok || version > version2c {
		return m, false
	}
	m.community, rest, ok = parse.BERTagged(rest, 4)
	if !ok {
		return m, false
	}
	m.pdu, rest, _, ok = parse.BERNext(rest)
	switch {
	case !ok:
		return m, false
	case m.pdu == snmpTrap1:
		m.variables = rest
		return m, true
	}
	m.id, rest, ok = parse.BERInteger(rest, 2)
	if ok {
		m.err, rest, ok = parse.BERInteger(rest, 2)
	}
	if _, after, has := parse.BERTagged(rest, 2); has { // error-index
		m.variables, _, _ = parse.BERTagged(after, tagSequence)
	}
	return m, ok
}
