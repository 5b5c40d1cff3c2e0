// SPDX-License-Identifier: Apache-2.0

package dissect

// ldapStream looks for StartTLS at the beginning of an LDAP session, and hands over to TLS (RFC 4511 section 4.14).
type ldapStream struct {
	pos     [2]int
	count   [2]int
	asked   bool   // StartTLS was asked for and not answered yet: the client says nothing until then
	id      uint32 // message number of that
	stopped bool
	tunnel  *handover
}

const (
	ldapMessage          = 0x30
	ldapExtendedRequest  = 0x77
	ldapExtendedResponse = 0x78
	ldapStartTLS         = "1.3.6.1.4.1.1466.20037"
	// maxLDAPMessages is how far it is looked for: it stands first, or behind a question for the abilities of the server.
	maxLDAPMessages = 16
)

// looksLDAP tells a bind, a search or StartTLS (RFC 4511 section 4): a sequence of a message number and an operation.
func looksLDAP(head []byte, _ bool, _ Ports) verdict {
	if head[0] != 0x30 {
		return no
	}
	body, ok := berBody(head)
	switch {
	case !ok && len(head) < 6:
		return maybe
	case !ok:
		return no
	case len(body) < 2:
		return maybe
	case body[0] != 2 || body[1] == 0 || body[1] > 4:
		return no
	case len(body) <= 2+int(body[1]):
		return maybe
	}
	const bind, search, extended = 0x60, 0x63, 0x77
	op := body[2+int(body[1]):]
	if op[0] != bind && op[0] != search && op[0] != extended {
		return no
	}
	body, ok = berBody(op)
	switch {
	case len(op) < 7 && !ok, ok && len(body) < 2:
		return maybe
	case !ok:
		return no
	case op[0] == bind:
		return startsWithAny(body, "\x02\x01\x03", "\x02\x01\x02")
	case op[0] == search:
		return yesIf(body[0] == 4)
	}
	return yesIf(body[0] == 0x80)
}

func (l *ldapStream) feed(dir int, head []byte, final bool, sink Sink) int {
	for l.tunnel == nil && !l.stopped {
		if dir == FromClient && l.asked {
			return len(head) + 1
		}
		b := head[min(l.pos[dir], len(head)):]
		n, size, v := berHead(b)
		switch {
		case len(b) > 0 && b[0] != ldapMessage, v == no, l.count[dir] == maxLDAPMessages, l.pos[dir]+n+size > headLimit:
			l.stopped = true // of another protection layer, or too far
			return 0
		case v == maybe:
			return len(head) + 1
		case len(b) < n+size:
			return l.pos[dir] + n + size
		}
		l.pos[dir] += n + size
		l.count[dir]++
		l.message(dir, b[n:n+size])
	}
	if l.tunnel != nil {
		return l.tunnel.feed(dir, head, final, sink)
	}
	return 0
}

// message takes what is within a message: its number and the operation.
func (l *ldapStream) message(dir int, b []byte) {
	id, op, ok := berInteger(b, 2)
	if !ok {
		return
	}
	tag, body, _, ok := berNext(op)
	switch {
	case !ok:
	case dir == FromClient && tag == ldapExtendedRequest:
		if name, _, ok := berTagged(body, 0x80); ok && string(name) == ldapStartTLS {
			l.asked, l.id = true, id
		}
	case dir == FromServer && tag == ldapExtendedResponse && l.asked && id == l.id:
		l.asked = false
		if code, _, ok := berInteger(body, 0x0a); ok && code == 0 {
			l.tunnel = &handover{from: l.pos}
		}
	}
}
