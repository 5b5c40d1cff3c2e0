// SPDX-License-Identifier: Apache-2.0

package database

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "redis",
	Signs: "array of a command; inline command",
	Ports: "6379 for an inline command",
	Reads: "version, logins",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 200, Looks: LooksRedis, New: NewRedis},
	},
})

// redisStream reads the logins of a session, AUTH and HELLO with AUTH, and their answers. The server answers commands
// in order, so every command and every answer is read to its end. (Redis serialization protocol specification, RESP2
// and RESP3.)
type redisStream struct {
	login   logins.Attempt
	pos     [2]int
	done    [2]bool
	skip    int            // remaining arguments of a long command
	waiting []redisPending // commands without an answer, oldest first
	values  int            // remaining values of an answer that has begun
	version bool           // that answer has the version of the server
	named   bool           // the last value was the word "version"
	told    bool           // the version was reported
}

// redisPending is a command that waits for its answer.
type redisPending struct {
	login    bool
	version  bool // the answer has the version of the server
	defaults bool
	hint     string
}

const (
	maxRedisArgs    = 10 // of a command that is read
	maxRedisLine    = 1024
	maxRedisWaiting = 256
)

// NewRedis returns a dissector of Redis.
func NewRedis() dissect.Stream { return &redisStream{login: logins.Attempt{Protocol: "redis"}} }

// LooksRedis recognizes a command in the serialization of Redis: an array of strings, "*1\r
// $4\r
// ". On the port of Redis it also accepts an inline command.
func LooksRedis(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if head[0] != '*' {
		if !ports.Has(6379) {
			return match.No
		}
		return match.AnyPrefix(head, "AUTH ", "auth ", "PING\r\n", "ping\r\n", "INFO", "info")
	}
	i := 1
	for ; i < len(head) && i < 6 && '0' <= head[i] && head[i] <= '9'; i++ {
	}
	switch {
	case i == len(head):
		return match.Maybe
	case i == 1:
		return match.No
	}
	return match.Prefix(head[i:], "\r\n$")
}

func (r *redisStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if dir == dissect.FromServer {
		return r.server(head, final, sink)
	}
	for !r.done[dir] {
		used, need := r.command(head[min(r.pos[dir], len(head)):])
		if used == 0 {
			return r.more(dir, head, need)
		}
		r.pos[dir] += used
	}
	return 0
}

// more asks for need bytes from the current position, unless they are too many.
func (r *redisStream) more(dir int, head []byte, need int) int {
	r.done[dir] = r.done[dir] || r.pos[dir]+need > dissect.HeadLimit
	if r.done[dir] {
		return 0
	}
	return max(r.pos[dir]+need, len(head)+1)
}

// command reads a command, or an argument of one that is too long for a login. If it is not complete, used is 0 and
// need is its least length.
func (r *redisStream) command(b []byte) (used, need int) {
	switch {
	case len(b) == 0:
		return 0, 1
	case r.skip > 0:
		_, used, need = r.argument(b)
		if used > 0 {
			r.skip--
		}
		return used, need
	case b[0] != '*':
		return r.inline(b)
	}
	count, rest, v := redisNumber(b, '*')
	if v != match.Yes {
		r.done[dissect.FromClient] = v == match.No
		return 0, len(b) + 1
	}
	used = len(b) - len(rest)
	switch {
	case count == 0:
		return used, 0 // it has no answer
	case count > maxRedisArgs:
		r.skip = count
		r.ask(nil)
		return used, 0
	}
	var args [maxRedisArgs][]byte
	for i := range count {
		var n int
		if args[i], n, need = r.argument(b[used:]); n == 0 {
			return 0, used + need
		}
		used += n
	}
	r.ask(args[:count])
	return used, 0
}

// argument reads "$4\r\nPING\r\n".
func (r *redisStream) argument(b []byte) (arg []byte, used, need int) {
	n, rest, v := redisNumber(b, '$')
	if v != match.Yes {
		r.done[dissect.FromClient] = v == match.No
		return nil, 0, len(b) + 1
	}
	end := len(b) - len(rest) + n + len("\r\n")
	if len(b) < end {
		return nil, 0, end
	}
	return rest[:n], end, 0
}

// inline reads a command as it is typed: words separated by spaces.
func (r *redisStream) inline(b []byte) (used, need int) {
	line, rest, ok := parse.CutLine(b)
	if !ok {
		r.done[dissect.FromClient] = len(b) > maxRedisLine
		return 0, len(b) + 1
	}
	var args [maxRedisArgs][]byte
	n := 0
	for text := bytes.TrimSpace(line); len(text) > 0 && n < len(args); n++ {
		args[n], text = parse.Word(text)
	}
	if n > 0 {
		r.ask(args[:n])
	}
	return len(b) - len(rest), 0
}

// ask notes a command. A command with no answer or several ends the reading of commands.
func (r *redisStream) ask(args [][]byte) {
	var name []byte
	if len(args) > 0 {
		name = args[0]
	}
	switch {
	case len(r.waiting) == maxRedisWaiting, parse.FoldEqual(name, "monitor"), parse.FoldEqual(name, "sync"), parse.FoldEqual(name, "psync"), parse.FoldSuffix(name, "subscribe"),
		parse.FoldEqual(name, "client") && len(args) > 1 && parse.FoldEqual(args[1], "reply"):
		r.done[dissect.FromClient] = true
		return
	}
	r.waiting = append(r.waiting, r.read(args))
}

