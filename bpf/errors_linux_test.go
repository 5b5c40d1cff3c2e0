// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// The error names a missing capability.
func TestMissingCapabilityIsNamed(t *testing.T) {
	const child = "STILLWATCH_TEST_WITHOUT_CAPABILITY"
	if os.Getenv(child) != "" {
		for name, load := range map[string]loader{"xdp": Load, "filter": LoadFilter} {
			_, err := load(Config{Sessions: 64})
			u := new(UnsupportedError)
			t.Logf("%s: %v; typed %v", name, err, errors.As(err, &u) && u.Kind == MissingCapability)
		}
		return
	}
	mustLoad(t, Load, Config{Sessions: 64})
	setpriv := testneed.Command(t, "setpriv")
	for caps, want := range map[string][]string{
		"-all":                          {"xdp: loading the BPF programs: it needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN (", "filter: loading the BPF programs: it needs CAP_BPF, CAP_PERFMON ("},
		"-all,+bpf,+net_admin":          {"xdp: loading the BPF programs: it needs CAP_PERFMON (", "filter: loading the BPF programs: it needs CAP_PERFMON ("},
		"-all,+bpf,+perfmon":            {"xdp: loading the BPF programs: it needs CAP_NET_ADMIN (", "filter: <nil>; typed false"},
		"-all,+bpf,+perfmon,+net_admin": {"xdp: <nil>; typed false", "filter: <nil>; typed false"},
	} {
		cmd := exec.Command(setpriv, "--bounding-set="+caps, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", caps, err, out)
		}
		for _, w := range want {
			if typed := strings.Contains(w, "needs"); !strings.Contains(string(out), w) || typed && !strings.Contains(string(out), "typed true") {
				t.Errorf("with %s: no %q in\n%s", caps, w, out)
			}
		}
	}
}

func TestNoSuchInterface(t *testing.T) {
	_, err := Probe("no-such-if0")
	if u := new(UnsupportedError); !errors.As(err, &u) || u.Kind != MissingInterface {
		t.Errorf("%v", err)
	}
}
