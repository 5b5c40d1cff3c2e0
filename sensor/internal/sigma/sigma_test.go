// SPDX-License-Identifier: Apache-2.0

package sigma

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/customrule"
)

// rule returns a Sigma rule with a log source and a detection.
func rule(logsource, detection string) string {
	return "title: Some rule\nid: 7d8a1f5e-1111-4222-8333-944455566677\nauthor: A. Author\nlevel: high\ntags: [attack.command_and_control, attack.t1071.001, cve.2020-1]\nlogsource: " +
		logsource + "\ndetection:\n" + detection
}

func TestTranslate(t *testing.T) {
	for _, x := range []struct{ logsource, detection, want string }{
		{"{category: dns}", "  a: {query|endswith: [.Bad.example, .worse.example]}\n  condition: a\n",
			`(dns.name endsWith ".bad.example" or dns.name endsWith ".worse.example")`},
		{"{category: dns}", "  a: {query: [a.example, b.example], record_type: TXT}\n  condition: a\n", `(dns.name in ["a.example", "b.example"] and lower(dns.type) == "txt")`},
		{"{category: firewall}", "  a: {dst_port: [4444, 5555]}\n  b: {dst_ip|cidr: 10.1.2.3/8}\n  condition: a and not b\n",
			`(session.port in [4444, 5555] and not (cidr(session.server, "10.0.0.0/8")))`},
		{"{category: network_connection, product: windows}", "  a: {Initiated: 'true', DestinationPort: 3389}\n  b: {DestinationHostname|contains: .ngrok.}\n  condition: all of them\n",
			`((session.direction == "out" and session.port == 3389) and lower(session.name) contains ".ngrok.")`},
		{"{category: proxy}", "  sel_a: {c-uri|contains|all: [cmd=, exec], cs-method: POST}\n  sel_b: {c-useragent: ['Wget/*', '*curl*', null]}\n  other: {cs-host: x}\n  condition: 1 of sel_* or other\n",
			`((((lower(http.uri) contains "cmd=" and lower(http.uri) contains "exec") and lower(http.method) == "post") or (lower(http.user_agent) startsWith "wget/" or lower(http.user_agent) contains "curl" or lower(http.user_agent) == "")) or lower(http.host) == "x")`},
		{"{category: webserver}", "  a:\n    - {cs-uri-stem|re: '/[a-z]{8}\\.php$'}\n    - {sc-status|gte: 500}\n  condition: a\n", `(http.uri matches "/[a-z]{8}\\.php$" or http.status >= 500)`},
		{"{product: zeek, service: conn}", "  a: {id.resp_p: 53, orig_bytes|gt: 100000, service: dns}\n  condition: (a)\n", `(session.port == 53 and session.bytes_out > 100000 and session.app == "dns")`},
		{"{product: zeek, service: ssl}", "  a: {server_name: 'a?c*.example', ja3: 00112233445566778899AABBCCDDEEFF}\n  condition: a\n",
			`(lower(tls.sni) matches "(?s)^a.c.*\\.example$" and tls.ja3 == "00112233445566778899aabbccddeeff")`},
		{"{product: zeek, service: http}", "  a: {uri: '/a\\*b\\\\c', host: '*'}\n  b: {user_agent|re|i: ^WGET}\n  _c: {method: GET}\n  condition:\n    - 1 of them\n    - _c\n",
			`(((lower(http.uri) == "/a*b\\c" and http.host != "") or http.user_agent matches "(?i)^WGET") or lower(http.method) == "get")`},
	} {
		all, err := Translate("s.yml", []byte(rule(x.logsource, x.detection)))
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Errorf("%s: %v, %+v", x.detection, err, all)
			continue
		}
		r := all[0].Rule
		if r.When != x.want {
			t.Errorf("%s\n got %s\nwant %s", x.detection, r.When, x.want)
		}
		if r.Name != "Some rule" || r.Severity != "high" || len(r.Attack) != 1 || r.Attack[0] != "TA0011/T1071.001" || r.Source != "Sigma 7d8a1f5e-1111-4222-8333-944455566677 by A. Author" {
			t.Errorf("%+v", r)
		}
		readBack(t, r)
	}
}

// readBack checks that the document of a rule is valid and means the same.
func readBack(t *testing.T, r *customrule.Rule) {
	t.Helper()
	r.ID = "C001"
	back, err := config.ParseRules("c.yaml", config.FormatRules([]*customrule.Rule{r}))
	if err != nil || len(back) != 1 || back[0].When != r.When || back[0].Name != r.Name || back[0].Source != r.Source || back[0].Severity != r.Severity ||
		back[0].Count != r.Count || back[0].Within != r.Within || back[0].PerPair != r.PerPair || back[0].About != r.About || !slices.Equal(back[0].Attack, r.Attack) {
		t.Fatalf("%v: %+v\n%s", err, r, config.FormatRules([]*customrule.Rule{r}))
	}
}

// TestCounts: an aggregation becomes the number of matches that make an alert.
func TestCounts(t *testing.T) {
	for _, x := range []struct {
		aggregation, timeframe string
		n                      int
		within                 time.Duration
		pair                   bool
		about                  string
	}{
		{"count() by src_ip > 10", "5m", 11, 5 * time.Minute, false, "client"},
		{"count() by dst_ip >= 100", "1h", 100, time.Hour, false, "server"},
		{"count() by src_ip, dst_ip > 3", "90s", 4, 90 * time.Second, true, ""},
		{"count() by dst_ip,src_ip >= 1", "7d", 1, 7 * 24 * time.Hour, true, ""},
		{"count() by id.orig_h > 1", "", 2, 24 * time.Hour, false, "client"},
	} {
		d := "  a: {query: x}\n  condition: a | " + x.aggregation + "\n"
		if x.timeframe != "" {
			d += "  timeframe: " + x.timeframe + "\n"
		}
		all, err := Translate("s.yml", []byte(rule("{category: dns}", d)))
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Errorf("%s: %v, %+v", x.aggregation, err, all)
			continue
		}
		r := all[0].Rule
		if r.When != `dns.name == "x"` || r.Count != x.n || r.Within != x.within || r.PerPair != x.pair || r.About != x.about {
			t.Errorf("%s: %+v", x.aggregation, r)
		}
		readBack(t, r)
	}
}