// read reads "AUTH password", "AUTH user password" and "HELLO version … AUTH user password …". Without a user name, the
// user is "default".
func (r *redisStream) read(args [][]byte) (p redisPending) {
	if len(args) > 0 && (parse.FoldEqual(args[0], "info") || parse.FoldEqual(args[0], "hello")) {
		p.version = true
	}
	if len(args) > 2 && parse.FoldEqual(args[0], "hello") {
		args = args[2:]
		for len(args) > 0 && !parse.FoldEqual(args[0], "auth") {
			args = args[1:]
		}
		if len(args) < 3 {
			return p
		}
		args = args[:3]
	}
	if len(args) < 2 || len(args) > 3 || !parse.FoldEqual(args[0], "auth") {
		return p
	}
	user := []byte("default")
	if len(args) == 3 {
		user = args[1]
	}
	r.login.Name(user)
	r.login.Password(args[len(args)-1])
	r.login.Pending = false
	p.login, p.defaults, p.hint = true, r.login.Defaults, r.login.Hint
	return p
}

// server reads answers. An answer that arrives before its command waits for it.
func (r *redisStream) server(head []byte, final bool, sink dissect.Sink) int {
	for !r.done[dissect.FromServer] {
		b := head[min(r.pos[dissect.FromServer], len(head)):]
		if len(b) == 0 || r.values == 0 && len(r.waiting) == 0 && b[0] != '>' {
			break
		}
		line, rest, ok := parse.CutLine(b)
		if !ok {
			r.done[dissect.FromServer] = len(b) > maxRedisLine
			break
		}
		size := len(b) - len(rest)
		text, inner, ok := redisValue(line)
		if size += text; !ok || r.pos[dissect.FromServer]+size > dissect.HeadLimit && r.values > 0 {
			r.done[dissect.FromServer] = true
			break
		}
		if r.values == 0 {
			r.version = b[0] != '>' && r.waiting[0].version && !r.told
		}
		if r.version && text > 0 && len(rest) < min(text, maxRedisLine) && !final {
			break
		}
		if r.version {
			r.readVersion(rest[:min(len(rest), text, maxRedisLine)], sink)
		}
		if r.values == 0 {
			r.values = 1
			if b[0] != '>' { // a message of a subscription is not an answer
				r.answer(redisOutcome(line), sink)
			}
		}
		r.values += inner - 1
		r.pos[dissect.FromServer] += size
	}
	if final || r.done[dissect.FromServer] {
		r.end(sink)
		return 0
	}
	return r.more(dissect.FromServer, head, 1)
}

// answer handles the result of the oldest command.
func (r *redisStream) answer(o dissect.Outcome, sink dissect.Sink) {
	p := r.waiting[0]
	r.waiting = r.waiting[:copy(r.waiting, r.waiting[1:])]
	if p.login {
		r.login.Pending, r.login.Clear, r.login.Defaults, r.login.Hint = true, true, p.defaults, p.hint
		r.login.Result(o, sink)
	}
}

// readVersion reads a text of the answer to INFO, which has a line redis_version:7.2.4, or to HELLO, where the version follows its name.
func (r *redisStream) readVersion(text []byte, sink dissect.Sink) {
	const key = "redis_version:"
	if i := bytes.Index(text, []byte(key)); i >= 0 {
		text, _, _ = bytes.Cut(text[i+len(key):], []byte("\n"))
		r.named = true
	}
	value := bytes.TrimSpace(text)
	if r.named && len(value) > 0 {
		r.told, r.version = true, false
		reportVersion("redis", value, sink)
	}
	r.named = string(value) == "version"
}

// end reports the logins whose answers were not seen.
func (r *redisStream) end(sink dissect.Sink) {
	r.done[dissect.FromServer] = true
	for len(r.waiting) > 0 {
		r.answer(dissect.OutcomeUnknown, sink)
	}
}

// redisValue reads the first line of a value. It returns how many bytes of text follow it, and how many values belong
// to it.
func redisValue(line []byte) (text, inner int, ok bool) {
	if len(line) == 0 {
		return 0, 0, false
	}
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return 0, 0, true
	case '$', '=', '!', '*', '~', '>', '%':
	default:
		return 0, 0, false
	}
	n, ok := parse.Number(line[1:])
	switch {
	case len(line) == 3 && string(line[1:]) == "-1": // null
		return 0, 0, true
	case !ok || n > 1<<24:
		return 0, 0, false
	case line[0] == '$' || line[0] == '=' || line[0] == '!':
		return n + len("\r\n"), 0, true
	case line[0] == '%':
		return 0, 2 * n, true
	}
	return 0, n, true
}

// redisOutcome reads the first line of the answer to a login: OK, the properties of the server after HELLO, or an
// error. Errors have a code and, before version 6, a text.
func redisOutcome(line []byte) dissect.Outcome {
	switch {
	case string(line) == "+OK", bytes.HasPrefix(line, []byte("%")), bytes.HasPrefix(line, []byte("*")):
		return dissect.OutcomeSuccess
	case bytes.HasPrefix(line, []byte("-WRONGPASS")), parse.FoldPrefix(line, "-") && parse.FoldContains(line, "invalid password"):
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown // no password is set, or the server is still loading
}

// redisNumber reads a line of a type byte and a number.
func redisNumber(b []byte, mark byte) (n int, rest []byte, v match.Verdict) {
	const longest = 16
	line, rest, ok := parse.CutLine(b)
	switch {
	case len(b) > 0 && b[0] != mark, !ok && len(b) > longest, ok && len(b)-len(rest) > longest+1:
		return 0, nil, match.No
	case !ok:
		return 0, nil, match.Maybe
	case len(line) < 2:
		return 0, nil, match.No
	}
	n, ok = parse.Number(line[1:])
	return n, rest, match.If(ok)
}
