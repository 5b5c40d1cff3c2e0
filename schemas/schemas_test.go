// SPDX-License-Identifier: Apache-2.0

package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
)

var update = flag.Bool("update", false, "rewrite the golden examples")

func ref[T any](v T) *T { return &v }

const at = Time(1772409600_000000123) // 2026-03-02T00:00:00.000000123Z

func sampleSession() *Session {
	return &Session{
		Schema: SessionSchema, Start: at, End: at + 2_500_000_000,
		Initiator:      Endpoint{netip.MustParseAddr("10.20.10.17"), ref(uint16(40122)), MAC{0xb8, 0xca, 0x3a, 0, 0, 0x17}},
		Responder:      Endpoint{netip.MustParseAddr("198.51.100.23"), ref(uint16(443)), MAC{0, 0x1b, 0x54, 0, 0, 1}},
		InitiatorBasis: "syn", Proto: "tcp", CommunityID: "1:LQU9qZlK+B5F3KDmev6m5PMibrg=", VLANs: []uint16{10},
		Encap:      []Encap{{Type: "erspan", ID: ref(uint32(5)), VLAN: 100}, {Type: "vxlan", ID: ref(uint32(0)), OuterSrc: netip.MustParseAddr("2001:db8::1"), OuterDst: netip.MustParseAddr("2001:db8::2")}},
		PacketsOut: 9, PacketsIn: 8, IPBytesOut: 1500, IPBytesIn: 9000, PayloadBytesOut: 1100, PayloadBytesIn: 8600,
		State: "closed", App: "tls",
		TLS: &TLS{SNI: "relay.example.net", Version: "1.2", ALPN: []string{"h2", "http/1.1"}, JA3: strings.Repeat("0a", 16), JA4: "t12d0102h2_0123456789ab_0123456789ab",
			CertSubject: "CN=relay.example.net", CertSHA256: strings.Repeat("ab", 32), CertNotAfter: FormatTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))},
	}
}

func sampleEvidence() []RoleEvidence {
	return []RoleEvidence{{"oui", "Dell Inc.", "server", 8}, {"ssh_banner", "SSH-2.0-OpenSSH_8.9p1", "server", 6.5}}
}

func sampleDevice() *Device {
	return &Device{
		Schema: DeviceSchema, Key: "srv-legacy-07", MAC: MAC{0xb8, 0xca, 0x3a, 0, 0, 0x17}, IPs: []netip.Addr{netip.MustParseAddr("10.20.10.17")},
		Hostnames: []string{"srv-legacy-07"}, VLANs: []uint16{10}, Vendor: "Dell", Board: "Realtek", Role: "server", RoleLevel: "probable", RoleProbability: 0.93,
		MUDURL: "https://dell.example/r740.json", Contract: &DeviceContract{State: "armed", Since: ref(at), ByAnalyst: true, Proposed: 1, Stale: 2, Outside: 3, Unseen: ref(0.01), LastUse: ref(at),
			Entries: map[string]int{"learned": 3, "approved": 1, "mud": 2, "inventory": 1, "role": 1}, Refused: []RefusedSessions{{"out udp 123 to 203.0.113.0/24", 12}}},
		Evidence: sampleEvidence(), Sums: []EvidenceSum{{"role", "server", 6.5, []SumTerm{{"base rate", -7}, {"banner", 13.5}}}}, Expect: "silent", ExpectSource: "inventory", FirstSeen: at, LastSeen: at + 1, LastOrigination: ref(at),
		Silence: &Silence{Since: at, Until: at + 3_600_000_000_000, WatchedSeconds: 3600, SilentSeconds: 1800, LossRatio: 0.0001, CountedSince: at, SessionsOpened: 1, SessionsAnswered: 2,
			BytesOut: 3, BytesIn: 4, Alerts: 5, OpenedHours: []OpenedHour{{at, 1}}, LastFrame: "ARP reply"},
		Serves:   []Service{{Port: 22, Proto: "tcp", App: "ssh", External: false}},
		Findings: []DeviceFinding{{Kind: "exposed_port", Text: "answers on 22/tcp to external peers", FirstSeen: at, LastSeen: at}},
	}
}

