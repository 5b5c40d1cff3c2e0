// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

// text returns the report of one device.
func (r *reviewed) text(t *terminal.Terminal) string {
	d := r.Device
	var b strings.Builder
	b.WriteString(t.Paint(terminal.Clean(d.Key), terminal.Bold) + "\n")
	var ips []string
	for _, ip := range d.IPs {
		ips = append(ips, ip.String())
	}
	owner := r.Owner
	if r.Criticality != "" {
		owner = strings.TrimPrefix(owner+", criticality "+r.Criticality, ", ")
	}
	opened := "never"
	if d.LastOrigination != nil {
		opened = terminal.Moment(int64(*d.LastOrigination))
	}
	t.Row(&b, "addresses", strings.Join(ips, ", "))
	t.Row(&b, "role", roleText(d))
	t.Row(&b, "owner", orElse(owner, "not known"))
	t.Row(&b, "opened", "last session: "+opened)
	t.Row(&b, "silence", d.Silence.Text(d.LastSeen))
	t.Row(&b, "serves", orElse(servesText(d.Serves), "nothing"))
	t.Row(&b, "outside", orElse(strings.Join(r.Exposed, ", "), "no port was answered to hosts outside"))
	t.Row(&b, "expected", expectText(d))
	rows(t, &b, "broken", r.Broken)
	t.Row(&b, "contract", contractText(d.Contract))
	rows(t, &b, "refused", refusedTexts(d.Contract))
	t.Row(&b, "firmware", firmwareText(d))
	var lasting []string
	for _, f := range d.Findings {
		lasting = append(lasting, f.Text)
	}
	rows(t, &b, "findings", lasting)
	t.Row(&b, "alerts", r.alertText())
	rows(t, &b, "decide", r.Decide)
	return b.String()
}

// rows writes one row for each text, at most 8, with the label before the first.
func rows(t *terminal.Terminal, b *strings.Builder, label string, texts []string) {
	const most = 8
	for i, text := range texts {
		if i == most {
			t.Row(b, "", fmt.Sprintf("and %d more", len(texts)-most))
			return
		}
		t.Row(b, label, text)
		label = ""
	}
}

// refusedTexts lists the entries whose sessions are counted without an alert.
func refusedTexts(c *schemas.DeviceContract) (out []string) {
	if c == nil {
		return nil
	}
	for _, x := range c.Refused {
		out = append(out, fmt.Sprintf("%s without an alert: %s", terminal.Counted(x.Sessions, "session"), x.Entry))
	}
	return out
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func firmwareText(d *schemas.Device) string {
	text := strings.TrimSpace(d.Firmware + " " + d.FirmwareDate)
	if built, err := time.Parse(time.DateOnly, d.FirmwareDate); err == nil {
		text += fmt.Sprintf(", %.1f years old", time.Unix(0, int64(d.LastSeen)).Sub(built).Hours()/24/365.25)
	}
	return orElse(text, "not known")
}

// alertText counts the alerts by severity.
func (r *reviewed) alertText() string {
	var parts []string
	for _, s := range []string{"critical", "high", "medium", "low", "informational"} {
		if n := r.Alerts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return orElse(strings.Join(parts, ", "), "none")
}
