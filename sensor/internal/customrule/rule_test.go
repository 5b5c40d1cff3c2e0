// SPDX-License-Identifier: Apache-2.0

package customrule

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// sample is an event with a value in each field that the tests read.
func sample() *Env {
	e := &Env{}
	e.Session = Session{Proto: "tcp", App: "tls", Client: "10.0.0.5", Server: "203.0.113.9", Port: 6667, ClientPort: 40000, Direction: "out", State: "established",
		BytesOut: 5000, BytesIn: 100, PacketsOut: 9, PacketsIn: 7, Seconds: 1.5, VLAN: 12, Name: "cdn.example.net", Hour: 3, Weekday: "sun"}
	e.Device = Device{Key: "cam-1", Name: "cam-1", IP: "10.0.0.5", Role: "camera", Vendor: "Hanwha", Expect: "silent"}
	e.Peer = Peer{Device: Device{IP: "203.0.113.9", Name: "cdn.example.net"}, External: true, Country: "NL"}
	e.DNS = DNS{Name: "cdn.example.net", Type: "A"}
	e.HTTP = HTTP{Method: "POST", Host: "cdn.example.net", URI: "/gate.php?id=7", UserAgent: "Wget/1.20", Status: 200}
	e.TLS = TLS{SNI: "cdn.example.net", ALPN: []string{"h2"}, Version: "1.0", SelfSigned: true}
	e.Login = Login{Protocol: "ssh", Result: "failure"}
	return e
}

