// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"io/fs"
	"strings"

	"stillwatch/sensor/internal/publish"
)

// The exit statuses (docs/replay.md). 128 + n: signal n ended the run, after the results up to then were written.
const (
	exitOK         = 0
	exitIncomplete = 1  // a capture was damaged or cut, or something could not be written
	exitUsage      = 2  // bad usage, bad inventory or configuration, a file that cannot be opened
	exitWarning    = 3  // doctor: the worst finding is a warning
	exitProblem    = 4  // doctor: the worst finding is a problem
	exitBug        = 70 // EX_SOFTWARE of sysexits.h
	exitSignal     = 128
)

// exitError ends the program with a status. err is nil if there is nothing to print.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// badUsage marks an error that the user has to correct.
func badUsage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{status: exitUsage, err: err}
}

// lines returns one line for each of the joined errors.
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

// isWriteError reports whether a write failed: the disk is full, or the reader of a pipe has closed it.
func isWriteError(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Op == "write"
}

// bare returns the error of an output without the errors that wrap it: it names the output itself.
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
