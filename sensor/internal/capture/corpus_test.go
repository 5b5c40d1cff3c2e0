// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testneed"
)

// given is a frame with a copy of its bytes.
type given struct {
	Frame
	data string
}

// readAll reads the captures to their end.
func readAll(t testing.TB, opts []Option, paths ...string) ([]given, Stats) {
	t.Helper()
	f, err := OpenFiles(paths, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frames := drain(t, f)
	return frames, f.Stats()
}

func drain(t testing.TB, f *Files) (frames []given) {
	t.Helper()
	var b Batch
	for {
		err := f.Next(&b)
		if err == io.EOF && len(b.Frames) == 0 {
			return frames
		}
		if err != nil || len(b.Frames) == 0 {
			t.Fatalf("%d frames and the error %v", len(b.Frames), err)
		}
		for _, fr := range b.Frames {
			if fr.OrigLen < fr.Len {
				t.Fatalf("a frame of %d bytes has %d captured", fr.OrigLen, fr.Len)
			}
			frames = append(frames, given{fr, string(b.Data[fr.Off:][:fr.Len])})
		}
	}
}

// secondOpinion reads a capture with pcapgo, up to its first error.
func secondOpinion(raw []byte) (frames []given, end error) {
	var r interface {
		ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	}
	var err error
	if r, err = pcapgo.NewReader(bytes.NewReader(raw)); err != nil {
		if r, err = pcapgo.NewNgReader(bytes.NewReader(raw), pcapgo.NgReaderOptions{WantMixedLinkType: true}); err != nil {
			return nil, err
		}
	}
	for {
		data, ci, err := r.ReadPacketData()
		if err != nil {
			return frames, err
		}
		frames = append(frames, given{
			Frame{Time: ci.Timestamp.UnixNano(), Len: uint32(ci.CaptureLength), OrigLen: uint32(ci.Length)}, string(data)})
	}
}

func captures(t testing.TB) (paths []string) {
	root := filepath.Join(testneed.Corpus(t), "captures")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// sameTime compares times, except those of packets without a time, which have the year 1 in pcapgo, and invalid fractions of a second, which
// overflow there.
func sameTime(ours, theirs int64) bool {
	var none time.Time
	return ours == theirs || theirs == none.UnixNano() || ours%1e9 == 1e9-1
}

// Both readers read every capture of the corpus. All frames of pcapgo must be read, with the same bytes and times. After an error of pcapgo there
// may be more. One file has two lengths for a block, which pcapgo does not check and libpcap rejects too.
func TestCorpusAgainstPcapgo(t *testing.T) {
	for _, path := range captures(t) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, end := secondOpinion(raw)
		f, err := OpenFiles([]string{path})
		var no *FormatError
		if errors.As(err, &no) && len(want) == 0 {
			t.Logf("%v", err)
			continue
		} else if err != nil {
			t.Errorf("%v", err)
			continue
		}
		got := drain(t, f)
		st := f.Stats()
		f.Close()
		if len(got) < len(want) || end == io.EOF && len(got) > len(want) {
			t.Errorf("%s: %d frames, pcapgo has %d and then %v", path, len(got), len(want), end)
			continue
		}
		for i := range want {
			if !sameTime(got[i].Time, want[i].Time) || got[i].data != want[i].data {
				t.Errorf("%s: frame %d: %v, %v", path, i+1, got[i].Frame, want[i].Frame)
				break
			}
		}
		if end == io.EOF && len(st.Damage) > 0 && !strings.HasSuffix(path, "shb-option-too-long.pcapng") {
			t.Errorf("%s: %v, but pcapgo reads it to its end", path, st.Damage)
		}
	}
}

// Captures of the corpus open, and have damage, as its list says.
func TestCorpusDamage(t *testing.T) {
	root := testneed.Corpus(t)
	truth, err := os.ReadFile(filepath.Join(root, "truth", "robust.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(truth) {
		var row struct {
			Capture string
			Exit    []int
			Cut     bool
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFiles([]string{filepath.Join(root, "captures", row.Capture)})
		if err != nil {
			if !slices.Contains(row.Exit, 2) {
				t.Error(err)
			}
			continue
		}
		drain(t, f)
		if row.Cut && len(f.Stats().Damage) == 0 {
			t.Errorf("%s: is cut, but not damaged", row.Capture)
		}
		f.Close()
	}
}
