// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/dissect/decrypt"
	"stillwatch/sensor/internal/gctune"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/state"
	"stillwatch/sensor/internal/terminal"
)

type replayCmd struct {
	captures
	selectionFlags
	Follow     bool          `help:"Wait for more data at the end of the captures, and read files that appear in folders, until Ctrl-C or SIGTERM."`
	FollowIdle time.Duration `help:"With --follow, a file is complete when a newer one has appeared and it has not grown for TIME (2s)." placeholder:"TIME"`
	Alerts     string        `help:"Write alerts to FILE as JSON Lines (- is standard output)." placeholder:"FILE"`
	Sessions   string        `help:"Write sessions to FILE as JSON Lines." placeholder:"FILE"`
	Incidents  string        `help:"Write incidents to FILE as JSON Lines." placeholder:"FILE"`
	Devices    string        `help:"Write devices to FILE as JSON Lines, at the end." placeholder:"FILE"`
	formatFlags
	Evidence    string `help:"Write the packets of each alert to a file in DIR, in the format pcapng." placeholder:"DIR" type:"path"`
	Keylog      string `help:"Decrypt TLS 1.2 and 1.3 with the secrets in FILE, which a client or server wrote (SSLKEYLOGFILE)." placeholder:"FILE" type:"path"`
	State       string `help:"Continue from the state that an earlier replay saved in FILE, and save the new state there." placeholder:"FILE" type:"path"`
	MetricsFile string `help:"Write metrics to FILE in the Prometheus text format, at the end." placeholder:"FILE"`
	Quiet       bool   `help:"Show no cards and no progress, only the summary and errors."`
	caseFlags
	policyFiles
	WhatIf string `name:"what-if" help:"Replay twice, without and with the policies in FILE, and list the alerts that differ." placeholder:"FILE" type:"path"`
	publishing
}

// Help returns examples and the exit status.
func (replayCmd) Help() string {
	return `Several captures are read as one, in the order of their first packets. Of a folder, every file that is a capture is read.
Empty files, copies of another capture, and other files in a folder are skipped with a warning.

--filter leaves whole sessions unread, never one direction of them; it knows host, net, port, portrange, proto, vlan, ether, the
names of protocols, src, dst, and, or, not and parentheses. The other selections choose what is written: everything before and
beside it is read too, so that alerts and openers are those of the whole capture.

Without --alerts, alerts go to standard output: as cards on a terminal, otherwise as JSON Lines.

Examples:

    stillwatch-sensor replay --inventory site.yaml monday.pcap tuesday.pcap.zst
    stillwatch-sensor replay --inventory site.yaml captures
    stillwatch-sensor replay --follow --inventory site.yaml --alerts alerts.jsonl /var/spool/captures
    stillwatch-sensor replay --silent 10.20.10.17 'span-2026-11-*.pcap.gz'
    stillwatch-sensor replay --silent 10.20.10.17 --alerts alerts.jsonl span.pcapng
    ssh probe tcpdump -i span0 -w - | stillwatch-sensor replay -
    stillwatch-sensor replay --inventory site.yaml --evidence packets --alerts alerts.jsonl span.pcapng
    stillwatch-sensor replay --inventory site.yaml --csv tables --zeek-logs logs span.pcapng
    stillwatch-sensor replay --alerts alerts.jsonl --eve eve.json --timesketch timeline.jsonl --tz Europe/Berlin span.pcapng
    stillwatch-sensor replay --state site.state tuesday.pcap
    stillwatch-sensor replay --keylog browser.keys --sessions - --alerts alerts.jsonl monday.pcap
    stillwatch-sensor replay --filter 'net 10.20.0.0/16 and not port 9100' monday.pcap
    stillwatch-sensor replay --device cam-01 --from '2026-11-30 08:00' --tz Europe/Berlin --sessions cam.jsonl monday.pcap
    stillwatch-sensor replay --inventory site.yaml --what-if backup.json span.pcapng
    stillwatch-sensor replay --case-report case.html --case-json case.json --case 2026-117 --examiner 'A. Meier' --tz Europe/Berlin *.pcap
    stillwatch-sensor replay --kafka kafka-1:9092,kafka-2:9092 span.pcapng

Exit status: 0 all captures were read; 1 a capture was damaged or cut short, or a record could not be written or published;
2 bad usage, an invalid inventory or configuration, or a file that cannot be opened.`
}

