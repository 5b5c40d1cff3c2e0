// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/mask"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "rtsp",
	Signs: "request line or status line",
	Reads: "requests, responses, logins; descriptions of media, transports, interleaved media, requests to play; in HTTP tunnels, too",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 30, Looks: LooksRTSPRequest, New: NewRTSP},
		{From: protocol.Server, Order: 30, Looks: LooksRTSPResponse, New: NewRTSP},
	},
})

// rtspRequest is a request that waits for the response with the same CSeq.
type rtspRequest struct {
	dissect.RTSPExchange
	creds credentials
	cseq  int
	ports [2]uint16 // of the client, in a request to set up
}

// rtspStream reads RTSP 1.0 and 2.0 (RFC 2326, RFC 7826): the first maxExchanges exchanges. It reports each request
// when it was read, and again, completed, with its response.
type rtspStream struct {
	pos      [2]int
	requests []rtspRequest
	auth     authState
	count    int
	answered int
	media    []dissect.MediaTrack // of the last description
	channels []uint8              // of RTP within the session whose first packet was not seen yet
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
			return r.end(dir, head, final, sink)
		}
		if head[pos] == '$' {
			want := r.packet(dir, head, pos, sink)
			if want > len(head) && !final {
				return want
			}
			if len(head) < pos+frameHead {
				return pos + frameHead
			}
			r.pos[dir] = pos + frameHead + frameLen(head[pos:])
			continue
		}
		m, ok := readMessage(head, pos, final)
		if !ok {
			return r.end(dir, head, final, sink)
		}
		end := m.end + sdpLen(m)
		if len(head) < end && !final {
			return end
		}
		if !r.message(dir, m, head[m.end:max(m.end, min(end, len(head)))], sink) {
			return 0
		}
	}
}

// end asks for more of a direction. At the end of the server's, requests to play will have no answer.
func (r *rtspStream) end(dir int, head []byte, final bool, sink dissect.Sink) int {
	if final && dir == dissect.FromServer {
		for i := range r.requests {
			r.requests[i].action(dissect.OutcomeUnknown, sink)
		}
		r.requests = nil
	}
	return max(r.pos[dir], len(head)) + 1
}

// sdpLen returns how much of the body of a message is read: of a session description as far as it fits, of others nothing.
func sdpLen(m message) int {
	size, sdp := 0, false
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "content-length"):
			size, _ = parse.Number(value)
		case parse.FoldEqual(name, "content-type"):
			sdp = parse.FoldPrefix(value, "application/sdp")
		}
	}
	if !sdp {
		return 0
	}
	return min(size, maxSDP, max(0, dissect.HeadLimit-m.end))
}

// message reads one request or response with its session description, by its start line: both sides may send requests. It returns false if
// the stream is no longer RTSP.
func (r *rtspStream) message(dir int, m message, sdp []byte, sink dissect.Sink) bool {
	end := m.end
	switch {
	case bytes.HasPrefix(m.line, []byte("RTSP/")):
		end += r.response(m, sink)
		r.describe(sdp, false, sink)
	case bytes.Contains(m.line, []byte(" RTSP/")):
		end += r.request(dir, m, sink)
		r.describe(sdp, true, sink)
	default:
		return false
	}
	r.pos[dir] = end
	return true
}

// describe reports a session description, nothing if sdp is none.
func (r *rtspStream) describe(sdp []byte, push bool, sink dissect.Sink) {
	if d := readSDP(sdp); d != nil {
		d.Push = push
		r.media = d.Media
		sink(d)
	}
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
		case parse.FoldEqual(name, "transport"):
			q.ports = readTransport(value).ClientPorts
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
	var transport []byte
	cseq := -1
	for name, value, ok := m.next(); ok; name, value, ok = m.next() {
		switch {
		case parse.FoldEqual(name, "cseq"):
			cseq, _ = parse.Number(value)
		case parse.FoldEqual(name, "transport"):
			transport = value
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
	q.creds.defaults = r.auth.isDefault(&q.creds, q.AuthResult)
	sink(q.fact())
	r.answered++
	if status < 300 {
		if q.Method == "SETUP" && len(transport) > 0 {
			r.transport(readTransport(transport), &q, sink)
		}
		q.action(dissect.OutcomeSuccess, sink)
	} else {
		q.action(dissect.OutcomeFailure, sink)
	}
	return body
}

// action reports a request to play. The other requests change nothing and show no pictures.
func (q *rtspRequest) action(result dissect.Outcome, sink dissect.Sink) {
	if q.Method == "PLAY" {
		sink(&dissect.DeviceAction{Protocol: "rtsp", Action: "PLAY", Kind: dissect.ActionView, UserHint: q.creds.userHint, Result: result})
	}
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
