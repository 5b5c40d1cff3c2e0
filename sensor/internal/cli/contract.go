// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/state"
	"stillwatch/sensor/internal/terminal"
)

type contractCmd struct {
	Show    contractShowCmd    `cmd:"" help:"List the contracts, or the entries of one device."`
	Diff    contractDiffCmd    `cmd:"" help:"Compare the contracts with an exported file."`
	Arm     contractArmCmd     `cmd:"" help:"Arm the contract of a device: what is outside raises alerts, as for an allow list."`
	Freeze  contractFreezeCmd  `cmd:"" help:"Arm the contract of a device, and keep its entries from aging."`
	Approve contractApproveCmd `cmd:"" help:"Add an entry to the contract of a device."`
	Delete  contractDeleteCmd  `cmd:"" help:"Delete an entry of the contract of a device."`
	Review  contractReviewCmd  `cmd:"" help:"List what there is to decide: contracts to arm, with their external peers, and proposed entries."`
	Relearn contractRelearnCmd `cmd:"" help:"Start to learn the contract of a device again."`
	Export  contractExportCmd  `cmd:"" help:"Write contracts as YAML that is sorted for comparison."`
	Import  contractImportCmd  `cmd:"" help:"Replace the contracts of the devices in an exported file."`

	ImportMUD contractImportMUDCmd `cmd:"" name:"import-mud" help:"Add what a MUD file (RFC 8520) allows to the contract of a device."`
	CheckMUD  contractCheckMUDCmd  `cmd:"" name:"check-mud" help:"Check a MUD file, and list the entries that it gives."`
	ExportMUD contractExportMUDCmd `cmd:"" name:"export-mud" help:"Write the contract of a device as a MUD file."`
}

// Help returns examples and the exit status.
func (contractCmd) Help() string {
	return `The commands read and change the state file of a sensor that has been stopped ('run --state', 'replay --state'). The sensor continues
with what was changed when it is started again. A device has the key that 'contract show' lists.

Examples:

    stillwatch-sensor contract show state.db
    stillwatch-sensor contract show state.db mac:90:01:02:14:00:0a
    stillwatch-sensor contract arm state.db mac:90:01:02:14:00:0a
    stillwatch-sensor contract approve state.db mac:90:01:02:14:00:0a "out tcp 443 tls to api.example.com"
    stillwatch-sensor contract export state.db >contracts.yaml
    stillwatch-sensor contract import-mud state.db mac:90:01:02:14:00:0a lightbulb.json

Exit status: 0 done, and diff: no difference; 1 diff: there are differences, or something could not be written; 2 bad usage, a
file that cannot be read, or a device without a contract. After an error the state file is unchanged.`
}

// stateFile is the file that all commands work on.
type stateFile struct {
	State string `arg:"" name:"state" help:"State file of a sensor." type:"path"`
}

type oneDevice struct {
	Device string `arg:"" name:"device" help:"Key of the device, as 'contract show' lists it."`
}

// contracts are those of an open state file.
type contracts struct {
	*contract.Learner
	store *state.Store
	save  func() // queues what has changed
	now   int64  // end of the capture clock
}

// open opens the state file and reads the contracts, as many as any sensor may have.
func (f stateFile) open(t *terminal.Terminal) (*contracts, error) {
	s, err := openSaved(t, f.State)
	if err != nil {
		return nil, err
	}
	cfg := contract.DefaultLearnConfig()
	cfg.MaxEntries, cfg.MaxTotal, cfg.MaxDevices = contract.EntriesLimit, contract.TotalLimit, contract.TotalLimit
	l := contract.NewLearner(cfg)
	parts := l.Parts()
	if err := s.Load(parts); err != nil {
		return nil, badUsage(errors.Join(err, s.Close()))
	}
	save := func() {
		if b := s.Final(); b != nil {
			for i := range parts {
				parts[i].Drain(b, math.MaxInt)
			}
			s.Save(b, s.Clock(), false)
		}
	}
	return &contracts{l, s, save, s.Clock()}, nil
}

// read calls fn with the contracts and changes nothing.
func (f stateFile) read(t *terminal.Terminal, fn func(*contracts) error) error {
	c, err := f.open(t)
	if err != nil {
		return err
	}
	return errors.Join(fn(c), c.store.Close())
}

// change calls fn with the contracts and saves them.
func (f stateFile) change(t *terminal.Terminal, fn func(*contracts) error) error {
	c, err := f.open(t)
	if err != nil {
		return err
	}
	if n := c.store.Unsent(); n > 0 {
		err = fmt.Errorf("state %s: the sensor was killed before %d alerts were surely sent: start it and stop it, then repeat the command", f.State, n)
	} else {
		err = fn(c)
	}
	if err != nil {
		return badUsage(errors.Join(err, c.store.Close()))
	}
	c.save()
	return c.store.Close()
}

type contractShowCmd struct {
	stateFile
	Device string `arg:"" optional:"" name:"device" help:"Show the entries of this device."`
}

// Run shows contracts.
func (c *contractShowCmd) Run(t *terminal.Terminal) error {
	return c.read(t, func(x *contracts) error {
		if c.Device != "" {
			k, err := x.Find(c.Device)
			if err != nil {
				return badUsage(err)
			}
			return showContract(t, k, x.now)
		}
		rows := [][]string{{"DEVICE", "STATE", "ENTRIES", "DETAILS"}}
		for _, k := range x.All() {
			rows = append(rows, []string{k.Device, k.State.String(), strconv.Itoa(len(k.Entries(false))), k.Summary(x.now)})
		}
		return t.Table(t.Out, rows)
	})
}

