// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"stillwatch/internal/testlab/trace"
)

// BenchmarkFile reads a capture from the page cache: that of STILLWATCH_TRACE, else a small one.
func BenchmarkFile(b *testing.B) {
	path := os.Getenv("STILLWATCH_TRACE")
	if path == "" {
		path = writeTrace(b, trace.Config{Kind: trace.Office, Packets: 400_000, Sessions: 14_300})
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	batches := make([]Batch, 8) // in flight in a pipeline
	for b.Loop() {
		f, err := OpenFiles([]string{path})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; err == nil; i++ {
			err = f.Next(&batches[i%len(batches)])
		}
		if err != io.EOF || len(f.Stats().Damage) > 0 {
			b.Fatal(err, f.Stats().Damage)
		}
		f.Close()
	}
}

func writeTrace(t testing.TB, c trace.Config) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(f, c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
