// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testlab/planted"
)

// TestNoSecretIsWritten sends a secret in every known way and looks for it in all that the sensor writes: alerts, sessions, devices, standard
// output, the cards on a terminal, the log at its lowest level, metrics, the state and the spool.
func TestNoSecretIsWritten(t *testing.T) {
	p := planted.New()
	n, _, _ := planted.Capture(p)
	name, dir := write(t, n, "secrets.pcap"), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := run1(t, "replay", "--silent", planted.DeviceMAC, "--log-level", "debug", "--alerts", at("alerts"), "--sessions", at("sessions"), "--devices", at("devices"), "--evidence", at("evidence"),
		"--state", at("state"), "--metrics-file", at("metrics"), "--kafka", "127.0.0.1:1", "--spool", at("spool"), "--kafka-patience", "1s", name)
	if r.status != exitIncomplete { // the spool is not delivered
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	for _, use := range p.Found([]byte(r.out + r.err)) {
		t.Errorf("on standard output or in the log: %s", use)
	}
	screen := onTerminal(t, 400, nil, "replay", "--silent", planted.DeviceMAC, "--no-color", name)
	if !strings.Contains(screen.out, "D26") {
		t.Errorf("no cards on the screen: %s", screen.out)
	}
	for _, use := range p.Found([]byte(screen.out)) {
		t.Errorf("on the screen: %s", use)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		for _, use := range p.Found([]byte(read(t, path))) {
			t.Errorf("in %s: %s", filepath.Base(path), use)
		}
		return nil
	})
	packets, globErr := filepath.Glob(filepath.Join(at("evidence"), "*.pcapng"))
	if globErr != nil || len(packets) < 5 {
		t.Errorf("%d files with packets: %v", len(packets), globErr)
	}
	if err != nil || files < 6 {
		t.Errorf("%d files were searched: %v", files, err)
	}
	for _, app := range []string{"mysql", "mssql", "smb", "http", "rtsp", "sip", "ftp", "telnet", "mqtt", "pop3", "imap", "snmp", "dvrip"} {
		if !strings.Contains(read(t, at("sessions")), `"app":"`+app+`"`) {
			t.Errorf("no session is %s", app)
		}
	}
	for _, rule := range []string{`"D08"`, `"D26"`} {
		if !strings.Contains(read(t, at("alerts")), rule) {
			t.Errorf("the logins raised no alert of %s", rule)
		}
	}
}
