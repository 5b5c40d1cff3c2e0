// SPDX-License-Identifier: Apache-2.0

package recog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// cameras and servers are databases written for these tests.
const (
	cameras = `<?xml version="1.0"?>
<fingerprints matches="rtsp_header.server" protocol="rtsp" database_type="service" preference="0.85">
  <!-- a comment -->
  <fingerprint pattern="^ExampleCam/(\d+\.\d+) \(([A-Z]+-\d+)\)$">
    <description>Example camera</description>
    <example service.version="1.2">ExampleCam/1.2 (EX-100)</example>
    <param pos="0" name="service.vendor" value="Example"/>
    <param pos="0" name="service.product" value="Streamer"/>
    <param pos="1" name="service.version"/>
    <param pos="0" name="hw.vendor" value="Example"/>
    <param pos="2" name="hw.product"/>
    <param pos="0" name="hw.device" value="IP Camera"/>
    <param pos="0" name="hw.certainty" value="0.5"/>
    <param pos="0" name="service.cpe23" value="cpe:/a:example:streamer:{service.version}"/>
  </fingerprint>
  <fingerprint pattern="example(?:cam|dvr)" flags="REG_ICASE,REG_MULTILINE">
    <param pos="0" name="hw.device" value="DVR"/>
    <param pos="0" name="_tmp.a" value="7"/>
    <param pos="0" name="hw.product" value="Model {_tmp.a}X"/>
  </fingerprint>
</fingerprints>`
	servers = `<fingerprints matches="rtsp_header.server" preference="0.9">
  <fingerprint pattern="^Preferred$"><param pos="0" name="os.vendor" value="Acme"/><param pos="0" name="os.product" value="Acme OS"/></fingerprint>
  <fingerprint pattern="(?i)^a.b$" flags="REG_DOT_NEWLINE"><param pos="0" name="service.product" value="dots"/></fingerprint>
</fingerprints>`
)

func directory(t *testing.T, files ...string) string {
	dir := t.TempDir()
	for i, text := range files {
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".xml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLookup(t *testing.T) {
	db, err := Load(directory(t, cameras, servers))
	if err != nil || db.Patterns() != 4 {
		t.Fatal(db, err)
	}
	for text, want := range map[string]Match{
		"ExampleCam/1.2 (EX-100)": {Service: "Example Streamer", ServiceVersion: "1.2", Vendor: "Example", Product: "EX-100", Device: "IP Camera", Certainty: 0.5},
		"an EXAMPLEDVR":           {Product: "Model 7X", Device: "DVR", Certainty: 1},
		"Preferred":               {OS: "Acme OS", OSVendor: "Acme", Certainty: 1},
		"A\nB":                    {Service: "dots", Certainty: 1},
		"preferred":               {},
		"":                        {},
	} {
		if m, ok := db.Lookup("rtsp_header.server", text); m != want || ok != (want != Match{}) {
			t.Errorf("%q: %+v, want %+v", text, m, want)
		}
	}
	if _, ok := db.Lookup("ssh.banner", "Preferred"); ok {
		t.Error("matched another kind of text")
	}
	var none *DB
	if _, ok := none.Lookup("ssh.banner", "Preferred"); ok {
		t.Error("matched without a database")
	}
}

// The literal that a pattern requires must not exclude what the pattern matches.
func TestRequired(t *testing.T) {
	for expr, want := range map[string]string{
		`^OpenSSH_(\S+) Debian`: "openssh_",
		`(?i)^APC FTP`:          "apc ftp",
		`^(?:abc)+x`:            "abc",
		`a|b`:                   "",
		`^x?y*$`:                "",
		`(?:long){2}`:           "longlong",
	} {
		if got := required(expr); got != want && !(expr == `(?:long){2}` && got == "long") {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	const head = "<fingerprints matches=\"a.b\">\n"
	for text, want := range map[string]string{
		"":                             "a.xml:1: no element <fingerprints",
		"<fingerprint pattern=\"x\"/>": "outside of <fingerprints>",
		"<other/>":                     "unexpected element <other>",
		head + "<fingerprint pattern=\"(\"/></fingerprints>":                                "a.xml:2: pattern: error parsing regexp",
		head + "<fingerprint/></fingerprints>":                                              "a.xml:2: <fingerprint> without a pattern",
		head + "<fingerprint pattern=\"x\" flags=\"ODD\"/></fingerprints>":                  "a.xml:2: pattern \"x\": unknown flag \"ODD\"",
		head + "<fingerprint pattern=\"x\"><param pos=\"1\"/></fingerprint></fingerprints>": "a.xml:2: pattern \"x\": no group \"1\"",
		head + "<fingerprint pattern=\"x\">":                                                "a.xml:2:",
		head:                                                                                "a.xml:2:",
	} {
		if _, err := Load(directory(t, text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	file := filepath.Join(directory(t, cameras), "a.xml")
	for name, dir := range map[string]string{"nothing": filepath.Join(t.TempDir(), "none"), "empty": t.TempDir(), "file": file} {
		if _, err := Load(dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(cameras, "ExampleCam/1.2 (EX-100)")
	mutate.Fuzz(f, func(t *testing.T, text, banner string) {
		x, err := parse("f", text)
		if err != nil {
			return
		}
		db := &DB{lists: map[string][]*pattern{"x": x.patterns}}
		_, ok := db.Lookup("x", banner)
		matches := false
		for _, p := range x.patterns {
			matches = matches || banner != "" && p.re.MatchString(banner)
		}
		if isASCII(banner) && ok != matches {
			t.Errorf("found %v, want %v", ok, matches)
		}
	})
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(c rune) bool { return c >= 0x80 }) < 0 }
