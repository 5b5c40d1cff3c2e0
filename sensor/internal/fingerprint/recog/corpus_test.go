// SPDX-License-Identifier: Apache-2.0

package recog

import (
	"encoding/base64"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// TestExamplesOfRecog checks the examples in Recog's own databases, if the corpus has a copy: nearly all must match their pattern.
func TestExamplesOfRecog(t *testing.T) {
	dir := filepath.Join(testneed.Corpus(t), "recog")
	db, err := Load(dir)
	if err != nil {
		testneed.Missing(t, testneed.CorpusNeed, "no copy of Recog that can be read: %v", err)
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.xml"))
	examples, matched := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x struct {
			Fingerprints []struct {
				xmlFingerprint
				Examples []struct {
					Text     string `xml:",chardata"`
					Encoding string `xml:"_encoding,attr"`
					File     string `xml:"_filename,attr"`
				} `xml:"example"`
			} `xml:"fingerprint"`
		}
		if err := xml.Unmarshal(text, &x); err != nil {
			t.Fatal(err)
		}
		for _, f := range x.Fingerprints {
			p, err := compile(&f.xmlFingerprint)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			for _, e := range f.Examples {
				if e.File != "" {
					continue
				}
				s := e.Text
				if e.Encoding == "base64" {
					b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
					if err != nil {
						t.Fatal(err)
					}
					s = string(b)
				}
				examples++
				one := &DB{lists: map[string][]*pattern{"x": {p}}}
				if _, ok := one.Lookup("x", s); ok {
					matched++
				} else {
					t.Logf("%s: %q does not match %s", filepath.Base(file), s, f.Pattern)
				}
			}
		}
	}
	t.Logf("%d patterns, %d of %d examples match", db.Patterns(), matched, examples)
	if matched*1000 < examples*999 {
		t.Errorf("%d of %d examples match", matched, examples)
	}
}
