// SPDX-License-Identifier: Apache-2.0

// Package logs makes the log of both programs: lines for a person on a terminal, JSON otherwise. What came from the network may stand in
// an error, so whatever could act on a terminal is written by number.
package logs

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// New makes a log of a least level on w.
func New(w io.Writer, terminal bool, level zapcore.Level) *zap.Logger {
	c := zap.NewProductionEncoderConfig()
	c.TimeKey, c.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	encoder := zapcore.NewJSONEncoder(c)
	if terminal {
		c.EncodeTime, c.EncodeLevel = zapcore.TimeEncoderOfLayout("15:04:05"), zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(c)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(harmless{w})), level))
}

// harmless writes lines with escapes as in JSON in the place of control characters, marks that turn the direction of writing, and others
// that cannot be seen.
type harmless struct{ w io.Writer }

func (h harmless) Write(line []byte) (int, error) {
	if _, err := h.w.Write(escape(line)); err != nil {
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
	if r > 0xffff { // as JSON has it: a pair of surrogates
		r -= 0x10000
		return fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
