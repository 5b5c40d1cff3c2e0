// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// storyEvidence replays a story and returns its files of evidence by name, and the last revisions of its alerts.
func storyEvidence(t *testing.T, story string, args ...string) (files map[string][]byte, alerts map[string]schemas.Alert) {
	t.Helper()
	dir, out := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", story), t.TempDir()
	evidence, records := filepath.Join(out, "evidence"), filepath.Join(out, "alerts")
	args = append([]string{"replay", "--inventory", filepath.Join(dir, "inventory.yaml"), "--evidence", evidence, "--alerts", records}, args...)
	if r := run1(t, append(args, filepath.Join(dir, "input.pcap"))...); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	files, alerts = map[string][]byte{}, map[string]schemas.Alert{}
	names, err := filepath.Glob(filepath.Join(evidence, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		files[filepath.Base(name)] = []byte(read(t, name))
	}
	for line := range strings.Lines(read(t, records)) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		alerts[a.ID] = a
	}
	return files, alerts
}

// TestEvidenceIsTheSame checks that the files are the same, byte for byte, for any number of shards. Their names are the hashes of what they
// hold, so the alerts of TestStoriesGiveTheSameRecords, which name them, check it for captures in pieces, too.
func TestEvidenceIsTheSame(t *testing.T) {
	for _, story := range []string{"S1", "S4"} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			want, _ := storyEvidence(t, story, "--shards", "1")
			if len(want) < 5 {
				t.Fatalf("only %d files", len(want))
			}
			for _, shards := range []string{"2", "4"} {
				got, _ := storyEvidence(t, story, "--shards", shards)
				if !maps.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("%s shards: %d files differ from the %d of one shard", shards, len(got), len(want))
				}
			}
		})
	}
}

// TestEvidenceOfAStory reads each file back, and checks what the alerts say about them.
func TestEvidenceOfAStory(t *testing.T) {
	t.Parallel()
	files, alerts := storyEvidence(t, "S1")
	named := 0
	for _, a := range alerts {
		for _, e := range a.Evidence {
			if e.PCAP == nil {
				continue
			}
			named++
			data := files[e.PCAP.Name]
			sum := sha256.Sum256(data)
			if e.PCAP.SHA256 != hex.EncodeToString(sum[:]) || e.PCAP.Name != e.PCAP.SHA256+".pcapng" {
				t.Fatalf("alert %s names %q, and a file of %d bytes has %x", a.ID, e.PCAP.Name, len(data), sum)
			}
			checkEvidence(t, &a, e.PCAP.Packets, data)
		}
		if a.Rule.ID == "D01" && a.Action != "close" && len(a.Evidence) > 0 && a.Evidence[len(a.Evidence)-1].PCAP == nil {
			t.Errorf("alert %s of %s names no packets: %+v", a.ID, a.Rule.ID, a.Evidence)
		}
	}
	if named < 5 || named > len(files) {
		t.Errorf("the alerts name %d files, and there are %d", named, len(files))
	}
}

// checkEvidence reads a file.
func checkEvidence(t *testing.T, a *schemas.Alert, packets int, data []byte) {
	t.Helper()
	if len(data) > 256<<10 || packets > 256 || packets == 0 {
		t.Errorf("alert %s: %d packets in %d bytes", a.ID, packets, len(data))
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.SectionInfo().Comment; !strings.Contains(c, a.ID) || !strings.Contains(c, "rule "+a.Rule.ID) {
		t.Errorf("the comment of the section is %q", c)
	}
	if r.LinkType() != layers.LinkTypeEthernet {
		t.Errorf("link type %s", r.LinkType())
	}
	n, created := 0, int64(0)
	for _, e := range a.Evidence {
		if e.PCAP != nil {
			created = int64(*e.Time)
		}
	}
	for {
		_, info, err := r.ReadPacketData()
		if err != nil {
			break
		}
		n++
		if at := info.Timestamp.UnixNano(); at > created+30e9 {
			t.Errorf("packet %d is %d s after the alert", n, (at-created)/1e9)
		}
		if info.CaptureLength > info.Length {
			t.Errorf("packet %d has %d of %d bytes", n, info.CaptureLength, info.Length)
		}
	}
	if n != packets {
		t.Errorf("alert %s says %d packets, and the file has %d", a.ID, packets, n)
	}
}

// TestEvidenceOpensInTshark reads the files with the program under Wireshark: each packet, and the comments of file and packets.
func TestEvidenceOpensInTshark(t *testing.T) {
	t.Parallel()
	testneed.Command(t, "tshark")
	files, alerts := storyEvidence(t, "S1")
	tshark := func(data []byte, args ...string) string {
		cmd := exec.Command("tshark", append([]string{"-n", "-r", "-"}, args...)...)
		cmd.Stdin = bytes.NewReader(data)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, errs.Bytes())
		}
		return out.String()
	}
	decided, read := 0, 0
	for _, a := range alerts {
		for _, e := range a.Evidence {
			if e.PCAP == nil || read == 8 {
				continue
			}
			read++
			packets := tshark(files[e.PCAP.Name], "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|", "-e", "frame.number", "-e", "tcp.checksum.status",
				"-e", "udp.checksum.status", "-e", "frame.comment")
			if n := strings.Count(packets, "\n"); n != e.PCAP.Packets {
				t.Errorf("alert %s: tshark reads %d of %d packets", a.ID, n, e.PCAP.Packets)
			}
			decided += strings.Count(packets, "the alert was decided with this packet")
			if strings.Contains(packets, "|0|") { // status 0: wrong
				t.Errorf("alert %s: wrong checksums in\n%s", a.ID, packets)
			}
		}
	}
	if read < 8 || decided < 3 {
		t.Errorf("tshark shows %d comments of the packets that decided in %d files", decided, read)
	}
}

// TestEvidenceOpensInTcpdump reads the files with a program that many analysts use.
func TestEvidenceOpensInTcpdump(t *testing.T) {
	t.Parallel()
	var program string
	for _, name := range []string{"tshark", "tcpdump"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		testneed.Missing(t, "tcpdump", "neither tshark nor tcpdump is installed")
	}
	files, _ := storyEvidence(t, "S1")
	for name, data := range files {
		cmd := exec.Command(program, "-n", "-r", "-")
		cmd.Stdin = bytes.NewReader(data)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || bytes.Count(out.Bytes(), []byte("\n")) < 1 || strings.Contains(errs.String(), "bad") {
			t.Errorf("%s: %v: %s", name, err, errs.Bytes())
		}
	}
}
