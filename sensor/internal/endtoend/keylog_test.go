// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestKeyLog replays HTTPS between a computer and a camera without and with the key log of the computer.
func TestKeyLog(t *testing.T) {
	turns, keyLog := dissecttest.HTTPS(t, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })
	n := netsim.New(7)
	pc, cam := n.Host("pc", "10.20.1.5", "00:1b:21:00:00:05", netsim.Linux), n.Host("cam", "10.20.30.11", "28:57:be:00:00:11", netsim.Linux)
	c := n.Dial(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), pc, cam, 443)
	for _, turn := range turns {
		if turn.Dir == dissect.FromServer {
			c.Reply([]byte(turn.Data))
		} else {
			c.Send([]byte(turn.Data))
		}
	}
	c.Close()
	capture, keys := write(t, n, "https.pcap"), filepath.Join(t.TempDir(), "keys.log")
	if err := os.WriteFile(keys, []byte(keyLog), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := run1(t, "replay", "--alerts", "/dev/null", "--sessions", "-", capture)
	opened := run1(t, "replay", "--alerts", "/dev/null", "--sessions", "-", "--keylog", keys, capture)
	if strings.Contains(plain.out, `"http":`) || !strings.Contains(plain.out, `"tls":{"sni":"cam7.example"`) {
		t.Errorf("without the key log: %s", plain.out)
	}
	if want := `"http":{"method":"GET","host":"cam7.example","uri":"/ISAPI/System/deviceInfo","user_agent":"curl/8.1","server":"App-webs/","status":200,"auth_scheme":"basic","auth_result":"success"}`; !strings.Contains(opened.out, want) ||
		!strings.Contains(opened.out, `"app":"tls"`) {
		t.Errorf("with the key log: %s", opened.out)
	}
	if want := `"tls_sessions":1,"tls_decrypted":1`; !strings.Contains(strings.ReplaceAll(opened.err, " ", ""), want) {
		t.Errorf("%s, want %s", opened.err, want)
	}
	if secret := strings.Fields(keyLog)[2]; strings.Contains(opened.out+opened.err, secret) || strings.Contains(opened.out+opened.err, "12345") {
		t.Error("a secret was written")
	}
}
