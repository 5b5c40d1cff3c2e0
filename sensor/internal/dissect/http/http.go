// SPDX-License-Identifier: Apache-2.0

// Package http reads HTTP/1, RTSP and the logins of both, and recognizes the other protocols with their form of message: SIP, SSDP and
// WS-Discovery.
package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/camera/web"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "http",
	Signs: "request line or status line; printing by IPP is HTTP, too",
	Ports: "80, 8080 for HTTP/0.9",
	Reads: "requests, responses, logins; actions on cameras and their identity; TLS and mail behind CONNECT",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 20, Looks: LooksRequest, New: New},
		{From: protocol.Client, Order: 760, Looks: LooksSimple},
		{From: protocol.Server, Order: 20, Looks: LooksResponse, New: New},
	},
})

const (
	maxExchanges = 16   // exchanges that are read in a session
	maxTextBody  = 4096 // bytes of a body that are searched for a title or a login form
)

// messageState is how far one direction has come in its sequence of messages.
type messageState uint8

const (
	stateHead   messageState = iota // at the start of a message
	statePeek                       // the start of the body is needed
	stateBody                       // in a body of known length
	stateChunks                     // in a chunked body
	stateHold                       // after a CONNECT, until the response arrives
	stateDone                       // read no more
)

// side is one direction of an HTTP/1 session.
type side struct {
	state   messageState
	pos     int // offset of what to read next
	body    int // offset of the body of the current message
	peekEnd int // end of the part of it that is searched
	after   messageState
	framing framing
}

// Stream reads HTTP/1.0 and 1.1 (RFC 9112): the first maxExchanges exchanges within the stream heads. It reports each
// request when it was read, and again, completed, with its response.
type Stream struct {
	sides     [2]side
	request   *exchangeRequest    // the one being read
	response  *exchangeResponse   // the one being read
	requests  []*exchangeRequest  // waiting for their response, oldest first
	responses []*exchangeResponse // seen before their request
	room      [1]*exchangeRequest // of requests, for a client that waits for each response
	count     int                 // exchanges begun
	titled    bool                // a title was found
	auth      authState
	tunnel    *tunnel // after CONNECT, or RTSP in the answer to a GET
	posted    *postedRTSP
}

// New returns a dissector of HTTP.
func New() dissect.Stream { return new(Stream) }

// LooksRequest also accepts the preface of HTTP/2 with prior knowledge (RFC 9113 section 3.4), whose first line has the
// form of a request.
func LooksRequest(head []byte, final bool, _ dissect.Ports) match.Verdict {
	return requestLine(head, final, " HTTP/", func(method, target []byte) bool {
		switch string(method) {
		case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND":
			return bytes.HasPrefix(target, []byte("/")) || bytes.HasPrefix(target, []byte("http://"))
		}
		return false
	})
}

// LooksResponse recognizes the status line of HTTP/1.
func LooksResponse(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return statusLine(head, "HTTP/1.")
}

// Feed reads one direction; see dissect.Stream.
func (h *Stream) Feed(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	s := &h.sides[dir]
	for want == 0 && s.state != stateDone && h.tunnel == nil && h.posted == nil {
		want = h.step(dir, s, head, final, sink)
	}
	if h.tunnel != nil {
		return h.tunnel.Feed(dir, head, final, sink)
	}
	if h.posted != nil {
		return h.posted.Feed(dir, head, final, sink)
	}
	if final && dir == dissect.FromServer {
		s.state = stateDone
	}
	if h.sides[dissect.FromServer].state == stateDone {
		h.reportActions(sink)
	}
	switch {
	case dir == dissect.FromClient || len(h.responses) == 0:
		return want
	case final:
		h.reportResponses(sink)
	}
	return max(want, dissect.AtEnd)
}

