// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"io/fs"
	"path/filepath"
	"testing"

	"stillwatch/internal/testneed"
)

func TestCorpusDecodes(t *testing.T) {
	dir := filepath.Join(testneed.Corpus(t), "captures")
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
