// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkSave writes 20 thousand records of 400 bytes, some new and most known, into a file of up to 200 thousand.
func BenchmarkSave(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "state"), options())
	x := rand.New(rand.NewPCG(1, 1))
	value := strings.Repeat("v", 400)
	at := 100 * sec
	for b.Loop() {
		batch := s.Ready(at)
		for range 20_000 {
			key := binary.BigEndian.AppendUint64(nil, uint64(x.Uint32N(200_000))*0x9e3779b97f4a7c15)
			put(batch, string(key), value)
		}
		n := s.Stats().Saves
		s.Save(batch, at, false)
		waitFor(b, "the snapshot", func() bool { return s.Stats().Saves > n })
		at += 10 * sec
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/record")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
