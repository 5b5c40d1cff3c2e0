// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

// explain writes a device and the evidence for its role.
func explain(t *terminal.Terminal, w io.Writer, d *schemas.Device) error {
	var b strings.Builder
	b.WriteString(t.Paint(terminal.Clean(d.Key), terminal.Bold) + "\n")
	var ips []string
	for _, ip := range d.IPs {
		ips = append(ips, ip.String())
	}
	t.Row(&b, "addresses", strings.Join(ips, ", "))
	t.Row(&b, "names", strings.Join(d.Hostnames, ", "))
	t.Row(&b, "vendor", strings.TrimSpace(d.Vendor+" "+d.Model))
	t.Row(&b, "board", d.Board)
	t.Row(&b, "firmware", strings.TrimSpace(d.Firmware+" "+d.FirmwareDate))
	t.Row(&b, "role", roleText(d))
	t.Row(&b, "expected", expectText(d))
	t.Row(&b, "silence", d.Silence.Text(d.LastSeen))
	t.Row(&b, "serves", servesText(d.Serves))
	b.WriteByte('\n')
	if len(d.Evidence) == 0 {
		b.WriteString("no evidence: nothing in its traffic identifies it\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if err := t.Table(w, sumRows(d.Sums)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	rows := [][]string{{"POINTS (dB)", "SUGGESTS", "SOURCE", "VALUE"}}
	for _, e := range d.Evidence {
		rows = append(rows, []string{fmt.Sprintf("%+11.1f", e.PointsDB), e.Says, e.Source, e.Value})
	}
	return t.Table(w, rows)
}

// sumRows returns the candidates for role and vendor with their sums, highest first.
func sumRows(all []schemas.EvidenceSum) [][]string {
	rows := [][]string{{"SUM (dB)", "FOR", "TERMS"}}
	for _, s := range all {
		var terms []string
		for _, x := range s.Terms {
			terms = append(terms, fmt.Sprintf("%s %+.1f", x.Name, x.PointsDB))
		}
		rows = append(rows, []string{fmt.Sprintf("%+8.1f", s.PointsDB), s.Kind + "=" + s.Value, strings.Join(terms, ", ")})
	}
	return rows
}

// roleText returns the role of a device and how certain it is.
func roleText(d *schemas.Device) string {
	sure := fmt.Sprintf("(probability %.4f)", d.RoleProbability)
	switch d.RoleLevel {
	case "identified":
		return d.Role + ", identified " + sure
	case "probable":
		return "probably " + d.Role + " " + sure
	case "hint":
		return "possibly " + d.Role + " " + sure
	}
	if len(d.Evidence) == 0 {
		return "unknown: no evidence"
	}
	return "unknown: the evidence is not enough for one role"
}

// expectText returns which sessions a device may open, and why.
func expectText(d *schemas.Device) string {
	what := map[string]string{
		"silent":      "silent: opens no sessions, except to infrastructure",
		"server_only": "server only: answers, and opens no sessions except to infrastructure",
		"allowlist":   "allowlist: opens sessions to infrastructure, and those that its entry allows",
		"normal":      "normal: may open any session; only attacks raise alerts",
	}[d.Expect]
	why := map[string]string{
		"inventory": "; set by the inventory or --silent",
		"role":      "; set by its role",
		"learned":   "; learned",
		"idle":      "; it has opened nothing for days",
	}[d.ExpectSource]
	if what == "" {
		what = strings.ReplaceAll(d.Expect, "_", " ")
	}
	return what + why
}
