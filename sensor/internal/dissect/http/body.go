// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// framing is how the length of a body is known (RFC 9112 section 6).
type framing struct {
	length  int // of a body with Content-Length
	chunked bool
	toEnd   bool // the body ends with the connection
}

// state returns the state in which a direction reads the body.
func (f framing) state(dir int) messageState {
	switch {
	case f.chunked:
		return stateChunks
	case f.toEnd && dir == dissect.FromServer:
		return stateDone
	}
	return stateBody
}

// end returns the offset up to which the body may be searched: limit, or less if the body ends before.
func (f framing) end(head []byte, body, limit int) int {
	switch {
	case limit <= body:
		return body
	case f.chunked:
		if pos, done := skipChunks(head, body); done {
			return min(pos, limit)
		}
	case !f.toEnd:
		return min(body+f.length, limit)
	}
	return limit
}

// nextLook returns the length of the head at which to look again. The end of a chunked body may come at any time.
func (f framing) nextLook(have, end int) int {
	if f.chunked {
		return have + 1
	}
	return end
}

// skipChunks skips chunks from pos (RFC 9112 section 7.1). done is true if the last one and its trailer were skipped;
// pos is then the start of the next message. A malformed chunk ends the reading: pos is then beyond any head.
func skipChunks(head []byte, pos int) (next int, done bool) {
	const never = dissect.AtEnd
	for pos <= len(head) {
		line, _, ok := parse.CutLine(head[pos:])
		if !ok {
			if len(head)-pos > 128 {
				return never, false
			}
			return pos, false
		}
		size, ok := chunkSize(line)
		if !ok {
			return never, false
		}
		start := pos + bytes.IndexByte(head[pos:], '\n') + 1
		if size == 0 {
			return skipTrailer(head, start, pos)
		}
		if pos = start + size + len("\r\n"); pos > len(head) {
			// The line of this chunk is no longer needed then: the offset says where the next one starts.
			return pos, false
		}
	}
	return pos, false
}

// skipTrailer skips the trailer lines after the last chunk, which starts at chunk.
func skipTrailer(head []byte, pos, chunk int) (next int, done bool) {
	for {
		line, _, ok := parse.CutLine(head[pos:])
		if !ok {
			return chunk, false
		}
		pos += bytes.IndexByte(head[pos:], '\n') + 1
		if len(line) == 0 {
			return pos, true
		}
	}
}

func chunkSize(line []byte) (n int, ok bool) {
	for i, c := range line {
		if !parse.IsHex(c) {
			return n, i > 0 && (c == ';' || c == ' ' || c == '\t')
		}
		if i == 7 {
			return 0, false
		}
		n = n<<4 | int(parse.HexValue(c))
	}
	return n, len(line) > 0
}

// maxTitle is how many bytes of a title are kept.
const maxTitle = 128

// htmlTitle returns the text of the title element.
func htmlTitle(body []byte) string {
	for {
		i := bytes.IndexByte(body, '<')
		if i < 0 {
			return ""
		}
		if body = body[i:]; parse.FoldPrefix(body, "<title") {
			break
		}
		body = body[1:]
	}
	_, body, _ = bytes.Cut(body, []byte(">"))
	text, _, ok := bytes.Cut(body, []byte("<"))
	if !ok {
		return ""
	}
	var buf [maxTitle + utf8.UTFMax]byte
	return parse.CleanText(appendWords(buf[:0], text), maxTitle)
}

// appendWords appends the words of text, separated by one space, up to the capacity of b. A title that was never closed
// is followed by the whole page.
func appendWords(b, text []byte) []byte {
	for {
		text = text[span(text, true):]
		n := span(text[:min(len(text), cap(b)-len(b)+utf8.UTFMax)], false)
		if n == 0 || len(b) == cap(b) {
			return b
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, text[:min(n, cap(b)-len(b))]...)
		text = text[n:]
	}
}

// span returns the length of the white space at the start of b, or of what is not white space.
func span(b []byte, white bool) (n int) {
	for n < len(b) {
		c, w := b[n], 1
		is := c == ' ' || '\t' <= c && c <= '\r'
		if c >= utf8.RuneSelf {
			var r rune
			r, w = utf8.DecodeRune(b[n:])
			is = unicode.IsSpace(r)
		}
		if is != white {
			break
		}
		n += w
	}
	return n
}

// readForm looks for a login in the pairs of a query or a form body (application/x-www-form-urlencoded), or in the
// strings of a JSON object. It keeps only what credentials holds.
func (c *credentials) readForm(b []byte, json bool) {
	var userBuf, passBuf [64]byte
	var user, pass []byte
	found := false
	next := nextPair
	if json {
		next = nextString
	}
	for len(b) > 0 {
		var name, value []byte
		name, value, b = next(b)
		switch {
		case isPasswordName(name):
			pass, found = parse.UnescapePercent(passBuf[:0], value), found || len(value) > 0 || user != nil
		case isUserName(name) && user == nil:
			user = parse.UnescapePercent(userBuf[:0], value)
		}
	}
	if found {
		c.scheme, c.cleartext = "form", true
		c.userHint = logins.Hint(user)
		c.defaults = user != nil && logins.IsDefaultPair(user, pass)
	}
	clear(passBuf[:])
	clear(userBuf[:])
}

func nextPair(b []byte) (name, value, rest []byte) {
	pair := b
	if i := bytes.IndexAny(b, "&;"); i >= 0 {
		pair, rest = b[:i], b[i+1:]
	}
	name, value, _ = bytes.Cut(pair, []byte("="))
	return name, value, rest
}

// nextString returns the next `"name" : "value"` of a JSON text.
func nextString(b []byte) (name, value, rest []byte) {
	i := bytes.IndexByte(b, '"')
	if i < 0 {
		return nil, nil, nil
	}
	name, rest = parse.Quoted(b[i+1:])
	after := bytes.TrimLeft(rest, " \t\r\n")
	if len(after) == 0 || after[0] != ':' {
		return name, nil, rest
	}
	after = bytes.TrimLeft(after[1:], " \t\r\n")
	if len(after) == 0 || after[0] != '"' {
		return name, nil, rest
	}
	value, rest = parse.Quoted(after[1:])
	return name, value, rest
}

var (
	passwordNames = [...]string{"password", "passwd", "pass", "pwd", "psw", "psd", "passphrase", "loginpas", "loginpass", "pass_word", "user_password", "userpassword", "j_password", "luci_password", "frm_password", "pw"}
	userNames     = [...]string{"username", "user", "login", "name", "account", "usr", "userid", "user_name", "loginuse", "loginname", "uname", "j_username", "luci_username", "frm_username", "email"}
)

func isPasswordName(name []byte) bool { return parse.IsOneOf(name, passwordNames[:]) }

func isUserName(name []byte) bool { return parse.IsOneOf(name, userNames[:]) }
