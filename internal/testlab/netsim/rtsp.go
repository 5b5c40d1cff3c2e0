// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Stream is what an RTSP client requests. Path starts with "/"; Basic selects the authentication scheme of the camera.
type Stream struct {
	Path, Agent, Server, Realm string
	User, Password             string
	Basic                      bool
	WrongPassword              bool // the camera answers 401 again and the client gives up
	Packets                    int  // interleaved RTP packets after PLAY
	PacketBytes                int  // RTP payload of each, 180 if zero
	Every                      time.Duration
	KeepAlive                  bool // one GET_PARAMETER before TEARDOWN
}

// RTSP adds a session on port 554: OPTIONS, DESCRIBE with response 401, DESCRIBE with credentials, SETUP interleaved, PLAY, RTP,
// TEARDOWN (RFC 2326). It returns the time of the last packet.
func (n *Net) RTSP(at time.Time, viewer, camera *Host, s Stream) time.Time {
	c := n.Dial(at, viewer, camera, 554)
	r := &rtspTalk{c: c, s: s, base: fmt.Sprintf("rtsp://%s:554%s", camera.IP, s.Path)}
	nonce := n.Nonce()
	r.auth = Digest(s.User, s.Password, s.Realm, nonce)
	challenge := fmt.Sprintf(`WWW-Authenticate: Digest realm="%s", nonce="%s"`, s.Realm, nonce)
	if s.Basic {
		r.auth, challenge = Basic(s.User, s.Password), fmt.Sprintf(`WWW-Authenticate: Basic realm="%s"`, s.Realm)
	}
	r.ask("OPTIONS", r.base, false, 200, "", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER")
	r.ask("DESCRIBE", r.base, false, 401, "", challenge)
	if s.WrongPassword {
		r.ask("DESCRIBE", r.base, true, 401, "", challenge)
		return c.Close()
	}
	r.ask("DESCRIBE", r.base, true, 200, sdp(camera), "Content-Type: application/sdp", "Content-Base: "+r.base+"/")
	session := fmt.Sprintf("%08d", n.IntN(1e8))
	r.session = session
	r.ask("SETUP", r.base+"/trackID=1", true, 200, "", "Session: "+session+";timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=4a1f00c2")
	r.ask("PLAY", r.base+"/", true, 200, "", "Session: "+session, "RTP-Info: url="+r.base+"/trackID=1;seq=1;rtptime=0")
	r.media()
	if s.KeepAlive {
		r.ask("GET_PARAMETER", r.base+"/", true, 200, "", "Session: "+session)
	}
	r.ask("TEARDOWN", r.base+"/", true, 200, "", "Session: "+session)
	return c.Close()
}

type rtspTalk struct {
	c             *Conn
	s             Stream
	base, session string
	auth          Auth
	cseq          int
}

func (r *rtspTalk) ask(method, uri string, auth bool, status int, body string, header ...string) {
	r.cseq++
	var q strings.Builder
	fmt.Fprintf(&q, "%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: %s\r\n", method, uri, r.cseq, r.s.Agent)
	if auth {
		fmt.Fprintf(&q, "Authorization: %s\r\n", r.auth(method, uri))
	}
	switch method {
	case "DESCRIBE":
		q.WriteString("Accept: application/sdp\r\n")
	case "SETUP":
		q.WriteString("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
	}
	if r.session != "" && method != "SETUP" {
		fmt.Fprintf(&q, "Session: %s\r\n", r.session)
	}
	r.c.Send([]byte(q.String() + "\r\n"))
	reason := map[int]string{200: "OK", 401: "Unauthorized"}[status]
	var a strings.Builder
	fmt.Fprintf(&a, "RTSP/1.0 %d %s\r\nCSeq: %d\r\n", status, reason, r.cseq)
	if r.s.Server != "" {
		fmt.Fprintf(&a, "Server: %s\r\n", r.s.Server)
	}
	for _, h := range header {
		a.WriteString(h + "\r\n")
	}
	if body != "" {
		fmt.Fprintf(&a, "Content-Length: %d\r\n", len(body))
	}
	r.c.now = r.c.now.Add(r.c.net.Between(time.Millisecond, 5*time.Millisecond))
	r.c.Reply([]byte(a.String() + "\r\n" + body))
}

// media sends interleaved RTP (RFC 2326 section 10.12, RFC 3550 section 5.1) from the camera.
func (r *rtspTalk) media() {
	size, every := r.s.PacketBytes, r.s.Every
	if size == 0 {
		size = 180
	}
	if every == 0 {
		every = 40 * time.Millisecond
	}
	for i := range r.s.Packets {
		p := []byte{'$', 0, 0, 0, 0x80, 96}
		binary.BigEndian.PutUint16(p[2:], uint16(12+size))
		p = binary.BigEndian.AppendUint16(p, uint16(i+1))
		p = binary.BigEndian.AppendUint32(p, uint32(i)*3600)
		p = append(p, 0x4a, 0x1f, 0x00, 0xc2)
		r.c.Wait(every).Reply(append(p, r.c.net.Bytes(size)...))
	}
}

func sdp(h *Host) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=Media\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n", h.IP)
}
