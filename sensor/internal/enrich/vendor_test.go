// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	"strings"
	"testing"
)

func TestParseVendorsReportsTheLine(t *testing.T) {
	const good = "# Date: 2026-01-02\n# License: ours\nciscomeraki\tCisco Meraki\tbrand\n"
	if v, err := ParseVendors([]byte(good + "cisco\tCisco\tbrand\n")); err != nil || v.Rows() != 2 || v.Head.Date != "2026-01-02" {
		t.Fatal(v, err)
	}
	for row, want := range map[string]string{
		"cisco\tCisco":             "2 columns, want 3",
		"cisco\tCisco\tbrand\t":    "4 columns, want 3",
		"cisco Cisco brand":        "1 columns, want 3",
		"Cisco\tCisco\tbrand":      "want letters and digits in lower case",
		"cisco systems\tX\tbrand":  "want letters and digits in lower case",
		"\tCisco\tbrand":           "want letters and digits in lower case",
		"cisco\t\tbrand":           "the name is empty",
		"cisco\tCisco \tbrand":     "the name is empty or has space",
		"cisco\tCisco\tunknown":    `kind "unknown"`,
		"cisco\tCisco\t":           `kind ""`,
		"ciscomeraki\tM\tbrand":    "is never reached",
		"ciscomerakillc\tM\tbrand": "is never reached",
	} {
		_, err := ParseVendors([]byte(good + row + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 4: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", row, err, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	for name, want := range map[string]string{
		"AXIS": "Axis", "Axis Communications AB": "Axis", "HIKVISION": "Hikvision", "Hangzhou Hikvision Digital Technology": "Hikvision", "Dahua Technology": "Dahua",
		"VIVOTEK INC.": "Vivotek", "UNIVIEW": "Uniview", "Samsung Techwin": "Hanwha", "Hanwha Vision": "Hanwha", "MOBOTIX AG": "Mobotix", "TP-LINK": "TP-Link", "d-link": "D-Link",
		"Sony Corporation": "Sony", "Speco Technologies": "Speco Technologies", "Axisworks": "Axisworks", "Espressif Inc.": "", "Realtek": "", "": "", "!": "!",
	} {
		if got := Canonical(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
