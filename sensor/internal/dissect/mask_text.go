// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// maskText gives a line that a client wrote of itself, as a User-Agent, without what is named or shaped like a secret:
// some clients put their whole command line there.
func maskText(b []byte, limit int) string {
	if !bytes.ContainsAny(b, "=:@") && !bytes.Contains(b, []byte("-p")) && !bytes.Contains(b, []byte("-u")) && foldIndex(b, "bearer ") < 0 && foldIndex(b, "basic ") < 0 {
		return cleanText(b, limit)
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
	return cleanText(out, limit)
}

// secretSwitches are words after which a secret follows; those that are none of a word of prose.
var secretSwitches = [...]string{"-u", "--user", "--proxy-user", "-p", "--pass", "--password", "--http-password", "--passwd", "--token", "basic", "bearer", "authorization:"}

func maskWord(before, w []byte) []byte {
	core := bytes.Trim(w, `()[]{};,"'`)
	if len(core) == 0 {
		return w
	}
	if isOneOf(bytes.Trim(before, `("';,`), secretSwitches[:]) {
		return []byte(masked)
	}
	if at := namedSecret(w, true); at >= 0 {
		return append(append([]byte(nil), w[:at]...), masked...)
	}
	user, _, ok := bytes.Cut(core, []byte(":"))
	if ok && isOneOf(bytes.TrimPrefix(user, []byte("-u")), knownUsers[:]) && isLoginPair(bytes.TrimPrefix(core, []byte("-u"))) || hasLoginBeforeAt(core) || isBase64Pair(core) {
		return []byte(masked)
	}
	return w
}