// on returns the rule of an expression, compiled.
func on(t *testing.T, kind On, when string) *Rule {
	t.Helper()
	r := &Rule{ID: "C001", On: kind, When: when}
	if err := r.Compile(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return r
}

func TestExpressions(t *testing.T) {
	for _, x := range []struct {
		on   On
		when string
		want bool
	}{
		{Opened, `session.port in 6660..6669 and peer.external`, true},
		{Opened, `session.port in [22, 23]`, false},
		{Opened, `session.port not in [22, 23] && device.role == "camera"`, true},
		{Opened, `cidr(session.server, "203.0.113.0/24", "2001:db8::/32")`, true},
		{Opened, `cidr(session.server, "10.0.0.0/8")`, false},
		{Opened, `cidr(device.mac, "10.0.0.0/8")`, false}, // empty
		{Opened, `lower(device.vendor) startsWith "hanw" and device.vendor endsWith "wha"`, true},
		{Opened, `session.name matches "(^|\\.)example\\.net$"`, true},
		{Opened, `peer.country in ["NL", "BE"] and session.hour < 5`, true},
		{Ended, `session.bytes_out > 10 * session.bytes_in and session.seconds < 2.5`, true},
		{Ended, `session.bytes_out / session.vlan > 400.5 or session.bytes_out % 7 == 1`, true},
		{Ended, `http.status == 200 and tls.sni == dns.name`, true},
		{OnDNS, `dns.type == "TXT"`, false},
		{OnHTTP, `http.method == "POST" and http.uri contains ".php" and http.user_agent startsWith "Wget/"`, true},
		{OnTLS, `"h2" in tls.alpn and not ("h3" in tls.alpn) and tls.self_signed`, true},
		{OnLogin, `login.protocol == "ssh" and login.result != "success"`, true},
	} {
		var m Machine
		if got := on(t, x.on, x.when).Match(&m, sample()); got != x.want {
			t.Errorf("%s: %v, want %v", x.when, got, x.want)
		}
	}
}

// TestMistakes checks the position and the text of errors.
func TestMistakes(t *testing.T) {
	for _, x := range []struct {
		on         On
		when, want string
	}{
		{Opened, `session.prot == "tcp"`, `1:9: session has no field "prot"; its fields are proto, app,`},
		{Opened, `sesion.proto == "tcp"`, `1:1: there is no "sesion"; a rule on opened can read session, device, peer`},
		{Opened, `session.port == 22 and http.method == "GET"`, `1:24: a rule on opened cannot read http; it can read session, device, peer`},
		{Opened, `session.port == "22"`, `1:14: invalid operation: == (mismatched types int and string)`},
		{Opened, "session.port == 22 and\n  device.role = \"camera\"", `2:15:`},
		{Opened, `session.port`, `expected bool, but got int`},
		{Opened, `session`, `1:1: session alone is no value: name one of its fields, proto,`},
		{Opened, `len(session.name) > 3`, `1:1: this function is not available in rules; the functions are cidr and lower`},
		{Opened, `session.name matches "("`, `1:22: wrong pattern: missing closing )`},
		{Opened, `session.name matches device.name`, `1:29: matches needs a pattern in quotes on its right`},
		{Opened, `cidr(session.server, "10.0.0.1/8")`, `1:22: "10.0.0.1/8" is no network; write it as 10.20.0.0/16`},
		{Opened, `cidr(session.server, device.name)`, `1:29: cidr needs networks in quotes`},
		{Opened, `cidr(session.server)`, `1:1: cidr needs an address and at least one network`},
		{Opened, `lower(session.port) == "x"`, `1:15: cannot use int as argument (type string) to call lower`},
		{Opened, `session.port in session.name`, `in needs a list or a range on its right`},
		{Opened, `session.port in []`, `the list is empty`},
		{Opened, `session.port in [1, "a"]`, `1:21: a list can have only texts, or only whole numbers`},
		{Opened, `session.port in 5..1`, `a range needs two whole numbers, at most 65536, in rising order`},
		{Opened, `session.seconds in 1..60000`, `numbers on the right of in need a field with a whole number on the left`},
		{OnTLS, `tls.alpn == tls.alpn`, `1:5: a list of texts can only stand on the right of in`},
		{Opened, ``, `unexpected token EOF`},
	} {
		_, err := compile(x.when, x.on)
		if err == nil {
			t.Errorf("%s: accepted", x.when)
			continue
		}
		got := err.Error()
		if e, ok := err.(*Error); ok {
			got = fmt.Sprintf("%d:%d: %s", e.Line, e.Column, got)
		}
		if !strings.Contains(got, x.want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", x.when, got, x.want)
		}
	}
}

// TestHostileExpressions: whatever could make an event expensive, or fail at one, is refused when it is loaded.
func TestHostileExpressions(t *testing.T) {
	for _, when := range []string{
		`let a = session.name + session.name; a + a == ""`,
		`1..100000000 == 1..2`,
		`session.port in 1..1000000000`,
		`session.vlan % session.port == 0`,
		`session.vlan % 0 == 0`,
		`session.port ** session.port > 1.0`,
		`all(1..1000000, {# > 0})`,
		`[session.port][session.vlan] == 1`,
		`{"a": 1}.a == 1`,
		`session?.port == 1`,
		`session.name[0:5] == "x"`,
		`(session.name ?? "a") == ""`,
		`$env["session"] != nil`,
		`now() == now()`,
		`(session.port == 1 ? 1 : "a") + 1 == 2`,
		`session.port == 1 ?: session.vlan`,
		`repeat("a", 1000000) == ""`,
		`session.name matches "(((a{1,100}){1,100}){1,10})"`,
		`session.name matches "` + strings.Repeat(`[a-z]{0,100}`, 20) + `"`,
		strings.Repeat(`session.port == 1 or `, 2000) + `true`,
		strings.Repeat(`(`, MaxExpression+1),
		`session.port in [` + strings.Repeat(`1,`, 6000) + `1]`,
	} {
		if c, err := compile(when, Opened); err == nil {
			t.Errorf("%.60s: accepted at a cost of %d", when, c.cost)
		}
	}
}

func TestCostOfAllRules(t *testing.T) {
	var rules []*Rule
	for i := range 60 {
		r := on(t, OnHTTP, fmt.Sprintf(`http.uri matches "%s"`, strings.Repeat("a?", 95)))
		r.ID = fmt.Sprintf("C%03d", i)
		rules = append(rules, r)
	}
	if rules[0].Cost() < 180 {
		t.Fatalf("a pattern of 95 parts costs %d", rules[0].Cost())
	}
	if err := Check(rules[:50]); err != nil {
		t.Error(err)
	}
	if err := Check(rules); err == nil || !strings.Contains(err.Error(), "the rules on http cost") {
		t.Errorf("60 such rules: %v", err)
	}
	if err := Check([]*Rule{rules[0], rules[0]}); err == nil || !strings.Contains(err.Error(), "two rules have the id C000") {
		t.Errorf("the same id twice: %v", err)
	}
	if err := Check(make([]*Rule, MaxRules+1)); err == nil {
		t.Error("too many rules are accepted")
	}
}

// TestSteps: an exchange is checked as soon as what the expression reads is known.
func TestSteps(t *testing.T) {
	for _, x := range []struct {
		on   On
		when string
		step Step
		need Need
	}{
		{OnHTTP, `http.method == "PUT"`, StepRequest, NeedFact},
		{OnHTTP, `http.method == "PUT" and http.status == 200`, StepResponse, NeedFact},
		{OnTLS, `tls.sni == ""`, StepRequest, NeedFact},
		{OnTLS, `tls.version == "1.0"`, StepResponse, NeedFact},
		{OnTLS, `tls.self_signed and tls.version == "1.0"`, StepCertificate, NeedFact},
		{Opened, `peer.country == "NL" and device.role == "camera"`, StepRequest, NeedPlace | NeedPeer | NeedDevice},
		{Opened, `session.name == ""`, StepRequest, NeedSession | NeedName | NeedPeer},
	} {
		if r := on(t, x.on, x.when); r.Step() != x.step || r.Needs() != x.need {
			t.Errorf("%s: step %d, needs %b; want %d, %b", x.when, r.Step(), r.Needs(), x.step, x.need)
		}
	}
}

// FuzzCompile: what is accepted is evaluated without an error, and its cost is bounded.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`session.port in 6660..6669`, `cidr(session.server, "10.0.0.0/8") or lower(http.uri) contains "x"`, `tls.sni matches "^a+$" or session.vlan % 3 == 1`, `"h2" in tls.alpn`, `-session.seconds / 0 > 1.5`} {
		for _, k := range kinds {
			f.Add(string(k.on), s)
		}
	}
	mutate.Fuzz(f, func(t *testing.T, kind, when string) {
		c, err := compile(when, On(kind))
		if err != nil {
			return
		}
		if c.cost > MaxCost {
			t.Errorf("cost %d", c.cost)
		}
		for _, e := range []*Env{{}, sample()} {
			var m Machine
			v, err := m.vm.Run(c.program, e)
			if _, ok := v.(bool); err != nil || !ok {
				t.Errorf("%v, %v", v, err)
			}
		}
	})
}
