// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"

	"stillwatch/sensor/internal/assets"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/terminal"
)

type assetsCmd struct {
	Show   assetsShowCmd   `cmd:"" help:"List the data files in use: date, license, rows, and where they are from."`
	Update assetsUpdateCmd `cmd:"" help:"Check new data files and put them into the folder of data files."`
	Export assetsExportCmd `cmd:"" help:"Write the data files that are part of the program to an archive."`
}

// assetsDir says which folder has the data files of the operator.
type assetsDir struct {
	Config string `help:"Configuration of the sensor (YAML): its key assets names the folder of data files." placeholder:"FILE" type:"path"`
	Dir    string `help:"Folder of data files. Replaces that of the configuration." placeholder:"DIR" type:"path"`
}

// folder returns the folder, "" if there is none.
func (d *assetsDir) folder() (string, error) {
	if d.Dir != "" || d.Config == "" {
		return d.Dir, nil
	}
	set, err := config.Load(d.Config)
	if err != nil {
		return "", err
	}
	return beside(d.Config, set.Assets), nil
}

type assetsShowCmd struct{ assetsDir }

// Help returns examples.
func (assetsShowCmd) Help() string {
	return `Examples:

    stillwatch-sensor assets show
    stillwatch-sensor assets show --config sensor.yaml

All files are read in full: exit status 2 if one is damaged.`
}

// Run lists the data files.
func (c *assetsShowCmd) Run(t *terminal.Terminal) error {
	dir, err := c.folder()
	if err != nil {
		return badUsage(err)
	}
	all, err := assets.Describe(dir)
	if err != nil {
		return badUsage(err)
	}
	rows := [][]string{{"NAME", "DATE", "ROWS", "FROM", "LICENSE", "SOURCE"}}
	for _, a := range all {
		count := "-"
		if a.Rows > 0 {
			count = terminal.Grouped(uint64(a.Rows))
		}
		rows = append(rows, []string{a.Name, a.Date, count, either(a.File, "the program"), terminal.Clean(a.License), terminal.Clean(either(a.Source, "-"))})
	}
	return t.Table(t.Out, rows)
}

type assetsUpdateCmd struct {
	assetsDir
	From  string `help:"Archive of data files (tar.gz or zip), or one data file." placeholder:"FILE" type:"path" required:""`
	Force bool   `help:"Accept data that is older than that in use."`
}

// Help returns examples and the exit status.
func (assetsUpdateCmd) Help() string {
	return `Examples:

    stillwatch-sensor assets update --config sensor.yaml --from assets.tar.gz
    stillwatch-sensor assets update --dir /var/lib/stillwatch/assets --from GeoLite2-Country.mmdb

Everything in FILE is checked before anything is replaced. A running sensor uses the new files after SIGHUP.

Exit status: 0 the files were replaced; 2 bad usage, or a file that is damaged, unknown or too old: nothing was replaced.`
}

// Run checks and replaces data files.
func (c *assetsUpdateCmd) Run(t *terminal.Terminal) error {
	dir, err := c.folder()
	if err != nil {
		return badUsage(err)
	}
	if dir == "" {
		return badUsage(errors.New("no folder of data files: give --dir DIR, or --config FILE with the key assets"))
	}
	done, err := assets.Update(dir, c.From, c.Force)
	if err != nil {
		return badUsage(err)
	}
	for _, u := range done {
		was := ""
		if u.From != "" {
			was = " (was " + u.From + ")"
		}
		if _, err := fmt.Fprintf(t.Out, "%s: %s%s\n", u.File, u.To, was); err != nil {
			return err
		}
	}
	return nil
}

type assetsExportCmd struct {
	To string `help:"Archive to write (tar.gz); it must not exist." placeholder:"FILE" type:"path" required:""`
}

// Help returns an example.
func (assetsExportCmd) Help() string {
	return `Example:

    stillwatch-sensor assets export --to assets.tar.gz`
}

// Run writes the archive.
func (c *assetsExportCmd) Run() error {
	f, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return badUsage(err)
	}
	if err := errors.Join(assets.Export(f), f.Close()); err != nil {
		return errors.Join(err, os.Remove(c.To))
	}
	return nil
}
