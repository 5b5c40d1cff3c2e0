// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

const (
	maxExchanges = 16   // exchanges that are read of one session
	maxTextBody  = 4096 // bytes of a body that are looked at, for a title or a login form
)

// httpState is where in the sequence of messages one direction stands.
type httpState uint8

const (
	httpHead   httpState = iota // at the start of a message
	httpPeek                    // the start of the body is wanted
	httpBody                    // in a body whose end is known
	httpChunks                  // in a chunked body
	httpHold                    // after a CONNECT, until its answer is known
	httpDone                    // nothing more is read
)

// httpSide is one direction of an HTTP/1 session.
type httpSide struct {
	state   httpState
	pos     int // offset of what is read next
	body    int // offset of the body of the current message
	peekEnd int // how much of it is looked at
	after   httpState
	framing httpFraming
}

// httpStream reads HTTP/1.0 and 1.1 (RFC 9112): the first maxExchanges exchanges within the stream heads. Each request is
// given when it was read and, completed, with its response.
type httpStream struct {
	sides     [2]httpSide
	request   *httpRequest    // the one that is being read
	response  *httpResponse   // likewise
	requests  []*httpRequest  // that wait for their response, oldest first
	responses []*httpResponse // that were seen before their request
	room      [1]*httpRequest // of requests, for a client that waits for each answer
	count     int             // exchanges begun
	titled    bool            // a title was found
	auth      authMemory
	tunnel    *handover // after CONNECT
}

var httpIdentifier = streamIdentifier{app: AppID{"http"}, looks: looksHTTPRequest, open: openHTTP}

// looksHTTPRequest also takes the preface of HTTP/2 with prior knowledge (RFC 9113 section 3.4), whose first line has the
// form of a request.
func looksHTTPRequest(head []byte, final bool, _ Ports) verdict {
	return requestLine(head, final, " HTTP/", func(method, target []byte) bool {
		switch string(method) {
		case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND":
			return bytes.HasPrefix(target, []byte("/")) || bytes.HasPrefix(target, []byte("http://"))
		}
		return false
	})
}

func looksHTTPResponse(head []byte, _ bool, _ Ports) verdict { return statusLine(head, "HTTP/1.") }

func (h *httpStream) feed(dir int, head []byte, final bool, sink Sink) (want int) {
	s := &h.sides[dir]
	for want == 0 && s.state != httpDone && h.tunnel == nil {
		want = h.step(dir, s, head, final, sink)
	}
	switch {
	case h.tunnel != nil:
		return h.tunnel.feed(dir, head, final, sink)
	case dir == FromClient || len(h.responses) == 0:
		return want
	case final:
		h.giveResponses(sink)
	}
	return max(want, atEnd)
}

// step reads one part of a message. It returns 0 if there may be more to read, else the bytes that are wanted.
func (h *httpStream) step(dir int, s *httpSide, head []byte, final bool, sink Sink) int {
	switch s.state {
	case httpHead:
		m, ok := readMessage(head, s.pos, final)
		switch {
		case m.line != nil && !httpStartLine(dir, m.line):
			s.state = httpDone
			return 0
		case !ok:
			return len(head) + 1
		}
		s.body = m.end
		h.begin(dir, s, m)
	case httpPeek:
		end := s.framing.end(head, s.body, s.peekEnd)
		if len(head) < end && !final {
			return min(end, s.framing.nextLook(len(head), end))
		}
		s.pos, s.state = s.body, s.after
		h.complete(dir, s, head[s.body:max(s.body, min(len(head), end))], sink)
	case httpBody:
		return s.passed(s.body+s.framing.length, len(head))
	case httpChunks:
		pos, done := skipChunks(head, s.pos)
		if want := s.passed(pos, len(head)); want != 0 || s.state == httpDone || done {
			return want
		}
		s.state = httpChunks
		return len(head) + 1
	case httpHold:
		return len(head) + 1
	}
	return 0
}

// passed goes on with the next message at pos, when there are that many bytes; if there never will be, the side is done.
func (s *httpSide) passed(pos, have int) (want int) {
	s.pos = pos
	switch {
	case pos > headLimit:
		s.state = httpDone
	case have < pos:
		return pos
	default:
		s.state = httpHead
	}
	return 0
}

