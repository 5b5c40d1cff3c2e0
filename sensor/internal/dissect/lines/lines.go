// SPDX-License-Identifier: Apache-2.0

// Package lines reads protocols of commands and replies of one line each: FTP, SMTP, POP3, IMAP, NNTP and IRC.
package lines

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

// lineAction is what to do after a line.
type lineAction uint8

const (
	lineNext   lineAction = iota
	linePause             // read no more of the client before the server has answered
	lineResume            // continue with the client
	lineTLS               // both directions continue in TLS
	lineStop              // read no more
)

// lineProtocol is a protocol of commands and replies of one line each.
type lineProtocol interface {
	line(dir int, text []byte, sink dissect.Sink) lineAction
	end(sink dissect.Sink) // the server has ended
}

// maxLineLen is the number of bytes without a line end after which a stream is no longer read.
const maxLineLen = 2048

// lineStream splits both directions into lines.
type lineStream struct {
	pos     [2]int
	paused  bool
	stopped bool
	proto   lineProtocol
	tunnel  *tls.Upgrade
}

func (l *lineStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for !l.stopped && l.tunnel == nil {
		if dir == dissect.FromClient && l.paused {
			return len(head) + 1
		}
		pos := min(l.pos[dir], len(head))
		line, rest, ok := parse.CutLine(head[pos:])
		if !ok {
			if final && dir == dissect.FromServer {
				l.proto.end(sink)
			}
			if len(head)-pos > maxLineLen {
				return 0
			}
			return len(head) + 1
		}
		l.pos[dir] = len(head) - len(rest)
		l.act(l.proto.line(dir, line, sink))
	}
	if l.tunnel != nil {
		return l.tunnel.Feed(dir, head, final, sink)
	}
	return 0
}

func (l *lineStream) act(a lineAction) {
	switch a {
	case linePause:
		l.paused = true
	case lineResume:
		l.paused = false
	case lineTLS:
		l.tunnel = &tls.Upgrade{From: l.pos}
	case lineStop:
		l.stopped = true
	}
}

// replyCode returns the code of a reply of FTP or SMTP. last is false for a line that others follow (RFC 959 section
// 4.2).
func replyCode(line []byte) (code int, last bool) {
	if len(line) < 3 {
		return 0, false
	}
	code, ok := parse.Number(line[:3])
	if !ok || code < 100 {
		return 0, false
	}
	return code, len(line) == 3 || line[3] == ' '
}
