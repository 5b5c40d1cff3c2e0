// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The limits of a document. The parser recurses for each level, and compares each key of a mapping with the others, so a small file could keep
// it busy for hours: depth and width are checked before the document is parsed.
const (
	maxConfig    = 1 << 20  // bytes
	maxInventory = 64 << 20 // bytes; an inventory of a hundred thousand devices is smaller
	maxDepth     = 32       // levels of nesting
	maxKeys      = 5000     // of one mapping
	maxDocuments = 32       // in one file: more than one is an error that is reported with its position
)

// readFile reads at most one byte more than the limit, because the file may be a device that never ends.
func readFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	src, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if e := f.Close(); err == nil {
		err = e
	}
	return src, err
}

// notText returns the position of the first byte that is not UTF-8, as in a capture, an archive, or UTF-16 text.
func notText(src []byte) (line, column int, found bool) {
	at := bytes.IndexByte(src, 0)
	if valid := validPrefix(src); valid < len(src) && (at < 0 || valid < at) {
		at = valid
	}
	if at < 0 {
		return 0, 0, false
	}
	before := src[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1, true
}

// validPrefix returns the number of leading bytes that are UTF-8.
func validPrefix(src []byte) int {
	if utf8.Valid(src) {
		return len(src)
	}
	at := 0
	for at < len(src) {
		r, n := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return at
}

// scan measures the depth and width of a document by its tokens, as the parser will see them.
type scan struct {
	levels    []level // of blocks, by their columns
	flow      int     // open [ and {
	inline    int     // levels that a line of a block, or an entry between brackets, has opened: "- - a: b" has three
	marks     int     // tags and anchors in a row: each is a node around the next
	named     bool    // an anchor is before its name
	documents int
	line      int
}

type level struct{ column, lines int }

// outOfBounds returns the token at which a document is too deep or too wide, and the message; nil if it is neither.
func outOfBounds(tokens token.Tokens) (*token.Token, string) {
	var s scan
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		s.step(t)
		switch {
		case len(s.levels)+s.flow+s.inline+s.marks > maxDepth:
			return t, fmt.Sprintf("the document is nested deeper than %d levels", maxDepth)
		case len(s.levels) > 0 && s.levels[len(s.levels)-1].lines > maxKeys:
			return t, fmt.Sprintf("the mapping has more than %d keys", maxKeys)
		case s.flow < 0:
			return t, "unmatched closing bracket"
		case s.documents > maxDocuments:
			return t, "expected one document, found many"
		}
	}
	return nil, ""
}

func (s *scan) step(t *token.Token) {
	if s.flow == 0 && t.Position.Line != s.line {
		s.inline = 0
		s.begin(t)
	}
	s.line = t.Position.Line
	marks, named := s.marks, s.named
	s.marks, s.named = 0, false
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		s.flow++
		s.inline = 0
	case token.SequenceEndType, token.MappingEndType:
		s.flow--
	case token.CollectEntryType:
		s.inline = 0
	case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
		s.inline++
	case token.AnchorType, token.AliasType:
		s.marks, s.named = marks+1, true
	case token.TagType:
		s.marks = marks + 1
	case token.DocumentHeaderType, token.DocumentEndType:
		s.documents++
	default:
		if named {
			s.marks = marks
		}
	}
}

// begin handles the first token of a line of a block: it ends the levels that are indented further.
func (s *scan) begin(t *token.Token) {
	n, column := len(s.levels), t.Position.Column
	for n > 0 && s.levels[n-1].column > column {
		n--
	}
	s.levels = s.levels[:n]
	if n == 0 || s.levels[n-1].column < column {
		s.levels = append(s.levels, level{column: column})
		n++
	}
	if t.Type != token.SequenceEntryType { // long lists are cheap
		s.levels[n-1].lines++
	}
}
