// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"encoding/base64"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
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

const (
	hikvisionSDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=Media Presentation\r\na=tool:StreamTool\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=control:rtsp://admin:s3cret@10.0.0.5/trackID=1\r\n" +
		"a=rtpmap:96 H264/90000\r\na=Media_header:MEDIAINFO=494D4B48010200;\r\nm=audio 0 RTP/AVP 8 97\r\na=rtpmap:97 opus/48000/2\r\n"
	pushedSDP = "v=0\ns=x\nm=video 0 RTP/AVP 98\na=rtpmap:98 h265/90000"
)

// withSDP returns a message with a session description.
func withSDP(line, sdp string, fields ...string) string {
	return request(line, append(fields, "Content-Type: application/sdp", "Content-Length: "+strconv.Itoa(len(sdp)))...) + sdp
}

// TestRTSPMedia reads descriptions, transports and requests to play of sessions that pull and push media.
func TestRTSPMedia(t *testing.T) {
	facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 554}, []turn{
		client(request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 1")),
		server(withSDP("RTSP/1.0 200 OK", hikvisionSDP, "CSeq: 1")),
		client(request("SETUP rtsp://10.0.0.5/cam/1 RTSP/1.0", "CSeq: 2", "Transport: RTP/AVP;unicast;client_port=5000-5001")),
		server(request("RTSP/1.0 200 OK", "CSeq: 2", "Transport: RTP/AVP;unicast;client_port=5000-5001;server_port=6970-6971;source=10.0.0.9;ssrc=1")),
		client(request("SETUP rtsp://10.0.0.5/cam/2 RTSP/1.0", "CSeq: 3")),
		server(request("RTSP/1.0 200 OK", "CSeq: 3", "Transport: RTP/AVP/TCP;unicast;interleaved=2-3")),
		client(request("SETUP rtsp://10.0.0.5/cam/3 RTSP/1.0", "CSeq: 4")),
		server(request("RTSP/1.0 200 OK", "CSeq: 4", "Transport: RTP/AVP;multicast;destination=239.1.1.1;port=5004;ttl=16")),
		client(request("SETUP rtsp://10.0.0.5/cam/4 RTSP/1.0", "CSeq: 5")),
		server(request("RTSP/1.0 461 Unsupported", "CSeq: 5", "Transport: RTP/AVP/TCP")),
		client(request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 6", "Authorization: Basic YWRtaW46YWRtaW4=")),
		server("$\x02\x00\x04abcd" + request("RTSP/1.0 200 OK", "CSeq: 6")),
		client(request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 7")),
		server(request("RTSP/1.0 454 Session Not Found", "CSeq: 7")),
		client(withSDP("ANNOUNCE rtsp://10.0.0.5/push RTSP/1.0", pushedSDP, "CSeq: 8")),
		server(request("RTSP/1.0 200 OK", "CSeq: 8")),
		client(request("SETUP rtsp://10.0.0.5/push RTSP/1.0", "CSeq: 9", "Transport: RTP/AVP;unicast;client_port=5008-5009")),
		server(request("RTSP/1.0 200 OK", "CSeq: 9", `Transport: RTP/AVP;unicast;mode="record"`)),
		client(request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 10")),
	})
	descriptions := []dissect.MediaDescription{
		{Session: "Media Presentation", Tool: "StreamTool", Vendor: "Hikvision", Media: []dissect.MediaTrack{
			{Kind: "video", Codec: "H264", Payload: 96, Clock: 90000, Control: "rtsp://***@10.0.0.5/trackID=1"}, {Kind: "audio", Payload: 8}}},
		{Push: true, Session: "x", Media: []dissect.MediaTrack{{Kind: "video", Codec: "H265", Payload: 98, Clock: 90000}}},
	}
	if got := dissecttest.FactsOf[dissect.MediaDescription](facts); !reflect.DeepEqual(got, descriptions) {
		t.Errorf("%+v", got)
	}
	transports := []dissect.MediaTransport{
		{Profile: "RTP/AVP", ClientPorts: [2]uint16{5000, 5001}, ServerPorts: [2]uint16{6970, 6971}, Source: netip.MustParseAddr("10.0.0.9")},
		{Profile: "RTP/AVP/TCP", Interleaved: true, Channels: [2]uint8{2, 3}},
		{Profile: "RTP/AVP", Multicast: true, ClientPorts: [2]uint16{5004, 0}, Destination: netip.MustParseAddr("239.1.1.1")},
		{Profile: "RTP/AVP", Push: true, ClientPorts: [2]uint16{5008, 5009}},
	}
	if got := dissecttest.FactsOf[dissect.MediaTransport](facts); !slices.Equal(got, transports) {
		t.Errorf("%+v", got)
	}
	play := func(hint string, result dissect.Outcome) dissect.DeviceAction {
		return dissect.DeviceAction{Protocol: "rtsp", Action: "PLAY", Kind: dissect.ActionView, UserHint: hint, Result: result}
	}
	actions := []dissect.DeviceAction{play("in", dissect.OutcomeSuccess), play("", dissect.OutcomeFailure), play("", dissect.OutcomeUnknown)}
	if got := dissecttest.FactsOf[dissect.DeviceAction](facts); !slices.Equal(got, actions) {
		t.Errorf("%+v", got)
	}
	if strings.Contains(dissecttest.Dump(facts), "s3cret") {
		t.Errorf("the password is in\n%s", dissecttest.Dump(facts))
	}
}

// TestInterleavedMedia reads the first packet of each channel of RTP that was agreed to, in both directions.
func TestInterleavedMedia(t *testing.T) {
	packet := func(channel byte, rest string) string { return string([]byte{'$', channel, 0, byte(len(rest))}) + rest }
	rtp := func(kind byte, source string) string {
		return string([]byte{0x80, kind}) + "\x00\x01\x00\x00\x00\x00" + source + "media"
	}
	facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 554}, []turn{
		client(request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 1")),
		server(withSDP("RTSP/1.0 200 OK", hikvisionSDP, "CSeq: 1")),
		client(request("SETUP rtsp://10.0.0.5/cam/1 RTSP/1.0", "CSeq: 2")),
		server(request("RTSP/1.0 200 OK", "CSeq: 2", "Transport: RTP/AVP/TCP;interleaved=0-1")),
		client(request("SETUP rtsp://10.0.0.5/cam/2 RTSP/1.0", "CSeq: 3")),
		server(request("RTSP/1.0 200 OK", "CSeq: 3", "Transport: RTP/AVP/TCP;interleaved=2-3")),
		server(packet(1, rtp(0x48, "repo")) + packet(4, rtp(0x60, "none")) + packet(0, "short") + packet(0, "\x00"+rtp(0x60, "no v")[1:]) + packet(0, rtp(0xe0, "pict")) + packet(0, rtp(0x60, "next"))),
		client(packet(2, rtp(0x08, "talk"))),
	})
	want := []dissect.MediaFlow{{Payload: 96, Codec: "H264", SSRC: 0x70696374, Video: true, OneWay: true}, {Payload: 8, SSRC: 0x74616c6b, OneWay: true}}
	if got := dissecttest.FactsOf[dissect.MediaFlow](facts); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// TestRTSPOverHTTP reads both halves of RTSP over HTTP, and sessions that only resemble them.
func TestRTSPOverHTTP(t *testing.T) {
	get := request("GET /cam HTTP/1.0", "x-sessioncookie: tD9hKgAAfB8ABCftAAAAAw")
	answer := request("HTTP/1.0 200 OK", "Content-Type: application/x-rtsp-tunnelled")
	post := func(fields ...string) string {
		return request("POST /cam HTTP/1.0", append(fields, "Content-Type: application/x-rtsp-tunnelled", "Content-Length: 32767")...)
	}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	describe := request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 1", "Authorization: Basic YWRtaW46czNjcmV0")
	for name, c := range map[string]struct {
		turns  []turn
		app    string
		method string // of the first request of RTSP
		status int    // of its response
	}{
		"answers":            {[]turn{client(get), server(answer), server(withSDP("RTSP/1.0 200 OK", hikvisionSDP, "CSeq: 1"))}, "rtsp", "", 200},
		"requests":           {[]turn{client(post("x-sessioncookie: tD9h")), client(encoded(describe)[:30]), client(encoded(describe)[30:] + "\r\n" + encoded(request("PLAY rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 2")))}, "rtsp", "DESCRIBE", 0},
		"no cookie":          {[]turn{client(post()), client(encoded(describe))}, "http", "", 0},
		"page with a cookie": {[]turn{client(get), server(request("HTTP/1.0 200 OK", "Content-Type: text/plain") + "RTSP/1.0 200 OK\r\n\r\n")}, "http", "", 0},
		"refused":            {[]turn{client(get), server(request("HTTP/1.0 401 No", "Content-Type: application/x-rtsp-tunnelled") + "RTSP/1.0 200 OK\r\n\r\n")}, "http", "", 0},
		"body without RTSP":  {[]turn{client(post("x-sessioncookie: tD9h")), client("!!!!" + encoded(describe))}, "rtsp", "", 0},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, c.turns)
		var method string
		var status int
		if all := dissecttest.FactsOf[dissect.RTSPExchange](facts); len(all) > 0 {
			method, status = all[0].Method, all[0].Status
		}
		if app := dissecttest.AppOf(facts); app != c.app || method != c.method || status != c.status {
			t.Errorf("%s: app %q, %q %d\n%s", name, app, method, status, dissecttest.Dump(facts))
		}
		if d := dissecttest.Dump(facts); strings.Contains(d, "s3cret") || strings.Contains(d, "tD9h") {
			t.Errorf("%s: a secret is in\n%s", name, d)
		}
	}
}

// TestSDPThatIsCut checks that a description is read as far as it goes.
func TestSDPThatIsCut(t *testing.T) {
	for sdp, want := range map[string]int{"v=0\r\ns=a\r\nm=video 0 RTP/AVP 96\r\nm=aud": 2, "v=0": 0, "m=video 0 RTP/AVP 96\r\n": -1, "v=0\n" + strings.Repeat("m=video 0 RTP/AVP 96\n", 20): 8} {
		facts := dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 554}, []turn{
			client(request("DESCRIBE rtsp://10.0.0.5/cam RTSP/1.0", "CSeq: 1")),
			server(request("RTSP/1.0 200 OK", "CSeq: 1", "Content-Type: application/sdp", "Content-Length: 5000") + sdp),
		}, 0)
		got := dissecttest.FactsOf[dissect.MediaDescription](facts)
		if want < 0 && len(got) > 0 || want >= 0 && (len(got) != 1 || len(got[0].Media) != want) {
			t.Errorf("%q: %+v", sdp, got)
		}
	}
}

func FuzzRTSP(f *testing.F) {
	dissecttest.FuzzStream(f, http.NewRTSP,
		[]turn{client(request("DESCRIBE rtsp://a/ RTSP/1.0", "CSeq: 1")), server(withSDP("RTSP/1.0 200 OK", hikvisionSDP, "CSeq: 1")), client(request("SETUP rtsp://a/ RTSP/1.0", "CSeq: 2")),
			server(request("RTSP/1.0 200 OK", "CSeq: 2", "Transport: RTP/AVP;unicast;client_port=5000-5001;source=10.0.0.9"))},
		[]turn{client(request("SETUP rtsp://a/ RTSP/1.0", "CSeq: 2")), server(request("RTSP/1.0 200 OK", "CSeq: 2", "Transport: RTP/AVP/TCP;interleaved=0-1") + "$\x00\x00\x0c\x80\x60\x00\x01timeSSRC")},
		[]turn{client(request("PLAY rtsp://a/ RTSP/1.0", "CSeq: 5", "Authorization: Basic YTpi")), server("$\x00\x00\x04RTSP" + request("RTSP/1.0 200 OK", "CSeq: 5"))})
}
