// SPDX-License-Identifier: Apache-2.0

package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

// Text returns a line in which a client describes itself, such as a User-Agent, without what is named or shaped like a
// secret: some clients send their whole command line.
func Text(b []byte, limit int) string {
	if !bytes.ContainsAny(b, "=:@") && !bytes.Contains(b, []byte("-p")) && !bytes.Contains(b, []byte("-u")) && parse.FoldIndex(b, "bearer ") < 0 && parse.FoldIndex(b, "basic ") < 0 {
		return parse.CleanText(b, limit)
	}
	out := make([]byte, 0, len(b)+8)
	var before []byte
	for len(b) > 0 {
		w, rest, more := bytes.Cut(b, []byte(" "))
		out = append(out, maskWord(before, w)...)
		if more {
			out = append(out, ' ')
		}
		if len(w) > 0 {
			before = w
		}
		b = rest
	}
	return parse.CleanText(out, limit)
}

// secretSwitches are words before a secret. None of them occurs in prose.
var secretSwitches = [...]string{"-u", "--user", "--proxy-user", "-p", "--pass", "--password", "--http-password", "--passwd", "--token", "basic", "bearer", "authorization:"}

func maskWord(before, w []byte) []byte {
	core := bytes.Trim(w, `()[]{};,"'`)
	if len(core) == 0 {
		return w
	}
	if parse.IsOneOf(bytes.Trim(before, `("';,`), secretSwitches[:]) {
		return []byte(hidden)
	}
	if at := namedSecret(w, true); at >= 0 {
		return append(append([]byte(nil), w[:at]...), hidden...)
	}
	user, _, ok := bytes.Cut(core, []byte(":"))
	if ok && parse.IsOneOf(bytes.TrimPrefix(user, []byte("-u")), knownUsers[:]) && isLoginPair(bytes.TrimPrefix(core, []byte("-u"))) || hasLoginBeforeAt(core) || isBase64Pair(core) {
		return []byte(hidden)
	}
	return w
}