// showContract writes the entries of a contract, and the candidates while it is learned.
func showContract(t *terminal.Terminal, k *contract.Learned, now int64) error {
	if _, err := fmt.Fprintf(t.Out, "%s\n%s\n\n", terminal.Clean(k.Device), terminal.Clean(k.Summary(now))); err != nil {
		return err
	}
	rows := [][]string{{"FROM", "USES", "DAYS", "FIRST", "LAST", "REMARK", "ENTRY"}}
	for _, e := range k.Entries(true) {
		var remarks []string
		if h := e.Hours.String(); h != "" {
			remarks = append(remarks, h)
		}
		if e.Refuse {
			remarks = append(remarks, fmt.Sprintf("refused %d times", e.Refused))
		}
		if e.Stale {
			remarks = append(remarks, "stale")
		}
		switch {
		case k.Proposed(e):
			remarks = append(remarks, "proposed")
		case !e.Learned:
			remarks = append(remarks, "candidate")
		}
		if e.Note != "" {
			remarks = append(remarks, terminal.Clean(e.Note))
		}
		rows = append(rows, []string{e.From.String(), strconv.FormatUint(e.Uses, 10), strconv.Itoa(int(e.Days)), date(e.First), date(e.Last),
			strings.Join(remarks, ", "), e.Key.String()})
	}
	return t.Table(t.Out, rows)
}

func date(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Unix(0, ns).UTC().Format(time.DateOnly)
}

type contractExportCmd struct {
	stateFile
	Device string `arg:"" optional:"" name:"device" help:"Export only this device."`
}

// Run writes the document.
func (c *contractExportCmd) Run(t *terminal.Terminal) error {
	return c.read(t, func(x *contracts) error {
		if c.Device != "" {
			if _, err := x.Find(c.Device); err != nil {
				return badUsage(err)
			}
		}
		b, err := yaml.Marshal(x.Export(c.Device))
		if err == nil {
			_, err = t.Out.Write(b)
		}
		return err
	})
}

type contractDiffCmd struct {
	stateFile
	File string `arg:"" name:"file" help:"File that 'contract export' wrote." type:"path"`
}

// Run prints the lines that differ: with - what only the file has, with + what only the state file has. The status is 1 if there are any.
func (c *contractDiffCmd) Run(t *terminal.Terminal) error {
	d, err := readContracts(c.File)
	if err != nil {
		return badUsage(err)
	}
	return c.read(t, func(x *contracts) error {
		var out []string
		was, is := d.Lines(), x.Export("").Lines()
		for _, side := range []struct {
			sign     string
			of, than []string
		}{{"- ", was, is}, {"+ ", is, was}} {
			other := map[string]bool{}
			for _, l := range side.than {
				other[l] = true
			}
			for _, l := range side.of {
				if !other[l] {
					out = append(out, side.sign+l)
				}
			}
		}
		slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(a[2:], b[2:]) })
		for _, l := range out {
			if _, err := fmt.Fprintln(t.Out, terminal.Clean(l)); err != nil {
				return err
			}
		}
		if len(out) > 0 {
			return &exitError{status: exitIncomplete}
		}
		return nil
	})
}

func readContracts(file string) (d contract.Document, err error) {
	f, err := os.Open(file)
	if err != nil {
		return d, err
	}
	b, err := io.ReadAll(io.LimitReader(f, contract.MaxDocument+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return d, err
	}
	if d, err = contract.ParseDocument(b); err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

type contractImportCmd struct {
	stateFile
	File string `arg:"" name:"file" help:"File that 'contract export' wrote, and that may be edited." type:"path"`
}

// Run replaces contracts.
func (c *contractImportCmd) Run(t *terminal.Terminal) error {
	d, err := readContracts(c.File)
	if err != nil {
		return badUsage(err)
	}
	return c.change(t, func(x *contracts) error { return x.Import(d, x.now) })
}

type contractArmCmd struct {
	stateFile
	oneDevice
}

// Run arms a contract.
func (c *contractArmCmd) Run(t *terminal.Terminal) error {
	return c.change(t, func(x *contracts) error { return x.Arm(c.Device, false, x.now) })
}

type contractFreezeCmd struct {
	stateFile
	oneDevice
}

// Run freezes a contract.
func (c *contractFreezeCmd) Run(t *terminal.Terminal) error {
	return c.change(t, func(x *contracts) error { return x.Arm(c.Device, true, x.now) })
}

type contractRelearnCmd struct {
	stateFile
	oneDevice
}

// Run starts a contract again.
func (c *contractRelearnCmd) Run(t *terminal.Terminal) error {
	return c.change(t, func(x *contracts) error { return x.Forget(c.Device, x.now) })
}

type contractApproveCmd struct {
	stateFile
	oneDevice
	Entry  string `arg:"" name:"entry" help:"The entry, as 'contract show' or an alert writes it: \"out tcp 443 tls to api.example.com\"."`
	Hours  string `help:"Allow it only at these hours of the week, in UTC: \"mon-fri 08-18, sat 09-12\"." placeholder:"HOURS"`
	Refuse bool   `help:"Do not allow it, and raise no alert either; its sessions are counted."`
}

// Run approves an entry.
func (c *contractApproveCmd) Run(t *terminal.Terminal) error {
	k, err := contract.ParseKey(c.Entry)
	if err != nil {
		return badUsage(err)
	}
	var h contract.Hours
	if c.Hours != "" {
		if h, err = contract.ParseHours(c.Hours); err != nil {
			return badUsage(err)
		}
	}
	return c.change(t, func(x *contracts) error {
		e, err := x.Approve(c.Device, k, x.now)
		if err != nil {
			return err
		}
		e.Hours, e.Refuse = h, c.Refuse
		return nil
	})
}
