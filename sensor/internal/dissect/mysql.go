// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
)

// mysqlStream reads the login: the greeting of the server, the first answer of the client, which may be a request for TLS (then both go on
// in TLS at once), and what the server says of it. (MySQL client/server protocol, Connection Phase.)
type mysqlStream struct {
	login   attempt
	tunnel  handover
	pos     int // of the next packet of the server
	greeted bool
	tls     bool
	asked   bool // the login was seen
	stopped bool
}

func openMySQL(*Conversation) streamDissector { return &mysqlStream{login: attempt{protocol: "mysql"}} }

const (
	mysqlHeadLen = 4 // length of 3 bytes, number
	mysqlRequest = mysqlHeadLen + 32
)

// looksMySQL tells the greeting of the server: a packet with number 0, protocol 10, a version in text (MySQL internals,
// Protocol::HandshakeV10); or an error packet where MySQL is expected.
func looksMySQL(head []byte, _ bool, ports Ports) verdict {
	const headLen, maxVersion = 5, 64
	if len(head) < headLen {
		return maybe
	}
	size := mysqlSize(head)
	switch {
	case head[3] != 0 || size < 8 || size > 512:
		return no
	case head[4] == 0xff:
		return yesIf(ports.has(3306))
	case head[4] != 10:
		return no
	}
	version := head[headLen:min(len(head), headLen+maxVersion)]
	end := bytes.IndexByte(version, 0)
	switch {
	case end > 0:
		return yesIf(isPlain(version[:end]) && version[0] >= '0' && version[0] <= '9')
	case end < 0 && len(version) < maxVersion && isPlain(version):
		return maybe
	}
	return no
}

func mysqlSize(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func (m *mysqlStream) feed(dir int, head []byte, final bool, sink Sink) int {
	if dir == FromServer && !m.tls {
		return m.server(head, final, sink)
	}
	switch {
	case m.stopped || m.asked:
		return 0
	case len(head) < mysqlHeadLen:
		return mysqlHeadLen
	case !m.tls:
		switch v := mysqlWantsTLS(head); v {
		case maybe:
			return len(head) + 1
		case no:
			return m.client(head)
		}
		m.tls, m.tunnel.from[dir] = true, mysqlRequest
	}
	return m.tunnel.feed(dir, head, final, sink)
}

// client reads the user name of a login (Protocol::HandshakeResponse41). What follows it is a hash.
func (m *mysqlStream) client(head []byte) int {
	const fixed, protocol41 = 32, 0x200
	end := mysqlHeadLen + mysqlSize(head)
	switch {
	case head[3] != 1 || end < mysqlHeadLen+fixed+1 || end > headLimit:
		m.stopped = true
		return 0
	case len(head) < end:
		return end
	}
	body := head[mysqlHeadLen:end]
	user, _, ok := bytes.Cut(body[fixed:], []byte{0})
	if m.stopped = !ok || binary.LittleEndian.Uint32(body)&protocol41 == 0; !m.stopped {
		m.asked = true
		m.login.name(user)
		m.login.proof()
	}
	return 0
}

// server reads packets up to the result; a request to use another method and the steps of a method come before it.
func (m *mysqlStream) server(head []byte, final bool, sink Sink) int {
	const ok, more, change, failed = 0, 1, 0xfe, 0xff
	for !m.stopped {
		if m.greeted && !m.asked {
			return len(head) + 1
		}
		b := head[min(m.pos, len(head)):]
		if len(b) < mysqlHeadLen || len(b) < mysqlHeadLen+mysqlSize(b) {
			if final {
				m.login.result(OutcomeUnknown, sink)
			}
			return max(len(head), m.pos+mysqlHeadLen-1) + 1
		}
		size := mysqlSize(b)
		body := b[mysqlHeadLen : mysqlHeadLen+size]
		m.pos += mysqlHeadLen + size
		switch {
		case m.pos > headLimit || size == 0:
			m.stopped = true
		case !m.greeted:
			m.greeted, m.tunnel.from[FromServer], m.stopped = true, m.pos, body[0] == failed
		case body[0] == ok:
			m.login.result(OutcomeSuccess, sink)
			m.stopped = true
		case body[0] == failed:
			m.login.result(mysqlError(body), sink)
			m.stopped = true
		case body[0] != more && body[0] != change:
			m.stopped = true
		}
	}
	return 0
}

// mysqlError tells wrong names and passwords from other errors: a full or locked server has judged none.
func mysqlError(body []byte) Outcome {
	const denied, deniedWithout = 1045, 1698
	if len(body) < 3 {
		return OutcomeUnknown
	}
	if code := binary.LittleEndian.Uint16(body[1:]); code == denied || code == deniedWithout {
		return OutcomeFailure
	}
	return OutcomeUnknown
}

// mysqlWantsTLS reads the first packet of a client: the first half of a login, of fixed length, with the flag for TLS.
func mysqlWantsTLS(b []byte) verdict {
	const clientSSL = 0x800
	switch {
	case mysqlHeadLen+mysqlSize(b) != mysqlRequest || b[3] != 1:
		return no
	case len(b) < mysqlRequest:
		return maybe
	}
	return yesIf(binary.LittleEndian.Uint32(b[mysqlHeadLen:])&clientSSL != 0)
}
