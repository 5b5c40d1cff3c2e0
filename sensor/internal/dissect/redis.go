// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// redisStream reads a login that is the first command of a Redis session, AUTH or HELLO with AUTH, and its answer. (Redis
// serialization protocol specification.)
type redisStream struct {
	login   attempt
	stopped bool
}

func openRedis(*Conversation) streamDissector { return &redisStream{login: attempt{protocol: "redis"}} }

// looksRedis tells a command in the serialisation of Redis: an array of strings, "*1\r\n$4\r\n".
func looksRedis(head []byte, _ bool, _ Ports) verdict {
	if head[0] != '*' {
		return no
	}
	i := 1
	for ; i < len(head) && i < 6 && '0' <= head[i] && head[i] <= '9'; i++ {
	}
	switch {
	case i == len(head):
		return maybe
	case i == 1:
		return no
	}
	return startsWith(head[i:], "\r\n$")
}

func (r *redisStream) feed(dir int, head []byte, final bool, sink Sink) int {
	switch {
	case r.stopped:
		return 0
	case dir == FromServer:
		return r.reply(head, final, sink)
	case r.login.pending:
		return 0
	}
	args, v := redisCommand(head)
	if v == maybe && !final {
		return len(head) + 1
	}
	r.stopped = v != yes || !r.auth(args)
	return 0
}

// auth takes "AUTH password", "AUTH user password" and "HELLO version AUTH user password"; without a user name it is that of
// the user "default".
func (r *redisStream) auth(args [][]byte) bool {
	if len(args) >= 5 && foldEqual(args[0], "hello") {
		args = args[2:5]
	}
	if len(args) < 2 || len(args) > 3 || !foldEqual(args[0], "auth") {
		return false
	}
	user := []byte("default")
	if len(args) == 3 {
		user = args[1]
	}
	r.login.name(user)
	r.login.password(args[len(args)-1])
	return true
}

func (r *redisStream) reply(head []byte, final bool, sink Sink) int {
	const longest = 256
	line, _, ok := cutLine(head[:min(len(head), longest)])
	if !ok && !final && len(head) < longest {
		return len(head) + 1
	}
	r.stopped = true
	r.login.result(redisOutcome(line), sink)
	return 0
}

// redisOutcome reads the first line of an answer: an error has a code, and before version 6 a text.
func redisOutcome(line []byte) Outcome {
	switch {
	case len(line) == 0:
		return OutcomeUnknown
	case line[0] != '-':
		return OutcomeSuccess
	case bytes.HasPrefix(line, []byte("-WRONGPASS")), foldContains(line, "invalid password"):
		return OutcomeFailure
	}
	return OutcomeUnknown // no password is set, or it is still loading
}

// redisCommand reads an array of strings. It says maybe if more bytes are needed.
func redisCommand(b []byte) (args [][]byte, v verdict) {
	const maxArgs, maxArg = 8, 512
	count, b, v := redisNumber(b, '*')
	switch {
	case v != yes:
		return nil, v
	case count > maxArgs:
		return nil, no
	}
	for range count {
		n, rest, v := redisNumber(b, '$')
		switch {
		case v != yes:
			return nil, v
		case n > maxArg:
			return nil, no
		case len(rest) < n+2:
			return nil, maybe
		}
		args, b = append(args, rest[:n]), rest[n+2:]
	}
	return args, yes
}

// redisNumber reads a line of a mark and a number.
func redisNumber(b []byte, mark byte) (n int, rest []byte, v verdict) {
	const longest = 16
	line, rest, ok := cutLine(b)
	switch {
	case len(b) > 0 && b[0] != mark, !ok && len(b) > longest:
		return 0, nil, no
	case !ok:
		return 0, nil, maybe
	case len(line) < 2:
		return 0, nil, no
	}
	n, ok = number(line[1:])
	return n, rest, yesIf(ok)
}
