// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
)

// readOf returns what was read of captures, up to the end of all or after so many batches.
func readOf(t *testing.T, batches int, paths []string, opts ...Option) []Read {
	t.Helper()
	f, err := OpenFiles(paths, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Batch
	for err = error(nil); err == nil && batches != 0; batches-- {
		err = f.Next(&b)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return f.Reads()
}

func TestReads(t *testing.T) {
	late, early, empty := put(t, at(30, 31)), put(t, gzipped(t, at(10, 40, 20))), put(t, at())
	info, err := os.Stat(early)
	if err != nil {
		t.Fatal(err)
	}
	got := readOf(t, -1, []string{late, empty, early})
	want := []Read{
		{File: early, Packets: 3, First: 10e9, Last: 20e9, Bytes: uint64(info.Size())},
		{File: late, Packets: 2, First: 30e9, Last: 31e9, Bytes: uint64(len(at(30, 31)))},
		{File: empty, Bytes: uint64(len(at()))},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got = readOf(t, 1, []string{late, early})
	if len(got) != 2 || got[0].Packets != 3 || got[1] != (Read{File: late}) {
		t.Errorf("after the first batch: %+v", got)
	}
}

// TestReadsOfAPipe checks that the hash of a pipe is that of the stored bytes, compressed or not, and that it is computed only on request.
func TestReadsOfAPipe(t *testing.T) {
	for name, data := range map[string][]byte{"plain": at(1, 2, 3), "gzip": gzipped(t, at(1, 2, 3))} {
		sum := sha256.Sum256(data)
		for _, hash := range []bool{false, true} {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			before := os.Stdin
			os.Stdin = r
			go func() {
				_, _ = w.Write(data) // a test that fails does not read it
				w.Close()
			}()
			opts, want := []Option(nil), Read{File: Stdin, Packets: 3, First: 1e9, Last: 3e9, Bytes: uint64(len(data))}
			if hash {
				opts, want.SHA256 = append(opts, HashPipes()), hex.EncodeToString(sum[:])
			}
			got := readOf(t, -1, []string{Stdin}, opts...)
			os.Stdin = before
			r.Close()
			if !slices.Equal(got, []Read{want}) {
				t.Errorf("%s, hash %v: got %+v, want %+v", name, hash, got, want)
			}
		}
	}
}
