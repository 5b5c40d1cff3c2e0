// SPDX-License-Identifier: Apache-2.0

// Package mask removes secrets from request targets and other lines that a client wrote, before they become part of a record.
package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

const (
	hidden = "***"
	maxURI = 1024
)

// exploitAuth is the parameter of a published back door of a camera maker: no secret, and the mark by which its use
// is told.
const exploitAuth = "YWRtaW46MTEK"

// URI gives a request target as text in which neither user information nor a value that is named or shaped like a
// secret is left. Encoded signs are seen through, however often they were encoded.
func URI(uri []byte) string { return Target(uri, maxURI) }

// Target is URI with another limit, for the host of a request.
func Target(uri []byte, limit int) string {
	if !bytes.ContainsAny(uri, "=:@?;%") {
		return parse.CleanText(uri, limit)
	}
	uri = maskUserinfo(uri)
	m := uriMasker{out: make([]byte, 0, len(uri)+8), ptz: isPTZ(uri)}
	for begin := 0; begin <= len(uri); {
		end := begin + partEnd(uri[begin:])
		delim := byte(0)
		if begin > 0 {
			delim = uri[begin-1]
		}
		m.query = m.query || delim == '?'
		m.part(delim, uri[begin:end])
		begin = end + 1
	}
	return parse.CleanText(m.out, limit)
}

// partEnd is where a part of a target ends. A slash or an underscore does not end it: some makers put parameters into
// the path, and it is better to mask too much.
func partEnd(b []byte) int {
	if i := bytes.IndexAny(b, "?&;#"); i >= 0 {
		return i
	}
	return len(b)
}

// uriMasker copies a target part by part: its path, then its parameters.
type uriMasker struct {
	out    []byte
	query  bool
	ptz    bool // the codes of this target are movements
	bare   bool // the part before was a parameter without value and no number
	secret bool // the part before ended in a secret, of which the next one may be the rest
}

// part copies one part, delim being the sign before it, 0 if there is none.
func (m *uriMasker) part(delim byte, p []byte) {
	if m.secret && !looksPair(p) {
		return // an unescaped sign within the secret
	}
	if delim != 0 {
		m.out = append(m.out, delim)
	}
	at := m.secretAt(delim, p)
	m.bare = m.query && bytes.IndexByte(p, '=') < 0 && !isNumber(p)
	if m.secret = at >= 0; m.secret {
		m.out = append(append(m.out, p[:at]...), hidden...)
		return
	}
	m.out = append(m.out, p...)
}

// secretAt is where in a part a secret begins, -1 if there is none.
func (m *uriMasker) secretAt(delim byte, p []byte) int {
	at := namedSecret(p, m.query)
	if at >= 0 && (string(p[at:]) == exploitAuth || m.ptz && parse.FoldEqual(p[:at], "code=") && isLetters(p[at:])) {
		return -1
	}
	if at >= 0 || !m.query {
		return at
	}
	value := bytes.IndexByte(p, '=') + 1
	switch {
	case hasSecretShape(p[value:]):
		return value
	case value > 0:
		return -1
	case isOpaque(p), m.bare && delim == '&' && !isNumber(p) && !bytes.ContainsAny(p, "/+ .(") && len(p) > 0:
		return 0 // "user&password"
	}
	return -1
}

// looksPair reports whether p is a parameter of its own: a name that one would give, and a value. An entity of HTML is
// none: it comes from a password that was escaped for the wrong purpose.
func looksPair(p []byte) bool {
	name, _, ok := bytes.Cut(p, []byte("="))
	if !ok || len(name) == 0 || len(name) > 48 {
		return false
	}
	for _, entity := range [...]string{"amp", "lt", "gt", "quot", "apos"} {
		if parse.FoldEqual(name, entity) {
			return false
		}
	}
	for _, c := range name {
		if !isNameByte(c) && c != '[' && c != ']' && c != '$' && c != '%' {
			return false
		}
	}
	return true
}

// isPTZ reports whether a target moves a camera: there, the code is a direction.
func isPTZ(uri []byte) bool {
	path, _, _ := bytes.Cut(uri, []byte("?"))
	const script = "/cgi-bin/ptz.cgi"
	return len(path) >= len(script) && parse.FoldEqual(path[len(path)-len(script):], script)
}