// Run replays the captures.
func (c *replayCmd) Run(t *terminal.Terminal, all *commandLine, b buildinfo.Info) error {
	log, err := newLogger(t, all.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // syncing a terminal returns an error
	if c.WhatIf != "" {
		return c.whatIf(t, log, b.Version)
	}
	n := namesOf(c.Alerts, c.Incidents, c.Sessions, c.Devices, c.MetricsFile)
	n.state, n.caseReport, n.caseJSON = c.State, c.CaseReport, c.CaseJSON
	if err := c.caseFlags.check(); err != nil {
		return badUsage(err)
	}
	if n.formats, err = c.formatFlags.named(); err != nil {
		return badUsage(err)
	}
	n.quiet = c.Quiet || c.enabled() && !t.OutTTY
	n.useStdout(t.OutTTY)
	cfg, err := c.config(b.Version)
	if err != nil {
		return badUsage(err)
	}
	t.Zone, _ = c.zone() // it was checked
	n.zone = t.Zone
	keyLog, err := c.useKeyLog()
	if err != nil {
		return badUsage(err)
	}
	to, err := c.target()
	if err != nil {
		return badUsage(err)
	}
	out, err := openOutputs(n, slices.Concat(c.inputs(cfg), c.policyInputs(), c.caseInputs()), c.cards(t))
	if err != nil {
		return err
	}
	s := watchSignals(context.Background())
	defer s.stop()
	src, err := openCaptures(s, log, c.Captures, c.options()...)
	if err != nil {
		return errors.Join(err, out.close(nil))
	}
	defer src.Close()
	if to != nil {
		p, err := to.start(log, cfg, out.sequencer)
		if err != nil {
			return errors.Join(badUsage(err), out.close(nil))
		}
		out.publish(p, &cfg, to)
	}
	if err := n.check(pathsOf(src), out.sinks); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	if err := c.separate(); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	if err := out.keepEvidence(c.Evidence, &cfg, log); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	out.Policy = logPolicies(log)
	if cfg.Follow = c.Follow; c.Follow {
		out.Flush = out.flush
	}
	if err := out.openState(c.State, &cfg, log, state.Options{Patience: time.Minute}); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	stop, err := c.serve(log, routes(out.kafka, out.stateCollectors()))
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	defer stop()
	if err := c.startReport(s, &cfg, all, b, src, out); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	return errors.Join(c.replay(t, log, cfg, src, out, n, s, keyLog), out.report.discard())
}

// cards returns what shows alerts. While captures are followed there is no end to wait for.
func (c *replayCmd) cards(t *terminal.Terminal) cardRenderer {
	if c.Follow {
		return terminal.NewLiveCards(t, t.Out)
	}
	return terminal.NewIncidentCards(t, t.Out)
}

// followIdle is the value of --follow-idle that is used if none is given.
const followIdle = 2 * time.Second

// options returns how captures are read.
func (c *replayCmd) options() (opts []capture.Option) {
	if c.Follow {
		opts = append(opts, capture.Follow(cmp.Or(c.FollowIdle, followIdle)))
	}
	if c.caseFlags.active() {
		opts = append(opts, capture.HashPipes())
	}
	return opts
}

// config reads the files that the command line names.
func (c *replayCmd) config(version string) (pipeline.Config, error) {
	switch {
	case c.FollowIdle < 0:
		return pipeline.Config{}, fmt.Errorf("--follow-idle: give a time above 0, not %s", c.FollowIdle)
	case c.FollowIdle > 0 && !c.Follow:
		return pipeline.Config{}, errors.New("--follow-idle is of use only with --follow")
	case c.Follow && c.caseFlags.active():
		return pipeline.Config{}, errors.New("a case report has the hashes of complete captures: leave out --follow")
	}
	if c.State != "" && c.selectionFlags.active() {
		return pipeline.Config{}, errors.New("--state needs the whole capture: leave out --filter, --from, --to, --device and --community-id")
	}
	cfg, err := c.load(version)
	if err == nil {
		cfg.Policies, err = c.policyFiles.read(false)
	}
	return cfg, errors.Join(err, c.selectionFlags.apply(&cfg))
}

// readCaptures opens the captures of a command that writes a table, and watches for signals. The caller stops and closes what it returns.
func readCaptures(t *terminal.Terminal, names []string) (*interrupt, *capture.Files, error) {
	log, err := newLogger(t, "warn")
	if err != nil {
		return nil, nil, err
	}
	s := watchSignals(context.Background())
	src, err := openCaptures(s, log, names)
	if err != nil {
		s.stop()
		return nil, nil, err
	}
	return s, src, nil
}

// openCaptures opens captures and warns about those that are skipped. A signal ends it, because the first read from a pipe may block forever.
func openCaptures(s *interrupt, log *zap.Logger, names []string, opts ...capture.Option) (*capture.Files, error) {
	type opened struct {
		src *capture.Files
		err error
	}
	done := make(chan opened, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- opened{err: crash(&pipeline.PanicError{Where: "reader of captures", Value: v, Stack: debug.Stack()})}
			}
		}()
		src, err := capture.OpenFiles(names, opts...)
		done <- opened{src, badUsage(err)}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		for _, x := range o.src.Skipped() {
			log.Warn("capture skipped", zap.String("file", x.File), zap.String("reason", x.Reason))
		}
		return o.src, nil
	case <-s.ctx.Done():
		return nil, endedBy(s.signal(), "no packet was read, and nothing was written")
	}
}

