// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"stillwatch/schemas"
)

// memory is a sink in memory.
type memory struct {
	bytes.Buffer
	records int
}

func (m *memory) Head(lines []byte) error { m.Write(lines); return nil }
func (m *memory) Put(line []byte) error   { m.records++; m.Write(line); return nil }

// hostile is what an attacker sends as a name.
var hostile = []string{
	`=cmd|' /C calc'!A0`, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1", `say "hi", all`, "two\nlines", "\x00\x1b[31m\x7f", "bad \xff\xfe utf-8", "-", "(empty)",
	"#close", `back\slash`, "a,b", "\u2028\u0085", "ünï 漢字", "", `\x2d`, "tab\tand\r\nline",
}

func testSession(name string) *schemas.Session {
	from, to := uint16(40122), uint16(443)
	failures := 2
	return &schemas.Session{
		Start: 1772409600000000123, End: 1772409602500000123, InitiatorBasis: "syn", Proto: "tcp", State: "closed", App: "tls", CommunityID: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
		Initiator: schemas.Endpoint{IP: netip.MustParseAddr("10.20.10.17"), Port: &from, MAC: schemas.MAC{2, 0, 0, 0, 0, 1}},
		Responder: schemas.Endpoint{IP: netip.MustParseAddr("2001:db8::1"), Port: &to}, PacketsOut: 9, PacketsIn: 8, IPBytesOut: 1500, IPBytesIn: 1 << 63,
		PayloadBytesOut: 1100, VLANs: []uint16{10, 20}, Encap: []schemas.Encap{{Type: "vxlan", ID: new(uint32), OuterSrc: netip.MustParseAddr("192.0.2.1"), OuterDst: netip.MustParseAddr("192.0.2.2")}},
		TLS:  &schemas.TLS{SNI: name, Version: "1.2", ALPN: []string{name, "h2"}, CertSubject: name, CertSHA256: "ab", CertNotAfter: "2030-01-01T00:00:00.000000000Z"},
		SSH:  &schemas.SSH{Client: name, Server: "SSH-2.0-" + name, Auth: "success", AuthFailures: &failures},
		HTTP: &schemas.HTTP{Method: name, Host: name, URI: name, UserAgent: name, Server: name, Status: 200},
		RTSP: &schemas.HTTP{URI: name}, DNS: &schemas.DNS{QName: name, QType: "A", RCode: "NOERROR", Answers: []string{name, "192.0.2.1"}},
	}
}

func testDevice(name string) *schemas.Device {
	return &schemas.Device{Key: "dev" + name, IPs: []netip.Addr{netip.MustParseAddr("10.20.10.17")}, Hostnames: []string{name}, Vendor: name, Model: name, Firmware: name, Role: "camera",
		Serves: []schemas.Service{{Port: 23, Proto: "tcp", App: "telnet"}, {Port: 8000, Proto: "tcp"}}, FirstSeen: 1772409600000000000, LastSeen: 1772409700000000000,
		Findings: []schemas.DeviceFinding{{Kind: "exposed_port", Text: name}}}
}

func testAlert(id, name string) *schemas.Alert {
	return &schemas.Alert{ID: id, Revision: 1, Action: "create", Title: name, Message: name, Severity: "high", Rule: schemas.AlertRule{ID: "D08", Name: name + " login", Version: 1},
		Time: schemas.AlertTime{EventStart: 1772409601000000000, EventEnd: 1772409602000000000}, Device: schemas.AlertDevice{Key: name, IP: netip.MustParseAddr("10.20.10.17"), Owner: name},
		Peer: &schemas.AlertPeer{IP: netip.MustParseAddr("192.0.2.9"), Scope: "external", Domain: &schemas.Domain{Name: name}, ASN: &schemas.ASN{Number: 64496}}, Session: testSession(name),
		Attack: []schemas.AlertAttack{{Technique: "T1078"}}, Evidence: []schemas.AlertEvidence{{Summary: name}}, Dedupe: schemas.AlertDedupe{Count: 3}}
}

func testIncident(id, name string) *schemas.Incident {
	return &schemas.Incident{ID: id, Revision: 2, Title: name, Severity: "high", Narrative: []schemas.IncidentSentence{{Time: 1772409601000000000, Text: name}},
		Devices: []schemas.IncidentDevice{{Key: name, Part: "victim"}}, Time: schemas.IncidentTime{First: 1772409601000000000, Last: 1772409601000000000}}
}

// write writes hostile records with a format.
func write(t *testing.T, f Format) {
	t.Helper()
	s := NewSet(f)
	errs := []error{s.Begin()}
	for i, name := range hostile {
		id := string(rune('a' + i))
		errs = append(errs, s.Session(testSession(name)), s.Alert(testAlert(id, "an older revision")), s.Alert(testAlert(id, name)), s.Incident(testIncident(id, name)))
		bare := &schemas.Session{Start: schemas.Time(i), End: schemas.Time(i), Proto: "icmp", State: "established", Initiator: schemas.Endpoint{IP: netip.MustParseAddr("10.0.0.1")},
			Responder: schemas.Endpoint{IP: netip.MustParseAddr("10.0.0.2")}}
		errs = append(errs, s.Session(bare), s.Device(testDevice(name)))
		for _, app := range []string{"dns", "http", "ssh", "dhcp"} {
			x := testSession(name)
			x.App, x.TLS = app, nil
			if app != "dns" {
				x.DNS = nil
			}
			if app == "ssh" || app == "dhcp" {
				x.HTTP = nil
			}
			if app == "dhcp" {
				x.SSH = nil
			}
			errs = append(errs, s.Session(x))
		}
	}
	if err := errors.Join(append(errs, s.End()...)...); err != nil {
		t.Fatal(err)
	}
}

func sinks(names []string) (map[string]*memory, map[string]Sink) {
	m, s := map[string]*memory{}, map[string]Sink{}
	for _, n := range names {
		m[n] = &memory{}
		s[n] = m[n]
	}
	return m, s
}

// checkPrintable fails if text has a character that a terminal or a parser of lines would execute.
func checkPrintable(t *testing.T, text string, allowed string) {
	t.Helper()
	for i, r := range text {
		if unprintable(r) && r != utf8.RuneError && !strings.ContainsRune(allowed, r) || !utf8.ValidString(text[i:min(i+4, len(text))]) && !utf8.ValidString(text) {
			t.Fatalf("%U at %d: %q", r, i, text[max(0, i-40):i+1])
		}
	}
}

func TestCSVOfHostileNames(t *testing.T) {
	files, s := sinks(Tables)
	write(t, NewCSV(s, time.UTC))
	for name, f := range files {
		text := f.String()
		checkPrintable(t, text, "\n")
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != f.records+1 || strings.Count(text, "\n") != len(rows) {
			t.Fatalf("%s: %d rows of %d records in %d lines: %v", name, len(rows), f.records, strings.Count(text, "\n"), err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "-" && cell != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(cell)[0]) {
					t.Errorf("%s: a spreadsheet would execute %q", name, cell)
				}
			}
		}
	}
	if got := files["alerts"].records; got != len(hostile) {
		t.Errorf("%d alerts, want the last revisions of %d", got, len(hostile))
	}
	for _, want := range []string{`'=cmd|' /C calc'!A0`, `"say ""hi"", all"`, `two\x0alines`, `'\x09=1`, "ünï 漢字", `back\slash`} {
		if !strings.Contains(files["sessions"].String(), ","+want+",") {
			t.Errorf("no cell %s", want)
		}
	}
}

func TestCSVTimesAreInTheZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	files, s := sinks(Tables)
	f := NewCSV(s, zone)
	if err := f.Session(testSession("x")); err != nil {
		t.Fatal(err)
	}
	if want := "2026-03-02T01:00:00.000000123+01:00,2026-03-02T01:00:02.500000123+01:00,10.20.10.17,40122,"; !strings.HasPrefix(files["sessions"].String(), want) {
		t.Errorf("%s", files["sessions"])
	}
}

func TestParquetOfHostileNames(t *testing.T) {
	files, w := map[string]*bytes.Buffer{}, map[string]io.Writer{}
	for _, n := range Tables {
		files[n] = &bytes.Buffer{}
		w[n] = files[n]
	}
	write(t, NewParquet(w))
	rows, err := parquet.Read[sessionRow](bytes.NewReader(files["sessions"].Bytes()), int64(files["sessions"].Len()))
	if err != nil || len(rows) != 6*len(hostile) {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for i, name := range hostile {
		want := rowOfSession(testSession(name))
		if got := rows[6*i]; got.TLSSNI != want.TLSSNI || !utf8.ValidString(got.TLSSNI) || *got.InitiatorPort != 40122 || got.IPBytesIn != 1<<63 || got.Start != want.Start || len(got.TLSALPN) != 2 {
			t.Errorf("%q: %+v", name, got)
		}
		if bare := rows[6*i+1]; bare.InitiatorPort != nil || bare.App != "" || bare.HTTPStatus != nil {
			t.Errorf("%+v", bare)
		}
	}
	alerts, err := parquet.Read[alertRow](bytes.NewReader(files["alerts"].Bytes()), int64(files["alerts"].Len()))
	if err != nil || len(alerts) != len(hostile) || alerts[7].Title != hostile[7] {
		t.Errorf("%d alerts: %v", len(alerts), err)
	}
}

// The rows in memory are bounded: row groups are written while the replay runs.
func TestParquetWritesRowGroups(t *testing.T) {
	w := map[string]io.Writer{}
	for _, n := range Tables {
		w[n] = &bytes.Buffer{}
	}
	f := NewParquet(w)
	for range 2*rowsInGroup + 1 {
		if err := f.Session(testSession("x")); err != nil {
			t.Fatal(err)
		}
	}
	b := w["sessions"].(*bytes.Buffer)
	if b.Len() == 0 {
		t.Error("nothing was written before the end")
	}
	if err := f.End(); err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(p.RowGroups()) != 3 {
		t.Errorf("%v", err)
	}
}

// cut reads a log by the rules of zeek-cut: lines that begin with # are headers, fields are split at the separator, and escapes stay as they are.
func cut(t *testing.T, text string) (header map[string][]string, rows []map[string]string) {
	t.Helper()
	header = map[string][]string{}
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			t.Fatalf("the last line has no end: %q", line)
		}
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#separator ") {
			header["#separator"] = []string{strings.TrimPrefix(line, "#separator ")}
			continue
		}
		cells := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") {
			header[cells[0]] = cells[1:]
			continue
		}
		if len(cells) != len(header["#fields"]) {
			t.Fatalf("%d cells for %d fields: %q", len(cells), len(header["#fields"]), line)
		}
		row := map[string]string{}
		for i, f := range header["#fields"] {
			row[f] = cells[i]
		}
		rows = append(rows, row)
	}
	return header, rows
}

