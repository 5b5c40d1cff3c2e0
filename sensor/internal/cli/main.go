// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of the sensor: commands, flags, configuration, outputs, signals and exit status.
package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/terminal"
)

const program = "stillwatch-sensor"

// Main runs the command that the arguments name and returns the exit status.
func Main(args []string, b buildinfo.Info) (status int) {
	c := commandLine{args: args}
	defer func() {
		if v := recover(); v != nil {
			status = report(crash(&pipeline.PanicError{Where: "command line", Value: v, Stack: debug.Stack()}))
		}
	}()
	parser, err := kong.New(&c, options()...)
	if err != nil {
		panic(err)
	}
	ctx, err := parser.Parse(args)
	if err != nil && isWriteError(err) { // the help could not be written
		return report(bare(err))
	}
	if err != nil {
		return usage(err)
	}
	return report(ctx.Run(terminal.New(c.NoColor), &c, parser, b))
}

// usage reports a mistake on the command line.
func usage(err error) int {
	path := program
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if name := parse.Context.Command(); name != "" {
			path = commandPath(parse.Context)
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %s; see '%s --help'\n", program, terminal.Clean(err.Error()), path)
	return exitUsage
}

// commandPath returns the command that the parser reached, without its arguments.
func commandPath(ctx *kong.Context) string {
	path := program
	for _, p := range ctx.Path {
		if p.Command != nil {
			path += " " + p.Command.Name
		}
	}
	return path
}

// report prints an error, if there is one to print, and returns the exit status.
func report(err error) int {
	if err == nil {
		return exitOK
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{status: exitIncomplete, err: err}
	}
	for _, line := range lines(e.err) {
		head := program + ": "
		if strings.HasPrefix(line, " ") { // belongs to the line above: the source of the mistake
			head = ""
		}
		fmt.Fprintln(os.Stderr, head+terminal.Clean(line))
	}
	return e.status
}
