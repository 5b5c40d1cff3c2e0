// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/inventory"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/terminal"
)

type inventoryCmd struct {
	Suggest inventorySuggestCmd `cmd:"" help:"Write a commented draft of an inventory from the traffic in captures."`
	Import  inventoryImportCmd  `cmd:"" help:"Convert a CSV file with the column names of NetBox to an inventory."`
	Export  inventoryExportCmd  `cmd:"" help:"Convert the devices of an inventory to CSV with the column names of NetBox."`
}

type inventorySuggestCmd struct {
	captures
	Output string `short:"o" help:"Write the draft to FILE instead of standard output. FILE must not exist." placeholder:"FILE" type:"path"`
}

// Help returns examples and the exit status.
func (inventorySuggestCmd) Help() string {
	return `The draft lists the internal networks, the servers for DNS, NTP, DHCP and syslog that answered, and every device: what it is, what it
did, and what to expect of it, with the reason. Failed calls, scans, calls that a device of this role never makes, and what
alerts are about are not allowed: they are commented out with the remark "review".

Examples:

    stillwatch-sensor inventory suggest -o site.yaml monday.pcap tuesday.pcap.zst
    stillwatch-sensor inventory suggest --internal 203.0.113.0/24 span.pcapng
    stillwatch-sensor config check --inventory site.yaml

Exit status: 0 the draft was written; 1 a capture was damaged or cut short, or the draft could not be written; 2 bad usage, or
a file that cannot be opened.`
}

// Run writes the draft.
func (c *inventorySuggestCmd) Run(t *terminal.Terminal, b buildinfo.Info) error {
	cfg, err := c.load(b.Version)
	if err != nil {
		return badUsage(err)
	}
	if err := absent(c.Output); err != nil { // before captures of an hour are read
		return err
	}
	s, src, err := readCaptures(t, c.Captures)
	if err != nil {
		return err
	}
	defer s.stop()
	defer src.Close()
	l := inventory.NewLearner()
	r, err := pipeline.New(cfg, src, pipeline.Output{Event: l.Event, Alert: l.Alert})
	if err != nil {
		return badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint() && (c.Output != "" || !t.OutTTY))
	var fault *pipeline.PanicError
	if errors.As(end.err, &fault) {
		return crash(fault)
	}
	sum := r.Summary()
	if text := sum.NoInternal(); text != "" {
		return badUsage(errors.New(text))
	}
	text, err := l.Draft(originOf(c.Captures), cfg.Settings.Internal)
	if err == nil {
		err = writeDraft(t, c.Output, text)
	}
	return verdict(errors.Join(end.err, err), end.signal, sum.Damage)
}

// originOf names captures without their directories, so that the draft does not depend on where they are.
func originOf(names []string) string {
	var parts []string
	for _, n := range names {
		if n == publish.Stdout {
			n = "standard input"
		}
		parts = append(parts, filepath.Base(n))
	}
	return strings.Join(parts, ", ")
}

// absent returns an error if a file exists, which may have been edited by hand.
func absent(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Lstat(file); err == nil {
		return badUsage(fmt.Errorf("%s exists: give another file, or move it away", file))
	}
	return nil
}

// writeDraft writes a draft to a new file, or to standard output if file is "".
func writeDraft(t *terminal.Terminal, file string, text []byte) error {
	if file == "" {
		_, err := t.Out.Write(text)
		return err
	}
	if err := absent(file); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

type inventoryImportCmd struct {
	File   string `arg:"" name:"csv" help:"CSV file; - is standard input."`
	Base   string `help:"Take the site, the networks, the zones and the infrastructure from the inventory FILE (YAML)." placeholder:"FILE" type:"path"`
	Output string `short:"o" help:"Write the inventory to FILE instead of standard output. FILE must not exist." placeholder:"FILE" type:"path"`
}

// Help returns the columns, examples and the exit status.
func (inventoryImportCmd) Help() string {
	return `The first line names the columns, as NetBox does: name, mac_address, primary_ip4, primary_ip6, tenant (the owner), site, and the custom
fields cf_match, cf_expect, cf_criticality, cf_allow, cf_maintenance. role, manufacturer, device_type, serial, location, status,
tags and comments become a comment. Other columns are ignored.

Examples:

    stillwatch-sensor inventory import -o site.yaml netbox_devices.csv
    stillwatch-sensor inventory import --base site.yaml -o new.yaml devices.csv

Exit status: 0 the inventory is valid and was written; 1 it could not be written; 2 a file cannot be opened, or is not valid:
each mistake is printed on its own line with file, line and column.`
}

// Run converts CSV to YAML.
func (c *inventoryImportCmd) Run(t *terminal.Terminal) error {
	var base *contract.Inventory
	var err error
	if c.Base != "" {
		if base, err = config.LoadInventory(c.Base); err != nil {
			return badUsage(err)
		}
	}
	in, name := os.Stdin, "standard input"
	if c.File != publish.Stdout {
		name = c.File
		if in, err = os.Open(c.File); err != nil {
			return badUsage(err)
		}
		defer func() { _ = in.Close() }() // it was only read
	}
	text, err := inventory.Import(in, name, base)
	if err != nil {
		return badUsage(err)
	}
	return writeDraft(t, c.Output, text)
}

type inventoryExportCmd struct {
	File   string `arg:"" name:"inventory" help:"Inventory (YAML)."`
	Output string `short:"o" help:"Write the CSV to FILE instead of standard output. FILE must not exist." placeholder:"FILE" type:"path"`
}

// Help returns examples and the exit status.
func (inventoryExportCmd) Help() string {
	return `One row for each device. Cells that a spreadsheet would take for a formula begin with an apostrophe, which the import removes.
Networks, zones and infrastructure are not in the CSV: import it with --base and the same inventory to keep them.

Examples:

    stillwatch-sensor inventory export -o devices.csv site.yaml
    stillwatch-sensor inventory import --base site.yaml -o new.yaml devices.csv

Exit status: 0 the CSV was written; 1 it could not be written; 2 the inventory cannot be opened or is not valid.`
}

// Run converts YAML to CSV.
func (c *inventoryExportCmd) Run(t *terminal.Terminal) error {
	inv, err := config.LoadInventory(c.File)
	if err != nil {
		return badUsage(err)
	}
	var b bytes.Buffer
	if err := inventory.Export(&b, inv); err != nil {
		return err
	}
	return writeDraft(t, c.Output, b.Bytes())
}
