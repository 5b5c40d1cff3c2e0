// SPDX-License-Identifier: Apache-2.0

package evasion

import (
	"fmt"
	"strings"
	"time"

	"stillwatch/internal/testlab/netsim"
)

// requests are tricks with HTTP.
func requests() []Case {
	const group = "HTTP requests"
	send := func(name, trick, missed string, text ...string) Case {
		return struck(group, name, trick, missed, func(s *site) {
			w := s.web().open()
			for _, t := range text {
				w.add(seg{from: client, flags: "PA", data: t})
			}
			w.answer()
		})
	}
	const head = "HTTP/1.1\r\nHost: 10.20.30.11\r\n"
	const injected = `<?xml version="1.0"?><language>$(id>a)</language>`
	put := func(path string) string {
		return fmt.Sprintf("PUT %s %sContent-Length: %d\r\n\r\n%s", path, head, len(injected), injected)
	}
	var chunks strings.Builder
	for _, b := range injected {
		fmt.Fprintf(&chunks, "1\r\n%c\r\n", b)
	}
	return []Case{
		send("http-pipelined", "The request follows a harmless one in the same segment.", "", "GET / "+head+"\r\n"+exploit),
		send("http-after-body", "The request follows a harmless one with a chunked body whose chunks have extensions and a trailer.", "",
			"POST /login "+head+"Transfer-Encoding: chunked\r\n\r\n4;x=\"1\"\r\nuser\r\n3\r\n=me\r\n0\r\nX-Sum: 1\r\n\r\n"+exploit),
		send("http-chunked-body", "The body that carries the injected command comes in chunks of one byte.", "",
			"PUT /SDK/webLanguage "+head+"Transfer-Encoding: chunked\r\n\r\n"+chunks.String()+"0\r\n\r\n"),
		send("http-case", "The path has other upper and lower case.", "", strings.Replace(exploit, "GET /Security/users", "GET /sECURITY/USERS", 1)),
		send("http-percent", "Letters of the path and of the query are percent-encoded.", "", strings.Replace(exploit, "Security/users?auth=Y", "%53ecurity/%75sers?%61uth=%59", 1)),
		send("http-dots", "The path has empty segments and dots.", "", put("/x/..//./SDK/webLanguage")),
		send("http-absolute", "The target is a whole URL, as for a proxy.", "", put("http://10.20.30.11/SDK/webLanguage")),
		send("http-bare-lf", "Lines end in LF alone, and blank lines precede the request.", "", "\r\n\r\n"+strings.ReplaceAll(exploit, "\r\n", "\n")),
		send("http-long-header", "A header field of 3,000 bytes stands before the body that carries the injected command.", "",
			fmt.Sprintf("PUT /SDK/webLanguage %sX-Pad: %s\r\nContent-Length: %d\r\n\r\n", head, strings.Repeat("a", 3000), len(injected))[:1400],
			fmt.Sprintf("PUT /SDK/webLanguage %sX-Pad: %s\r\nContent-Length: %d\r\n\r\n", head, strings.Repeat("a", 3000), len(injected))[1400:]+injected),
		struck(group, "http-many-requests", "The request comes after 400 harmless ones in one session.", "The sensor reads the first 16 requests of a session, within the first 16 KiB of each direction (`head_limit`).", func(s *site) {
			c := s.Dial(s.start, s.attacker, s.cam, 80)
			for range 400 {
				c.HTTP(netsim.Request{Method: "GET", URI: "/img/logo.gif", Agent: strings.Repeat("x", 200)}, netsim.Response{Status: 200, Body: strings.Repeat("y", 300)})
			}
			c.Wait(time.Second).Send([]byte(exploit)).Reply([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).Close()
		}),
		struck(group, "http-other-port", "The web server of the device listens on port 8899.", "", func(s *site) {
			s.wire(s.start, s.attacker, 41000, s.cam, 8899).open().add(seg{from: client, flags: "PA", data: exploit}).answer()
		}),
		{Name: "http-auth-case", Group: group, Rule: "D27", Device: "cam-01",
			Trick: "A login with a default password writes the header field and the scheme in mixed case, with spaces around them.",
			build: func(s *site) {
				w := s.web().open()
				w.add(seg{from: client, flags: "PA", data: "GET /ISAPI/System/deviceInfo HTTP/1.1\r\nHost: 10.20.30.11\r\naUtHoRiZaTiOn:   bAsIc   YWRtaW46MTIzNDU=  \r\n\r\n"}).answer()
			}},
	}
}
