// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/export"
	"stillwatch/sensor/internal/publish"
)

// formatFlags are the outputs in the formats of other programs.
type formatFlags struct {
	CSV        string `name:"csv" help:"Write sessions.csv, devices.csv, alerts.csv and incidents.csv to DIR." placeholder:"DIR" type:"path"`
	ZeekLogs   string `help:"Write Zeek logs to DIR: conn.log, dns.log, http.log and others." placeholder:"DIR" type:"path"`
	ZeekFormat string `help:"Format of --zeek-logs: tsv (the default) or json." enum:"tsv,json" default:"tsv" placeholder:"FORMAT"`
	Parquet    string `help:"Write the tables of --csv to DIR as Parquet." placeholder:"DIR" type:"path"`
	Timesketch string `help:"Write a timeline to FILE as JSON Lines for Timesketch." placeholder:"FILE"`
	L2TCSV     string `name:"l2t-csv" help:"Write a timeline to FILE as CSV of log2timeline." placeholder:"FILE"`
	EVE        string `name:"eve" help:"Write sessions and alerts to FILE in the EVE format of Suricata." placeholder:"FILE"`
}

// named returns the flags with one name for standard output.
func (f formatFlags) named() (formatFlags, error) {
	if f.ZeekFormat == export.ZeekJSON && f.ZeekLogs == "" {
		return f, errors.New("--zeek-format is for --zeek-logs: give both")
	}
	f.Timesketch, f.L2TCSV, f.EVE = canonical(f.Timesketch), canonical(f.L2TCSV), canonical(f.EVE)
	return f, nil
}

// folders returns the options that name folders.
func (f formatFlags) folders() [][2]string {
	return [][2]string{{"--csv", f.CSV}, {"--zeek-logs", f.ZeekLogs}, {"--parquet", f.Parquet}}
}

// files returns the options that name files.
func (f formatFlags) files() [][2]string {
	return [][2]string{{"--timesketch", f.Timesketch}, {"--l2t-csv", f.L2TCSV}, {"--eve", f.EVE}}
}

// formatFiles are the files of the formats that are not JSON Lines.
type formatFiles struct {
	set     *export.Set
	parquet []*parquetFile
	folders []string // that were created, the outer ones first
}

// parquetFile is a file that can be read only when it is complete. After an error it is removed.
type parquetFile struct {
	*bufio.Writer
	f   *os.File
	err error // the first
}

// Write implements io.Writer.
func (p *parquetFile) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	return n, p.fail(err)
}

func (p *parquetFile) fail(err error) error {
	if err != nil && p.err == nil {
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path.Err
		}
		p.err = fmt.Errorf("cannot write %s: %w; the file is removed, because an incomplete one cannot be read", p.f.Name(), err)
	}
	return p.err
}

func (p *parquetFile) close() error {
	_ = p.fail(p.Flush())
	_ = p.fail(p.f.Close())
	if p.err == nil {
		return nil
	}
	_ = os.Remove(p.f.Name()) // p.err says more
	return p.err
}

// openFormats opens the files of the formats that were chosen.
func (o *outputs) openFormats(n formatFlags, zone *time.Location) error {
	o.formats = &formatFiles{}
	var all []export.Format
	add := func(f export.Format) { all = append(all, f) }
	if n.CSV != "" {
		sinks, err := o.folder("--csv", n.CSV, export.Tables, ".csv")
		if err != nil {
			return err
		}
		add(export.NewCSV(sinks, zone))
	}
	if n.ZeekLogs != "" {
		sinks, err := o.folder("--zeek-logs", n.ZeekLogs, export.ZeekPaths(), ".log")
		if err != nil {
			return err
		}
		add(export.NewZeek(sinks, n.ZeekFormat, zone))
	}
	if n.Parquet != "" {
		files, err := o.formats.openParquet(n.Parquet)
		if err != nil {
			return err
		}
		add(export.NewParquet(files))
	}
	for _, f := range []struct {
		option, name string
		format       func(export.Sink, export.Zone) export.Format
	}{{"--timesketch", n.Timesketch, export.NewTimesketch}, {"--l2t-csv", n.L2TCSV, export.NewL2T}, {"--eve", n.EVE, export.NewEVE}} {
		if f.name == "" {
			continue
		}
		if _, err := o.sink(f.option, f.name); err != nil {
			return err
		}
		add(f.format(o.sinks[f.option], zone))
	}
	if len(all) == 0 {
		o.formats = nil
		return nil
	}
	o.formats.set = export.NewSet(all...)
	o.Session = both(o.formats.set.Session, o.Session)
	o.Device = both(o.formats.set.Device, o.Device)
	o.Incident = both(o.formats.set.Incident, o.Incident)
	return nil
}

// folder opens new files in a folder, which it creates if necessary.
func (o *outputs) folder(option, dir string, names []string, ending string) (map[string]export.Sink, error) {
	if err := o.formats.makeFolder(option, dir); err != nil {
		return nil, err
	}
	sinks := map[string]export.Sink{}
	for _, name := range names {
		s, err := publish.New(filepath.Join(dir, name+ending))
		if err != nil {
			return nil, newFileError(option, err)
		}
		key := option + " " + name
		o.sinks[key], o.order = s, append(o.order, key)
		sinks[name] = s
	}
	return sinks, nil
}

func newFileError(option string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %s exists already and is not overwritten: give another folder, or remove the file", option, path.Path)
	}
	return fmt.Errorf("%s: %w", option, err)
}

// makeFolder creates a folder, and those above it.
func (f *formatFiles) makeFolder(option, dir string) error {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%s: %s is a file: give a folder", option, d)
			}
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", option, err)
		}
		missing = append([]string{d}, missing...)
	}
	for _, d := range missing {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fmt.Errorf("%s: %w", option, err)
		}
		f.folders = append(f.folders, d)
	}
	return nil
}

func (f *formatFiles) openParquet(dir string) (map[string]io.Writer, error) {
	if err := f.makeFolder("--parquet", dir); err != nil {
		return nil, err
	}
	files := map[string]io.Writer{}
	for _, name := range export.Tables {
		file, err := os.OpenFile(filepath.Join(dir, name+".parquet"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return nil, newFileError("--parquet", err)
		}
		p := &parquetFile{f: file, Writer: bufio.NewWriterSize(file, 64<<10)}
		f.parquet = append(f.parquet, p)
		files[name] = p
	}
	return files, nil
}

// optional reports whether a file is removed if nothing was written to it: Zeek has no log without records.
func (f *formatFiles) optional(option string) bool { return strings.HasPrefix(option, "--zeek-logs ") }

// end writes what is left, and closes the Parquet files.
func (f *formatFiles) end() (errs []error) {
	for _, err := range f.set.End() {
		if !slices.ContainsFunc(f.parquet, func(p *parquetFile) bool { return p.err != nil && errors.Is(err, p.err) }) {
			errs = append(errs, err)
		}
	}
	for _, p := range f.parquet {
		errs = append(errs, p.close())
	}
	return errs
}

// discard removes what was created.
func (f *formatFiles) discard() {
	for _, p := range f.parquet {
		_ = p.f.Close() // nothing was written
		_ = os.Remove(p.f.Name())
	}
	for i := len(f.folders) - 1; i >= 0; i-- {
		_ = os.Remove(f.folders[i])
	}
}
