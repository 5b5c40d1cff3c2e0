// SPDX-License-Identifier: Apache-2.0

package http

import (
	"encoding/base64"
	"hash/fnv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// RTSP over HTTP (Apple, Tunneling RTSP and RTP over HTTP, 1999) takes two TCP sessions with the same x-sessioncookie: the answer to a GET
// carries what the server sends, and the body of a POST, in Base64, what the client sends.

// rtspCookie returns a number for the value of x-sessioncookie, 0 if it has none.
func rtspCookie(value []byte) uint64 {
	if len(value) == 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write(value)
	return h.Sum64()
}

// openRTSP switches a session to RTSP if it is one half of a tunnel. p is nil for a POST, whose answer may never come.
func (h *Stream) openRTSP(r *exchangeRequest, p *exchangeResponse, sink dissect.Sink) {
	switch {
	case r.cookie == 0 || h.tunnel != nil || h.posted != nil:
		return
	case p == nil && r.Method == "POST":
		h.posted = &postedRTSP{from: h.sides[dissect.FromClient].body, inner: NewRTSP()}
	case p != nil && r.Method == "GET" && p.status == 200 && parse.FoldContains([]byte(p.contentType), "rtsp-tunnelled"):
		h.tunnel = &tunnel{from: [2]int{r.end, p.end}, inner: NewRTSP()}
	default:
		return
	}
	sink(&dissect.AppID{Name: "rtsp"})
	sink(&dissect.MediaTunnel{Cookie: r.cookie})
}

// postedRTSP reads the requests in the body of a POST, which begins at from.
type postedRTSP struct {
	from  int
	inner dissect.Stream
}

// Feed decodes the body from its start each time, because it may contain passwords, which must not stay in memory.
func (p *postedRTSP) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if dir == dissect.FromServer {
		if final {
			p.inner.Feed(dir, nil, true, sink)
			return 0
		}
		return dissect.AtEnd
	}
	if p.from > dissect.HeadLimit {
		return 0
	}
	buf := make([]byte, 0, max(0, len(head)-p.from))
	body := decodeQuads(buf, head[min(p.from, len(head)):])
	want := p.inner.Feed(dir, body, final, sink)
	clear(buf[:cap(buf)])
	if want == 0 || final {
		return 0
	}
	return len(head) + 1
}

// decodeQuads appends what groups of four characters of Base64 stand for, up to the first that is none. Each request is encoded by itself,
// so padding may be anywhere. Line ends are skipped.
func decodeQuads(out, b []byte) []byte {
	var quad [4]byte
	n := 0
	for _, c := range b {
		if c == '\r' || c == '\n' {
			continue
		}
		quad[n] = c
		if n++; n < len(quad) {
			continue
		}
		n = 0
		var plain [3]byte
		size, err := base64.StdEncoding.Decode(plain[:], quad[:])
		if err != nil {
			break
		}
		out = append(out, plain[:size]...)
	}
	return out
}
