// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

// explain writes the evidence of a device, point by point.
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
	t.Row(&b, "firmware", strings.TrimSpace(d.Firmware+" "+d.FirmwareDate))
	t.Row(&b, "role", roleText(d))
	t.Row(&b, "expected", expectText(d))
	t.Row(&b, "serves", servesText(d.Serves))
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
	return t.Table(w, rows)
}

// roleText says in words what a device is taken for, and how sure that is.
func roleText(d *schemas.Device) string {
	sure := fmt.Sprintf("(probability %.4f)", d.RoleProbability)
	switch d.RoleLevel {
	case "identified":
		return d.Role + ", identified " + sure
	case "probable":
		return "probably " + d.Role + " " + sure
	case "hint":
		return "perhaps " + d.Role + " " + sure
	}
	if len(d.Evidence) == 0 {
		return "not known: nothing was seen that tells"
	}
	return "not known: what was seen is not enough for one role"
}

// expectText says in words what is expected of a device, and why.
func expectText(d *schemas.Device) string {
	what := map[string]string{
		"silent":      "silent: to open nothing but infrastructure",
		"server_only": "server only: to answer, and to open nothing but infrastructure",
		"allowlist":   "allowlist: to open infrastructure, and what its entry allows",
		"normal":      "nothing in particular: detectors of attacks alone judge it",
	}[d.Expect]
	why := map[string]string{
		"inventory": ", as the inventory or --silent says",
		"role":      ", as its role tells",
		"learned":   ", as was learned",
		"idle":      ", because it has opened nothing for days",
	}[d.ExpectSource]
	if what == "" {
		what = strings.ReplaceAll(d.Expect, "_", " ")
	}
	return what + why
}
