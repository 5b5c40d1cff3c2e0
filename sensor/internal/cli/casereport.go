// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"stillwatch/internal/buildinfo"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/casereport"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/policy"
	"stillwatch/sensor/internal/publish"
)

// caseFlags are the flags of the case report.
type caseFlags struct {
	CaseReport string `help:"Write a case report to FILE: one HTML page with the incidents and the hashes of the captures." placeholder:"FILE"`
	CaseJSON   string `name:"case-json" help:"Write the content of the case report to FILE as JSON." placeholder:"FILE"`
	Case       string `help:"Case number in the case report." placeholder:"NUMBER"`
	Examiner   string `help:"Examiner in the case report." placeholder:"NAME"`
	Sign       string `help:"Sign the case report with the key in FILE, which 'policy keygen' has written." placeholder:"FILE" type:"path"`
}

// maxCaseText bounds what the examiner says of the case, in bytes.
const maxCaseText = 200

func (c *caseFlags) active() bool { return c.CaseReport != "" || c.CaseJSON != "" }

// check returns an error if the flags do not fit together.
func (c *caseFlags) check() error {
	for _, x := range [][2]string{{"--case", c.Case}, {"--examiner", c.Examiner}, {"--sign", c.Sign}} {
		if x[1] != "" && !c.active() {
			return fmt.Errorf("%s is for the case report: add --case-report or --case-json", x[0])
		}
	}
	if len(c.Case) > maxCaseText || len(c.Examiner) > maxCaseText {
		return fmt.Errorf("--case and --examiner have at most %d bytes", maxCaseText)
	}
	if publish.IsStdout(c.CaseReport) || publish.IsStdout(c.CaseJSON) {
		return errors.New("a case report is not written to standard output: give a file")
	}
	return nil
}

// caseReport is a case report that is being made.
type caseReport struct {
	*casereport.Collector
	flags    *caseFlags
	report   casereport.Report
	key      ed25519.PrivateKey // nil: it is not signed
	captures []string
	skipped  []capture.Skipped
	program  string // path of the program
	hashing  *casereport.Hashing
	files    []*reserved
}

// reserved is an output that appears under its name when it is complete.
type reserved struct {
	file  *os.File
	name  string
	write func(io.Writer, ed25519.PrivateKey) error
}

// startReport starts a case report: it hashes what the run reads, and collects what it finds. Without its flags it does nothing.
func (c *replayCmd) startReport(s *interrupt, cfg *pipeline.Config, all *commandLine, b buildinfo.Info, src *capture.Files, out *outputs) error {
	if !c.caseFlags.active() {
		return nil
	}
	r := &caseReport{Collector: casereport.NewCollector(), flags: &c.caseFlags, skipped: src.Skipped()}
	r.report = casereport.Report{Schema: casereport.Schema, Case: casereport.Case{Number: c.Case, Examiner: c.Examiner, Zone: c.TZ},
		Program: casereport.Program{Name: program, Version: b.String(), Command: all.args}, Settings: c.settingFiles(cfg)}
	if err := r.readKey(); err != nil {
		return err
	}
	if err := r.reserve(); err != nil {
		return errors.Join(err, r.discard())
	}
	r.program, _ = os.Executable() // without it the report has no hash of the program
	for _, x := range src.Reads() {
		r.captures = append(r.captures, x.File)
	}
	paths := append([]string{r.program}, r.captures...)
	for _, x := range r.skipped {
		paths = append(paths, x.File)
	}
	for _, f := range r.report.Settings {
		paths = append(paths, f.File)
	}
	paths = slices.DeleteFunc(paths, func(p string) bool { return p == "" || p == capture.Stdin })
	r.hashing = casereport.StartHashing(s.ctx, paths)
	out.Alert, out.Incident, out.Device = both(r.Alert, out.Alert), both(r.Incident, out.Incident), both(r.Device, out.Device)
	out.report = r
	return nil
}

func (r *caseReport) readKey() error {
	if r.flags.Sign == "" {
		return nil
	}
	jwk, err := readSmall(r.flags.Sign)
	if err == nil {
		if r.key, err = policy.ReadKey(jwk); err != nil {
			err = fmt.Errorf("--sign %s: %w", r.flags.Sign, err)
		}
	}
	return err
}

// reserve creates the files beside their names, so that a folder that cannot be written is reported before the captures are read.
func (r *caseReport) reserve() error {
	for _, x := range []reserved{{name: r.flags.CaseReport, write: r.report.WriteHTML}, {name: r.flags.CaseJSON, write: r.report.WriteJSON}} {
		if x.name == "" {
			continue
		}
		var err error
		if x.file, err = os.CreateTemp(filepath.Dir(x.name), ".case-*"); err != nil {
			return err
		}
		r.files = append(r.files, &x)
	}
	return nil
}

// discard removes the files that are not complete.
func (r *caseReport) discard() error {
	if r == nil {
		return nil
	}
	var errs []error
	for _, x := range r.files {
		errs = append(errs, x.file.Close(), os.Remove(x.file.Name()))
	}
	r.files = nil
	return errors.Join(errs...)
}

// finish completes the report and writes it.
func (r *caseReport) finish(res *result, src capture.Source, end ending) error {
	if r == nil {
		return nil
	}
	sums := r.hashing.Wait()
	r.Fill(&r.report)
	r.custody(sums, src)
	r.count(res)
	switch {
	case end.signal != 0:
		r.report.Quality.Ended = fmt.Sprintf("ended by %s before the end of the captures", syscall.Signal(end.signal))
	case end.err != nil:
		r.report.Quality.Ended = "ended by an error: " + end.err.Error()
	}
	for len(r.files) > 0 {
		x := r.files[0]
		var b bytes.Buffer
		err := x.write(&b, r.key)
		if err == nil {
			_, err = x.file.Write(b.Bytes())
		}
		if err = errors.Join(err, x.file.Close()); err == nil {
			err = os.Rename(x.file.Name(), x.name)
		}
		if err != nil {
			return errors.Join(err, r.discard())
		}
		r.files = r.files[1:]
	}
	return nil
}

