// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testlab/trace"
)

// TestLoginsByXDP sends logins to a port with XDP. After each, and in a session without one, the server sends more than the kernel copies
// of a session: what the sensor says about the logins is what a replay of all packets says. The kernel counts the rest of a session, and copies it in
// full after the alert about a login.
func TestLoginsByXDP(t *testing.T) {
	t.Parallel() // it waits for the speed of the capture
	const digestOnly, basicOnly = `WWW-Authenticate: Digest realm="x", qop="auth", nonce="a", stale="FALSE"`, `WWW-Authenticate: Basic realm="x"`
	n := netsim.New(1)
	n.Router("10.20.30.1", "00:1b:54:00:00:01")
	cam := n.Host("cam", silentAddr, silentMAC, netsim.Embedded)
	at, open := began(), (*netsim.Conn)(nil)
	for i, c := range []struct {
		port  uint16
		turns []string
	}{
		{23, []string{"<\xff\xfd\x18", "<\r\nlogin: ", "root\r\n", "<Password: ", "hunter\r\n", "<\r\n\r\nBusyBox v1.19.4\r\n~ # ", "ls\r\n"}},
		{80, []string{get(digest("a")), said(401, "", digestOnly), get(digest("b")), said(200, "")}},
		{80, []string{get(basic("ops:a")), said(401, "", basicOnly), get(basic("ops:b")), said(401, "", basicOnly), get(basic("ops:c")), said(401, "", basicOnly), get(basic("ops:d")), said(200, "")}},
		{23, []string{"<\xff\xfd\x18", "<\r\nlogin: ", "root\r\n", "<Password: ", "a\r\n", "<\r\nLogin incorrect\r\nlogin: ", "root\r\n", "<Password: ", "b\r\n", "<\r\nLogin incorrect\r\nlogin: "}},
	} {
		from := n.External("203.0.113."+string(rune('1'+i)), netsim.Linux, 10*time.Millisecond)
		s := turn(n.Dial(at, from, cam, c.port), 200*time.Millisecond, c.turns...)
		if s.Bulk(netsim.Server, 1<<20, time.Second, 2); open == nil {
			open, at = s, s.Now()
			continue
		}
		at = s.Close().Add(time.Second)
	}
	monitor := n.Host("monitor", "10.20.30.9", "00:1b:54:00:00:09", netsim.Linux)
	at = n.Dial(at, monitor, cam, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200}).Bulk(netsim.Server, 1<<20, time.Second, 2).Close().Add(time.Second)
	open.WaitUntil(at).Bulk(netsim.Server, 1<<20, time.Minute, 2)
	f, err := os.Open(write(t, n, "logins.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packets, err := trace.ReadStory(f)
	if err != nil {
		t.Fatal(err)
	}
	split := slices.IndexFunc(packets, func(p trace.Packet) bool { return p.Time >= at.UnixNano() })
	logins := func(dir string) (all []string) {
		alerts, _ := verdicts(t, dir)
		return slices.DeleteFunc(alerts, func(a string) bool { return !strings.HasPrefix(a, "D08") && !strings.HasPrefix(a, "D09") })
	}
	dir := t.TempDir()
	if r := run1(t, "replay", "--silent", silentMAC, "--alerts", filepath.Join(dir, "alerts.jsonl"), "--sessions", filepath.Join(dir, "sessions.jsonl"), f.Name()); r.status != exitOK {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	want := logins(dir)
	if len(want) != 4 { // a login by each of the first three, and the guesses of the third
		t.Fatalf("%d alerts about logins: %q", len(want), want)
	}
	d := deploy(t, 0, nil, "--mode", "xdp", "--silent", silentMAC, "--sessions", "DIR/sessions.jsonl", "--listen", "127.0.0.1:9477")
	d.toldUntil(t, "READY=1")
	d.play(t, packets[:split])
	way := func(name string) float64 {
		return value(t, d.metrics(t), `stillwatch_sensor_capture_kernel_total{way="`+name+`"}`)
	}
	waitUntil(t, "counts of the kernel", func() bool { return way("shunted") > 100 })
	waitUntil(t, "a full copy after a login", func() bool {
		d.send(t, [][]byte{packets[split].Data})
		split++
		return way("full") > 0
	})
	d.end(t)
	if got := logins(d.dir); !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(differences(got, want), "\n"))
	}
}