// step reads one part of a message. It returns 0 if there may be more to read, otherwise the number of bytes needed.
func (h *Stream) step(dir int, s *side, head []byte, final bool, sink dissect.Sink) int {
	switch s.state {
	case stateHead:
		m, ok := readMessage(head, s.pos, final)
		switch {
		case m.line != nil && !startLine(dir, m.line):
			s.state = stateDone
			return 0
		case !ok:
			return len(head) + 1
		}
		s.body = m.end
		h.begin(dir, s, m)
	case statePeek:
		end := s.framing.end(head, s.body, s.peekEnd)
		if len(head) < end && !final {
			return min(end, s.framing.nextLook(len(head), end))
		}
		s.pos, s.state = s.body, s.after
		h.complete(dir, s, head[s.body:max(s.body, min(len(head), end))], sink)
	case stateBody:
		return s.passed(s.body+s.framing.length, len(head))
	case stateChunks:
		pos, done := skipChunks(head, s.pos)
		if want := s.passed(pos, len(head)); want != 0 || s.state == stateDone || done {
			return want
		}
		s.state = stateChunks
		return len(head) + 1
	case stateHold:
		return len(head) + 1
	}
	return 0
}

// passed continues with the next message at pos once the stream is that long. If it never will be, the side is done.
func (s *side) passed(pos, have int) (want int) {
	s.pos = pos
	switch {
	case pos > dissect.HeadLimit:
		s.state = stateDone
	case have < pos:
		return pos
	default:
		s.state = stateHead
	}
	return 0
}

// begin reads the start line and the header fields, and decides how to read the body.
func (h *Stream) begin(dir int, s *side, m message) {
	var peek int
	if dir == dissect.FromClient {
		r := readHTTPRequest(m)
		h.request, s.framing, peek = r, r.framing, r.peek
	} else {
		r := readHTTPResponse(m)
		h.response, s.framing, peek = r, r.framing, r.peek
		if r.magic && (len(h.requests) == 0 || h.requests[0].Method != "GET") {
			r.magic = false // what follows the answer to CONNECT is no body
		}
		if !r.magic && (h.titled || r.peek == magicLen) {
			peek = 0
		}
		if len(h.requests) == 0 || h.requests[0].wantsReply() {
			peek = max(peek, r.replyPeek())
		}
		if r.describes() {
			peek = maxTextBody
		}
		if r.status < 200 || r.status == 204 || r.status == 304 || len(h.requests) > 0 && h.requests[0].Method == "HEAD" {
			s.framing, peek = framing{}, 0
		}
	}
	s.after = s.framing.state(dir)
	s.peekEnd, s.state = min(s.body+peek, max(s.body, dissect.HeadLimit)), statePeek
}

// startLine reports whether a line can start a message. What follows an upgrade or a malformed body cannot, and the
// preface of HTTP/2 only looks like one.
func startLine(dir int, line []byte) bool {
	if dir == dissect.FromServer {
		return bytes.HasPrefix(line, []byte("HTTP/"))
	}
	return methodLen(line) < len(line) && methodLen(line) > 0 && !bytes.HasPrefix(line, []byte("PRI * HTTP/2"))
}

// complete pairs a message that was read.
func (h *Stream) complete(dir int, s *side, body []byte, sink dissect.Sink) {
	if dir == dissect.FromClient {
		r := h.request
		h.request = nil
		r.readBody(body)
		exploited := r.exploited(body)
		h.addRequest(r, s, sink)
		if exploited != nil {
			sink(&exploited.fact)
		}
		if r.sender != nil {
			sink(r.sender)
		}
		return
	}
	r := h.response
	h.response = nil
	if r.status >= 100 && r.status < 200 && r.status != 101 {
		r.release()
		return // RFC 9110 section 15.2: the final response is still to come
	}
	if r.magic {
		r.program = programOf(plainBody(body, r.framing.chunked, false))
	} else if r.peek > 0 && !h.titled {
		r.title = htmlTitle(body)
		h.titled = r.title != ""
	}
	h.readResponse(r, body)
	if r.sender != nil {
		sink(r.sender)
	}
	if r.self != nil {
		sink(r.self)
	}
	h.addResponse(r, s, sink)
}

