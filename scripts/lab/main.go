// SPDX-License-Identifier: Apache-2.0

// Command lab runs a mirror port in network namespaces: an office with cameras, a recorder and an unused server, a router to the outside,
// a mirror port, and attackers. docs/lab.md describes it.
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
	Run   runCmd   `cmd:"" default:"withargs" help:"Run the stories and check which alerts the sensor raises."`
	Up    upCmd    `cmd:"" help:"Run the lab with ordinary traffic until Ctrl-C, for trials by hand."`
	Bench benchCmd `cmd:"" help:"Send frames at fixed rates to the sensor, tcpdump and dumpcap, and compare cost and loss."`
	Clean cleanCmd `cmd:"" help:"Remove what killed runs have left."`
	Host  hostCmd  `cmd:"" hidden:"" help:"Run a machine, in its namespace."`
	Act   actCmd   `cmd:"" hidden:"" help:"Run a story, in the namespace outside."`
	Relay relayCmd `cmd:"" hidden:"" help:"Encapsulate mirrored frames, in the namespace of the switch."`
}

func main() {
	var c cli
	parsed := kong.Parse(&c, kong.Name("lab"), kong.Description("A mirror port in network namespaces, with attackers."), kong.UsageOnError(),
		kong.Vars{"ways": strings.Join(netns.Ways(), ",")})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills; `lab clean` then removes what is left
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

// Run runs a machine.
func (c hostCmd) Run(ctx context.Context) error { return machine.Run(ctx, c.Name) }

type actCmd struct {
	Name string `arg:""`
}

// Run runs a story.
func (c actCmd) Run(ctx context.Context) error { return story.Act(ctx, c.Name) }

type relayCmd struct {
	Way string `arg:""`
}

// Run runs the relay.
func (c relayCmd) Run() error { return netns.Relay(c.Way) }
