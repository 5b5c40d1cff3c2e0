// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/extract"
	"stillwatch/sensor/internal/terminal"
)

type extractCmd struct {
	captures
	Alert       string `help:"Extract the packets of the alert with this id: those of its sessions during the event, or those between its device and peer." placeholder:"ID"`
	CommunityID string `name:"community-id" help:"Extract the packets of the sessions with this Community ID." placeholder:"ID"`
	Device      string `help:"Extract the packets of a device, by its key, name in the inventory, address or MAC." placeholder:"DEVICE"`
	From        string `help:"Extract only packets captured at TIME or later: 2026-11-30, 2026-11-30 08:15 or 2026-11-30T08:15:30+01:00." placeholder:"TIME"`
	To          string `help:"Extract only packets captured up to TIME." placeholder:"TIME"`
	TZ          string `name:"tz" help:"Time zone of --from and --to, such as Europe/Berlin." default:"UTC" placeholder:"ZONE"`
	Alerts      string `help:"Look the alert up in FILE, JSON Lines that replay or run wrote, instead of replaying the captures." placeholder:"FILE" type:"path"`
	Output      string `short:"o" required:"" help:"Write the packets to FILE in the format pcapng." placeholder:"FILE" type:"path"`
}

// Help returns examples and the exit status.
func (extractCmd) Help() string {
	return `A session has the packets in both directions with the five-tuple of its Community ID: the innermost one in tunnels, fragments
included, so the packets that its record counts. To choose among sessions that use the same five-tuple, give --from and --to.
The packets of a device are those from and to its address, or its MAC.

Packets keep their order, link type, length and time. A comment in the file says what was selected, and has the SHA-256 of the
captures; each capture is an interface of the file.

Examples:

    stillwatch-sensor extract --community-id 1:LQU9qZlK+B5F3KDmev6m5PMibrg= -o session.pcapng monday.pcap
    stillwatch-sensor extract --alert 5yzhygg7bey7an2bv6epryalbw --alerts alerts.jsonl -o alert.pcapng monday.pcap
    stillwatch-sensor extract --device 10.20.30.12 --from '2026-11-30 08:00' --to '2026-11-30 08:15' -o camera.pcapng monday.pcap
    zcat monday.pcap.gz | stillwatch-sensor extract --device 00:11:22:33:44:55 -o camera.pcapng -

Exit status: 0 packets were extracted; 1 no packet or no alert matches, a capture was damaged, or the file could not be written;
2 bad usage, an invalid inventory or configuration, or a file that cannot be opened.`
}

