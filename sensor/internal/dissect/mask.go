// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

const (
	masked = "***"
	maxURI = 1024
)

// secretWords mark the name of a parameter as secret wherever they occur in it; secretNames only as the whole name.
var (
	secretWords = [...]string{"pass", "pwd", "psw", "token", "auth", "key", "secret", "session", "cred", "signature", "digest", "nonce", "otp", "cookie", "ticket", "jwt"}
	secretNames = [...]string{"pw", "p", "sid", "pin", "pas", "loginpas", "sig", "code", "hash", "response", "md5"}
)

// exploitAuth is the parameter of a published back door of a camera maker: no secret, and the mark by which its use
// is told.
const exploitAuth = "YWRtaW46MTEK"

// maskURI gives a request target as text in which neither user information nor a value whose name looks secret is left.
func maskURI(uri []byte) string {
	uri = maskUserinfo(uri)
	if bytes.IndexByte(uri, '=') < 0 {
		return cleanText(uri, maxURI)
	}
	out := make([]byte, 0, len(uri)+8)
	for {
		eq := bytes.IndexByte(uri, '=')
		if eq < 0 {
			break
		}
		start := paramStart(uri[:eq])
		end := eq + 1 + valueEnd(uri[eq+1:])
		out = append(out, uri[:eq+1]...)
		if isSecretName(uri[start:eq]) && end > eq+1 && string(uri[eq+1:end]) != exploitAuth {
			out = append(out, masked...)
			uri = uri[end:]
		} else {
			uri = uri[eq+1:]
		}
	}
	return cleanText(append(out, uri...), maxURI)
}

// paramStart is where the parameter name that ends b starts.
func paramStart(b []byte) int { return bytes.LastIndexAny(b, "?&;#/=,") + 1 }

// valueEnd is where a value ends. A slash or an underscore does not end it: some makers put parameters into the path, and
// it is better to mask too much.
func valueEnd(b []byte) int {
	if i := bytes.IndexAny(b, "&;#"); i >= 0 {
		return i
	}
	return len(b)
}

// isSecretName reports whether a parameter of this name must not be kept. Percent-encoding is seen through.
func isSecretName(name []byte) bool {
	var buf [48]byte
	if len(name) > len(buf) {
		name = name[len(name)-len(buf):]
	}
	plain := unescapePercent(buf[:0], name)
	for _, w := range secretWords {
		if foldContains(plain, w) {
			return true
		}
	}
	if i := bytes.LastIndexAny(plain, "_.-[$"); i >= 0 {
		plain = plain[i+1:]
	}
	for _, n := range secretNames {
		if foldEqual(plain, n) {
			return true
		}
	}
	return false
}

// unescapePercent appends b to dst with %XX and + resolved, as far as dst has room.
func unescapePercent(dst, b []byte) []byte {
	for i := 0; i < len(b) && len(dst) < cap(dst); i++ {
		c := b[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]) {
			c = hexValue(b[i+1])<<4 | hexValue(b[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'f'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lower(c) - 'a' + 10
}

// maskUserinfo takes "user:password@" out of an absolute URI. A password that holds a slash is found by its colon, which no
// port follows.
func maskUserinfo(uri []byte) []byte {
	i := bytes.Index(uri, []byte("://"))
	if i < 0 {
		return uri
	}
	rest := uri[i+3:]
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
	out := make([]byte, 0, len(uri))
	out = append(append(out, uri[:i+3]...), masked...)
	return append(out, rest[at:]...)
}

// endsInPort reports whether authority has no colon, or only such as belong to a port or an IPv6 address.
func endsInPort(authority []byte) bool {
	i := bytes.LastIndexByte(authority, ':')
	if i < 0 || authority[0] == '[' {
		return true
	}
	n, ok := number(authority[i+1:])
	return i == len(authority)-1 || ok && n < 65536 && len(bytes.TrimRight(authority[i+1:], "0123456789")) == 0
}
