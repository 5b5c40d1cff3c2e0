// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/fingerprint/recog"
	"stillwatch/sensor/internal/pipeline"
)

// TestFingerprintsInRecords checks that NPF strings, and what databases of the operator say, reach the records.
func TestFingerprintsInRecords(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	n := netsim.New(1)
	router := n.Router("10.0.0.1", "02:00:00:00:00:01")
	client := n.Host("pc", "10.0.0.5", "02:00:00:00:00:05", netsim.Windows)
	server := n.Host("srv", "10.0.0.6", "02:00:00:00:00:06", netsim.Linux)
	n.DHCPBoot(at, client, router, netsim.Lease{})
	n.DialSSH(at.Add(time.Minute), client, server, 22, netsim.OpenSSHClient(), netsim.OpenSSHServer())
	var capt strings.Builder
	if _, err := n.WriteTo(&capt); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "prints.pcap")
	const database = `<fingerprints matches="ssh.banner"><fingerprint pattern="^OpenSSH_(\S+)"><param pos="0" name="service.product" value="OpenSSH"/><param pos="1" name="service.version"/></fingerprint></fingerprints>`
	for file, text := range map[string]string{path: capt.String(), filepath.Join(dir, "ssh.xml"): database} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var external device.External
	var err error
	if external.Recog, err = recog.Load(dir); err != nil {
		t.Fatal(err)
	}
	// Signatures that fit the stacks of the simulated hosts.
	if external.P0f, err = fingerprint.ParseP0f("f", []byte("[tcp:request]\nlabel = g:win:Windows:test\nsig = *:128:0:*:*,*:mss,nop,ws,nop,nop,sok:df,id+:0\n"+
		"[tcp:response]\nlabel = g:unix:Linux:test\nsig = *:64:0:*:*,*:mss,nop,nop,sok,nop,ws:df:0\nsig = *:64:0:*:*,*:mss,sok,ts,nop,ws:df:0\n")); err != nil {
		t.Fatal(err)
	}
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	devices := map[string]schemas.Device{}
	var ssh *schemas.SSH
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Shards: 2, Replay: true, External: external}, src, pipeline.Output{
		Device: func(d *schemas.Device) error { devices[d.Key] = *d; return nil },
		Session: func(s *schemas.Session) error {
			if s.SSH != nil {
				ssh = s.SSH
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]struct {
		prints []string
		source string
		says   string
	}{
		"mac:02:00:00:00:00:05": {[]string{"tcp/(40)", "dhcp/(3501"}, "tcp_stack", "system=Windows test"},
		"mac:02:00:00:00:00:06": {[]string{"tcp_server/(40)"}, "recog", "software=OpenSSH"},
	} {
		d := devices[key]
		for _, p := range want.prints {
			if !strings.Contains(strings.Join(d.Fingerprints, " "), p) {
				t.Errorf("%s: %q, want %s", key, d.Fingerprints, p)
			}
		}
		found := false
		for _, e := range d.Evidence {
			found = found || e.Source == want.source && strings.Contains(e.Says, want.says)
		}
		if !found {
			t.Errorf("%s: %+v, want %s", key, d.Evidence, want.says)
		}
	}
	if ssh == nil || !strings.HasPrefix(ssh.NPF, "ssh/(5353482d") || !strings.HasPrefix(ssh.NPFServer, "ssh_server/(5353482d") {
		t.Errorf("session: %+v", ssh)
	}
}
