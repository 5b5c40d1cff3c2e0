// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"

	"stillwatch/schemas"
)

// labelWidth is the width of the left column of a card.
const labelWidth = 10

// maxReasons bounds the reasons shown on a card; the record has them all.
const maxReasons = 5

// Card writes one alert for a person to read.
func (t *Terminal) Card(w io.Writer, a *schemas.Alert) error {
	var b strings.Builder
	t.cardHead(&b, a)
	t.Row(&b, "device", deviceLine(&a.Device))
	t.Row(&b, "peer", peerLine(a.Peer))
	t.Row(&b, "when", t.whenLine(a))
	t.Row(&b, "session", sessionLine(a.Session))
	t.reasons(&b, a.Reasons)
	t.Row(&b, "next", a.Recommendation)
	t.Row(&b, "attack", attackLine(a.Attack))
	t.Row(&b, "incident", a.IncidentID)
	t.Row(&b, "alert", fmt.Sprintf("%s revision %d", a.ID, a.Revision))
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

// cardHead writes a line with severity, rule and scores, then title and message.
func (t *Terminal) cardHead(b *strings.Builder, a *schemas.Alert) {
	severity := " " + strings.ToUpper(Clean(a.Severity)) + " "
	rule := " " + Clean(a.Rule.ID) + " " + Clean(a.Rule.Name) + " "
	scores := fmt.Sprintf(" risk %d, confidence %d ", a.RiskScore, a.Confidence)
	fill := max(t.Width-Columns(severity)-Columns(rule)-Columns(scores)-4, 1)
	fmt.Fprintf(b, "──%s%s%s%s──\n", t.Paint(severity, severityStyle(a.Severity)), rule, strings.Repeat("─", fill), scores)
	for _, line := range Wrap(Clean(a.Title), t.Width) {
		b.WriteString(t.Paint(line, Bold) + "\n")
	}
	for _, line := range Wrap(Clean(a.Message), t.Width) {
		b.WriteString(line + "\n")
	}
}

// Row writes a label and a wrapped text beside it. It writes nothing if the text is empty.
func (t *Terminal) Row(b *strings.Builder, label, text string) {
	for i, line := range Wrap(Clean(text), t.Width-labelWidth-1) {
		if i > 0 {
			label = ""
		}
		b.WriteString(" " + t.Paint(Pad(label, labelWidth), Faint) + line + "\n")
	}
}

// reasons writes the reasons for the alert, then what would make it benign.
func (t *Terminal) reasons(b *strings.Builder, all []schemas.AlertReason) {
	label, shown := "why", 0
	for _, r := range all {
		if r.Code == "benign_if" {
			continue
		}
		if shown++; shown > maxReasons {
			break
		}
		t.Row(b, label, r.Text)
		label = ""
	}
	for _, r := range all {
		if r.Code == "benign_if" {
			t.Row(b, "benign if", strings.TrimPrefix(r.Text, "benign if "))
		}
	}
}

func deviceLine(d *schemas.AlertDevice) string {
	parts := []string{d.Key}
	if d.IP.IsValid() && !strings.Contains(d.Key, d.IP.String()) {
		parts = append(parts, d.IP.String())
	}
	if m := d.MAC.String(); d.MAC != (schemas.MAC{}) && !strings.Contains(d.Key, m) {
		parts = append(parts, m)
	}
	if d.Role != "" && d.Role != "unknown" {
		parts = append(parts, d.Role)
	}
	if v := strings.TrimSpace(d.Vendor + " " + d.Model); v != "" {
		parts = append(parts, v)
	}
	if d.Owner != "" {
		parts = append(parts, "owner "+d.Owner)
	}
	if d.Expect != "" {
		parts = append(parts, "expected "+strings.ReplaceAll(d.Expect, "_", " "))
	}
	if d.SilentForS != nil {
		parts = append(parts, "silent for "+Duration(time.Duration(*d.SilentForS)*time.Second))
	}
	return strings.Join(parts, ", ")
}

func peerLine(p *schemas.AlertPeer) string {
	if p == nil {
		return ""
	}
	var parts []string
	if p.IP.IsValid() {
		at := p.IP.String()
		if p.Port != nil {
			at += fmt.Sprintf(" port %d", *p.Port)
		}
		parts = append(parts, at)
	}
	if p.Domain != nil {
		parts = append(parts, p.Domain.Name+" (by "+p.Domain.Source+")")
	}
	if p.Scope != "" {
		parts = append(parts, p.Scope)
	}
	if p.Geo != nil {
		parts = append(parts, p.Geo.Country)
	}
	if p.ASN != nil {
		parts = append(parts, fmt.Sprintf("AS%d %s", p.ASN.Number, p.ASN.Name))
	}
	if p.FirstContact {
		parts = append(parts, "first contact")
	}
	return strings.Join(parts, ", ")
}

func (t *Terminal) whenLine(a *schemas.Alert) string {
	text := t.Moment(int64(a.Time.EventStart))
	if d := time.Duration(a.Time.EventEnd - a.Time.EventStart); d >= time.Second {
		text += ", for " + Duration(d)
	}
	if a.Dedupe.Count > 1 {
		text += fmt.Sprintf(", seen %d times", a.Dedupe.Count)
	}
	return text
}

func sessionLine(s *schemas.Session) string {
	if s == nil {
		return ""
	}
	what := s.Proto
	if s.App != "" {
		what += " " + s.App
	}
	return fmt.Sprintf("%s to %s, %s, sent %s (%s), received %s (%s), community id %s",
		endpointText(s.Initiator), endpointText(s.Responder), what+" "+s.State,
		Bytes(s.IPBytesOut), Counted(s.PacketsOut, "packet"), Bytes(s.IPBytesIn), Counted(s.PacketsIn, "packet"), s.CommunityID)
}

func endpointText(e schemas.Endpoint) string {
	switch {
	case e.Port == nil:
		return e.IP.String()
	case e.IP.Is6():
		return fmt.Sprintf("[%s]:%d", e.IP, *e.Port)
	}
	return fmt.Sprintf("%s:%d", e.IP, *e.Port)
}

func attackLine(all []schemas.AlertAttack) string {
	var parts []string
	for _, a := range all {
		parts = append(parts, a.Technique)
	}
	return strings.Join(parts, " ")
}
