// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// rig is the API on a database, with a token of each role.
type rig struct {
	store  *store.SQLite
	mux    *auth.Mux
	api    *API
	url    string
	tokens map[auth.Role]string
}

func newRig(t testing.TB, streams int) *rig {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a := auth.New(auth.Config{Store: s, Cost: auth.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}})
	r := &rig{store: s, mux: auth.NewMux(a, Deny), tokens: map[auth.Role]string{}}
	for _, role := range auth.Roles() {
		token, _, err := a.NewToken(ctx, "test", 0, string(role), role, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		r.tokens[role] = token
	}
	r.api = Register(r.mux, Config{Store: s, Auth: a, Version: "test", Streams: streams})
	srv := httptest.NewServer(r.mux)
	t.Cleanup(func() { r.api.Close(); srv.Close() })
	r.url = srv.URL
	return r
}

func (r *rig) request(t testing.TB, ctx context.Context, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.tokens[auth.Admin])
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// get decodes a response, which must have the given status.
func (r *rig) get(t testing.TB, status int, path string, into any) {
	t.Helper()
	answer := r.request(t, t.Context(), http.MethodGet, path, "")
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		t.Fatalf("GET %s: %s, %v: %.300s", path, answer.Status, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("GET %s: %v: %.300s", path, err, body)
	}
}

func id(n int) string {
	return strings.Repeat("a", 24) + string([]byte{'a' + byte(n/26), 'a' + byte(n%26)})
}

func alert(n int) *schemas.Alert {
	at := schemas.TimeOf(time.Date(2026, 3, 10, 0, n, 0, 0, time.UTC))
	ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})
	return &schemas.Alert{
		Schema: schemas.AlertSchema, ID: id(n), Revision: 1, Action: "create", IncidentID: id(100 + n/10),
		Time:   schemas.AlertTime{EventStart: at, EventEnd: at, DetectedAt: at},
		Sensor: schemas.AlertSensor{ID: "sensor-1", BootID: "boot", Seq: uint64(n + 1)},
		Rule:   schemas.AlertRule{ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1},
		Title:  fmt.Sprintf("cam-%d spoke", n), Message: "Expected of it: nothing. Seen: something.", Severity: []string{"low", "high"}[n%2], RiskScore: n,
		Device:  schemas.AlertDevice{Key: fmt.Sprintf("cam-%d", n), IP: ip, Expect: "silent"},
		Session: &schemas.Session{Start: at, End: at, Initiator: schemas.Endpoint{IP: ip}, Responder: schemas.Endpoint{IP: ip}, CommunityID: fmt.Sprintf("1:%027d=", n)},
	}
}

