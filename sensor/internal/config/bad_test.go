// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

var update = flag.Bool("update", false, "write the expected messages")

// Each file of testdata/bad has a mistake of its own; the message stands beside it.
func TestBadDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		if strings.HasPrefix(name, "inventory_") {
			_, err = ParseInventory(name, src)
		} else {
			_, err = Parse(name, src)
		}
		var list Errors
		if !errors.As(err, &list) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".txt", err.Error()+"\n")
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", path, got, want)
	}
}

func TestMissingFile(t *testing.T) {
	for _, load := range []func() error{
		func() error { _, err := Load("testdata/none.yaml"); return err },
		func() error { _, err := LoadInventory("testdata/none.yaml"); return err },
	} {
		if err := load(); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("version: 1\ndetections:\n  D01: {enabled: true, params: {a: 1}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	mutate.Fuzz(f, func(t *testing.T, src []byte) {
		inv, err := ParseInventory("f", src)
		if (inv == nil) == (err == nil) {
			t.Fatal("neither result nor error")
		}
		if c, err := Parse("f", src); err == nil {
			var p struct{ A int }
			for rule := range c.Detections {
				_ = c.Params(rule, &p)
			}
		}
	})
}
