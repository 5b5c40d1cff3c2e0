// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// rtspRequest is a request that waits for the response with the same CSeq.
type rtspRequest struct {
	dissect.RTSPExchange
	creds credentials
	cseq  int
}

// rtspStream reads RTSP 1.0 and 2.0 (RFC 2326, RFC 7826): the first maxExchanges exchanges. It reports each request
// when it was read, and again, completed, with its response.
type rtspStream struct {
	pos      [2]int
	requests []rtspRequest
	auth     authState
	count    int
	answered int
}

// NewRTSP returns a dissector of RTSP.
func NewRTSP() dissect.Stream { return new(rtspStream) }

// LooksRTSPRequest recognizes the request line of RTSP.
func LooksRTSPRequest(head []byte, final bool, _ dissect.Ports) match.Verdict {
	return requestLine(head, final, " RTSP/", func(_, target []byte) bool {
		return bytes.HasPrefix(target, []byte("rtsp://"))
	})
}

// LooksRTSPResponse recognizes the status line of RTSP.
func LooksRTSPResponse(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return max(statusLine(head, "RTSP/1."), statusLine(head, "RTSP/2."))
}

func (r *rtspStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for {
		pos := r.pos[dir]
		if r.answered >= maxExchanges || dir == dissect.FromClient && r.count >= maxExchanges || pos > dissect.HeadLimit {
			return 0
		}
		if pos >= len(head) {
			return pos + 1
		}
		if head[pos] == '$' {
			// Interleaved media, RFC 2326 section 10.12: '$', channel, 16-bit length.
			if len(head) < pos+4 {
				return pos + 4
			}
			r.pos[dir] = pos + 4 + int(head[pos+2])<<8 + int(head[pos+3])
			continue
		}
		m, ok := readMessage(head, pos, final)
		if !ok {
			return len(head) + 1
		}
		if !r.message(dir, m, sink) {
			return 0
		}
	}
}

// message reads one request or response, by its start line: both sides may send requests. It returns false if the
// stream is no longer RTSP.
func (r *rtspStream) message(dir int, m message, sink dissect.Sink) bool {
	end := m.end
	switch {
	case bytes.HasPrefix(m.line, []byte("RTSP/")):
		end += r.response(m, sink)
	case bytes.Contains(m.line, []byte(" RTSP/")):
		end += r.request(dir, m, sink)
	default:
		return false
	}
	r.pos[dir] = end
	return true
}

func (r *rtspStream) request(dir int, m message, sink dissect.Sink) (body int) {
	var q rtspRequest
	method, rest := parse.Word(m.line)
	uri, _ := parse.Word(rest)
	q.Method, q.URI, q.Index, q.cseq = parse.CleanText(method, 24), mask.URI(uri), r.count, -1
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "cseq"):
			q.cseq, _ = parse.Number(value)
		case parse.FoldEqual(name, "user-agent"):
			q.UserAgent = mask.Text(value, 256)
		case parse.FoldEqual(name, "authorization"):
			q.creds = readAuthorization(q.Method, value)
		case parse.FoldEqual(name, "content-length"):
			body, _ = parse.Number(value)
		}
	}
	if dir == dissect.FromServer {
		return body // a request of the server, such as a keep-alive, is not an exchange that the client began
	}
	r.count++
	sink(q.fact())
	r.requests = append(r.requests, q)
	return body
}

func (r *rtspStream) response(m message, sink dissect.Sink) (body int) {
	_, rest := parse.Word(m.line)
	status, _ := parse.Number(rest)
	var server string
	var asked challenges
	cseq := -1
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "cseq"):
			cseq, _ = parse.Number(value)
		case parse.FoldEqual(name, "server"):
			server = parse.CleanText(value, 256)
		case parse.FoldEqual(name, "www-authenticate"):
			asked.read(value)
		case parse.FoldEqual(name, "content-length"):
			body, _ = parse.Number(value)
		}
	}
	if status < 200 {
		return body
	}
	q, ok := r.take(cseq)
	if !ok {
		return body
	}
	q.Status, q.Server, q.Realm = status, server, asked.realm
	q.AuthResult = r.auth.outcome(&q.creds, status, &asked)
	sink(q.fact())
	r.answered++
	return body
}

// take removes the request with this CSeq. A response with an unknown one answers the oldest request.
func (r *rtspStream) take(cseq int) (q rtspRequest, ok bool) {
	if len(r.requests) == 0 {
		if r.count >= maxExchanges {
			return q, false
		}
		q.Index = r.count // the request was not seen
		r.count++
		return q, true
	}
	at := 0
	for i := range r.requests {
		if r.requests[i].cseq == cseq {
			at = i
			break
		}
	}
	q = r.requests[at]
	r.requests = append(r.requests[:at], r.requests[at+1:]...)
	return q, true
}

func (q *rtspRequest) fact() *dissect.RTSPExchange {
	e := q.RTSPExchange
	e.AuthScheme, e.AuthUserHint = q.creds.scheme, q.creds.userHint
	e.DefaultCredentials, e.CleartextCredentials = q.creds.defaults, q.creds.cleartext
	return &e
}
