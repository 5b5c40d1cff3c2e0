// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// talk is a session of turns. Turns that start with "<" are sent by the server.
func talk(n *netsim.Net, at time.Time, from, to *netsim.Host, port uint16, pause time.Duration, turns ...string) time.Time {
	return turn(n.Dial(at, from, to, port), pause, turns...).Close()
}

func turn(c *netsim.Conn, pause time.Duration, turns ...string) *netsim.Conn {
	for _, text := range turns {
		if reply, ok := strings.CutPrefix(text, "<"); ok {
			c.Reply([]byte(reply))
			continue
		}
		c.Wait(pause)
		c.Send([]byte(text))
	}
	return c
}

// get is a request with these credentials, said a response.
func get(authorization string) string {
	return "GET /ISAPI/System/status HTTP/1.1\r\nHost: cam\r\nAuthorization: " + authorization + "\r\n\r\n"
}

func said(status int, body string, fields ...string) string {
	return fmt.Sprintf("<HTTP/1.1 %d x\r\n%sContent-Length: %d\r\n\r\n%s", status, strings.Join(append(fields, ""), "\r\n"), len(body), body)
}

func posted(target, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: cam\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }

func digest(nonce string) string {
	return `Digest username="ops", realm="x", nonce="` + nonce + `", uri="/", response="00"`
}

func dhip(body string) string {
	b := append([]byte("\x20\x00\x00\x00DHIP"), make([]byte, 24)...)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[24:], uint32(len(body)))
	return string(b) + body
}

// TestLoginsOfDevices replays logins from outside on a device that should be silent, and checks which rules raise alerts.
func TestLoginsOfDevices(t *testing.T) {
	const (
		asksDigest = `WWW-Authenticate: Digest realm="x", qop="auth", nonce="%s", stale="FALSE"`
		asksBasic  = `WWW-Authenticate: Basic realm="x"`
		isapi      = "<SessionLogin><userName>admin</userName><password>%064d</password></SessionLogin>"
		rpc        = `{"id":%d,"method":"global.login","params":{"password":"%s","userName":"admin"}}`
		challenge  = `{"error":{"code":268632079},"id":1,"params":{"random":"1f","realm":"Login to 9"},"result":false}`
	)
	no := func(n int) string {
		return fmt.Sprintf("<SessionLogin><statusValue>%d</statusValue></SessionLogin>", n)
	}
	every := func(gap time.Duration, times int, port uint16, turns func(i int) []string) func(*netsim.Net, *netsim.Host, *netsim.Host) {
		return func(n *netsim.Net, from, to *netsim.Host) {
			for i := range times {
				talk(n, began().Add(time.Duration(i)*gap), from, to, port, time.Second, turns(i)...)
			}
		}
	}
	once := func(port uint16, turns ...string) func(*netsim.Net, *netsim.Host, *netsim.Host) {
		return every(0, 1, port, func(int) []string { return turns })
	}
	for name, c := range map[string]struct {
		do   func(n *netsim.Net, from, to *netsim.Host)
		want []string
	}{
		"Basic before Digest at each poll": {every(time.Minute, 15, 80, func(i int) []string {
			return []string{get(basic("ops:x")), said(401, "", fmt.Sprintf(asksDigest, "a")), get(digest("a")), said(200, "")}
		}), []string{"D08"}},
		"an old nonce at each poll": {every(time.Minute, 15, 80, func(i int) []string {
			return []string{get(digest(fmt.Sprint("n", i))), said(401, "", fmt.Sprintf(asksDigest, fmt.Sprint("n", i+1))), get(digest(fmt.Sprint("n", i+1))), said(200, "")}
		}), []string{"D08"}},
		"Digest is guessed": {every(20*time.Second, 15, 80, func(i int) []string {
			return []string{get(digest("a")), said(401, "", fmt.Sprintf(asksDigest, fmt.Sprint("n", i)))}
		}), []string{"D09"}},
		"mistakes, each corrected": {every(3*time.Hour, 4, 80, func(i int) []string {
			return []string{get(basic(fmt.Sprint("ops:", i))), said(401, "", asksBasic), get(basic("ops:right")), said(200, "")}
		}), []string{"D08"}},
		"a password behind three others": {once(80, get(basic("ops:a")), said(401, "", asksBasic), get(basic("ops:b")), said(401, "", asksBasic), get(basic("ops:c")), said(401, "", asksBasic), get(basic("ops:d")), said(200, "")), []string{"D08", "D09"}},
		"sessionLogin of Hikvision": {once(80, posted("/ISAPI/Security/sessionLogin?timeStamp=1", fmt.Sprintf(isapi, 1)), said(401, no(401)), posted("/ISAPI/Security/sessionLogin?timeStamp=2", fmt.Sprintf(isapi, 2)), said(401, no(401)),
			posted("/ISAPI/Security/sessionLogin?timeStamp=3", fmt.Sprintf(isapi, 3)), said(401, no(401)), posted("/ISAPI/Security/sessionLogin?timeStamp=4", fmt.Sprintf(isapi, 4)), said(200, no(200), "Set-Cookie: WebSession_1=a")), []string{"D08", "D09"}},
		"RPC2_Login of Dahua": {once(8080, posted("/RPC2_Login", fmt.Sprintf(rpc, 1, "")), said(200, challenge), posted("/RPC2_Login", fmt.Sprintf(rpc, 2, "AB")), said(200, `{"result":true,"id":2}`)), []string{"D08"}},
		"RPC2_Login is guessed": {every(20*time.Second, 12, 80, func(i int) []string {
			return []string{posted("/RPC2_Login", fmt.Sprintf(rpc, 1, "")), said(200, challenge), posted("/RPC2_Login", fmt.Sprintf(rpc, 2, "AB")), said(200, `{"error":{"code":268632085},"result":false,"id":2}`)}
		}), []string{"D09"}},
		"DHIP at port 80":      {once(80, dhip(fmt.Sprintf(rpc, 1, "")), "<"+dhip(challenge), dhip(fmt.Sprintf(rpc, 2, "AB")), "<"+dhip(`{"result":true,"id":2}`)), []string{"D08"}},
		"Telnet, a # to ask":   {once(23, "<\xff\xfd\x18", "<\r\nlogin: ", "root\r\n", "<Password (use # to cancel): ", "hunter\r\n", "<\r\n\r\nBusyBox v1.19.4\r\n~ # ", "ls\r\n"), []string{"D08"}},
		"Telnet, never let in": {once(23, "<\xff\xfd\x18", "<\r\nlogin: ", "root\r\n", "<Password (use # to cancel): ", "a\r\n", "<\r\nNo #1\r\nlogin: ", "root\r\n", "<Password (use # to cancel): ", "b\r\n", "<\r\nNo #2\r\nlogin: "), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v6 := range []bool{false, true} {
				n := netsim.New(1)
				to, outside := n.Host("cam", silentAddr, silentMAC, netsim.Embedded), "203.0.113.66"
				if v6 {
					to, outside = n.Host("cam", silentAddr6, silentMAC, netsim.Embedded), "2a00:1450::66"
				}
				n.Router("10.20.30.1", "00:1b:54:00:00:01")
				c.do(n, n.External(outside, netsim.Linux, 10*time.Millisecond), to)
				x := tell(t, n, "--silent", silentMAC)
				var got []string
				for _, rule := range []string{"D08", "D09"} {
					if len(x.of(rule)) > 0 {
						got = append(got, rule)
					}
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("IPv6 %v: %v, want %v", v6, got, c.want)
				}
			}
		})
	}
}
