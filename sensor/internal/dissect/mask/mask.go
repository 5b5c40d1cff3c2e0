// SPDX-License-Identifier: Apache-2.0

// Package mask removes secrets from request targets and from other lines that a client wrote, before they become part
// of a fact.
package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

const (
	hidden = "***"
	maxURI = 1024
)

// exploitAuth is the parameter of a published back door of a camera vendor. It is no secret, and a detector recognizes
// the exploit by it.
const exploitAuth = "YWRtaW46MTEK"

// URI returns a request target as text without user information and without values that are named or shaped like a
// secret. It looks through percent-encoding, however often it was applied.
func URI(uri []byte) string { return Target(uri, maxURI) }

// Target is URI with another limit, for the Host header.
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

// partEnd returns the index at which a part of a target ends. A slash or an underscore does not end it: some vendors
// put parameters into the path, and masking too much is the safer error.
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
	ptz    bool // codes of this target are movements
	bare   bool // the part before was a parameter without a value, and no number
	secret bool // the part before ended in a secret, which this part may continue
}

// part copies one part. delim is the delimiter before it, 0 if there is none.
func (m *uriMasker) part(delim byte, p []byte) {
	if m.secret && !looksPair(p) {
		return // an unescaped delimiter within the secret
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

// secretAt returns the index in p at which a secret begins, or -1.
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

// looksPair reports whether p is a parameter of its own: a plausible name and a value. An HTML entity is none: it comes
// from a password that was escaped for the wrong purpose.
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

// isPTZ reports whether a target moves a camera. There the code is a direction, not a secret.
func isPTZ(uri []byte) bool {
	path, _, _ := bytes.Cut(uri, []byte("?"))
	const script = "/cgi-bin/ptz.cgi"
	return len(path) >= len(script) && parse.FoldEqual(path[len(path)-len(script):], script)
}
