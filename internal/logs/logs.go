// SPDX-License-Identifier: Apache-2.0

// Package logs creates the logger of both programs: text on a terminal, JSON otherwise. Log lines may contain data from the network, so
// characters that could control a terminal are escaped.
package logs

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// New returns a logger that writes to w. terminal selects the text format.
func New(w io.Writer, terminal bool, level zapcore.Level) *zap.Logger {
	c := zap.NewProductionEncoderConfig()
	c.TimeKey, c.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	encoder := zapcore.NewJSONEncoder(c)
	if terminal {
		c.EncodeTime, c.EncodeLevel = zapcore.TimeEncoderOfLayout("15:04:05"), zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(c)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(sanitizer{w})), level))
}

// sanitizer escapes, as in JSON, control characters, bidirectional formatting characters and other characters that are not printable.
type sanitizer struct{ w io.Writer }

// Write implements io.Writer.
func (s sanitizer) Write(line []byte) (int, error) {
	if _, err := s.w.Write(escape(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

func escape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r != '\n' && r != '\t' && !unicode.IsPrint(r):
			out = appendEscape(out, r)
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

func appendEscape(b []byte, r rune) []byte {
	if r > 0xffff { // a surrogate pair, as in JSON
		r -= 0x10000
		return fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
