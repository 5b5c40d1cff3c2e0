// SPDX-License-Identifier: Apache-2.0

package device

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

func near(a, b float64) bool { return math.Abs(a-b) < 0.005 }

// The example of docs/devices.md, line by line.
func TestWorkedExample(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})

	// MAC of Axis: camera -7 (base rate) + 15 = 8 dB.
	if got := d.totals(0)[Camera]; got != 8 {
		t.Errorf("MAC alone: %v dB", got)
	}
	if d.Role != Camera || d.Level != Hint || d.Vendor != "Axis" || !near(d.Probability, 0.747) {
		t.Errorf("MAC alone: %v %v %.3f %q", d.Role, d.Level, d.Probability, d.Vendor)
	}

	// Option 60 names a camera: one group with the MAC, 35 + 0.3*15 = 39.5, but forgeable without an answer: capped at 20.
	dhcp := &dissect.DHCPMessage{Type: "request", ClientMAC: mac(1), VendorClass: "AXIS,Network Camera,P3225-LV,9.80.1"}
	r.Fact(talk{from: "0.0.0.0", to: "255.255.255.255"}.view(), dhcp, session.Out, d, nil, 0)
	if got := d.totals(0)[Camera]; got != -7+20 {
		t.Errorf("with option 60: %v dB", got)
	}
	if d.Role != Camera || d.Level != Probable || d.Model != "P3225-LV" || !near(d.Probability, 0.903) {
		t.Errorf("with option 60: %v %v %.4f %q", d.Role, d.Level, d.Probability, d.Model)
	}

	// It answers a login with its realm: a proof, so the cap is gone and the banner counts as a group of its own.
	v := talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view()
	r.Fact(v, &dissect.HTTPExchange{Status: 401, URI: "/", Realm: "AXIS_00408C000001"}, session.In, nil, d, 0)
	if got := d.totals(0)[Camera]; !near(got, -7+39.5+24) {
		t.Errorf("with a realm: %v dB", got)
	}
	if d.Role != Camera || d.Level != Identified || d.Probability < 0.9999 {
		t.Errorf("with a realm: %v %v %.6f", d.Role, d.Level, d.Probability)
	}
	if d.Evidence[0].Source != "dhcp_vendor_class" || d.Evidence[0].Points != 35 || !strings.Contains(d.Evidence[0].Says, "role=camera +35") {
		t.Errorf("strongest evidence: %+v", d.Evidence[0])
	}
}

func TestTally(t *testing.T) {
	tests := []struct {
		points []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{10}, 10},
		{[]float64{10, 4}, 11.2},
		{[]float64{10, 10, 10}, 12.5}, // 16 without the limit
		{[]float64{-10}, -10},
		{[]float64{-10, -10, -10}, -12.5},
		{[]float64{10, -4}, 6},
	}
	for _, tt := range tests {
		var y tally
		for _, p := range tt.points {
			y.add(p)
		}
		if got := y.score(); !near(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.points, got, tt.want)
		}
	}
}

func TestLevels(t *testing.T) {
	tests := []struct {
		p, ahead float64
		want     Level
	}{
		{0.995, 25, Identified}, {0.995, 15, Probable}, {0.95, 25, Probable}, {0.95, 5, Hint}, {0.7, 30, Hint}, {0.59, 30, LevelUnknown},
	}
	for _, tt := range tests {
		if got := levelOf(tt.p, tt.ahead); got != tt.want {
			t.Errorf("%v, %v dB: %v, want %v", tt.p, tt.ahead, got, tt.want)
		}
	}
}

// Evidence for two roles makes neither sure.
func TestContradiction(t *testing.T) {
	r := New(Config{})
	_, d := play(r, talk{from: "10.0.0.2", to: "10.0.0.1", fromMAC: mac(2), toMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}, port: 80, answered: true})
	v := talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view()
	r.Fact(v, &dissect.HTTPExchange{Status: 200, Server: "VIVOTEK Network Camera"}, session.In, nil, d, 0)
	if d.Role != Camera {
		t.Fatalf("%v %v", d.Role, d.Level)
	}
	r.Fact(v, &dissect.HTTPExchange{Status: 200, Server: "HP HTTP Server; HP LaserJet M402; X"}, session.In, nil, d, 0)
	if d.Level > Hint {
		t.Errorf("%v %v %.3f", d.Role, d.Level, d.Probability)
	}
}

