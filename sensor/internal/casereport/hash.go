// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Sum is the hash of a file.
type Sum struct {
	Size   int64
	SHA256 string
	Err    error // it could not be read, or it changed while it was read
}

var errChanged = errors.New("the file changed while it was read")

// HashFile hashes a file. It ends with an error when ctx ends, because a large file takes minutes.
func HashFile(ctx context.Context, name string) Sum {
	f, err := os.Open(name)
	if err != nil {
		return Sum{Err: err}
	}
	defer func() { _ = f.Close() }() // it was only read
	before, err := f.Stat()
	if err != nil {
		return Sum{Err: err}
	}
	s := HashReader(ctx, f)
	if after, err := os.Stat(name); s.Err == nil && (err != nil || s.Size != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		s.Err = errChanged
	}
	return s
}

// HashReader hashes what a reader returns.
func HashReader(ctx context.Context, r io.Reader) Sum {
	h := sha256.New()
	n, err := io.CopyBuffer(h, &cancelled{ctx, r}, make([]byte, 1<<20))
	return Sum{n, hex.EncodeToString(h.Sum(nil)), err}
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Hashing hashes files in a goroutine while a run reads them.
type Hashing struct {
	done chan struct{}
	sums map[string]Sum // by path
}

// StartHashing starts to hash the regular files among paths, one after another.
func StartHashing(ctx context.Context, paths []string) *Hashing {
	h := &Hashing{done: make(chan struct{}), sums: map[string]Sum{}}
	go func() {
		defer close(h.done)
		for _, p := range paths {
			if _, done := h.sums[p]; done { // an archive with several captures
				continue
			}
			if info, err := os.Stat(p); err != nil || info.Mode().IsRegular() {
				h.sums[p] = HashFile(ctx, p)
			}
		}
	}()
	return h
}

// Wait returns the hashes by path, when all files are hashed.
func (h *Hashing) Wait() map[string]Sum {
	<-h.done
	return h.sums
}

// Files returns the regular files in a folder and its folders, sorted, or the file itself.
func Files(path string) (all []string) {
	_ = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error { // what cannot be read is reported by who needs it
		if err == nil && d.Type().IsRegular() {
			all = append(all, name)
		}
		return nil
	})
	return all
}
