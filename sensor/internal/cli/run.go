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
	Iface     string `help:"Interface to listen at: the mirror port. It needs no address, and nothing is sent there." required:"" placeholder:"IF"`
	Mode      string `help:"How to listen: ${enum}. auto takes XDP where it can be had." enum:"auto,xdp,afpacket" default:"auto" placeholder:"MODE"`
	XDPAction string `name:"xdp-action" help:"What becomes of the frames after XDP: ${enum}. drop is for a port that is a mirror and nothing else." enum:"pass,drop" default:"pass" placeholder:"ACTION"`
	Rings     int    `help:"Rings of AF_PACKET that divide the frames by sessions, for ports with several receive queues. 0: one." default:"0" placeholder:"N"`
	RingSize  int    `help:"Memory of the rings, in MiB." default:"64" placeholder:"MIB"`
	Snaplen   int    `help:"Bytes that AF_PACKET keeps of a frame. 0: all." default:"0" placeholder:"BYTES"`
	WaitIface bool   `name:"wait-iface" help:"Wait for the interface: at the start until it is there and up, and later until it comes back."`
	settings
	Alerts   string `help:"Append alerts to FILE as JSON Lines (- is standard output)." placeholder:"FILE"`
	Sessions string `help:"Append sessions to FILE as JSON Lines." placeholder:"FILE"`
	Devices  string `help:"Append devices to FILE as JSON Lines, when they have changed." placeholder:"FILE"`
	State    string `help:"Keep what is learned in FILE, and go on from it after a restart." placeholder:"FILE" type:"path"`
	User     string `help:"Go on as this user, once started as root. Files are opened as this user." placeholder:"NAME"`
	publishing
}

// Help shows how the command is used.
func (runCmd) Help() string {
	return `Without --alerts, alerts go to standard output: to a terminal as cards, otherwise as JSON Lines.

Examples:

    stillwatch-sensor run --iface span0 --inventory site.yaml
    stillwatch-sensor run --iface span0 --mode afpacket --silent 10.20.10.0/24 --alerts alerts.jsonl
    stillwatch-sensor run --iface span0 --xdp-action drop --kafka kafka-1:9092 --listen 127.0.0.1:9477
    stillwatch-sensor run --iface span0 --state /var/lib/stillwatch/span0.state --kafka kafka-1:9092

SIGTERM and SIGINT end it within 15 seconds; what was found until then is told. SIGHUP has it read the inventory and the
configuration again: what is wrong is refused, and the old ones stay.

Exit status: 0 it was ended; 1 the port went away, or a record could not be written or published; 2 bad usage, bad
inventory or configuration, a port that cannot be listened to, or a file that cannot be opened.`
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
		return errors.New("--wait-iface cannot move several rings to an interface that came back: give --rings 1, or leave --wait-iface out")
	case c.Mode == capture.ModeXDP && c.Rings+c.Snaplen > 0:
		return errors.New("--rings and --snaplen are of AF_PACKET: leave --mode xdp out, or them")
	case c.Mode == capture.ModeAFPacket && c.XDPAction == "drop":
		return errors.New("--xdp-action drop is of XDP: AF_PACKET looks at frames and cannot drop them")
	}
	return nil
}

