// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
)

// names are the output files; an empty name means no output.
type names struct {
	alerts, incidents, sessions, devices, metrics, state, suggest, caseReport, caseJSON string
	formats                                                                             formatFlags
	zone                                                                                *time.Location // of the times in formats

	byDefault bool // alerts go to standard output because nothing else was chosen
	quiet     bool // alerts go only to Kafka, unless --alerts names a file
}

// namesOf returns the names on the command line. All names of standard output become publish.Stdout.
func namesOf(alerts, incidents, sessions, devices, metrics string) names {
	return names{alerts: canonical(alerts), incidents: canonical(incidents), sessions: canonical(sessions), devices: canonical(devices), metrics: canonical(metrics)}
}

func canonical(name string) string {
	if publish.IsStdout(name) {
		return publish.Stdout
	}
	return name
}

// useStdout sends alerts without a file to standard output as JSON Lines, unless a terminal shows them as cards.
func (n *names) useStdout(tty bool) {
	if n.alerts == "" && !n.quiet && (!tty || n.stdout()) {
		n.alerts, n.byDefault = publish.Stdout, true
	}
}

// stdout reports whether records go to standard output.
func (n names) stdout() bool {
	for _, f := range n.formats.files() {
		if f[1] == publish.Stdout {
			return true
		}
	}
	return slices.Contains([]string{n.alerts, n.incidents, n.sessions, n.devices, n.metrics}, publish.Stdout)
}

// place is one output file.
type place struct {
	option, name string
	info         os.FileInfo // nil: it does not exist yet
}

// places returns the outputs with their current files. open has the files that are open already.
func (n names) places(open map[string]*publish.JSONLines) (all []place) {
	known := []place{
		{option: "--alerts", name: n.alerts}, {option: "--incidents", name: n.incidents}, {option: "--sessions", name: n.sessions}, {option: "--devices", name: n.devices},
		{option: "--metrics-file", name: n.metrics}, {option: "--state", name: n.state}, {option: "--suggest", name: n.suggest},
		{option: "--case-report", name: n.caseReport}, {option: "--case-json", name: n.caseJSON},
	}
	for _, f := range n.formats.files() {
		known = append(known, place{option: f[0], name: f[1]})
	}
	for _, p := range known {
		if p.name == "" {
			continue
		}
		var err error
		switch s := open[p.option]; {
		case s != nil:
			p.info, err = s.Stat()
		case p.name == publish.Stdout:
			p.info, err = os.Stdout.Stat()
		default:
			p.info, err = os.Stat(p.name)
		}
		if err != nil {
			p.info = nil
		}
		all = append(all, p)
	}
	return all
}

// input is a file that is read and must not be overwritten.
type input struct {
	what string
	info os.FileInfo
}

// inputs returns the files that a replay reads and that an output could overwrite.
func (c *captures) inputs(cfg pipeline.Config) (all []input) {
	for _, name := range c.Captures {
		all = appendInput(all, "the capture", name)
	}
	return append(all, c.settings.inputs(cfg)...)
}

// pathsOf returns the captures that were opened, also those found in folders.
func pathsOf(src *capture.Files) (all []input) {
	for _, name := range src.Paths() {
		all = appendInput(all, "the capture", name)
	}
	return all
}

// separate returns an error if the packets of alerts would be written into a folder that is read: the next replay would read them as captures.
func (c *replayCmd) separate() error {
	if c.Evidence == "" {
		return nil
	}
	for _, name := range c.Captures {
		info, err := os.Stat(name)
		if err != nil || !info.IsDir() {
			continue
		}
		for dir := c.Evidence; ; dir = filepath.Dir(dir) {
			if x, err := os.Stat(dir); err == nil && os.SameFile(x, info) {
				return fmt.Errorf("--evidence %s is in the folder %s, which is read: give another folder", c.Evidence, name)
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return nil
}

func (c *settings) inputs(cfg pipeline.Config) (all []input) {
	all = appendInput(all, "the inventory", inventoryOf(cfg.Settings, c.Config, c.Inventory))
	all = appendInput(all, "the p0f signatures", beside(c.Config, cfg.Settings.Fingerprints.P0f))
	return appendInput(all, "the configuration", c.Config)
}

func appendInput(all []input, what, name string) []input {
	info, err := os.Stat(name)
	if what == "the capture" && name == publish.Stdout {
		info, err = os.Stdin.Stat()
		name = "on standard input"
	}
	// A terminal or a socket can be both input and output.
	if err == nil && info.Mode()&(os.ModeCharDevice|os.ModeSocket) == 0 {
		all = append(all, input{what + " " + name, info})
	}
	return all
}

// check returns an error if two outputs are the same file, under any names, or if an output is a file that the run reads. It compares
// files that exist, and names of files that do not. It is called before a file is opened, and again before one is truncated.
func (n names) check(in []input, open map[string]*publish.JSONLines) error {
	all := n.places(open)
	for i, p := range all {
		if discards(p) {
			continue
		}
		for _, q := range all[:i] {
			if same(p, q) {
				return n.twice(q, p)
			}
		}
		for _, f := range in {
			if p.info != nil && os.SameFile(p.info, f.info) {
				return fmt.Errorf("%s would overwrite %s: give another file", p.option, f.what)
			}
		}
	}
	if n.metrics != "" && n.metrics != publish.Stdout && open == nil {
		return metrics.Check(n.metrics)
	}
	return nil
}

// twice returns the error for two outputs that are the same file.
func (n names) twice(a, b place) error {
	switch {
	case n.byDefault && a.option == "--alerts" && b.name == publish.Stdout:
		return fmt.Errorf("%s writes standard output, and so do the alerts by default: add --alerts FILE", b.option)
	case b.name == publish.Stdout:
		return fmt.Errorf("%s and %s both write standard output: give each a file of its own", a.option, b.option)
	}
	return fmt.Errorf("%s and %s both write %s: give each a file of its own", a.option, b.option, b.name)
}

// discards reports whether a place is the null device, which several outputs can share.
func discards(p place) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && p.info != nil && os.SameFile(p.info, null)
}

// same reports whether two places are the same file.
func same(p, q place) bool {
	if p.name == publish.Stdout && q.name == publish.Stdout {
		return true
	}
	if p.info != nil && q.info != nil {
		return os.SameFile(p.info, q.info)
	}
	a, errA := filepath.Abs(p.name)
	b, errB := filepath.Abs(q.name)
	return errA == nil && errB == nil && a == b && p.name != publish.Stdout && q.name != publish.Stdout
}
