// SPDX-License-Identifier: Apache-2.0

// Package cli implements the command line of the collector.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"stillwatch/collector/internal/sanitize"
	"stillwatch/internal/buildinfo"
)

const program = "stillwatch-collector"

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // the command failed
	exitUsage  = 2 // invalid usage or configuration
)

// errDiffers is the result of a check that found differences and has already printed them.
var errDiffers = errors.New("")

// usageError is an error in the usage or configuration. The exit status is exitUsage.
type usageError struct{ error }

// Unwrap returns the wrapped error.
func (e usageError) Unwrap() error { return e.error }

// commandLine defines the commands.
type commandLine struct {
	Serve   serveCmd   `cmd:"" help:"Read records from Kafka, store them, and serve the console and the API."`
	Demo    demoCmd    `cmd:"" help:"Run a demo with broker, sensor, collector and console on this machine."`
	Topics  topicsCmd  `cmd:"" help:"Create or check the topics in Kafka."`
	User    userCmd    `cmd:"" help:"Manage users."`
	Token   tokenCmd   `cmd:"" help:"Manage API tokens for programs."`
	Config  configCmd  `cmd:"" help:"Check the configuration."`
	Version versionCmd `cmd:"" help:"Print the version of the program."`
}

func options() []kong.Option {
	return []kong.Option{
		kong.Name(program),
		kong.Description("Stores the alerts of all sensors and shows them to analysts.\n\nExamples:\n\n" +
			"    stillwatch-collector serve --config collector.yaml\n" +
			"    stillwatch-collector serve --embedded-broker --database /var/lib/stillwatch/collector.db\n" +
			"    stillwatch-collector user add anna --role analyst --config collector.yaml"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// Main runs the command in args and returns the exit status.
func Main(args []string, b buildinfo.Info) (status int) {
	defer func() {
		if v := recover(); v != nil { // one line for the user, not a stack
			status = report(fmt.Errorf("internal error: %v; please report it", v))
		}
	}()
	var c commandLine
	parser, err := kong.New(&c, options()...)
	if err != nil {
		panic(err) // invalid tags above
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(usageError{fmt.Errorf("%w; see '%s --help'", err, program)})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the process
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(parsed.Run(b))
}

// report prints err and returns the exit status.
func report(err error) int {
	if err == nil {
		return exitOK
	}
	for line := range strings.Lines(err.Error()) {
		head := program + ": "
		if strings.HasPrefix(line, " ") { // the source line of the error above
			head = ""
		}
		fmt.Fprintln(os.Stderr, head+sanitize.Value(strings.TrimRight(line, "\n")))
	}
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}
