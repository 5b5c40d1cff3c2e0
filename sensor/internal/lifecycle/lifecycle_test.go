// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
)

func day(t testing.TB, s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEmbeddedTables(t *testing.T) {
	r, err := ParseReleases(EmbeddedReleases())
	if err != nil {
		t.Fatal(err)
	}
	x, err := ParseExploited(EmbeddedExploited())
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows() < 100 || x.Rows() < 80 || r.Head.Date < "2026" || x.Head.Date < "2025" {
		t.Errorf("%d releases of %s, %d vulnerabilities of %s", r.Rows(), r.Head.Date, x.Rows(), x.Head.Date)
	}
}

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1.10", "1.9", 1}, {"V5.5.800 build 210628", "5.5.800", 0}, {"6.42", "6.42.1", -1}, {"7.4p1", "7.4", 1}, {"2.06B01", "2.06", 1},
		{"V5.21(AAZF.14)C0", "5.21.14", 0}, {"", "", 0}, {"99999999999999999999999", "1", 1}, {"02.03.01.104", "2.3.1.104", 0},
	} {
		if got := Compare(tt.a, tt.b); got != tt.want {
			t.Errorf("%q %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
	for _, tt := range []struct {
		version, pattern string
		want             bool
	}{
		{"1.10.3", "1.10", true}, {"1.100", "1.10", false}, {"1.1", "1.10", false}, {"7.4p1", "7.4", true}, {"7.2p2", "7.2p2", true}, {"", "1", false}, {"x", "1", false},
	} {
		if got := within(tt.version, tt.pattern); got != tt.want {
			t.Errorf("%q within %q: %v", tt.version, tt.pattern, got)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"DS-2CD*", "ds-2cd2143G0-I", true}, {"DS-2CD*", "iDS-2CD7", false}, {"*IPC-H*3*", "DH-IPC-HFW2431", true}, {"*IPC-H*3*", "DH-IPC-HFW2421", false},
		{"DNS-320", "DNS-320L", false}, {"DNS-320", "dns-320", true}, {"*", "", true}, {"a*a", "a", false}, {"a**b", "ab", true}, {"", "x", false},
	} {
		if got := Glob(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q %q: %v", tt.pattern, tt.text, got)
		}
	}
}

func TestProducts(t *testing.T) {
	for greeting, want := range map[string][]Product{
		"SSH-2.0-OpenSSH_7.4":                                  {{"OpenSSH", "7.4", ""}},
		"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.1":              {{"OpenSSH", "8.9p1", "Ubuntu"}},
		"SSH-2.0-OpenSSH_6.7p1 Debian-5+deb8u4":                {{"OpenSSH", "6.7p1", "Debian"}},
		"SSH-2.0-OpenSSH_for_Windows_7.7":                      {{"OpenSSH for Windows", "7.7", ""}},
		"SSH-2.0-dropbear_2012.55":                             {{"Dropbear", "2012.55", ""}},
		"SSH-2.0-dropbear":                                     nil,
		"Apache/2.4.6 (CentOS) OpenSSL/1.0.2k-fips PHP/5.4.16": {{"Apache", "2.4.6", "CentOS"}, {"PHP", "5.4.16", "CentOS"}, {"OpenSSL", "1.0.2k", "CentOS"}},
		"Apache-Coyote/1.1":                                    nil,
		"Apache":                                               nil,
		"nginx/1.14.0":                                         {{"nginx", "1.14.0", ""}},
		"Microsoft-IIS/7.5":                                    {{"IIS", "7.5", ""}},
		"lighttpd/1.4.35.":                                     {{"lighttpd", "1.4.35", ""}},
		"220 mail ESMTP Exim 4.89 Mon":                         {{"Exim", "4.89", ""}},
		"nginx/":                                               nil,
		"":                                                     nil,
	} {
		if got := Products(greeting); !slices.Equal(got, want) {
			t.Errorf("%q: %+v, want %+v", greeting, got, want)
		}
	}
}

func TestReleases(t *testing.T) {
	r := Known.Get()
	for _, tt := range []struct{ greeting, ended string }{
		{"Apache/2.2.15", "2017-07-11"}, {"Apache/2.2.22 (Debian)", "2018-05-31"}, {"Apache/2.2.15 (CentOS)", "2020-11-30"}, {"nginx/1.10.3 (Ubuntu)", "2021-04-02"},
		{"Microsoft-IIS/8.5", "2023-10-10"}, {"SSH-2.0-OpenSSH_7.2p2 Ubuntu-4", "2021-04-02"},
	} {
		row := r.Program(Products(tt.greeting)[0])
		if row == nil || row.Ended.Format(time.DateOnly) != tt.ended {
			t.Errorf("%q: %+v, want %s", tt.greeting, row, tt.ended)
		}
	}
	for _, greeting := range []string{"Apache/2.4.62", "Apache/2.2.22 (Fedora)", "nginx/1.29.1", "Microsoft-IIS/10.0", "SSH-2.0-OpenSSH_99.1"} {
		if row := r.Program(Products(greeting)[0]); row != nil {
			t.Errorf("%q: %+v", greeting, row)
		}
	}
	if row := r.Device("D-Link", "DNS-325", ""); row == nil || row.Ended.Format(time.DateOnly) != "2017-09-01" {
		t.Errorf("%+v", row)
	}
	if row := r.Device("Fortinet", "FortiGate-60E", ""); row != nil {
		t.Errorf("%+v without a firmware", row)
	}
	if row := r.Device("MikroTik", "", "6.42"); row != nil {
		t.Errorf("%+v without a model", row)
	}
}

func TestExploited(t *testing.T) {
	x := InTheWild.Get()
	now := day(t, "2026-01-01")
	for _, tt := range []struct{ vendor, model, firmware, built, want string }{
		{"Hikvision", "DS-2CD2143G0-I", "V5.5.82", "2019-09-09", "CVE-2021-36260"},
		{"Hikvision", "DS-2CD2143G0-I", "V5.5.800", "2021-06-28", ""},
		{"Hikvision", "DS-2CD2143G0-I", "", "", ""},
		{"Hikvision", "DS-7608NI", "V4", "2019-09-09", ""},
		{"Dahua", "DS-2CD2143G0-I", "V5.5.82", "2019-09-09", ""},
		{"MikroTik", "RB951", "6.40.5", "", "CVE-2018-14847"},
		{"MikroTik", "RB951", "6.43", "", ""},
		{"D-Link", "DIR-820L", "", "", "CVE-2023-25280"},
		{"Fortinet", "FortiGate-60E", "6.0.4", "", "CVE-2018-13379 CVE-2018-13382 CVE-2018-13383 CVE-2020-12812 CVE-2023-27997"},
		{"Fortinet", "FortiGate-60E", "7.4.9", "", ""},
	} {
		var got []string
		for _, v := range x.Device(tt.vendor, tt.model, tt.firmware, tt.built, now) {
			got = append(got, v.CVE)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	if got := x.Device("Hikvision", "DS-2CD2143G0-I", "V5.5.82", "2019-09-09", day(t, "2022-01-09")); got != nil {
		t.Errorf("%v before it was known", got[0].CVE)
	}
	if got := x.Program(Product{"Apache", "2.4.49", ""}, now); len(got) != 2 {
		t.Errorf("%d vulnerabilities of Apache 2.4.49", len(got))
	}
	if got := x.Program(Product{"Apache", "2.4.49", "Debian"}, now); got != nil {
		t.Error("a distribution corrects without a new version")
	}
	if got := x.Device("Apache", "program", "2.4.49", "", now); got != nil {
		t.Error("a device is no program")
	}
}

const head = "# Date: 2026-01-02\n# License: ours\n"

func TestBadRows(t *testing.T) {
	for row, want := range map[string]string{
		"device\tA\tB\t1\t2020-01-01\t-":                       "6 columns, want 7",
		"thing\tA\tB\t1\t2020-01-01\t-\thttps://a":             `kind "thing"`,
		"device\tA\tB\tx\t2020-01-01\t-\thttps://a":            `version "x"`,
		"device\tA\tB\t1\t-\t-\thttps://a":                     "neither released nor ended",
		"device\tA\tB\t1\t2020-13-01\t-\thttps://a":            `date "2020-13-01"`,
		"device\tA\tB\t1\t2020-01-02\t2020-01-01\thttps://a":   "before the release",
		"device\tA\tB\t1\t2020-01-02\t-\tjavascript:":          "source",
		"device\t\tB\t1\t2020-01-02\t-\thttps://a":             "empty column",
		"device\tA\tC\t*\t2020-01-01\t-\thttps://a/other/page": "the same product",
	} {
		_, err := ParseReleases([]byte(head + "device\tA\tC\t*\t2020-01-01\t-\thttps://a\n" + row + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 4: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", row, err, want)
		}
	}
	for row, want := range map[string]string{
		"CVE-1\tA\tB\tany\t2020-01-01":                   "5 columns, want 6",
		"X\tA\tB\tany\t2020-01-01\thttps://a":            "want a CVE",
		"CVE-1\tA\tB\t\t2020-01-01\thttps://a":           "no affected versions",
		"CVE-1\tA\tB\t<x\t2020-01-01\thttps://a":         `affected "<x"`,
		"CVE-1\tA\tB\tbuilt<2020\t2020-01-01\thttps://a": "want a date",
		"CVE-1\tA\tB\tany\t-\thttps://a":                 "added",
		"CVE-1\tA\tB\tany\t2020-01-01\tftp://a":          "source",
		"CVE-1\tA\tB\t1.2..\t2020-01-01\thttps://a":      "want a version",
	} {
		_, err := ParseExploited([]byte(head + row + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 3: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", row, err, want)
		}
	}
}

func FuzzTables(f *testing.F) {
	f.Add(head+"device\tA\tC\t*\t2020-01-01\t-\thttps://a\n", "Apache/2.2.22 (Debian)")
	f.Add(head+"CVE-1\tA\tB\t<=1.2 1..3 built<2020-01-01\t2020-01-01\thttps://a\n", "SSH-2.0-OpenSSH_7.4p1")
	mutate.Fuzz(f, func(t *testing.T, text, greeting string) {
		r, err := ParseReleases([]byte(text))
		if err == nil {
			r.Device("A", greeting, greeting)
		}
		x, err := ParseExploited([]byte(text))
		if err == nil {
			x.Device("A", greeting, greeting, greeting, day(t, "2026-01-01"))
		}
		for _, p := range Products(greeting) {
			if p.Name == "" || p.Version == "" || len(p.Version) > 24 {
				t.Errorf("%+v", p)
			}
			Known.Get().Program(p)
		}
		Compare(text, greeting)
		Glob(text, greeting)
	})
}
