// SPDX-License-Identifier: Apache-2.0

// Package directory reads logins, TLS and NTLM in LDAP, and recognizes Kerberos, RADIUS and Diameter.
package directory

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ldap",
	Signs: "number and operation of a bind, a search or StartTLS",
	Reads: "logins by simple bind, TLS after StartTLS; NTLM: computer, version of Windows",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 210, Looks: LooksLDAP, New: NewLDAP},
	},
})

// ldapStream looks for StartTLS at the beginning of an LDAP session, and reads the TLS behind it (RFC 4511 section
// 4.14). It reads simple binds, and what both sides say of themselves in a login by NTLM.
type ldapStream struct {
	login   logins.Attempt
	bind    uint32 // message number of the bind that waits for its answer
	pos     [2]int
	count   [2]int
	asked   bool   // StartTLS was requested and not answered yet; until then the client is silent
	id      uint32 // message number of the request
	stopped bool
	tunnel  *tls.Upgrade
}

// NewLDAP returns a dissector of LDAP.
func NewLDAP() dissect.Stream { return &ldapStream{login: logins.Attempt{Protocol: "ldap"}} }

const (
	ldapMessage          = 0x30
	ldapBindRequest      = 0x60
	ldapBindResponse     = 0x61
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
	ldapStartTLS         = "1.3.6.1.4.1.1466.20037"
	// maxLDAPMessages is how many messages are searched: StartTLS is the first, or follows a query for the features of
	// the server.
	maxLDAPMessages = 16
)

// LooksLDAP recognizes a bind, a search or StartTLS (RFC 4511 section 4): a sequence of a message number and an operation.
func LooksLDAP(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if head[0] != 0x30 {
		return match.No
	}
	body, ok := parse.BERBody(head)
	switch {
	case !ok && len(head) < 6:
		return match.Maybe
	case !ok:
		return match.No
	case len(body) < 2:
		return match.Maybe
	case body[0] != 2 || body[1] == 0 || body[1] > 4:
		return match.No
	case len(body) <= 2+int(body[1]):
		return match.Maybe
	}
	const bind, search, extended = 0x60, 0x63, 0x77
	op := body[2+int(body[1]):]
	if op[0] != bind && op[0] != search && op[0] != extended {
		return match.No
	}
	body, ok = parse.BERBody(op)
	switch {
	case len(op) < 7 && !ok, ok && len(body) < 2:
		return match.Maybe
	case !ok:
		return match.No
	case op[0] == bind:
		return match.AnyPrefix(body, "\x02\x01\x03", "\x02\x01\x02")
	case op[0] == search:
		return match.If(body[0] == 4)
	}
	return match.If(body[0] == 0x80)
}

// Feed reads one direction; see dissect.Stream.
func (l *ldapStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	want := l.read(dir, head, final, sink)
	if l.stopped || final && dir == dissect.FromServer {
		l.login.Result(dissect.OutcomeUnknown, sink)
	}
	return want
}

func (l *ldapStream) read(dir int, head []byte, final bool, sink dissect.Sink) int {
	for l.tunnel == nil && !l.stopped {
		if dir == dissect.FromClient && l.asked {
			return len(head) + 1
		}
		b := head[min(l.pos[dir], len(head)):]
		n, size, v := parse.BERHead(b)
		switch {
		case len(b) > 0 && b[0] != ldapMessage, v == match.No, l.count[dir] == maxLDAPMessages, l.pos[dir]+n+size > dissect.HeadLimit:
			l.stopped = true // of another protection layer, or too far
			return 0
		case v == match.Maybe:
			return len(head) + 1
		case len(b) < n+size:
			return l.pos[dir] + n + size
		}
		l.pos[dir] += n + size
		l.count[dir]++
		l.message(dir, b[n:n+size], sink)
	}
	if l.tunnel != nil {
		return l.tunnel.Feed(dir, head, final, sink)
	}
	return 0
}

// message reads the contents of a message: its number and the operation.
func (l *ldapStream) message(dir int, b []byte, sink dissect.Sink) {
	id, op, ok := parse.BERInteger(b, 2)
	if !ok {
		return
	}
	tag, body, _, ok := parse.BERNext(op)
	switch {
	case !ok:
	case dir == dissect.FromClient && tag == ldapBindRequest && l.simple(id, body, sink):
	case tag == ldapBindRequest || tag == ldapBindResponse:
		if dir == dissect.FromServer && id == l.bind {
			l.bound(body, sink)
		}
		if d := announce.NTLM(body); d != nil { // within SASL (MS-ADTS section 5.1.1.1)
			sink(d)
		}
	case dir == dissect.FromClient && tag == ldapExtendedRequest:
		if name, _, ok := parse.BERTagged(body, 0x80); ok && string(name) == ldapStartTLS {
			l.asked, l.id = true, id
		}
	case dir == dissect.FromServer && tag == ldapExtendedResponse && l.asked && id == l.id:
		l.asked = false
		if code, _, ok := parse.BERInteger(body, 0x0a); ok && code == 0 {
			l.tunnel = &tls.Upgrade{From: l.pos}
		}
	}
}

// simple reads a bind with a name and a password (RFC 4511 section 4.2). Without a password it is no login (RFC 4513 section 5.1).
func (l *ldapStream) simple(id uint32, body []byte, sink dissect.Sink) bool {
	const octets, simple = 4, 0x80
	_, rest, ok := parse.BERInteger(body, 2) // version
	if !ok {
		return false
	}
	name, rest, ok := parse.BERTagged(rest, octets)
	if !ok {
		return false
	}
	password, _, ok := parse.BERTagged(rest, simple)
	if !ok || len(password) == 0 {
		return false
	}
	l.login.Result(dissect.OutcomeUnknown, sink) // of an earlier one without an answer
	l.bind = id
	l.login.Name(ldapUser(name))
	l.login.Password(password)
	return true
}

// bound reads the result of a bind (RFC 4511 section 4.1.9).
func (l *ldapStream) bound(body []byte, sink dissect.Sink) {
	const enumerated, success, invalidCredentials = 0x0a, 0, 49
	result := dissect.OutcomeUnknown
	switch code, _, ok := parse.BERInteger(body, enumerated); {
	case ok && code == success:
		result = dissect.OutcomeSuccess
	case ok && code == invalidCredentials:
		result = dissect.OutcomeFailure
	}
	l.login.Result(result, sink)
}

// ldapUser returns the user name in a bind: the first value of a distinguished name (RFC 4514), or the name before the domain of a directory
// of Windows (MS-ADTS section 5.1.1.1.1).
func ldapUser(name []byte) []byte {
	if first, _, _ := bytes.Cut(name, []byte(",")); bytes.IndexByte(first, '=') >= 0 {
		_, value, _ := bytes.Cut(first, []byte("="))
		return bytes.TrimSpace(value)
	}
	name = name[bytes.LastIndexByte(name, '\\')+1:]
	user, _, _ := bytes.Cut(name, []byte("@"))
	return user
}
