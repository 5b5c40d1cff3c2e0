// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "sip",
	Signs: "request line or status line; UDP: keep-alive",
	Ports: "5060 for a keep-alive (UDP)",
	Reads: "programs, logins",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 120, Looks: LooksSIPRequest, New: NewSIP},
		{From: protocol.Server, Order: 120, Looks: LooksSIPResponse, New: NewSIP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 290, First: "\n\n\r\rAZhh", Looks: LooksSIPDatagram, New: NewSIPDatagrams},
	},
})

// LooksSIPDatagram also accepts what phones send on the port of SIP to keep a mapping alive: line ends (RFC 5626
// section 3.5.1) and, from some, the word "hello".
func LooksSIPDatagram(b []byte, ports dissect.Ports) bool {
	if ports.Has(5060) && (string(b) == "\r\n\r\n" || string(b) == "\r\n" || string(b) == "hello") {
		return true
	}
	return len(b) > 0 && (LooksSIPRequest(b, true, ports) == match.Yes || LooksSIPResponse(b, true, ports) == match.Yes)
}

// LooksSIPRequest recognizes the request line of SIP.
func LooksSIPRequest(head []byte, final bool, _ dissect.Ports) match.Verdict {
	return requestLine(head, final, " SIP/2.0", func(_, target []byte) bool {
		return bytes.HasPrefix(target, []byte("sip:")) || bytes.HasPrefix(target, []byte("sips:"))
	})
}

// LooksSIPResponse recognizes the status line of SIP.
func LooksSIPResponse(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return statusLine(head, "SIP/2.")
}

// sip reads SIP (RFC 3261): the programs of both sides, and logins, which are requests with credentials and their answers.
type sip struct {
	requests []sipRequest // with credentials and without an answer, oldest first
	auth     authState
	named    [2]bool // the program of a side was reported
	count    int     // messages
	reported int     // logins
}

// sipRequest is a request that waits for the response with the same CSeq, which comes from the other side.
type sipRequest struct {
	creds    credentials
	dir      int
	register bool
	cseq     int
}

// Bounds of a session.
const (
	maxSIPRequests = 8
	maxSIPMessages = 512
)

// message reads one message, by its start line, and returns the length of its body. more is false if no further ones are needed.
func (s *sip) message(dir int, m message, sink dissect.Sink) (body int, more bool) {
	line := m.line
	response := bytes.HasPrefix(line, []byte("SIP/2."))
	q := sipRequest{dir: dir, register: bytes.HasPrefix(line, []byte("REGISTER ")), cseq: -1}
	method, _ := parse.Word(line)
	var program []byte
	var asked challenges
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "cseq"):
			q.cseq, _ = parse.Number(value)
		case parse.FoldEqual(name, "user-agent"), parse.FoldEqual(name, "server"):
			program = value
		case parse.FoldEqual(name, "content-length"), parse.FoldEqual(name, "l"):
			body, _ = parse.Number(value)
		case !response && (parse.FoldEqual(name, "authorization") || parse.FoldEqual(name, "proxy-authorization")):
			q.creds = readAuthorization(string(method), value)
		case response && (parse.FoldEqual(name, "www-authenticate") || parse.FoldEqual(name, "proxy-authenticate")):
			asked.read(value)
		}
	}
	if text := mask.Text(program, dissect.MaxBanner); text != "" && !s.named[dir] {
		s.named[dir] = true
		sink(&dissect.Banner{Protocol: "sip", Text: text, Client: dir == dissect.FromClient})
	}
	if response {
		_, rest := parse.Word(line)
		status, _ := parse.Number(rest)
		s.response(1-dir, q.cseq, status, &asked, sink)
	} else if q.creds.scheme != "" {
		if len(s.requests) == maxSIPRequests {
			s.report(s.take(0), dissect.OutcomeUnknown, sink)
		}
		s.requests = append(s.requests, q)
	}
	s.count++
	return body, s.count < maxSIPMessages && s.reported < logins.MaxAttempts
}

// response reports the login that a response with a final status decides. A registrar refuses a wrong password with 401, and some with 403
// (Forbidden); a proxy asks for credentials with 407.
func (s *sip) response(dir, cseq, status int, asked *challenges, sink dissect.Sink) {
	if status < 200 {
		return
	}
	for i := range s.requests {
		if q := &s.requests[i]; q.dir != dir || q.cseq != cseq {
			continue
		}
		q := s.take(i)
		if status == 407 {
			status = 401
		}
		result := s.auth.outcome(&q.creds, status, asked)
		if status == 403 && q.register {
			result = dissect.OutcomeFailure
		}
		s.report(q, result, sink)
		return
	}
}

func (s *sip) take(i int) sipRequest {
	q := s.requests[i]
	s.requests = append(s.requests[:i], s.requests[i+1:]...)
	return q
}

func (s *sip) report(q sipRequest, result dissect.Outcome, sink dissect.Sink) {
	s.reported++
	sink(&dissect.Login{Protocol: "sip", UserHint: q.creds.userHint, Result: result, DefaultCredentials: s.auth.isDefault(&q.creds, result), CleartextCredentials: q.creds.cleartext})
}

// end reports the logins whose answers were not seen.
func (s *sip) end(sink dissect.Sink) {
	for len(s.requests) > 0 {
		s.report(s.take(0), dissect.OutcomeUnknown, sink)
	}
}

// sipStream reads SIP over TCP.
type sipStream struct {
	sip
	pos  [2]int
	done bool
}

// NewSIP returns a dissector of SIP over TCP.
func NewSIP() dissect.Stream { return new(sipStream) }

// Feed reads one direction; see dissect.Stream.
func (s *sipStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for !s.done && s.pos[dir] <= dissect.HeadLimit {
		m, ok := message{}, false
		if pos := s.pos[dir]; pos < len(head) {
			m, ok = readMessage(head, pos, final)
		}
		if !ok {
			if final && dir == dissect.FromServer {
				s.end(sink)
			}
			return max(len(head), s.pos[dir]) + 1
		}
		body, more := s.message(dir, m, sink)
		s.pos[dir], s.done = m.end+body, !more
	}
	return 0
}

// sipDatagrams reads SIP over UDP, where a datagram is a message.
type sipDatagrams struct{ sip }

// NewSIPDatagrams returns a dissector of SIP over UDP.
func NewSIPDatagrams() dissect.Datagrams { return new(sipDatagrams) }

// Datagram reads one message; see dissect.Datagrams. Keep-alives have none.
func (s *sipDatagrams) Datagram(dir int, data []byte, sink dissect.Sink) bool {
	m, ok := readMessage(data, 0, true)
	if !ok {
		s.count++
		return s.count < maxSIPMessages
	}
	_, more := s.message(dir, m, sink)
	return more
}
