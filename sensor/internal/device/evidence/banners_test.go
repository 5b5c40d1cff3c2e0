// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestBanners checks that each example matches its row and no row before it, and that a model or a firmware from a group is found.
func TestBanners(t *testing.T) {
	x, err := parseBanners("banners.yaml", bannersText)
	if err != nil {
		t.Fatal(err)
	}
	nth := map[string]int{}
	for i, row := range x.rows {
		name := x.sources[i]
		src, ok := parseSource(name)
		if !ok || sources[src].group != GroupBanner {
			t.Fatalf("%s is no source of banners", name)
		}
		want := rules().bySource[src][nth[name]]
		nth[name]++
		models, firmwares := false, false
		for _, text := range row.Examples {
			f := rules().match(src, Clean(text))
			if f.rule != want {
				t.Errorf("%s: %q does not match %s but %s", name, text, row.Match, matchOf(f.rule))
				continue
			}
			models, firmwares = models || f.model != "", firmwares || f.firmware != ""
			if strings.Contains(f.model+f.firmware, "$") {
				t.Errorf("%s: %q: model %q, firmware %q", name, text, f.model, f.firmware)
			}
		}
		if want.model != "" && !models || want.firmware != "" && !firmwares {
			t.Errorf("%s: no example of %s has a model or firmware", name, row.Match)
		}
	}
	if len(x.rows) < 350 {
		t.Errorf("%d rows", len(x.rows))
	}
}

func matchOf(r *rule) string {
	switch {
	case r == nil:
		return "nothing"
	case r.re != nil:
		return r.re.String()
	}
	return r.text
}

// TestBannersAreYAML checks that a YAML parser reads the same rows.
func TestBannersAreYAML(t *testing.T) {
	x, err := parseBanners("banners.yaml", bannersText)
	if err != nil {
		t.Fatal(err)
	}
	var y struct {
		Version int                    `yaml:"version"`
		Banners map[string][]bannerRow `yaml:"banners"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(bannersText), &y, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	z := map[string][]bannerRow{}
	for i, row := range x.rows {
		z[x.sources[i]] = append(z[x.sources[i]], row)
	}
	if y.Version != x.version || !reflect.DeepEqual(y.Banners, z) {
		t.Errorf("version %d and %d, rows differ", y.Version, x.version)
	}
}

func TestBannersErrors(t *testing.T) {
	const head = "version: 1\nbanners:\n  http_server:\n"
	for text, want := range map[string]string{
		"":                   "f: no version",
		"version: x":         "f:1: strconv.Atoi",
		"banners:":           "f:1: want a version",
		"version: 1\n    - ": "f:2: want a version",
		head + `    - {"match": "x", "role": "camera+1", "examples": ["x"]}`:                      "f:4: json: unknown field",
		head + `    - {"match": "x", "roles": "camera+1"}`:                                        "f:4: no example",
		head + `    - {"match": "x", "roles": "camera+1", "examples": ["x"]} x`:                   "behind the row",
		head + `    - {"match": "~(", "roles": "camera+1", "examples": ["x"]}`:                    "f:4: match: error parsing regexp",
		head + `    - {"match": "x", "examples": ["x"]}`:                                          "f:4: neither a role nor a vendor",
		"version: 1\n  other:\n" + `    - {"match": "x", "roles": "camera+1", "examples": ["x"]}`: "f:3: unknown source \"other\"",
	} {
		x, err := parseBanners("f", text)
		if err == nil {
			err = (&Table{version: 1}).addBanners("f", x)
		}
		if err == nil || !strings.HasPrefix(err.Error(), "f:") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func BenchmarkReadTable(b *testing.B) {
	for range b.N {
		if _, err := Parse([]byte(tableText)); err != nil {
			b.Fatal(err)
		}
	}
}