func TestOldEvidenceFades(t *testing.T) {
	c := claim{&statement{source: obsHTTPServer}, 0}
	if f := c.decay(30 * dayNs); !near(f, 0.5) {
		t.Errorf("banner after 30 days: %v", f)
	}
	c.source = obsCertificate
	if f := c.decay(180 * dayNs); !near(f, 0.5) {
		t.Errorf("certificate after 180 days: %v", f)
	}
	if f := c.decay(-5); f != 1 {
		t.Errorf("a clock that goes back: %v", f)
	}
}

// What devices say, and what they must be taken for.
func TestRows(t *testing.T) {
	http := func(f dissect.HTTPExchange) dissect.Fact { f.Status = 200; return &f }
	tests := []struct {
		what  string
		facts []dissect.Fact // read from what the device answers
		role  Role
		level Level
		want  string // "vendor/model"
	}{
		{"one banner", []dissect.Fact{http(dissect.HTTPExchange{Realm: "DCS-935L"})}, Camera, Probable, "D-Link/DCS-935L"},
		{"Hikvision recorder or camera", []dissect.Fact{http(dissect.HTTPExchange{Server: "App-webs/"})}, Camera, Hint, "Hikvision/"},
		{"printer", []dissect.Fact{http(dissect.HTTPExchange{Server: "HP HTTP Server; HP OfficeJet Pro 8610 - A7F64A; Serial"})}, Printer, Probable, "HP/OfficeJet Pro 8610 - A7F64A"},
		{"router", []dissect.Fact{&dissect.SSHBanner{Server: true, Line: "SSH-2.0-ROSSSH"}}, NetworkGear, Probable, "MikroTik/"},
		{"a plain OpenSSH is no server yet", []dissect.Fact{&dissect.SSHBanner{Server: true, Line: "SSH-2.0-OpenSSH_9.6"}}, Unknown, LevelUnknown, "/"},
		{"platform", []dissect.Fact{http(dissect.HTTPExchange{Title: "HikCentral Professional"})}, VMS, Hint, "Hikvision/"},
		{"a web server", []dissect.Fact{http(dissect.HTTPExchange{Server: "nginx/1.24"})}, Unknown, LevelUnknown, "/"},
	}
	for _, tt := range tests {
		r := New(Config{})
		_, d := play(r, talk{from: "10.0.0.2", to: "10.0.0.1", answered: true})
		for _, f := range tt.facts {
			r.Fact(talk{from: "10.0.0.2", to: "10.0.0.1", port: 80}.view(), f, session.In, nil, d, 0)
		}
		if d.Role != tt.role || d.Level != tt.level || d.Vendor+"/"+d.Model != tt.want {
			t.Errorf("%s: %v %v %.3f %s/%s", tt.what, d.Role, d.Level, d.Probability, d.Vendor, d.Model)
		}
	}
}

func TestPullsMakeARecorder(t *testing.T) {
	r := New(Config{})
	var d *Device
	for i := range 3 {
		k := talk{from: "10.0.0.1", to: fmt.Sprintf("10.0.1.%d", i+1), fromMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}, toMAC: mac(byte(i + 20)), port: 554, answered: true}
		a, b := play(r, k)
		r.Fact(k.view(), &dissect.RTSPExchange{Method: "PLAY", Status: 200}, session.In, a, b, 0)
		d = a
	}
	if d.Role != NVR || d.Level > Hint {
		t.Errorf("%v %v", d.Role, d.Level)
	}
	if total := d.totals(0); total[VMS] >= total[NVR] || total[Camera] > -10 { // of a chip that no brand stands behind
		t.Errorf("%v", total)
	}
}

