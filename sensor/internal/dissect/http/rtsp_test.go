// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

func TestRTSPExchanges(t *testing.T) {
	facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 554}, []turn{
		client(request("OPTIONS rtsp://admin:s3cret@10.0.0.5:554/cam RTSP/1.0", "CSeq: 1", "User-Agent: LibVLC/3")),
		server(request("RTSP/1.0 200 OK", "CSeq: 1", "Server: Dahua Rtsp Server")),
		client(request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 2")),
		server(request("RTSP/1.0 401 Unauthorized", "CSeq: 2", `WWW-Authenticate: Digest realm="Login to 3", nonce="5"`)),
		client(request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 3", "Authorization: Basic YWRtaW46YWRtaW4=")),
		server(request("RTSP/1.0 200 OK", "CSeq: 3", "Content-Length: 5") + "v=0\r\n"),
		client(request("SETUP rtsp://10.0.0.5/cam/1 RTSP/1.0", "CSeq: 4") + request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 5")),
		server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5") + "$\x00\x00\x00" + request("RTSP/1.0 461 No", "CSeq: 4")),
	})
	want := []dissect.RTSPExchange{
		{Method: "OPTIONS", URI: "rtsp://***@10.0.0.5:554/cam", UserAgent: "LibVLC/3", Status: 200, Server: "Dahua Rtsp Server"},
		{Method: "DESCRIBE", URI: "rtsp://10.0.0.5/cam", Status: 401, Realm: "Login to 3", Index: 1},
		{Method: "DESCRIBE", URI: "rtsp://10.0.0.5/cam", Status: 200, AuthScheme: "basic", AuthUserHint: "in", AuthResult: dissect.OutcomeSuccess, DefaultCredentials: true, CleartextCredentials: true, Index: 2},
		{Method: "PLAY", URI: "rtsp://10.0.0.5/cam", Status: 200, Index: 4},
		{Method: "SETUP", URI: "rtsp://10.0.0.5/cam/1", Status: 461, Index: 3},
	}
	var got []dissect.RTSPExchange
	for _, e := range dissecttest.FactsOf[dissect.RTSPExchange](facts) {
		if e.Status != 0 {
			got = append(got, e)
		}
	}
	if dissecttest.AppOf(facts) != "rtsp" || len(got) != len(want) {
		t.Fatalf("facts:\n%s", dissecttest.Dump(facts))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
}

// TestRTSPBehindMedia reads a TEARDOWN behind interleaved media of both sides, more of it than is kept of the server's.
func TestRTSPBehindMedia(t *testing.T) {
	play := []turn{client(request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 1")), server(request("RTSP/1.0 200 OK", "CSeq: 1"))}
	packet := "$\x00\x03\xe8" + strings.Repeat("\r\nRTSP/1.0 ", 1000)[:1000]
	report := "$\x01\x00\x08\x80\xc9\x00\x01abcd"
	for packets, status := range map[int]int{3: 200, 40: 0} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 554}, slices.Concat(play, []turn{
			server(strings.Repeat(packet, packets)), client(report), client(request("TEARDOWN rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 2")), server(packet + request("RTSP/1.0 200 OK", "CSeq: 2")),
		}))
		all := dissecttest.FactsOf[dissect.RTSPExchange](facts)
		if last := all[len(all)-1]; last.Method != "TEARDOWN" || last.Status != status {
			t.Errorf("behind %d packets:\n%s", packets, dissecttest.Dump(facts))
		}
	}
}

func FuzzRTSP(f *testing.F) {
	dissecttest.FuzzStream(f, http.NewRTSP,
		[]turn{client(request("PLAY rtsp://a/ RTSP/1.0", "CSeq: 5", "Authorization: Basic YTpi")), server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))})
}
