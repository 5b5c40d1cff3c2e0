// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/gctune"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/privilege"
	"stillwatch/sensor/internal/state"
	"stillwatch/sensor/internal/terminal"
)

type runCmd struct {
	Iface     string `help:"Interface to capture at: the mirror port. It needs no address; the sensor sends nothing on it." required:"" placeholder:"IF"`
	Mode      string `help:"How to capture: xdp, afpacket or auto (the default). auto is XDP if the kernel and driver support it, else AF_PACKET." enum:"auto,xdp,afpacket" default:"auto" placeholder:"MODE"`
	XDPAction string `name:"xdp-action" help:"What XDP does with frames after the capture: pass (the default) or drop. Use drop only on a port that receives nothing but mirrored traffic." enum:"pass,drop" default:"pass" placeholder:"ACTION"`
	Rings     int    `help:"Number of AF_PACKET rings, which share the sessions, for ports with several receive queues. 0: one ring." default:"0" placeholder:"N"`
	RingSize  int    `help:"Memory of all AF_PACKET rings together, in MiB (64)." default:"64" placeholder:"MIB"`
	Snaplen   int    `help:"Bytes of each frame that AF_PACKET keeps. 0: all." default:"0" placeholder:"BYTES"`
	WaitIface bool   `name:"wait-iface" help:"Wait for the interface: at the start until it exists and is up, and again whenever it is removed."`
	settings
	Alerts    string `help:"Append alerts to FILE as JSON Lines (- is standard output)." placeholder:"FILE"`
	Sessions  string `help:"Append sessions to FILE as JSON Lines." placeholder:"FILE"`
	Incidents string `help:"Append incidents to FILE as JSON Lines." placeholder:"FILE"`
	Devices   string `help:"Append devices to FILE as JSON Lines, when they change." placeholder:"FILE"`
	Evidence  string `help:"Write the packets of each alert to a file in DIR, in the format pcapng. The oldest files make room (evidence.max_bytes)." placeholder:"DIR" type:"path"`
	State     string `help:"Save what the sensor learns in FILE, and continue from it after a restart." placeholder:"FILE" type:"path"`
	Suggest   string `help:"Write a draft of an inventory from the traffic to FILE, at SIGHUP and when the run ends. It replaces the file." placeholder:"FILE" type:"path"`
	policyFiles
	User string `help:"Switch to this user after a start as root. Files are opened as this user." placeholder:"NAME"`
	publishing
}

// Help returns examples and the exit status.
func (runCmd) Help() string {
	return `Without --alerts, alerts go to standard output: as cards on a terminal, otherwise as JSON Lines.

Examples:

    stillwatch-sensor run --iface span0 --inventory site.yaml
    stillwatch-sensor run --iface span0 --mode afpacket --silent 10.20.10.0/24 --alerts alerts.jsonl
    stillwatch-sensor run --iface span0 --xdp-action drop --kafka kafka-1:9092 --listen 127.0.0.1:9477
    stillwatch-sensor run --iface span0 --suggest /var/lib/stillwatch/draft.yaml
    stillwatch-sensor run --iface span0 --state /var/lib/stillwatch/span0.state --kafka kafka-1:9092

SIGTERM and SIGINT end the run within 15 seconds; the results up to then are written. SIGHUP reloads inventory and
configuration; if one is not valid, the old ones stay active.

Exit status: 0 a signal ended the run; 1 the interface was removed, or a record could not be written or published; 2 bad usage,
an invalid inventory or configuration, an interface that cannot be captured at, or a file that cannot be opened.`
}

// Validate implements kong.Validatable.
func (c *runCmd) Validate() error {
	switch {
	case c.Rings < 0 || c.Rings > 64:
		return fmt.Errorf("--rings: give a number from 0 to 64, not %d", c.Rings)
	case c.RingSize < 8*max(c.Rings, 1) || c.RingSize > capture.MaxRingBytes>>20:
		return fmt.Errorf("--ring-size: give at least 8 MiB for each ring, and at most %d, not %d", capture.MaxRingBytes>>20, c.RingSize)
	case c.Snaplen != 0 && (c.Snaplen < 64 || c.Snaplen > 1<<18):
		return fmt.Errorf("--snaplen: give 0 or a number from 64 to %d, not %d", 1<<18, c.Snaplen)
	case c.WaitIface && c.Rings > 1:
		return errors.New("--wait-iface cannot bind several rings again: give --rings 1, or omit --wait-iface")
	case c.Mode == capture.ModeXDP && c.Rings+c.Snaplen > 0:
		return errors.New("--rings and --snaplen are for AF_PACKET: omit them, or --mode xdp")
	case c.Mode == capture.ModeAFPacket && c.XDPAction == "drop":
		return errors.New("--xdp-action drop is for XDP: AF_PACKET cannot drop frames")
	}
	return nil
}

