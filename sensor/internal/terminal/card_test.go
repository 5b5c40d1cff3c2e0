// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"stillwatch/schemas"
)

// hostileAlert has what an attacker would like to put on a screen in every field that can come from the wire.
func hostileAlert() *schemas.Alert {
	bad := "x\x1b]0;owned\a\x1b[2J\u202egnp.exe\nFAKE LINE"
	port := uint16(443)
	return &schemas.Alert{
		ID: "id" + bad, Revision: 2, Action: "update", IncidentID: bad, Title: bad, Message: strings.Repeat(bad+" ", 9), Severity: "critical",
		RiskScore: 99, Confidence: 90,
		Rule:    schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Reasons: []schemas.AlertReason{{Code: "a", Text: bad}, {Code: "benign_if", Text: bad}},
		Device:  schemas.AlertDevice{Key: bad, IP: netip.MustParseAddr("10.0.0.1"), Vendor: bad, Model: bad, Expect: "silent"},
		Peer:    &schemas.AlertPeer{IP: netip.MustParseAddr("2001:db8::1"), Port: &port, Scope: "external", Domain: &schemas.Domain{Name: bad, Source: "dns"}},
		Session: &schemas.Session{Proto: "tcp", App: bad, State: "closed", Initiator: schemas.Endpoint{IP: netip.MustParseAddr("10.0.0.1"), Port: &port},
			Responder: schemas.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), Port: &port}},
		Recommendation: bad,
	}
}

func TestHostileTextOnACard(t *testing.T) {
	for _, width := range []int{minWidth, 72, maxWidth} {
		var b bytes.Buffer
		if err := (&Terminal{Width: width}).Card(&b, hostileAlert()); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\a\u202e") {
			t.Errorf("something of the wire reached the screen:\n%q", b.String())
		}
		for line := range strings.Lines(b.String()) {
			if strings.HasPrefix(line, "FAKE LINE") {
				t.Errorf("a line that is not ours:\n%s", b.String())
			}
			if n := Columns(strings.TrimSuffix(line, "\n")); n > max(width, 64) {
				t.Errorf("%d columns, want at most %d: %q", n, width, line)
			}
		}
	}
}
