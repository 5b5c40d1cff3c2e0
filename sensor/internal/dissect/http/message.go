// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// message is the start line and the header fields of one HTTP or RTSP message, as slices of the stream head.
type message struct {
	line   []byte // start line without its end
	fields []byte // header lines
	end    int    // offset of the first byte after the empty line
}

// readMessage reads the message that starts at pos. ok is false if it is not complete. If final is set, the complete
// lines count as the message, because a short snap length or a gap may have cut it.
func readMessage(head []byte, pos int, final bool) (m message, ok bool) {
	for pos < len(head) && (head[pos] == '\r' || head[pos] == '\n') {
		pos++ // RFC 9112 section 2.2: empty lines before a start line are ignored
	}
	line, fields, ok := parse.CutLine(head[pos:])
	if !ok {
		return m, false
	}
	m.line = line
	for rest := fields; ; {
		var field []byte
		at := len(fields) - len(rest)
		field, rest, ok = parse.CutLine(rest)
		if !ok && !final {
			return m, false
		}
		if !ok || len(field) == 0 {
			m.fields, m.end = fields[:at], len(head)-len(rest)
			return m, true
		}
	}
}

// next returns the next header field of m and advances. ok is false after the last. It skips lines that are not a
// field.
func (m *message) next() (name, value []byte, ok bool) {
	for {
		line, rest, ok := parse.CutLine(m.fields)
		if !ok {
			return nil, nil, false
		}
		m.fields = rest
		if i := bytes.IndexByte(line, ':'); i > 0 {
			return line[:i], bytes.TrimSpace(line[i+1:]), true
		}
	}
}

// requestLine reports whether head begins with a request of the HTTP family: an upper-case method, a target and a
// version, after at most maxEmpty bytes of empty lines. A line that is cut is matched by the beginning of its target.
func requestLine(head []byte, final bool, version string, target func(method, target []byte) bool) match.Verdict {
	const maxLine, maxEmpty = 8192, 8
	for i := 0; i < maxEmpty && len(head) > 0 && (head[0] == '\r' || head[0] == '\n'); i++ {
		head = head[1:]
	}
	n := methodLen(head)
	switch {
	case n < 0:
		return match.No
	case n == len(head):
		return match.Maybe
	}
	i := bytes.IndexByte(head[:min(len(head), maxLine)], '\n')
	line := head[:min(len(head), maxLine)]
	if i >= 0 {
		line = head[:i]
	}
	if line = bytes.TrimSuffix(line, []byte("\r")); parse.HasControl(line) {
		return match.No
	}
	switch {
	case i < 0 && !final && len(head) < maxLine:
		return match.Maybe
	case i >= 0 && bytes.Contains(line[max(0, len(line)-12):], []byte(version)):
		return match.Yes
	case i < 0 && target(head[:n], line[n+1:]):
		return match.Yes
	}
	return match.No
}

// methodLen returns the length of the method at the start of head: 3 to 24 upper-case letters, '-' and '_', before a
// space. It returns -1 if there is none.
func methodLen(head []byte) int {
	for i, c := range head {
		switch {
		case 'A' <= c && c <= 'Z', i > 0 && (c == '-' || c == '_'):
			if i == 24 {
				return -1
			}
		case c == ' ' && i >= 3:
			return i
		default:
			return -1
		}
	}
	return len(head)
}

// statusLine reports whether head begins with a response: version, a digit if the version ends in a dot, a space, a
// status.
func statusLine(head []byte, version string) match.Verdict {
	if v := match.Prefix(head, version); v != match.Yes {
		return v
	}
	for i, c := range []byte("0 000") {
		at := len(version) + i
		if at == len(head) {
			return match.Maybe
		}
		digit := '0' <= head[at] && head[at] <= '9'
		if (c == '0') != digit || c == ' ' && head[at] != ' ' {
			return match.No
		}
	}
	return match.Yes
}
