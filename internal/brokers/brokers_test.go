// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

func TestMechanisms(t *testing.T) {
	for _, name := range append(Mechanisms(), "plain", DefaultMechanism) {
		m, err := (&SASL{Mechanism: name, User: "u", Password: "p"}).Client()
		if err != nil || !strings.EqualFold(m.Name(), name) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := (&SASL{Mechanism: "GSSAPI"}).Client(); err == nil || !strings.Contains(err.Error(), "PLAIN, SCRAM") {
		t.Errorf("GSSAPI: %v", err)
	}
	if m, err := (*SASL)(nil).Client(); m != nil || err != nil {
		t.Errorf("no SASL: %v, %v", m, err)
	}
}

// TestDocumentedMechanisms checks that the pages on both configurations list exactly the supported mechanisms.
func TestDocumentedMechanisms(t *testing.T) {
	for _, page := range []string{"collector.md", "kafka.md"} {
		b, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(b), "mechanism: ")
		line, _, _ = strings.Cut(line, "\n")
		found := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" #,", r) })
		if len(found) != len(Mechanisms())+1 || found[0] != DefaultMechanism { // and the word "or"
			t.Errorf("%s lists %q", page, found)
		}
		for _, name := range Mechanisms() {
			if !strings.Contains(line, name) {
				t.Errorf("%s does not list %s: %s", page, name, line)
			}
		}
	}
}
