// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/enrich"
)

func TestEmbeddedTable(t *testing.T) {
	table, err := Parse([]byte(tableText))
	if err != nil {
		t.Fatal(err)
	}
	if n := table.Rows(); n < 600 || table.Head.Date < "2026" {
		t.Errorf("only %d rows of %q", n, table.Head.Date)
	}
	for _, src := range sources {
		if src.name == "" || src.halfLife == 0 {
			t.Errorf("source without a name or half-life: %+v", src)
		}
	}
}

// A row about a brand that no MAC address belongs to would be dead.
func TestVendorRowsAreBrands(t *testing.T) {
	var brands []string
	for _, b := range enrich.Brands() {
		brands = append(brands, "="+strings.ToLower(b))
	}
	for _, r := range rules().bySource[MACVendor] {
		if !slices.Contains(brands, r.text) {
			t.Errorf("%q is no brand", r.text)
		}
	}
}

func TestParseReportsTheLine(t *testing.T) {
	const head = "# Date: 2026-01-02\n# License: ours\n"
	const good = "hostname\t~^(DCS-\\w+)\tcamera+22\tD-Link +25\t$1 +25\t-"
	if _, err := Parse([]byte(head + "version\t3\n" + good + "\n")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, row, want string }{
		{"five columns", "hostname\tcam\tcamera+10\t-\t-", "5 columns, want 6"},
		{"seven columns", good + "\t-", "7 columns, want 6"},
		{"spaces for tabs", "hostname cam camera+10 - - -", "1 columns, want 6"},
		{"empty column", "hostname\tcam\tcamera+10\t\t-\t-", "column 4: empty"},
		{"space around a column", "hostname\tcam \tcamera+10\t-\t-\t-", "column 2: empty or with space"},
		{"unknown source", "host\tcam\tcamera+10\t-\t-\t-", `unknown source "host"`},
		{"no match", "hostname\t-\tcamera+10\t-\t-\t-", "nothing to match"},
		{"match of one sign", "hostname\t^\tcamera+10\t-\t-\t-", "nothing to match"},
		{"bad regular expression", "hostname\t~(\tcamera+10\t-\t-\t-", "match: error parsing regexp"},
		{"regular expression of an uncached source", "http_uri\t~^/a\tcamera+10\t-\t-\t-", "no regular expressions"},
		{"domain in upper case", "name\tA.example\tcamera+10\t-\t-\t-", "want a domain"},
		{"domain with too many labels", "name\t1.2.3.4.5.6.7.8.9\tcamera+10\t-\t-\t-", "want a domain"},
		{"unknown role", "hostname\tcam\tcam+10\t-\t-\t-", `role "cam"`},
		{"the role unknown", "hostname\tcam\tunknown+10\t-\t-\t-", `role "unknown"`},
		{"role given twice", "hostname\tcam\tcamera+10 camera+5\t-\t-\t-", "given twice"},
		{"role without a weight", "hostname\tcam\tcamera\t-\t-\t-", "want a role and its weight"},
		{"weight that is no number", "hostname\tcam\tcamera+x\t-\t-\t-", `weight "+x"`},
		{"weight of zero", "hostname\tcam\tcamera+0\t-\t-\t-", `weight "+0"`},
		{"weight too large", "hostname\tcam\tcamera+600\t-\t-\t-", `weight "+600"`},
		{"weight NaN", "hostname\tcam\tcamera+nan\t-\t-\t-", `weight "+nan"`},
		{"vendor without a weight", "hostname\tcam\t-\tAxis\t-\t-", "vendor: "},
		{"model whose weight has no sign", "hostname\tcam\tcamera+10\t-\tX 5\t-", "model: weight"},
		{"says nothing", "hostname\tcam\t-\t-\t-\t-", "neither a role nor a vendor"},
		{"model of a group that is not there", "hostname\t~^(a)\tcamera+10\t-\t$2 +5\t-", "no group"},
		{"vendor of a group that is not there", "hostname\t~^a\t-\t$1 +5\t-\t-", "no group"},
		{"firmware of a group of a plain text", "hostname\tcam\tcamera+10\t-\t-\t$1", "no group"},
		{"same match twice", good, "same source and match as line 4"},
		{"second version", "version\t2", "one version row"},
	} {
		_, err := Parse([]byte(head + "version\t1\n" + good + "\n# comment\n" + tt.row + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 6: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"":                    "no version row",
		good + "\n":           "line 3: the version row must come first",
		"version\tone\n":      `line 3: version "one"`,
		"version\t0\n" + good: `line 3: version "0"`,
		"version\n":           "line 3: want one version row",
		"version\t1\t2\n":     "line 3: want one version row",
	} {
		if _, err := Parse([]byte(head + text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
