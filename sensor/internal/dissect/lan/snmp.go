// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// snmpDatagrams reads the login that every request of SNMP 1 and 2c is. The community is a password in clear: it is
// compared with the two default ones and forgotten. An agent answers only if it is right (RFC 3584 section 5.2), so
// only answered requests are reported.
type snmpDatagrams struct {
	count    int
	client   int // who asked last
	asked    bool
	defaults bool
	id       uint32
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
	const get, next, response, set, bulk = 0xa0, 0xa1, 0xa2, 0xa3, 0xa5
	const authorizationError = 16
	s.count++
	m, ok := readSNMP(data)
	if !ok {
		return s.count < maxSNMP
	}
	switch m.pdu {
	case get, next, set, bulk:
		s.client, s.asked, s.id = dir, true, m.id
		s.defaults = string(m.community) == "public" || string(m.community) == "private"
	case response:
		if s.asked && dir != s.client && m.id == s.id && m.err != authorizationError {
			sink(&dissect.Login{Protocol: "snmp", Result: dissect.OutcomeSuccess, DefaultCredentials: s.defaults, CleartextCredentials: true})
			return false
		}
	}
	return s.count < maxSNMP
}

// readSNMP reads a message of version 1 or 2c (RFC 1157 section 4, RFC 1901 section 3) up to the error status.
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
	if !ok {
		return m, false
	}
	m.id, rest, ok = parse.BERInteger(rest, 2)
	if ok {
		m.err, _, ok = parse.BERInteger(rest, 2)
	}
	return m, ok
}
