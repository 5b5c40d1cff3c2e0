// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"stillwatch/sensor/internal/capture"
)

// Sums computes the SHA-256 of captures in its own goroutine, beside the run that reads them.
type Sums struct {
	origins []Origin // as known before
	sums    []string // of the files, in the same order; valid after done
	err     error    // the same
	paths   []string
	stopped atomic.Bool
	done    chan struct{}
}

// StartSums starts with captures that will be read.
func StartSums(captures []capture.Read) *Sums {
	s := &Sums{done: make(chan struct{}), sums: make([]string, len(captures))}
	for _, c := range captures {
		o := Origin{Name: c.File}
		if c.Member != "" {
			o.Name = c.Member + " in " + c.File
		}
		if c.File == capture.Stdin {
			o.Name = "standard input"
		} else if info, err := os.Stat(c.File); err == nil && info.Mode().IsRegular() {
			o.Size, o.file = info.Size(), true
		}
		s.origins, s.paths = append(s.origins, o), append(s.paths, c.File)
	}
	go s.run()
	return s
}

// Origins returns the captures without their SHA-256.
func (s *Sums) Origins() []Origin { return slices.Clone(s.origins) }

func (s *Sums) run() {
	defer close(s.done)
	for i, o := range s.origins {
		if !o.file {
			continue
		}
		if i > 0 && s.paths[i] == s.paths[i-1] { // another capture in the same archive
			s.sums[i] = s.sums[i-1]
			continue
		}
		if s.sums[i], s.err = s.sum(s.paths[i]); s.err != nil {
			return
		}
	}
}

var errStopped = errors.New("stopped")

// sum returns the SHA-256 of a file.
func (s *Sums) sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	h, buf := sha256.New(), make([]byte, 1<<20)
	for {
		if s.stopped.Load() {
			return "", errStopped
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Wait returns the captures with their SHA-256. read is what was read of them, with the SHA-256 of pipes.
func (s *Sums) Wait(ctx context.Context, read []capture.Read) ([]Origin, error) {
	select {
	case <-s.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	all := s.Origins()
	for i := range all {
		all[i].SHA256 = s.sums[i]
		if !all[i].file && i < len(read) {
			all[i].Size, all[i].SHA256 = int64(read[i].Bytes), read[i].SHA256
		}
	}
	return all, s.err
}

// Stop ends the goroutine.
func (s *Sums) Stop() {
	s.stopped.Store(true)
	<-s.done
}
