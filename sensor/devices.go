// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
)

type devicesCmd struct {
	captures
	JSON    bool   `name:"json" help:"Write device records as JSON Lines instead of a table."`
	Explain string `help:"Show the evidence of one device, named by its key, address or MAC: every point of the sum." placeholder:"KEY"`
}

// Help shows how the command is used.
func (devicesCmd) Help() string {
	return `Examples:

    stillwatch-sensor devices office.pcap
    stillwatch-sensor devices --inventory site.yaml --explain 10.20.30.12 office.pcap`
}

// Run lists devices.
func (c *devicesCmd) Run(t *terminal) error {
	cfg, err := c.load()
	if err != nil {
		return badUsage(err)
	}
	src, err := capture.OpenFiles(c.Captures)
	if err != nil {
		return badUsage(err)
	}
	defer src.Close()
	out, finish, err := c.output(t)
	if err != nil {
		return err
	}
	r, end, err := runPipeline(cfg, src, out, t, t.errTTY && t.outTTY)
	if err != nil {
		return err
	}
	return verdict(errors.Join(end.err, finish()), end.signal, r.Summary().Damage)
}

// output gives what takes the devices, and what writes them at the end.
func (c *devicesCmd) output(t *terminal) (pipeline.Output, func() error, error) {
	if c.JSON {
		sink, err := publish.Create(publish.Stdout)
		if err != nil {
			return pipeline.Output{}, nil, badUsage(err)
		}
		return pipeline.Output{Device: publish.Devices(sink)}, sink.Close, nil
	}
	if c.Explain != "" {
		return c.explained(t)
	}
	rows := [][]string{{"KEY", "IP", "VENDOR", "MODEL", "ROLE", "EXPECTED", "LAST OPENED", "SERVES"}}
	return pipeline.Output{Device: func(d *schemas.Device) error {
		rows = append(rows, deviceRow(d))
		return nil
	}}, func() error { return t.table(t.out, rows) }, nil
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
		opened = moment(int64(*d.LastOrigination))
	}
	expect := strings.ReplaceAll(d.Expect, "_", " ")
	if d.ExpectSource != "" {
		expect += " (" + d.ExpectSource + ")"
	}
	return []string{d.Key, ip, d.Vendor, d.Model, role, expect, opened, servesText(d.Serves)}
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

// explained looks for one device and tells why it is taken for what it is.
func (c *devicesCmd) explained(t *terminal) (pipeline.Output, func() error, error) {
	found := 0
	return pipeline.Output{Device: func(d *schemas.Device) error {
			if !c.named(d) {
				return nil
			}
			found++
			return explain(t, t.out, d)
		}}, func() error {
			if found == 0 {
				return badUsage(fmt.Errorf("no device %s in these captures; 'devices' without --explain lists their keys", c.Explain))
			}
			return nil
		}, nil
}

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

// explain writes the evidence of a device, point by point.
func explain(t *terminal, w io.Writer, d *schemas.Device) error {
	var b strings.Builder
	b.WriteString(t.paint(clean(d.Key), bold) + "\n")
	var ips []string
	for _, ip := range d.IPs {
		ips = append(ips, ip.String())
	}
	t.row(&b, "addresses", strings.Join(ips, ", "))
	t.row(&b, "names", strings.Join(d.Hostnames, ", "))
	t.row(&b, "vendor", strings.TrimSpace(d.Vendor+" "+d.Model))
	t.row(&b, "firmware", strings.TrimSpace(d.Firmware+" "+d.FirmwareDate))
	t.row(&b, "role", fmt.Sprintf("%s, %s, probability %.4f", d.Role, d.RoleLevel, d.RoleProbability))
	t.row(&b, "expected", strings.TrimSpace(strings.ReplaceAll(d.Expect, "_", " ")+" "+d.ExpectSource))
	t.row(&b, "serves", servesText(d.Serves))
	b.WriteByte('\n')
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if len(d.Evidence) == 0 {
		_, err := io.WriteString(w, "no evidence: nothing it said tells what it is\n")
		return err
	}
	rows := [][]string{{"POINTS (dB)", "SAYS", "SOURCE", "VALUE"}}
	for _, e := range d.Evidence {
		rows = append(rows, []string{fmt.Sprintf("%+11.1f", e.PointsDB), e.Says, e.Source, e.Value})
	}
	return t.table(w, rows)
}
