// SPDX-License-Identifier: Apache-2.0

// Command lab is a span port in network namespaces: an office with cameras, a recorder and a server that nobody uses, the outside
// behind a router, a mirror port, and intruders.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"stillwatch/internal/testlab/machine"
	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/story"
)

type cli struct {
	Run   runCmd   `cmd:"" default:"withargs" help:"Act the stories before a sensor and say which alerts came."`
	Up    upCmd    `cmd:"" help:"Make the lab with its ordinary traffic, until Ctrl-C, to try things by hand."`
	Bench benchCmd `cmd:"" help:"Offer frames at fixed rates to the sensor, tcpdump and dumpcap, and compare cost and loss."`
	Clean cleanCmd `cmd:"" help:"Remove what runs have left that were killed."`
	Host  hostCmd  `cmd:"" hidden:"" help:"Be a machine, in its namespace."`
	Act   actCmd   `cmd:"" hidden:"" help:"Act a story, in the namespace outside."`
	Relay relayCmd `cmd:"" hidden:"" help:"Wrap mirrored frames, in the namespace of the switch."`
}

func main() {
	var c cli
	parsed := kong.Parse(&c, kong.Name("lab"), kong.Description("A span port in network namespaces, with intruders."), kong.UsageOnError(),
		kong.Vars{"ways": strings.Join(netns.Ways(), ",")})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills; `lab clean` removes what is left then
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(os.Stderr, "lab: "+strings.TrimRight(line, "\n"))
		}
		os.Exit(1)
	}
}

type cleanCmd struct{}

// Run removes leftovers.
func (cleanCmd) Run() error {
	runs, err := netns.Clean()
	for _, r := range runs {
		fmt.Println("removed run", r)
	}
	return err
}

type hostCmd struct {
	Name string `arg:""`
}

// Run is a machine.
func (c hostCmd) Run(ctx context.Context) error { return machine.Run(ctx, c.Name) }

type actCmd struct {
	Name string `arg:""`
}

// Run acts a story.
func (c actCmd) Run(ctx context.Context) error { return story.Act(ctx, c.Name) }

type relayCmd struct {
	Way string `arg:""`
}

// Run wraps frames.
func (c relayCmd) Run() error { return netns.Relay(c.Way) }
