// SPDX-License-Identifier: Apache-2.0

// Command stillwatch-sensor reads captures and tells which devices that ought to be silent have spoken.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"stillwatch/sensor/internal/pipeline"
)

const program = "stillwatch-sensor"

func main() { os.Exit(start(os.Args[1:])) }

// start does what the arguments say and gives the exit status.
func start(args []string) (status int) {
	var c cli
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
	if err != nil && unwritten(err) { // the help, on a disk that is full
		return report(bare(err))
	}
	if err != nil {
		return usage(err)
	}
	return report(ctx.Run(newTerminal(c.NoColor), &c, parser))
}

// usage tells what is wrong with the command line.
func usage(err error) int {
	path := program
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if name := parse.Context.Command(); name != "" {
			path = commandPath(parse.Context)
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %s; see '%s --help'\n", program, clean(err.Error()), path)
	return exitUsage
}

// commandPath names the command that was reached, without its arguments.
func commandPath(ctx *kong.Context) string {
	path := program
	for _, p := range ctx.Path {
		if p.Command != nil {
			path += " " + p.Command.Name
		}
	}
	return path
}

// report prints an error, if there is one to print, and gives the exit status.
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
		fmt.Fprintln(os.Stderr, head+clean(line))
	}
	_, _ = os.Stderr.Write(e.stack) // there is nowhere else to say that it cannot be written
	return e.status
}
