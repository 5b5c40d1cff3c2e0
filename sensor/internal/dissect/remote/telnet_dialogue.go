// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// telnetPhase is how far a login has come.
type telnetPhase uint8

const (
	telnetAsking  telnetPhase = iota // the server asks for a name or a password
	telnetWaiting                    // a password was given, nothing has been asked since
	telnetExtra                      // something else was asked since: a code, a choice
	telnetInside                     // logged in, or there was no login
)

// telnetKind is the meaning of the line that the client types.
type telnetKind uint8

const (
	telnetUnknown telnetKind = iota
	telnetUser
	telnetPassword
	telnetAhead // nothing was asked
)

// telnetDialogue determines the results of logins by what the server does. A line is a password if the prompt asks for
// one, or if the server, which has promised to echo (RFC 857), does not echo it. Without either, the second answer is
// the password. The login failed if the server asks the same again, and succeeded if a shell prompt follows or the
// server echoes again. The result is determined when the client begins its next line, because only then the prompt is
// complete, or at the end. In doubt it is unknown.
type telnetDialogue struct {
	login    logins.Attempt
	phase    telnetPhase
	echo     bool // the server has promised to echo
	typing   bool // the client is within a line
	kind     telnetKind
	prompt   telnetPrompt // of the line
	user     telnetPrompt // at which the user name was typed
	password telnetPrompt // at which the password was typed
	named    bool         // a user name was typed
	assumed  bool         // that the last line was a user name, or a password, is only an assumption
	refused  bool         // the server has refused in words
	echoing  telnetEchoing
	ahead    [2]telnetLine // lines typed before a question
	waiting  int           // of ahead
}

// telnetLine is a line of the client whose meaning is not known yet.
type telnetLine struct {
	text [64]byte
	n    int
}

func (l *telnetLine) set(b []byte) { l.n = copy(l.text[:], b) }

func (l *telnetLine) bytes() []byte { return l.text[:l.n] }

func (l *telnetLine) forget() { *l = telnetLine{} }

// telnetPrompt identifies a prompt: as a whole, and by its last word.
type telnetPrompt struct {
	sum, word uint64
	question  bool
}

func promptOf(p []byte) telnetPrompt {
	word := bytes.TrimRight(p, " :?")
	word = word[bytes.LastIndexByte(word, ' ')+1:]
	return telnetPrompt{promptSum(p), promptSum(word), isQuestion(p)}
}

// again reports whether q asks the same as p.
func (p telnetPrompt) again(q telnetPrompt) bool {
	return q.sum != 0 && (p.sum == q.sum || q.question && p.question && p.word == q.word && q.word != 0)
}

// telnetEchoing compares what the server shows with what the client has just typed.
type telnetEchoing struct {
	promised bool // at the start of the line
	line     telnetLine
	n        int  // characters that were shown
	over     bool // something else was shown
}

// shows reads a character that the server shows, and reports whether it is an echo. typed is the line so far.
func (e *telnetEchoing) shows(c byte, typed []byte) bool {
	if e.promised && !e.over && e.n < len(typed) && typed[e.n] == c {
		e.n++
		return true
	}
	e.over = true
	return false
}

// hidden reports whether the server promised to echo the line and did not.
func (e *telnetEchoing) hidden() bool { return e.promised && e.line.n > 0 && e.n < e.line.n }

func (e *telnetEchoing) whole() bool { return e.promised && e.line.n > 0 && e.n == e.line.n }

// begin is called when the client begins a line at a prompt.
func (d *telnetDialogue) begin(prompt []byte, sink dissect.Sink) {
	p := promptOf(prompt)
	d.evaluate(prompt, p, sink)
	d.typing, d.prompt, d.kind = true, p, d.kindOf(prompt, p)
	if d.phase == telnetAsking && d.kind == telnetUnknown && isShellPrompt(prompt) {
		d.phase = telnetInside // the server asked for no login
	}
	d.echoing = telnetEchoing{promised: d.echo}
}

func (d *telnetDialogue) kindOf(prompt []byte, p telnetPrompt) telnetKind {
	switch {
	case p.sum == 0:
		return telnetAhead
	case asksForPassword(prompt), p == d.password:
		return telnetPassword
	case asksForUser(prompt), p == d.user:
		return telnetUser
	}
	return telnetUnknown
}

// shown reads a character of the server, and reports whether it is an echo. typed is what the client has typed of its
// line.
func (d *telnetDialogue) shown(c byte, typed []byte) (echo bool) {
	if !d.typing {
		typed = d.echoing.line.bytes()
	}
	return d.echoing.shows(c, typed)
}

// lineShown reads a whole line of the server.
func (d *telnetDialogue) lineShown(line []byte) {
	if d.phase == telnetWaiting || d.phase == telnetExtra {
		d.refused = d.refused || refuses(line)
	}
}

func refuses(line []byte) bool {
	return containsAny(line, refusalWords[:]) && !parse.FoldContains(line, "last ")
}

// typed reads a line that the client has typed.
func (d *telnetDialogue) typed(line []byte) {
	d.typing = false
	d.echoing.line.set(line)
	if d.phase == telnetInside {
		return
	}
	if d.kind == telnetAhead {
		if len(line) > 0 && d.waiting < len(d.ahead) {
			d.ahead[d.waiting].set(line)
			d.waiting++
		}
		return
	}
	if d.phase == telnetAsking {
		d.answer(line)
	}
}

