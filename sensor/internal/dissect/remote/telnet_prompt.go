// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// Words with which a prompt asks for a password or a user name, in lower case, in the languages of the vendors and
// markets of small devices. They help if the server does not hide what is typed: some devices echo passwords, others
// never negotiate an echo.
var (
	passwordWords = [...]string{"pass", "kennwort", "contrase", "clave", "senha", "parola", "heslo", "has\u0142o", "haslo", "wachtwoord", "l\u00f6sen", "salasana", "adgangskode", "jelsz", "\u0161ifr", "\u015fifre",
		"\u043f\u0430\u0440\u043e\u043b", "\u041f\u0430\u0440\u043e\u043b", "\u5bc6\u7801", "\u5bc6\u78bc", "\u53e3\u4ee4", "\u30d1\u30b9\u30ef\u30fc\u30c9", "\uc554\ud638", "\ube44\ubc00\ubc88\ud638"}
	userWords = [...]string{"login", "user", "account", "benutzer", "anmeld", "utilisateur", "identifiant", "usuario", "usu\u00e1rio", "utente", "gebruiker", "anv\u00e4ndar", "u\u017eivatel", "kullan",
		"\u043b\u043e\u0433\u0438\u043d", "\u041b\u043e\u0433\u0438\u043d", "\u0438\u043c\u044f", "\u7528\u6237", "\u7528\u6236", "\u5e10\u53f7", "\u8d26\u53f7", "\u5e33\u865f", "\u30e6\u30fc\u30b6", "\u30ed\u30b0\u30a4\u30f3", "\uc0ac\uc6a9\uc790", "\uc544\uc774\ub514"}
	// newWords are in the prompts of users who are logged in and change a password.
	newWords = [...]string{"new ", "retype", "re-type", "confirm", "current", "old "}
	// refusalWords say in English that a login was refused. They count only if a session ends without another prompt.
	refusalWords = [...]string{"incorrect", "failed", "failure", "invalid", "denied", "wrong", "bad pass", "bad secret", "too many"}
)

func containsAny(b []byte, words []string) bool {
	for _, w := range words {
		if parse.FoldContains(b, w) {
			return true
		}
	}
	return false
}

// askingPart returns the part of a prompt that says what it asks for: all of it, or the last word if it ends as a shell
// prompt does, whose host name and folder may be anything.
func askingPart(p []byte) []byte {
	p = bytes.TrimRight(p, " ")
	if isShellPrompt(p) {
		p = bytes.TrimRight(p[:len(p)-1], " ")
		p = p[bytes.LastIndexAny(p, " @:/\\")+1:]
		if len(p) > 0 && bytes.IndexByte(p, '-') >= 0 {
			return nil // "login-server#" is a host
		}
	}
	return p
}

// asksForPassword reports whether a prompt asks for the password of a login, not for a new one.
func asksForPassword(p []byte) bool {
	p = askingPart(p)
	return containsAny(p, passwordWords[:]) && !containsAny(p, newWords[:])
}

func asksForUser(p []byte) bool {
	p = askingPart(p)
	return containsAny(p, userWords[:]) && !parse.FoldContains(p, "last login") && !parse.FoldContains(p, "last failed")
}

// isShellPrompt reports whether a line ends as the prompts of shells do.
func isShellPrompt(p []byte) bool {
	p = bytes.TrimRight(p, " ")
	if len(p) == 0 {
		return false
	}
	switch p[len(p)-1] {
	case '#', '$', '>', '%':
		return true
	}
	return false
}

// isSureShell reports whether the beginning of a line must be a shell prompt: "root@cam:~# ", "[root@cam ~]# ", "/ # ".
func isSureShell(p []byte) bool {
	if !isShellPrompt(p) || p[len(p)-1] != ' ' || asksForUser(p) || asksForPassword(p) {
		return false
	}
	path := bytes.TrimRight(p[:len(p)-2], " ")
	if bytes.HasPrefix(path, []byte("[")) && bytes.HasSuffix(path, []byte("]")) && bytes.Count(path, []byte(" ")) <= 1 {
		path = path[1 : len(path)-1]
		return bytes.IndexByte(path, '@') > 0
	}
	return len(path) > 0 && bytes.IndexByte(path, ' ') < 0 && (path[0] == '/' || path[0] == '~' || bytes.IndexByte(path, '@') > 0)
}

// isQuestion reports whether a line ends as login prompts usually do.
func isQuestion(p []byte) bool {
	p = bytes.TrimRight(p, " ")
	return bytes.HasSuffix(p, []byte(":")) || bytes.HasSuffix(p, []byte("?")) || bytes.HasSuffix(p, []byte("\uff1a"))
}

// lastColon returns the index behind the last colon of b, or 0.
func lastColon(b []byte) int { return bytes.LastIndexByte(b, ':') + 1 }

// plainPrompt appends line to dst without control characters, ANSI escapes (ECMA-48 section 5.4) and leading spaces.
func plainPrompt(dst, line []byte) []byte {
	const text, escape, sequence = 0, 1, 2
	state := text
	for _, c := range line {
		switch {
		case c == 27:
			state = escape
		case state == escape && c == '[':
			state = sequence
		case state == escape:
			state = text
		case state == sequence:
			if c >= 0x40 && c <= 0x7e {
				state = text
			}
		case c == 8 && len(dst) > 0:
			dst = dst[:len(dst)-1]
		case c >= ' ' && c != 127:
			dst = append(dst, c)
		}
	}
	return bytes.TrimLeft(dst, " ")
}

// maxPromptSum is how much of the end of a prompt identifies it.
const maxPromptSum = 48

// promptSum identifies a prompt regardless of numbers and spaces in it, such as the number of tries left. It is 0 for
// an empty prompt.
func promptSum(p []byte) uint64 {
	var buf [maxPromptSum]byte
	n := len(buf)
	for i := len(p) - 1; i >= 0 && n > 0; i-- {
		if c := p[i]; c != ' ' && (c < '0' || c > '9') {
			n--
			buf[n] = parse.Lower(c)
		}
	}
	if n == len(buf) {
		return 0
	}
	return logins.Sum64(buf[n:])
}
