// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line of the collector: commands, flags, accounts, topics and exit status.
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
	exitFailed = 1 // what was asked for was tried and did not succeed
	exitUsage  = 2 // bad usage or configuration
)

// errDiffers ends a check that found something; all was said.
var errDiffers = errors.New("")

// usageError is for what only the user can put right.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// commandLine has the commands.
type commandLine struct {
	Serve   serveCmd   `cmd:"" help:"Read records from Kafka, keep them, and serve console and API."`
	Demo    demoCmd    `cmd:"" help:"Show everything at once: broker, sensor, collector and console on this machine."`
	Topics  topicsCmd  `cmd:"" help:"Make the topics in Kafka, or compare them with what they should be."`
	User    userCmd    `cmd:"" help:"Work with those who may sign in."`
	Token   tokenCmd   `cmd:"" help:"Work with tokens for programs."`
	Config  configCmd  `cmd:"" help:"Work with the configuration."`
	Version versionCmd `cmd:"" help:"Print the version of the program."`
}

func options() []kong.Option {
	return []kong.Option{
		kong.Name(program),
		kong.Description("Keeps the alerts of all sensors and shows them to analysts.\n\nExamples:\n\n" +
			"    stillwatch-collector serve --config collector.yaml\n" +
			"    stillwatch-collector serve --embedded-broker --database /var/lib/stillwatch/collector.db\n" +
			"    stillwatch-collector user add anna --role analyst --config collector.yaml"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// Main runs the command that the arguments name and returns the exit status.
func Main(args []string, b buildinfo.Info) int {
	var c commandLine
	parser, err := kong.New(&c, options()...)
	if err != nil {
		panic(err) // a fault in the tags above
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return report(usageError{fmt.Errorf("%w; see '%s --help'", err, program)})
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills
	parsed.BindTo(ctx, (*context.Context)(nil))
	return report(parsed.Run(b))
}

// report prints an error, if there is one to print, and returns the exit status.
func report(err error) int {
	if err == nil {
		return exitOK
	}
	for line := range strings.Lines(err.Error()) {
		head := program + ": "
		if strings.HasPrefix(line, " ") { // belongs to the line above: the source of the mistake
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
