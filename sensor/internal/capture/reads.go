// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"
	"sync"
)

// Read is what was read of one capture.
type Read struct {
	File        string // its path, or Stdin
	Member      string // its name in the zip archive at this path; "" if it is not in one
	Packets     uint64
	First, Last int64  // times of its first and its last packet, in the order of the file; 0 if it has no packet
	Bytes       uint64 // of the stored file
	SHA256      string // of these bytes; only of pipes, with the option HashPipes
}

// Reads returns what was read of each capture, in the order of reading. Captures that were not reached follow with no packets. Call it after the last Next.
func (f *Files) Reads() []Read {
	all := slices.Clone(f.reads)
	if f.cur != nil {
		all = append(all, f.cur.summary())
	}
	for _, e := range f.queue {
		all = append(all, e.read())
	}
	return all
}

// read describes a capture of which nothing was read.
func (s source) read() Read {
	r := Read{File: s.path}
	if s.member != nil {
		r.Member = s.member.name
	}
	return r
}

// summary describes what was read so far.
func (s *stream) summary() Read {
	r := s.from.read()
	r.Packets, r.First, r.Last, r.Bytes = s.packets, s.first, s.last, s.read.Load()
	if s.sum != nil {
		r.SHA256, r.Bytes = s.sum.hex()
	}
	return r
}

// checksum hashes what is read through it. The decompressor reads in a goroutine of its own.
type checksum struct {
	r io.Reader

	mu sync.Mutex // guards the following fields
	h  hash.Hash
	n  uint64
}

func newChecksum(r io.Reader) *checksum { return &checksum{r: r, h: sha256.New()} }

// Read implements io.Reader.
func (c *checksum) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.h.Write(p[:max(n, 0)])
	c.n += uint64(max(n, 0))
	return n, err
}

// hex returns the hash of the bytes so far, and their number.
func (c *checksum) hex() (string, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hex.EncodeToString(c.h.Sum(nil)), c.n
}