func (r *rig) apply(t testing.TB, alerts ...*schemas.Alert) {
	t.Helper()
	var b store.Batch
	for _, a := range alerts {
		line, err := schemas.AppendAlert(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		b.Alerts = append(b.Alerts, store.AlertRecord{Alert: a, JSON: line})
	}
	if _, err := r.store.Apply(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func alerts(from, to int) (out []*schemas.Alert) {
	for n := from; n < to; n++ {
		out = append(out, alert(n))
	}
	return out
}

type alertPage struct {
	Alerts []struct {
		ID       string
		Revision int
		State    string
		Alert    schemas.Alert
	}
	Next string
}

func TestAlerts(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alerts(0, 30)...)
	for _, tc := range []struct {
		query string
		want  int
	}{
		{"", 30}, {"limit=7", 7}, {"severity=high", 15}, {"severity=high,low", 30}, {"severity=critical", 0}, {"rule=D01", 30}, {"rule=D02,unexpected_outbound", 30},
		{"device=cam-3", 1}, {"ip=10.0.0.9", 1}, {"community_id=1:" + fmt.Sprintf("%027d", 4) + "%3D", 1}, {"incident=" + id(101), 10}, {"sensor=sensor-1", 30},
		{"sensor=other", 0}, {"state=open", 30}, {"state=closed", 0}, {"replay=false", 30}, {"replay=true", 0}, {"suppressed=true", 0}, {"suppressed=false", 30}, {"min_risk=20", 10}, {"q=cam-12", 1},
		{"from=2026-03-10T00:10:00Z&to=2026-03-10T00:15:00Z", 5}, {"device=cam-3&severity=low", 0},
	} {
		var p alertPage
		r.get(t, http.StatusOK, Base+"/alerts?"+tc.query, &p)
		if len(p.Alerts) != tc.want {
			t.Errorf("%s: %d alerts, want %d", tc.query, len(p.Alerts), tc.want)
		}
	}
}

func TestAlertsPaging(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alerts(0, 25)...)
	for order, first := range map[string]string{"newest": id(24), "oldest": id(0), "risk": id(24)} {
		var got []string
		for cursor := ""; ; {
			var p alertPage
			r.get(t, http.StatusOK, Base+"/alerts?limit=10&order="+order+"&cursor="+cursor, &p)
			for _, a := range p.Alerts {
				got = append(got, a.ID)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
			r.apply(t, alert(25+len(got))) // alerts that arrive in between do not shift the pages
		}
		if got[0] < first {
			t.Errorf("%s begins with %s, want %s", order, got[0], first)
		}
		sorted := slices.Sorted(slices.Values(got))
		if len(slices.Compact(sorted)) != len(got) || len(got) < 25 {
			t.Errorf("%s: %d alerts, %d different", order, len(got), len(slices.Compact(sorted)))
		}
	}
}

// TestRecordIsUnchanged checks that responses contain the original record, except for white space.
func TestRecordIsUnchanged(t *testing.T) {
	r := newRig(t, 0)
	a := alert(1)
	a.Title = "<b>\u202e\u2028 & é"
	r.apply(t, a)
	a.Revision, a.Action = 2, "update"
	r.apply(t, a)
	want, err := schemas.AppendAlert(nil, a)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Revision int
		Alert    json.RawMessage
	}
	r.get(t, http.StatusOK, Base+"/alerts/"+a.ID, &got)
	var x, y any
	if json.Unmarshal(want, &x) != nil || json.Unmarshal(got.Alert, &y) != nil || fmt.Sprint(x) != fmt.Sprint(y) || got.Revision != 2 {
		t.Errorf("revision %d\n got %s\nwant %s", got.Revision, got.Alert, want)
	}
	var all struct{ Revisions []struct{ Revision int } }
	r.get(t, http.StatusOK, Base+"/alerts/"+a.ID+"/revisions", &all)
	if len(all.Revisions) != 2 || all.Revisions[0].Revision != 1 {
		t.Errorf("revisions %+v", all)
	}
}

// TestStatusOfSensors returns the last status of a sensor as it was sent.
func TestStatusOfSensors(t *testing.T) {
	r := newRig(t, 0)
	s := &schemas.Status{Schema: schemas.StatusSchema, Sensor: schemas.AlertSensor{ID: "span-1"}, State: "running", Tables: []schemas.StatusTable{}}
	line, err := schemas.AppendStatus(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.store.Apply(t.Context(), store.Batch{Statuses: []store.StatusRecord{{Status: s, JSON: line}}}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Sensors []struct {
			ID, State string
			HeardAt   time.Time `json:"heard_at"`
			Status    json.RawMessage
		}
	}
	r.get(t, http.StatusOK, Base+"/sensors", &got)
	if x := got.Sensors; len(x) != 1 || x[0].ID != "span-1" || x[0].State != "running" || time.Since(x[0].HeardAt) > time.Hour || string(x[0].Status) != string(line) {
		t.Errorf("%+v", got)
	}
}

func TestOtherLists(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alerts(0, 30)...)
	for path, want := range map[string]string{
		"/incidents":                                 id(100),
		"/incidents?state=open&device=cam-3":         id(100),
		"/incidents/" + id(101):                      id(12),
		"/devices?q=cam-7":                           `"key":"cam-7"`,
		"/devices?expect=silent&alerts=true&limit=2": `"next":"`,
		"/devices/cam-7":                             `"from_alert":true`,
		"/devices/cam-7/hours":                       `"alerts":1`,
		"/sensors":                                   `"state":"unknown"`,
		"/sensors/sensor-1/boots":                    `"gaps":[]`,
		"/overview":                                  `"open_alerts":30`,
		"/dead-letters":                              `"dead_letters":[]`,
		"/me":                                        `"role":"admin"`,
		"/audit":                                     "token_add",
		"/tokens":                                    "analyst",
		"/schemas/alert.json":                        "2020-12",
	} {
		var body json.RawMessage
		r.get(t, http.StatusOK, Base+path, &body)
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s lacks %s: %.300s", path, want, body)
		}
	}
}

