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
)

const program = "stillwatch-sensor"

func main() { os.Exit(run(os.Args[1:])) }

// run does what the arguments say and gives the exit status.
func run(args []string) (status int) {
	var c cli
	defer func() {
		if p := recover(); p != nil {
			status = crashed(p, c.LogLevel == "debug")
		}
	}()
	parser, err := kong.New(&c, options()...)
	if err != nil {
		panic(err)
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return usage(err)
	}
	return report(ctx.Run(newTerminal(c.NoColor), &c, parser))
}

// crashed tells of a fault of the program itself in one line; whoever debugs it asks for the stack.
func crashed(p any, stack bool) int {
	fmt.Fprintf(os.Stderr, "%s: internal error: %v; run again with --log-level debug for the stack and report it with the output of '%s version'\n",
		program, p, program)
	if stack {
		fmt.Fprintf(os.Stderr, "%s", debug.Stack())
	}
	return exitBug
}

// usage tells what is wrong with the command line.
func usage(err error) int {
	command := program
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if name := parse.Context.Command(); name != "" {
			command = commandPath(parse.Context)
		}
	}
	fmt.Fprintf(os.Stderr, "%s: %s; see '%s --help'\n", program, clean(err.Error()), command)
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
		e = &exitError{status: exitUsage, err: err}
	}
	for _, line := range lines(e.err) {
		head := program + ": "
		if strings.HasPrefix(line, " ") { // belongs to the line above: the source of the mistake
			head = ""
		}
		fmt.Fprintln(os.Stderr, head+clean(line))
	}
	return e.status
}
