// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/casereport"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/terminal"
)

type verifyCmd struct {
	Config   string   `help:"Configuration with the keys of signers, under policy.keys. The report must be signed with one of them." placeholder:"FILE" type:"path"`
	Report   string   `arg:"" help:"Case report, HTML or JSON."`
	Captures []string `arg:"" optional:"" name:"capture" help:"Capture of the report, under any name, or a folder with them; - is standard input."`
}

// Help returns examples and the exit status.
func (verifyCmd) Help() string {
	return `Checks that a case report is as it was written, and that the captures are those of the report, by size and SHA-256.

Examples:

    stillwatch-sensor verify case.html monday.pcap tuesday.pcap.zst
    stillwatch-sensor verify case.json /evidence/copy
    stillwatch-sensor verify --config sensor.yaml case.json

Without captures, only the report is checked. Without --config, a signature is named and not checked. A person who changes a report can compute
its hash again, but not the signature.

Exit status: 0 all is as it was; 1 the report or a capture has changed, or a capture is missing or not in the report; 2 bad usage, or a
file that is no report.`
}

// maxReport bounds the size of a report, in bytes.
const maxReport = 256 << 20

// Run checks a report.
func (c *verifyCmd) Run(t *terminal.Terminal) error {
	var set *config.Config
	if c.Config != "" {
		var err error
		if set, err = readConfig(c.Config); err != nil {
			return badUsage(err)
		}
	}
	b, err := readReport(c.Report)
	if err != nil {
		return badUsage(err)
	}
	sealed, err := casereport.Read(b)
	if err != nil {
		return badUsage(fmt.Errorf("%s: %w", c.Report, err))
	}
	rows := [][]string{{"WHAT", "RESULT", "NAME"}}
	text, ok := sealText(sealed)
	rows = append(rows, []string{"report", text, terminal.Clean(c.Report)})
	text, signed := signatureText(sealed, set)
	rows = append(rows, []string{"signature", text, ""})
	ok = ok && signed
	if len(c.Captures) > 0 {
		s := watchSignals(context.Background())
		defer s.stop()
		names, inside, err := capture.List(c.Captures)
		if err != nil {
			return badUsage(err)
		}
		for _, r := range sealed.Compare(names, hashCaptures(s.ctx, names)) {
			if r.State == casereport.Unknown && inside[r.Name] {
				continue // a folder may hold more than the captures of the report
			}
			name := terminal.Clean(r.Name)
			if r.File != "" && r.File != r.Name {
				name += " = " + terminal.Clean(r.File)
			}
			rows = append(rows, []string{"capture", string(r.State), name})
			ok = ok && r.State == casereport.OK
		}
		if n := s.signal(); n != 0 {
			return endedBy(n, "the captures were not checked")
		}
	}
	if err := t.Table(t.Out, rows); err != nil {
		return err
	}
	if !ok {
		return &exitError{status: exitIncomplete}
	}
	return nil
}

func readReport(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err == nil && len(b) > maxReport {
		err = fmt.Errorf("%s: larger than a case report can be", name)
	}
	return b, errors.Join(err, f.Close())
}

func sealText(s *casereport.Sealed) (text string, ok bool) {
	if !s.Intact {
		return "changed", false
	}
	return "OK", true
}

// signatureText says who signed a report. set has the keys; nil: they are not known.
func signatureText(s *casereport.Sealed, set *config.Config) (text string, ok bool) {
	switch {
	case s.Seal.Signature == "":
		return "none", set == nil
	case set == nil:
		return "not checked (key " + terminal.Clean(s.Signer) + "): add --config", true
	}
	for _, k := range set.PolicyKeys {
		if s.SignedBy(k.Public) {
			return "OK, by " + k.Name, true
		}
	}
	return "by no key of the configuration", false
}
