// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

const inner = "stillwatch/collector/internal/"

// mayImport says which packages of ours each package of the collector may import (its tests may import more). Imports run
// downward only; a package that is not here may not be.
func mayImport() map[string][]string {
	return map[string][]string{
		"sample":   {"schemas"},
		"sanitize": {"schemas"},
		"config":   {"internal/brokers"},
		"broker":   nil,
		"store":    {"schemas"},
		"queue":    {"schemas", "internal/brokers"},
		"consume":  {"store", "queue", "schemas"},
		"auth":     {"store"},
		"api":      {"auth", "store", "schemas"},
		"console":  {"api", "auth", "sanitize", "store", "schemas"},
		"serve":    {"config", "broker", "queue", "consume", "store", "auth", "console", "internal/brokers"},
		"demo":     {"serve", "config", "auth", "sanitize", "schemas"},
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func goList(t *testing.T, args ...string) (all []listed) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...)
	cmd.Dir = testneed.Root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsRunDownward(t *testing.T) {
	allowed := mayImport()
	for _, p := range goList(t, "./collector/internal/...") {
		name, _, nested := strings.Cut(strings.TrimPrefix(p.ImportPath, inner), "/")
		may, known := allowed[name]
		if !known {
			t.Errorf("%s: a package that the architecture does not know", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, "stillwatch/") || nested && strings.HasPrefix(i, inner+name+"/") {
				continue
			}
			if to := strings.TrimPrefix(strings.TrimPrefix(i, inner), "stillwatch/"); !slices.Contains(may, to) {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, i)
			}
		}
	}
}

func TestNothingImportsTheOtherProgramOrTheTests(t *testing.T) {
	for _, p := range goList(t, "-deps", "./collector") {
		for _, bad := range []string{"stillwatch/sensor", "stillwatch/scripts", "stillwatch/internal/testneed", "stillwatch/internal/testlab", inner + "sample"} {
			if p.ImportPath == bad || strings.HasPrefix(p.ImportPath, bad+"/") {
				t.Errorf("the collector depends on %s", p.ImportPath)
			}
		}
	}
}