// TestProblems checks that invalid requests get a problem document.
func TestProblems(t *testing.T) {
	r := newRig(t, 0)
	for path, want := range map[string]int{
		"/alerts/none": 404, "/alerts/none/revisions": 404, "/incidents/none": 404, "/devices/none": 404, "/devices/none/hours": 404,
		"/sensors/none/boots": 404, "/alerts?limit=0": 422, "/alerts?limit=1001": 422, "/alerts?limit=x": 422, "/alerts?severity=bad": 422,
		"/alerts?order=up": 422, "/alerts?from=yesterday": 422, "/alerts?cursor=xyz": 400, "/incidents?cursor=xyz": 400, "/devices?cursor=xyz": 400,
		"/alerts?q=" + strings.Repeat("a", 600): 422, "/events?after=-7": 422,
	} {
		answer := r.request(t, t.Context(), http.MethodGet, Base+path, "")
		var p struct {
			Status int
			Title  string
			Detail string
		}
		err := json.NewDecoder(answer.Body).Decode(&p)
		answer.Body.Close()
		if answer.StatusCode != want || p.Status != want || p.Detail == "" || err != nil || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.60s: %s, %+v, %v, want %d", path, answer.Status, p, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	r := newRig(t, 0)
	do := func(method, path, body string) (int, string) {
		answer := r.request(t, t.Context(), method, Base+path, body)
		defer answer.Body.Close()
		b, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(b)
	}
	status, body := do(http.MethodPost, "/tokens", `{"name":"siem","role":"viewer","days":30}`)
	var made struct {
		ID    int64
		Token string
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK || !strings.HasPrefix(made.Token, "swt_") {
		t.Fatalf("%d %s", status, body)
	}
	if status, _ := do(http.MethodPost, "/tokens", `{"name":"siem","role":"viewer"}`); status != http.StatusConflict {
		t.Errorf("the same name: %d", status)
	}
	for _, bad := range []string{`{"name":"x","role":"root"}`, `{"name":"<b>","role":"viewer"}`, `{"role":"viewer"}`, `{"name":"x","role":"viewer","days":-1}`, `{`, `[]`} {
		if status, _ := do(http.MethodPost, "/tokens", bad); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if _, body := do(http.MethodGet, "/tokens", ""); strings.Contains(body, "swt_") || strings.Contains(body, "hash") {
		t.Errorf("the list shows a secret: %s", body)
	}
	if status, _ := do(http.MethodDelete, fmt.Sprintf("/tokens/%d", made.ID), ""); status != http.StatusNoContent {
		t.Errorf("revoke: %d", status)
	}
	answer := r.request(t, t.Context(), http.MethodGet, Base+"/me", "", "Authorization", "Bearer "+made.Token)
	answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a revoked token: %s", answer.Status)
	}
}

// TestOpenAPIDocument checks that the OpenAPI 3.1 document has every route of the API.
func TestOpenAPIDocument(t *testing.T) {
	r := newRig(t, 0)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	r.get(t, http.StatusOK, Base+"/openapi.json", &doc)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	for _, route := range r.mux.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		if strings.Contains(path, "/openapi") || strings.Contains(path, "/schemas/") {
			continue
		}
		if doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s is not in the document", route.Pattern)
		}
	}
	if len(doc.Paths) < 15 {
		t.Errorf("%d paths", len(doc.Paths))
	}
	for _, kind := range schemas.Kinds() {
		var schema json.RawMessage
		r.get(t, http.StatusOK, Base+"/schemas/"+string(kind)+".json", &schema)
	}
}

// TestOpenAPIReferences checks that every reference of the OpenAPI document resolves within it, that it refers to the records, and that
// times are declared as such.
func TestOpenAPIReferences(t *testing.T) {
	r := newRig(t, 0)
	var doc map[string]any
	r.get(t, http.StatusOK, Base+"/openapi.json", &doc)
	seen := map[string]bool{}
	walk(doc, func(object map[string]any) {
		ref, ok := object["$ref"].(string)
		if !ok {
			return
		}
		seen[ref] = true
		var at any = doc
		for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := at.(map[string]any)
			at = m[name]
		}
		if at == nil {
			t.Errorf("%s does not resolve", ref)
		}
	})
	for _, want := range []string{"AlertRecord", "DeviceRecord", "SessionRecord", "AlertRecord.time"} {
		if !seen[componentPrefix+want] {
			t.Errorf("nothing refers to %s", want)
		}
	}
	if servers, _ := doc["servers"].([]any); len(servers) != 1 {
		t.Errorf("servers: %v", doc["servers"])
	}
	types := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for name, fields := range map[string][]string{
		"SensorItem": {"first_seen", "last_seen", "last_event"}, "HoursOutputBody": {"from", "to"}, "HourItem": {"hour"},
		"IncidentItem": {"first", "last"}, "DeviceItem": {"last_alert"},
	} {
		properties := types[name].(map[string]any)["properties"].(map[string]any)
		for _, field := range fields {
			if p, _ := properties[field].(map[string]any); p["type"] != "string" || p["format"] != "date-time" {
				t.Errorf("%s.%s: %v", name, field, properties[field])
			}
		}
	}
}

// walk calls visit for every object within v.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			walk(child, visit)
		}
	case []any:
		for _, child := range v {
			walk(child, visit)
		}
	}
}

// TestStrictInput checks that input that the document does not allow is rejected with its location.
func TestStrictInput(t *testing.T) {
	r := newRig(t, 0)
	cases := []struct{ method, path, body, where string }{
		{http.MethodGet, "/alerts?to=", "", "query.to"},
		{http.MethodGet, "/incidents?from=", "", "query.from"},
		{http.MethodGet, "/devices?alerts=", "", "query.alerts"},
		{http.MethodGet, "/alerts?limit=", "", "query.limit"},
		{http.MethodGet, "/alerts?state=", "", "query.state"},
		{http.MethodGet, "/alerts?suppressed=maybe", "", "query.suppressed"},
		{http.MethodPost, "/tokens", `{"name":"n","role":"viewer","days":null}`, "body.days"},
		{http.MethodPost, "/tokens", `{"name":null,"role":"viewer"}`, "body.name"},
	}
	for _, c := range cases {
		answer := r.request(t, t.Context(), c.method, Base+c.path, c.body)
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusUnprocessableEntity || !bytes.Contains(body, []byte(c.where)) {
			t.Errorf("%s %s %s: %s %s", c.method, c.path, c.body, answer.Status, body)
		}
	}
	for _, path := range []string{"/alerts?q=", "/alerts?device=&cursor=&severity=", "/devices?alerts=true"} {
		var into json.RawMessage
		r.get(t, http.StatusOK, Base+path, &into)
	}
}