// Run listens.
func (c *runCmd) Run(t *terminal.Terminal, all *commandLine, b buildinfo.Info) error {
	log, err := newLogger(t, all.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced, and says so
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
	n := namesOf(c.Alerts, c.Sessions, c.Devices, "")
	n.state = c.State
	n.quiet = c.wanted() && !t.OutTTY
	n.useStdout(t.OutTTY)
	s := watchSignals(context.Background())
	defer s.stop()
	src, err := c.open(s.ctx, log, cfg)
	if err != nil {
		return badUsage(err)
	}
	defer func() { _ = src.Close() }() // there is nothing to lose
	log.Info("listening at the port", zap.String("iface", c.Iface), zap.String("mode", src.Mode), zap.String("why", src.Why))
	out, err := openLive(n, c.inputs(cfg), terminal.NewLiveCards(t, t.Out))
	if err != nil {
		return err
	}
	if to != nil {
		to.patience = 0 // a port does not wait: when the spool is full, the least severe records go
		p, err := to.start(log, cfg, out.sequencer)
		if err != nil {
			return errors.Join(badUsage(err), out.close(nil))
		}
		out.publish(p, to.Sessions)
	}
	if err := out.remember(c.State, &cfg, log, state.Options{SetAside: true, NotAfter: time.Now().Add(clockSlack).UnixNano()}); err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	cfg.Capture, _, _ = strings.Cut(src.Mode, " ")
	cfg.Why = src.Mode + ": " + src.Why
	cfg.Iface = c.Iface
	return c.listen(t, log, cfg, src, out, s, to)
}

// open opens the port, and waits for it if it may.
func (c *runCmd) open(ctx context.Context, log *zap.Logger, cfg pipeline.Config) (*capture.Live, error) {
	for told := false; ; told = true {
		src, err := capture.OpenLive(c.live(cfg))
		if _, absent := errors.AsType[*capture.AbsentError](err); !absent || !c.WaitIface {
			return src, err
		}
		if !told {
			log.Warn("waiting for the interface", zap.String("iface", c.Iface), zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Second):
		}
	}
}

// clockSlack is how far the clock of a state file may be ahead of the machine's, which may have been set back a little.
const clockSlack = time.Hour

func (c *runCmd) loadLive(version string) (pipeline.Config, error) {
	cfg, err := c.load(version)
	cfg.Replay = false
	return cfg, err
}

// live says how the port is to be listened to. XDP hands on what touches the network that is watched.
func (c *runCmd) live(cfg pipeline.Config) capture.LiveConfig {
	l := capture.LiveConfig{Iface: c.Iface, Mode: c.Mode, Drop: c.XDPAction == "drop", Rings: c.Rings, RingBytes: c.RingSize << 20, SnapLen: c.Snaplen,
		Wait: c.WaitIface}
	l.Watch, l.WatchMACs = watched(cfg.Inventory, cfg.Settings)
	return l
}

// watched gives the networks and stations whose packets are of interest: without an inventory all of them, because nobody has said which are
// ours.
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
		prefixes = append(prefixes, netip.PrefixFrom(netip.IPv6Unspecified(), 0)) // routers announce what is ours
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

// listen runs the pipeline until it is ended, and tells what came of it.
func (c *runCmd) listen(t *terminal.Terminal, log *zap.Logger, cfg pipeline.Config, src *capture.Live, out *outputs, s *interrupt, to *publishTo) error {
	r, err := pipeline.New(cfg, src, out.Output)
	if err == nil {
		err = out.begin()
	}
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	w := newWatch(c, log, cfg, r, src, out)
	stop, err := c.serve(log, w.routes())
	if err != nil {
		return errors.Join(badUsage(err), out.close(nil))
	}
	defer stop()
	held, err := c.drop(log, cfg, src.Maps, to)
	if err != nil {
		return errors.Join(err, out.close(nil))
	}
	w.protected(held)
	m := manager(log)
	defer context.AfterFunc(s.ctx, m.Stopping)()
	go w.supervise(s.ctx, m)
	defer w.reloadOn(s.ctx, m)()
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
	err = errors.Join(runErr, c.deliver(out.kafka, s.signal(), log), out.close(runErr))
	res := &result{Summary: r.Summary(), tally: out.tally, wall: time.Since(w.began), port: c.Iface + ", " + src.Mode}
	res.Source = src.Stats()
	if t.OutTTY && c.Alerts == "" && err == nil {
		err = res.print(t, t.Out)
	} else {
		res.log(log)
	}
	return verdict(err, 0, nil)
}