// readResponse reads the body of a response as far as the request or its type ask for it.
func (h *Stream) readResponse(p *exchangeResponse, body []byte) {
	wanted := len(h.requests) == 0 || h.requests[0].wantsReply()
	if !wanted && !p.describes() {
		return
	}
	plain := plainBody(body, p.framing.chunked, p.encoded)
	if wanted {
		p.reply.read(plain)
		p.device = web.ReadReply(plain)
	}
	if p.describes() {
		p.self = p.description(plain)
	}
}

func (h *Stream) addRequest(r *exchangeRequest, s *side, sink dissect.Sink) {
	r.Index = h.count
	r.end = s.pos
	h.count++
	if h.count >= maxExchanges {
		s.state = stateDone
	}
	if r.Method == "CONNECT" {
		s.state = stateHold
	}
	if len(h.responses) > 0 {
		p := h.responses[0]
		h.responses = h.responses[1:]
		h.pair(r, p, sink)
		p.release()
		return
	}
	sink(r.fact(nil, &h.auth))
	if h.requests == nil {
		h.requests = h.room[:0]
	}
	h.requests = append(h.requests, r)
	h.openRTSP(r, nil, sink)
}

func (h *Stream) addResponse(p *exchangeResponse, s *side, sink dissect.Sink) {
	p.end = s.body
	if len(h.requests) == 0 {
		if len(h.responses) < maxExchanges {
			h.responses = append(h.responses, p)
		} else {
			s.state = stateDone
		}
		return
	}
	r := h.requests[0]
	if h.requests = h.requests[1:]; len(h.requests) == 0 {
		h.requests = h.room[:0]
	}
	if len(h.requests) == 0 && h.count >= maxExchanges {
		s.state = stateDone
	}
	h.pair(r, p, sink)
	r.release()
	p.release()
}

// pair reports an exchange, and switches to what a CONNECT or an upgrade turns the session into.
func (h *Stream) pair(r *exchangeRequest, p *exchangeResponse, sink dissect.Sink) {
	sink(r.fact(p, &h.auth))
	r.reportAction(p, sink)
	client, server := &h.sides[dissect.FromClient], &h.sides[dissect.FromServer]
	switch {
	case r.Method == "CONNECT" && p.status/100 == 2:
		h.tunnel = &tunnel{from: [2]int{r.end, p.end}}
	case r.cookie != 0:
		h.openRTSP(r, p, sink)
	case p.status == 101:
		client.state, server.state = stateDone, stateDone
	case client.state == stateHold:
		client.state = stateHead
	}
}

// reportResponses reports the responses whose requests were not seen. Requests without a response were reported before.
func (h *Stream) reportResponses(sink dissect.Sink) {
	for i := range h.responses {
		if h.count >= maxExchanges {
			break
		}
		r := exchangeRequest{HTTPExchange: dissect.HTTPExchange{Index: h.count}}
		h.count++
		sink(r.fact(h.responses[i], &h.auth))
	}
	h.responses = nil
}

// LooksSimple recognizes a request of HTTP/0.9, "GET /path" (RFC 1945 section 4.1), also without the path, on the ports
// of HTTP: servers and scanners still understand it. Such a session is not read.
func LooksSimple(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const longest = 2048
	if !ports.Has(80, 8080) {
		return match.No
	}
	if v := match.Prefix(head, "GET"); v != match.Yes {
		return v
	}
	line, _, ok := parse.CutLine(head)
	switch {
	case !ok && len(head) < longest && !parse.HasControl(bytes.TrimSuffix(head, []byte("\r"))):
		return match.Maybe
	case !ok || parse.HasControl(line):
		return match.No
	}
	target := bytes.TrimLeft(line[len("GET"):], " ")
	return match.If(len(target) == 0 || target[0] == '/' && line[len("GET")] == ' ')
}