func TestZeekLogsOfHostileNames(t *testing.T) {
	files, s := sinks(ZeekPaths())
	write(t, NewZeek(s, ZeekTSV, time.UTC))
	for path, f := range files {
		checkPrintable(t, f.String(), "\n\t")
		header, rows := cut(t, f.String())
		if len(rows) != f.records || len(rows) == 0 {
			t.Errorf("%s: %d rows of %d records", path, len(rows), f.records)
		}
		for line, want := range map[string]string{"#separator": `\x09`, "#set_separator": ",", "#empty_field": "(empty)", "#unset_field": "-", "#path": path, "#close": "2026-03-02-00-01-40"} {
			if got := header[line]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", path, line, got, want)
			}
		}
		if len(header["#types"]) != len(header["#fields"]) {
			t.Errorf("%s: %d types of %d fields", path, len(header["#types"]), len(header["#fields"]))
		}
	}
	_, rows := cut(t, files["ssl"].String())
	for i, want := range []string{`=cmd|' /C calc'!A0`, "+1+1", "-2+3", "@SUM(A1)", `\x09=1`, `\x0d=1`, "＝1", `say "hi", all`, `two\x0alines`, `\x00\x1b[31m\x7f`, `bad \xff\xfe utf-8`,
		`\x2d`, `\x28empty)`, "#close", `back\\slash`, "a,b", `\xe2\x80\xa8\xc2\x85`, "ünï 漢字", "-", `\\x2d`, `tab\x09and\x0d\x0aline`} {
		if got := rows[i]["server_name"]; got != want {
			t.Errorf("%q is written as %q, want %q", hostile[i], got, want)
		}
	}
	_, rows = cut(t, files["dns"].String())
	if got := rows[2*15]["answers"]; got != `a\x2cb,192.0.2.1` {
		t.Errorf("answers %q", got)
	}
	if got := rows[2*18]["answers"]; got != `(empty),192.0.2.1` {
		t.Errorf("answers %q", got)
	}
	_, rows = cut(t, files["http"].String())
	if r := rows[0]; r["tags"] != "(empty)" || r["trans_depth"] != "1" || r["status_code"] != "200" || r["proxied"] != "-" || r["ts"] != "1772409600.000000" || r["id.resp_h"] != "2001:db8::1" {
		t.Errorf("%v", r)
	}
	_, rows = cut(t, files["conn"].String())
	if r := rows[0]; r["duration"] != "2.500000" || r["orig_bytes"] != "1100" || r["resp_ip_bytes"] != "9223372036854775808" || r["vlan"] != "10" || r["inner_vlan"] != "20" || r["service"] != "ssl" {
		t.Errorf("%v", r)
	}
	if r := rows[1]; r["duration"] != "-" || r["orig_bytes"] != "-" || r["id.orig_p"] != "0" || r["conn_state"] != "OTH" {
		t.Errorf("%v", r)
	}
}

