// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/flate"

	"stillwatch/internal/panics"
)

// maxZipList bounds the list of files of an archive in bytes, because what is kept of it is several times as large.
const maxZipList = 4 << 20

// member is a file in a zip archive.
type member struct {
	name   string
	off    int64  // of its data in the archive
	size   int64  // of its data, compressed
	whole  uint64 // of its data, uncompressed
	sum    uint32 // CRC-32 of the uncompressed data
	method uint16
	fault  string // why it cannot be read
}

// isArchive reports whether a file that starts with head is a zip archive, which may be empty.
func isArchive(head []byte) bool {
	return bytes.Equal(head, []byte("PK\x03\x04")) || bytes.Equal(head, []byte("PK\x05\x06"))
}

// membersOf lists the files in a zip archive, without hidden ones.
func membersOf(path string) (all []member, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	err = panics.ToError("reader of zip archives", func() error {
		list := &bounded{f, maxZipList}
		r, err := zip.NewReader(list, info.Size())
		if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is unpacked
			return err
		}
		list.left = math.MaxInt64
		for _, x := range r.File {
			if !x.FileInfo().IsDir() && !leftOut(x.Name) && !strings.HasPrefix(x.Name, "__MACOSX/") {
				all = append(all, newMember(x))
			}
		}
		return nil
	})
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return all, nil
}

func newMember(x *zip.File) member {
	m := member{name: x.Name, size: int64(min(x.CompressedSize64, math.MaxInt64)), whole: x.UncompressedSize64, sum: x.CRC32, method: x.Method}
	var err error
	switch m.off, err = x.DataOffset(); {
	case err != nil:
		m.fault = "its header in the archive: " + err.Error()
	case x.Flags&1 != 0:
		m.fault = "it is encrypted: unpack it first"
	case m.method != zip.Store && m.method != zip.Deflate:
		m.fault = fmt.Sprintf("it is compressed with method %d, and only Store and Deflate are read: unpack it first", m.method)
	}
	return m
}

// open returns a reader of the uncompressed data. It counts the bytes that it reads of the archive.
func (m *member) open(archive io.ReaderAt, n *atomic.Uint64) io.Reader {
	var r io.Reader = counted{io.NewSectionReader(archive, m.off, m.size), n}
	switch {
	case m.fault != "":
		return failing{errors.New(m.fault)}
	case m.method == zip.Deflate:
		r = flate.NewReader(r)
	}
	return &checked{r: r, m: m, sum: crc32.NewIEEE()}
}

// checked reports at the end of the data of a member if it has another length or checksum than the archive says.
type checked struct {
	r   io.Reader
	m   *member
	n   uint64
	sum hash.Hash32
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	_, _ = c.sum.Write(p[:n]) // never fails
	switch {
	case err != io.EOF:
	case c.n < c.m.whole:
		err = io.ErrUnexpectedEOF
	case c.n > c.m.whole || c.sum.Sum32() != c.m.sum:
		err = zip.ErrChecksum
	}
	return n, err
}

// failing is a reader that only fails.
type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// bounded reads at most left bytes.
type bounded struct {
	r    io.ReaderAt
	left int64
}

func (b *bounded) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("its list of files has more than %d MB", maxZipList>>20)
	}
	return b.r.ReadAt(p, off)
}
