// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/packets"
	"stillwatch/schemas"
)

type evidenceBody struct {
	Alert    string // id
	SHA256   string
	Comment  string
	Download verbatim
	Packets  []packetRow
}

type packetRow struct {
	packets.Row
	At      schemas.Time
	Length  uint32
	Comment string
}

// evidence shows the packets of an alert as a table. Each view is in the audit log.
func (k *Console) evidence(w http.ResponseWriter, r *http.Request) error {
	e, err := k.store.Evidence(r.Context(), r.PathValue("sha256"))
	if err != nil {
		return err
	}
	f, err := packets.Read(e.Data)
	if err != nil {
		return err
	}
	if err := k.auth.Record(r.Context(), "evidence_view", e.SHA256, "alert "+e.Alert, auth.Remote(r)); err != nil {
		return err
	}
	body := evidenceBody{Alert: e.Alert, SHA256: e.SHA256, Comment: f.Comment, Download: verbatim("/api/v1/evidence/" + e.SHA256)}
	for i := range f.Packets {
		p := &f.Packets[i]
		body.Packets = append(body.Packets, packetRow{p.Describe(), p.Time, p.Length, p.Comment})
	}
	return k.show(w, r, http.StatusOK, "evidence", page{Title: "Packets of an alert", Nav: "alerts", Body: body})
}
