// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
)

type replayCmd struct {
	captures
	Alerts      string `help:"Write alerts to FILE as JSON Lines (- is standard output)." placeholder:"FILE"`
	Sessions    string `help:"Write sessions to FILE as JSON Lines." placeholder:"FILE"`
	Devices     string `help:"Write the devices to FILE as JSON Lines, at the end." placeholder:"FILE"`
	MetricsFile string `help:"Write metrics to FILE in the text format of Prometheus, at the end." placeholder:"FILE"`
	publishing
}

// Help shows how the command is used.
func (replayCmd) Help() string {
	return `Several captures are one stretch of time: they are read in the order of their first packets.
Without --alerts, alerts go to standard output: to a terminal as cards, otherwise as JSON Lines.

Examples:

    stillwatch-sensor replay --inventory site.yaml monday.pcap tuesday.pcap.zst
    stillwatch-sensor replay --silent 10.20.10.17 --alerts alerts.jsonl span.pcapng
    ssh probe tcpdump -i span0 -w - | stillwatch-sensor replay -
    stillwatch-sensor replay --kafka kafka-1:9092,kafka-2:9092 span.pcapng

Exit status: 0 all was read; 1 a capture was damaged or cut short, or a record could not be written or published;
2 bad usage, bad inventory or configuration, or a file that cannot be opened.`
}

// Run replays.
func (c *replayCmd) Run(t *terminal, all *cli) error {
	log, err := newLogger(t, all.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced, and says so
	n := names{alerts: c.Alerts, sessions: c.Sessions, devices: c.Devices, metrics: c.MetricsFile}
	n.quiet = c.wanted() && !t.outTTY
	n.useStdout(t.outTTY)
	if err := n.check(c.Captures); err != nil {
		return badUsage(err)
	}
	cfg, err := c.load()
	if err != nil {
		return badUsage(err)
	}
	to, err := c.target()
	if err != nil {
		return badUsage(err)
	}
	src, err := capture.OpenFiles(c.Captures)
	if err != nil {
		return badUsage(err)
	}
	defer src.Close()
	out, err := openOutputs(n, t)
	if err != nil {
		return err
	}
	if to != nil {
		p, err := to.start(log, cfg, out.stamp)
		if err != nil {
			return errors.Join(badUsage(err), out.close(err))
		}
		out.publish(p, to.Sessions)
	}
	stop, err := c.serve(log, out.kafka)
	if err != nil {
		return errors.Join(badUsage(err), out.close(err))
	}
	defer stop()
	return c.replay(t, log, cfg, src, out, n)
}

// replay runs the pipeline and tells what came of it.
func (c *replayCmd) replay(t *terminal, log *zap.Logger, cfg pipeline.Config, src capture.Source, out *outputs, n names) error {
	r, end, err := runPipeline(cfg, src, out.Output, t, t.errTTY && !n.stdout())
	if err != nil {
		return errors.Join(err, out.close(err))
	}
	res := &result{Summary: r.Summary(), tally: out.tally, wall: end.wall}
	err = errors.Join(end.err, c.deliver(out.kafka, end.signal, log), out.close(end.err))
	switch {
	case !t.outTTY || n.stdout():
		res.log(log)
	case err == nil:
		err = res.print(t, t.out)
	}
	if c.MetricsFile != "" {
		v, _ := build()
		err = errors.Join(err, metrics.WriteFile(c.MetricsFile, metrics.Run{Summary: res.Summary, Alerts: out.tally, Wall: end.wall, Version: v}, out.collectors()...))
	}
	return verdict(err, end.signal, res.Damage)
}

// ending is how a run came to its end.
type ending struct {
	err    error
	signal int
	wall   time.Duration
}

// runPipeline runs until the captures end, an output fails, or the user asks for the end. err is about the beginning
// only: then there is no run.
func runPipeline(cfg pipeline.Config, src capture.Source, out pipeline.Output, t *terminal, progress bool) (*pipeline.Run, ending, error) {
	var end ending
	r, err := pipeline.New(cfg, src, out)
	if err != nil {
		return nil, end, badUsage(err)
	}
	ctx, signals := watchSignals(context.Background())
	defer signals.stop()
	// A read from a pipe may wait for ever: closing the source ends it.
	defer context.AfterFunc(ctx, func() { _ = src.Close() })()
	painted, stop := make(chan struct{}), make(chan struct{})
	tuneMemory(stop)
	go func() {
		defer close(painted)
		if progress {
			showProgress(t.err, r.Progress, stop)
		}
	}()
	began := time.Now()
	end.err = r.Run(ctx)
	end.wall = time.Since(began)
	close(stop)
	<-painted
	if end.signal = signals.signal(); end.signal != 0 && errors.Is(end.err, os.ErrClosed) {
		end.err = nil
	}
	return r, end, nil
}

// verdict gives the error that stands for the exit status of a run.
func verdict(err error, signal int, damage []string) error {
	var decided *exitError
	switch {
	case errors.As(err, &decided):
		return err
	case errors.Is(err, syscall.EPIPE): // whoever read us has seen enough
		return &exitError{status: exitSignal + int(syscall.SIGPIPE)}
	case err != nil:
		return &exitError{status: exitIncomplete, err: err}
	case len(damage) > 0:
		var errs []error
		for _, d := range damage {
			errs = append(errs, errors.New(d))
		}
		return &exitError{status: exitIncomplete, err: errors.Join(errs...)}
	case signal != 0:
		return &exitError{status: exitSignal + signal, err: fmt.Errorf("ended by %s; what was found until then is told", syscall.Signal(signal))}
	}
	return nil
}
