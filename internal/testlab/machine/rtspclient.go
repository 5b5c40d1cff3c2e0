// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// rtspClient records a stream.
type rtspClient struct {
	conn    net.Conn
	in      *bufio.Reader
	uri     string
	agent   string
	cseq    int
	session string
	digest  *digest
}

// record plays the stream of a camera until ctx or the stream ends, over UDP or interleaved.
func record(ctx context.Context, camera netip.AddrPort, path, agent string, udp bool) error {
	conn, err := dialer(netip.Addr{}, 3*time.Second).DialContext(ctx, "tcp4", camera.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // the camera may have closed it
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := &rtspClient{conn: conn, in: bufio.NewReader(conn), uri: fmt.Sprintf("rtsp://%s%s", camera, path), agent: agent}
	transport := "RTP/AVP/TCP;unicast;interleaved=0-1"
	var media *net.UDPConn // nil if the stream is interleaved
	if udp {
		u, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return err
		}
		defer func() { _ = u.Close() }() // nothing is written to it
		defer context.AfterFunc(ctx, func() { _ = u.Close() })()
		port := u.LocalAddr().(*net.UDPAddr).Port
		transport, media = fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1), u
	}
	for _, r := range [][2]string{{"OPTIONS", ""}, {"DESCRIBE", "Accept: application/sdp\r\n"}, {"SETUP", "Transport: " + transport + "\r\n"}, {"PLAY", ""}} {
		if err := c.ask(r[0], r[1]); err != nil {
			return err
		}
	}
	if udp {
		return drain(media)
	}
	return c.interleaved()
}

// ask sends a request, and repeats it with credentials if the camera requires them.
func (c *rtspClient) ask(method, more string) error {
	uri := c.uri
	switch method {
	case "SETUP":
		uri += "/trackID=1"
	case "PLAY":
		uri += "/"
	}
	for range 2 {
		c.cseq++
		text := fmt.Sprintf("%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: %s\r\n%s", method, uri, c.cseq, c.agent, more)
		if c.digest != nil {
			text += "Authorization: " + c.digest.credentials(method, uri) + "\r\n"
		}
		if c.session != "" {
			text += "Session: " + c.session + "\r\n"
		}
		if _, err := io.WriteString(c.conn, text+"\r\n"); err != nil {
			return err
		}
		status, err := c.reply()
		if err != nil {
			return err
		}
		if status == "200" {
			return nil
		}
		if status != "401" || c.digest == nil {
			return fmt.Errorf("%s %s: %s", method, uri, status)
		}
	}
	return fmt.Errorf("%s %s: refused", method, uri)
}

// reply reads a response with its body.
func (c *rtspClient) reply() (status string, err error) {
	_, status, head, err := rtspMessage(c.in)
	if err != nil {
		return "", err
	}
	if n, err := strconv.Atoi(head.Get("Content-Length")); err == nil {
		if _, err := c.in.Discard(n); err != nil {
			return "", err
		}
	}
	if challenge := head.Get("WWW-Authenticate"); challenge != "" {
		d := digestOf(challenge)
		c.digest = &d
	}
	if s := head.Get("Session"); s != "" && c.session == "" {
		c.session, _, _ = strings.Cut(s, ";")
	}
	return status, nil
}

// interleaved reads the stream from the connection.
func (c *rtspClient) interleaved() error {
	head := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c.in, head); err != nil {
			return err
		}
		if head[0] != '$' {
			return fmt.Errorf("no RTP: %q", head)
		}
		if _, err := c.in.Discard(int(binary.BigEndian.Uint16(head[2:]))); err != nil {
			return err
		}
	}
}

// drain reads datagrams; the stream has ended after ten seconds without one.
func drain(u *net.UDPConn) error {
	for buf := make([]byte, 2048); ; {
		if err := u.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := u.Read(buf); err != nil {
			return err
		}
	}
}
