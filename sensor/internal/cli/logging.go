// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"stillwatch/internal/logs"
	"stillwatch/sensor/internal/terminal"
)

// newLogger returns a logger that writes to standard error: text on a terminal, JSON otherwise.
func newLogger(t *terminal.Terminal, level string) (*zap.Logger, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, badUsage(err)
	}
	return logs.New(t.Err, t.ErrTTY, l), nil
}