// answer handles the answer to the current prompt.
func (d *telnetDialogue) answer(line []byte) {
	d.assumed = d.kind == telnetUnknown
	switch {
	case d.kind == telnetPassword, d.assumed && d.named && (d.prompt.question || d.echoing.promised):
		d.login.Password(line)
		d.password, d.phase, d.refused = d.prompt, telnetWaiting, false
	case len(line) > 0:
		d.login.Name(line)
		d.user, d.named = d.prompt, true
	}
}

// evaluate checks what the server asks after the last line.
func (d *telnetDialogue) evaluate(prompt []byte, p telnetPrompt, sink dissect.Sink) {
	switch d.phase {
	case telnetAsking:
		if !d.assumed || !d.echoing.hidden() {
			return
		}
		// What looked like a user name was not echoed, so it was a password.
		d.login.Proof()
		d.login.Hint, d.login.Clear = "", true
		d.password, d.user, d.phase = d.user, telnetPrompt{}, telnetWaiting
	case telnetWaiting:
		if d.assumed && d.echoing.whole() {
			d.login.Pending, d.phase = false, telnetAsking // a second question, but not for a password
			return
		}
	case telnetInside:
		if d.user.sum != 0 && p == d.user {
			d.phase, d.named = telnetAsking, false // logged out
		}
		return
	}
	if p.sum != 0 {
		d.after(prompt, p, sink)
	}
}

// after determines the result of a login by the prompt that follows the password.
func (d *telnetDialogue) after(prompt []byte, p telnetPrompt, sink dissect.Sink) {
	again, shell := d.user.again(p) || d.password.again(p), isShellPrompt(prompt)
	words := p.question && (asksForUser(lastWord(prompt)) || asksForPassword(lastWord(prompt)))
	if containsAny(prompt, newWords[:]) {
		again, words = false, false
	}
	switch {
	case again && shell && !asksForUser(prompt) && !asksForPassword(prompt):
		d.result(dissect.OutcomeUnknown, telnetInside, sink) // a login that prompts as a shell does
	case again, words, !shell && refuses(prompt):
		d.result(dissect.OutcomeFailure, telnetAsking, sink)
	case shell:
		d.result(dissect.OutcomeSuccess, telnetInside, sink)
	case d.phase == telnetExtra && d.echoing.whole() && !d.refused:
		d.result(dissect.OutcomeSuccess, telnetInside, sink) // a choice in a menu
	default:
		d.phase = telnetExtra
	}
}

// asksAgain checks the current line up to a colon. If it is a prompt that was there before, the result is known at
// once.
func (d *telnetDialogue) asksAgain(prompt []byte, sink dissect.Sink) {
	if d.typing || d.phase != telnetWaiting || d.assumed || d.waiting > 0 {
		return
	}
	if p := promptOf(prompt); p.sum != 0 && (p.sum == d.user.sum || p.sum == d.password.sum) {
		d.result(dissect.OutcomeFailure, telnetAsking, sink)
	}
}

// asksInside checks the current line up to a space. Some shell prompts cannot be anything else.
func (d *telnetDialogue) asksInside(prompt []byte, sink dissect.Sink) {
	if d.typing || d.phase != telnetWaiting || d.assumed || d.refused || !isSureShell(prompt) {
		return
	}
	if p := promptOf(prompt); !d.user.again(p) && !d.password.again(p) {
		d.result(dissect.OutcomeSuccess, telnetInside, sink)
	}
}

func lastWord(p []byte) []byte {
	p = bytes.TrimRight(p, " :?")
	return p[bytes.LastIndexByte(p, ' ')+1:]
}

func (d *telnetDialogue) result(r dissect.Outcome, next telnetPhase, sink dissect.Sink) {
	d.login.Protocol = "telnet"
	d.login.Result(r, sink)
	d.phase, d.named, d.assumed = next, false, false
}

// typedAhead reports whether lines wait for the questions that they answer.
func (d *telnetDialogue) typedAhead() bool {
	return d.waiting > 0 && !d.typing && d.phase != telnetInside
}

// answerAhead answers a prompt with the first line that was typed ahead.
func (d *telnetDialogue) answerAhead(prompt []byte, sink dissect.Sink) {
	p := promptOf(prompt)
	if d.phase != telnetAsking {
		if asksForPassword(prompt) && d.user.sum != 0 {
			d.result(dissect.OutcomeUnknown, telnetInside, sink) // perhaps the password of a command
			return
		}
		d.result(dissect.OutcomeFailure, telnetAsking, sink)
	}
	d.prompt, d.kind = p, d.kindOf(prompt, p)
	d.answer(d.ahead[0].bytes())
	d.waiting--
	d.ahead[0] = d.ahead[1]
	d.ahead[1].forget()
}

// end determines the result of the last login by what the server has shown in the end.
func (d *telnetDialogue) end(prompt []byte, sink dissect.Sink) {
	p := promptOf(prompt)
	if !d.typing {
		d.evaluate(prompt, p, sink)
	}
	if d.phase == telnetWaiting || d.phase == telnetExtra {
		r := dissect.OutcomeUnknown
		if d.refused {
			r = dissect.OutcomeFailure
		}
		d.result(r, telnetAsking, sink)
	}
	d.echoing.line.forget()
	d.ahead = [2]telnetLine{}
	d.waiting = 0
}