// TestReasons: what does not translate says why.
func TestReasons(t *testing.T) {
	dns := "{category: dns}"
	for _, x := range []struct{ logsource, detection, want string }{
		{"{category: process_creation, product: windows}", "  a: {Image: x}\n  condition: a\n", `the sensor has no log source with category "process_creation"`},
		{"{category: network_connection}", "  a: {Image|endswith: \\cmd.exe}\n  condition: a\n", `the sensor has no field "Image" in events on opened`},
		{dns, "  a: {query|base64: x}\n  condition: a\n", `the modifier "base64" of "query" is not supported`},
		{dns, "  a: {query: x}\n  condition: a | count(query) by src_ip > 10\n", "count of the different values of a field is not supported"},
		{dns, "  a: {query: x}\n  condition: a | count() > 10\n", "count() without by is not supported"},
		{dns, "  a: {query: x}\n  condition: a | count() by query > 10\n", "count() by query is not supported"},
		{dns, "  a: {query: x}\n  condition: a | count() by src_ip < 10\n", `count() must be compared with > or >=, not "<"`},
		{dns, "  a: {query: x}\n  condition: a | count() by src_ip > 5000\n", "a number from 1 to 999"},
		{dns, "  a: {query: x}\n  timeframe: 3M\n  condition: a | count() by src_ip > 5\n", `the timeframe "3M" is none of`},
		{dns, "  a: {query: x}\n  condition: a | near b\n", "of the aggregations only count()"},
		{dns, "  a: {query: x}\n  condition: [a | count() by src_ip > 5, a]\n", `the condition is not understood at "|"`},
		{dns, "  a: [word, other]\n  condition: a\n", "keywords without a field are not supported"},
		{dns, "  a: {query: x}\n  condition: b\n", `there is no selection "b"`},
		{dns, "  a: {query: x}\n  condition: 1 of b*\n", `no selection fits "b*"`},
		{dns, "  a: {query: x}\n  condition: (a\n", "parenthesis that is not closed"},
		{dns, "  a: {query: x}\n  condition: a a\n", `the condition is not understood at "a"`},
		{dns, "  a: {query: x}\n  condition: a and\n", "the condition ends early"},
		{dns, "  a: {query: x}\n", "detection needs a condition"},
		{dns, "  a: {query: [[x]]}\n  condition: a\n", `the values of "query" must be single values`},
		{dns, "  a: {query|re: '(?<!x)y'}\n  condition: a\n", "wrong pattern"},
		{dns, "  a: {src_port: many}\n  condition: a\n", `"src_port" must be compared with whole numbers, not "many"`},
		{"{category: proxy}", "  a: {c-uri|startswith: 'http://x'}\n  condition: a\n", "the sensor sees the path of a request: use contains"},
		{dns, "  a: {query: x}\n  condition: " + strings.Repeat("not ", 99) + "a\n", "the condition is nested too deep"},
		{dns, "  a: {query: " + strings.Repeat("x", 400) + "}\n  condition: a" + strings.Repeat(" or a", 99) + "\n", "make several rules of it"},
	} {
		all, err := Translate("s.yml", []byte(rule(x.logsource, x.detection)))
		if err != nil || len(all) != 1 || all[0].Err == nil || all[0].Rule != nil || !strings.Contains(all[0].Err.Error(), x.want) {
			t.Errorf("%.80s: %v, %+v; want %s", x.detection, err, all, x.want)
		}
	}
}

// TestFiles: a file may have several rules; one that is no YAML is an error.
func TestFiles(t *testing.T) {
	one := rule("{category: dns}", "  a: {query: x.example}\n  condition: a\n")
	all, err := Translate("s.yml", []byte(one+"---\n"+one+"---\ntitle: x\n"))
	if err != nil || len(all) != 3 || all[0].Err != nil || all[1].Err != nil || all[2].Err == nil {
		t.Errorf("%v, %+v", err, all)
	}
	for _, bad := range []string{"- a\n", "a: [", "title: &x [*x]\n"} {
		if _, err := Translate("s.yml", []byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add([]byte(rule("{category: dns}", "  a: {query|endswith: [.a, '*b*']}\n  b: {query|re: ^x}\n  condition: 1 of them and not (a or b)\n")))
	f.Add([]byte(rule("{category: proxy}", "  a:\n    - {c-uri: 'a?b', cs-method|contains: null}\n    - {sc-status|lt: 5}\n  condition: [a, all of a*]\n")))
	f.Add([]byte(rule("{category: firewall}", "  a: {dst_ip|cidr: 10.0.0.0/8, src_port: [1, 2]}\n  condition: a | count() by src_ip > 9\n  timeframe: 10m\n---\nx: y\n")))
	mutate.Fuzz(f, func(t *testing.T, src []byte) {
		all, _ := Translate("f", src)
		for _, x := range all {
			if (x.Rule == nil) == (x.Err == nil) {
				t.Fatal("neither a rule nor a reason")
			}
			if x.Rule != nil {
				readBack(t, x.Rule)
			}
		}
	})
}
