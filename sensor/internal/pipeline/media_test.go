// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
)

// sessionRecords replays what was sent in n and returns the records of sessions.
func sessionRecords(t *testing.T, n *netsim.Net) (all []*schemas.Session) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, path, pipeline.Output{Session: func(s *schemas.Session) error { kept := *s; all = append(all, &kept); return nil }}); err != nil {
		t.Fatal(err)
	}
	return all
}

// mediaScene is a viewer and a camera with a session of RTSP.
type mediaScene struct {
	net            *netsim.Net
	viewer, camera *netsim.Host
	rtsp           *netsim.Conn
	start          time.Time
	cseq           int
}

func newMediaScene() *mediaScene {
	n := netsim.New(7)
	n.Router("10.20.10.1", "00:1b:54:00:00:01")
	s := &mediaScene{net: n, viewer: n.Host("nvr", "10.20.10.2", "b8:ca:3a:00:00:02", netsim.Linux), camera: n.Host("cam", "10.20.10.3", "b8:ca:3a:00:00:03", netsim.Linux),
		start: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	s.rtsp = n.Dial(s.start, s.viewer, s.camera, 554)
	return s
}

// ask sends a request with one field and answers it with another, and a description if there is one.
func (s *mediaScene) ask(method, field, answer, sdp string) {
	s.cseq++
	s.rtsp.Send(fmt.Appendf(nil, "%s rtsp://10.20.10.3/cam RTSP/1.0\r\nCSeq: %d\r\n%s\r\n", method, s.cseq, field))
	s.rtsp.Reply(fmt.Appendf(nil, "RTSP/1.0 200 OK\r\nCSeq: %d\r\n%sContent-Length: %d\r\n\r\n%s", s.cseq, answer, len(sdp), sdp))
}

func (s *mediaScene) setup(request, response string) {
	s.ask("SETUP", "Transport: RTP/AVP;unicast;"+request+"\r\n", "Transport: RTP/AVP;"+response+"\r\n", "")
}

// unknown is a datagram that is of no protocol.
const unknown = "\x01\x07\x99datagram"

// TestMediaIsTiedToItsSession plays flows that a session of RTSP announced, and what resembles them.
func TestMediaIsTiedToItsSession(t *testing.T) {
	type flow struct{ from, to uint16 } // from a port of the camera to one of the viewer
	for name, c := range map[string]struct {
		announce func(s *mediaScene)
		flow     flow
		late     bool   // the flow begins after the end of the session
		app      string // "": it is not tied
	}{
		"media": {func(s *mediaScene) {
			s.setup("client_port=5000-5001", "unicast;client_port=5000-5001;server_port=6970-6971")
		}, flow{6970, 5000}, false, "rtp"},
		"reports": {func(s *mediaScene) {
			s.setup("client_port=5000-5001", "unicast;client_port=5000-5001;server_port=6970-6971")
		}, flow{6971, 5001}, false, "rtcp"},
		"another port of the server": {func(s *mediaScene) {
			s.setup("client_port=5000-5001;server_port=6970-6971", "unicast;client_port=5000-5001;server_port=7000-7001")
		}, flow{7000, 5002}, false, "rtp"},
		"client's ports not repeated": {func(s *mediaScene) { s.setup("client_port=5000-5001", "unicast") }, flow{7000, 5000}, false, "rtp"},
		"RTSP 2.0": {func(s *mediaScene) {
			s.setup(`dest_addr=":5000"/":5001"`, `unicast;dest_addr=":5000"/":5001";src_addr="10.20.10.3:7000"/"10.20.10.3:7001"`)
		}, flow{7001, 9}, false, "rtcp"},
		"other ports": {func(s *mediaScene) {
			s.setup("client_port=5000-5001", "unicast;client_port=5000-5001;server_port=6970-6971")
		}, flow{6972, 5002}, false, ""},
		"after the session": {func(s *mediaScene) {
			s.setup("client_port=5000-5001", "unicast;client_port=5000-5001;server_port=6970-6971")
		}, flow{6970, 5000}, true, ""},
		"interleaved": {func(s *mediaScene) { s.setup("client_port=5000-5001", "unicast;interleaved=0-1") }, flow{6970, 5000}, false, ""},
		"ports of an ordinary request": {func(s *mediaScene) {
			s.ask("OPTIONS", "Transport: RTP/AVP;client_port=5000\r\n", "Transport: RTP/AVP;client_port=5000\r\n", "")
		}, flow{6970, 5000}, false, ""},
		"media of another host's ports": {func(s *mediaScene) {
			s.setup("client_port=5000-5001", "unicast;destination=10.20.10.9;client_port=5000-5001")
		}, flow{6970, 5000}, false, ""},
	} {
		s := newMediaScene()
		c.announce(s)
		at := s.rtsp.Now().Add(time.Second)
		if c.late {
			at = s.rtsp.Close().Add(10 * time.Second)
		}
		s.net.UDP(at, s.camera, c.flow.from, s.viewer, c.flow.to, []byte(unknown))
		s.rtsp.Wait(2 * time.Second)
		if !c.late {
			s.rtsp.Close()
		}
		checkTied(t, name, sessionRecords(t, s.net), "udp", c.app)
	}
}

// checkTied checks that the session of a protocol, and no other, is named and tied to the session of RTSP.
func checkTied(t *testing.T, name string, all []*schemas.Session, proto, app string) {
	t.Helper()
	want := ""
	for _, x := range all {
		if x.App == "rtsp" && x.AnnouncedBy == "" && app != "" {
			want = x.CommunityID
		}
	}
	found := false
	for _, x := range all {
		if x.Proto == proto && x.CommunityID != want {
			found = true
			if x.App != app || x.AnnouncedBy != want {
				t.Errorf("%s: app %q, announced by %q, want %q by %q", name, x.App, x.AnnouncedBy, app, want)
			}
		}
	}
	if !found {
		t.Errorf("%s: no session", name)
	}
}

// TestMediaOfAGroup ties what is sent to a group that a description names, without a SETUP.
func TestMediaOfAGroup(t *testing.T) {
	for group, app := range map[string]string{"239.7.7.7": "rtp", "239.7.7.8": ""} {
		s := newMediaScene()
		s.ask("DESCRIBE", "", "Content-Type: application/sdp\r\n", "v=0\r\nc=IN IP4 239.7.7.7/16\r\nm=video 5004 RTP/AVP 96\r\n")
		to := s.net.Host("group", group, "01:00:5e:07:07:07", netsim.Linux)
		if !netip.MustParseAddr(group).IsMulticast() {
			t.Fatal(group)
		}
		s.net.UDP(s.rtsp.Now().Add(time.Second), s.camera, 6000, to, 5004, []byte(unknown))
		s.rtsp.Wait(2 * time.Second).Close()
		checkTied(t, group, sessionRecords(t, s.net), "udp", app)
	}
}

// TestRTSPOverHTTPIsTied ties both sessions of RTSP over HTTP by their cookie.
func TestRTSPOverHTTPIsTied(t *testing.T) {
	for _, cookie := range []string{"same", "other"} {
		s := newMediaScene()
		s.rtsp.Send([]byte("GET /cam HTTP/1.0\r\nx-sessioncookie: same\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n"))
		s.rtsp.Reply([]byte("HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n"))
		post := s.net.Dial(s.rtsp.Now().Add(time.Second), s.viewer, s.camera, 554)
		post.Send([]byte("POST /cam HTTP/1.0\r\nx-sessioncookie: " + cookie + "\r\nContent-Type: application/x-rtsp-tunnelled\r\nContent-Length: 32767\r\n\r\n"))
		post.Send([]byte(base64.StdEncoding.EncodeToString([]byte("OPTIONS rtsp://10.20.10.3/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n"))))
		s.rtsp.WaitUntil(post.Now().Add(time.Second)).Reply([]byte("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"))
		s.rtsp.Close()
		post.Wait(time.Second).Close()
		all := sessionRecords(t, s.net)
		var names []string
		tied := 0
		for _, x := range all {
			names = append(names, x.App)
			if x.AnnouncedBy != "" {
				tied++
			}
		}
		if fmt.Sprint(names) != "[rtsp rtsp]" || (tied == 1) != (cookie == "same") || tied > 1 {
			t.Errorf("cookie %s: %v, %d tied", cookie, names, tied)
		}
	}
}
