// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/pipeline"
)

// changed writes a capture in which change was applied to the bytes of each frame; nil drops the frame.
func changed(t *testing.T, n *netsim.Net, change func([]byte) []byte) string {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, f := range n.Frames() {
		data := change(slices.Clone(f.Data))
		if data == nil {
			continue
		}
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: f.Time, CaptureLength: len(data), Length: f.Len}, data); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func cutTo(size int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:min(len(b), size)] }
}

// badChecksums makes the checksums of IPv4, TCP and UDP wrong.
func badChecksums(b []byte) []byte {
	if b[12] != 8 || b[13] != 0 {
		return b
	}
	b[24] ^= 0x55
	switch at := 14 + int(b[14]&15)*4; b[23] {
	case 6:
		b[at+16] ^= 0x55
	case 17:
		b[at+6] ^= 0x55
	}
	return b
}

// detectorsOff writes a configuration in which every rule is disabled.
func detectorsOff(t *testing.T) string {
	t.Helper()
	text := "version: 1\ndetections:\n"
	for _, r := range detect.Rules() {
		text += fmt.Sprintf("  %s: {enabled: false}\n", r.ID)
	}
	path := filepath.Join(t.TempDir(), "off.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRunThatCouldNotFindAnything has captures and configurations in which nothing can be found, and look-alikes in which something can. The
// reason must be in the log, in the metrics and on the screen; a healthy run says nothing.
func TestRunThatCouldNotFindAnything(t *testing.T) {
	same := func(b []byte) []byte { return b }
	arp := func(b []byte) []byte {
		if b[12] == 8 && b[13] == 6 {
			return b
		}
		return nil
	}
	strange := func(b []byte) []byte { return append(b[:12], 0x88, 0xb5) } // an EtherType for experiments
	for _, c := range []struct {
		name   string
		path   string
		args   []string
		reason string // "": none
		text   string
	}{
		{"healthy", changed(t, sample(t), same), nil, "", ""},
		{"no packet", changed(t, sample(t), func([]byte) []byte { return nil }), nil, "no_packets", "the captures have no packet"},
		{"cut to Ethernet", changed(t, sample(t), cutTo(14)), nil, "cut_headers", "no TCP header was captured whole"},
		{"cut to IP", changed(t, sample(t), cutTo(34)), nil, "cut_headers", "no TCP header was captured whole"},
		{"cut to ports", changed(t, sample(t), cutTo(42)), nil, "cut_headers", "no TCP header was captured whole"},
		{"cut behind TCP", changed(t, sample(t), cutTo(54)), nil, "", ""},
		{"only ARP", changed(t, sample(t), arp), nil, "", ""},
		{"another protocol", changed(t, sample(t), strange), nil, "not_decoded", "no_network_layer"},
		{"no internal address", write(t, public(), "b.pcap"), nil, "no_internal_address", "--internal 147.32.0.0/16"},
		{"declared internal address", write(t, public(), "c.pcap"), []string{"--internal", "147.32.0.0/16"}, "", ""},
		{"detectors off", changed(t, sample(t), same), []string{"--config", detectorsOff(t)}, "detectors_off", "disables every detector"},
		{"checksums wrong", changed(t, sample(t), badChecksums), nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			const warning = "this run could not have found anything"
			file := filepath.Join(t.TempDir(), "metrics")
			args := append([]string{"replay", "--silent", "10.20.10.17", "--alerts", os.DevNull, "--metrics-file", file}, c.args...)
			r := run1(t, append(args, c.path)...)
			screen := onTerminal(t, 200, nil, append(args, c.path)...).out
			if r.status != exitOK || strings.Contains(r.err, warning) != (c.reason != "") || strings.Contains(screen, warning) != (c.reason != "") {
				t.Errorf("status %d\n%s\n%s", r.status, r.err, screen)
			}
			if c.reason != "" && (!strings.Contains(r.err, `"reason":"`+c.reason+`"`) || !strings.Contains(r.err, c.text) || !strings.Contains(screen, c.text)) {
				t.Errorf("the text lacks %q:\n%s\n%s", c.text, r.err, screen)
			}
			metrics := string(read(t, file))
			for _, reason := range pipeline.Obstacles() {
				value := 0
				if reason == c.reason {
					value = 1
				}
				if want := fmt.Sprintf("stillwatch_sensor_could_not_detect{obstacle=%q} %d\n", reason, value); !strings.Contains(metrics, want) {
					t.Errorf("no metric %s", want)
				}
			}
		})
	}
}

// TestWrongChecksumsChangeNothing has the checksums of every packet be wrong, as with checksum offload: the alerts are the same.
func TestWrongChecksumsChangeNothing(t *testing.T) {
	alerts := func(change func([]byte) []byte) string {
		r := run1(t, "replay", "--silent", "10.20.10.17", changed(t, sample(t), change))
		if len(records(t, schemas.KindAlert, r.out)) == 0 {
			t.Fatalf("no alert: %s", r.err)
		}
		return emitted.ReplaceAllString(r.out, "")
	}
	if a, b := alerts(func(b []byte) []byte { return b }), alerts(badChecksums); a != b {
		t.Errorf("the alerts differ:\n%s\n%s", a, b)
	}
}
