// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const hostile = "x\x1b]0;owned\a\x1b[2J\x00\u009b31m\u202egnp.exe\u2066\u200b\ufeff\u2028\U000e0041\x7f\xff\nFAKE LINE"

func TestLogIsSanitized(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var b bytes.Buffer
		New(&b, terminal, zapcore.InfoLevel).Warn("record rejected", zap.String("reason", hostile), zap.Error(errors.New(hostile)), zap.Strings("names", []string{hostile, "Überwachung 監視"}))
		line := b.String()
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || strings.ContainsAny(line, "\x00\a\x1b\x7f\u009b\u202e\u2066\u200b\ufeff\u2028\U000e0041") {
			t.Errorf("terminal %v: %q", terminal, line)
		}
		if !strings.Contains(line, "Überwachung 監視") || !strings.Contains(line, `\u202egnp.exe`) {
			t.Errorf("terminal %v: cannot be read: %s", terminal, line)
		}
		if terminal {
			continue
		}
		var back struct{ Reason string }
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Reason != strings.ToValidUTF8(hostile, "\ufffd") {
			t.Errorf("%v: read back as %q", err, back.Reason)
		}
	}
}
