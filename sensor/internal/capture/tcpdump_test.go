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
)

// TestCorpusAgainstTcpdump has tcpdump copy every capture of the corpus. What it reads to the end without complaint is
// not damaged, and has the frames that it has. What it refuses although it is read here has to be one of the things
// that libpcap is known not to do.
func TestCorpusAgainstTcpdump(t *testing.T) {
	tcpdump := testneed.Command(t, "tcpdump")
	for _, path := range captures(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if compression(raw[:4]) != "" || formatOf(raw[:4]) == nil {
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

// knownLimit tells the complaints about files that are in order.
func knownLimit(said string) bool {
	for _, s := range []string{
		"different from the snapshot length of the first interface",
		"different from the type of the first interface",
		"has no Interface Description Blocks", // nor packets
		"unknown data link type",
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
	for b = b[min(pcapHeadLen, len(b)):]; len(b) >= 16; n++ {
		b = b[16+binary.NativeEndian.Uint32(b[8:]):]
	}
	return n
}