func sampleAlert() *Alert {
	id := strings.Repeat("ab", 13)
	return &Alert{
		Schema: AlertSchema, ID: id, Revision: 2, Action: "update", IncidentID: id, SuppressedBy: "backup-job",
		Time:   AlertTime{EventStart: at, EventEnd: at + 1, DetectedAt: at + 2, EmittedAt: ref(at + 3), Replay: true},
		Sensor: AlertSensor{ID: "sensor-1", Site: "hq", Version: "1.0.0", Capture: "file", RulesHash: "r", ConfigHash: "c", PolicyHash: "p", BootID: "b", Seq: 1, LossRatio: 0},
		Rule:   AlertRule{"D01", "Unexpected outbound", "unexpected_outbound", 1}, Title: "srv-legacy-07 opened a session outward",
		Message: "Expected to open nothing; opened 443/tcp to relay.example.net.", Severity: "high", RiskScore: 80, Confidence: 85,
		Reasons: []AlertReason{{"answered", "the peer answered", 0.2}}, Attack: []AlertAttack{{"enterprise", "TA0011", "T1071"}},
		Device: AlertDevice{Key: "srv-legacy-07", IP: netip.MustParseAddr("10.20.10.17"), MAC: MAC{1}, VLAN: ref(uint16(10)), Role: "server",
			Vendor: "Dell", Owner: "infrastructure team", Criticality: "high", Expect: "silent", SilentForS: ref(int64(604800)), Contract: "expect: silent", Evidence: sampleEvidence()},
		Peer: &AlertPeer{IP: netip.MustParseAddr("198.51.100.23"), Port: ref(uint16(443)), Scope: "external", Geo: &Geo{"NL", "2026-01-01"},
			ASN: &ASN{64500, "EXAMPLE"}, Domain: &Domain{"relay.example.net", "sni"}, FirstContact: true},
		Session: sampleSession(), RelatedSessions: []string{"1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		Evidence: []AlertEvidence{{Kind: "count", Time: ref(at), Summary: "3 sessions", Data: map[string]any{"sessions": 3}, PCAP: &PCAP{"a.pcap", 3, strings.Repeat("0", 64)}}},
		Entities: []string{"ip:10.20.10.17", "domain:relay.example.net"},
		Dedupe:   AlertDedupe{"198.51.100.23:443/tcp", 86400, 2, at, at + 1}, Recommendation: "Find the process that opened it.",
	}
}

func sampleIncident() *Incident {
	id := strings.Repeat("ab", 13)
	return &Incident{
		Schema: IncidentSchema, ID: id, Revision: 3, Action: "update",
		Time: IncidentTime{First: at, Last: at + 1, DetectedAt: at + 2, EmittedAt: ref(at + 3), Replay: true}, Sensor: sampleAlert().Sensor,
		Title:     "srv-legacy-07 taken over from 203.0.113.66 by ssh after 312 guesses; scans 254 hosts",
		Narrative: []IncidentSentence{{at, "203.0.113.66 logged in to srv-legacy-07 by ssh after 312 guesses", []string{id}}},
		Stages:    []IncidentStage{{"login", at, at + 1, "D08", []string{id}}},
		Devices:   []IncidentDevice{{"srv-legacy-07", "stepping_stone", "server", "Dell", netip.MustParseAddr("10.20.10.17")}},
		Peers:     []IncidentPeer{{netip.MustParseAddr("203.0.113.66"), "mail.example.com", &Geo{"NL", "2026-01-01"}, &ASN{64500, "EXAMPLE"}}},
		Severity:  "critical", RiskScore: 99, Probability: 0.9987, Terms: []IncidentTerm{{"D08", 0.7}}, Alerts: []string{id}, AlertsTotal: 1,
		Recommendation: "Isolate it.",
	}
}

func samplePolicy() *Policy {
	return &Policy{
		Schema: PolicySchema, ID: "backup-job", Version: 2, Kind: PolicySuppress, Scope: &PolicyScope{"hq", []string{"sensor-1"}},
		Device: &PolicyDevice{IP: "10.20.10.17"}, Rules: []string{"D18"}, Match: &PolicyMatch{"out", "tcp", "tls", 443, "*.backup.example"},
		Hours: "mon-fri 00-06", Reason: "nightly backup", Author: "a.analyst", Created: at, Expires: ref(at + 1), FromAlert: strings.Repeat("ab", 13),
	}
}

func sampleStatus() *Status {
	s := sampleAlert().Sensor
	s.Capture, s.CaptureWhy, s.Iface, s.Seq = "xdp", "native: the driver supports it", "span0", 0
	return &Status{
		Schema: StatusSchema, Sensor: s, InventoryHash: "i", Time: at, State: "running", UptimeSeconds: 90, IntervalSeconds: 30.01,
		Rates: StatusRates{120000.5, 9e8, 0.1}, Loss: StatusLoss{Received: 1000, NIC: 1, Ring: 2, XDP: 3, Queue: 4}, Spool: StatusSpool{5, 6000, 0.5, 7},
		Tables: []StatusTable{{"sessions", 10, 1000}}, Blind: "the link is down", Obstacles: []StatusObstacle{{"no_packets", "no frame has arrived"}},
	}
}

func sampleEvidenceFile() *Evidence {
	id := strings.Repeat("ab", 13)
	title := EvidenceTitle(id) + " rule D01 Unexpected outbound"
	data := binary.LittleEndian.AppendUint32(nil, 0x0a0d0d0a)
	data = append(data, make([]byte, 20)...) // the rest of the fixed fields
	data = binary.LittleEndian.AppendUint16(data, 1)
	data = append(binary.LittleEndian.AppendUint16(data, uint16(len(title))), title...)
	sum := sha256.Sum256(data)
	return &Evidence{Schema: EvidenceSchema, Alert: id, SHA256: hex.EncodeToString(sum[:]), Packets: 3, Summary: "3 packets of the device", Time: at,
		Sensor: EvidenceSensor{"sensor-1", "hq"}, Data: data}
}

// TestEvidenceCheck checks that packets that are not those of the record are refused.
func TestEvidenceCheck(t *testing.T) {
	if err := sampleEvidenceFile().Check(); err != nil {
		t.Error(err)
	}
	rehash := func(e *Evidence) {
		sum := sha256.Sum256(e.Data)
		e.SHA256 = hex.EncodeToString(sum[:])
	}
	for name, change := range map[string]func(*Evidence){
		"other bytes":     func(e *Evidence) { e.Data[30]++ },
		"other alert":     func(e *Evidence) { e.Alert = strings.Repeat("cd", 13) },
		"no pcapng":       func(e *Evidence) { e.Data[0] = 0; rehash(e) },
		"cut":             func(e *Evidence) { e.Data = e.Data[:20]; rehash(e) },
		"empty":           func(e *Evidence) { e.Data = nil; rehash(e) },
		"another comment": func(e *Evidence) { e.Data[29] ^= 1; rehash(e) },
		"too large":       func(e *Evidence) { e.Data = append(e.Data, make([]byte, MaxEvidence)...); rehash(e) },
	} {
		e := sampleEvidenceFile()
		if change(e); e.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func samples(t *testing.T) map[Kind][]byte {
	t.Helper()
	p, err := AppendPolicy(nil, samplePolicy())
	if err != nil {
		t.Fatal(err)
	}
	d, err := AppendDevice(nil, sampleDevice())
	if err != nil {
		t.Fatal(err)
	}
	a, err := AppendAlert(nil, sampleAlert())
	if err != nil {
		t.Fatal(err)
	}
	i, err := AppendIncident(nil, sampleIncident())
	if err != nil {
		t.Fatal(err)
	}
	u, err := AppendStatus(nil, sampleStatus())
	if err != nil {
		t.Fatal(err)
	}
	e, err := AppendEvidence(nil, sampleEvidenceFile())
	if err != nil {
		t.Fatal(err)
	}
	return map[Kind][]byte{KindEvidence: e, KindStatus: u, KindPolicy: p, KindIncident: i, KindSession: AppendSession(nil, sampleSession()), KindDevice: d, KindAlert: a}
}

func TestGoldenExamples(t *testing.T) {
	for k, line := range samples(t) {
		path := filepath.Join("testdata", string(k)+".json")
		if *update {
			if err := os.WriteFile(path, append(line, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.TrimSpace(want), line) {
			t.Errorf("%s: got\n%s\nwant\n%s", k, line, want)
		}
		if err := Validate(k, line); err != nil {
			t.Error(err)
		}
	}
}

// TestSessionEncoderAgreesWithTags checks that the hand-written encoder writes what encoding/json writes from the struct tags.
func TestSessionEncoderAgreesWithTags(t *testing.T) {
	type plain Session
	for _, s := range []*Session{sampleSession(), fullSession(), {Schema: SessionSchema, Proto: "47", State: "one_way", InitiatorBasis: "first_packet"}} {
		s.Initiator.IP, s.Responder.IP = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")
		want, err := json.Marshal((*plain)(s))
		if err != nil {
			t.Fatal(err)
		}
		got := AppendSession(nil, s)
		if !bytes.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		var back Session
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&back, s) {
			t.Errorf("read back %+v, want %+v", &back, s)
		}
	}
}

func fullSession() *Session {
	s := sampleSession()
	s.QUIC, s.SSH = &TLS{SNI: "a.example", NPF: "tls/1/(0303)(1301)[]", NPFServer: "tls_server/(0303)(1301)()"}, &SSH{"SSH-2.0-a", "SSH-2.0-b", strings.Repeat("0", 32), strings.Repeat("1", 32), "ssh/()", "ssh_server/()", "failure", ref(0)}
	s.HTTP = &HTTP{"GET", "h", "/", "ua", "srv", 401, "basic", "failure"}
	s.RTSP, s.DNS = &HTTP{Method: "OPTIONS", Status: 200}, &DNS{"a.example", "A", "NOERROR", []string{"192.0.2.1"}}
	return s
}

func TestHostileStrings(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "abc", `"abc"`},
		{"quote", `a"b\c`, `"a\"b\\c"`},
		{"controls", "a\x00\x1b[2J\n\t", `"a\u0000\u001b[2J\n\u0009"`},
		{"delete and C1", "\x7f\u0085", `"\u007f\u0085"`},
		{"invalid UTF-8", "\xff\xc3(", "\"\ufffd\ufffd(\""},
		{"overlong", "\xc0\x80", "\"\ufffd\ufffd\""},
		{"surrogate", "\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
		{"line separators", "\u2028\u2029", `"\u2028\u2029"`},
		{"text", "Überwachung 監視", `"Überwachung 監視"`},
		{"U+FFFD itself", "\ufffd", "\"\ufffd\""},
	} {
		got := string(AppendString(nil, c.in))
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: %s is not JSON", c.name, got)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\x00\xffé")
	mutate.Fuzz(f, func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(AppendString(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("%q read back as %q", s, back)
		}
	})
}

func TestTime(t *testing.T) {
	for _, c := range []struct {
		in   int64
		want string
	}{
		{0, "1970-01-01T00:00:00.000000000Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{951782400_000000001, "2000-02-29T00:00:00.000000001Z"},
		{math.MaxInt64, "2262-04-11T23:47:16.854775807Z"},
		{math.MinInt64, "1677-09-21T00:12:43.145224192Z"},
	} {
		if got := Time(c.in).String(); got != c.want {
			t.Errorf("%d: %s, want %s", c.in, got, c.want)
		}
	}
	for sec := int64(-9e9); sec < 9e9; sec += 98765432 {
		if got, want := Time(sec*1e9+7).String(), time.Unix(sec, 7).UTC().Format(timeLayout); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestTimesOutOfRangeAreClamped(t *testing.T) {
	if got := TimeOf(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)); got != math.MaxInt64 {
		t.Error(got)
	}
	if got := TimeOf(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)); got != math.MinInt64 {
		t.Error(got)
	}
	for _, y := range []int{-5, 10000, 9999} {
		if s := FormatTime(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC)); len(s) != 30 {
			t.Errorf("year %d: %s", y, s)
		}
	}
	var v Time
	for _, bad := range []string{`null`, `5`, `"x"`, `"2026-01-01"`, `"`, ``} {
		if err := v.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read as a time", bad)
		}
	}
}

// TestSchemasReject checks that the schemas reject samples with one error each.
func TestSchemasReject(t *testing.T) {
	lines := samples(t)
	for _, c := range []struct {
		kind     Kind
		old, new string
	}{
		{KindSession, `"schema":"stillwatch.session/1"`, `"schema":"stillwatch.session/2"`},
		{KindSession, `"state":"closed"`, `"state":"done"`},
		{KindSession, `"packets_in":8,`, ``},
		{KindSession, `"packets_in":8`, `"packets_in":-1`},
		{KindSession, `"packets_in":8`, `"packets_in":"8"`},
		{KindSession, `"app":"tls"`, `"app":""`},
		{KindSession, `"app":"tls"`, `"app":null`},
		{KindSession, `"app":"tls"`, `"extra":1`},
		{KindSession, `"port":443`, `"port":65536`},
		{KindSession, `"ip":"198.51.100.23"`, `"ip":"198.51.100.256"`},
		{KindSession, `.000000123Z`, `.123Z`},
		{KindSession, `"type":"vxlan"`, `"type":"wormhole"`},
		{KindSession, `"version":"1.2"`, `"version":"771"`},
		{KindIncident, `"stage":"login"`, `"stage":"lunch"`},
		{KindIncident, `"part":"stepping_stone"`, `"part":"bystander"`},
		{KindDevice, `"role":"server"`, `"role":"toaster"`},
		{KindDevice, `"role_probability":0.93`, `"role_probability":1.5`},
		{KindDevice, `"hostnames":["srv-legacy-07"]`, `"hostnames":[]`},
		{KindDevice, `"mac":"b8:ca:3a:00:00:17"`, `"mac":"B8:CA:3A:00:00:17"`},
		{KindPolicy, `"id":"backup-job"`, `"id":"a/b"`},
		{KindPolicy, `"version":2`, `"version":0`},
		{KindPolicy, `"kind":"suppress"`, `"kind":"permit"`},
		{KindPolicy, `"rules":["D18"]`, `"rules":["*"]`},
		{KindPolicy, `"port":443`, `"port":0`},
		{KindPolicy, `"reason":"nightly backup",`, ``},
		{KindEvidence, `"packets":3`, `"packets":257`},
		{KindEvidence, `"data":"`, `"data":"*`},
		{KindEvidence, `"sensor":{"id":"sensor-1"`, `"sensor":{"name":"sensor-1"`},
		{KindAlert, `"severity":"high"`, `"severity":"bad"`},
		{KindAlert, `"risk_score":80`, `"risk_score":101`},
		{KindAlert, `"technique":"T1071"`, `"technique":"1071"`},
		{KindAlert, `"revision":2`, `"revision":0`},
		{KindAlert, `"state":"closed"`, `"state":"done"`}, // the session inside
		{KindAlert, `"scope":"external",`, ``},
	} {
		line := string(lines[c.kind])
		if !strings.Contains(line, c.old) {
			t.Fatalf("%s: the sample has no %s", c.kind, c.old)
		}
		if err := Validate(c.kind, []byte(strings.Replace(line, c.old, c.new, 1))); err == nil {
			t.Errorf("%s: %s was accepted", c.kind, c.new)
		}
	}
	for _, bad := range []string{``, `[]`, `{`, `{}`} {
		if err := Validate(KindSession, []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if err := Validate("report", []byte(`{}`)); err == nil {
		t.Error("an unknown kind was accepted")
	}
	if _, err := File("report"); err == nil {
		t.Error("an unknown kind has a file")
	}
}

func TestRoundTrip(t *testing.T) {
	lines := samples(t)
	var d Device
	var a Alert
	if err := json.Unmarshal(lines[KindDevice], &d); err != nil || !reflect.DeepEqual(&d, sampleDevice()) {
		t.Errorf("device: %v %+v", err, d)
	}
	if err := json.Unmarshal(lines[KindAlert], &a); err != nil {
		t.Fatal(err)
	}
	again, _ := AppendAlert(nil, &a)
	if !bytes.Equal(again, lines[KindAlert]) {
		t.Errorf("alert read back and written:\n%s\nwas\n%s", again, lines[KindAlert])
	}
}

func TestAlertEvidenceMustBeJSON(t *testing.T) {
	a := sampleAlert()
	a.Evidence[0].Data = map[string]any{"x": math.NaN()}
	if _, err := AppendAlert(nil, a); err == nil {
		t.Error("NaN was encoded")
	}
}

func TestSessionIsWrittenWithoutAllocation(t *testing.T) {
	s := sampleSession()
	buf := AppendSession(nil, s)
	if n := testing.AllocsPerRun(10, func() { buf = AppendSession(buf[:0], s) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

func BenchmarkAppendSession(b *testing.B) {
	s := sampleSession()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendSession(buf[:0], s)
	}
}