// Run extracts packets.
func (c *extractCmd) Run(t *terminal.Terminal, all *commandLine, b buildinfo.Info) error {
	log, err := newLogger(t, all.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // syncing a terminal returns an error
	sel, about, err := c.selection(t, log, b.Version)
	if err != nil {
		return err
	}
	s := watchSignals(context.Background())
	defer s.stop()
	return c.extract(t, log, s, sel, "stillwatch-sensor "+b.Version+" extract\n"+about)
}

// selection returns what the command line selects, in words too. Every mistake is reported before a packet is read.
func (c *extractCmd) selection(t *terminal.Terminal, log *zap.Logger, version string) (*extract.Selection, string, error) {
	window, err := c.check()
	if err != nil {
		return nil, "", badUsage(err)
	}
	cfg, err := c.load(version)
	if err == nil {
		err = c.checkOutput(append(c.inputs(cfg), appendInput(nil, "the alerts", c.Alerts)...))
	}
	if err != nil {
		return nil, "", badUsage(err)
	}
	sel, about := &extract.Selection{}, ""
	switch {
	case c.Alert != "":
		a, err := c.findAlert(t, log, cfg)
		if err != nil {
			return nil, "", err
		}
		sel, about = extract.OfAlert(a), alertText(a)
	case c.CommunityID != "":
		sel, about = window, "sessions with the Community ID "+c.CommunityID
	default:
		if err := addDevice(sel, c.Device, cfg.Inventory); err != nil {
			return nil, "", badUsage(err)
		}
		about = "packets of the device " + c.Device
	}
	if c.From != "" {
		sel.From = window.From
	}
	if c.To != "" {
		sel.To = window.To
	}
	return sel, "selection: " + about + windowText(sel), nil
}

func alertText(a *schemas.Alert) string {
	text := fmt.Sprintf("alert %s, rule %s %s, device %s", a.ID, a.Rule.ID, a.Rule.Name, a.Device.Key)
	if n := len(extract.OfAlert(a).Sessions); n > 0 {
		return text + ", " + terminal.Counted(uint64(n), "session")
	}
	return text + ", the packets of the device" + peerText(a.Peer)
}

func peerText(p *schemas.AlertPeer) string {
	if p == nil || !p.IP.IsValid() {
		return ""
	}
	return " with " + p.IP.String()
}

func windowText(s *extract.Selection) (text string) {
	if s.From != 0 {
		text += ", from " + schemas.Time(s.From).String()
	}
	if s.To != 0 {
		text += ", to " + schemas.Time(s.To).String()
	}
	return text
}

// checkOutput returns an error if the output would overwrite a file that is read, or cannot be replaced.
func (c *extractCmd) checkOutput(in []input) error {
	info, err := os.Stat(c.Output)
	if err != nil {
		if _, err := os.Stat(filepath.Dir(c.Output)); err != nil {
			return err
		}
		return nil
	}
	for _, f := range in {
		if os.SameFile(info, f.info) {
			return fmt.Errorf("-o would overwrite %s: give another file", f.what)
		}
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("-o: %s is no regular file", c.Output)
	}
	return nil
}

// extract reads the captures and writes the packets.
func (c *extractCmd) extract(t *terminal.Terminal, log *zap.Logger, s *interrupt, sel *extract.Selection, about string) error {
	src, err := openCaptures(s, log, c.Captures, capture.HashPipes())
	if err != nil {
		return err
	}
	defer src.Close()
	if err := c.checkOutput(pathsOf(src)); err != nil { // also the captures in folders
		return badUsage(err)
	}
	defer context.AfterFunc(s.ctx, func() { _ = src.Close() })() // a read from a pipe may block forever
	sums := extract.StartSums(src.Reads())
	defer sums.Stop()
	out := extract.Create(c.Output, func(r extract.Result) string {
		return fmt.Sprintf("%s\npackets: %d, %d bytes", about, r.Packets, r.Bytes)
	}, sums.Origins())
	r := extract.New(sel, src, out)
	res, err := c.watch(t, r, src, s)
	var origins []extract.Origin
	if err == nil && res.Packets > 0 && s.signal() == 0 {
		origins, err = sums.Wait(s.ctx, src.Reads())
	}
	if err != nil || s.signal() != 0 {
		out.Discard()
		if s.signal() != 0 {
			return endedBy(s.signal(), "nothing was written")
		}
		return verdict(bare(err), 0, nil)
	}
	if err := out.Finish(res, origins); err != nil {
		return verdict(bare(err), 0, nil)
	}
	return c.finish(t, log, res, src)
}

// watch runs the extraction and shows its progress.
func (c *extractCmd) watch(t *terminal.Terminal, r *extract.Run, src *capture.Files, s *interrupt) (res extract.Result, err error) {
	painted, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(painted)
		if t.CanRepaint() {
			terminal.ShowProgress(t.Err, func() terminal.Progress {
				read, kept := r.Progress()
				x := src.Stats()
				return terminal.Progress{Packets: read, Alerts: kept, Noun: "selected packet", BytesRead: x.BytesRead, BytesTotal: x.BytesTotal}
			}, stop)
		}
	}()
	defer func() {
		close(stop)
		<-painted
	}()
	return r.Run(s.ctx)
}

// finish reports what was extracted.
func (c *extractCmd) finish(t *terminal.Terminal, log *zap.Logger, r extract.Result, src *capture.Files) error {
	if r.GaveUp > 0 {
		log.Warn("fragments were left out, because too many were waiting for the rest of their datagrams", zap.Uint64("fragments", r.GaveUp))
	}
	var damage []string
	for _, d := range src.Stats().Damage {
		damage = append(damage, d.String())
	}
	if r.Packets == 0 {
		return verdict(errors.Join(errors.New("no packet matches; nothing was written"), verdict(nil, 0, damage)), 0, nil)
	}
	_, err := fmt.Fprintf(t.Out, "%s: %s, %s, from %s to %s\n", terminal.Clean(c.Output), terminal.Counted(r.Packets, "packet"), terminal.Bytes(r.Bytes),
		schemas.Time(r.First), schemas.Time(r.Last))
	return verdict(err, 0, damage)
}
