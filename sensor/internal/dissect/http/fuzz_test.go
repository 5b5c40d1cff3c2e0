// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

func FuzzHTTP(f *testing.F) {
	var seeds [][]turn
	for _, c := range cases {
		seeds = append(seeds, c.turns)
	}
	seeds = append(seeds, []turn{client(request("CONNECT a:1 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), client(dissecttest.TLSHelloStart)})
	dissecttest.FuzzStream(f, http.New, seeds...)
}

func FuzzRTSP(f *testing.F) {
	dissecttest.FuzzStream(f, http.NewRTSP,
		[]turn{client(request("PLAY rtsp://a/ RTSP/1.0", "CSeq: 5", "Authorization: Basic YTpi")), server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))})
}