func TestManyNamesAreNoCamera(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: packet.MAC{0x24, 0x0a, 0xc4, 1, 1, 1}})
	v := talk{from: "10.0.0.1", to: "10.0.0.2", proto: 17, port: 53}.view()
	for i := range 200 {
		r.Fact(v, &dissect.DNSMessage{QName: fmt.Sprintf("www.site%d.com", i), QType: "A"}, session.Out, d, nil, 0)
	}
	r.Fact(v, &dissect.DNSMessage{QName: "fw.ring.com", QType: "A"}, session.Out, d, nil, 0)
	if d.Role == Camera || d.Role == IoT {
		t.Errorf("a phone with a camera's app is a %v", d.Role)
	}
}

// The tables must compile, and every row must be reachable: texts of one source stand once.
func TestTables(t *testing.T) {
	s := rules()
	seen := map[string]bool{}
	n := len(s.byDomain)
	for src, list := range s.bySource {
		for _, r := range list {
			key := fmt.Sprint(src, r.text)
			if seen[key] {
				t.Errorf("%s: %q stands twice", sources[src].name, r.text)
			}
			seen[key] = true
			if r.re != nil && (src == int(obsURI) || src == int(obsRequest)) {
				t.Errorf("%s: %q is a regular expression, and its values are not remembered", sources[src].name, r.text)
			}
			if r.text == "" || len(r.roles) == 0 && r.vendor == "" || r.vendor != "" && r.vdb == 0 && src != int(obsVendor) || r.model != "" && r.mdb == 0 {
				t.Errorf("%s: row %q says nothing", sources[src].name, r.text)
			}
			n++
		}
	}
	if n < 400 {
		t.Errorf("only %d rows", n)
	}
	for _, src := range sources {
		if src.name == "" || src.half == 0 {
			t.Errorf("source without a name or half-life: %+v", src)
		}
	}
	for _, x := range nameRows() {
		if strings.ToLower(x.text) != x.text || strings.Count(x.text, ".") > 6 {
			t.Errorf("domain %q", x.text)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", " space ": "space", "a\x00b\nc": "a.b.c", "\xff\xfe": "..", strings.Repeat("x", 500): strings.Repeat("x", 96),
		strings.Repeat("é", 200): strings.Repeat("é", 48), "": "",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A device that says a million things of itself is bounded.
func TestEvidenceIsBounded(t *testing.T) {
	r := New(Config{})
	d, _ := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1)})
	v := talk{from: "10.0.0.1", to: "224.0.0.251", proto: 17, port: 5353}.view()
	for i := range 5000 {
		f := &dissect.ServiceAnnouncement{Service: "_ipp._tcp", Instance: fmt.Sprint(i), Host: fmt.Sprintf("h%d.local", i),
			TXT: map[string]string{"ty": fmt.Sprint("model ", i), "mfg": fmt.Sprint("maker ", i)}}
		r.Fact(v, f, session.Out, d, nil, int64(i))
		k := talk{from: "10.0.0.2", to: "10.0.0.1", fromMAC: mac(2), toMAC: mac(1), port: uint16(i + 1), answered: true}
		play(r, k)
	}
	if len(d.claims) > maxClaims || len(d.Evidence) > MaxEvidence || len(d.Hostnames) > MaxHostnames || len(d.Serves) > MaxServes {
		t.Errorf("%d claims, %d evidence, %d names, %d ports", len(d.claims), len(d.Evidence), len(d.Hostnames), len(d.Serves))
	}
	if r.Stats().ClaimsRefused == 0 {
		t.Error("nothing was counted")
	}
}

// What is remembered of texts is what the table says of them, whichever text had their place before.
func TestMeaningsAreThoseOfTheTable(t *testing.T) {
	r := New(Config{})
	texts := []string{"Hikvision-Webs", "hik-connect.com", "api.hik-connect.com", "unknown.example", "GET / \x01", strings.Repeat("x", maxObserved) + "Hikvision-Webs",
		strings.Repeat("y", maxObserved-1), "Sonos/57.3", "lighttpd"}
	for i := range 4 * observedPlaces {
		texts = append(texts, "host"+strconv.Itoa(i)+".hik-connect.com")
	}
	known := 0
	for range 2 {
		for i := range 8 * len(texts) {
			src, text := source(i%int(numSources)), texts[i%9]
			if i%2 == 0 {
				text = texts[i%len(texts)]
			}
			rule, model, fw := rules().match(src, clean(text))
			st := r.meaning(src, text)
			if (st == nil) != (rule == nil) || st != nil && (st.source != src || st.rule != rule || st.model != model || st.fw != fw || st.value != clean(text)) {
				t.Fatalf("%v %q: %+v, the table says %+v", src, text, st, rule)
			}
			if st != nil {
				known++
			}
		}
	}
	if known == 0 {
		t.Error("the table knows none of the texts")
	}
}