// custody adds the hashes of everything that was read.
func (r *caseReport) custody(sums map[string]casereport.Sum, src capture.Source) {
	hashed := func(f casereport.File) casereport.File {
		switch s, ok := sums[f.File]; {
		case f.SHA256 != "": // a pipe
		case ok && s.Err == nil:
			f.Size, f.SHA256 = s.Size, s.SHA256
		case ok:
			f.Note = joined(f.Note, "not hashed: "+s.Err.Error())
		default:
			f.Note = joined(f.Note, "not hashed: no regular file")
		}
		return f
	}
	r.report.Program.SHA256 = sums[r.program].SHA256
	for i, f := range r.report.Settings {
		r.report.Settings[i] = hashed(f)
	}
	if files, ok := src.(*capture.Files); ok {
		for _, x := range files.Reads() {
			c := casereport.Capture{File: casereport.File{What: "capture", File: x.File, Size: int64(x.Bytes), SHA256: x.SHA256}, Member: x.Member, Packets: x.Packets}
			if x.SHA256 != "" {
				c.Note = "a pipe: size and hash are those of the bytes that were read"
			}
			if x.Packets > 0 {
				c.First, c.Last = timeOf(x.First), timeOf(x.Last)
			} else {
				c.Note = joined(c.Note, "no packet of it was read")
			}
			c.File = hashed(c.File)
			r.report.Captures = append(r.report.Captures, c)
		}
	}
	r.report.Quality.FindPauses(r.report.Captures)
	for _, x := range r.skipped {
		f := casereport.File{What: "capture", File: x.File, Note: "not read: " + x.Reason}
		if s, ok := sums[x.File]; ok && s.Err == nil { // not a folder, and not within an archive
			f.Size, f.SHA256 = s.Size, s.SHA256
		}
		r.report.Captures = append(r.report.Captures, casereport.Capture{File: f})
	}
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func timeOf(ns int64) *schemas.Time {
	t := schemas.Time(ns)
	return &t
}

// count adds totals and quality of the run.
func (r *caseReport) count(res *result) {
	t, q := &r.report.Totals, &r.report.Quality
	t.Packets, t.Bytes, t.Sessions, t.Devices = res.Packets, res.Bytes, res.Sessions, res.Devices
	if res.Packets > 0 {
		t.First, t.Last = timeOf(res.First), timeOf(res.Last)
	}
	t.BySeverity = res.bySeverity()
	for _, n := range t.BySeverity {
		t.Alerts += n
	}
	s := &res.Sensor
	r.report.Active = casereport.Active{Rules: s.RulesHash, Config: s.ConfigHash, Inventory: res.InventoryHash, Policy: s.PolicyHash}
	q.OneWayShare, q.GapShare, q.DuplicateShare, q.Damage = res.OneWayShare, res.GapShare, res.DupShare, res.Damage
	q.FramesCut, q.Unwatched, q.Undecoded, q.Evicted = res.Counters["frames_cut"], res.Counters["unwatched_seconds"], map[string]uint64{}, map[string]uint64{}
	q.Selection = res.selected.texts()
	for verdict, n := range res.faults() {
		q.Undecoded[verdict] = n
	}
	for name, n := range res.Counters {
		if n > 0 && (strings.HasSuffix(name, "_evicted") || name == "detector_evictions") {
			q.Evicted[name] = n
		}
	}
	for _, o := range res.Obstacles {
		q.Obstacles = append(q.Obstacles, o.Text)
	}
}

// settingFiles lists the files that decide what a run finds. What the program holds is covered by its own hash.
func (c *replayCmd) settingFiles(cfg *pipeline.Config) (all []casereport.File) {
	add := func(what string, names ...string) {
		for _, n := range names {
			if n != "" {
				all = append(all, casereport.File{What: what, File: n})
			}
		}
	}
	folder := func(what, path string) {
		if path = beside(c.Config, path); path != "" {
			add(what, casereport.Files(path)...)
		}
	}
	add("configuration", c.Config)
	add("inventory", inventoryOf(cfg.Settings, c.Config, c.Inventory))
	add("policies", c.Policy...)
	add("key log", c.Keylog)
	folder("rules", cfg.Settings.Rules)
	folder("data files", cfg.Settings.Assets)
	folder("threat intelligence", cfg.Settings.Intel)
	folder("signatures of p0f", cfg.Settings.Fingerprints.P0f)
	folder("fingerprints of Recog", cfg.Settings.Fingerprints.Recog)
	add("state before the run", c.State)
	return all
}

// caseInputs returns the key as a file that must not be overwritten.
func (c *caseFlags) caseInputs() (all []input) {
	if c.Sign != "" {
		all = appendInput(all, "the key", c.Sign)
	}
	return all
}

// hashCaptures returns the hashes of captures, by name.
func hashCaptures(ctx context.Context, names []string) map[string]casereport.Sum {
	sums := map[string]casereport.Sum{}
	for _, n := range names {
		if _, done := sums[n]; done {
			continue
		}
		if n == capture.Stdin {
			sums[n] = casereport.HashReader(ctx, os.Stdin)
		} else {
			sums[n] = casereport.HashFile(ctx, n)
		}
	}
	return sums
}
