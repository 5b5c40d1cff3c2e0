// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// The stream of a camera: 25 frames a second of some packets each, about 0.7 Mbit/s.
const (
	frameEvery   = 40 * time.Millisecond
	framePackets = 3
	rtpPayload   = 1100
	rtpClock     = 90000 // of video, RFC 3551
)

// rtspServer serves one stream (RFC 2326), interleaved or over UDP as the client requests.
type rtspServer struct {
	server, realm string
}

// rtspTalk is one connection to the server.
type rtspTalk struct {
	*rtspServer
	ctx     context.Context
	conn    net.Conn
	auth    digest
	session string
	udp     *net.UDPConn // nil if the stream is interleaved
	port    int          // of the client
}

func (s *rtspServer) serve(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &rtspTalk{rtspServer: s, ctx: ctx, conn: c, auth: newDigest(s.realm), session: strconv.FormatInt(time.Now().UnixNano()%1e8, 10)}
	r := bufio.NewReader(c)
	for {
		method, uri, head, err := rtspMessage(r)
		if err != nil || !t.answer(method, uri, head) {
			return
		}
	}
}

// rtspMessage reads a request or a response and returns the first two words of its first line, and its headers.
func rtspMessage(r *bufio.Reader) (first, second string, head textproto.MIMEHeader, err error) {
	tp := textproto.NewReader(r)
	line, err := tp.ReadLine()
	if err != nil {
		return "", "", nil, err
	}
	first, rest, _ := strings.Cut(line, " ")
	second, _, _ = strings.Cut(rest, " ")
	head, err = tp.ReadMIMEHeader()
	return first, second, head, err
}

// answer answers a request and reports whether the connection continues.
func (t *rtspTalk) answer(method, uri string, head textproto.MIMEHeader) bool {
	status, more, body := "200 OK", []string{}, ""
	if method != "OPTIONS" && head.Get("Authorization") != t.auth.credentials(method, uri) {
		status, more = "401 Unauthorized", []string{"WWW-Authenticate: " + t.auth.challenge()}
		method = ""
	}
	switch method {
	case "OPTIONS":
		more = []string{"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"}
	case "DESCRIBE":
		body = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Media\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\n"
		more = []string{"Content-Type: application/sdp", "Content-Base: " + uri + "/", fmt.Sprintf("Content-Length: %d", len(body))}
	case "SETUP":
		transport, err := t.setup(head.Get("Transport"))
		if err != nil {
			status = "461 Unsupported Transport"
			break
		}
		more = []string{"Session: " + t.session + ";timeout=60", "Transport: " + transport}
	case "PLAY":
		more = []string{"Session: " + t.session, "RTP-Info: url=" + uri + "trackID=1;seq=1;rtptime=0"}
	}
	if t.server != "" {
		more = append(more, "Server: "+t.server)
	}
	text := fmt.Sprintf("RTSP/1.0 %s\r\nCSeq: %s\r\n%s\r\n\r\n%s", status, head.Get("CSeq"), strings.Join(more, "\r\n"), body)
	if _, err := io.WriteString(t.conn, text); err != nil {
		return false
	}
	if method == "PLAY" {
		go t.media()
	}
	return method != "TEARDOWN"
}

// setup prepares the requested transport and returns the answer.
func (t *rtspTalk) setup(asked string) (string, error) {
	if strings.Contains(asked, "RTP/AVP/TCP") {
		return "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=4a1f00c2", nil
	}
	_, ports, _ := strings.Cut(asked, "client_port=")
	first, _, _ := strings.Cut(ports, "-")
	var err error
	if t.port, err = strconv.Atoi(first); err != nil {
		return "", err
	}
	to := &net.UDPAddr{IP: t.conn.RemoteAddr().(*net.TCPAddr).IP, Port: t.port}
	if t.udp, err = net.DialUDP("udp4", nil, to); err != nil {
		return "", err
	}
	context.AfterFunc(t.ctx, func() { _ = t.udp.Close() })
	own := t.udp.LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("RTP/AVP;unicast;client_port=%s;server_port=%d-%d;ssrc=4a1f00c2", ports, own, own+1), nil
}

// media sends RTP (RFC 3550 section 5.1) until the connection ends; interleaved RTP is framed as in RFC 2326 section 10.12.
func (t *rtspTalk) media() {
	seq, packet := uint16(0), make([]byte, 4+12+rtpPayload)
	packet[0] = '$'
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)-4))
	rtp := packet[4:]
	binary.BigEndian.PutUint32(rtp[8:], 0x4a1f00c2)
	tick := time.NewTicker(frameEvery)
	defer tick.Stop()
	for frame := uint32(0); ; frame++ {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
		for i := range framePackets {
			seq++
			rtp[0], rtp[1] = 0x80, 96
			if i == framePackets-1 {
				rtp[1] |= 0x80 // the marker bit: the frame is complete
			}
			binary.BigEndian.PutUint16(rtp[2:], seq)
			binary.BigEndian.PutUint32(rtp[4:], frame*uint32(frameEvery*rtpClock/time.Second))
			var err error
			if t.udp != nil {
				_, err = t.udp.Write(rtp)
			} else {
				_, err = t.conn.Write(packet)
			}
			if err != nil {
				return
			}
		}
	}
}
