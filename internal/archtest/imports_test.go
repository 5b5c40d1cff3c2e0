// SPDX-License-Identifier: Apache-2.0

package archtest

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

// sensorImports lists the packages of this module that each package of the sensor may import. Imports run downward only; a package that is
// not in the table is an error. Tests may import more.
func sensorImports() map[string][]string {
	below := []string{"memo", "cacheline", "packet", "capture", "session", "dissect", "fingerprint", "enrich", "watchtime", "device", "contract", "intel", "customrule", "detect", "policy", "alert", "config", "schemas"}
	return map[string][]string{
		"memo":        nil,
		"cacheline":   nil,
		"packet":      nil,
		"capture":     {"packet", "bpf", "internal/panics"},
		"session":     {"cacheline", "packet"},
		"dissect":     {"memo", "datafile"}, // and its own packages, in which the dissectors are
		"fingerprint": {"memo", "packet", "dissect"},
		"snapshot":    nil,
		"lru":         {"cacheline", "snapshot"},
		"datafile":    nil,
		"assets":      {"datafile", "dissect/logins", "enrich", "device/evidence", "lifecycle"},
		"lifecycle":   {"datafile"},
		"enrich":      {"datafile", "lru", "snapshot"},
		"watchtime":   {"snapshot"},
		"intel":       nil,
		"customrule":  nil,
		"sigma":       {"customrule", "config"},
		"device":      {"cacheline", "snapshot", "watchtime", "packet", "session", "dissect", "fingerprint", "enrich"},
		"contract":    {"snapshot", "packet", "session", "device", "fingerprint", "enrich"},
		"config":      {"customrule", "packet", "session", "device", "contract", "enrich", "internal/brokers", "schemas"},
		"detect":      {"lifecycle", "lru", "snapshot", "watchtime", "packet", "session", "dissect", "fingerprint", "enrich", "device", "contract", "intel", "customrule", "config"},
		"policy":      {"snapshot", "packet", "session", "device", "contract", "config", "detect", "schemas"},
		"alert":       {"lru", "snapshot", "packet", "session", "dissect", "fingerprint", "enrich", "device", "contract", "intel", "config", "detect", "schemas"},
		"evidence":    {"schemas", "packet", "dissect/mask"},
		"inventory":   {"lru", "packet", "session", "dissect", "device", "contract", "config", "detect", "schemas", "terminal"},
		"privilege":   nil,
		"service":     nil,
		"publish":     {"schemas", "internal/brokers", "internal/metrictable", "internal/panics"},
		"subscribe":   {"publish", "internal/panics"},
		"doctor":      {"packet", "capture", "publish", "schemas", "bpf"},
		"state":       {"snapshot", "internal/metrictable", "internal/panics"},
		"selection":   {"packet", "session", "device", "schemas"},
		"extract":     {"packet", "capture", "session", "schemas"},
		"pipeline":    append([]string{"assets", "evidence", "selection", "lru", "snapshot", "state", "dissect/dispatch", "dissect/lan"}, below...),
		"metrics":     append([]string{"pipeline", "publish", "privilege", "internal/metrictable"}, below...),
		"export":      {"schemas"},
		"casereport":  {"policy", "schemas", "terminal"},
		"gctune":      nil,
		"terminal":    {"schemas"},
		"completion":  nil,
		"cli": append([]string{"casereport", "dissect/decrypt", "selection", "extract", "sigma", "snapshot", "assets", "evidence", "fingerprint/recog", "pipeline", "inventory", "metrics", "publish", "export", "privilege", "service", "doctor", "state", "subscribe", "gctune", "terminal", "completion",
			"internal/brokers", "internal/buildinfo", "internal/logs", "internal/panics"}, below...),
		"endtoend": nil, // tests only

		// Packages within another one may import what that one may, unless they are listed here.
		"capture/pcapfile":  {"packet"},
		"device/evidence":   {"datafile", "snapshot", "enrich", "fingerprint", "fingerprint/recog"},
		"fingerprint/recog": {},
		"dissect/dispatch":  {"cacheline"},

		// Only tests import these.
		"dissect/dissecttest":   {"internal/testlab/mutate"},
		"snapshot/snapshottest": {"internal/testlab/mutate"},
	}
}

