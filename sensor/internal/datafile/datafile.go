// SPDX-License-Identifier: Apache-2.0

// Package datafile reads the data files of the sensor (tables of vendors, countries, releases …): what a file says about itself, and its
// rows. An operator may replace the embedded files, so nothing in them is trusted: every size is bounded.
package datafile

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// Bounds of a data file.
const (
	MaxPacked   = 16 << 20 // bytes of a compressed file
	MaxUnpacked = 64 << 20 // bytes of an uncompressed file
	maxHead     = 64 << 10
	maxLine     = 4 << 10
	maxRows     = 500_000
)

// Head is what a file says about itself in the comment lines at its beginning: "# Date: 2026-06-17".
type Head struct {
	Date    string // of the data, YYYY-MM-DD
	License string
	Source  string // "" if it was written for this project
	Key     string // of the hashes in a file that has any
}

// ParseHead reads the comment lines at the beginning of a file. rest is what follows them and an empty line.
func ParseHead(b []byte) (h Head, rest []byte, err error) {
	rest = b
	for len(rest) > 0 && rest[0] == '#' {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		if len(b)-len(rest) > maxHead {
			return h, nil, fmt.Errorf("the comments at the beginning are longer than %d bytes", maxHead)
		}
		key, value, found := strings.Cut(strings.TrimLeft(string(line), "# "), ":")
		if !found || !utf8.ValidString(value) {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "Date":
			h.Date = value
		case "License":
			h.License = value
		case "Source":
			h.Source = value
		case "Key":
			h.Key = value
		}
	}
	if _, err := time.Parse(time.DateOnly, h.Date); err != nil {
		return h, nil, fmt.Errorf("date %.20q: want a line \"# Date: YYYY-MM-DD\" at the beginning", h.Date)
	}
	if h.License == "" {
		return h, nil, fmt.Errorf("no line \"# License: …\" at the beginning")
	}
	return h, bytes.TrimPrefix(rest, []byte("\n")), nil
}

// Unpack decompresses a file (zstd) of at most MaxUnpacked bytes.
func Unpack(packed []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxUnpacked))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := r.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return raw, nil
}

// Rows calls row with the cells of each line that is neither empty nor a comment. An error names the line.
func Rows(text []byte, columns int, row func(cells []string) error) error {
	return Lines(text, func(line []byte) error {
		if got := bytes.Count(line, []byte("\t")) + 1; got != columns {
			return fmt.Errorf("%d columns, want %d separated by tabs", got, columns)
		}
		return row(strings.Split(string(line), "\t"))
	})
}

// Lines calls row with each line that is neither empty nor a comment, as a slice of text: a file of secrets is not copied. An error names the
// number of the line, and never quotes it.
func Lines(text []byte, row func(line []byte) error) error {
	n, rows := 0, 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := checkLine(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if rows++; rows > maxRows {
			return fmt.Errorf("line %d: more than %d rows", n, maxRows)
		}
		if err := row(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

func checkLine(line []byte) error {
	if len(line) > maxLine {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(line), maxLine)
	}
	if !utf8.Valid(line) || bytes.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return fmt.Errorf("not plain text in UTF-8")
	}
	return nil
}

// Slot holds a table that can be replaced while others read it. What it was made from is embedded in the program and is read at the
// first use.
type Slot[T any] struct {
	embedded func() *T
	replaced atomic.Pointer[T]
}

// NewSlot returns a slot with an embedded table.
func NewSlot[T any](embedded func() *T) *Slot[T] { return &Slot[T]{embedded: sync.OnceValue(embedded)} }

// Get returns the table in use.
func (s *Slot[T]) Get() *T {
	if t := s.replaced.Load(); t != nil {
		return t
	}
	return s.embedded()
}

// Set replaces the table; nil is the embedded one.
func (s *Slot[T]) Set(t *T) { s.replaced.Store(t) }
