// SPDX-License-Identifier: Apache-2.0

// Package database reads the logins of MySQL, PostgreSQL and Redis and the versions of database servers, and recognizes other databases.
package database

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mysql",
	Signs: "handshake with a version; error",
	Ports: "3306 for an error",
	Reads: "version, logins, TLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 330, Looks: LooksMySQL, New: NewMySQL},
	},
})

// mysqlStream reads the login of MySQL: the server's greeting, the client's first answer, which may be a request for
// TLS (then both continue in TLS at once), and the server's reply. (MySQL client/server protocol, Connection Phase.)
type mysqlStream struct {
	login   logins.Attempt
	tunnel  tls.Upgrade
	pos     int // of the next packet of the server
	greeted bool
	tls     bool
	asked   bool // the login was seen
	stopped bool
	salt    [20]byte // of the greeting
}

// NewMySQL returns a dissector of MySQL.
func NewMySQL() dissect.Stream { return &mysqlStream{login: logins.Attempt{Protocol: "mysql"}} }

const (
	mysqlHeadLen = 4 // length of 3 bytes, number
	mysqlRequest = mysqlHeadLen + 32
)

// LooksMySQL recognizes the greeting of the server: a packet with number 0, protocol 10, a version in text (MySQL
// internals, Protocol::HandshakeV10). On the port of MySQL it also accepts an error packet.
func LooksMySQL(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const headLen, maxVersion = 5, 64
	if len(head) < headLen {
		return match.Maybe
	}
	size := mysqlSize(head)
	switch {
	case head[3] != 0 || size < 8 || size > 512:
		return match.No
	case head[4] == 0xff:
		return match.If(ports.Has(3306))
	case head[4] != 10:
		return match.No
	}
	version := head[headLen:min(len(head), headLen+maxVersion)]
	end := bytes.IndexByte(version, 0)
	switch {
	case end > 0:
		return match.If(parse.IsPlain(version[:end]) && version[0] >= '0' && version[0] <= '9')
	case end < 0 && len(version) < maxVersion && parse.IsPlain(version):
		return match.Maybe
	}
	return match.No
}

func mysqlSize(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func (m *mysqlStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if dir == dissect.FromServer && !m.tls {
		return m.server(head, final, sink)
	}
	switch {
	case m.stopped || m.asked:
		return 0
	case len(head) < mysqlHeadLen:
		return mysqlHeadLen
	case !m.tls:
		switch v := mysqlWantsTLS(head); v {
		case match.Maybe:
			return len(head) + 1
		case match.No:
			return m.client(head)
		}
		m.tls, m.tunnel.From[dir] = true, mysqlRequest
	}
	return m.tunnel.Feed(dir, head, final, sink)
}

// client reads the user name of a login (Protocol::HandshakeResponse41). What follows it is a hash.
func (m *mysqlStream) client(head []byte) int {
	const fixed, protocol41 = 32, 0x200
	end := mysqlHeadLen + mysqlSize(head)
	switch {
	case head[3] != 1 || end < mysqlHeadLen+fixed+1 || end > dissect.HeadLimit:
		m.stopped = true
		return 0
	case len(head) < end:
		return end
	}
	body := head[mysqlHeadLen:end]
	user, _, ok := bytes.Cut(body[fixed:], []byte{0})
	if m.stopped = !ok || binary.LittleEndian.Uint32(body)&protocol41 == 0; !m.stopped {
		m.asked = true
		m.login.Name(user)
		m.login.Prove(m.check(user, body[fixed+len(user)+1:]))
	}
	return 0
}

// readSalt notes the random bytes of the greeting: eight behind the version and the number of the connection, and twelve after the
// capabilities.
func (m *mysqlStream) readSalt(greeting []byte) {
	const number, capabilities, first = 4, 19, 8
	_, b, ok := bytes.Cut(greeting[1:], []byte{0})
	if rest := number + first + capabilities; ok && len(b) >= rest+len(m.salt)-first {
		copy(m.salt[:], b[number:number+first])
		copy(m.salt[first:], b[rest:])
	}
}

// check returns the check of mysql_native_password: SHA-1 of the password, XOR SHA-1 of the salt and the hash of that hash. An empty password
// has an empty proof.
func (m *mysqlStream) check(user, proof []byte) logins.Check {
	if len(proof) == 0 || int(proof[0]) > len(proof)-1 || proof[0] != 0 && proof[0] != sha1.Size || !logins.Known(user) {
		return logins.Check{}
	}
	salt, empty, sent := m.salt, proof[0] == 0, logins.ProofOf(proof[1:1+proof[0]])
	return logins.NewCheck(user, func(password string) bool {
		if password == "" || empty {
			return password == "" && empty
		}
		once := sha1.Sum([]byte(password))
		twice := sha1.Sum(once[:])
		sum := sha1.Sum(append(salt[:], twice[:]...))
		for i := range sum {
			sum[i] ^= once[i]
		}
		return sent.Is(string(sum[:]))
	})
}

// server reads packets up to the result. A request to use another method and the steps of a method may precede it.
func (m *mysqlStream) server(head []byte, final bool, sink dissect.Sink) int {
	const ok, more, change, failed = 0, 1, 0xfe, 0xff
	for !m.stopped {
		if m.greeted && !m.asked {
			return len(head) + 1
		}
		b := head[min(m.pos, len(head)):]
		if len(b) < mysqlHeadLen || len(b) < mysqlHeadLen+mysqlSize(b) {
			if final {
				m.login.Result(dissect.OutcomeUnknown, sink)
			}
			return max(len(head), m.pos+mysqlHeadLen-1) + 1
		}
		size := mysqlSize(b)
		body := b[mysqlHeadLen : mysqlHeadLen+size]
		m.pos += mysqlHeadLen + size
		switch {
		case m.pos > dissect.HeadLimit || size == 0:
			m.stopped = true
		case !m.greeted:
			m.greeted, m.tunnel.From[dissect.FromServer], m.stopped = true, m.pos, body[0] == failed
			if !m.stopped {
				reportVersion("mysql", parse.CString(body[1:]), sink)
			}
			m.readSalt(body)
		case body[0] == ok:
			m.login.Result(dissect.OutcomeSuccess, sink)
			m.stopped = true
		case body[0] == failed:
			m.login.Result(mysqlError(body), sink)
			m.stopped = true
		case body[0] != more && body[0] != change:
			m.stopped = true
		default:
			m.login.Prove(logins.Check{}) // another proof follows
		}
	}
	return 0
}

// mysqlError distinguishes wrong names and passwords from other errors: a full or locked server has checked no
// password.
func mysqlError(body []byte) dissect.Outcome {
	const denied, deniedWithout = 1045, 1698
	if len(body) < 3 {
		return dissect.OutcomeUnknown
	}
	if code := binary.LittleEndian.Uint16(body[1:]); code == denied || code == deniedWithout {
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// mysqlWantsTLS reads the first packet of a client: the first half of a login, of fixed length, with the flag for TLS.
func mysqlWantsTLS(b []byte) match.Verdict {
	const clientSSL = 0x800
	switch {
	case mysqlHeadLen+mysqlSize(b) != mysqlRequest || b[3] != 1:
		return match.No
	case len(b) < mysqlRequest:
		return match.Maybe
	}
	return match.If(binary.LittleEndian.Uint32(b[mysqlHeadLen:])&clientSSL != 0)
}
