// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

// operator returns a rule as it is read from a document.
func operator(t *testing.T, on customrule.On, when string, change func(*customrule.Rule)) *customrule.Rule {
	t.Helper()
	r := &customrule.Rule{ID: "C001", Name: "Old admin host", On: on, When: when, Severity: "high", Count: 1, Within: time.Hour, PerPair: true}
	if change != nil {
		change(r)
	}
	if err := r.Compile(); err != nil {
		t.Fatal(err)
	}
	return r
}

// custom returns a fixture with a camera of the inventory and the given rules.
func customFixture(t *testing.T, rules ...*customrule.Rule) *fixture {
	t.Helper()
	w := declared(t, entry("cam-1", "10.0.30.5", contract.Normal), entry("srv-1", "10.0.30.6", contract.Normal))
	ds, err := New(Config{Custom: rules})
	if err != nil {
		t.Fatal(err)
	}
	w.dets = ds
	return w
}

// TestCustomRuleOnEachKind checks for each kind of event that the rule matches it once, and what the finding says.
func TestCustomRuleOnEachKind(t *testing.T) {
	const cam, srv, out = "10.0.30.5", "10.0.30.6", "203.0.113.9"
	for _, x := range []struct {
		on         customrule.On
		when       string
		play       func(w *fixture)
		key, title string
	}{
		{customrule.Opened, `session.port == 6667 and peer.external and device.name == "cam-1"`, func(w *fixture) {
			w.connect(cam, out+":6667")
			w.connect(cam, srv+":6667")
			w.connect(cam, out+":6668")
		}, out, "cam-1 opened a session with 203.0.113.9:6667: Old admin host"},
		{customrule.Opened, `session.direction == "in" and session.port == 22`, func(w *fixture) { w.connect(cam, out+":22"); w.connect(out, cam+":22") },
			out, "cam-1 was called by 203.0.113.9: Old admin host"},
		{customrule.Answered, `session.port == 22`, func(w *fixture) { w.attempt(cam, out+":22"); w.carried(w.connect(cam, out+":22"), 9, 9) },
			out, "cam-1 connected to 203.0.113.9:22: Old admin host"},
		{customrule.Ended, `session.bytes_out > 1000 and session.state == "closed"`, func(w *fixture) {
			w.carried(w.connect(cam, out+":443"), 900, 10)
			w.carried(w.connect(cam, out+":443"), 5000, 10)
		}, out, "cam-1 had a session with 203.0.113.9:443: Old admin host"},
		{customrule.OnDNS, `dns.name endsWith ".example" and dns.type == "TXT"`, func(w *fixture) {
			v := w.open(protoUDP, cam, srv+":53")
			for _, m := range []dissect.DNSMessage{{QName: "a.example", QType: "TXT"}, {QName: "a.example", QType: "TXT", Response: true}, {QName: "a.example", QType: "TXT", MDNS: true}, {QName: "a.example", QType: "A"}} {
				w.fact(v, &m)
			}
		}, "a.example", "cam-1 looked up a.example: Old admin host"},
		{customrule.OnHTTP, `http.method == "POST" and http.uri contains "/gate"`, func(w *fixture) {
			v := w.connect(cam, out+":80")
			w.fact(v, &dissect.HTTPExchange{Method: "POST", URI: "/gate.php"})
			w.fact(v, &dissect.HTTPExchange{Method: "POST", URI: "/gate.php", Status: 200})
		}, out, "cam-1 sent an HTTP request to 203.0.113.9:80: Old admin host"},
		{customrule.OnHTTP, `http.method == "POST" and http.status == 200`, func(w *fixture) {
			v := w.connect(cam, out+":80")
			w.fact(v, &dissect.HTTPExchange{Method: "POST", URI: "/gate.php"})
			w.fact(v, &dissect.HTTPExchange{Method: "POST", URI: "/gate.php", Status: 200})
			w.fact(v, &dissect.HTTPExchange{Method: "POST", URI: "/gate.php", Status: 404, Index: 1})
		}, out, "cam-1 sent an HTTP request to 203.0.113.9:80: Old admin host"},
		{customrule.OnTLS, `tls.sni == "c2.example" and "h2" in tls.alpn and session.name == tls.sni`, func(w *fixture) {
			w.fact(w.connect(cam, out+":443"), &dissect.TLSClientHello{SNI: "c2.example", ALPN: []string{"h2"}})
			w.fact(w.connect(cam, out+":443"), &dissect.TLSClientHello{SNI: "c2.example"})
		}, out, "cam-1 opened a TLS session with c2.example:443: Old admin host"},
		{customrule.OnTLS, `tls.version == "1.0"`, func(w *fixture) { w.fact(w.connect(cam, out+":443"), &dissect.TLSServerHello{Version: 0x301}) },
			out, "cam-1 opened a TLS session with 203.0.113.9:443: Old admin host"},
		{customrule.OnTLS, `tls.self_signed and tls.subject contains "router"`, func(w *fixture) {
			w.fact(w.connect(cam, out+":443"), &dissect.TLSCertificate{SelfSigned: true, Subject: "CN=router"})
		}, out, "cam-1 opened a TLS session with 203.0.113.9:443: Old admin host"},
		{customrule.OnLogin, `login.result == "success" and login.protocol == "ftp"`, func(w *fixture) {
			v := w.connect(srv, cam+":21")
			w.fact(v, &dissect.Login{Protocol: "ftp", Result: dissect.OutcomeFailure})
			w.fact(v, &dissect.Login{Protocol: "ftp", Result: dissect.OutcomeSuccess})
		}, cam, "srv-1 logged in to cam-1:21: Old admin host"},
	} {
		w := customFixture(t, operator(t, x.on, x.when, nil))
		x.play(w)
		if got := w.reported("C001"); len(got) != 1 {
			t.Errorf("%s: %d findings, want 1: %q", x.when, len(got), got)
			continue
		}
		if f := w.wantLast("C001", "high "+x.key); f.Title != x.title || !strings.Contains(f.Message, "; 1 match.") || !strings.HasPrefix(f.Recommendation, "1. Read rule C001 (Old admin host)") {
			t.Errorf("%s: title %q\nmessage %s\nsteps %s", x.when, f.Title, f.Message, f.Recommendation)
		}
		if s := CustomStats(w.dets)[0]; s.Matched != 1 || s.Checked == 0 || s.FirstAt != begin || s.FirstDevice == "" || s.FirstPeer == "" {
			t.Errorf("%s: statistics %+v", x.when, s)
		}
	}
}