// 100 thousand devices with names, ports and evidence in at most 250 MB.
func TestMemoryOfDevices(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := New(Config{})
	for i := range uint32(100_000) {
		m := packet.MAC{0, 0x40, 0x8c, byte(i >> 16), byte(i >> 8), byte(i)}
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
		k := talk{from: "10.255.0.1", to: a, fromMAC: packet.MAC{0, 1, 2, 3, 4, 5}, toMAC: m, port: 80, answered: true}
		_, d := play(r, k)
		r.Fact(k.view(), &dissect.HTTPExchange{Status: 401, Realm: "AXIS_00408C000001", Server: "Apache"}, session.In, nil, d, 0)
		r.Fact(k.view(), &dissect.DHCPMessage{Type: "request", ClientMAC: m, Hostname: fmt.Sprintf("cam-%d", i), VendorClass: "AXIS,Network Camera,P3225,9"}, session.Out, d, nil, 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	mb := float64(after.HeapAlloc-before.HeapAlloc) / 1e6
	t.Logf("%d devices in %.0f MB", r.Stats().Devices, mb)
	if r.Stats().Devices < 100_000 || mb > 250 {
		t.Errorf("%d devices in %.0f MB", r.Stats().Devices, mb)
	}
	runtime.KeepAlive(r)
}

// Texts from the wire reach regular expressions and cutting: nothing there may panic or grow.
func FuzzFacts(f *testing.F) {
	f.Add("AXIS,Network Camera,P3225,9", "HP HTTP Server; HP X; Y", "a.b.c.hik-connect.com", []byte{1, 3, 255})
	f.Add("Mfg=HP;Typ=Printer;Mod=X", "\xff\xfe\x00", strings.Repeat("a.", 200), []byte{})
	f.Fuzz(func(t *testing.T, a, b, c string, opts []byte) {
		r := New(Config{})
		d, e := play(r, talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), answered: true})
		v := talk{from: "10.0.0.1", to: "10.0.0.2", fromMAC: mac(1), toMAC: mac(2), port: 80, answered: true}.view()
		for _, x := range []dissect.Fact{
			&dissect.DHCPMessage{Type: "request", ClientMAC: mac(1), Hostname: a, VendorClass: b, MUDURL: c, ParamList: opts},
			&dissect.HTTPExchange{Status: 200, Server: a, Realm: b, Title: c, URI: a, UserAgent: b, Host: c},
			&dissect.RTSPExchange{Status: 200, Server: a, Realm: b, UserAgent: c},
			&dissect.ServiceAnnouncement{Service: a, Instance: b, Host: c, TXT: map[string]string{a: b, "ty": c, "mfg": a, b: ""}},
			&dissect.DNSMessage{QName: c}, &dissect.TLSClientHello{SNI: c}, &dissect.TLSCertificate{Subject: b}, &dissect.SSHBanner{Server: true, Line: a},
			&dissect.Banner{Protocol: a, Text: b},
		} {
			r.Fact(v, x, session.In, d, e, 1)
			r.Fact(v, x, session.Out, d, e, 2)
		}
		for _, d := range r.All() {
			for _, ev := range d.Evidence {
				if len(ev.Value) > maxValue || strings.ContainsAny(ev.Value, "\x00\n\r") {
					t.Fatalf("value %q", ev.Value)
				}
			}
		}
	})
}

// A row about a brand that no MAC belongs to would be dead.
func TestMakerRowsAreBrands(t *testing.T) {
	brands := enrich.Brands()
	for _, r := range makerRows() {
		if !slices.Contains(brands, strings.TrimPrefix(r.text, "=")) {
			t.Errorf("%q is no brand", r.text)
		}
	}
}
