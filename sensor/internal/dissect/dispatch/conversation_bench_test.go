// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// BenchmarkConversation measures one session from its first bytes to its facts.
func BenchmarkConversation(b *testing.B) {
	get := []byte(request("GET /index.html HTTP/1.1", "Host: cam.example", "User-Agent: Mozilla/5.0", "Accept: */*", "Accept-Language: en"))
	ok := []byte("HTTP/1.1 200 OK\r\nServer: lighttpd\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000))
	sink := func(dissect.Fact) {}
	for name, tc := range map[string][2][]byte{
		"http":    {get, ok},
		"unknown": {[]byte(strings.Repeat("\x99", 1200)), []byte(strings.Repeat("\x99", 1200))},
		"rtsp":    {[]byte(request("OPTIONS rtsp://10.0.0.1/ RTSP/1.0", "CSeq: 1")), []byte(request("RTSP/1.0 200 OK", "CSeq: 1"))},
	} {
		b.Run(name, func(b *testing.B) {
			var c dispatch.Conversation
			var pool dispatch.Pool
			b.ReportAllocs()
			for b.Loop() {
				c.Reset(dissect.Ports{Client: 40000, Server: 9000}, &pool)
				c.Stream(dissect.FromClient, tc[0], false, sink)
				c.Stream(dissect.FromServer, tc[1], false, sink)
			}
		})
	}
	response := dissecttest.DNSResponse(b)
	b.Run("dns", func(b *testing.B) {
		var c dispatch.Conversation
		b.ReportAllocs()
		for b.Loop() {
			c.Reset(dissect.Ports{Client: 40000, Server: 53}, nil)
			c.Datagram(dissect.FromServer, response, sink)
		}
	})
}
