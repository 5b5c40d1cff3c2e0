// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/terminal"
)

// mudArgs is a MUD file and the peers of its controllers.
type mudArgs struct {
	File       string   `arg:"" name:"file" help:"MUD file (JSON)." type:"path"`
	Controller []string `help:"Who a controller of the file is: its URI, or my-controller, and a peer as in an entry. Can be repeated." placeholder:"URI=PEER" sep:"none"`
}

// entries reads the file.
func (a *mudArgs) entries() (*contract.MUDFile, []*contract.LearnedEntry, error) {
	peers := map[string]contract.PeerKey{}
	for _, s := range a.Controller {
		i := strings.LastIndexByte(s, '=')
		if i < 1 {
			return nil, nil, fmt.Errorf("--controller %q: it looks like my-controller=10.20.1.9", s)
		}
		p, err := contract.ParsePeer(s[i+1:])
		if err != nil {
			return nil, nil, fmt.Errorf("--controller %q: %w", s, err)
		}
		peers[s[:i]] = p
	}
	r, err := os.Open(a.File)
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, contract.MaxMUDFile+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, nil, err
	}
	f, err := contract.ParseMUD(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.File, err)
	}
	entries, err := f.Entries(peers)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.File, err)
	}
	return f, entries, nil
}

type contractCheckMUDCmd struct {
	mudArgs
}

// Run lists the entries of a file.
func (c *contractCheckMUDCmd) Run(t *terminal.Terminal) error {
	f, entries, err := c.entries()
	if err != nil {
		return badUsage(err)
	}
	if _, err := fmt.Fprintf(t.Out, "%s\n%s\n\n", terminal.Clean(f.MUD.URL), terminal.Clean(f.MUD.SystemInfo)); err != nil {
		return err
	}
	rows := [][]string{{"ACE", "ENTRY"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Note, e.Key.String()})
	}
	return t.Table(t.Out, rows)
}

type contractImportMUDCmd struct {
	stateFile
	oneDevice
	mudArgs
}

// Run adds the entries of a file to a contract, in the place of those of an earlier file.
func (c *contractImportMUDCmd) Run(t *terminal.Terminal) error {
	_, entries, err := c.entries()
	if err != nil {
		return badUsage(err)
	}
	return c.change(t, func(x *contracts) error { return x.ImportMUD(c.Device, entries, x.now) })
}

type contractExportMUDCmd struct {
	stateFile
	oneDevice
	URL string `help:"MUD URL of the file." required:"" placeholder:"URL"`
}

// Run writes the file, and on standard error what it cannot express.
func (c *contractExportMUDCmd) Run(t *terminal.Terminal) error {
	return c.read(t, func(x *contracts) error {
		k, err := x.Find(c.Device)
		if err != nil {
			return badUsage(err)
		}
		f, left, err := k.ExportMUD(c.URL, x.now)
		for _, s := range left {
			if _, err := fmt.Fprintf(t.Err, "left out: %s\n", terminal.Clean(s)); err != nil {
				return err
			}
		}
		if err != nil {
			return badUsage(err)
		}
		b, err := json.MarshalIndent(f, "", "  ")
		if err == nil {
			_, err = t.Out.Write(append(b, '\n'))
		}
		return err
	})
}