// begin reads the start line and the header fields, and says how the body is read.
func (h *httpStream) begin(dir int, s *httpSide, m message) {
	var peek int
	if dir == FromClient {
		r := readHTTPRequest(m)
		h.request, s.framing, peek = r, r.framing, r.peek
	} else {
		r := readHTTPResponse(m)
		h.response, s.framing, peek = r, r.framing, r.peek
		if h.titled {
			peek = 0
		}
		if len(h.requests) == 0 || h.requests[0].wantsReply() {
			peek = max(peek, r.replyPeek())
		}
		if r.status < 200 || r.status == 204 || r.status == 304 || len(h.requests) > 0 && h.requests[0].Method == "HEAD" {
			s.framing, peek = httpFraming{}, 0
		}
	}
	s.after = s.framing.state(dir)
	s.peekEnd, s.state = min(s.body+peek, max(s.body, headLimit)), httpPeek
}

// httpStartLine reports whether a line can start a message. What follows an upgrade or a broken body cannot, and the
// preface of HTTP/2 only looks like one.
func httpStartLine(dir int, line []byte) bool {
	if dir == FromServer {
		return bytes.HasPrefix(line, []byte("HTTP/"))
	}
	return methodLen(line) < len(line) && methodLen(line) > 0 && !bytes.HasPrefix(line, []byte("PRI * HTTP/2"))
}

// complete pairs the message that was read.
func (h *httpStream) complete(dir int, s *httpSide, body []byte, sink Sink) {
	if dir == FromClient {
		r := h.request
		h.request = nil
		r.readBody(body)
		h.addRequest(r, s, sink)
		return
	}
	r := h.response
	h.response = nil
	if r.status >= 100 && r.status < 200 && r.status != 101 {
		return // RFC 9110 section 15.2: the final response is still to come
	}
	if r.peek > 0 && !h.titled {
		r.title = htmlTitle(body)
		h.titled = r.title != ""
	}
	if len(h.requests) == 0 || h.requests[0].wantsReply() {
		r.reply.read(plainBody(body, r.framing.chunked, r.encoded))
	}
	h.addResponse(r, s, sink)
}

func (h *httpStream) addRequest(r *httpRequest, s *httpSide, sink Sink) {
	r.Index = h.count
	r.end = s.pos
	h.count++
	if h.count >= maxExchanges {
		s.state = httpDone
	}
	if r.Method == "CONNECT" {
		s.state = httpHold
	}
	if len(h.responses) > 0 {
		p := h.responses[0]
		h.responses = h.responses[1:]
		h.pair(r, p, sink)
		return
	}
	sink(r.fact(nil, &h.auth))
	if h.requests == nil {
		h.requests = h.room[:0]
	}
	h.requests = append(h.requests, r)
}

func (h *httpStream) addResponse(p *httpResponse, s *httpSide, sink Sink) {
	p.end = s.body
	if len(h.requests) == 0 {
		if len(h.responses) < maxExchanges {
			h.responses = append(h.responses, p)
		} else {
			s.state = httpDone
		}
		return
	}
	r := h.requests[0]
	if h.requests = h.requests[1:]; len(h.requests) == 0 {
		h.requests = h.room[:0]
	}
	if len(h.requests) == 0 && h.count >= maxExchanges {
		s.state = httpDone
	}
	h.pair(r, p, sink)
}

// pair gives an exchange, and turns the session over to what a CONNECT or an upgrade makes of it.
func (h *httpStream) pair(r *httpRequest, p *httpResponse, sink Sink) {
	sink(r.fact(p, &h.auth))
	client, server := &h.sides[FromClient], &h.sides[FromServer]
	switch {
	case r.Method == "CONNECT" && p.status/100 == 2:
		h.tunnel = &handover{from: [2]int{r.end, p.end}, relay: new(relay)}
	case p.status == 101:
		client.state, server.state = httpDone, httpDone
	case client.state == httpHold:
		client.state = httpHead
	}
}

// giveResponses gives the responses whose requests were not seen. The requests without response were given already.
func (h *httpStream) giveResponses(sink Sink) {
	for i := range h.responses {
		if h.count >= maxExchanges {
			break
		}
		r := httpRequest{HTTPExchange: HTTPExchange{Index: h.count}}
		h.count++
		sink(r.fact(h.responses[i], &h.auth))
	}
	h.responses = nil
}
