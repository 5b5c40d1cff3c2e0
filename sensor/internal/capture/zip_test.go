// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"runtime"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// stored is a file in an archive.
type stored struct {
	name string
	data []byte
}

func zipped(t testing.TB, files ...stored) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if i%2 == 1 {
			h.Method = zip.Store
		}
		to, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZip(t *testing.T) {
	path := put(t, zipped(t,
		stored{"site/late.pcap", at(30, 31)}, stored{"../early.pcap", at(10)}, stored{"notes.txt", []byte("notes")}, stored{"copy.pcap", at(10)},
		stored{"packed.pcap.gz", gzipped(t, at(20))}, stored{"inner.zip", zipped(t, stored{"a.pcap", at(1)})},
		stored{"__MACOSX/._late.pcap", []byte("resource")}, stored{"empty", nil}))
	f, err := OpenFiles([]string{path, put(t, at(25))})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var secs []int64
	for _, g := range drain(t, f) {
		secs = append(secs, g.Time/1e9)
	}
	if fmt.Sprint(secs) != "[10 20 25 30 31]" {
		t.Errorf("times %v", secs)
	}
	if st := f.Stats(); len(st.Damage) > 0 || st.BytesRead != st.BytesTotal {
		t.Errorf("%+v", st)
	}
	if got := fmt.Sprint(f.Skipped()); !strings.Contains(got, "3 files in it are not captures: ") || !strings.Contains(got, "inner.zip") ||
		!strings.Contains(got, path+"/copy.pcap it holds the same packets as "+path+"/../early.pcap") {
		t.Error(got)
	}
}

// What cannot be read of an archive is damage of that member, and the others are read.
func TestDamagedZip(t *testing.T) {
	whole := zipped(t, stored{"a.pcap", at(1)}, stored{"b.pcap", at(2)})
	first := bytes.Index(whole, []byte("PK\x01\x02")) // entry of a.pcap in the list
	for _, c := range []struct {
		name, want string
		change     func(b []byte)
	}{
		{"encrypted", "it is encrypted: unpack it first", func(b []byte) { b[first+8] |= 1 }},
		{"method", "it is compressed with method 14, and only Store and Deflate are read", func(b []byte) { b[first+10] = 14 }},
		{"checksum", "damaged zip compression: zip: checksum error", func(b []byte) { b[first+16]++ }},
		{"longer than its data", "damaged zip compression: unexpected end", func(b []byte) { b[first+24]++ }},
		{"place", "its header in the archive", func(b []byte) { binary.LittleEndian.PutUint32(b[first+42:], 3) }},
		{"data", "damaged zip compression: flate: corrupt input", func(b []byte) { copy(b[30+len("a.pcap"):], "\xff\xff\xff\xff") }},
	} {
		b := bytes.Clone(whole)
		c.change(b)
		path := put(t, b)
		got, st := readAll(t, nil, path)
		if len(st.Damage) != 1 || st.Damage[0].File != path+"/a.pcap" || !strings.Contains(st.Damage[0].Reason, c.want) {
			t.Errorf("%s: %+v", c.name, st.Damage)
		}
		if len(got) == 0 || got[len(got)-1].Time != 2e9 {
			t.Errorf("%s: the other member was not read", c.name)
		}
	}
}

func TestArchiveErrors(t *testing.T) {
	long := zipped(t, stored{"a.pcap", at(1)})
	huge := bytes.Clone(long)
	list := bytes.Index(huge, []byte("PK\x01\x02"))
	var many []byte
	for range 100_000 {
		many = append(many, huge[list:list+46+len("a.pcap")]...)
	}
	end := bytes.Clone(huge[len(huge)-22:])
	binary.LittleEndian.PutUint16(end[8:], 0xfffe)
	binary.LittleEndian.PutUint16(end[10:], 0xfffe)
	binary.LittleEndian.PutUint32(end[12:], uint32(len(many)))
	huge = append(append(huge[:list], many...), end...)
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"only text", zipped(t, stored{"a.txt", []byte("text")}), "no capture in it"},
		{"empty", zipped(t), "no capture in it"},
		{"cut", long[:len(long)-8], "zip: not a valid zip file"},
		{"list without end", huge, "its list of files has more than 4 MB"},
		{"in gzip", gzipped(t, long), "not a capture: a zip archive in gzip is not opened"},
	} {
		path := put(t, c.data)
		if f, err := OpenFiles([]string{path}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", c.name, err)
			if f != nil {
				f.Close()
			}
		}
	}
}

// Headers that claim large dictionaries are refused before memory is allocated for them.
func TestLargeDictionaries(t *testing.T) {
	block := "\x02\x00\x21\x01\x28\x00\x00\x00"
	block += string(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(block))))
	for _, c := range []struct{ name, data, want string }{
		// A stream header, and the header of a block with LZMA2 and a dictionary of 4 GB less a byte.
		{"xz", "\xfd7zXZ\x00\x00\x01\x69\x22\xde\x36" + block, "damaged xz compression: xz: LZMA2 dictionary size"},
		// A frame header without a single segment and a window of 3.75 TB.
		{"zstd", "\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00", "damaged zstd compression: window size"},
	} {
		path := put(t, []byte(c.data+strings.Repeat("x", 100)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, st := readAll(t, nil, path)
		runtime.ReadMemStats(&after)
		if len(st.Damage) != 1 || !strings.Contains(st.Damage[0].Reason, c.want) {
			t.Errorf("%s: %+v", c.name, st.Damage)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > maxWindow {
			t.Errorf("%s: %d bytes allocated", c.name, n)
		}
	}
}

// FuzzZip lists and reads any archive: every member ends, and nothing fails but the archive or a member.
func FuzzZip(f *testing.F) {
	f.Add(zipped(f, stored{"a.pcap", at(1, 2)}, stored{"b", gzipped(f, at(3))}))
	mutate.Fuzz(f, func(t *testing.T, data []byte) {
		path := put(t, data)
		members, err := membersOf(path)
		if err != nil {
			return
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for i := range members[:min(len(members), 20)] {
			s := &stream{name: path, stop: func() {}, raw: file}
			if s.recognize(&members[i], members[i].open(file, &s.read), nil) == nil {
				s.firstTime()
			}
			s.stop()
		}
	})
}