func TestZeekJSON(t *testing.T) {
	files, s := sinks(ZeekPaths())
	write(t, NewZeek(s, ZeekJSON, time.UTC))
	for path, f := range files {
		rows := objects(t, f.String())
		if len(rows) != f.records || len(rows) == 0 {
			t.Errorf("%s: %d rows of %d records", path, len(rows), f.records)
		}
		if ts, ok := rows[0]["ts"].(float64); !ok || ts < 0 {
			t.Errorf("%s: ts is %v", path, rows[0]["ts"])
		}
	}
	row := objects(t, files["ssl"].String())[8]
	if row["server_name"] != "two\nlines" || row["id.orig_p"] != 40122.0 || !reflect.DeepEqual(row["cert_chain_fps"], []any{"ab"}) || row["cipher"] != nil {
		t.Errorf("%v", row)
	}
}

// objects parses JSON Lines.
func objects(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	checkPrintable(t, text, "\n")
	for line := range strings.Lines(text) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		all = append(all, o)
	}
	return all
}

func TestConnState(t *testing.T) {
	for _, c := range []struct {
		proto, state, basis, resetBy, want string
		in                                 uint64
	}{
		{"tcp", "attempted", "syn", "", "S0", 0}, {"tcp", "rejected", "syn", "", "REJ", 1}, {"tcp", "rejected", "first_packet", "", "RSTRH", 1},
		{"tcp", "established", "syn", "", "S1", 1}, {"tcp", "closed", "syn", "", "SF", 1}, {"tcp", "reset", "syn", "initiator", "RSTO", 1},
		{"tcp", "reset", "syn", "responder", "RSTR", 1}, {"tcp", "reset", "syn", "both", "RSTR", 1}, {"tcp", "reset", "syn", "", "OTH", 1},
		{"tcp", "midstream", "port", "", "OTH", 1}, {"tcp", "one_way", "syn", "", "OTH", 0},
		{"udp", "attempted", "first_packet", "", "S0", 0}, {"udp", "established", "first_packet", "", "SF", 1},
		{"icmp", "established", "request", "", "OTH", 1}, {"sctp", "established", "syn", "", "OTH", 1},
	} {
		s := &schemas.Session{Proto: c.proto, State: c.state, InitiatorBasis: c.basis, ResetBy: c.resetBy, PacketsOut: 1, PacketsIn: c.in}
		if got := connState(s); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := connState(&schemas.Session{Proto: "udp", State: "midstream", PacketsIn: 1}); got != "SHR" {
		t.Errorf("answer without a question: %s", got)
	}
}

func TestUIDs(t *testing.T) {
	s := testSession("a")
	first := uid(s)
	if !strings.HasPrefix(first, "C") || len(first) < 12 || len(first) > 18 || uid(testSession("another name")) != first || flowID(s)>>53 != 0 {
		t.Errorf("%s %d", first, flowID(s))
	}
	seen := map[string]bool{first: true}
	for i, change := range []func(s *schemas.Session){
		func(s *schemas.Session) { s.Start++ }, func(s *schemas.Session) { s.VLANs = s.VLANs[:1] }, func(s *schemas.Session) { s.Encap = nil }, func(s *schemas.Session) { s.Proto = "udp" },
		func(s *schemas.Session) { s.Initiator, s.Responder = s.Responder, s.Initiator },
	} {
		s := testSession("a")
		change(s)
		if seen[uid(s)] {
			t.Errorf("change %d: the same uid", i)
		}
		seen[uid(s)] = true
	}
}

func TestTimelinesOfHostileNames(t *testing.T) {
	var ts, l memory
	write(t, NewTimesketch(&ts, time.UTC))
	for _, o := range objects(t, ts.String()) {
		if _, err := time.Parse(time.RFC3339Nano, o["datetime"].(string)); err != nil || o["message"] == nil || o["timestamp_desc"] == "" || o["timestamp"] == nil {
			t.Fatalf("%v: %v", err, o)
		}
	}
	write(t, NewL2T(&l, time.UTC))
	checkPrintable(t, l.String(), "\n")
	rows, err := csv.NewReader(&l).ReadAll()
	if err != nil || len(rows) != ts.records+1 {
		t.Fatalf("%d rows, want %d: %v", len(rows), ts.records+1, err)
	}
	if got := strings.Join(rows[0], ","); got != "date,time,timezone,MACB,source,sourcetype,type,user,host,short,desc,version,filename,inode,notes,format,extra" {
		t.Errorf("columns %s", got)
	}
	if r := rows[1]; r[0] != "03/02/2026" || r[1] != "00:00:00" || r[2] != "UTC" || r[11] != "2" {
		t.Errorf("%v", r)
	}
}

func TestEVEOfHostileNames(t *testing.T) {
	var f memory
	write(t, NewEVE(&f, time.UTC))
	kinds := map[string]int{}
	for _, o := range objects(t, f.String()) {
		kind := o["event_type"].(string)
		kinds[kind]++
		if _, err := time.Parse(eveTime, o["timestamp"].(string)); err != nil || o[kind] == nil {
			t.Fatalf("%v: %v", err, o)
		}
	}
	n := len(hostile)
	if want := map[string]int{"flow": 6 * n, "dns": 2 * n, "http": 3 * n, "tls": n, "ssh": 4 * n, "alert": n}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	if a, b := signatureID("D08"), signatureID("C001"); a != 1000008 || b < 1100000 || b > 1999999 {
		t.Errorf("%d %d", a, b)
	}
}

// Alerts are bounded: the older half is written early, and again with a later revision.
func TestManyAlerts(t *testing.T) {
	var written []string
	l := latest[int]{most: 4, write: func(n *int) error { written = append(written, string(rune('0'+*n))); return nil }}
	put := func(id string, n int) {
		t.Helper()
		if err := l.put(id, &n); err != nil {
			t.Fatal(err)
		}
	}
	put("a", 1)
	put("b", 2)
	put("a", 3)
	put("c", 4)
	put("d", 5)
	put("e", 6)
	put("a", 7)
	put("c", 8)
	if err := l.flush(len(l.order)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(written, ""); got != "328567" {
		t.Errorf("%s", got)
	}
}

// An error of one format does not end the others.
func TestOneFormatFails(t *testing.T) {
	full := errors.New("no space")
	var ts memory
	s := NewSet(NewL2T(failing{full}, time.UTC), NewTimesketch(&ts, time.UTC))
	if err := s.Session(testSession("x")); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if err := s.Alert(testAlert("a", "x")); err != nil {
		t.Error(err)
	}
	if errs := s.End(); !errors.Is(errors.Join(errs...), full) || ts.records != 2 {
		t.Errorf("%v, %d events", errs, ts.records)
	}
}

type failing struct{ err error }

func (f failing) Head([]byte) error { return f.err }
func (f failing) Put([]byte) error  { return f.err }