// collectorImports is the same for the collector.
func collectorImports() map[string][]string {
	return map[string][]string{
		"sample":   {"store", "schemas"},
		"sanitize": {"schemas"},
		"config":   {"internal/brokers"},
		"broker":   nil,
		"packets":  {"schemas"},
		"store":    {"schemas"},
		"queue":    {"schemas", "internal/brokers"},
		"consume":  {"packets", "store", "queue", "schemas", "internal/metrictable", "internal/panics"},
		"auth":     {"store"},
		"api":      {"auth", "store", "schemas"},
		"console":  {"api", "auth", "packets", "sanitize", "store", "schemas"},
		"serve":    {"config", "broker", "queue", "consume", "store", "auth", "console", "internal/brokers", "internal/metrictable", "internal/panics"},
		"demo":     {"serve", "config", "auth", "sanitize", "schemas"},
		"cli":      {"auth", "config", "sanitize", "demo", "queue", "serve", "store", "internal/buildinfo", "internal/logs"},
		"endtoend": nil, // tests only
	}
}

// listed is a package as go list -json prints it.
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
	for program, allowed := range map[string]map[string][]string{"sensor": sensorImports(), "collector": collectorImports()} {
		inner := "stillwatch/" + program + "/internal/"
		for _, p := range goList(t, "./"+program+"/internal/...") {
			path := strings.TrimPrefix(p.ImportPath, inner)
			name, _, _ := strings.Cut(path, "/")
			may, known := allowed[path]
			if !known {
				may, known = allowed[name]
			}
			if !known {
				t.Errorf("%s is not in the table of packages", p.ImportPath)
				continue
			}
			for _, i := range p.Imports {
				own := i == inner+name || strings.HasPrefix(i, inner+name+"/")
				to := strings.TrimPrefix(strings.TrimPrefix(i, inner), "stillwatch/")
				if strings.HasPrefix(i, "stillwatch/") && !own && !slices.Contains(may, to) {
					t.Errorf("%s imports %s, which the table does not allow", p.ImportPath, i)
				}
			}
		}
	}
}

func TestProgramsImportOnlyTheCommandLine(t *testing.T) {
	for _, program := range []string{"sensor", "collector"} {
		for _, p := range goList(t, "./"+program) {
			if want := []string{"os", "stillwatch/" + program + "/internal/cli", "stillwatch/internal/buildinfo"}; !slices.Equal(p.Imports, slices.Sorted(slices.Values(want))) {
				t.Errorf("%s imports %v, want %v", p.ImportPath, p.Imports, want)
			}
		}
	}
}

func TestProgramsDependOnNeitherEachOtherNorTestCode(t *testing.T) {
	for program, other := range map[string]string{"sensor": "stillwatch/collector", "collector": "stillwatch/sensor"} {
		for _, p := range goList(t, "-deps", "./"+program) {
			for _, bad := range []string{other, "stillwatch/scripts", "stillwatch/internal/testneed", "stillwatch/internal/testlab", "stillwatch/collector/internal/sample",
				"stillwatch/internal/metrictable/metrictest", "stillwatch/sensor/internal/dissect/dissecttest", "stillwatch/sensor/internal/dissect/dispatchtest"} {
				if p.ImportPath == bad || strings.HasPrefix(p.ImportPath, bad+"/") {
					t.Errorf("the %s depends on %s", program, p.ImportPath)
				}
			}
		}
	}
}

func TestPackageNamesSayWhatTheyHold(t *testing.T) {
	for _, p := range goList(t, "./...") {
		for _, part := range strings.Split(p.ImportPath, "/") {
			if slices.Contains([]string{"common", "util", "utils", "helper", "helpers", "misc", "base"}, part) {
				t.Errorf("%s: the name does not say what the package holds", p.ImportPath)
			}
		}
	}
}
