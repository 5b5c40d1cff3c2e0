// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHostileDocumentsAreRefusedBeforeTheyAreParsed has documents on which the parser alone would work for minutes or hours.
func TestHostileDocumentsAreRefusedBeforeTheyAreParsed(t *testing.T) {
	const n = 100_000
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: v\n", i)
		}
		return b.String()
	}
	stairs := func(step string) string {
		var b strings.Builder
		for i := range 1000 {
			b.WriteString(strings.Repeat(" ", i) + step + "\n")
		}
		return b.String()
	}
	cases := []struct{ name, src, want string }{
		{"brackets", strings.Repeat("[", n), "deeper than 32"},
		{"braces", strings.Repeat("{a: ", n), "deeper than 32"},
		{"brackets on lines of their own", strings.Repeat("[\n", n), "deeper than 32"},
		{"dashes", strings.Repeat("- ", n), "deeper than 32"},
		{"question marks", strings.Repeat("? ", n), "deeper than 32"},
		{"colons", strings.Repeat("a: ", n), "deeper than 32"},
		{"colons in a list", "a: [" + strings.Repeat("a: ", n), "deeper than 32"},
		{"tags", "a: " + strings.Repeat("!x ", n), "deeper than 32"},
		{"anchors", "a: " + strings.Repeat("&x ", n), "deeper than 32"},
		{"stairs", stairs("a:"), "deeper than 32"},
		{"stairs of dashes", stairs("-"), "deeper than 32"},
		{"brackets that are closed", strings.Repeat("]", n), "unmatched closing bracket"},
		{"documents", strings.Repeat("---\na: b\n", n), "expected one document"},
		{"keys", keys(40_000), "more than 5000 keys"},
		{"keys of a zone", "version: 1\nzones:\n" + strings.ReplaceAll(keys(40_000), "k", "  k"), "more than 5000 keys"},
		{"a file that is too large", strings.Repeat("# \n", maxInventory/3+1), "larger than 64 MiB"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseInventory("f", []byte(c.src))
			var list Errors
			if !errors.As(err, &list) || len(list) != 1 || !strings.Contains(list[0].Text, c.want) || len(err.Error()) > 1000 {
				t.Errorf("gave %.300v, want one mistake with %q", err, c.want)
			}
		})
	}
}

func TestLargeValidDocuments(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nzones:\n")
	for i := range maxKeys - 1 {
		fmt.Fprintf(&b, "  z%d: [10.0.0.0/8]\n", i)
	}
	b.WriteString("devices: # [ [ [\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - name: d%d # {{{ it's\n    match: {ip: 10.%d.%d.1}\n    owner: \"[[ 'a' {{\"\n    allow:\n      - {peer: zone:z1, ports: [1, \"2-3\"]}\n", i, i/250+1, i%250)
	}
	inv, err := ParseInventory("f", []byte(b.String()))
	if err != nil || len(inv.Devices) != 10_000 || len(inv.Zones) != maxKeys-1 {
		t.Fatalf("%.500v", err)
	}
}

func TestConfigurationSizeLimit(t *testing.T) {
	src := "version: 1\n" + strings.Repeat("#\n", maxConfig/2)
	if _, err := Parse("f", []byte(src)); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("gave %v", err)
	}
	path := filepath.Join(t.TempDir(), "sensor.yaml")
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("from the file: %v", err)
	}
	if _, err := Load("/dev/zero"); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("what never ends gave %v", err)
	}
}

func TestByteOrderMarkIsAccepted(t *testing.T) {
	if _, err := Parse("f", []byte("\xef\xbb\xbfversion: 1\nidle_days: 3\n")); err != nil {
		t.Error(err)
	}
}

func TestErrorListIsBounded(t *testing.T) {
	_, err := ParseInventory("inv.yaml", []byte("version: 1\ndevices:\n"+strings.Repeat("  - x\n", 1000)))
	var list Errors
	if !errors.As(err, &list) || len(list) != 1000 {
		t.Fatalf("%d mistakes", len(list))
	}
	text := err.Error()
	if n := strings.Count(text, "inv.yaml:"); n != maxShown+1 || !strings.HasSuffix(text, "\ninv.yaml: and 950 more") {
		t.Errorf("%d lines, the last is %q", n, text[strings.LastIndexByte(text, '\n')+1:])
	}
}

func TestLongMessageIsShortened(t *testing.T) {
	_, err := ParseInventory("f", []byte("version: 1\n"+strings.Repeat("é", 100_000)+": 1\n"))
	if err == nil || len(err.Error()) > 500 || !strings.HasSuffix(err.Error(), "…") {
		t.Errorf("gave %.600v", err)
	}
}

func TestParseSilentErrors(t *testing.T) {
	cases := []struct{ arg, want string }{
		{"10.0.0.5/8", `--silent "10.0.0.5/8" has bits set beyond its length; the network is 10.0.0.0/8`},
		{"fd00::5/64", `--silent "fd00::5/64" has bits set beyond its length; the network is fd00::/64`},
		{"10.20.10.17,10.20.10.18", `--silent "10.20.10.17,10.20.10.18" is a list: repeat --silent for each value`},
		{"camera", `--silent "camera" is not an address, a prefix or a MAC address`},
		{"ff:ff:ff:ff:ff:ff", `--silent "ff:ff:ff:ff:ff:ff" is not the MAC address of a device`},
	}
	for _, c := range cases {
		if _, _, err := ParseSilent([]string{c.arg}); err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.arg, err, c.want)
		}
	}
	_, _, err := ParseSilent([]string{"a", "b"})
	if n := strings.Count(err.Error(), "--silent"); n != 2 {
		t.Errorf("the option stands %d times in\n%v", n, err)
	}
}
