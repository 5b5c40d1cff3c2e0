// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir gives the folder of public captures, or skips.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("STILLWATCH_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "captures")); err != nil {
		if strings.Contains(os.Getenv("STILLWATCH_REQUIRE"), "corpus") {
			t.Fatalf("corpus required: %v", err)
		}
		t.Skip("no corpus of captures here; set STILLWATCH_CORPUS")
	}
	return dir
}

func TestCorpusDecodes(t *testing.T) {
	dir := filepath.Join(corpusDir(t), "captures")
	var verdicts [NumVerdicts]int
	frames := 0
	r := NewReassembler(ReassemblerConfig{})
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return eachFrame(path, func(link LinkType, frame []byte, origLen int) {
			var p Packet
			Decode(&p, link, frame, uint32(origLen))
			checkPacket(t, &p, frame)
			frames++
			if p.Frag != FragNone {
				r.Add(&p)
			}
			verdicts[p.Verdict]++
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if frames < 10000 {
		t.Errorf("only %d frames decoded", frames)
	}
	t.Logf("%+v", r.Stats())
	for v, n := range verdicts {
		t.Logf("%-18s %d", Verdict(v), n)
	}
}
