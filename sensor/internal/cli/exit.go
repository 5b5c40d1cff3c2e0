// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"io/fs"
	"strings"

	"stillwatch/sensor/internal/publish"
)

// The exit statuses, as docs/replay.md has them. 128 + n is a run that signal n ended, after it has told what it found.
const (
	exitOK         = 0
	exitIncomplete = 1  // a capture was damaged or cut, or something could not be written
	exitUsage      = 2  // bad usage, bad inventory or configuration, a file that cannot be opened
	exitWarning    = 3  // of doctor: the worst that it has found is a warning
	exitProblem    = 4  // of doctor: it is a problem
	exitBug        = 70 // EX_SOFTWARE of sysexits.h
	exitSignal     = 128
)

// exitError ends the program with a status; err may be nil when all was said.
type exitError struct {
	status int
	err    error
	stack  []byte // of a fault of the program, for whoever asked for it
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// badUsage is for what only the user can put right.
func badUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{status: exitUsage, err: err}
}

// lines gives one line for each of the errors that were joined.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range many.Unwrap() {
			all = append(all, lines(e)...)
		}
		return all
	}
	if path, ok := err.(*fs.PathError); ok {
		name := path.Path
		if publish.IsStdout(name) {
			name = "standard output"
		}
		return []string{"cannot " + path.Op + " " + name + ": " + path.Err.Error()}
	}
	return strings.Split(strings.TrimRight(err.Error(), "\n"), "\n")
}

// unwritten reports whether err is of a write: of a disk that is full, or a reader that has gone.
func unwritten(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Op == "write"
}

// bare gives the error of an output without what is said around it: it names the output itself.
func bare(err error) error {
	var record *publish.WriteError
	var path *fs.PathError
	switch {
	case errors.As(err, &record):
		return record
	case errors.As(err, &path):
		return path
	}
	return err
}
