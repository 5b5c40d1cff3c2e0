// SPDX-License-Identifier: Apache-2.0

package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

// maskUserinfo removes "user:password@" from a target: from an absolute URI, from "//authority/path", from an authority
// alone, as in CONNECT and Host, and from a segment of a path. It finds a password with a slash by its colon, which no
// port follows.
func maskUserinfo(uri []byte) []byte {
	if bytes.IndexByte(uri, '@') < 0 {
		return uri
	}
	begin := authorityStart(uri)
	if begin < 0 {
		return maskSegment(uri)
	}
	rest := uri[begin:]
	authority := rest
	if s := bytes.IndexAny(rest, "/?#"); s >= 0 {
		authority = rest[:s]
	}
	at := bytes.LastIndexByte(authority, '@')
	if at < 0 && !endsInPort(authority) {
		at = bytes.LastIndexByte(rest, '@')
	}
	if at < 0 {
		return uri
	}
	return maskBetween(uri, begin, begin+at)
}

// authorityStart returns the index at which the authority of a target begins, or -1.
func authorityStart(uri []byte) int {
	switch i := bytes.Index(uri, []byte("://")); {
	case i >= 0:
		return i + len("://")
	case bytes.HasPrefix(uri, []byte("//")):
		return len("//")
	case bytes.HasPrefix(uri, []byte("/")):
		return -1
	}
	return 0
}

// maskSegment removes the user information from the first segment of a path that has some.
func maskSegment(uri []byte) []byte {
	path := uri[:partEnd(uri)]
	at := bytes.LastIndexByte(path, '@')
	if at < 0 {
		return uri
	}
	begin := bytes.LastIndexByte(path[:at], '/') + 1
	if bytes.IndexByte(path[begin:at], ':') < 0 {
		return uri
	}
	return maskBetween(uri, begin, at)
}

func maskBetween(b []byte, begin, end int) []byte {
	out := make([]byte, 0, len(b)+len(hidden))
	out = append(append(out, b[:begin]...), hidden...)
	return append(out, b[end:]...)
}

// endsInPort reports whether authority has no colon, or only those of a port or an IPv6 address.
func endsInPort(authority []byte) bool {
	i := bytes.LastIndexByte(authority, ':')
	if i < 0 || authority[0] == '[' {
		return true
	}
	n, ok := parse.Number(authority[i+1:])
	return i == len(authority)-1 || ok && n < 65536 && isNumber(authority[i+1:])
}
