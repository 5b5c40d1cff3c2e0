// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

const inner = "stillwatch/sensor/internal/"

// mayImport says which packages of ours each package of the sensor may import (its tests may import more). Imports run
// downward only; a package that is not here may not be.
func mayImport() map[string][]string {
	below := []string{"memo", "cacheline", "packet", "capture", "session", "dissect", "fingerprint", "enrich", "watchtime", "device", "contract", "detect", "alert", "config", "schemas"}
	return map[string][]string{
		"memo":        nil,
		"cacheline":   nil,
		"packet":      nil,
		"capture":     {"packet", "bpf"},
		"session":     {"cacheline", "packet"},
		"dissect":     {"memo"}, // and its own packages, in which the dissectors are
		"fingerprint": {"memo", "dissect"},
		"snapshot":    {"snapshot"}, // its folder for tests
		"lru":         {"snapshot"},
		"enrich":      {"lru", "snapshot"},
		"watchtime":   {"snapshot"},
		"device":      {"snapshot", "watchtime", "packet", "session", "dissect", "fingerprint", "enrich"},
		"contract":    {"packet", "session", "device", "fingerprint", "enrich"},
		"config":      {"packet", "session", "device", "contract", "enrich", "internal/brokers"},
		"detect":      {"lru", "snapshot", "watchtime", "packet", "session", "dissect", "fingerprint", "enrich", "device", "contract", "config"},
		"alert":       {"lru", "snapshot", "packet", "session", "dissect", "fingerprint", "enrich", "device", "contract", "config", "detect", "schemas"},
		"privilege":   nil,
		"service":     nil,
		"metrictable": nil,
		"publish":     {"metrictable", "schemas", "internal/brokers"},
		"doctor":      {"packet", "capture", "publish", "schemas", "bpf"},
		"state":       {"metrictable", "snapshot"},
		"pipeline":    append([]string{"snapshot", "state", "dissect/dispatch", "dissect/lan"}, below...),
		"metrics":     append([]string{"metrictable", "pipeline", "publish", "privilege"}, below...),

		// Packages within another one may import what that one may, unless they are listed here.
		"device/evidence": {"snapshot", "enrich"},
	}
}

// listed is what go list tells of a package.
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
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsRunDownward(t *testing.T) {
	allowed := mayImport()
	for _, p := range goList(t, "./sensor/internal/...") {
		path := strings.TrimPrefix(p.ImportPath, inner)
		name, _, nested := strings.Cut(path, "/")
		may, known := allowed[path]
		if nested && !known {
			may, known = allowed[name]
		}
		if !known {
			t.Errorf("%s: a package that the architecture does not know", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if !strings.HasPrefix(i, "stillwatch/") || nested && (i == inner+name || strings.HasPrefix(i, inner+name+"/")) {
				continue
			}
			to := strings.TrimPrefix(strings.TrimPrefix(i, inner), "stillwatch/")
			if !slices.Contains(may, to) && !strings.HasPrefix(to, name+"/") {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, i)
			}
		}
	}
}

func TestNothingImportsTheOtherProgramOrTheTests(t *testing.T) {
	for _, p := range goList(t, "-deps", "./sensor") {
		for _, bad := range []string{"stillwatch/collector", "stillwatch/scripts", "stillwatch/internal/testneed", "stillwatch/internal/testlab"} {
			if p.ImportPath == bad || strings.HasPrefix(p.ImportPath, bad+"/") {
				t.Errorf("the sensor depends on %s", p.ImportPath)
			}
		}
	}
}

func TestPackagesHaveNamesOfTheField(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, part := range strings.Split(p.ImportPath, "/") {
			if slices.Contains([]string{"common", "util", "utils", "helper", "helpers", "misc", "base"}, part) {
				t.Errorf("%s: a name that says nothing", p.ImportPath)
			}
		}
	}
}
