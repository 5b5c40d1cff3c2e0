// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sample"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// TestPacketsOfAnAlert shows and downloads the packets of an alert: for analysts, with an entry in the audit log, as a file that no browser opens.
func TestPacketsOfAnAlert(t *testing.T) {
	b, ctx := newFixture(t), context.Background()
	a := sample.Alert(1)
	e := sample.Evidence(a.ID, a.Sensor.ID)
	a.Evidence = []schemas.AlertEvidence{{Kind: "packets", Summary: e.Summary, PCAP: &schemas.PCAP{Name: e.SHA256 + ".pcapng", Packets: 1, SHA256: e.SHA256}}}
	line, err := schemas.AppendAlert(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Apply(ctx, store.Batch{Alerts: []store.AlertRecord{{Alert: a, JSON: line}}}); err != nil {
		t.Fatal(err)
	}
	page, download, link := "/evidence/"+e.SHA256, "/api/v1/evidence/"+e.SHA256, "show packets"
	analyst, viewer := b.as(t, auth.Analyst), b.as(t, auth.Viewer)
	if strings.Contains(b.get(t, analyst, "/alerts/"+a.ID), link) {
		t.Error("the alert links to packets that are not stored")
	}
	if status, _ := b.fetch(t, analyst, page); status != http.StatusNotFound {
		t.Errorf("packets that are not stored: status %d", status)
	}
	if _, err := b.store.Apply(ctx, store.Batch{Evidence: []*schemas.Evidence{e}}); err != nil {
		t.Fatal(err)
	}
	if body := b.get(t, analyst, "/alerts/"+a.ID); !strings.Contains(body, `href="`+page+`">`+link) {
		t.Error("the alert does not link to its packets")
	}
	if strings.Contains(b.get(t, viewer, "/alerts/"+a.ID), link) {
		t.Error("a viewer sees a link to packets")
	}
	for _, path := range []string{page, download} {
		if status, _ := b.fetch(t, viewer, path); status != http.StatusForbidden {
			t.Errorf("%s for a viewer: status %d", path, status)
		}
	}
	body := b.get(t, analyst, page)
	for _, want := range []string{"10.20.10.17:49152", "198.51.100.23:443", "SYN", "&lt;b&gt;the alert", `href="` + download + `"`, "rule D01"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	r, err := analyst.Get(b.srv.URL + download)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	got, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK || !bytes.Equal(got, e.Data) {
		t.Errorf("%s, %v: %d bytes", r.Status, err, len(got))
	}
	for name, want := range map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": `attachment; filename="` + e.SHA256 + `.pcapng"`,
		"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if h := r.Header.Get(name); h != want {
			t.Errorf("%s is %q", name, h)
		}
	}
	log, err := b.store.Audit(ctx, store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	entries := 0
	for _, x := range log.Entries {
		if (x.Action == "evidence_view" || x.Action == "evidence_download") && x.User == "analyst" && x.Target == e.SHA256 && x.Remote == "127.0.0.1" && strings.Contains(x.Detail, a.ID) {
			entries++
		}
	}
	if entries != 2 {
		t.Errorf("%d entries in the audit log: %+v", entries, log.Entries)
	}
}