// useKeyLog reads the key log, and decrypts with it from now on; nil if there is none.
func (c *replayCmd) useKeyLog() (*decrypt.KeyLog, error) {
	if c.Keylog == "" {
		return nil, nil
	}
	k, err := decrypt.Load(c.Keylog)
	if err == nil {
		k.Use()
	}
	return k, err
}

// replay runs the pipeline and writes the summary.
func (c *replayCmd) replay(t *terminal.Terminal, log *zap.Logger, cfg pipeline.Config, src capture.Source, out *outputs, n names, s *interrupt, keyLog *decrypt.KeyLog) error {
	r, err := pipeline.New(cfg, src, out.Output)
	if err == nil {
		err = out.begin()
	}
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	end := run(r, src, s, t, t.CanRepaint() && !n.stdout() && !c.Quiet && !c.Follow)
	var fault *pipeline.PanicError
	if errors.As(end.err, &fault) {
		e := crash(fault)
		e.err = errors.Join(e.err, out.close(nil))
		return e
	}
	err = errors.Join(end.err, c.deliver(out.kafka, end.signal, log))
	res := &result{Summary: r.Summary(), alertCounts: out.alertCounts, wall: end.wall, selected: c.selectionFlags, keyLog: keyLog}
	summaryFirst := out.manyCards() && err == nil
	if summaryFirst {
		err = res.print(t, t.Out)
		fmt.Fprintln(t.Out) // an error recurs with the next write
	}
	err = errors.Join(err, out.close(end.err), out.report.finish(res, src, end))
	switch {
	case !t.OutTTY || n.stdout():
		res.log(log)
	case err == nil && !summaryFirst:
		err = res.print(t, t.Out)
	}
	m := metrics.Run{Summary: res.Summary, Alerts: out.alertCounts, Wall: end.wall, Version: cfg.Version}
	switch n.metrics {
	case "":
	case publish.Stdout:
		err = errors.Join(err, metrics.Write(t.Out, m, out.collectors()...))
	default:
		err = errors.Join(err, metrics.WriteFile(n.metrics, m, out.collectors()...))
	}
	return verdict(err, end.signal, res.Damage)
}

// ending is how a run ended.
type ending struct {
	err    error // of the source or an output, or a *pipeline.PanicError
	signal int
	wall   time.Duration
}

// run runs the pipeline until the captures end, an output fails, or a signal comes.
func run(r *pipeline.Run, src capture.Source, s *interrupt, t *terminal.Terminal, progress bool) (end ending) {
	// A read from a pipe may block forever: closing the source ends it.
	defer context.AfterFunc(s.ctx, func() { _ = src.Close() })()
	painted, stop := make(chan struct{}), make(chan struct{})
	gctune.Start(stop)
	go func() {
		defer close(painted)
		if progress {
			terminal.ShowProgress(t.Err, func() terminal.Progress { return progressOf(r) }, stop)
		}
	}()
	began := time.Now()
	end.err = bare(r.Run(s.ctx))
	end.wall = time.Since(began)
	close(stop)
	<-painted
	if end.signal = s.signal(); end.signal != 0 && errors.Is(end.err, os.ErrClosed) {
		end.err = nil
	}
	return end
}

func progressOf(r *pipeline.Run) terminal.Progress {
	p := r.Progress()
	return terminal.Progress{Packets: p.Packets, Alerts: p.Alerts, BytesRead: p.BytesRead, BytesTotal: p.BytesTotal}
}

// verdict returns the error with the exit status of a run.
func verdict(err error, signal int, damage []string) error {
	var decided *exitError
	switch {
	case errors.As(err, &decided):
		return err
	case errors.Is(err, syscall.EPIPE): // the reader of standard output has closed it
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
		return endedBy(signal, "the results up to then were written")
	}
	return nil
}

func endedBy(signal int, how string) error {
	return &exitError{status: exitSignal + signal, err: fmt.Errorf("ended by %s; %s", syscall.Signal(signal), how)}
}
