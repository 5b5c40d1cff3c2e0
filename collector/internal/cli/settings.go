// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"stillwatch/collector/internal/config"
	"stillwatch/internal/logs"
)

// configFlag is the flag of commands that need only the configuration.
type configFlag struct {
	Config string `help:"Configuration of the collector (YAML)." placeholder:"FILE" type:"path" required:""`
}

func (f configFlag) load() (config.Config, error) {
	c, err := config.Load(f.Config)
	if err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// databaseFlags select the database of a command.
type databaseFlags struct {
	Config   string `help:"Configuration of the collector (YAML)." placeholder:"FILE" type:"path" xor:"database"`
	Database string `help:"Database file, if there is no configuration." placeholder:"FILE" type:"path" xor:"database"`
}

// path returns the path of the database. Its folder must exist, so that a mistyped path is an error.
func (f databaseFlags) path() (string, error) {
	path := f.Database
	switch {
	case f.Config != "":
		c, err := config.Load(f.Config)
		if err != nil {
			return "", usageError{err}
		}
		path = c.Database
	case path == "":
		return "", usageError{errors.New("use --config or --database")}
	}
	if dir, err := os.Stat(filepath.Dir(path)); err != nil || !dir.IsDir() {
		return "", usageError{fmt.Errorf("database %s: its folder does not exist", path)}
	}
	return path, nil
}

// newLogger returns a logger that writes to standard error: text on a terminal, JSON otherwise.
func newLogger(level string) (*zap.Logger, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usageError{err}
	}
	return logs.New(os.Stderr, term.IsTerminal(int(os.Stderr.Fd())), l), nil
}
