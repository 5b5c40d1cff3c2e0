// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/sanitize"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

type alertBody struct {
	Row       alertRow
	Alert     schemas.Alert
	Do        advice
	Why       []schemas.AlertReason // reasons for the score
	Benign    []schemas.AlertReason // reasons why it may be benign
	Session   *sessionView
	Evidence  []evidenceView
	Identity  []evidenceRow // of the device
	Related   []link
	Revisions []revision
	Incident  *incidentRow
	JSON      verbatim
	Stored    any
	PeerURL   verbatim
}

type link struct {
	Name string
	URL  verbatim
}

type revision struct {
	Number   int
	Action   string
	Severity string
	Risk     int
	Count    int
	At       schemas.Time
}

type evidenceView struct {
	schemas.AlertEvidence
	Data    string   // JSON
	Packets verbatim // URL of the packets; "" if they are not stored, or not for this user
}

func (k *Console) alert(w http.ResponseWriter, r *http.Request) error {
	row, err := k.store.Alert(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	revisions, err := k.store.Revisions(r.Context(), row.Alert.ID)
	if err != nil {
		return err
	}
	a := &row.Alert
	body := alertBody{
		Row: rowOf(&row), Alert: *a, Do: adviceOf(a.Recommendation), Session: sessionOf(a.Session), Evidence: evidence(a.Evidence),
		Identity: bars(a.Device.Evidence), Related: related(a), JSON: pretty(row.JSON), Stored: row.Stored,
	}
	body.Why, body.Benign = reasons(a.Reasons)
	if err := k.linkPackets(r, a, body.Evidence); err != nil {
		return err
	}
	if a.Peer != nil && a.Peer.IP.IsValid() {
		body.PeerURL = listURL("/alerts", "ip", a.Peer.IP.String())
	}
	for _, v := range slices.Backward(revisions) {
		b := &v.Alert
		body.Revisions = append(body.Revisions, revision{v.Revision, b.Action, b.Severity, b.RiskScore, b.Dedupe.Count, b.Time.DetectedAt})
	}
	body.Revisions = body.Revisions[:min(len(body.Revisions), 50)]
	if a.IncidentID != "" {
		in, err := k.store.Incident(r.Context(), a.IncidentID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil {
			v := incidentOf(in)
			body.Incident = &v
		}
	}
	return k.show(w, r, http.StatusOK, "alert", page{Title: a.Title, Nav: "alerts", Live: true, Body: body})
}

// reasons separates the reasons for the score from those why the alert may be benign.
func reasons(all []schemas.AlertReason) (why, benign []schemas.AlertReason) {
	for _, v := range all[:min(len(all), 50)] {
		if v.Code == "benign_if" {
			benign = append(benign, v)
		} else {
			why = append(why, v)
		}
	}
	return why, benign
}

func evidence(all []schemas.AlertEvidence) []evidenceView {
	var out []evidenceView
	for _, e := range all[:min(len(all), 50)] {
		v := evidenceView{AlertEvidence: e}
		v.AlertEvidence.Data = nil
		if b, err := json.Marshal(e.Data); err == nil && len(e.Data) > 0 {
			v.Data = string(b)
		}
		out = append(out, v)
	}
	return out
}

// linkPackets sets the links to the packets that are stored, for those who may see them.
func (k *Console) linkPackets(r *http.Request, a *schemas.Alert, shown []evidenceView) error {
	if !auth.From(r.Context()).Role.Allows(auth.Analyst) {
		return nil
	}
	has, err := k.store.HasEvidence(r.Context(), a)
	for i := range shown {
		if p := shown[i].PCAP; p != nil && has[p.SHA256] {
			shown[i].Packets = verbatim("/evidence/" + p.SHA256)
		}
	}
	return err
}

// related returns links to the other sessions of the alert.
func related(a *schemas.Alert) []link {
	own := ""
	if a.Session != nil {
		own = a.Session.CommunityID
	}
	var out []link
	for _, id := range a.RelatedSessions[:min(len(a.RelatedSessions), 50)] {
		if id != own {
			out = append(out, link{Name: id, URL: communityURL(id)})
		}
	}
	return out
}

func communityURL(id string) verbatim { return listURL("/alerts", "community_id", id) }

// pretty indents a record and sanitizes it here, because sanitize.Value would truncate it.
func pretty(line []byte) verbatim {
	const limit = 200_000
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		return verbatim(sanitize.Text(string(line), limit, true))
	}
	return verbatim(sanitize.Text(b.String(), limit, true))
}

// sessionView is a session as shown on the page of an alert.
type sessionView struct {
	From, To  string
	Proto     string
	App       string
	State     string
	Community string
	URL       verbatim
	Start     schemas.Time
	Lasted    int64 // seconds
	Out, In   uint64
	PktsOut   uint64
	PktsIn    uint64
	Fields    []field
}

type field struct{ Name, Value string }

func sessionOf(s *schemas.Session) *sessionView {
	if s == nil {
		return nil
	}
	return &sessionView{
		From: endpoint(s.Initiator), To: endpoint(s.Responder), Proto: s.Proto, App: s.App, State: s.State, Community: s.CommunityID,
		URL: communityURL(s.CommunityID), Start: s.Start, Lasted: int64(s.End-s.Start) / 1e9, Out: s.IPBytesOut, In: s.IPBytesIn,
		PktsOut: s.PacketsOut, PktsIn: s.PacketsIn, Fields: sessionFields(s),
	}
}
