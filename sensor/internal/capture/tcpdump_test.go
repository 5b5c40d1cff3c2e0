// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/capture/pcapfile"
)

// tcpdump copies every capture of the corpus. A capture that it reads to the end without a complaint is not damaged and has the same frames. If it
// rejects a capture that is read here, the reason must be a known limit of libpcap.
func TestCorpusAgainstTcpdump(t *testing.T) {
	tcpdump := testneed.Command(t, "tcpdump")
	for _, path := range captures(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if compression(raw[:4]) != "" || pcapfile.New(raw[:4]) == nil {
			continue
		}
		var out, said bytes.Buffer
		cmd := exec.Command(tcpdump, "-r", path, "-w", "-")
		cmd.Stdout, cmd.Stderr = &out, &said
		clean := cmd.Run() == nil
		want := countRecords(out.Bytes())
		got, st := readAll(t, nil, path)
		switch damaged := len(st.Damage) > 0; {
		case clean && damaged:
			t.Errorf("%v, but tcpdump reads it", st.Damage)
		case clean && len(got) != want:
			t.Errorf("%s: %d frames, tcpdump has %d", path, len(got), want)
		case !clean && !damaged && !knownLimit(said.String()):
			t.Errorf("%s: no damage, but tcpdump says %s", path, said.String())
		}
	}
}

// knownLimit reports whether a complaint of tcpdump is about a valid file.
func knownLimit(said string) bool {
	for _, s := range []string{
		"different from the snapshot length of the first interface",
		"different from the type of the first interface",
		"has no Interface Description Blocks", // nor packets
		"unknown data link type",
		"unknown file format", // snoop
		"archaic pcap savefile format", "unsupported pcap savefile version", "unsupported pcapng savefile version",
	} {
		if strings.Contains(said, s) {
			return true
		}
	}
	return false
}

// countRecords counts the records of a pcap file that tcpdump wrote on this machine.
func countRecords(b []byte) (n int) {
	for b = b[min(24, len(b)):]; len(b) >= 16; n++ {
		b = b[16+binary.NativeEndian.Uint32(b[8:]):]
	}
	return n
}
