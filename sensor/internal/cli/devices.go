// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/terminal"
)

type devicesCmd struct {
	captures
	JSON    bool   `name:"json" help:"Write device records as JSON Lines instead of a table."`
	State   string `help:"Continue from the saved state in FILE, which stays as it is." placeholder:"FILE" type:"path"`
	Explain string `help:"Show one device and the evidence for its role. KEY is its key, address or MAC." placeholder:"KEY"`
}

// Help returns examples.
func (devicesCmd) Help() string {
	return `Examples:

    stillwatch-sensor devices office.pcap
    stillwatch-sensor devices --inventory site.yaml --explain 10.20.30.12 office.pcap`
}

// Run lists the devices.
func (c *devicesCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	cfg, err := c.load(b.Version)
	if err != nil {
		return badUsage(err)
	}
	done, err := continueFrom(t, c.State, &cfg)
	if err != nil {
		return err
	}
	defer done()
	s, src, err := readCaptures(t, c.Captures)
	if err != nil {
		return err
	}
	defer s.stop()
	defer src.Close()
	out, finish, err := c.output(t)
	if err != nil {
		return badUsage(err)
	}
	r, err := pipeline.New(cfg, src, out)
	if err != nil {
		return badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint() && t.OutTTY)
	var fault *pipeline.PanicError
	if errors.As(end.err, &fault) {
		return crash(fault)
	}
	err = finish()
	if errors.Is(end.err, err) {
		err = nil // end.err has it already
	}
	return verdict(errors.Join(end.err, err), end.signal, r.Summary().Damage)
}

// output returns where devices go, and a function that writes them at the end.
func (c *devicesCmd) output(t *terminal.Terminal) (pipeline.Output, func() error, error) {
	take, finish, err := c.shape(t)
	if c.Explain == "" || err != nil {
		return pipeline.Output{Device: take}, finish, err
	}
	found := false
	return pipeline.Output{Device: func(d *schemas.Device) error {
			if !c.named(d) {
				return nil
			}
			found = true
			return take(d)
		}}, func() error {
			if !found {
				return badUsage(fmt.Errorf("no device %s in these captures; run 'devices' without --explain to list the keys", c.Explain))
			}
			return finish()
		}, nil
}

// shape returns the form in which devices are written: records, the evidence of one, or rows of a table.
func (c *devicesCmd) shape(t *terminal.Terminal) (take func(*schemas.Device) error, finish func() error, err error) {
	switch {
	case c.JSON:
		sink, err := publish.Create(publish.Stdout)
		if err != nil {
			return nil, nil, err
		}
		return publish.Devices(sink), sink.Close, nil
	case c.Explain != "":
		return func(d *schemas.Device) error { return explain(t, t.Out, d) }, func() error { return nil }, nil
	}
	rows := [][]string{{"KEY", "IP", "VENDOR", "MODEL", "ROLE", "EXPECTED", "CONTRACT", "LAST OPENED", "SILENT OF WATCHED", "SERVES"}}
	return func(d *schemas.Device) error {
		rows = append(rows, deviceRow(d))
		return nil
	}, func() error { return t.Table(t.Out, rows) }, nil
}

func deviceRow(d *schemas.Device) []string {
	ip, role, opened := "", d.Role, "never"
	if n := len(d.IPs); n > 0 {
		ip = d.IPs[0].String()
		if n > 1 {
			ip += fmt.Sprintf(" +%d", n-1)
		}
	}
	if d.RoleLevel != "unknown" {
		role += " (" + d.RoleLevel + ")"
	}
	if d.LastOrigination != nil {
		opened = terminal.Moment(int64(*d.LastOrigination))
	}
	expect := strings.ReplaceAll(d.Expect, "_", " ")
	if d.ExpectSource != "" {
		expect += " (" + d.ExpectSource + ")"
	}
	return []string{d.Key, ip, d.Vendor, d.Model, role, expect, contractText(d.Contract), opened, d.Silence.Share(), servesText(d.Serves)}
}

// contractText returns "armed, 4 entries".
func contractText(c *schemas.DeviceContract) string {
	if c == nil {
		return "off"
	}
	n := 0
	for _, x := range c.Entries {
		n += x
	}
	text := strings.ReplaceAll(c.State, "_", " ")
	switch n {
	case 0:
		return text
	case 1:
		return text + ", 1 entry"
	}
	return fmt.Sprintf("%s, %d entries", text, n)
}

func servesText(all []schemas.Service) string {
	var parts []string
	for _, s := range all {
		text := fmt.Sprintf("%s/%d", s.Proto, s.Port)
		if s.App != "" {
			text += " " + s.App
		}
		if s.External {
			text += " (external)"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// named reports whether --explain names the device.
func (c *devicesCmd) named(d *schemas.Device) bool {
	if strings.EqualFold(d.Key, c.Explain) || strings.EqualFold(d.MAC.String(), c.Explain) {
		return true
	}
	for _, ip := range d.IPs {
		if ip.String() == c.Explain {
			return true
		}
	}
	return false
}