// TestCustomRuleAtTheEndSeesWhatWasRead: the first request of a session is known when it ends.
func TestCustomRuleAtTheEndSeesWhatWasRead(t *testing.T) {
	w := customFixture(t, operator(t, customrule.Ended, `http.host == "a.example" and dns.name == "b.example" and tls.sni == "c.example" and tls.version == "1.2"`, nil))
	v := w.connect("10.0.30.5", "203.0.113.9:80")
	app := &fingerprint.App{HTTP: &dissect.HTTPExchange{Host: "a.example"}, DNSQuery: &dissect.DNSMessage{QName: "b.example"},
		Hello: &fingerprint.Hello{SNI: "c.example"}, ServerHello: &fingerprint.ServerHello{Version: 0x303}}
	w.event(SessionEnded, v, app, nil)
	w.event(SessionEnded, v, nil, nil) // what the event before has left must be gone
	w.want("C001", "high 203.0.113.9")
	f := w.wantLast("C001", "high 203.0.113.9")
	if got := f.Evidence[0].Data; got["http.host"] != "a.example" || got["tls.version"] != "1.2" || got["matches"] != 1 || got["rule"] != "C001" {
		t.Errorf("evidence %v", got)
	}
}

// TestCustomRuleCounts: an alert needs enough matches within the span, of one pair or of one device.
func TestCustomRuleCounts(t *testing.T) {
	for _, x := range []struct {
		pair  bool
		gap   int64
		peers int
		want  []string // severity and key, with the number of matches
	}{
		{true, 60 * second, 1, []string{"high 203.0.113.1 3", "high 203.0.113.1 4"}},
		{true, 60 * second, 4, nil},
		{false, 60 * second, 4, []string{"high device 3", "high device 4"}},
		{false, hour, 4, nil},
	} {
		w := customFixture(t, operator(t, customrule.Opened, `session.port == 22`, func(r *customrule.Rule) { r.Count, r.PerPair, r.Within = 3, x.pair, 90*time.Minute }))
		for i := range 5 {
			w.attempt("10.0.30.5", fmt.Sprintf("203.0.113.%d:22", 1+i%x.peers))
			w.wait(x.gap)
		}
		var got []string
		for _, f := range w.got {
			if f.Rule.ID == "C001" {
				got = append(got, fmt.Sprintf("%s %s %d", f.Severity, f.Key, f.Total))
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("pair %v, gap %s: %q, want %q", x.pair, time.Duration(x.gap), got, x.want)
		}
	}
}

// TestCustomRuleSides: a rule can be about the client or the server.
func TestCustomRuleSides(t *testing.T) {
	for about, want := range map[string][]string{"": {"cam-1", "cam-1"}, "client": {"cam-1"}, "server": {"cam-1", "srv-1"}} {
		w := customFixture(t, operator(t, customrule.Answered, `session.port == 22`, func(r *customrule.Rule) { r.About = about }))
		w.connect("203.0.113.9", "10.0.30.5:22")
		w.connect("10.0.30.5", "10.0.30.6:22")
		w.connect("203.0.113.9", "203.0.113.10:23") // no device
		var got []string
		for _, f := range w.got {
			if f.Rule.ID == "C001" {
				got = append(got, f.Device.Key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("about %q: alerts about %q, want %q", about, got, want)
		}
	}
}

// TestCustomRuleTexts: the texts of the operator, which may have any character, replace those of the sensor.
func TestCustomRuleTexts(t *testing.T) {
	w := customFixture(t, operator(t, customrule.Opened, `session.port == 22`, func(r *customrule.Rule) {
		r.Title, r.Message = "100% sure: {device} calls {peer}", "{device} must not call {peer}"
		r.Steps, r.Attack, r.Source = []string{"Ask.", "Look.", "Block it."}, []string{"T1021.004", "T0886"}, "ticket 7"
	}))
	w.connect("10.0.30.5", "203.0.113.9:22")
	f := w.wantLast("C001", "high 203.0.113.9")
	if f.Title != "100% sure: cam-1 calls 203.0.113.9:22" || !strings.HasPrefix(f.Message, "cam-1 must not call 203.0.113.9:22. Seen: since ") ||
		f.Recommendation != "1. Ask. 2. Look. 3. Block it." || f.Evidence[0].Data["source"] != "ticket 7" {
		t.Errorf("%q\n%q\n%q\n%v", f.Title, f.Message, f.Recommendation, f.Evidence[0].Data)
	}
	if want := []Technique{{"enterprise", "", "T1021.004"}, {"ics", "", "T0886"}}; !slices.Equal(f.Rule.Attack, want) {
		t.Errorf("techniques %v", f.Rule.Attack)
	}
	long := operator(t, customrule.Opened, `session.port == 22`, func(r *customrule.Rule) { r.Name = strings.Repeat("long name ", 6) })
	w = customFixture(t, long)
	w.connect("10.0.30.5", "203.0.113.9:22")
	if f := w.wantLast("C001", "high 203.0.113.9"); !Fits(f.Title) {
		t.Errorf("the title is too long: %s", f.Title)
	}
}

// TestCustomRuleReadsBoundedTexts: whatever is sent, an expression sees at most MaxText bytes of a text, so that a pattern costs at most as many
// steps as it has instructions for each of them. Patterns that take exponential time elsewhere are evaluated in linear time.
func TestCustomRuleReadsBoundedTexts(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for _, f := range []dissect.Fact{&dissect.HTTPExchange{}, &dissect.DNSMessage{}, &dissect.TLSClientHello{}, &dissect.TLSServerHello{}, &dissect.TLSCertificate{}} {
		for v, i := reflect.ValueOf(f).Elem(), 0; i < v.NumField(); i++ {
			if x := v.Field(i); x.Kind() == reflect.String && x.CanSet() {
				x.SetString(long)
			}
		}
		var app *fingerprint.App
		var x customEnv
		x.fact(&Event{Fact: f, App: app.With(f)})
		seen := 0
		for v, i := reflect.ValueOf(x.env), 0; i < v.NumField(); i++ {
			for k := range v.Field(i).NumField() {
				if s := v.Field(i).Field(k); s.Kind() == reflect.String && s.Len() > 0 {
					seen++
					if s.Len() > customrule.MaxText {
						t.Errorf("%T: %s.%s has %d bytes", f, v.Type().Field(i).Name, v.Field(i).Type().Field(k).Name, s.Len())
					}
				}
			}
		}
		if seen == 0 {
			t.Errorf("%T: no text was read", f)
		}
	}
	for when, want := range map[string][]string{
		`http.uri matches "^(a|aa|a?a?a?)*$"`:  {"high 203.0.113.9"},
		`http.uri matches "^(((a+)+)+)+b$"`:    nil, // b is beyond what is read
		`http.uri matches "(a?){30}a{30}.*b$"`: nil,
	} {
		w := customFixture(t, operator(t, customrule.OnHTTP, when, nil))
		w.fact(w.connect("10.0.30.5", "203.0.113.9:80"), &dissect.HTTPExchange{Method: "GET", URI: long + "b"})
		if got := w.reported("C001"); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
}

// TestCustomRuleIsBounded: a flood of peers evicts the oldest and is counted.
func TestCustomRuleIsBounded(t *testing.T) {
	r := operator(t, customrule.OnDNS, `dns.type == "A"`, func(r *customrule.Rule) { r.Count = 2 })
	x := newCustom(r)
	x.matches.limit(100)
	w := customFixture(t)
	w.dets = []Detector{x}
	v := w.open(protoUDP, "10.0.30.5", "10.0.30.6:53")
	for i := range 1000 {
		w.fact(v, &dissect.DNSMessage{QName: fmt.Sprintf("n%d.example", i), QType: "A"})
	}
	if x.matches.len() > 100 || Evictions(w.dets) < 800 || len(w.got) != 0 {
		t.Errorf("%d entries, %d evictions, %d findings", x.matches.len(), Evictions(w.dets), len(w.got))
	}
	w.wait(5 * day)
	if x.matches.len() != 0 {
		t.Errorf("%d entries after five days", x.matches.len())
	}
}

// TestCustomRuleContinuesFromASnapshot: matches before a restart count after it.
func TestCustomRuleContinuesFromASnapshot(t *testing.T) {
	r := operator(t, customrule.Opened, `session.port == 22`, func(r *customrule.Rule) { r.Count = 3 })
	w := customFixture(t, r)
	w.connect("10.0.30.5", "203.0.113.9:22")
	w.connect("10.0.30.5", "203.0.113.9:22")
	disk := snapshottest.Disk{}
	disk.Drain(t, w.dets[len(w.dets)-1].(stateful).parts(w.reg), 100)
	x := newCustom(r)
	disk.Restore(t, x.parts(w.reg))
	w.dets = []Detector{x}
	w.want("C001")
	w.connect("10.0.30.5", "203.0.113.9:22")
	w.want("C001", "high 203.0.113.9")
}

// TestReconfigureCustomRules: a rule that stays keeps its matches, one whose expression changes does not, one that is removed is gone.
func TestReconfigureCustomRules(t *testing.T) {
	two := func(r *customrule.Rule) { r.Count = 2 }
	for _, x := range []struct {
		name string
		next []*customrule.Rule
		want []string
	}{
		{"unchanged", []*customrule.Rule{operator(t, customrule.Opened, `session.port == 22`, two)}, []string{"high 203.0.113.9"}},
		{"other severity", []*customrule.Rule{operator(t, customrule.Opened, `session.port == 22`, func(r *customrule.Rule) { r.Count, r.Severity = 2, "low" })}, []string{"low 203.0.113.9"}},
		{"other expression", []*customrule.Rule{operator(t, customrule.Opened, `session.port in [22]`, two)}, nil},
		{"removed", nil, nil},
	} {
		w := customFixture(t, operator(t, customrule.Opened, `session.port == 22`, two))
		w.connect("10.0.30.5", "203.0.113.9:22")
		ds, err := Reconfigure(w.dets, Config{Custom: x.next})
		if err != nil {
			t.Fatal(err)
		}
		w.dets = ds
		w.connect("10.0.30.5", "203.0.113.9:22")
		if got := w.reported("C001"); !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

// TestCustomRulesAreInTheHash: the description of the active rules has those of the operator.
func TestCustomRulesAreInTheHash(t *testing.T) {
	with := func(when string) []byte {
		b, err := Describe(Config{Custom: []*customrule.Rule{operator(t, customrule.Opened, when, nil)}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if a, b := with(`session.port == 22`), with(`session.port == 23`); bytes.Equal(a, b) || !bytes.Contains(a, []byte(`session.port == 22`)) {
		t.Errorf("the description does not depend on the expression: %s", a[max(0, len(a)-400):])
	}
}

// TestCustomRulesCostNothingUnlessConfigured: without a rule nothing is allocated, and no detector is there.
func TestCustomRulesCostNothingUnlessConfigured(t *testing.T) {
	w := customFixture(t)
	w.connect("10.0.30.5", "203.0.113.9:22")
	if w.c.custom != nil || CustomStats(w.dets) != nil {
		t.Error("there is an environment without a rule")
	}
	w = customFixture(t, operator(t, customrule.OnTLS, `tls.sni == "x"`, nil))
	w.connect("10.0.30.5", "203.0.113.9:22")
	if w.c.custom != nil {
		t.Error("a rule on tls is checked when a session is opened")
	}
}

// TestCustomRuleAllocatesLittle: an event that does not match costs the texts of its addresses and what the machine puts on its stack.
func TestCustomRuleAllocatesLittle(t *testing.T) {
	x := newCustom(operator(t, customrule.Opened, `session.port in [22, 23] and session.bytes_out > 7`, nil))
	w := customFixture(t)
	v := in(w.open(protoTCP, "10.0.30.5", "203.0.113.9:443"), session.Attempted)
	e := &Event{Kind: SessionOpened, Session: v, Initiator: w.reg.ByKey("cam-1")}
	got := testing.AllocsPerRun(100, func() {
		w.c.Begin()
		x.Observe(e, &w.c)
	})
	if got > 8 {
		t.Errorf("%.0f allocations for an event", got)
	}
}