// Run captures until a signal comes.
func (c *runCmd) Run(t *terminal.Terminal, all *commandLine, b buildinfo.Info) error {
	log, err := newLogger(t, all.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // syncing a terminal returns an error
	if c.User != "" {
		if err := privilege.Become(c.User); err != nil {
			return badUsage(err)
		}
	}
	cfg, err := c.loadLive(b.Version)
	if err != nil {
		return badUsage(err)
	}
	to, err := c.target()
	if err != nil {
		return badUsage(err)
	}
	n := namesOf(c.Alerts, c.Incidents, c.Sessions, c.Devices, "")
	n.state, n.suggest = c.State, c.Suggest
	n.quiet = c.enabled() && !t.OutTTY
	n.useStdout(t.OutTTY)
	s := watchSignals(context.Background())
	defer s.stop()
	src, err := c.open(s.ctx, log, cfg)
	if err != nil {
		return badUsage(err)
	}
	defer func() { _ = src.Close() }() // nothing is lost if it fails
	log.Info("listening at the port", zap.String("iface", c.Iface), zap.String("mode", src.Mode), zap.String("why", src.Why))
	out, err := openLive(n, append(c.inputs(cfg), c.policyInputs()...), terminal.NewLiveCards(t, t.Out))
	if err != nil {
		return err
	}
	if to != nil {
		to.patience = 0 // a port cannot wait: when the spool is full, it drops the least severe records
		p, err := to.start(log, cfg, out.sequencer)
		if err != nil {
			return errors.Join(badUsage(err), out.close(nil))
		}
		out.publish(p, &cfg, to)
	}
	if err := out.keepEvidence(c.Evidence, &cfg, log); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	draft, err := out.openDraft(c.Suggest)
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	if err := out.openState(c.State, &cfg, log, state.Options{MoveDamaged: true, NotAfter: time.Now().Add(clockSlack).UnixNano()}); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	out.Policy = logPolicies(log)
	cfg.Capture, _, _ = strings.Cut(src.Mode, " ")
	cfg.Why = src.Mode + ": " + src.Why
	cfg.Iface = c.Iface
	return c.capture(t, log, cfg, src, out, s, to, draft)
}

// open opens the port. With --wait-iface it waits until the interface exists.
func (c *runCmd) open(ctx context.Context, log *zap.Logger, cfg pipeline.Config) (*capture.Live, error) {
	for logged := false; ; logged = true {
		src, err := capture.OpenLive(c.live(cfg))
		if _, absent := errors.AsType[*capture.AbsentError](err); !absent || !c.WaitIface {
			return src, err
		}
		if !logged {
			log.Warn("waiting for the interface", zap.String("iface", c.Iface), zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Second):
		}
	}
}

// clockSlack is how far the clock of a state file may be ahead of that of the machine, which may have been set back a little.
const clockSlack = time.Hour

func (c *runCmd) loadLive(version string) (pipeline.Config, error) {
	cfg, err := c.load(version)
	if err == nil {
		cfg.Policies, err = c.policyFiles.read(true)
	}
	cfg.Replay = false
	return cfg, err
}

// live returns the settings of the capture. XDP passes on only packets of the monitored networks and devices.
func (c *runCmd) live(cfg pipeline.Config) capture.LiveConfig {
	l := capture.LiveConfig{Iface: c.Iface, Mode: c.Mode, Drop: c.XDPAction == "drop", Rings: c.Rings, RingBytes: c.RingSize << 20, SnapLen: c.Snaplen,
		Wait: c.WaitIface}
	l.Watch, l.WatchMACs = watched(cfg.Inventory, cfg.Settings)
	return l
}

// watched returns the networks and MAC addresses to monitor. Without an inventory it returns none, which means all: nothing says which
// addresses are internal.
func watched(inv *contract.Inventory, set *config.Config) (prefixes []netip.Prefix, macs []packet.MAC) {
	if inv == nil {
		return nil, nil
	}
	declared := set.Internal
	if len(declared) == 0 {
		declared = inv.Internal
	}
	internal := declared
	if len(internal) == 0 {
		internal = device.DefaultInternal()
	}
	prefixes, macs = slices.Concat(internal, inv.Watched(), set.Silent), slices.Clone(set.SilentMACs)
	if !slices.ContainsFunc(declared, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		prefixes = append(prefixes, netip.PrefixFrom(netip.IPv6Unspecified(), 0)) // routers may announce other prefixes
	}
	for _, n := range inv.Named() {
		if n.IP.IsValid() {
			prefixes = append(prefixes, netip.PrefixFrom(n.IP.Unmap(), n.IP.Unmap().BitLen()))
		} else {
			macs = append(macs, n.MAC)
		}
	}
	return prefixes, macs
}

// capture runs the pipeline until it ends and writes the summary.
func (c *runCmd) capture(t *terminal.Terminal, log *zap.Logger, cfg pipeline.Config, src *capture.Live, out *outputs, s *interrupt, to *publishTo, draft *draftFile) error {
	r, err := pipeline.New(cfg, src, out.Output)
	if err == nil {
		err = out.begin()
	}
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	mon := newMonitor(c, log, cfg, r, src, out)
	mon.draft = draft
	stop, err := c.serve(log, mon.routes())
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	defer stop()
	policies, err := followPolicies(s.ctx, log, cfg, r, to)
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	held, err := c.drop(log, cfg, src.Maps, to)
	if err != nil {
		return errors.Join(err, out.close(nil))
	}
	mon.protected(held)
	m := serviceManager(log)
	defer context.AfterFunc(s.ctx, m.Stopping)()
	go mon.withRecovery("supervisor", func() { mon.supervise(s.ctx, m) })
	go mon.withRecovery("reader of policies", policies)
	defer mon.reloadOnHangup(s.ctx, m)()
	quit := make(chan struct{})
	gctune.Start(quit)
	runErr := bare(r.Run(s.ctx))
	close(quit)
	var fault *pipeline.PanicError
	if errors.As(runErr, &fault) {
		e := crash(fault)
		e.err = errors.Join(e.err, out.close(nil))
		return e
	}
	mon.suggest(context.Background())
	mon.reportStatus("stopped")
	err = errors.Join(runErr, c.deliver(out.kafka, s.signal(), log), out.close(runErr))
	res := &result{Summary: r.Summary(), alertCounts: out.alertCounts, wall: time.Since(mon.began), port: c.Iface + ", " + src.Mode}
	res.Source = src.Stats()
	if t.OutTTY && c.Alerts == "" && err == nil {
		err = res.print(t, t.Out)
	} else {
		res.log(log)
	}
	return verdict(err, 0, nil)
}
